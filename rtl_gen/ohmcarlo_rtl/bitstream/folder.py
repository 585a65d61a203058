"""A folder that is replaced in one step by a complete one, or stays as it is."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ohmcarlo.errors import UsageError

from ..folders import explained

NEEDED = "200 MB"
"""Largest disk space of a build; the result takes a tenth."""
OPTION = "--out"
MARK = "manifest.json"
"""The file that marks a folder as the result of a build."""


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of ``target`` at the end of the block.

    If the block raises, the new folder is removed. Leftovers of a killed process are removed by the
    next build. If two builds have the same target, the second one waits.

    Raises UsageError when ``target`` holds other content than a build, OhmcarloError when it cannot
    be written or the disk is full.
    """
    with explained(target.parent, NEEDED, OPTION):
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / f".{target.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            old = target.parent / f".{target.name}.old"
            if old.is_dir() and not target.exists():
                old.rename(target)  # a process was killed between the two renames below
            require_ours(target)
            for left in target.parent.glob(f".{target.name}.new-*"):
                shutil.rmtree(left, ignore_errors=True)
            new = Path(tempfile.mkdtemp(prefix=f".{target.name}.new-", dir=target.parent))
            try:
                new.chmod(0o755)
                yield new
                shutil.rmtree(old, ignore_errors=True)
                if target.exists():
                    target.rename(old)
                new.rename(target)
                shutil.rmtree(old, ignore_errors=True)
            finally:
                shutil.rmtree(new, ignore_errors=True)


def require_ours(target: Path) -> None:
    """Raise UsageError when ``target`` exists and is not the folder of a build."""
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / MARK).is_file()):
        raise UsageError(
            f"{target} exists and holds no bitstream: give a new folder with --out, or remove it"
        )
