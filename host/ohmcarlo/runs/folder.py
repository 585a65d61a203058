"""The folder of a run: configuration, streamed blocks, and the state to resume from.

    manifest.json      configuration, versions, data digest; written first, never changed
    chunk-000000.npz   streamed steps and samples, append only
    checkpoint.npz     the board's complete state and the number of chunks before it
    posterior.nc  trace.npz  evaluation.npz  result.json   once complete, result.json last

A file appears whole or not at all: it is written under a temporary name, synced and renamed.
A chunk is on disk before the checkpoint that counts it. A process that is killed at any moment
therefore leaves a checkpoint and exactly the steps before it. Later chunks are written again,
identically.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boards.base import Block
from ..errors import OhmcarloError, UsageError
from ..files import TEMPORARY, explain
from .stored import (
    CHECKPOINT,
    FORMAT,
    MANIFEST,
    intact,
    read_arrays,
    read_manifest,
    require_run,
    write_arrays,
    write_manifest,
)

try:  # absent on Windows, where two processes in one folder are not noticed
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]

STATE = "board."


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A point that a run resumes from.

    Attributes
    ----------
    steps : int
        Steps of every chain so far.
    chunks : int
        Chunk files that belong to it.
    seconds : float
        Sampling time so far.
    status : str
        ``Block.status`` of the last block.
    state : dict
        The board's ``state_dict()``.
    """

    steps: int
    chunks: int
    seconds: float
    status: str
    state: dict[str, NDArray[Any]]


class RunFolder:
    """One run on disk. Use ``create`` or ``open``; both hold the folder until ``close``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = _take_lock(path)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the folder for other processes."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

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

    def save(
        self,
        chunk: Block | None,
        *,
        steps: int,
        chunks: int,
        seconds: float,
        status: str,
        state: Mapping[str, NDArray[Any]],
    ) -> int:
        """Append a chunk, then the checkpoint after it; returns the new number of chunks."""
        if chunk is not None:
            write_arrays(self._chunk(chunks), _block_arrays(chunk))
            chunks += 1
        scalars = {
            "format": np.array(FORMAT),
            "steps": np.array(steps),
            "chunks": np.array(chunks),
            "seconds": np.array(seconds),
            "status": np.array(status),
        }
        named = {STATE + name: value for name, value in state.items()}
        write_arrays(self.path / CHECKPOINT, scalars | named)
        return chunks

    def checkpoint(self) -> Checkpoint | None:
        """The last checkpoint, or None when the run was stopped before its first."""
        path = self.path / CHECKPOINT
        if not path.exists():
            return None
        stored = read_arrays(path)
        with intact(path):
            return Checkpoint(
                steps=int(stored["steps"]),
                chunks=int(stored["chunks"]),
                seconds=float(stored["seconds"]),
                status=str(stored["status"]),
                state={k.removeprefix(STATE): v for k, v in stored.items() if k.startswith(STATE)},
            )

    def blocks(self, chunks: int) -> list[Block]:
        """The first ``chunks`` chunks; later ones, of a killed process, are removed."""
        for path in self.path.glob("chunk-*.npz"):
            if path not in {self._chunk(i) for i in range(chunks)}:
                path.unlink(missing_ok=True)
        return [_read_block(self._chunk(i)) for i in range(chunks)]

    def _chunk(self, index: int) -> Path:
        return self.path / f"chunk-{index:06d}.npz"


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


def _take_lock(path: Path) -> int | None:
    """Lock the folder; the system releases the lock when the process ends in any way."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: cannot open the run folder") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise OhmcarloError(f"another process is working in {path}: wait until it ends") from error
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _block_arrays(block: Block) -> dict[str, NDArray[Any]]:
    return {f.name: np.asarray(getattr(block, f.name)) for f in fields(Block)}


def _read_block(path: Path) -> Block:
    stored = read_arrays(path)
    with intact(path):
        values: dict[str, Any] = {f.name: stored[f.name] for f in fields(Block)}
        for name in values:
            dimensions = {"status": 0, "codes": 2}.get(name, 1)
            if values[name].ndim != dimensions:
                raise ValueError(f"{name} has {values[name].ndim} dimensions, not {dimensions}")
    return Block(**(values | {"status": str(values["status"])}))


def join_blocks(blocks: list[Block]) -> Block:
    """Consecutive blocks as one; ``blocks`` must not be empty."""
    names = [f.name for f in fields(Block) if f.name != "status"]
    joined: dict[str, Any] = {n: np.concatenate([getattr(b, n) for b in blocks]) for n in names}
    return Block(**joined, status=blocks[-1].status)
