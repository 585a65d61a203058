"""The levels of a parameter at which a posterior is within 5 %: where its curve crosses the limit.

The crossing is interpolated between two levels. Its interval ends where the ends of the 95 %
intervals of the levels cross the limit. A level of which cells failed is not within: no crossing is
interpolated towards it, and the range ends at the level before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context
from itertools import pairwise
from typing import NamedTuple

from .curves import POSTERIOR_ERROR, WITHIN, Estimate, Level, Line, are_numbers, shown_value

NONE = "none"
INWARD = {"≤": ROUND_FLOOR, "≥": ROUND_CEILING}
"""How safe levels are rounded, so that they stay safe."""


class Point(NamedTuple):
    """A level, the estimate of an error there, and whether cells failed."""

    level: float
    estimate: Estimate
    failed: bool = False


@dataclass(frozen=True)
class Edge:
    """Where an error crosses the limit.

    Attributes
    ----------
    level : float or None
        By the means; None: they cross it at no level that was tried, but the intervals do.
    safe, far : float or None
        By the upper and by the lower ends of the intervals; None: no level that was tried.
    failed : float or None
        The level of which cells failed, at which the range ends.
    known : bool
        Whether there are intervals.
    """

    level: float | None
    safe: float | None
    far: float | None
    failed: float | None = None
    known: bool = True

    def text(self, symbol: str, beyond: str, shown: Callable[..., str]) -> str:
        """The edge as a table shows it; ``beyond``: words for no level that was tried."""
        safe = NONE if self.safe is None else shown(self.safe, INWARD[symbol])
        if self.level is None:
            return safe if self.safe is None else f"{symbol} {safe}"
        far = beyond if self.far is None else shown(self.far)
        notes = [f"{safe} to {far}" if self.known else "no interval"]
        notes += [] if self.failed is None else [f"runs fail at {shown(self.failed)}"]
        return f"{symbol} {shown(self.level)} ({'; '.join(notes)})"


@dataclass(frozen=True)
class Range:
    """Neighbouring levels that are within the limit.

    Attributes
    ----------
    low, high : Edge or None
        None: up to the first or last level that was tried, intervals included.
    tried : tuple of float
        The levels, ascending.
    known : bool
        Whether there are intervals.
    """

    low: Edge | None
    high: Edge | None
    tried: tuple[float, ...]
    known: bool = True

    def text(self, digits: int = 2) -> str:
        """The range as a table shows it.

        >>> Range(None, Edge(0.213, 0.18, None), (0.0, 1.0)).text()
        '≤ 0.21 (0.18 to more than 1)'
        >>> Range(None, None, (0.0, 1.0)).text()
        'all: 0 to 1'
        >>> Range(None, Edge(None, 0.11, None), (0.01, 0.4)).text()
        'all: 0.01 to 0.4 by the means, by the intervals ≤ 0.11'
        >>> Range(None, None, (64, 256), known=False).text()
        'all: 64 to 256 by the means, no interval'
        """
        first, last = (_exact(self.tried[end]) for end in (0, -1))
        ends = ((self.low, "≥", f"less than {first}"), (self.high, "≤", f"more than {last}"))
        texts = [
            (edge, edge.text(symbol, beyond, lambda value, *way: self._shown(value, digits, *way)))
            for edge, symbol, beyond in ends
            if edge is not None
        ]
        crossed = " and ".join(text for edge, text in texts if edge.level is not None)
        unsure = " and ".join(dict.fromkeys(text for edge, text in texts if edge.level is None))
        if crossed:  # which says whether there is a level at all by the intervals
            return f"{crossed}, by the intervals {unsure}" if unsure not in ("", NONE) else crossed
        every = f"all: {first} to {last}"
        if not self.known:
            return f"{every} by the means, no interval"
        return f"{every} by the means, by the intervals {unsure}" if unsure else every

    def _shown(self, value: float, digits: int, rounding: str = ROUND_HALF_EVEN) -> str:
        """A level; one that was tried has all its digits."""
        return _exact(value) if value in self.tried else _digits(value, digits, rounding)


def within(line: Line, log: bool, limit: float = WITHIN) -> Range | None:
    """The range around the level with the smallest posterior error.

    ``log``: interpolate over the logarithm of the level. None if no level is within ``limit``, or
    if levels are not numbers.
    """
    points = points_of(line)
    good = _good(points, limit)
    if len(points) < 2 or not good:
        return None
    return _range(points, min(good, key=lambda i: points[i].estimate.middle), log, limit)


def ranges(line: Line, log: bool, limit: float = WITHIN) -> list[Range]:
    """All ranges of a curve within ``limit``, ascending; ``log`` as for ``within``."""
    points = points_of(line)
    good = dict.fromkeys(_good(points, limit)) if len(points) > 1 else {}  # ascending
    found = []
    for place in good:
        if place - 1 not in good:  # the first level of a range
            last = next(i for i in range(place, len(points)) if i + 1 not in good)
            best = min(range(place, last + 1), key=lambda i: points[i].estimate.middle)
            found.append(_range(points, best, log, limit))
    return found


def points_of(line: Line) -> list[Point]:
    """The levels of a curve with a known error or with failed cells, ascending."""
    if not are_numbers([level.value for level in line.levels]):
        return []
    found = [Point(v.value, v.estimates[POSTERIOR_ERROR.name], v.failed > 0) for v in line.levels]
    return sorted(p for p in found if p.failed or math.isfinite(p.estimate.middle))


def range_text(line: Line, log: bool, limit: float = WITHIN) -> str:
    """``ranges`` as text; names of levels are listed."""
    if are_numbers([level.value for level in line.levels]):
        if len(points_of(line)) < 2:
            return "too few levels"
        return " or ".join(found.text() for found in ranges(line, log, limit)) or NONE
    good = [_name(level, limit) for level in line.levels if level.is_within(limit)]
    return ", ".join(good) or NONE


def _name(level: Level, limit: float) -> str:
    """A level that is a name, and whether its interval is within, too."""
    high = level.estimates[POSTERIOR_ERROR.name].high
    word = "" if high <= limit else " (no interval)" if math.isnan(high) else " (by the mean)"
    return f"{shown_value(level.value)}{word}"


def _good(points: Sequence[Point], limit: float) -> list[int]:
    return [i for i, p in enumerate(points) if not p.failed and p.estimate.middle <= limit]


def _range(points: Sequence[Point], best: int, log: bool, limit: float) -> Range:
    """The range around a level that is within."""
    up = _reach(points[best:], log, limit, lambda e: e.middle)
    down = _reach(points[best::-1], log, limit, lambda e: e.middle)
    inside = [*points[best - down.last : best], *points[best : best + up.last + 1]]
    known = any(math.isfinite(p.estimate.high) for p in inside)
    sure = min(inside, key=lambda p: _upper(p.estimate))
    place = points.index(sure)
    ways = ((points[best::-1], points[place::-1], down), (points[best:], points[place:], up))
    low, high = (_edge(*way, log, limit, known) for way in ways)
    return Range(low, high, tuple(p.level for p in points), known)


class Reach(NamedTuple):
    """How far a curve stays within: where it crosses, its last point, the level that failed."""

    level: float | None
    last: int
    failed: float | None = None


def _edge(
    points: Sequence[Point], safest: Sequence[Point], middle: Reach, log: bool, limit: float,
    known: bool,
) -> Edge | None:  # fmt: skip
    """Where the error first crosses the limit on the way from the best level.

    ``safest``: the way from the level whose upper end is the smallest.
    """
    if not known:
        if middle.level is None:
            return None
        return Edge(middle.level, None, None, middle.failed, known=False)
    far = _reach(points, log, limit, _lower)
    if _upper(safest[0].estimate) > limit:  # not even the best level is certain
        return Edge(middle.level, None, far.level, far.failed)
    safe = _reach(safest, log, limit, _upper)
    if middle.level is None and safe.level is None:
        return None
    return Edge(middle.level, safe.level, far.level, far.failed)


def _upper(estimate: Estimate) -> float:
    """The upper end; without an interval, no level is certain."""
    return math.inf if math.isnan(estimate.high) else estimate.high


def _lower(estimate: Estimate) -> float:
    return estimate.middle if math.isnan(estimate.low) else estimate.low


def _reach(
    points: Sequence[Point], log: bool, limit: float, end: Callable[[Estimate], float]
) -> Reach:
    """How far an end of the estimates stays within the limit on the way along ``points``."""
    for place, (near, away) in enumerate(pairwise(points)):
        a, b = end(near.estimate), end(away.estimate)
        if away.failed:
            return Reach(near.level, place, away.level)
        if b > limit:
            return Reach(_between(near.level, away.level, (limit - a) / (b - a), log), place)
    return Reach(None, len(points) - 1)


def _between(near: float, away: float, share: float, log: bool) -> float:
    """The level at this share of the way from ``near`` to ``away``."""
    if log:
        return math.exp((1 - share) * math.log(near) + share * math.log(away))
    return (1 - share) * near + share * away


def _digits(value: float, digits: int, rounding: str) -> str:
    number = f"{value:.9g}"  # without the error of binary fractions
    return f"{float(Context(digits, rounding).create_decimal(number)):,g}"


def _exact(value: float) -> str:
    """A level that was tried, with all its digits."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value!r}"
