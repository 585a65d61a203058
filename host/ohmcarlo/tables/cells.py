"""Cells of a table: numbers, words that mean a missing value, overloads of instruments."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

MISSING = frozenset(
    (
        *("", "na", "n/a", "n.a.", "<na>", "nan", "-nan", "+nan", "nat", "null", "nil", "none"),
        *("missing", "undef", "?", ".", "-", "--", "---", "1.#qnan", "1.#ind", "-1.#ind"),
        *("#n/a", "#na", "#null!", "#value!", "#div/0!", "#num!", "#ref!", "#name?"),
    )
)
"""Cells without a value, in lower case."""
OVERLOADS = (9.9e37, 9.91e37, 199.999e99)
"""Readings of an instrument beyond its range, of either sign. The first two are infinity and "not
a number" of SCPI (1999, volume 1, 7.2.1.4 and 7.2.1.5), the last one is of parameter analysers."""
OVERLOAD_TOLERANCE = 1e-5  # relative; instruments print six digits
TRUTH = {"true": 1.0, "false": 0.0}
WITH_COMMA = re.compile(r"[+\-−]?\d*,\d+(?:[eE][+-]?\d+)?")
WITH_POINT = re.compile(r"[+\-−]?\d*\.\d+(?:[eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+\-−]?[1-9]\d{0,2}(?:,\d{3})+")  # 1,234 may be 1234
PERCENT = re.compile(r"[^%]*\d\s*%")
SHOWN = 40  # characters of a cell in a message


def is_missing(cell: str) -> bool:
    """Whether a cell is empty or holds a word that means a missing value.

    >>> is_missing(" n.a. "), is_missing("0")
    (True, False)
    """
    return cell.strip().lower() in MISSING


def is_overload(value: float) -> bool:
    """Whether a number is the reading of an instrument beyond its range.

    >>> is_overload(-9.91e37), is_overload(9.9e36)
    (True, False)
    """
    size = abs(value)
    return any(abs(size - mark) <= OVERLOAD_TOLERANCE * mark for mark in OVERLOADS)


def overloads(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values are overloads or infinite; bool, as many as values."""
    found = np.zeros(values.shape, bool)
    large = np.abs(values) >= min(OVERLOADS) * (1 - OVERLOAD_TOLERANCE)
    if large.any():
        found[large] = [is_overload(v) or math.isinf(v) for v in values[large].tolist()]
    return found


def number(cell: str, decimal_comma: bool = False) -> float | None:
    """The number in a cell, infinities included; None where there is none.

    ``decimal_comma``: a comma separates the decimals. Python's 1_000 is no number here.

    >>> number(" 1.5e-6 "), number("1,5", decimal_comma=True), number("1,5")
    (1.5e-06, 1.5, None)
    """
    text = cell.strip()
    if decimal_comma and "," in text:
        if not WITH_COMMA.fullmatch(text):
            return None
        text = text.replace(",", ".")
    if "_" in text:
        return None
    try:
        value = float(text.replace("−", "-"))
    except ValueError:
        return None
    return None if math.isnan(value) else value


def value_of(cell: str, decimal_comma: bool = False) -> float | None:
    """As ``number``; True and False, in any case, are 1 and 0."""
    value = number(cell, decimal_comma)
    return TRUTH.get(cell.strip().lower()) if value is None else value


def shown(cell: str) -> str:
    """A cell as a message quotes it."""
    return repr(cell if len(cell) <= SHOWN else f"{cell[:SHOWN]}…")


def not_a_number(cell: str) -> str:
    """Why a cell that is not missing is no number, for a message."""
    text = cell.strip()
    if THOUSANDS.fullmatch(text):
        return (
            f"{shown(cell)} has separators of thousands or decimals; write it without them, "
            "with a point for the decimals"
        )
    if WITH_COMMA.fullmatch(text):
        return f"{shown(cell)} has a decimal comma; write it with a point"
    if PERCENT.fullmatch(text):
        return f"{shown(cell)} is not a number; remove the % sign in the whole column"
    return f"{shown(cell)} is not a number"
