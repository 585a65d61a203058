"""Numbers and names as readable text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

SHOWN = 8  # entries of a list that are shown in full
LAST_S = re.compile(r"s\b")
SI = ((1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))


def count(n: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def amount(n: int, units: str) -> str:
    """A number of what is counted, whose name is given as a plural.

    >>> amount(20, "cells"), amount(1, "steps per chain")
    ('20 cells', '1 step per chain')
    """
    return f"{n:,} {re.sub(LAST_S, '', units, count=1) if n == 1 else units}"


def first_few(items: Sequence[Any]) -> str:
    """``0, 1, 2``; ends in an ellipsis after the first ``SHOWN`` items."""
    more = ", …" if len(items) > SHOWN else ""
    return ", ".join(str(item) for item in items[:SHOWN]) + more


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b or c'
    """
    return f"{', '.join(names[:-1])} or {names[-1]}"


def did_you_mean(name: str, known: Mapping[str, str], likeness: float = 0.5) -> str:
    """A question for the end of a message: the two most similar names, or nothing.

    ``known``: how each name is shown. ``likeness``: least similarity, 0 to 1.

    >>> did_you_mean("rram-1t1", {"rram-1t1r": "rram-1t1r", "ideal": "ideal"})
    ' (did you mean rram-1t1r?)'
    """
    close = [known[like] for like in get_close_matches(name, list(known), 2, likeness)]
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def si(value: float, unit: str) -> str:
    """A quantity with three digits and a prefix."""
    for scale, prefix in SI:
        if abs(value) >= scale:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def duration(seconds: float) -> str:
    """A time as a user counts it: ``25 s``, ``3 min``, ``2.5 h``.

    >>> duration(25.4), duration(200), duration(9000)
    ('25 s', '3 min', '2.5 h')
    """
    if seconds < 99.5:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


def power(value: float) -> str:
    """A large number as a user types it: ``1e6``, ``2.5e6``; up to 9,999 as it is."""
    if value < 1e4:
        return f"{value:,.4g}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{float(digits):g}e{int(exponent)}"


def brief(value: Any) -> str:
    """A value of a JSON object on one line, floats with four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {brief(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(brief(v) for v in value) or "none"
    return str(value)
