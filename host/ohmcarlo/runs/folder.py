"""The folder of a run: configuration, streamed blocks, and the state to resume from.

    manifest.json      configuration, versions, digests of all inputs; written first, never changed
    adaptation.npz     the stages before sampling, and the board's state after them
    chunk-000000.npz   streamed steps and samples, append only
    checkpoint.npz     the board's complete state and the number of chunks before it
    checkpoint-previous.npz     the checkpoint before that
    posterior.nc  trace.npz  evaluation.npz  result.json   once complete, result.json last

A run on several boards has the chunks and checkpoints of each board in a folder of its own:
``board-0``, ``board-1``. The first chunk of each follows the manifest or the adaptation.

A file appears whole or not at all: it is written under a temporary name, synced and renamed.
A chunk is on disk before the checkpoint that counts it. A process that is killed at any moment
therefore leaves a checkpoint and exactly the steps before it. Later chunks are written again,
identically.

The files are a hash chain: each holds the SHA-256 of its own content, the number of its run, and
the SHA-256 of the file before it. The manifest comes before the adaptation, or the first chunk
without one, the adaptation before the first chunk, a chunk before the next one, the last chunk
before the checkpoint. If the newest checkpoint or chunk is damaged, the
run resumes from the checkpoint before it. A file of another run or in another place is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..boards import ENTROPY_ALARM, EXHAUSTED, RUNNING, Block, Say
from ..errors import OhmcarloError, UsageError
from ..files import TEMPORARY, explain
from .digests import SEAL, digest_of
from .stored import (
    ADAPTATION,
    BOARD_FOLDER,
    CHECKPOINT,
    MANIFEST,
    PREVIOUS,
    RUN,
    Damaged,
    Link,
    damaged,
    from_the_first_step,
    intact,
    read_linked,
    read_manifest,
    require_run,
    write_linked,
    write_manifest,
)
from .thinning import PER_SAMPLE, join_blocks

try:  # absent on Windows, where two processes in one folder are not noticed
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]

GROUPS = {"state": "board.", "counters": "counters."}  # dictionaries of a checkpoint: prefixes
STATUSES = (RUNNING, EXHAUSTED, ENTROPY_ALARM)
PER_STEP = ("accepted", "valid", "log_posterior", "chain", "points")
KINDS: dict[str, tuple[type[np.generic], int]] = {  # dtype and dimensions of the arrays of a block
    "accepted": (np.bool_, 1),
    "valid": (np.bool_, 1),
    "log_posterior": (np.int64, 1),
    "chain": (np.uint8, 1),
    "points": (np.int32, 1),
    "codes": (np.uint16, 2),
    "multiplicity": (np.int32, 1),
    "sample_chain": (np.uint8, 1),
    "sample_log_posterior": (np.int64, 1),
}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A point that a run resumes from.

    Attributes
    ----------
    steps : int
        Steps of every chain so far.
    chunks : int
        Chunk files that belong to it.
    records, samples : int
        Steps of all chains, and retired samples, in these chunks.
    seconds : float
        Sampling time so far.
    status : str
        ``Block.status`` of the last block.
    state_steps : int
        Steps of every chain when the state was read. See ``replay``.
    state : dict
        The board's ``state_dict()`` then; empty: the chains were not started.
    counters : dict
        The board's ``counters()`` after the last step.
    """

    steps: int
    chunks: int
    records: int
    samples: int
    state_steps: int
    seconds: float
    status: str
    state: dict[str, NDArray[Any]]
    counters: dict[str, NDArray[Any]]

    def __post_init__(self) -> None:
        for name in ("steps", "chunks", "records", "samples", "state_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is negative")
        if self.state_steps > self.steps:
            raise ValueError("its state is that of a later step")
        if not 0 <= self.seconds < np.inf:
            raise ValueError("seconds is not a time")
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r} is unknown")

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Checkpoint:
        """KeyError, TypeError or ValueError if ``arrays`` are not those of a checkpoint."""
        kinds = {"seconds": float, "status": str}
        scalars: dict[str, Any] = {}
        for name in (f.name for f in fields(cls) if f.name not in GROUPS):
            scalars[name] = arrays[name].item()
            if type(scalars[name]) is not kinds.get(name, int):
                raise TypeError(f"{name} has type {arrays[name].dtype}")
        groups: dict[str, Any] = {
            group: {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            for group, prefix in GROUPS.items()
        }
        return cls(**scalars, **groups)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of a checkpoint file, by name."""
        found = {
            f.name: np.array(getattr(self, f.name)) for f in fields(self) if f.name not in GROUPS
        }
        for group, prefix in GROUPS.items():
            found |= {prefix + name: value for name, value in getattr(self, group).items()}
        return found


class Taker(Protocol):
    """Takes the chunks of a run in their order; ``thinning.Draws`` is one."""

    def add(self, block: Block) -> None:
        """The next chunk."""
        ...

    def clear(self) -> None:
        """The first chunk follows."""
        ...


@dataclass
class _Chain:
    """The chunks of a run so far: how many, the SHA-256 of the last, and their content."""

    last: str
    chunks: int = 0
    records: int = 0
    samples: int = 0

    def add(self, digest: str, chunk: Block) -> None:
        self.last = digest
        self.chunks += 1
        self.records += len(chunk.accepted)
        self.samples += len(chunk.codes)


class RunFolder:
    """One run on disk. Use ``create`` or ``open``; both hold the folder until ``close``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._adaptation: str | None = None  # SHA-256 of its file
        self._lock = take_lock(path)
        self._sign = _put_up_sign(path)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the folder for other processes."""
        for descriptor in (self._sign, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._sign = self._lock = None

    # -- opening -------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, manifest: Mapping[str, Any]) -> RunFolder:
        """A new run in an empty (or new) folder.

        Raises UsageError when the folder holds anything, OhmcarloError when it cannot be written.
        """
        check_free(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OhmcarloError(
                f"{explain(error, path)}: cannot make the run folder; choose another --out"
            ) from error
        run = cls(path)
        try:
            write_manifest(path, manifest)
            run._sign = _put_up_sign(path)
        except OhmcarloError:
            run.close()
            with suppress(OSError):
                path.rmdir()
            raise
        return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run; raises UsageError if ``path`` does not contain a run."""
        require_run(path)
        return cls(path)

    def manifest(self) -> dict[str, Any]:
        """The manifest; raises OhmcarloError for another format version."""
        return read_manifest(self.path)

    # -- streaming -----------------------------------------------------------------------------

    def save(self, chunk: Block | None, **others: Any) -> None:
        """Append a chunk, then the checkpoint after it. ``others`` are the fields of ``Checkpoint``
        that do not count chunks."""
        chain = self._so_far
        if chunk is not None:
            link = Link(self._run, chain.last)
            chain.add(write_linked(self._chunk(chain.chunks), _block_arrays(chunk), link), chunk)
        counts = {name: getattr(chain, name) for name in ("chunks", "records", "samples")}
        checkpoint = Checkpoint(**counts, **others)
        write_linked(
            self.path / CHECKPOINT,
            checkpoint.arrays(),
            Link(self._run, chain.last),
            keep_old_as=self.path / PREVIOUS,
        )

    @cached_property
    def _run(self) -> str:
        return str(self.manifest()[RUN])

    @cached_property
    def _so_far(self) -> _Chain:
        return _Chain(self._first)

    @property
    def _first(self) -> str:
        """SHA-256 of the file before the first chunk."""
        return self._adaptation or str(self.manifest()[SEAL])

    # -- adaptation ----------------------------------------------------------------------------

    def save_adaptation(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write the stages so far; ``arrays`` are those of ``adaptation.Record``."""
        link = Link(self._run, str(self.manifest()[SEAL]))
        self._adaptation = write_linked(self.path / ADAPTATION, arrays, link)

    def adaptation(self) -> dict[str, NDArray[Any]] | None:
        """The arrays of the stages so far, or None before the first ones were kept."""
        path = self.path / ADAPTATION
        if not path.exists():
            return None
        stored, link, self._adaptation = read_linked(path)
        self._require_run(path, link)
        self._require_place(path, link, str(self.manifest()[SEAL]))
        return stored

    # -- resuming ------------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint, or None when the run was stopped before its first."""
        path = self.path / CHECKPOINT
        return self._read_checkpoint(path)[0] if path.exists() else None

    def resume(self, say: Say, draws: Taker) -> Checkpoint | None:
        """The newest intact checkpoint; ``draws`` gets the chunks before it.

        All later files are removed; their steps are made again. ``say`` is called with a line of
        text if the newest checkpoint cannot be used. Raises OhmcarloError, which names a file and
        a remedy, when no checkpoint is intact, or when a file belongs elsewhere.
        """
        found, problem = [p for p in self._checkpoints() if p.exists()], None
        self._so_far = _Chain(self._first)
        for path in found:
            try:
                checkpoint = self._resume_from(path, draws)
            except Damaged as error:
                problem = problem or error
                continue
            if problem is not None:
                say(
                    f"note: {problem.problem}; the run goes on from step {checkpoint.steps}, the "
                    "checkpoint before it"
                )
            if path.name != CHECKPOINT:
                path.replace(self.path / CHECKPOINT)
            self._remove_chunks_from(checkpoint.chunks)
            return checkpoint
        if problem is not None:
            raise problem
        self._remove_chunks_from(0)
        draws.clear()
        return None

    def last_steps(self, records: int) -> Block:
        """The last chunks, which hold so many steps of all chains, or all of them."""
        found: list[Block] = []
        for index in reversed(range(self._so_far.chunks)):
            path = self._chunk(index)
            found.insert(0, block_of(path, read_linked(path)[0]))
            records -= len(found[0].accepted)
            if records <= 0:
                break
        return join_blocks(found)

    def _checkpoints(self) -> list[Path]:
        """Newest first."""
        return [self.path / CHECKPOINT, self.path / PREVIOUS]

    def _resume_from(self, path: Path, draws: Taker) -> Checkpoint:
        """A checkpoint; fills ``draws`` with its chunks. They may hold those of another one."""
        checkpoint, link = self._read_checkpoint(path)
        draws.clear()
        chain = self._so_far = _Chain(self._first)
        for index in range(checkpoint.chunks):
            chunk, digest = self._read_chunk(self._chunk(index), chain.last)
            draws.add(chunk)
            chain.add(digest, chunk)
        self._require_place(path, link, chain.last)
        with intact(path):
            if (checkpoint.records, checkpoint.samples) != (chain.records, chain.samples):
                raise ValueError("it counts other steps or samples than its chunks hold")
        return checkpoint

    def _read_checkpoint(self, path: Path) -> tuple[Checkpoint, Link]:
        stored, link, _ = read_linked(path)
        self._require_run(path, link)
        with intact(path):
            return Checkpoint.of(stored), link

    def _read_chunk(self, path: Path, previous: str) -> tuple[Block, str]:
        if not path.exists():
            raise damaged(path, "it is missing")
        stored, link, digest = read_linked(path)
        self._require_run(path, link)
        self._require_place(path, link, previous)
        return block_of(path, stored), digest

    def _require_run(self, path: Path, link: Link) -> None:
        if link.run != self._run:
            raise OhmcarloError(
                f"{path} belongs to another run: put the file of this run back, or "
                f"{from_the_first_step(self.path)}"
            )

    def _require_place(self, path: Path, link: Link, previous: str) -> None:
        if link.previous != previous:
            raise OhmcarloError(
                f"{path} does not follow the file before it: files of this run were exchanged, "
                f"copied or removed; put them back, or {from_the_first_step(self.path)}"
            )

    def of_board(self, number: int) -> BoardFolder:
        """The chunks and checkpoints of one of several boards."""
        return BoardFolder(self, number)

    def _remove_chunks_from(self, chunks: int) -> None:
        kept = {self._chunk(i) for i in range(chunks)}
        for path in self.path.glob("chunk-*.npz"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def _chunk(self, index: int) -> Path:
        return chunk_path(self.path, index)


class BoardFolder(RunFolder):
    """The part of a run folder that one of several boards writes. The whole holds the lock."""

    def __init__(self, whole: RunFolder, number: int) -> None:
        self.path = board_path(whole.path, number)
        self._whole, self._number = whole, number
        self._lock = self._sign = self._adaptation = None

    def manifest(self) -> dict[str, Any]:
        return self._whole.manifest()

    @property
    def _first(self) -> str:
        return first_of_board(self._whole._first, self._number)

    def save(self, chunk: Block | None, **others: Any) -> None:
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise OhmcarloError(f"{explain(error, self.path)}: cannot make this folder") from error
        super().save(chunk, **others)


def board_path(path: Path, number: int) -> Path:
    """Folder of one of several boards of the run in ``path``."""
    return path / f"{BOARD_FOLDER}{number}"


def first_of_board(before: str, number: int) -> str:
    """What the first chunk of one of several boards follows; ``before``: the SHA-256 of the
    manifest or the adaptation."""
    return digest_of([before, number])


def chunk_path(path: Path, index: int) -> Path:
    """File of a chunk of the run in ``path``, counted from 0."""
    return path / f"chunk-{index:06d}.npz"


def check_free(path: Path) -> None:
    """Raise UsageError unless ``path`` can become a new run's folder."""
    if not path.exists():
        return
    if not path.is_dir():
        raise UsageError(f"{path} is a file: --out names a folder")
    try:
        leftovers = [p for p in path.iterdir() if not p.name.endswith(TEMPORARY)]
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: cannot read this folder") from error
    if (path / MANIFEST).exists():
        raise UsageError(
            f"{path} already holds a run: `ohmcarlo resume {path}` finishes it, "
            f"`ohmcarlo report {path}` shows it; or choose another --out"
        )
    if leftovers:
        raise UsageError(f"{path} is not empty and holds no run: choose another --out")


def take_lock(path: Path) -> int | None:
    """Lock a folder: its descriptor, or None where the system has no locks.

    The system releases the lock when the process ends in any way. Raises OhmcarloError while
    another process holds it.
    """
    if fcntl is None:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: cannot open the folder") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise OhmcarloError(f"another process is working in {path}: wait until it ends") from error
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a folder inside the block: see ``take_lock``."""
    descriptor = take_lock(path)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _put_up_sign(path: Path) -> int | None:
    """Lock the manifest for as long as this process works in the folder: see ``is_worked_on``."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(path / MANIFEST, os.O_RDONLY)
    except OSError:  # a new run has none yet
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # those who look hold it for microseconds
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def is_worked_on(path: Path) -> bool | None:
    """Whether a process trains or resumes the run in ``path``; None where that cannot be told.

    Looking never keeps another process from the folder: the lock that excludes writers is that of
    the folder, and this one is that of the manifest.
    """
    if fcntl is None:
        return None
    try:
        descriptor = os.open(path / MANIFEST, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return None
    finally:
        os.close(descriptor)
    return False


def _block_arrays(block: Block) -> dict[str, NDArray[Any]]:
    return {f.name: np.asarray(getattr(block, f.name)) for f in fields(Block)}


def block_of(path: Path, stored: Mapping[str, NDArray[Any]]) -> Block:
    """The block of a chunk file; raises Damaged unless its arrays belong together."""
    with intact(path):
        values: dict[str, Any] = {f.name: stored[f.name] for f in fields(Block)}
        for name, (dtype, dimensions) in KINDS.items():
            if values[name].dtype != dtype or values[name].ndim != dimensions:
                raise ValueError(
                    f"{name} is {values[name].dtype} with {values[name].ndim} dimensions, not "
                    f"{np.dtype(dtype)} with {dimensions}"
                )
        for names in (PER_STEP, PER_SAMPLE):
            if len({len(values[name]) for name in names}) != 1:
                raise ValueError(f"{', '.join(names)} have different lengths")
        if len(values["codes"]) != values["accepted"].sum():
            raise ValueError("not every accepted step has a sample")
        values["status"] = values["status"].item()
        return Block(**values)
