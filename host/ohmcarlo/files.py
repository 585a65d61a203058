"""Atomic writes of files, and messages for errors of the file system."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import OhmcarloError, UsageError

TEMPORARY = ".partial"  # suffix of a file that is still being written


def explain(error: OSError, path: Path) -> str:
    """A one-line message about a file that could not be written or read."""
    reason = error.strerror or str(error)
    return f"{path}: {reason}"


def make_folder(path: Path, option: str) -> None:
    """Make a folder if it does not exist.

    Raises OhmcarloError, which names ``option`` as the remedy, if that is impossible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OhmcarloError(f"{explain(error, path)}: choose another {option}") from error


def check_file(path: Path) -> None:
    """Raise an error, before any work is done, if a file cannot be written.

    UsageError for a folder or a file in no folder, OhmcarloError without permission.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give a file name")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"{path}: the folder {path.parent} does not exist; make it first")
    if not os.access(folder, os.W_OK):
        raise OhmcarloError(f"{path}: no permission to write there; choose another place")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path that replaces ``path`` when the block succeeds and is removed otherwise.

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
            "no partial file was left"
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
    """Write a file atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content``, which ``json_ready`` made, as JSON."""
    write_bytes(path, to_json(content).encode())


def to_json(content: Mapping[str, Any]) -> str:
    """The text of a JSON file."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def json_ready(value: Any) -> Any:
    """``value`` with Python's own numbers and lists in place of NumPy's; None where not finite."""
    if isinstance(value, dict):
        return {str(k): json_ready(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(v) for v in value]
    if hasattr(value, "tolist"):  # an array or a scalar of NumPy
        return json_ready(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
