"""Atomic writes of files, and messages for errors of the file system."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import OhmcarloError, UsageError

TEMPORARY = ".partial"  # suffix of a file that is still being written
STANDARD_OUTPUT = 1  # its file descriptor
DESCRIPTORS = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
NAMED_DESCRIPTORS = {"/dev/stdout": STANDARD_OUTPUT, "/dev/stderr": 2}


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


def stamp_of(path: Path) -> tuple[int, int]:
    """Time of the last change, ns, and size of a file, which tell whether it is the one that was
    read before; zeros for a file that cannot be found."""
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_mtime_ns, state.st_size


def descriptor_of(path: Path) -> int | None:
    """The open file descriptor that a path such as ``/dev/stdout`` or ``/dev/fd/3`` stands for."""
    name = os.path.normpath(path)
    found = DESCRIPTORS.fullmatch(name)
    return int(found[1]) if found else NAMED_DESCRIPTORS.get(name)


def in_place(path: Path) -> bool:
    """Whether ``path`` is a device, a pipe or a descriptor: written to, never replaced."""
    return descriptor_of(path) is not None or (path.exists() and not path.is_file())


def check_file(path: Path) -> None:
    """Raise an error, before any work is done, if a file cannot be written.

    UsageError for a folder or a file in no folder, OhmcarloError without permission.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give a file name")
    if in_place(path):
        _check_stream(path)
        return
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        shown = folder if path.is_symlink() else path.parent
        raise UsageError(f"{path}: the folder {shown} does not exist; make it first")
    if not os.access(folder, os.W_OK):
        raise OhmcarloError(f"{path}: no permission to write there; choose another place")


def _check_stream(path: Path) -> None:
    """``check_file`` for what is written in place."""
    descriptor = descriptor_of(path)
    try:
        mode = os.fstat(descriptor).st_mode if descriptor is not None else path.stat().st_mode
    except OSError as error:
        raise UsageError(f"{explain(error, path)}: choose a file or an open pipe") from error
    if descriptor is not None:
        return
    if not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
        raise UsageError(f"{path} is neither a file nor a pipe: choose another file")
    if not os.access(path, os.W_OK):
        raise OhmcarloError(f"{path}: no permission to write there; choose another place")


@contextmanager
def atomic(path: Path, keep_old_as: Path | None = None) -> Iterator[Path]:
    """A temporary path that replaces ``path`` when the block succeeds and is removed otherwise.

    ``keep_old_as``: a name for the file that is replaced, in the same folder.

    A symbolic link stays: the file that it points to is replaced. The content is copied into a
    device, a pipe or a descriptor. Raises OhmcarloError, naming ``path``, for any OSError inside.
    """
    try:
        with _copied(path) if in_place(path) else _renamed(path, keep_old_as) as temporary:
            yield temporary
    except OSError as error:
        raise OhmcarloError(
            f"{explain(error, path)}: free some space or choose another place; "
            "no partial file was left"
        ) from error


@contextmanager
def _renamed(path: Path, keep_old_as: Path | None) -> Iterator[Path]:
    final = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = final.with_name(final.name + TEMPORARY)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        if keep_old_as is not None and final.exists():
            _keep(final, keep_old_as)
        temporary.replace(final)
        sync_folder(final.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _keep(path: Path, other: Path) -> None:
    """Give a file a second name. The first one never disappears, where the file system can."""
    link = other.with_name(other.name + TEMPORARY)
    try:
        link.unlink(missing_ok=True)
        link.hardlink_to(path)
        link.replace(other)
    except OSError:  # a file system without hard links
        path.replace(other)


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / path.name
        yield temporary
        descriptor = descriptor_of(path)
        stream = path.open("wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb")
        with stream, temporary.open("rb") as content:
            shutil.copyfileobj(content, stream)


def sync_folder(folder: Path) -> None:
    """Make a rename durable where the system can (not on Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes, *, keep_old_as: Path | None = None) -> None:
    """Write a file atomically. See ``atomic`` for ``keep_old_as``."""
    with atomic(path, keep_old_as) as temporary:
        temporary.write_bytes(content)


def replace_unsynced(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, without waiting for the disk; raises OSError.

    For a file that may be lost in a power cut, such as a note about progress.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content``, which ``json_ready`` made, as JSON."""
    try:
        text = to_json(content).encode()
    except UnicodeEncodeError:  # a name with bytes that are no text
        text = to_json(content, ascii_only=True).encode()
    write_bytes(path, text)


def to_json(content: Mapping[str, Any], ascii_only: bool = False) -> str:
    """The text of a JSON file; ``ascii_only`` escapes every other character, as JSON does."""
    return json.dumps(content, indent=2, ensure_ascii=ascii_only) + "\n"


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
