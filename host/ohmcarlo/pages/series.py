"""Numbers and series of charts: what goes into the data of a drawing, and how series differ."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..pictures.style import BLUE, COLOURS, GREY
from .content import LegendEntry

DIGITS = 5  # significant, of a number in a drawing
DASHES: tuple[tuple[int, ...], ...] = ((), (6, 2), (2, 2), (8, 2, 2, 2))
BUCKETS = 600  # of a thinned trace: each gives two points, about one for each pixel of a screen
FloatArray = NDArray[np.float64]


def numbers(values: ArrayLike) -> list[Any]:
    """Values as JSON holds them: integers, floats of five digits, None where not finite.

    >>> numbers([1.0, 2.0000001, float("nan")])
    [1, 2, None]
    """
    return [_number(value) for value in np.asarray(values).ravel().tolist()]


def _number(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if not np.isfinite(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def legend(labels: Sequence[str]) -> tuple[LegendEntry, ...]:
    """Entries that differ in colour and in dash: sixteen of them are unlike."""
    return tuple(
        LegendEntry(
            label,
            COLOURS[k % len(COLOURS)],
            DASHES[(k + k // len(COLOURS)) % len(DASHES)],
        )
        for k, label in enumerate(labels)
    )


def sure_colour(sure: bool) -> str:
    """Blue for what is certain, grey for what is not."""
    return BLUE if sure else GREY


def thinned(values: ArrayLike, buckets: int = BUCKETS) -> tuple[NDArray[np.int64], FloatArray]:
    """Places and values of a trace (steps,) that a screen can show.

    Each bucket of steps keeps its lowest and its highest value, so no extreme is lost. A trace of
    at most two steps for each bucket is kept whole.

    >>> places, kept = thinned([0.0, 9.0, 1.0, 2.0, -5.0, 3.0], buckets=2)
    >>> places.tolist(), kept.tolist()
    ([0, 1, 4, 5], [0.0, 9.0, -5.0, 3.0])
    """
    trace = np.asarray(values, float)
    if len(trace) <= 2 * buckets:
        return np.arange(len(trace)), trace
    edges = np.linspace(0, len(trace), buckets + 1).astype(int)
    found = set()
    for low, high in pairwise(edges):
        part = np.nan_to_num(trace[low:high], nan=trace[low])
        found |= {low + int(part.argmin()), low + int(part.argmax())}
    places = np.array(sorted(found))
    return places, trace[places]
