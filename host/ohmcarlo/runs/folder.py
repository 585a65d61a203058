"""A run is a folder: what it was asked, what it streamed, and from where it can go on.

    manifest.json      configuration, versions, data digest; written first, never changed
    chunk-000000.npz   streamed steps and samples, append only
    checkpoint.npz     the board's complete state and how many chunks it stands behind
    posterior.nc  trace.npz  evaluation.npz  result.json   once complete, result.json last

Every file appears whole or not at all: it is written under a temporary name, synced and renamed.
A chunk is on disk before the checkpoint that counts it, so that a process killed at any moment
leaves a checkpoint and exactly the steps before it; later chunks are written again, identically.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..boards.base import Block
from ..errors import OhmcarloError, UsageError
from .trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

try:  # absent on Windows, where two processes in one folder are not noticed
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]

FORMAT = 1
MANIFEST, CHECKPOINT, RESULT = "manifest.json", "checkpoint.npz", "result.json"
POSTERIOR, TRACE, EVALUATION = "posterior.nc", "trace.npz", "evaluation.npz"
TEMPORARY = ".partial"
STATE = "board."
RESULT_KEYS = (  # what text and pictures are made of
    "task", "backend", "array", "preset", "kernel", "rho", "whiten", "gamma_us", "trimmed",
    "seed", "geometry", "features", "hidden", "train_points", "test_points", "chains", "steps",
    "burn_in", "accepted", "acceptance_rate", "samples", "accuracy", "accuracy_interval_95",
    "balanced_accuracy", "log_loss", "ece", "referral", "baseline", "accesses",
    "accesses_without_early_reject", "wear", "energy_joules", "energy", "wall_seconds", "ess_min",
    "ess_min_per_1000_steps", "rhat_max", "entropy", "retired_rows", "status",
)  # fmt: skip
POLICY_KEYS = (
    "task", "backend", "array", "preset", "kernel", "rho", "gamma_us", "trimmed", "seed",
    "geometry", "chains", "steps", "burn_in", "accepted", "acceptance_rate", "samples", "training",
    "policy", "test", "wear", "energy_joules", "energy", "wall_seconds", "ess_min", "rhat_max",
    "entropy", "retired_rows", "status",
)  # fmt: skip
EVALUATED = {"probability": 1, "variance": 1, "inputs": 2, "labels": 1, "wear": 2}  # dimensions
POLICY_EVALUATED = {"returns": 2, "played": 1, "tested": 1, "wear": 2}


def explain(error: OSError, path: Path) -> str:
    """One line about a file that could not be written or read."""
    reason = error.strerror or str(error)
    return f"{path}: {reason}"


def make_folder(path: Path, option: str) -> None:
    """Make a folder, if need be; an OhmcarloError says which ``option`` names another one."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: choose another {option}") from error


def write_pictures(folder: Path, pictures: Mapping[str, Figure]) -> list[Path]:
    """Each matplotlib figure as ``NAME.png`` in ``folder``, which exists; their paths."""
    paths = []
    for name, picture in pictures.items():
        path = folder / f"{name}.png"
        with atomic(path) as temporary:
            picture.savefig(temporary, format="png", metadata={"Software": "ohmcarlo"})
        paths.append(path)
    return paths


def check_file(path: Path) -> None:
    """Refuse, before any work is done, a file that could not be written.

    Raises UsageError for a folder or a file in no folder, OhmcarloError without permission.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give a file name")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"{path}: the folder {path.parent} does not exist; make it first")
    if not os.access(folder, os.W_OK):
        raise OhmcarloError(f"{path}: no permission to write there; choose another place")


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Raise OhmcarloError, naming ``path``, when what it holds is not what a run writes."""
    try:
        yield
    except KeyError as error:
        raise damaged(path, f"it has no {error}") from error
    except (UsageError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, problem: str) -> OhmcarloError:
    """What to say about a file of a run that is not what it should be."""
    run = path.parent
    if path.name == MANIFEST:
        remedy = "train again, with another --out"
    elif path.name in (TRACE, EVALUATION, RESULT):
        remedy = f"remove {run / RESULT} and `ohmcarlo resume {run}` writes it again"
    else:
        remedy = f"remove {run / CHECKPOINT} and `ohmcarlo resume {run}` begins at the first step"
    return OhmcarloError(f"{path} is damaged ({problem}): {remedy}")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path that becomes ``path`` when the block ends well and vanishes when not.

    Raises OhmcarloError, naming ``path``, for any OSError inside.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise OhmcarloError(
            f"{explain(error, path)}: free some space or choose another place; "
            "nothing was half-written"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename durable where the system can (not on Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file, or nothing."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_bytes(path, to_json(content).encode())


def to_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as .npz, whole or not at all."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read an .npz; raises OhmcarloError when it cannot be read or is damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: cannot read this file of the run") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise damaged(path, "it is no .npz file") from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a run; raises OhmcarloError when it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: cannot read this file of the run") from error
    except ValueError as error:
        raise damaged(path, str(error)) from error
    if not isinstance(content, dict):
        raise damaged(path, "it holds no JSON object")
    return content


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where a run stands.

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
        """Let another process work in the folder."""
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
            write_json(path / MANIFEST, {"format": FORMAT, **manifest})
        except OhmcarloError:
            run.close()
            with suppress(OSError):
                path.rmdir()
            raise
        return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run; raises UsageError when ``path`` is none."""
        require_run(path)
        return cls(path)

    def manifest(self) -> dict[str, Any]:
        """What ``create`` was given; raises OhmcarloError for another format version."""
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
        """Append a chunk, then the checkpoint that stands behind it; returns the new count."""
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
        """The first ``chunks`` chunks; what a killed process wrote after them is removed."""
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


def require_run(path: Path) -> None:
    """Raise UsageError unless ``path`` is a run folder that can be read."""
    try:
        if not path.is_dir():
            raise UsageError(f"{path} is no run folder: give the folder of `train --out`")
        if not (path / MANIFEST).is_file():
            raise UsageError(f"{path} holds no run ({MANIFEST} is missing): check the path")
    except PermissionError as error:
        raise OhmcarloError(f"{explain(error, path)}: cannot read this folder") from error


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of the run in ``path``."""
    require_run(path)
    manifest = read_json(path / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise OhmcarloError(
            f"{path} was written in run format {manifest.get('format')}, this version reads "
            f"{FORMAT}: use the version of ohmcarlo that wrote it"
        )
    return manifest


def read_trace(path: Path) -> Trace:
    """The trace of a complete run."""
    require_complete(path)
    arrays = read_arrays(path / TRACE)
    with intact(path / TRACE):
        return Trace.from_arrays(arrays)


def read_evaluation(path: Path) -> dict[str, NDArray[Any]]:
    """What a complete run says about its held-out points and its wear (``Result.evaluation``)."""
    require_complete(path)
    stored = read_arrays(path / EVALUATION)
    with intact(path / EVALUATION):
        points = len(stored["labels"])
        for name, dimensions in EVALUATED.items():
            if stored[name].ndim != dimensions:
                raise ValueError(f"{name} has {stored[name].ndim} dimensions, not {dimensions}")
            if name != "wear" and len(stored[name]) != points:
                raise ValueError(f"{len(stored[name])} {name} of {points} points")
    return stored


def read_policy_evaluation(path: Path) -> dict[str, NDArray[Any]]:
    """``read_evaluation`` of a run that learnt a policy (``PolicyResult.evaluation``)."""
    require_complete(path)
    stored = read_arrays(path / EVALUATION)
    with intact(path / EVALUATION):
        for name, dimensions in POLICY_EVALUATED.items():
            if stored[name].ndim != dimensions:
                raise ValueError(f"{name} has {stored[name].ndim} dimensions, not {dimensions}")
    return stored


def read_result(path: Path) -> dict[str, Any]:
    """The result of a complete run."""
    require_complete(path)
    result = read_json(path / RESULT)
    keys = POLICY_KEYS if "policy" in result else RESULT_KEYS
    missing = [name for name in keys if name not in result]
    if missing:
        raise damaged(path / RESULT, f"it has no {missing[0]!r}")
    return result


def require_complete(path: Path) -> None:
    """Raise UsageError when the run has no result yet."""
    require_run(path)
    if not (path / RESULT).is_file():
        raise UsageError(f"the run in {path} is not complete: `ohmcarlo resume {path}` finishes it")


def _take_lock(path: Path) -> int | None:
    """Hold the folder; the system lets go by itself when the process ends, however it ends."""
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
