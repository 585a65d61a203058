"""The end of a proposal: its record, and its effect on row groups and samples."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal

from .jobs import Jobs
from .parts import Parts
from .progress import Phase, StepCount
from .read_backs import ReadBacks


class Outcome:
    """Ends a proposal that was turned down (stuck entropy device) or decided.

    Parameters
    ----------
    m : Module
        The module that holds the logic.
    ports : StepController
        Its stream ``step_records`` and the counters' ports ``step_ends`` and ``step``.

    Attributes
    ----------
    ending : Signal
        All inputs for the end of the proposal are valid: it ends in this clock.
    room : Signal
        The step's record, if there is one, is taken.
    drop : Signal
        The rest of the evaluation is dropped; also driven by the state machine.
    recorder_free, rows_free : Signal
        The recorder and the row groups were idle in the clock before. Neither starts an operation
        by itself.
    """

    def __init__(self, m: Module, ports: Any, parts: Parts) -> None:
        blocks, turn, current = parts.blocks, parts.turn, parts.current
        progress = parts.progress
        self._ports, self._blocks, self._turn = ports, blocks, turn
        self._current, self._progress = current, progress
        self.ending = Signal()
        self.room = Signal()
        self.drop = Signal()
        self.recorder_free = Signal()
        self.rows_free = Signal()
        record, records = ports.step, ports.step_records
        m.d.comb += [
            record.region.eq(turn.region),
            record.loglik.eq(current.loglik),
            record.prior.eq(current.prior),
            records.payload.eq(ports.step),
            self.room.eq(~progress.stepping | ~ports.settings.record_steps | records.ready),
            ports.step_ends.eq(self.ending & progress.stepping),
            records.valid.eq(0),
        ]
        m.d.sync += [
            ports.stop.eq(self.drop),
            self.recorder_free.eq(~blocks.recorder.busy),
            self.rows_free.eq(~blocks.rows.busy),
        ]

    def conclude(self, m: Module, jobs: Jobs, back: ReadBacks, count: StepCount) -> None:
        """Conclude the proposal in the states TURN DOWN and DECISION.

        Call it after the state machine, whose requests it completes.
        """
        with m.If(self._progress.declining):
            self._turn_down(m, back)
        with m.If(self._progress.deciding):
            self._decide(m, jobs, back)
            with m.If(self.ending):
                self._end(m, count)

    def _turn_down(self, m: Module, back: ReadBacks) -> None:
        """An entropy device is stuck, or the start-up test is done with its row."""
        ports, rows, progress = self._ports, self._blocks.rows, self._progress
        m.d.comb += [
            rows.stuck.eq(~back.all_valid),
            rows.counts.eq(progress.stepping),
            rows.conclude.eq(self.room),
            self.ending.eq(self.room),
            ports.step_records.valid.eq(progress.stepping & ports.settings.record_steps),
        ]

    def _decide(self, m: Module, jobs: Jobs, back: ReadBacks) -> None:
        ports, rows, progress = self._ports, self._blocks.rows, self._progress
        acceptance, record = self._blocks.acceptance, self._ports.step
        decision = acceptance.decision.payload
        accepted = decision.accepted
        ready = Signal()  # once high, it stays so until the end
        m.d.sync += ready.eq(
            acceptance.decision.valid
            & ~jobs.evaluating
            & (~accepted | self.recorder_free)
            & self.rows_free
            & ~self.ending
        )
        m.d.comb += [
            self.drop.eq(acceptance.stop | ~back.all_valid),
            ports.step_records.valid.eq(ready & progress.stepping & ports.settings.record_steps),
            self.ending.eq(ready & self.room),
            acceptance.decision.ready.eq(self.ending),
            record.accepted.eq(accepted),
            record.valid.eq(back.all_valid),
            record.points.eq(decision.points),
            rows.conclude.eq(self.ending),
            rows.accepted.eq(accepted),
            rows.counts.eq(progress.stepping),
            rows.stuck.eq(~back.all_valid & (decision.stuck | (progress.phase == Phase.FIRST))),
        ]
        with m.If(accepted):
            m.d.comb += [
                record.loglik.eq(decision.loglik),
                record.prior.eq(decision.prior),
            ]

    def _end(self, m: Module, count: StepCount) -> None:
        stepping = self._progress.stepping
        with m.If(self._blocks.acceptance.decision.payload.accepted):
            m.d.comb += self._blocks.recorder.start.eq(stepping)
            self._current.accept(m)
        with m.If(stepping):
            m.d.comb += self._turn.to_next()
            m.d.sync += count.none_left.eq(count.last_step)
