"""The files of a run, and how they are read and checked."""

from __future__ import annotations

import io
import json
import math
import secrets
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import OhmcarloError, UsageError
from ..files import explain, write_bytes, write_json
from .digests import SEAL, digest_of, file_digest, has_seal, sealed
from .trace import Trace

FORMAT = 2
MANIFEST, CHECKPOINT, RESULT = "manifest.json", "checkpoint.npz", "result.json"
PREVIOUS = "checkpoint-previous.npz"
ADAPTATION = "adaptation.npz"
POSTERIOR, TRACE, EVALUATION = "posterior.nc", "trace.npz", "evaluation.npz"
MANIFEST_KEYS = ("config", "versions", "files", "inputs", "data")
BOARD_FOLDER = "board-"
"""Begin of the names of folders for the chains of several boards."""
RUN, PROVENANCE = "run", "provenance"
LINK = "link."
"""Prefix of the arrays that chain the chunks and checkpoints of a run together."""
WEAR = "wear"  # the array of an evaluation that has a row per row of devices
RESULT_FILES = (POSTERIOR, TRACE, EVALUATION)
MAX_JSON = 1 << 28
E = TypeVar("E")
NPY_VERSION = (1, 0)


class Damaged(OhmcarloError):
    """A file of a run is damaged or was edited. ``problem`` is the message without a remedy."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem


@dataclass(frozen=True)
class Link:
    """The place of a file in the hash chain of a run: manifest, chunks, checkpoint.

    Attributes
    ----------
    run : str
        Random number of the run.
    previous : str
        SHA-256 of the file before this one.
    """

    run: str
    previous: str


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Raise OhmcarloError, naming ``path``, when its content is not that of a run."""
    try:
        yield
    except KeyError as error:
        raise damaged(path, f"it has no {error}") from error
    except (UsageError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, problem: str) -> Damaged:
    """The error for a damaged file of a run, with a remedy."""
    run = path.parent
    if path.name == MANIFEST:
        remedy = "train again, with another --out"
    elif path.name in (TRACE, EVALUATION, POSTERIOR, RESULT):
        remedy = f"remove {run / RESULT} and `ohmcarlo resume {run}` writes it again"
    else:
        remedy = from_the_first_step(run)
    return Damaged(f"{path} is damaged ({problem})", remedy)


def from_the_first_step(run: Path) -> str:
    """How to begin the chain of a run again."""
    names = (ADAPTATION, CHECKPOINT, PREVIOUS)
    found = [str(run / name) for name in names if (run / name).exists()]
    first = f"remove {' and '.join(found)} and " if found else ""
    of_one_board = run.name.startswith(BOARD_FOLDER) and not (run / MANIFEST).exists()
    whole = run.parent if of_one_board else run
    return f"{first}`ohmcarlo resume {whole}` begins at the first step"


# -- arrays --------------------------------------------------------------------------------------


def write_arrays(
    path: Path, arrays: Mapping[str, NDArray[Any]], *, keep_old_as: Path | None = None
) -> None:
    """Write arrays as .npz, atomically. See ``files.write_bytes`` for ``keep_old_as``."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue(), keep_old_as=keep_old_as)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read an .npz; raises OhmcarloError when it cannot be read or is damaged.

    No array takes more memory than the file has bytes.
    """
    try:
        _require_sizes(path)
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: cannot read this file of the run") from error
    except (ValueError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
        raise damaged(path, f"it is not an .npz file of a run: {error}") from error


def _require_sizes(path: Path) -> None:
    """Raise ValueError unless each array of an .npz has the bytes that its header announces."""
    with zipfile.ZipFile(path) as stored:
        members = stored.infolist()
        if len({m.filename for m in members}) != len(members):
            raise ValueError("two arrays have one name")
        if sum(m.file_size for m in members) > path.stat().st_size:
            raise ValueError("its arrays are larger than the file")
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename} is compressed")
            with stored.open(member) as file:
                if np.lib.format.read_magic(file) != NPY_VERSION:
                    raise ValueError(f"{member.filename} has another .npy version")
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
                announced = file.tell() + math.prod(shape) * dtype.itemsize
            if announced != member.file_size:
                raise ValueError(f"{member.filename} does not have the size that it announces")


def write_linked(
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    link: Link,
    *,
    keep_old_as: Path | None = None,
) -> str:
    """Write arrays with their place in the hash chain; returns their SHA-256."""
    named = {**arrays, **{LINK + f.name: np.array(getattr(link, f.name)) for f in fields(link)}}
    digest = digest_of(named, exact=True)
    write_arrays(path, named | {LINK + SEAL: np.array(digest)}, keep_old_as=keep_old_as)
    return digest


def read_linked(path: Path) -> tuple[dict[str, NDArray[Any]], Link, str]:
    """Arrays of a file, its place in the hash chain, and its SHA-256.

    Raises Damaged when the content does not have the SHA-256 that was written with it.
    """
    stored = read_arrays(path)
    with intact(path):
        digest = str(stored.pop(LINK + SEAL))
        if digest_of(stored, exact=True) != digest:
            raise ValueError("its content does not have the SHA-256 that was written with it")
        return (
            stored,
            Link(**{f.name: str(stored.pop(LINK + f.name)) for f in fields(Link)}),
            digest,
        )


# -- JSON ----------------------------------------------------------------------------------------


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a run; raises OhmcarloError when it cannot be read."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise damaged(path, f"it is longer than {MAX_JSON} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: cannot read this file of the run") from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, str(error)) from error
    if not isinstance(content, dict):
        raise damaged(path, "it does not hold a JSON object")
    return content


def require_seal(path: Path, values: Mapping[str, Any]) -> None:
    """Raise Damaged unless the JSON file ``path`` holds what was written into it."""
    if not has_seal(values):
        raise damaged(path, "its content does not have the SHA-256 that was written with it")


# -- the manifest --------------------------------------------------------------------------------


def require_run(path: Path) -> None:
    """Raise UsageError unless ``path`` is a run folder that can be read."""
    try:
        if not path.is_dir():
            raise UsageError(f"{path} is not a run folder: give the folder of `train --out`")
        if not (path / MANIFEST).is_file():
            raise UsageError(f"{path} holds no run ({MANIFEST} is missing): check the path")
    except PermissionError as error:
        raise OhmcarloError(f"{explain(error, path)}: cannot read this folder") from error


def write_manifest(path: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest of a new run into the folder ``path``."""
    run = secrets.token_hex(16)
    write_json(path / MANIFEST, sealed({"format": FORMAT, RUN: run, **content}))


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of the run in ``path``, which nobody has changed."""
    require_run(path)
    manifest = read_json(path / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise OhmcarloError(
            f"{path} was written in run format {manifest.get('format')}, this version reads "
            f"{FORMAT}: use the version of ohmcarlo that wrote it{_writer_of(manifest)}, or train "
            "again, with another --out"
        )
    require_seal(path / MANIFEST, manifest)
    with intact(path / MANIFEST):
        if not isinstance(manifest[RUN], str):
            raise ValueError("it does not name its run")
        for name in MANIFEST_KEYS:
            if not isinstance(manifest[name], dict):
                raise ValueError(f"{name} is not a JSON object")
    return manifest


def _writer_of(manifest: Mapping[str, Any]) -> str:
    versions = manifest.get("versions")
    version = versions.get("ohmcarlo") if isinstance(versions, dict) else None
    return f" ({version})" if isinstance(version, str) else ""


# -- results -------------------------------------------------------------------------------------


def write_result(
    path: Path, values: Mapping[str, Any], files: Sequence[str] = RESULT_FILES
) -> None:
    """Write the result of the run in ``path``, with the SHA-256 of its manifest and of the
    ``files`` that belong to it."""
    provenance = {
        MANIFEST: read_manifest(path)[SEAL],
        **{name: file_digest(path / name, name) for name in files},
    }
    write_json(path / RESULT, sealed({**values, PROVENANCE: provenance}))


def read_result(path: Path, keys: Sequence[str] = ()) -> dict[str, Any]:
    """The result of a complete run; raises OhmcarloError when one of ``keys`` is missing, or when
    it is that of another run."""
    result = _sealed_result(path, keys)
    del result[SEAL], result[PROVENANCE]
    return result


def _sealed_result(path: Path, keys: Sequence[str] = ()) -> dict[str, Any]:
    require_complete(path)
    manifest = read_manifest(path)
    result = read_json(path / RESULT)
    require_keys(path, result, ("task", *keys))
    require_seal(path / RESULT, result)
    with intact(path / RESULT):
        if result[PROVENANCE][MANIFEST] != manifest[SEAL]:
            raise ValueError(f"it belongs to another run than {path / MANIFEST}")
    return result


def require_result_file(path: Path, name: str) -> None:
    """Raise OhmcarloError unless the file ``name`` is the one that belongs to the result."""
    result = _sealed_result(path)
    with intact(path / name):
        if file_digest(path / name, name) != result[PROVENANCE][name]:
            raise ValueError(f"it is not the one that belongs to {path / RESULT}")


def read_trace(path: Path) -> Trace:
    """The trace of a complete run."""
    require_complete(path)
    arrays = read_arrays(path / TRACE)
    with intact(path / TRACE):
        trace = Trace.from_arrays(arrays)
    require_result_file(path, TRACE)
    return trace


def read_evaluation(
    path: Path, check: Callable[[Mapping[str, NDArray[Any]]], None]
) -> dict[str, NDArray[Any]]:
    """The evaluation arrays of a complete run; ``check`` is ``RunKind.check_evaluation``."""
    require_complete(path)
    stored = read_arrays(path / EVALUATION)
    with intact(path / EVALUATION):
        check(stored)
    require_result_file(path, EVALUATION)
    return stored


def stored_encoder(path: Path, restore: Callable[[dict[str, Any]], E]) -> E:
    """The encoder with which the chains of a complete run sampled.

    An adaptation changes it, and the result holds the last one. ``restore`` builds it from the
    values of its ``to_dict``.
    """
    result = read_result(path)
    name, values = (RESULT, result) if "encoder" in result else (MANIFEST, read_manifest(path))
    with intact(path / name):
        return restore(values["encoder"])


def check_dimensions(arrays: Mapping[str, NDArray[Any]], dimensions: Mapping[str, int]) -> None:
    """Raise KeyError for an array that is missing, ValueError for a wrong number of dimensions."""
    for name, expected in dimensions.items():
        if arrays[name].ndim != expected:
            raise ValueError(f"{name} has {arrays[name].ndim} dimensions, not {expected}")


def check_points(arrays: Mapping[str, NDArray[Any]], dimensions: Mapping[str, int]) -> None:
    """``check_dimensions``, and ValueError unless all arrays but the wear have a row per label."""
    check_dimensions(arrays, dimensions)
    points = len(arrays["labels"])
    for name in dimensions:
        if name != WEAR and len(arrays[name]) != points:
            raise ValueError(f"{len(arrays[name])} {name} of {points} points")


def require_keys(path: Path, result: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Raise OhmcarloError when the result of the run in ``path`` lacks one of ``keys``."""
    missing = [name for name in keys if name not in result]
    if missing:
        raise damaged(path / RESULT, f"it has no {missing[0]!r}")


def require_complete(path: Path) -> None:
    """Raise UsageError when the run has no result yet."""
    require_run(path)
    if not (path / RESULT).is_file():
        raise UsageError(f"the run in {path} is not complete: `ohmcarlo resume {path}` finishes it")
