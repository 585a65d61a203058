"""Threads of linear algebra: one for the matrices of a usual run.

The library that multiplies matrices (OpenBLAS) shares every product out to all cores, and its
threads wait for the next one without sleeping. For the small matrices of a usual run that takes
twice the processor time and no less of the clock's. With one thread, sums have one order, whatever
the number of cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from ..spec import Points

MANY = 100_000_000
"""Multiplications for a matrix of second derivatives from which several threads are faster. One
core makes them in some 10 ms. Products with samples are made for a part of the points at a time."""


@contextmanager
def few_threads(points: Points) -> Iterator[None]:
    """Linear algebra with ``points`` in one thread, unless they are many."""
    if len(points) * points.features**2 >= MANY:
        yield
        return
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> Any:
    """The libraries of linear algebra of this process, those of NumPy and of SciPy."""
    import scipy.linalg  # noqa: F401 (its library is loaded before the search)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
