"""The values that a setting takes in a block of a sweep file: lists and ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..readable import did_you_mean

FROM, TO, STEPS, SCALE = "from", "to", "steps", "scale"
RANGE = (FROM, TO, STEPS, SCALE)
LINEAR, LOG = "linear", "log"
DIGITS = 6
"""Significant digits of a value of a range."""
MOST = 10_000
"""Values of one range."""


def is_range(value: Any) -> bool:
    """Whether a value of a file is a range."""
    return isinstance(value, Mapping) and FROM in value and TO in value


def range_values(key: str, value: Mapping[str, Any], whole: bool) -> list[int] | list[float]:
    """The values of a range, ascending or descending as it is written.

    ``whole``: the setting is a whole number; values are rounded, and equal ones are left out.
    Raises UsageError, which names the key, for a range that cannot be used.

    >>> range_values("rows", {"from": 16, "to": 128, "steps": 4, "scale": "log"}, True)
    [16, 32, 64, 128]
    >>> range_values("rho", {"from": 0.5, "to": 0.7, "steps": 3}, False)
    [0.5, 0.6, 0.7]
    """
    _check_keys(key, value)
    low, high = _number(key, value, FROM), _number(key, value, TO)
    steps, scale = value.get(STEPS), value.get(SCALE, LINEAR)
    if not isinstance(steps, int) or isinstance(steps, bool) or not 2 <= steps <= MOST:
        raise UsageError(f"{key}: steps = {steps!r}: give the number of values, 2 to {MOST:,}")
    if scale not in (LINEAR, LOG):
        raise UsageError(f'{key}: scale = {scale!r}: choose "{LINEAR}" or "{LOG}"')
    if scale == LOG and not (low > 0 and high > 0):
        raise UsageError(
            f"{key}: from = {low:g}, to = {high:g}: a logarithmic scale needs numbers above 0"
        )
    shares = [k / (steps - 1) for k in range(steps)]
    if scale == LOG:
        exact = [math.exp((1 - s) * math.log(low) + s * math.log(high)) for s in shares]
    else:
        exact = [(1 - s) * low + s * high for s in shares]
    exact[0], exact[-1] = low, high
    if whole:
        return list(dict.fromkeys(round(number) for number in exact))
    return [float(f"{number:.{DIGITS}g}") for number in exact]


def _check_keys(key: str, value: Mapping[str, Any]) -> None:
    for name in value:
        if name not in RANGE:
            guess = did_you_mean(name, {known: known for known in RANGE})
            raise UsageError(
                f"{key}: {name!r} is no part of a range{guess}: write "
                '{from = 0.01, to = 0.1, steps = 5}, and scale = "log" if you wish'
            )


def _number(key: str, value: Mapping[str, Any], name: str) -> float:
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        shown = "is missing" if found is None else f"= {found!r}"
        raise UsageError(f"{key}: {name} {shown}: give a number")
    return float(found)
