"""Progress of a build, reported line by line."""

from __future__ import annotations

import time
from collections.abc import Callable

Say = Callable[[str], None]


def silent(line: str) -> None:
    """Report nothing."""


def timed(say: Say) -> Say:
    """``say``, with the seconds since now before each line."""
    began = time.monotonic()
    return lambda line: say(f"{time.monotonic() - began:4.0f} s  {line}")
