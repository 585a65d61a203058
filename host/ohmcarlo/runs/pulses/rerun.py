"""Repeats a complete run on the golden model, with a tap at its array."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...array.die import Die
from ...boards import MODEL, Block, silent
from ...errors import OhmcarloError, UsageError
from ...jit import before_compilation
from ...progress import SAMPLING, STEPS, Observer
from ..adaptation.record import Record
from ..chain_run import COMPILING, ChainRun
from ..config import TrainConfig
from ..digests import digest_of
from ..kind import RunKind
from ..kinds import kind_of
from ..multiclass.kind import MulticlassKind
from ..multiclass.predict import folder_of
from ..provenance import require_same_files, require_same_inputs, require_same_version
from ..stored import RUN, read_manifest, read_trace, require_complete
from ..tap import Tap, tapped
from ..thinning import Draws
from ..trace import Trace

PER_STEP = ("accepted", "log_posterior", "chain")
PER_SAMPLE = ("codes", "multiplicity", "sample_chain")


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A complete run with one set of chains.

    Attributes
    ----------
    path : Path
    manifest : dict
    config : TrainConfig
        With the backend ``model``, which has the chain of every board.
    trace : Trace
    """

    path: Path
    manifest: dict[str, Any]
    config: TrainConfig
    trace: Trace

    @classmethod
    def of(cls, path: Path) -> StoredRun:
        """Raises UsageError for a run that is not complete, or whose array is a real one."""
        require_complete(path)
        manifest = read_manifest(path)
        config = TrainConfig.from_dict(manifest["config"])
        require_no_die(config.array, f"the run in {path}")
        require_one_array(config.arrays, f"the run in {path}")
        if isinstance(kind_of(config.task, config.kind), MulticlassKind):
            raise UsageError(f"{path} has a run for each problem: give one of its folders")
        return cls(path, manifest, replace(config, backend=MODEL), read_trace(path))

    @property
    def digest(self) -> str:
        """SHA-256 of the trace, which names the run in a list."""
        return digest_of(self.trace, exact=True)

    def head(self, steps: str) -> dict[str, str]:
        """Lines for the head of a list."""
        array = self.config.array
        preset = "" if self.config.preset is None else f", preset {self.config.preset}"
        return {
            "ohmcarlo": self.manifest["versions"]["ohmcarlo"],
            "run": self.manifest[RUN],
            "trace": self.digest,
            "task": self.config.task,
            "array": f"{array}{preset}, {self.config.rows} rows x {self.config.pairs} pairs, "
            f"seed {self.config.array_seed}",
            "steps": steps,
        }


def require_no_die(array: str, run: str) -> None:
    """Raise UsageError for a run on a real array; ``array`` is its name."""
    if array == Die.name:
        raise UsageError(
            f"{run} uses a die, without which it cannot be repeated: list the run of "
            "a model (--array physics --preset PRESET.json)"
        )


def require_one_array(arrays: int, run: str) -> None:
    """Raise UsageError for a run on several boards."""
    if arrays > 1:
        raise UsageError(
            f"{run} has {arrays} boards, and a list of pulses is that of one array: name one board "
            "with --backend, and train again"
        )


def chains_of(path: Path) -> list[Path]:
    """The folders of the runs in ``path`` with one set of chains each: one, or one a problem."""
    require_complete(path)
    manifest = read_manifest(path)
    config = TrainConfig.from_dict(manifest["config"])
    if not isinstance(kind_of(config.task, config.kind), MulticlassKind):
        return [path]
    return [path / folder_of(k) for k in range(len(manifest["data"]["problems"]))]


class _Progress:
    """Shows the steps of a run that is made again, and none of its results."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def say(self, text: str) -> None: ...

    def wait(self, text: str) -> None:
        self._observer.wait(text)

    def rename(self, text: str, steps: int = 0, total: int = 0, unit: str = STEPS) -> None:
        self._observer.rename(text, steps, total, unit)

    def begin(self, steps: int, total: int, what: str = SAMPLING, unit: str = STEPS) -> None:
        self._observer.begin(steps, total, what, unit)

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        self._observer.advance(steps, acceptance)

    def end(self) -> None:
        self._observer.end()


class _Again(ChainRun):
    """The chains of a set-up with a tap, until a step."""

    def __init__(
        self, setup: Any, observer: Observer, tap: Tap, last: int | None, every: int
    ) -> None:
        super().__init__(setup, observer=_Progress(observer))
        self._draws = Draws(setup.config.chains, every)
        self._tap, self._last = tap, last

    def _warm_up(self) -> None:
        """Nothing: its step would be in the list."""

    def resume_hint(self) -> str:
        return f"interrupted at step {self.steps} of {self.setup.config.steps}: repeat the command"

    def _adaptation_hint(self, record: Record) -> str:
        return (
            f"interrupted after {len(record.stages)} stages of the adaptation: repeat the command"
        )

    def _restore_or_start(self) -> None:
        config = self.setup.config
        if self._last is not None and self._last < config.steps:
            self.setup = replace(self.setup, config=replace(config, steps=self._last))
        self._tap.sampling = True
        super()._restore_or_start()


def make_again(
    stored: StoredRun,
    tap: Tap,
    observer: Observer,
    last: int | None = None,
    measured: Callable[[], None] = lambda: None,
) -> None:
    """Repeat a run, to its end or to a step of the sampling chain.

    ``measured`` is called when the devices have been measured, before the first chain.

    Raises OhmcarloError when the version, an input or the chain differs from that of the run.
    """
    manifest, config = stored.manifest, stored.config
    for line in require_same_version(manifest):
        observer.say(line)
    require_same_files(config, manifest)
    kind = kind_of(config.task, config.kind)
    assert not isinstance(kind, MulticlassKind)
    with tapped(tap), before_compilation(lambda: observer.say(f"{COMPILING} …")):
        _make_again(kind, stored, tap, observer, last, measured)


def _make_again(
    kind: RunKind[Any, Any],
    stored: StoredRun,
    tap: Tap,
    observer: Observer,
    last: int | None,
    measured: Callable[[], None],
) -> None:
    observer.wait(f"making {stored.path} again on the model")
    try:
        with closing(kind.build(stored.config, silent)) as experiment:
            measured()
            require_same_inputs(stored.manifest, experiment.inputs())
            run = _Again(experiment.setup, observer, tap, last, stored.trace.every)
            run.run()
            different = difference(run.streamed(), stored.trace)
    finally:
        observer.end()
    if different:
        raise OhmcarloError(
            f"the repeated chain of {stored.path} differs from the stored one in {different}: use "
            "the versions in its manifest.json"
        )


def difference(made: Block, stored: Trace) -> str:
    """The first difference between the steps made and a stored trace; empty without one."""
    steps = len(made.accepted)
    if steps > len(stored.accepted):
        return f"the number of steps ({len(stored.accepted)} stored, {steps} made)"
    for name in PER_STEP:
        unequal = np.flatnonzero(getattr(made, name) != getattr(stored, name)[:steps])
        if len(unequal):
            return f"{name} of step {stored.every * (unequal[0] // stored.chains + 1)}"
    samples = len(made.codes)
    for name in PER_SAMPLE:
        ours: NDArray[Any] = getattr(made, name)
        if not np.array_equal(ours, getattr(stored, name)[:samples]):
            return name
    return ""
