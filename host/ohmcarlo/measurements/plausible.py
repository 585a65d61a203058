"""Faults of a whole file that single readings do not show: units, swapped columns, copied lines."""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from .quantities import QUANTITIES, SWEPT_LINES, WIDTH
from .readings import Readings, names_in_order
from .recording import FloatArray, IntArray

VOLTS = 20.0  # no line of a device has more
WIDTH_NS = (0.01, 1e10)  # of a pulse
NORMALISED = 1.2  # µS: conductances without a unit below it are normalised, or in mS
SAME_STATE, OTHER_STATE = 0.02, 0.05  # |ln| of two readings of one state, and of two states
COPIED_SHARE = 0.05  # of the lines, of which fewer equal lines are chance
MOST_COPIES = 3  # of a line; more are repeats of a device without noise
BLOCK = 10  # lines of a block of copies, if the distance to the originals is long
ONE_DISTANCE = 0.8  # of the copies, which have the same distance to their original


def check_units(readings: Readings) -> None:
    """Raise UsageError for voltages and pulse widths that no device has."""
    for name in (*SWEPT_LINES, WIDTH):
        if name in readings.quantities:
            _check_condition(readings, name)


def check_normalised(readings: Readings) -> None:
    """Raise UsageError for conductances without a unit that are too low for µS."""
    known = readings.after_us[readings.problem == ""]
    high = float(np.quantile(known, 0.95)) if len(known) else 0.0
    if 0 < high <= NORMALISED and any("µS (assumed)" in word for word in readings.recognised):
        raise UsageError(
            f"{readings.source}: conductances from {known.min():.3g} to {known.max():.3g} without "
            "a unit: they may be normalised, or in mS. Give conductances with their unit in the "
            "header, as in g (uS) or g (mS)"
        )


def _check_condition(readings: Readings, name: str) -> None:
    values, quantity = np.abs(readings.quantities[name]), QUANTITIES[name]
    known = values[np.isfinite(values)]
    low, high = WIDTH_NS if name == WIDTH else (0.0, VOLTS)
    if not len(known) or low <= float(np.median(known)) <= high:
        return
    column, _, unit = quantity.header.rpartition(" ")
    other = "(s)" if name == WIDTH else unit.replace("(", "(m")
    raise UsageError(
        f"{readings.source}: {quantity.words} from {known.min():.4g} to {known.max():.4g} "
        f"{quantity.unit} found, {low:g} to {high:g} {quantity.unit} expected. Name the unit in "
        f"the header, as in {column} {other}"
    )


def check_order(readings: Readings) -> None:
    """Raise UsageError if the states before and after the pulses are swapped.

    A pulse starts from the state that the pulse before has left.
    """
    order = np.argsort(names_in_order(readings.device)[1], kind="stable")
    same = readings.device[order][1:] == readings.device[order][:-1]
    before, after = readings.before_us[order], readings.after_us[order]
    as_written = _distance(after[:-1][same], before[1:][same])
    swapped = _distance(before[:-1][same], after[1:][same])
    if as_written > OTHER_STATE and swapped < SAME_STATE:
        raise UsageError(
            f"{readings.source}: the state before a pulse equals that after the next pulse. The "
            "columns of the states before and after are swapped, or the lines are in reversed "
            "order: exchange the columns, or sort the lines by time"
        )


def _distance(a: FloatArray, b: FloatArray) -> float:
    """Median |ln| of the ratio of two conductances; NaN without any."""
    good = (a > 0) & (b > 0) & np.isfinite(a) & np.isfinite(b)
    return float(np.median(np.abs(np.log(a[good] / b[good])))) if good.any() else np.nan


def without_copies(readings: Readings) -> Readings:
    """The readings without lines that are copies of other lines, as in a file that was pasted
    twice.

    A copy is equal in all columns, and nearly all copies have one distance to their originals. They
    follow their originals, or lie in blocks.
    """
    _, index, number = np.unique(readings.after_us, return_inverse=True, return_counts=True)
    often = np.flatnonzero((number[index] > 1) & np.isfinite(readings.after_us))
    if len(often) < COPIED_SHARE * len(readings):
        return readings
    columns = _columns(readings.only(often))
    order = np.lexsort((often, *columns))
    equal = np.all([column[order][1:] == column[order][:-1] for column in columns], axis=0)
    if equal.sum() < max(COPIED_SHARE * len(readings), 2) or _longest(equal) >= MOST_COPIES:
        return readings
    places = often[order]
    distance, number = np.unique(np.diff(places)[equal], return_counts=True)
    copies = np.zeros(len(readings), bool)
    copies[places[1:][equal]] = True
    usual = int(distance[number.argmax()])
    blocks = int((np.diff(copies.astype(int), prepend=0) == 1).sum())
    alone = usual > 1 and copies.sum() < blocks * min(usual / 2, BLOCK)
    if number.max() < ONE_DISTANCE * equal.sum() or alone:
        return readings
    return readings.without(copies, "copies of other lines")


def _columns(readings: Readings) -> list[FloatArray | IntArray]:
    """Every column as numbers, with equal numbers for equal cells."""
    words = (readings.device, readings.operation.astype(str), *readings.labels.values())
    numbers = (readings.before_us, *readings.quantities.values(), readings.after_us)
    return [
        *(names_in_order(cells)[1] for cells in words),
        readings.cycle,
        readings.read,
        *(np.where(np.isnan(values), -1.0, values) for values in numbers),
    ]


def _longest(flags: np.ndarray) -> int:
    """The longest run of True."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return int((ends[1::2] - ends[::2]).max(initial=0))
