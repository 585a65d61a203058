"""Finished folders under the hash of what they are made from.

A folder appears under its name in one step, complete. Two processes that want the same one do not
both make it: the second waits for the first.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ohmcarlo.errors import OhmcarloError

NEEDED = "100 MB"
"""What a build takes at most while it runs; what stays is a hundredth."""


def default_cache() -> Path:
    """Where boards are kept: ``ohmcarlo/boards`` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "ohmcarlo" / "boards"


def published(cache: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Folder ``name`` in ``cache``; ``make`` fills it if it is not there.

    Raises OhmcarloError, saying what to do, when the folder cannot be written or the disk is full.
    """
    done = cache / name
    if done.is_dir():
        return done
    with explained(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if done.is_dir():  # somebody made it while we waited
                return done
            part = cache / f"{name}.part"  # of a process that was killed, if it is there
            shutil.rmtree(part, ignore_errors=True)
            try:
                part.mkdir()
                make(part)
                part.rename(done)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return done


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turns the usual troubles with files into one line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full(folder) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise OhmcarloError(
                f"{error.filename or folder} cannot be written ({error.strerror}): give another "
                "folder with --cache"
            ) from error
        raise


def full(folder: Path) -> OhmcarloError:
    return OhmcarloError(
        f"the disk of {folder} is full: make room for {NEEDED}, or give another folder with --cache"
    )
