"""Work that makes many objects: imports of large libraries, elaboration of hardware."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

BETWEEN_COLLECTIONS = 50_000


@contextmanager
def without_collection() -> Iterator[None]:
    """No garbage collection inside.

    A large import makes hundreds of thousands of objects, an elaboration of hardware millions, and
    almost all of them stay. Collections take a fifth of an import's time, and over half of an
    elaboration's. They free nothing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def rare_collection() -> Iterator[None]:
    """Garbage collection after ``BETWEEN_COLLECTIONS`` new objects instead of 700 inside.

    Imports and compiled functions of one run make a million objects that stay. With Python's own
    threshold, collections take an eighth of the processor time of a short run.
    """
    before = gc.get_threshold()
    gc.set_threshold(BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
