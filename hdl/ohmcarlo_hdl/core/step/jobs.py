"""Jobs of the likelihood: the evaluation of a proposal, or predictions under every sample."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal

from .parts import Parts

HELD_STATES = ("HELD", "HELD PLACE", "HELD ROW", "MULTIPLICITY", "JOB")
"""States in which the ring entry ``index`` is looked up and its job offered."""


class Jobs:
    """Offers jobs to the likelihood.

    Predictions walk through the data points, for each through the regions, and for each through
    the retired samples (``index``) and the current one.

    Parameters
    ----------
    m : Module
        The module that holds the logic.
    ports : StepController
        Its stream ``jobs`` and its settings.

    Attributes
    ----------
    evaluating : Signal
        The evaluation of the proposal is offered.
    predicting : Signal
        A prediction is offered.
    """

    def __init__(self, m: Module, ports: Any, parts: Parts) -> None:
        config = ports.config
        self._ports, self._rows, self._turn = ports, parts.blocks.rows, parts.turn
        self.evaluating = Signal(name="job_pending")
        self.predicting = Signal()
        self._point = Signal(config.point_bits + 1, name="point")
        self._index = Signal(range(config.geometry.rows + 1), name="index")
        # the current sample, not a retired one; two clocks after ``index``
        self._current = Signal(name="current")
        m.d.sync += self._current.eq(self._index == self._rows.retired_count)

    def first(self) -> list[Any]:
        """Statements of the sync domain: begin with the first sample and the first point."""
        return [self._point.eq(0), self._index.eq(0)]

    def following(self, m: Module) -> None:
        """States of the predictions, within the state machine."""
        turn = self._turn
        with m.State("HELD"):
            # four clocks from the index to the row and its multiplicity
            m.next = "HELD PLACE"
        with m.State("HELD PLACE"):
            m.next = "HELD ROW"
        with m.State("HELD ROW"):
            m.next = "MULTIPLICITY"
        with m.State("MULTIPLICITY"):
            m.d.sync += self.predicting.eq(1)
            m.next = "JOB"
        with m.State("JOB"), m.If(~self.predicting):
            m.d.sync += self._index.eq(self._index + 1)
            m.next = "HELD"
            with m.If(self._current):
                m.d.comb += turn.to_next()
                m.d.sync += self._index.eq(0)
                with m.If(turn.last_region):
                    m.d.sync += self._point.eq(self._point + 1)
                    with m.If(self._point + 1 == self._ports.settings.points):
                        m.d.comb += turn.restore()
                        m.next = "END"

    def offer(self, m: Module, fsm: Any) -> None:
        """Offer the jobs. Call it after the state machine, whose requests it completes."""
        ports, rows, current = self._ports, self._rows, self._current
        job = ports.jobs.payload
        for state in HELD_STATES:
            with m.If(fsm.ongoing(state)):
                m.d.comb += rows.held_index.eq(self._index)
        with m.If(self.predicting):
            m.d.comb += [
                ports.jobs.valid.eq(1),
                job.predict.eq(1),
                job.point.eq(self._point),
                job.row.eq(Mux(current, rows.sample_row, rows.held_row)),
                job.multiplicity.eq(Mux(current, rows.multiplicity, rows.held_multiplicity)),
                job.last.eq(current & self._turn.last_region),
            ]
            with m.If(ports.jobs.ready):
                m.d.sync += self.predicting.eq(0)
        with m.If(self.evaluating):
            m.d.comb += [ports.jobs.valid.eq(1), job.row.eq(rows.row)]
            with m.If(ports.jobs.ready):
                m.d.sync += self.evaluating.eq(0)
