"""The levels of a parameter at which a posterior is within 5 %: where its curve crosses the limit.

The crossing is interpolated between two levels. Its interval ends where the ends of the 95 %
intervals of the levels cross the limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from .curves import POSTERIOR_ERROR, WITHIN, Estimate, Line, are_numbers, shown_value


class Point(NamedTuple):
    """A level and the estimate of an error there."""

    level: float
    estimate: Estimate


@dataclass(frozen=True)
class Edge:
    """Where an error crosses the limit.

    Attributes
    ----------
    level : float
        By the means.
    safe, far : float or None
        By the upper and by the lower ends of the intervals; None: no level that was tried.
    """

    level: float
    safe: float | None
    far: float | None


@dataclass(frozen=True)
class Range:
    """The levels around the best one that are within the limit.

    Attributes
    ----------
    low, high : Edge or None
        None: up to the first or last level that was tried.
    tried : (float, float)
        The first and the last level.
    """

    low: Edge | None
    high: Edge | None
    tried: tuple[float, float]

    def text(self, digits: int = 2) -> str:
        """The range as a table shows it.

        >>> Range(None, Edge(0.213, 0.18, None), (0.0, 1.0)).text()
        '≤ 0.21 (0.18 to more than 1)'
        >>> Range(None, None, (0.0, 1.0)).text()
        'all: 0 to 1'
        >>> Range(None, None, (64, 256)).text()
        'all: 64 to 256'
        """
        if self.low is None and self.high is None:
            return f"all: {self.tried[0]:,g} to {self.tried[1]:,g}"
        edges = ((self.low, "≥", "less than", 0), (self.high, "≤", "more than", 1))
        parts = []
        for edge, symbol, beyond, end in edges:
            if edge is not None:
                most = f"{beyond} {self.tried[end]:,g}"
                safe = "none" if edge.safe is None else _digits(edge.safe, digits)
                far = most if edge.far is None else _digits(edge.far, digits)
                parts.append(f"{symbol} {_digits(edge.level, digits)} ({safe} to {far})")
        return " and ".join(parts)


def within(line: Line, log: bool, limit: float = WITHIN) -> Range | None:
    """The levels of a curve whose posterior error is within ``limit``.

    ``log``: interpolate over the logarithm of the level. None if no level is, or if levels are not
    numbers.
    """
    points = points_of(line)
    if len(points) < 2:
        return None
    best = min(range(len(points)), key=lambda i: points[i].estimate.middle)
    if points[best].estimate.middle > limit:
        return None
    return Range(
        _edge(points[best::-1], log, limit),
        _edge(points[best:], log, limit),
        (points[0].level, points[-1].level),
    )


def points_of(line: Line) -> list[Point]:
    """The levels of a curve with a known error, ascending."""
    if not are_numbers([level.value for level in line.levels]):
        return []
    found = [Point(v.value, v.estimates[POSTERIOR_ERROR.name]) for v in line.levels]
    return sorted(p for p in found if math.isfinite(p.estimate.middle))


def range_text(line: Line, log: bool, limit: float = WITHIN) -> str:
    """``within`` as text; names of levels are listed."""
    if are_numbers([level.value for level in line.levels]):
        found = within(line, log, limit)
        return "none" if found is None else found.text()
    good = [
        shown_value(level.value)
        for level in line.levels
        if level.estimates[POSTERIOR_ERROR.name].middle <= limit
    ]
    return ", ".join(good) or "none"


def _edge(points: Sequence[Point], log: bool, limit: float) -> Edge | None:
    """Where the error first crosses the limit on the way from the best level."""
    level = _crossing(points, log, limit, lambda e: e.middle)
    if level is None:
        return None
    known = [p for p in points if not math.isnan(p.estimate.low)]
    far = _crossing(known, log, limit, lambda e: e.low)
    if known and known[0].estimate.high > limit:  # not even the best level is certain
        return Edge(level, None, far)
    return Edge(level, _crossing(known, log, limit, lambda e: e.high), far)


def _crossing(
    points: Sequence[Point], log: bool, limit: float, end: Callable[[Estimate], float]
) -> float | None:
    for near, away in pairwise(points):
        a, b = end(near.estimate), end(away.estimate)
        if a <= limit < b:
            share = (limit - a) / (b - a)
            if log:
                return math.exp((1 - share) * math.log(near.level) + share * math.log(away.level))
            return (1 - share) * near.level + share * away.level
    return None


def _digits(value: float, digits: int) -> str:
    return f"{float(f'{value:.{digits}g}'):,g}"
