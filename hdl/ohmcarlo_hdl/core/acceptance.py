"""Acceptance: the threshold L*, the running sum of log-likelihood terms, and the decision."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring

from ..config import CoreConfig
from ..lib.arith import saturate
from .interface import ACC_BITS, AcceptancePorts, Mode


class Acceptance(wiring.Component):
    """Compares the sum of log-likelihood terms with the threshold and decides.

    One decision follows each ``start``. It needs the price, and either the last term, or no terms
    (``empty``, ``external``), or a sum below the threshold

        L* = loglik + prior - prior' - hastings - t.

    Every later term is <= 0, so a sum below the threshold stays there. Terms wait until the
    threshold is known. ``LATENCY`` clocks lie between the last term taken and the decision.

    Twin: ``golden.chain.threshold_of``, ``golden.likelihood.sum_of_logits``.

    Attributes
    ----------
    start, mode, empty, external, external_loglik, early_reject, loglik, prior : AcceptancePorts
    t, t_valid, price, terms, decision, stop : AcceptancePorts
        As in ``AcceptancePorts``.
    """

    LATENCY = 2

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(AcceptancePorts(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        out = self.decision.payload
        mode, empty, external = Signal(Mode), Signal(), Signal()
        partial = Signal(signed(ACC_BITS + 2))
        threshold = Signal(signed(ACC_BITS + 4))
        total = Signal(signed(ACC_BITS))
        points = Signal(self.config.position_bits + 1)
        summed = Signal()  # the total changed in the clock before
        ended = Signal()  # … for the last time
        below = Signal()
        m.d.comb += below.eq((mode == Mode.STEP) & (total < threshold))

        with m.FSM(name="state"):
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [
                    mode.eq(self.mode),
                    empty.eq(self.empty),
                    external.eq(self.external),
                    total.eq(Mux(self.external, self.external_loglik, 0)),
                    points.eq(0),
                ]
                m.next = "PRICE"

            with m.State("PRICE"):
                m.d.comb += self.price.ready.eq(self.t_valid | (mode != Mode.STEP))
                with m.If(self.price.valid & self.price.ready):
                    price = self.price.payload
                    m.d.sync += [
                        out.prior.eq(price.prior),
                        out.stuck.eq(price.stuck),
                        partial.eq(self.loglik + self.prior - price.prior),
                        threshold.eq(-price.hastings - self.t),
                    ]
                    m.next = "THRESHOLD"

            with m.State("THRESHOLD"):
                m.d.sync += [
                    threshold.eq(threshold + partial),
                    summed.eq(empty | external),
                    ended.eq(empty | external),
                ]
                with m.If(mode == Mode.INVALID):
                    m.d.sync += [out.accepted.eq(0), out.points.eq(0)]
                    m.next = "DECIDED"
                with m.Else():
                    m.next = "SUM"

            with m.State("SUM"):
                m.d.comb += self.terms.ready.eq(~ended)
                taken = self.terms.valid & self.terms.ready
                m.d.sync += [
                    summed.eq(taken),
                    out.loglik.eq(total),
                    out.points.eq(points),
                    out.accepted.eq(~below),
                ]
                with m.If(taken):
                    m.d.sync += [
                        total.eq(saturate(total + self.terms.payload.term, ACC_BITS)),
                        points.eq(points + 1),
                        ended.eq(self.terms.payload.last),
                    ]
                with m.If(summed & (ended | (below & self.early_reject))):
                    m.next = "DECIDED"

            with m.State("DECIDED"):
                m.d.comb += self.decision.valid.eq(1)
                with m.If(self.decision.ready):
                    m.next = "IDLE"

        m.d.comb += self.stop.eq(self.decision.valid)
        return m
