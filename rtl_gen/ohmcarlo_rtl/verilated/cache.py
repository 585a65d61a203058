"""Finished folders, named by the hash of their inputs.

A folder appears under its name in one step, complete. If two processes need the same folder, the
second one waits for the first.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

from ..folders import explained

PROGRAM, FIRMWARE = "board", "firmware.bin"
"""Files of a finished board."""
NEEDED = "100 MB"
"""Largest disk space of a build; the result takes a hundredth."""
OPTION = "--cache"


def published(cache: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Folder ``name`` in ``cache``; ``make`` fills it unless it exists.

    Raises OhmcarloError, with a remedy, if the folder cannot be written or the disk is full.
    """
    done = cache / name
    if done.is_dir():
        return done
    with explained(cache, NEEDED, OPTION):
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if done.is_dir():  # another process made it meanwhile
                return done
            part = cache / f"{name}.part"  # may exist from a process that was killed
            shutil.rmtree(part, ignore_errors=True)
            try:
                part.mkdir()
                make(part)
                part.rename(done)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return done
