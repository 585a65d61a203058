"""The likelihood pipe: from a sample in the array to one term per data point, or to predictions."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, ResetInserter, Signal, signed, unsigned
from amaranth.lib import data, wiring

from ..config import CoreConfig
from ..lib.fifo import StreamFifo
from .dot import DotAccumulator
from .fetch import CONTEXT, Fetch
from .hidden import HiddenLayer
from .interface import MULTIPLICITY_BITS, TERM_BITS, LikelihoodPorts
from .issue import Issue
from .logit import LogitScaler
from .prediction import PredictionSums
from .term import TermUnit

WEIGHT = data.StructLayout({"multiplicity": unsigned(MULTIPLICITY_BITS), "last": unsigned(1)})
RESULT = data.StructLayout({"value": signed(TERM_BITS), "last": unsigned(1)})


class Likelihood(wiring.Component):
    """Evaluates data points under a sample: one access of the array per clock.

    A job with ``predict`` = 0 gives one of ``terms`` per point, in the order of the table, ``last``
    on the last one. Jobs with ``predict`` = 1 are one point each; after the job with ``last`` the
    point's sums are offered at ``predictions``. An evaluation is accepted when the pipe is
    ``idle`` and ``stop`` low; prediction jobs when no evaluation is in progress, back to back.

    ``stop`` (one clock suffices) drops the evaluation in progress. An access may still start in its
    first clock, none later. Terms that were not taken are dropped (the one exception to the rule of
    streams), readings under way are discarded, then the pipe is ``idle``. A request that is already
    offered stays. ``stop`` does not affect predictions in progress.

    Points in flight have credits, so no stage behind the array ever stalls: readings are taken in
    the clock in which they arrive, and FIFOs hold results while ``terms`` or ``predictions`` stall.
    ``POINTS_IN_FLIGHT`` points and ``DotAccumulator.DEPTH`` accesses keep one access per clock up
    to an array latency of some 30 clocks.

    For a network (``hidden`` = H > 0), hidden rows are issued ahead of output rows: the activations
    of a point wait in a FIFO, and a finished hidden layer has priority over the next hidden row.

    Settings are stable while the pipe is not idle. ``load_points`` and ``load_order``: see
    ``Fetch``.

    Twin: ``golden.likelihood`` (``point_logit``, ``term_of``, ``predict_sums``).

    Attributes
    ----------
    jobs, requests, readings, terms, predictions, stop, idle, log_repeats : LikelihoodPorts
    points, features, hidden, logit_mantissa, logit_shift, load_points, load_order : LikelihoodPorts
    streamed, wants_streamed, drop_streamed : LikelihoodPorts
        As in ``LikelihoodPorts``.
    """

    FIRST_REQUEST_LATENCY = 1 + Fetch.LATENCY + Issue.LATENCY
    """Clocks from the transfer of a job to the transfer of its first request."""
    TERM_LATENCY = DotAccumulator.LATENCY + LogitScaler.LATENCY + TermUnit.LATENCY + 2
    """Clocks from the transfer of an output row's last reading to that of its term."""
    POINTS_IN_FLIGHT = 64

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(LikelihoodPorts(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, depth = self.config, self.POINTS_IN_FLIGHT
        evaluating = Signal()
        dropping = Signal()  # everything between memory and terms is held in reset
        stopped = Signal()

        def droppable(block: Any) -> Any:
            return ResetInserter(dropping)(block)

        fetch = Fetch(config, depth)
        issue = Issue(config)
        dots = DotAccumulator(config)
        scaler = LogitScaler(dots.width)
        unit = TermUnit()
        contexts = StreamFifo(CONTEXT, depth)
        results = StreamFifo(RESULT, depth)
        weights = StreamFifo(WEIGHT, depth)
        sums = PredictionSums()
        m.submodules.fetch = droppable(fetch)
        m.submodules.issue = issue
        m.submodules.dots = dots
        m.submodules.scaler = droppable(scaler)
        m.submodules.unit = droppable(unit)
        m.submodules.contexts = droppable(contexts)
        m.submodules.results = droppable(results)
        m.submodules.weights = weights
        m.submodules.sums = sums

        # jobs
        job, taken = self.jobs.payload, Signal()
        empty = ~evaluating & (weights.level == 0) & ~sums.busy
        acceptable = Signal()
        with m.If(job.predict):
            m.d.comb += acceptable.eq(~evaluating & weights.input.ready & fetch.jobs.ready)
        with m.Else():
            m.d.comb += acceptable.eq(empty & ~self.stop)
        m.d.comb += [
            self.idle.eq(empty),
            self.jobs.ready.eq(acceptable),
            taken.eq(self.jobs.valid & self.jobs.ready),
            fetch.jobs.valid.eq(taken),
            fetch.jobs.payload.predict.eq(job.predict),
            fetch.jobs.payload.row.eq(job.row),
            fetch.jobs.payload.point.eq(job.point),
            weights.input.valid.eq(taken & job.predict),
            weights.input.payload.multiplicity.eq(job.multiplicity),
            weights.input.payload.last.eq(job.last),
        ]

        # begin and end of an evaluation
        m.d.comb += stopped.eq(self.stop & evaluating)
        with m.If(dropping & ~dots.busy):
            m.d.sync += [dropping.eq(0), evaluating.eq(0)]
        with m.Elif(stopped):
            m.d.sync += dropping.eq(1)
        with m.Elif(self.terms.valid & self.terms.ready & self.terms.payload.last):
            m.d.sync += evaluating.eq(0)
        with m.Elif(taken & ~job.predict):
            m.d.sync += evaluating.eq(1)

        # points → accesses → dot products
        wiring.connect(m, wiring.flipped(self.load_points), fetch.load_points)
        wiring.connect(m, wiring.flipped(self.load_order), fetch.load_order)
        wiring.connect(m, fetch.points, issue.points)
        wiring.connect(m, issue.requests, wiring.flipped(self.requests))
        wiring.connect(m, wiring.flipped(self.readings), dots.readings)
        m.d.comb += [
            fetch.points_used.eq(self.points),
            issue.features.eq(self.features),
            issue.halt.eq(dropping),
            issue.room.eq(dots.room),
            dots.note.eq(issue.note),
            dots.tag.eq(issue.tag),
            dots.drop.eq(dropping),
            contexts.input.valid.eq(fetch.note),
            contexts.input.payload.eq(fetch.context),
        ]

        if config.max_streamed_points:
            wiring.connect(m, wiring.flipped(self.streamed), fetch.streamed)
            m.d.comb += [
                self.wants_streamed.eq(fetch.wants_streamed),
                self.drop_streamed.eq(dropping),
            ]

        if config.repeats:
            for block in (issue, dots):
                m.d.comb += block.log_repeats.eq(self.log_repeats)

        # dot products → logits or activations
        m.d.comb += [
            scaler.mantissa.eq(self.logit_mantissa),
            scaler.shift.eq(self.logit_shift),
            scaler.valid.eq(dots.valid),
            scaler.output.eq(dots.output),
            scaler.dot.eq(dots.dot),
            scaler.context.eq(contexts.output.payload),
            contexts.output.ready.eq(scaler.take),
        ]
        if config.max_group_rows > 1:
            layer = HiddenLayer(config, depth)
            m.submodules.layer = droppable(layer)
            wiring.connect(m, layer.layers, issue.layers)
            m.d.comb += [
                issue.hidden.eq(self.hidden),
                layer.hidden.eq(self.hidden),
                layer.start.eq(issue.started),
                layer.row.eq(fetch.points.payload.row),
                layer.valid.eq(scaler.activation_valid),
                layer.activation.eq(scaler.activation),
            ]

        # logits → terms, or probabilities → sums
        value, last = results.output.payload.value, results.output.payload.last
        m.d.comb += [
            unit.predict.eq(~evaluating),
            unit.valid.eq(scaler.z_valid),
            unit.z.eq(scaler.z),
            unit.magnitude.eq(scaler.magnitude),
            unit.label.eq(scaler.label),
            unit.last.eq(scaler.last),
            results.input.valid.eq(unit.result_valid),
            results.input.payload.value.eq(unit.result),
            results.input.payload.last.eq(unit.result_last),
            self.terms.valid.eq(results.output.valid & evaluating & ~dropping),
            self.terms.payload.term.eq(value),
            self.terms.payload.last.eq(last),
            sums.probabilities.valid.eq(results.output.valid & ~evaluating),
            sums.probabilities.payload.p.eq(value),
            sums.probabilities.payload.multiplicity.eq(weights.output.payload.multiplicity),
            sums.probabilities.payload.last.eq(weights.output.payload.last),
            results.output.ready.eq(Mux(evaluating, self.terms.ready, sums.probabilities.ready)),
            weights.output.ready.eq(sums.probabilities.valid & sums.probabilities.ready),
            fetch.returned.eq(results.output.valid & results.output.ready),
        ]
        wiring.connect(m, sums.predictions, wiring.flipped(self.predictions))
        return m
