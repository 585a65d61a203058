"""A new folder that appears whole, or not at all."""

from __future__ import annotations

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


def require_new(out: Path) -> None:
    """Raise UsageError unless ``out`` can be made, or is an empty folder."""
    if out.is_dir():
        try:
            filled = any(out.iterdir())
        except OSError as error:
            raise UsageError(f"{out}: {error.strerror}; give another folder") from error
        if filled:
            raise UsageError(f"{out} is not empty: give a new folder, or remove this one")
    elif out.exists() or out.is_symlink():
        raise UsageError(f"{out} is not a folder: give a new folder")
    try:
        _probe(_existing(out))
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
        raise NotADirectoryError(20, "Not a directory", str(above))
    return above


def _probe(folder: Path) -> None:
    """Raise OSError unless a folder can be made in ``folder``."""
    Path(tempfile.mkdtemp(prefix=".ohmcarlo-", dir=folder)).rmdir()


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A folder to fill, which is renamed to ``out`` at the end of the block.

    It lies beside ``out``. If the block raises, it is removed, with the folders that were made for
    it. Raises UsageError if ``out`` was filled meanwhile, OhmcarloError if the disk is full.
    """
    made = [path for path in (out.parent, *out.parent.parents) if not path.exists()]
    done = False
    with explained(out.parent, NEEDED, OPTION):
        out.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{out.name}.new-", dir=out.parent))
        try:
            new.chmod(0o755)
            yield new
            require_new(out)
            new.replace(out)  # replaces an empty folder, too
            done = True
        finally:
            shutil.rmtree(new, ignore_errors=True)
            if not done:
                for path in made:
                    _remove_empty(path)


def _remove_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:  # another process uses it
        return
