"""Training: run the chains in blocks, keep a checkpoint, and write the outputs."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..boards import ENTROPY_ALARM, RUNNING, Block, BoardLost, Say, silent
from ..datasets import hardest_first
from ..errors import OhmcarloError, UsageError
from ..golden import terms
from ..tasks import get_task
from .config import TrainConfig
from .folder import (
    CHECKPOINT,
    EVALUATION,
    MANIFEST,
    POSTERIOR,
    RESULT,
    TRACE,
    RunFolder,
    check_file,
    check_free,
    intact,
    join_blocks,
    read_manifest,
    read_result,
    read_trace,
    require_run,
    write_arrays,
    write_bytes,
    write_json,
)
from .outcome import Result, evaluate
from .setup import Runnable, build_experiment, warm_up
from .trace import Trace

if TYPE_CHECKING:
    from .policy_run import PolicyResult

ORDER_AT = (100, 200, 400)  # steps after which the points are sorted again, hardest first
SAVING_SHARE = 0.1  # of the time, at the most, a board is asked for its state
BLOCK_SECONDS = 0.1  # between looks at the clock and at Ctrl-C
FIRST_BLOCK = 20
MAX_BLOCK = 10_000


class Trainable(Runnable, Protocol):
    """An experiment: all that a run works with."""

    def description(self) -> list[str]: ...

    def manifest(self) -> dict[str, Any]: ...

    def require_same_data(self, manifest: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


class Finished(Protocol):
    """A run's result, as far as it is written to files."""

    @property
    def values(self) -> dict[str, Any]: ...

    @property
    def trace(self) -> Trace: ...

    @property
    def posterior(self) -> bytes: ...

    def evaluation(self) -> dict[str, NDArray[Any]]: ...


E = TypeVar("E", bound=Trainable)
R = TypeVar("R", bound=Finished)


@dataclass(frozen=True)
class Recipe(Generic[E, R]):
    """How an experiment is built, and what its last step is followed by."""

    build: Callable[[Say], E]
    evaluate: Callable[[E, Block, float], R]


class Interrupted(OhmcarloError):
    """The user stopped the run; the message says how to go on."""

    exit_code = 130


class Observer(Protocol):
    """Who watches a run."""

    def say(self, text: str) -> None: ...

    def begin(self, steps: int, total: int) -> None:
        """Sampling begins (again) at step ``steps`` of ``total``."""
        ...

    def advance(self, steps: int, acceptance: float) -> None:
        """Where it is, and the acceptance rate of the last block."""
        ...

    def end(self) -> None: ...


class Silence:
    """An ``Observer`` that does not look."""

    def say(self, text: str) -> None: ...

    def begin(self, steps: int, total: int) -> None: ...

    def advance(self, steps: int, acceptance: float) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class Outputs:
    """Where a run goes; None: nowhere.

    Attributes
    ----------
    folder : Path or None
        Run folder.
    trace, json : Path or None
        Files beside it.
    checkpoint_seconds : float
        Time between checkpoints; the chain does not depend on it.
    """

    folder: Path | None = None
    trace: Path | None = None
    json: Path | None = None
    checkpoint_seconds: float = 2.0

    def check(self) -> None:
        """Refuse what could not be written, before any work is done."""
        for path in (self.trace, self.json):
            if path is not None:
                check_file(path)


def train(config: TrainConfig, observer: Observer | None = None) -> Result:
    """Train in memory; see ``train_run`` for a run that is kept."""
    recipe = Recipe(partial(build_experiment, config), evaluate)
    with closing(recipe.build(silent)) as experiment:
        return _complete(recipe, experiment, None, Outputs(), observer or Silence())


def train_policy(config: TrainConfig, observer: Observer | None = None) -> PolicyResult:
    """``train`` for a task that learns a policy."""
    from .policy_run import build_policy, evaluate_policy

    recipe = Recipe(partial(build_policy, config), evaluate_policy)
    with closing(recipe.build(silent)) as experiment:
        return _complete(recipe, experiment, None, Outputs(), observer or Silence())


def recipe_of(config: TrainConfig) -> Recipe[Any, Any]:
    """How to run what a configuration asks for."""
    if not get_task(config.task).policy:
        return Recipe(partial(build_experiment, config), evaluate)
    from .policy_run import build_policy, evaluate_policy

    return Recipe(partial(build_policy, config), evaluate_policy)


def train_run(config: TrainConfig, outputs: Outputs, observer: Observer) -> dict[str, Any]:
    """Train, write what ``outputs`` asks for, and return the result (as in the JSON).

    Raises UsageError for a bad request, OhmcarloError when the run fails or its files cannot be
    written, Interrupted after Ctrl-C.
    """
    outputs.check()
    if outputs.folder is not None:
        check_free(outputs.folder)
    recipe = recipe_of(config)
    with closing(recipe.build(observer.say)) as experiment:
        if outputs.folder is None:
            return _complete(recipe, experiment, None, outputs, observer).values
        with RunFolder.create(outputs.folder, experiment.manifest()) as folder:
            return _complete(recipe, experiment, folder, outputs, observer).values


def resume_run(outputs: Outputs, observer: Observer) -> dict[str, Any]:
    """Finish the run in ``outputs.folder``; a complete one is only shown again."""
    outputs.check()
    path = outputs.folder
    if path is None:
        raise UsageError("resume needs a run folder")
    require_run(path)
    with RunFolder.open(path) as folder:
        if (path / RESULT).exists():
            observer.say(f"the run in {path} is complete already")
            values = read_result(path)
            if outputs.trace is not None:
                write_arrays(outputs.trace, read_trace(path).arrays())
            if outputs.json is not None:
                write_json(outputs.json, values)
            return values
        manifest = read_manifest(path)
        with intact(path / MANIFEST):
            config, digest = manifest["config"], manifest["data"]["sha256"]
            if not isinstance(config, dict) or not isinstance(digest, str):
                raise ValueError("its configuration or its data digest is none")
        recipe = recipe_of(TrainConfig.from_dict(config))
        with closing(recipe.build(observer.say)) as experiment:
            experiment.require_same_data(manifest)
            return _complete(recipe, experiment, folder, outputs, observer).values


def _complete(
    recipe: Recipe[E, R],
    experiment: E,
    folder: RunFolder | None,
    outputs: Outputs,
    observer: Observer,
) -> R:
    for line in experiment.description():
        observer.say(line)
    chain_run = ChainRun(experiment, folder, outputs.checkpoint_seconds, observer)
    try:
        chain_run.run()
        result = recipe.evaluate(experiment, chain_run.streamed(), chain_run.seconds)
        _write(result, folder, outputs)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(chain_run.how_to_go_on()) from interrupt
    except BoardLost as lost:
        raise BoardLost(f"{lost}; {chain_run.how_to_go_on()}") from lost
    return result


def _write(result: Finished, folder: RunFolder | None, outputs: Outputs) -> None:
    """Everything that was asked for; the run's own result last, because it says "complete"."""
    arrays = result.trace.arrays()
    if folder is not None:
        write_bytes(folder.path / POSTERIOR, result.posterior)
        write_arrays(folder.path / TRACE, arrays)
        write_arrays(folder.path / EVALUATION, result.evaluation())
    if outputs.trace is not None:
        write_arrays(outputs.trace, arrays)
    if outputs.json is not None:
        write_json(outputs.json, result.values)
    if folder is not None:
        write_json(folder.path / RESULT, result.values)


class ChainRun:
    """The chains of an experiment, from their start or a checkpoint to their last step.

    Parameters
    ----------
    experiment : Runnable
    folder : RunFolder or None
        Where checkpoints go; a checkpoint found there is where the run goes on.
    checkpoint_seconds : float
    observer : Observer
    """

    def __init__(
        self,
        experiment: Runnable,
        folder: RunFolder | None,
        checkpoint_seconds: float,
        observer: Observer,
    ) -> None:
        self.experiment = experiment
        self.board = experiment.board
        self.folder = folder
        self.observer = observer
        self.steps = 0
        self.seconds = 0.0  # that the chain took, those before a checkpoint included
        self.cpu_seconds = 0.0  # of this process, since it began or went on
        self.status = RUNNING
        self._checkpoint_seconds = checkpoint_seconds
        self._blocks: list[Block] = []  # everything streamed …
        self._saved = 0  # … of which so many blocks are on disk …
        self._chunks = 0  # … in so many chunk files
        self._kept_steps = 0  # … which are so many steps of every chain
        self._saving_seconds = 0.0  # what the last look at the board's state took
        self._block_steps = FIRST_BLOCK

    def run(self) -> None:
        """Run to the last step. Raises Interrupted after Ctrl-C, with the checkpoint written."""
        warm_up(self.experiment, self.observer.say)
        self._restore_or_start()
        total = self.experiment.config.steps
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
                        raise Interrupted(self.how_to_go_on())
                self._checkpoint()
        finally:
            self.observer.end()
        if self.status == ENTROPY_ALARM:
            raise OhmcarloError(
                f"the coin failed its health test after {self.steps} steps and nothing was "
                "accepted on its bits: run `ohmcarlo characterize` on this array; `resume` "
                "repeats the start-up test"
            )

    def streamed(self) -> Block:
        """All blocks as one; raises OhmcarloError when no step could be made."""
        if not self._blocks or not len(self._blocks[0].accepted):
            raise OhmcarloError("the array has too few working rows for a single step")
        return join_blocks(self._blocks)

    def _restore_or_start(self) -> None:
        found = self.folder.checkpoint() if self.folder else None
        if self.folder is None or found is None:
            self._start()
            return
        self._blocks = self.folder.blocks(found.chunks)
        self._saved, self._chunks = len(self._blocks), found.chunks
        self.steps, self.seconds, self.status = found.steps, found.seconds, found.status
        self._kept_steps = found.steps
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
        """What happens inside is the chain's own time."""
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
        self.steps += len(block.accepted) // self.experiment.config.chains
        if self.steps in ORDER_AT and self.status == RUNNING and len(self.experiment.points):
            self._sort_points()
        rate = wanted / max(taken, 1e-6)
        self._block_steps = int(np.clip(rate * BLOCK_SECONDS, 1, MAX_BLOCK))
        if len(block.accepted):
            self.observer.advance(self.steps, float(block.accepted.mean()))

    def _sort_points(self) -> None:
        """Hardest first: the points whose terms are the largest under the current samples."""
        codes, _, _ = self.board.current()
        registers, points = self.experiment.registers, self.experiment.points
        together = np.sum([terms(registers, points, sample) for sample in codes], axis=0)
        self.board.set_order(hardest_first(together))

    def _checkpoint_interval(self) -> float:
        """Seconds from one checkpoint to the next: a slow board is not kept from its work."""
        return max(self._checkpoint_seconds, self._saving_seconds / SAVING_SHARE)

    def _checkpoint(self) -> None:
        if self.folder is None:
            return
        began = time.monotonic()
        state = self.board.state_dict()
        self._saving_seconds = time.monotonic() - began
        fresh = self._blocks[self._saved :]
        self._chunks = self.folder.save(
            join_blocks(fresh) if fresh else None,
            steps=self.steps,
            chunks=self._chunks,
            seconds=self.seconds,
            status=self.status,
            state=state,
        )
        self._saved, self._kept_steps = len(self._blocks), self.steps

    def how_to_go_on(self) -> str:
        """What to tell a person whose run was interrupted now."""
        where = f"interrupted after {self.steps} of {self.experiment.config.steps} steps"
        if self.folder is None:
            return f"{where}; nothing was kept: with --out RUN an interrupted run can be resumed"
        if self._kept_steps < self.steps:
            kept = f"the first {self._kept_steps} are kept"
        else:
            kept = "the checkpoint is kept"
        return f"{where}; {kept}: `ohmcarlo resume {self.folder.path}` goes on"


@contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; a second one interrupts at once."""
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
