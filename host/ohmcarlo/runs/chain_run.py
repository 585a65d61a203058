"""One run of the chains: in blocks, with checkpoints, until the last step or Ctrl-C."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boards import ENTROPY_ALARM, MODEL, RUNNING, Block, SeveralBoards
from ..errors import Interrupted as Interrupted
from ..errors import OhmcarloError
from ..posterior_error import describe_error
from ..progress import Observer, Silence, phase
from .adaptation.record import Record
from .adaptation.stages import Stages
from .algebra import few_threads
from .folder import BoardFolder, Checkpoint, RunFolder
from .network_pilot import PilotStages
from .replay import can_replay, next_stop, replayed, sort_points
from .setup import ChainSetup, warm_up
from .several_boards import SeveralChains
from .stored import ADAPTATION, CHECKPOINT, intact
from .thinning import Draws, distance_of, join_blocks, most_draws

log = logging.getLogger(__name__)
SAVING_SHARE = 0.1  # largest share of the time that reading the board's state may take
FIRST_SAVING_S = 1.0  # expected for the state of a board behind a link, before the first read
LAST_SAVING_S = 5.0  # for the state after the last step, which pages show, and resume does not need
BLOCK_SECONDS = 0.1  # between two checks of the clock and of Ctrl-C
FIRST_BLOCK = 1
MAX_BLOCK = 10_000
NOTHING_KEPT = "nothing was kept: with --out RUN an interrupted run can be resumed"
OF_EACH = "steps per chain"
COMPILING = "compiling the sampler (once per version and machine)"


class ChainRun:
    """The chains of a setup, from their start or a checkpoint to their last step.

    Parameters
    ----------
    setup : ChainSetup
    folder : RunFolder or None
        Takes the checkpoints; the run resumes from a checkpoint that it already holds.
    checkpoint_seconds : float
        Time between checkpoints.
    observer : Observer
    before_sampling : callable, optional
        Called with the set-up of the sampling chain, after the adaptation.
    """

    def __init__(
        self,
        setup: ChainSetup,
        folder: RunFolder | None = None,
        checkpoint_seconds: float = np.inf,
        observer: Observer | None = None,
        before_sampling: Callable[[ChainSetup], None] | None = None,
    ) -> None:
        self.setup = setup
        self.board = setup.board
        self.folder = folder
        self.observer = Silence() if observer is None else observer
        self.steps = 0
        self.seconds = 0.0  # of the chain, including those before a checkpoint
        self.cpu_seconds = 0.0  # of this process, since it started or resumed
        self.status = RUNNING
        self._before_sampling = before_sampling
        self._checkpoint_seconds = checkpoint_seconds
        self._draws = Draws(setup.config.chains)
        self._fresh: list[Block] = []  # blocks that the folder does not hold yet
        self._kept = False  # a checkpoint is on disk
        self._kept_steps = 0  # steps of every chain on disk
        self._state: dict[str, NDArray[Any]] | None = None  # of the board, and when it was read
        self._state_steps = 0
        self._state_read = 0.0
        model = setup.config.backend == MODEL
        self._saving_seconds = 0.0 if model else FIRST_SAVING_S  # time of the last read of it
        self._block_steps = FIRST_BLOCK
        self._boards: SeveralChains | None = None

    def run(self) -> None:
        """Run to the last step. Raises Interrupted after Ctrl-C, with the checkpoint written."""
        self._warm_up()
        if self.setup.adapts:
            self._adapt()
        if self._before_sampling is not None:
            self._before_sampling(self.setup)
        if (streamed := self.board.streamed) is not None:
            self.observer.say(streamed.describe(self.board.clock_hz))
        self._say_distance()
        with _ctrl_c() as stop:
            if isinstance(self.board, SeveralBoards):
                self._sample_on(self.board, stop)
            else:
                self.sample(stop)

    def sample(self, stop: threading.Event) -> None:
        """Run the sampling chain of one board to its last step. When ``stop`` is set, write the
        checkpoint and raise Interrupted."""
        self._restore_or_start()
        total = self.setup.config.steps
        self.observer.begin(self.steps, total)
        last_checkpoint = self._state_read = time.monotonic()
        try:
            while self.steps < total and self.status == RUNNING:
                self._run_block(total)
                if time.monotonic() - last_checkpoint >= self._checkpoint_seconds:
                    self._checkpoint()
                    last_checkpoint = time.monotonic()
                if stop.is_set():
                    self._checkpoint()
                    raise Interrupted(self.resume_hint())
            self._checkpoint()
        finally:
            self.observer.end()
        if self.status == ENTROPY_ALARM:
            raise OhmcarloError(
                f"the coin failed its health test after {self.steps} steps and nothing was "
                "accepted on its bits: run `ohmcarlo characterize` on this array; `resume` "
                "repeats the start-up test"
            )

    def _say_distance(self) -> None:
        """Tell the user if the result will not hold every step."""
        config, weights = self.setup.config, self.setup.registers.sample_devices // 2
        every = distance_of(config.steps, config.chains, weights)
        if every > 1:
            rest = "are lost" if self.folder is None else "are in the chunks of the run folder"
            self.observer.say(
                f"more than {most_draws(weights):,} steps: the result keeps one step in {every} of "
                f"each chain, the others {rest}"
            )

    def _sample_on(self, board: SeveralBoards, stop: threading.Event) -> None:
        """``sample`` on every board."""
        parts, folder = self.setup.parts(), self.folder

        def member(number: int, observer: Observer) -> ChainRun:
            own = None if folder is None else folder.of_board(number)
            return ChainRun(parts[number], own, self._checkpoint_seconds, observer)

        self._boards = boards = SeveralChains(
            board, self.setup.config.steps, member, self.observer, folder is not None
        )
        before, cpu_began = self.seconds, time.process_time()
        try:
            boards.run(stop)
        finally:
            self.steps, self.seconds = boards.steps, before + boards.seconds
            self.cpu_seconds += time.process_time() - cpu_began
        if stop.is_set():
            raise Interrupted(self.resume_hint())
        self.status = boards.status

    @property
    def kept_steps(self) -> int:
        """Steps of every chain on disk."""
        if not self._kept and self.folder is not None:
            with suppress(OhmcarloError):
                found = self.folder.checkpoint()
                return 0 if found is None else found.steps
        return self._kept_steps

    def _warm_up(self) -> None:
        with ExitStack() as opened:

            def announce() -> None:
                self.observer.wait(COMPILING)
                opened.callback(self.observer.end)

            seconds = warm_up(self.setup, announce)
        if seconds is not None:
            self.observer.say(f"compiled the sampler in {seconds:.0f} s")

    # -- adaptation ----------------------------------------------------------------------------

    def _adapt(self) -> None:
        """Run the stages before sampling, from those that the folder holds.

        ``setup`` is then that of the sampling chain, which is loaded into the board.
        """
        kind = Stages if self.setup.learner is not None else PilotStages
        stages = kind(self.setup, self._stored_record())
        self.observer.wait(stages.progress())
        try:
            with _ctrl_c() as stop, few_threads(self.setup.points):
                setup = self._load(stages)
                while setup.adapts:
                    self.observer.rename(
                        stages.progress(), stages.record.steps, stages.expected_steps(), OF_EACH
                    )
                    stages.run(setup)
                    setup = self._load(stages, now=stop.is_set())
                    if stop.is_set():
                        raise Interrupted(self._adaptation_hint(stages.record))
        finally:
            self.observer.end()
        known, self.setup = self.setup.errors, setup
        self.seconds = stages.record.seconds
        self.observer.say(stages.summary(setup))
        for error in setup.errors:
            if error not in known:
                self.observer.say(describe_error(error))

    def _load(self, stages: Stages | PilotStages, now: bool = False) -> ChainSetup:
        """Load the next chain into the board, with the state of the record if it is that of the
        last stage; otherwise keep the state in the folder, ``now`` or from time to time."""
        setup, record = stages.load(), stages.record
        if record.state_stages == len(record.stages) and record.state:
            with intact(self._adaptation_path()):
                self.board.load_state_dict(record.state)
        elif self.folder is not None:
            waited = time.monotonic() - self._state_read >= self._checkpoint_seconds
            if now or not setup.adapts or (waited and record.stages):
                record.state, record.state_stages = self.board.state_dict(), len(record.stages)
                self.folder.save_adaptation(record.arrays())
                self._state_read = time.monotonic()
        return setup

    def _adaptation_path(self) -> Path:
        return Path() if self.folder is None else self.folder.path / ADAPTATION

    def _stored_record(self) -> Record:
        self._state_read = time.monotonic()
        arrays = None if self.folder is None else self.folder.adaptation()
        if arrays is None:
            return Record()
        with intact(self._adaptation_path()):
            return Record.of(arrays)

    def _adaptation_hint(self, record: Record) -> str:
        where = f"interrupted after {len(record.stages)} stages of the adaptation"
        if self.folder is None:
            return f"{where}; {NOTHING_KEPT}"
        return f"{where}; they are kept: `ohmcarlo resume {self.folder.path}` continues"

    def streamed(self) -> Block:
        """All blocks as one, a ``LongBlock`` of a long run; raises OhmcarloError when no step could
        be made."""
        if self._boards is not None:
            return self._boards.streamed()
        if self._draws.empty:
            raise OhmcarloError("the array has too few working rows for a single step")
        return self._draws.block()

    def _restore_or_start(self) -> None:
        if self.folder is None:
            self._start()
            return
        with phase("reading the checkpoint"):
            found = self.folder.resume(self.observer.say, self._draws)
        if found is None:
            self._start()
            self._state = {} if can_replay(self.setup) else None
            return
        self.steps, self.seconds, self.status = found.steps, found.seconds, found.status
        self._kept_steps, self._kept = found.steps, True
        with intact(self.folder.path / CHECKPOINT):
            state = self._state_of(found)
            self.board.load_state_dict(state)
        self._state, self._state_steps = state, found.steps
        if self.status == ENTROPY_ALARM:
            self._start()
            self.status, self._state = RUNNING, None

    def _state_of(self, found: Checkpoint) -> dict[str, NDArray[Any]]:
        """The board's state after the last step of a checkpoint."""
        assert self.folder is not None
        if found.state and found.state_steps == found.steps:
            return found.state
        if not can_replay(self.setup):
            raise ValueError("its state is that of an earlier step")
        since = found.steps - found.state_steps
        self.observer.begin(0, since, "making steps again, up to the checkpoint")
        try:
            state = replayed(
                self.setup,
                found.state,
                found.state_steps,
                found.steps,
                self.folder.last_steps(since * self.setup.config.chains),
                begin={} if self.setup.adaptation is None else self.setup.adaptation.state,
                made=self.observer.advance,
            )
        finally:
            self.observer.end()
        return state | found.counters

    def _start(self) -> None:
        with self._timed():
            self.board.start()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Time inside the block counts as time of the chain."""
        began, cpu_began = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - began
        self.cpu_seconds += time.process_time() - cpu_began

    def _run_block(self, total: int) -> None:
        wanted = min(self._block_steps, next_stop(self.steps, total) - self.steps)
        before = self.seconds
        with self._timed():
            block = self.board.run(wanted)
        taken = self.seconds - before
        self._draws.add(block)
        if self.folder is not None:
            self._fresh.append(block)
        self.status = block.status
        self.steps += len(block.accepted) // self.setup.config.chains
        if self.status == RUNNING:
            sort_points(self.setup, self.board, self.steps)
        rate = wanted / max(taken, 1e-6)
        self._block_steps = int(np.clip(rate * BLOCK_SECONDS, 1, MAX_BLOCK))
        if len(block.accepted):
            self.observer.advance(self.steps, float(block.accepted.mean()))

    def _read_state(self) -> dict[str, NDArray[Any]]:
        """The board's state: that of this step, or an earlier one from which a replay leads here.

        A board whose state is slow to read is asked for it less often, and after the last step.
        """
        began = time.monotonic()
        wait = self._saving_seconds / SAVING_SHARE
        if (
            self._state is None
            or self.status != RUNNING
            or not can_replay(self.setup)
            or began - self._state_read >= wait
            or (self._finished and self._saving_seconds <= LAST_SAVING_S)
        ):
            self._state, self._state_steps = self.board.state_dict(), self.steps
            self._state_read = time.monotonic()
            self._saving_seconds = self._state_read - began
        return self._state

    @property
    def _finished(self) -> bool:
        """Whether the last step is made."""
        return self.steps >= self.setup.config.steps

    def _checkpoint(self) -> None:
        fresh = self._fresh
        if self.folder is None or (self._kept and not fresh):
            return
        state, counters = self._read_state(), self.board.counters()
        try:
            self.folder.save(
                join_blocks(fresh) if fresh else None,
                steps=self.steps,
                seconds=self.seconds,
                status=self.status,
                state=state,
                state_steps=self._state_steps,
                counters=counters,
            )
        except OhmcarloError as error:
            if isinstance(self.folder, BoardFolder):  # the run on all boards names the way on
                raise
            raise OhmcarloError(f"{error}; {self.resume_hint()}") from error
        log.debug("checkpoint after %d steps, state of step %d", self.steps, self._state_steps)
        self._fresh, self._kept_steps, self._kept = [], self.steps, True

    def resume_hint(self) -> str:
        """A line for the user of an interrupted run: the steps that are kept, and the command to
        resume."""
        if self._boards is not None:
            return self._boards_hint(self._boards)
        if self.setup.adapts:
            where = "interrupted during the adaptation"
            if self.folder is None:
                return f"{where}; {NOTHING_KEPT}"
            board = self.board
            left = board.left(board.lost) if isinstance(board, SeveralBoards) else None
            return f"{where}; its stages on disk are kept: {_commands(self.folder.path, left)}"
        where = f"interrupted after {self.steps} of {self.setup.config.steps} steps"
        if self.folder is None:
            return f"{where}; {NOTHING_KEPT}"
        if self._kept_steps < self.steps:
            kept = f"the first {self._kept_steps} are kept"
        else:
            kept = "the checkpoint is kept"
        return f"{where}; {kept}: `ohmcarlo resume {self.folder.path}` continues it"

    def _boards_hint(self, boards: SeveralChains) -> str:
        if self.folder is None:
            return f"{boards.interrupted_at()}; {NOTHING_KEPT}"
        commands = _commands(self.folder.path, boards.boards_left())
        return f"{boards.interrupted_at()}; {boards.kept_text()}: {commands}"


def _commands(path: Path, left: str | None) -> str:
    """The commands that continue a run; ``left``: the backend of the boards that are not lost, if
    others are."""
    resume = f"ohmcarlo resume {path}"
    without = "" if left is None else f", `{resume} --backend {left}` without the lost board"
    return f"`{resume}` continues it{without}"


@contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second one interrupts immediately."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def handler(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, handler)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
