"""The files of a run, and how they are read and checked."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OhmcarloError, UsageError
from ..files import explain, write_bytes, write_json
from .digests import has_seal, sealed
from .trace import Trace

FORMAT = 2
MANIFEST, CHECKPOINT, RESULT = "manifest.json", "checkpoint.npz", "result.json"
POSTERIOR, TRACE, EVALUATION = "posterior.nc", "trace.npz", "evaluation.npz"
MANIFEST_KEYS = ("config", "versions", "files", "inputs", "data")


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Raise OhmcarloError, naming ``path``, when its content is not that of a run."""
    try:
        yield
    except KeyError as error:
        raise damaged(path, f"it has no {error}") from error
    except (UsageError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, problem: str) -> OhmcarloError:
    """The error for a damaged file of a run, with a remedy."""
    run = path.parent
    if path.name == MANIFEST:
        remedy = "train again, with another --out"
    elif path.name in (TRACE, EVALUATION, RESULT):
        remedy = f"remove {run / RESULT} and `ohmcarlo resume {run}` writes it again"
    else:
        remedy = f"remove {run / CHECKPOINT} and `ohmcarlo resume {run}` begins at the first step"
    return OhmcarloError(f"{path} is damaged ({problem}): {remedy}")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as .npz, atomically."""
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
        raise damaged(path, "it is not an .npz file") from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a run; raises OhmcarloError when it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: cannot read this file of the run") from error
    except ValueError as error:
        raise damaged(path, str(error)) from error
    if not isinstance(content, dict):
        raise damaged(path, "it does not hold a JSON object")
    return content


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
    write_json(path / MANIFEST, sealed({"format": FORMAT, **content}))


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
        for name in MANIFEST_KEYS:
            if not isinstance(manifest[name], dict):
                raise ValueError(f"{name} is not a JSON object")
    return manifest


def _writer_of(manifest: Mapping[str, Any]) -> str:
    versions = manifest.get("versions")
    version = versions.get("ohmcarlo") if isinstance(versions, dict) else None
    return f" ({version})" if isinstance(version, str) else ""


def require_seal(path: Path, values: Mapping[str, Any]) -> None:
    """Raise OhmcarloError unless the JSON file ``path`` holds what was written into it."""
    if not has_seal(values):
        raise damaged(path, "its content does not have the SHA-256 that was written with it")


def read_trace(path: Path) -> Trace:
    """The trace of a complete run."""
    require_complete(path)
    arrays = read_arrays(path / TRACE)
    with intact(path / TRACE):
        return Trace.from_arrays(arrays)


def read_evaluation(
    path: Path, check: Callable[[Mapping[str, NDArray[Any]]], None]
) -> dict[str, NDArray[Any]]:
    """The evaluation arrays of a complete run; ``check`` is ``RunKind.check_evaluation``."""
    require_complete(path)
    stored = read_arrays(path / EVALUATION)
    with intact(path / EVALUATION):
        check(stored)
    return stored


def check_dimensions(arrays: Mapping[str, NDArray[Any]], dimensions: Mapping[str, int]) -> None:
    """Raise KeyError for an array that is missing, ValueError for a wrong number of dimensions."""
    for name, expected in dimensions.items():
        if arrays[name].ndim != expected:
            raise ValueError(f"{name} has {arrays[name].ndim} dimensions, not {expected}")


def read_result(path: Path, keys: Sequence[str] = ()) -> dict[str, Any]:
    """The result of a complete run; raises OhmcarloError when one of ``keys`` is missing."""
    require_complete(path)
    result = read_json(path / RESULT)
    require_keys(path, result, keys)
    return result


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
