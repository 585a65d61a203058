"""A folder that is replaced in one step, by something complete, or stays as it is."""

from __future__ import annotations

import errno
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ohmcarlo.errors import OhmcarloError, UsageError

NEEDED = "200 MB"
"""What a build takes at most while it runs; what stays is a tenth."""
MARK = "manifest.json"
"""A folder with this file is ours to replace."""


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of ``target`` at the end of the block.

    If the block raises, nothing is left of it. What a killed process left behind is cleared by the
    next one. Two builds of one folder: the second waits.

    Raises UsageError when ``target`` holds something else than a build, OhmcarloError when it
    cannot be written or the disk is full.
    """
    with explained(target):
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
    """Raises UsageError when ``target`` is there and no folder of a build."""
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / MARK).is_file()):
        raise UsageError(
            f"{target} is there and holds no bitstream: give a new folder with --out, or remove it"
        )


@contextmanager
def explained(target: Path) -> Iterator[None]:
    """Turns the usual troubles with files into one line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OhmcarloError(
                f"the disk of {target.parent} is full: make room for {NEEDED}, or give another "
                "folder with --out"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise OhmcarloError(
                f"{error.filename or target} cannot be written ({error.strerror}): give another "
                "folder with --out"
            ) from error
        raise
