"""One run of the chains: in blocks, with checkpoints, until the last step or Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from ..boards import ENTROPY_ALARM, RUNNING, Block
from ..datasets import hardest_first
from ..errors import OhmcarloError
from ..golden import terms
from .folder import RunFolder, join_blocks
from .setup import ChainSetup, warm_up
from .stored import CHECKPOINT, intact

ORDER_AT = (100, 200, 400)  # steps after which the points are sorted again, hardest first
SAVING_SHARE = 0.1  # largest share of the time that reading the board's state may take
BLOCK_SECONDS = 0.1  # between two checks of the clock and of Ctrl-C
FIRST_BLOCK = 20
MAX_BLOCK = 10_000
COMPILING = "compiling the sampler (once per version and machine)"


class Interrupted(OhmcarloError):
    """The user stopped the run; the message names the command that resumes it."""

    exit_code = 130


class Observer(Protocol):
    """Shows the progress of a run."""

    def say(self, text: str) -> None: ...

    def wait(self, text: str) -> None:
        """Show that a long operation runs, until ``end``."""
        ...

    def begin(self, steps: int, total: int) -> None:
        """Sampling begins (again) at step ``steps`` of ``total``."""
        ...

    def advance(self, steps: int, acceptance: float) -> None:
        """Step number, and the acceptance rate of the last block."""
        ...

    def end(self) -> None: ...


class Silence:
    """An ``Observer`` that shows nothing."""

    def say(self, text: str) -> None: ...

    def wait(self, text: str) -> None: ...

    def begin(self, steps: int, total: int) -> None: ...

    def advance(self, steps: int, acceptance: float) -> None: ...

    def end(self) -> None: ...


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
    """

    def __init__(
        self,
        setup: ChainSetup,
        folder: RunFolder | None = None,
        checkpoint_seconds: float = np.inf,
        observer: Observer | None = None,
    ) -> None:
        self.setup = setup
        self.board = setup.board
        self.folder = folder
        self.observer = Silence() if observer is None else observer
        self.steps = 0
        self.seconds = 0.0  # of the chain, including those before a checkpoint
        self.cpu_seconds = 0.0  # of this process, since it started or resumed
        self.status = RUNNING
        self._checkpoint_seconds = checkpoint_seconds
        self._blocks: list[Block] = []  # everything streamed
        self._saved = 0  # blocks on disk
        self._kept = False  # a checkpoint is on disk
        self._kept_steps = 0  # steps of every chain on disk
        self._saving_seconds = 0.0  # time of the last read of the board's state
        self._block_steps = FIRST_BLOCK

    def run(self) -> None:
        """Run to the last step. Raises Interrupted after Ctrl-C, with the checkpoint written."""
        self._warm_up()
        self._restore_or_start()
        total = self.setup.config.steps
        self.observer.begin(self.steps, total)
        last_checkpoint = time.monotonic()
        try:
            with _ctrl_c() as stop:
                while self.steps < total and self.status == RUNNING:
                    self._run_block(total)
                    if time.monotonic() - last_checkpoint >= self._checkpoint_interval():
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

    def _warm_up(self) -> None:
        try:
            seconds = warm_up(self.setup, lambda: self.observer.wait(COMPILING))
        finally:
            self.observer.end()
        if seconds is not None:
            self.observer.say(f"compiled the sampler in {seconds:.0f} s")

    def streamed(self) -> Block:
        """All blocks as one; raises OhmcarloError when no step could be made."""
        if not self._blocks or not len(self._blocks[0].accepted):
            raise OhmcarloError("the array has too few working rows for a single step")
        return join_blocks(self._blocks)

    def _restore_or_start(self) -> None:
        if self.folder is None:
            self._start()
            return
        found, self._blocks = self.folder.resume(self.observer.say)
        if found is None:
            self._start()
            return
        self._saved = len(self._blocks)
        self.steps, self.seconds, self.status = found.steps, found.seconds, found.status
        self._kept_steps, self._kept = found.steps, True
        with intact(self.folder.path / CHECKPOINT):
            self.board.load_state_dict(found.state)
        if self.status == ENTROPY_ALARM:
            self._start()
            self.status = RUNNING

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
        stop = min(s for s in (*ORDER_AT, total) if s > self.steps)
        wanted = min(self._block_steps, stop - self.steps)
        before = self.seconds
        with self._timed():
            block = self.board.run(wanted)
        taken = self.seconds - before
        self._blocks.append(block)
        self.status = block.status
        self.steps += len(block.accepted) // self.setup.config.chains
        if self.steps in ORDER_AT and self.status == RUNNING and len(self.setup.points):
            self._sort_points()
        rate = wanted / max(taken, 1e-6)
        self._block_steps = int(np.clip(rate * BLOCK_SECONDS, 1, MAX_BLOCK))
        if len(block.accepted):
            self.observer.advance(self.steps, float(block.accepted.mean()))

    def _sort_points(self) -> None:
        """Hardest first: the points whose terms are the largest under the current samples."""
        codes, _, _ = self.board.current()
        registers, points = self.setup.registers, self.setup.points
        together = np.sum([terms(registers, points, sample) for sample in codes], axis=0)
        self.board.set_order(hardest_first(together))

    def _checkpoint_interval(self) -> float:
        """Seconds from one checkpoint to the next; more for a board whose state is slow to read."""
        return max(self._checkpoint_seconds, self._saving_seconds / SAVING_SHARE)

    def _checkpoint(self) -> None:
        fresh = self._blocks[self._saved :]
        if self.folder is None or (self._kept and not fresh):
            return
        began = time.monotonic()
        state = self.board.state_dict()
        self._saving_seconds = time.monotonic() - began
        try:
            self.folder.save(
                join_blocks(fresh) if fresh else None,
                steps=self.steps,
                seconds=self.seconds,
                status=self.status,
                state=state,
            )
        except OhmcarloError as error:
            raise OhmcarloError(f"{error}; {self.resume_hint()}") from error
        self._saved, self._kept_steps, self._kept = len(self._blocks), self.steps, True

    def resume_hint(self) -> str:
        """A line for the user of an interrupted run: the steps that are kept, and the command to
        resume."""
        where = f"interrupted after {self.steps} of {self.setup.config.steps} steps"
        if self.folder is None:
            return f"{where}; nothing was kept: with --out RUN an interrupted run can be resumed"
        if self._kept_steps < self.steps:
            kept = f"the first {self._kept_steps} are kept"
        else:
            kept = "the checkpoint is kept"
        return f"{where}; {kept}: `ohmcarlo resume {self.folder.path}` continues it"


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
