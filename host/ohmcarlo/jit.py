"""Compiled functions, cached on disk under a key that covers the whole numeric core.

numba's own cache notices a change in the file of a function, not in the files of the functions
that it calls: after an update, old machine code could answer for new sources. Here the cache
folder carries a digest of every source file that compiled code comes from.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba import njit

# compiled code takes Python and numpy integers alike, so its signatures are not checked
Function = Callable[..., Any]
PACKAGE = Path(__file__).parent
COMPILED_FOLDERS = ("spec", "array", "golden")


@cache
def cache_folder() -> str:
    """Where machine code for exactly these sources is kept."""
    digest = hashlib.sha256(numba.__version__.encode())
    for folder in COMPILED_FOLDERS:
        for path in sorted((PACKAGE / folder).glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return str(Path(root) / "ohmcarlo" / "compiled" / digest.hexdigest()[:16])


def _compile(function: Function, inline: str) -> Function:
    saved = numba.config.CACHE_DIR
    if not saved:  # a user's own NUMBA_CACHE_DIR comes first, split by the same key
        numba.config.CACHE_DIR = cache_folder()
    else:
        numba.config.CACHE_DIR = str(Path(saved) / Path(cache_folder()).name)
    try:
        return njit(cache=True, inline=inline)(function)
    finally:
        numba.config.CACHE_DIR = saved


def compiled(function: Function) -> Function:
    """Compile ``function`` to machine code at its first call."""
    return _compile(function, "never")


def inlined(function: Function) -> Function:
    """Like ``compiled``, copied into its callers: for what runs once per point or device."""
    return _compile(function, "always")
