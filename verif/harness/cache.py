"""Cache of the benches' builds in the user's cache folder, by the hash of their inputs.

The folder is ``ohmcarlo/benches`` below ``XDG_CACHE_HOME`` (``~/.cache`` if that is not set), so
``make clean`` and another checkout keep it. An entry is one folder; it appears in one step,
complete. If two processes need the same entry, the second one waits for the first. When a new entry
makes the folder larger than ``LIMIT`` bytes, the entries that were unused longest are removed,
except those of the last hour.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT = 1_500_000_000
RECENT_S = 3600


def cache_folder() -> Path:
    """Where the entries are."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "ohmcarlo" / "benches"


def digest(*parts: Any) -> str:
    """Hash of JSON-able ``parts``, sixteen hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def published(name: str, make: Callable[[Path], None]) -> Path:
    """The entry ``name``; ``make`` fills its folder if there is none yet."""
    cache = cache_folder()
    done, part = cache / name, cache / f"{name}.part"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.is_dir():
            shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
            part.mkdir()
            make(part)
            part.rename(done)
            _prune(cache)
        os.utime(done)  # the time of its last use
    return done


def _prune(cache: Path) -> None:
    entries = [path for path in cache.iterdir() if path.is_dir() and path.suffix != ".part"]
    sizes = {path: _size(path) for path in entries}
    total = sum(sizes.values())
    for path in sorted(entries, key=_used):
        if total <= LIMIT or time.time() - _used(path) < RECENT_S:
            return
        shutil.rmtree(path, ignore_errors=True)
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        total -= sizes[path]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _used(folder: Path) -> float:
    return folder.stat().st_mtime if folder.exists() else 0.0
