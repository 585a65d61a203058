"""The state machine of the step controller."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal

from ohmcarlo.spec import STARTUP_WINDOWS
from ohmcarlo.spec.link import Reason

from ...array.interface import Op
from ..interface import Activity, Mode
from .jobs import HELD_STATES, Jobs
from .outcome import Outcome
from .parts import Parts
from .progress import Phase, StepCount
from .raw import RawOperation
from .read_backs import ReadBacks

ACTIVITIES = {
    Activity.IDLE: ("IDLE",),
    Activity.COIN: ("COIN", "COIN BACK"),
    Activity.SAMPLE: ("SAMPLE", "SAMPLE BACK"),
    Activity.DECISION: ("DECISION",),
    Activity.EXTERNAL: ("SHOW", "EXTERNAL"),
    Activity.RECORDS: ("FLUSH",),
    Activity.PREDICTION: HELD_STATES,
    Activity.RAW: ("RAW", "RAW BACK"),
}
"""States of each activity; all others are BETWEEN."""


class Sequence:
    """Commands, start-up and steps, as states. Each method adds the states of one part.

    Parameters
    ----------
    m : Module
        The module that holds the state machine.
    ports : StepController
        Its settings, commands, status and coin.
    """

    def __init__(
        self,
        m: Module,
        ports: Any,
        parts: Parts,
        *,
        count: StepCount,
        back: ReadBacks,
        raw: RawOperation,
        jobs: Jobs,
        outcome: Outcome,
    ) -> None:
        self._m, self._one_round = m, ports.one_round
        self._settings, self._commands = ports.settings, ports.commands
        self._status, self._coin_unit = ports.status, ports.coin
        self._idle_likelihood = ports.likelihood_idle
        self._blocks, self._turn, self._current = parts.blocks, parts.turn, parts.current
        self._progress, self._count, self._back = parts.progress, count, back
        self._raw, self._jobs, self._outcome = raw, jobs, outcome
        self._take = Signal(name="take")
        self._discard = Signal(name="discard")  # drop all issued orders
        self._put_back = Signal(name="put_back")
        self._coin_begin = Signal(name="begin")
        self._coin_restart = Signal(name="restart")
        self._clean = Signal(name="clean")  # the start-up test passed
        self._predictable = self._settings.points != 0
        if ports.config.max_streamed_points:  # predictions are of points in the memory
            self._predictable &= ~self._settings.points_streamed

    def elaborate(self) -> Any:
        """Add the state machine to the module and return it."""
        m, rows, progress = self._m, self._blocks.rows, self._progress
        programmer, arbiter, coin = self._blocks.programmer, self._blocks.arbiter, self._coin_unit
        m.d.comb += [
            programmer.allow_coin.eq(progress.allow_coin),
            programmer.allow_sample.eq(progress.allow_sample & self._outcome.recorder_free),
            arbiter.hold_dots.eq(progress.hold_dots & ~self._back.all_back),
            self._status.turn.eq(self._turn.region),
            self._status.activity.eq(Activity.BETWEEN),
        ]
        m.d.sync += [
            self._clean.eq(coin.clean_windows >= STARTUP_WINDOWS),
            programmer.discard.eq(self._discard),
            rows.put_back.eq(self._put_back),
            coin.begin.eq(self._coin_begin),
            coin.restart.eq(self._coin_restart),
            rows.init.eq(0),
        ]
        with m.FSM(name="state") as fsm:
            self._idle(fsm)
            self._between_proposals()
            self._coin()
            self._turned_down()
            self._sample()
            self._external()
            self._end()
            self._between_runs()
        m.d.sync += [
            progress.preparing.eq(
                fsm.ongoing("COIN") | fsm.ongoing("COIN BACK") | fsm.ongoing("SAMPLE")
            ),
            rows.query.eq(fsm.ongoing("IDLE")),
        ]
        for activity, states in ACTIVITIES.items():
            for state in states:
                with m.If(fsm.ongoing(state)):
                    m.d.comb += self._status.activity.eq(activity)
        return fsm

    def _idle(self, fsm: Any) -> None:
        """A command begins."""
        m, turn, status, commands = self._m, self._turn, self._status, self._commands
        progress, settings, rows = self._progress, self._settings, self._blocks.rows
        asked = (
            commands.start | commands.run | commands.flush | commands.predict | commands.raw_start
        )
        # high from the strobe on, so that software can poll at once after a command
        m.d.comb += status.busy.eq((~fsm.ongoing("IDLE") | asked) & ~commands.closed)
        with m.State("IDLE"):
            m.d.comb += turn.looking.eq(~asked)
            m.d.sync += self._count.halting.eq(0)
            with m.If(commands.closed):
                pass
            with m.Elif(commands.start):
                m.d.comb += self._coin_restart.eq(1)
                m.d.sync += [
                    status.reason.eq(Reason.RUNNING),
                    progress.phase.eq(Phase.START_UP),
                    progress.stepping.eq(0),
                    turn.save(),
                    rows.init.eq(~progress.initialised),
                    progress.initialised.eq(1),
                ]
                m.next = "INIT"
            with m.Elif(commands.run & status.started & self._coin_unit.alarm):
                m.d.sync += status.reason.eq(Reason.ENTROPY_ALARM)
            with m.Elif(commands.run & status.started):
                m.d.sync += [
                    status.reason.eq(Reason.RUNNING),
                    progress.phase.eq(Phase.STEP),
                    progress.stepping.eq(1),
                    *self._count.begin(settings.steps),
                ]
                m.next = "BEGIN"
            with m.Elif(commands.flush & status.started):
                m.d.comb += turn.to(0)
                m.d.sync += turn.save()
                m.next = "FLUSH"
            with m.Elif(commands.predict & status.started & self._predictable):
                m.d.comb += turn.to(0)
                m.d.sync += [turn.save(), *self._jobs.first()]
                m.next = "HELD"
            with m.Elif(commands.raw_start):
                m.d.sync += self._raw.begin()
                m.next = "RAW"

        with (
            m.State("INIT"),
            m.If(~(rows.init | rows.busy | self._coin_unit.restart) & self._coin_unit.settled),
        ):
            m.next = "BEGIN"

    def _between_proposals(self) -> None:
        """Take a row group for the next proposal, or end the run."""
        m, turn, status = self._m, self._turn, self._status
        rows, progress, count = self._blocks.rows, self._progress, self._count

        def take() -> None:
            m.d.comb += self._take.eq(1)
            m.next = "TAKE"

        with m.State("BEGIN"):
            m.d.comb += [
                self._back.clear.eq(1),
                self._coin_begin.eq(1),
                rows.take.eq(self._take),
            ]
            m.d.sync += progress.sample_issued.eq(0)
            with m.Switch(progress.phase):
                with m.Case(Phase.START_UP):
                    with m.If(self._clean):
                        m.d.comb += turn.to(0)
                        m.d.sync += progress.phase.eq(Phase.FIRST)
                    with m.Else():
                        take()
                with m.Case(Phase.FIRST):
                    with m.If(~turn.settled):
                        pass
                    with m.Elif(~rows.has_sample):
                        take()
                    with m.Elif(turn.last_region):
                        m.d.comb += turn.restore()
                        m.d.sync += [status.started.eq(1), status.reason.eq(Reason.DONE)]
                        m.next = "END"
                    with m.Else():
                        m.d.comb += turn.to_next()
                with m.Default():
                    with m.If(count.none_left | count.halting):
                        m.d.sync += status.reason.eq(Reason.DONE)
                        m.next = "END"
                    with m.Else():
                        take()

        with m.State("TAKE"):
            with m.If(rows.none):
                m.d.sync += status.reason.eq(Reason.NO_ROWS)
                with m.If(progress.stepping):
                    m.d.sync += status.reason.eq(Reason.EXHAUSTED)
                m.next = "END"
            with m.If(rows.taken):
                with m.If(progress.phase == Phase.FIRST):
                    m.next = "ORDER SAMPLE"
                with m.Elif(progress.next_issued):
                    m.d.sync += [progress.next_issued.eq(0), progress.allow_coin.eq(1)]
                    m.next = "COIN"
                with m.Else():
                    m.next = "ORDER COIN"

    def _coin(self) -> None:
        """The coin is programmed and read back, in as many rounds as its word needs."""
        m, progress, back, coin = self._m, self._progress, self._back, self._coin_unit
        issuer = self._blocks.issuer
        with m.State("ORDER COIN"):
            m.d.comb += back.clear.eq(1)
            with m.If(~issuer.busy):
                m.d.comb += issuer.coin.eq(1)
                m.d.sync += progress.allow_coin.eq(1)
                m.next = "COIN"
        with m.State("COIN"):
            if self._one_round:
                early = progress.stepping & ~self._settings.folds & ~issuer.busy
                with m.If(early & ~progress.sample_issued):
                    m.d.comb += issuer.sample.eq(1)
                    m.d.sync += progress.sample_issued.eq(1)
            with m.If(self._blocks.programmer.coin_done):
                m.d.sync += progress.allow_coin.eq(0)
                m.next = "COIN BACK"
        with m.State("COIN BACK"), m.If(back.all_back & coin.settled):
            with m.If(progress.phase == Phase.START_UP):
                m.d.sync += progress.declining.eq(1)
                m.next = "TURN DOWN"
            with m.Elif(coin.alarm):
                m.d.comb += self._put_back.eq(1)
                m.d.sync += self._status.reason.eq(Reason.ENTROPY_ALARM)
                m.next = "END"
            with m.Elif(~back.all_valid):
                m.next = "DROP"
            with m.Elif(coin.ready):
                m.d.comb += back.clear.eq(1)
                m.next = "ORDER SAMPLE"
                with m.If(progress.sample_issued):
                    m.d.sync += progress.allow_sample.eq(1)
                    m.next = "SAMPLE"
            with m.Else():
                m.next = "AGAIN"
        with m.State("AGAIN"):
            # the word is not complete, or all zero: another round of the same devices
            m.d.comb += self._discard.eq(1)
            m.d.sync += progress.sample_issued.eq(0)
            with m.If(self._blocks.nothing_ordered):
                m.next = "ORDER COIN"

    def _turned_down(self) -> None:
        """Return a row with a stuck entropy device, or with coins of the start-up test."""
        m, progress, count = self._m, self._progress, self._count
        with m.State("DROP"):
            m.d.comb += self._discard.eq(1)
            with m.If(self._blocks.nothing_ordered):
                m.d.sync += progress.declining.eq(1)
                m.next = "TURN DOWN"
        with m.State("TURN DOWN"), m.If(self._outcome.room):
            m.d.sync += progress.declining.eq(0)
            m.d.comb += self._turn.to_next()
            m.next = "BEGIN"
            with m.If(progress.stepping):
                m.d.sync += count.none_left.eq(count.last_step)
            with m.Elif(self._coin_unit.alarm):
                m.d.sync += self._status.reason.eq(Reason.ENTROPY_ALARM)
                m.next = "END"

    def _sample(self) -> None:
        """The sample is programmed and read back, and its evaluation begins."""
        m, progress, back = self._m, self._progress, self._back
        issuer, acceptance, settings = self._blocks.issuer, self._blocks.acceptance, self._settings
        with m.State("ORDER SAMPLE"):
            m.d.comb += back.clear.eq(1)
            with m.If(~issuer.busy):
                m.d.comb += issuer.sample.eq(1)
                m.d.sync += [progress.sample_issued.eq(1), progress.allow_sample.eq(1)]
                m.next = "SAMPLE"
        with m.State("SAMPLE"):
            with m.If(
                progress.stepping & self._count.more_to_come & ~issuer.busy & ~progress.next_issued
            ):
                # prepare the next step's coin: the next row group is known already
                m.d.comb += [
                    issuer.coin.eq(1),
                    issuer.ahead.eq(1),
                    issuer.row.eq(self._blocks.rows.next_row),
                ]
                m.d.sync += progress.next_issued.eq(1)
            with m.If(self._blocks.programmer.sample_done):
                m.d.sync += [
                    progress.allow_sample.eq(0),
                    progress.hold_dots.eq(1),
                    self._jobs.evaluating.eq(~settings.external & (settings.points != 0)),
                ]
                m.next = "SAMPLE BACK"
        with m.State("SAMPLE BACK"):
            m.d.comb += self._outcome.drop.eq(back.all_back & ~back.all_valid)
            with m.If(back.all_back):
                m.d.comb += acceptance.start.eq(1)
                m.d.sync += [progress.hold_dots.eq(0), progress.deciding.eq(1)]
                m.next = "DECISION"
                with m.If(~back.all_valid):
                    m.d.comb += acceptance.mode.eq(Mode.INVALID)
                with m.Elif(settings.external):
                    m.d.comb += acceptance.start.eq(0)
                    m.d.sync += progress.deciding.eq(0)
                    m.next = "SHOW"
                with m.Elif(progress.phase == Phase.FIRST):
                    m.d.comb += acceptance.mode.eq(Mode.FIRST)

    def _external(self) -> None:
        """The proposal is streamed, and software supplies its log-likelihood."""
        m, recorder, given = self._m, self._blocks.recorder, self._commands.external_given
        acceptance = self._blocks.acceptance
        with m.State("SHOW"), m.If(~recorder.busy):
            m.d.comb += [
                recorder.start.eq(1),
                recorder.bank.eq(~self._current.bank),
                recorder.proposal.eq(1),
            ]
            m.next = "EXTERNAL"
        with m.State("EXTERNAL"):
            m.d.comb += self._status.waiting_external.eq(~recorder.busy & ~given)
            with m.If(given & ~recorder.busy):
                m.d.comb += acceptance.start.eq(1)
                with m.If(self._progress.phase == Phase.FIRST):
                    m.d.comb += acceptance.mode.eq(Mode.FIRST)
                m.d.sync += self._progress.deciding.eq(1)
                m.next = "DECISION"

    def _end(self) -> None:
        """A proposal ends with its decision, a run when nothing is under way."""
        m, blocks = self._m, self._blocks
        with m.State("DECISION"), m.If(self._outcome.ending):
            m.d.sync += self._progress.deciding.eq(0)
            m.next = "BEGIN"
        with m.State("END"):
            m.d.comb += self._discard.eq(1)
            m.d.sync += self._progress.next_issued.eq(0)
            with m.If(blocks.nothing_ordered & self._idle_likelihood & ~blocks.recorder.busy):
                m.next = "IDLE"

    def _between_runs(self) -> None:
        """Records of the current samples, predictions, raw operations."""
        m, turn, recorder = self._m, self._turn, self._blocks.recorder
        with m.State("FLUSH"), m.If(~recorder.busy & turn.settled):
            m.d.comb += [recorder.start.eq(1), recorder.current.eq(1)]
            m.d.comb += turn.to_next()
            with m.If(turn.last_region):
                m.d.comb += turn.restore()
                m.next = "END"
        self._jobs.following(m)
        with m.State("RAW"), m.If(self._blocks.arbiter.raw.ready):
            m.d.sync += self._raw.taken()
            m.next = "RAW BACK"
        with m.State("RAW BACK"):
            answerless = self._commands.raw_operation.op != Op.READ
            with m.If(answerless | self._status.raw_valid | self._commands.closed):
                m.d.sync += self._raw.done()
                m.next = "IDLE"
