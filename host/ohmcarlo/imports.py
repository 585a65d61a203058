"""Work that makes many objects: imports of large libraries, elaboration of hardware."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
