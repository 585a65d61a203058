"""A new folder that appears whole, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ohmcarlo.errors import UsageError

from ..folders import explained

NEEDED = "100 MB"
"""Largest disk space of an export, the files of the synthesis included."""
OPTION = "OUT"


def require_new(out: Path, except_for: Path | None = None) -> None:
    """Raise UsageError unless ``out`` can be made, or is empty (``except_for`` aside)."""
    try:
        if out.is_dir() and any(path != except_for for path in out.iterdir()):
            raise UsageError(f"{out} is not empty: give a new folder, or remove this one")
        if out.exists() and not out.is_dir():
            raise UsageError(f"{out} is not a folder: give a new folder")
        _probe(out if out.is_dir() else _existing(out))
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written ({error.strerror}): give another folder"
        ) from error


def _existing(out: Path) -> Path:
    """The nearest folder above ``out`` that exists; raises OSError if that is no folder."""
    above = out.parent
    while not above.exists() and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(above))
    return above


def _probe(folder: Path) -> None:
    """Raise OSError unless a folder can be made in ``folder``."""
    Path(tempfile.mkdtemp(prefix=".ohmcarlo-", dir=folder)).rmdir()


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A folder to fill; its content is in ``out`` at the end of the block.

    It lies beside ``out``, and is renamed. If ``out`` is an empty folder, it lies within, and its
    content is moved up, because the folder may be the current one. If the block raises, it is
    removed, with the folders that were made for it. Raises UsageError if ``out`` was filled
    meanwhile, OhmcarloError if the disk is full.
    """
    made = [path for path in (out.parent, *out.parent.parents) if not path.exists()]
    done = False
    with explained(out.parent, NEEDED, OPTION):
        out.parent.mkdir(parents=True, exist_ok=True)
        place = out if out.is_dir() else out.parent
        new = Path(tempfile.mkdtemp(prefix=f".{out.name}.new-", dir=place))
        try:
            new.chmod(0o755)
            yield new
            require_new(out, except_for=new)
            if place == out:
                _move_up(new)
            else:
                new.replace(out)
            done = True
        finally:
            shutil.rmtree(new, ignore_errors=True)
            if not done:
                for path in made:
                    _remove_empty(path)


def _move_up(new: Path) -> None:
    """Move everything in ``new`` into the folder above, or nothing."""
    moved: list[Path] = []
    try:
        for path in sorted(new.iterdir()):
            moved.append(path.rename(new.parent / path.name))
    except BaseException:
        for path in moved:
            path.rename(new / path.name)
        raise


def _remove_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:  # another process uses it
        return
