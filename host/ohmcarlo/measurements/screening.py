"""Readings that cannot be used, open cells, and the direction of a sweep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..readable import count
from .quantities import QUANTITIES, SWEPT_LINES, TARGET
from .readings import Readings, names_in_order
from .recording import FloatArray

RISES, FALLS, LEVEL = "rises", "falls", "level"
SIGNIFICANT = 0.05  # change over the levels, fraction of the mean, that counts as a direction
DEVICES_SHARE = 0.5  # of the devices, which must agree
PLAUSIBLE_US = (0.05, 5000.0)  # range of the higher conductances of a recording
HIGH = 0.95  # quantile that must be plausible
OPEN_SHARE = 0.01  # of the usual highest conductance of a device: below it a cell is open
BAD_SHARE = 0.2  # of the lines, which may be unreadable
OFFSET_SHARE = 0.02  # of the median: a smaller negative conductance is an offset of the instrument
SET, RESET = "SET", "RESET"
OVERLOAD, NO_VALUE = "instrument overload", "no value"
NEGATIVE = "negative conductance"
BEYOND = "a conductance that no device has"
TARGET_RATIO = 20.0  # of conductance and target: beyond, their units differ
LARGEST_US = 1e8  # no single reading is larger


def only_set(readings: Readings) -> Readings:
    """SET pulses, where the file names the operation of each pulse."""
    named = readings.operation
    if not (named != "").any():
        return readings
    if not (named == SET).any():
        kinds = ", ".join(sorted({str(word) for word in named if word}))
        raise UsageError(f"{readings.source} holds no SET pulse: its pulses are {kinds}")
    for word in sorted({str(word) for word in named} - {SET}):
        readings = readings.without(readings.operation == word, f"{word or 'unnamed'} pulses")
    return readings


def one_polarity(readings: Readings, level: str) -> Readings:
    """Pulses of the sign of the voltage that sets; the other one resets.

    Levels are magnitudes afterwards.
    """
    if level not in SWEPT_LINES:
        return readings
    values = readings.quantities[level]
    for sign, name in ((1, "positive"), (-1, "negative")):
        part = readings.only(sign * values > 0)
        others = sign * values < 0
        if not len(part) or (sign > 0 and not others.any()):
            continue
        if direction(part, np.abs(part.quantities[level])) == FALLS and others.any():
            continue
        kept = readings.without(others, f"pulses of the other polarity than {name}")
        quantities = {**kept.quantities, level: np.abs(kept.quantities[level])}
        return _with(kept, quantities).noting(f"{name} voltages" if others.any() else "")
    return readings


def _with(readings: Readings, quantities: dict[str, FloatArray]) -> Readings:
    return replace(readings, quantities=quantities)


def marked(readings: Readings) -> Readings:
    """The readings with a problem noted for every conductance that is none.

    Raises UsageError, with the first line, where too many lines cannot be read.
    """
    after, problem = readings.after_us.copy(), readings.problem.copy()
    problem[np.isnan(after) & (problem == "")] = NO_VALUE
    positive = after[after > 0]
    offset = OFFSET_SHARE * float(np.median(positive)) if len(positive) else 0.0
    small = (after < 0) & (after > -offset)
    after[small] = 0.0
    problem[(after < 0) & (problem == "")] = NEGATIVE
    beyond = after > LARGEST_US
    problem[beyond & (problem == "")] = BEYOND
    after[beyond] = np.nan
    readings = replace(readings, after_us=after, problem=problem)
    unreadable = (problem != "") & (problem != OVERLOAD) & (problem != NO_VALUE)
    if unreadable.sum() > BAD_SHARE * len(readings):
        raise _first_problem(readings, unreadable)
    if len(readings) and (problem != "").all():
        raise _first_problem(readings, problem != "")
    return readings.noting(f"{int(small.sum())} small negative conductances set to 0"
                           if small.any() else "")  # fmt: skip


def _first_problem(readings: Readings, bad: NDArray[np.bool_]) -> UsageError:
    first = int(np.flatnonzero(bad)[0])
    problem = readings.problem[first]
    value = f" ({readings.after_us[first]:g} µS)" if problem == NEGATIVE else ""
    return UsageError(
        f"{readings.source}, line {readings.line[first]}"
        f"{', ' if problem.startswith('column') else ': '}{problem}{value}, the first of "
        f"{count(int(bad.sum()), 'line')} of {len(readings)} that cannot be used"
    )


def open_cells(readings: Readings) -> tuple[Readings, tuple[str, ...]]:
    """The readings of devices that conduct, and the other devices.

    A cell is open if none of its readings can be used, or if it conducts far less than others.
    """
    everyone, _ = names_in_order(readings.device)
    good = readings.only(readings.problem == "")
    dead = {*_never_conducting(good).tolist(), *(set(everyone) - set(good.device.tolist()))}
    if dead:
        dropped = np.isin(readings.device, sorted(dead))
        readings = readings.noted_by_device(dropped, "open cell").only(~dropped)
    return readings, tuple(name for name in everyone if name in dead)


def _never_conducting(readings: Readings) -> NDArray[np.str_]:
    """Devices that never conduct, compared with the others."""
    if not len(readings):
        return np.empty(0, "U1")
    names, index = np.unique(readings.device, return_inverse=True)
    highest = np.zeros(len(names))
    np.maximum.at(highest, index, readings.after_us)
    typical = float(np.median(highest[highest > 0])) if (highest > 0).any() else 0.0
    return names[highest < OPEN_SHARE * typical]


def check_range(readings: Readings) -> None:
    """Raise UsageError unless the conductances are those of a device, so that the unit is right."""
    if not len(readings):
        raise UsageError(f"{readings.source} holds no usable pulse")
    high = float(np.quantile(readings.after_us, HIGH))
    low = float(np.quantile(readings.after_us, 1 - HIGH))
    if high == 0:
        raise UsageError(f"{readings.source}: all conductances are 0: check the column")
    if not PLAUSIBLE_US[0] <= high <= PLAUSIBLE_US[1]:
        raise UsageError(
            f"{readings.source}: conductances from {low:.3g} to {high:.3g} µS found "
            f"({_ohm(high)} to {_ohm(low)}); those of a device reach {PLAUSIBLE_US[0]:g} to "
            f"{PLAUSIBLE_US[1]:g} µS. Name the unit in the header, as in g (S) or R (kOhm)"
        )


def check_targets(readings: Readings) -> None:
    """Raise UsageError if conductances and targets are not in the same unit."""
    target, after = readings.quantities[TARGET], readings.after_us
    ratio = float(np.median(after / np.maximum(target, 1e-9))) if len(after) else 1.0
    if 1 / TARGET_RATIO < ratio < TARGET_RATIO:
        return
    raise UsageError(
        f"{readings.source}: conductances from {np.min(after):.3g} to {np.max(after):.3g} µS at "
        f"targets from {np.min(target):.3g} to {np.max(target):.3g} µS: name the units of both in "
        "the header, as in target (uS) and g (mS)"
    )


def _ohm(g_us: float) -> str:
    return f"{1e6 / g_us:.3g} ohm" if g_us > 0 else "open"


def direction(readings: Readings, level: FloatArray) -> str:
    """Whether the conductance rises or falls with the level, in most devices."""
    below, above = _halves(readings, level)
    if not len(below):
        return LEVEL
    change = (above - below) / np.maximum((above + below) / 2, 1e-9)
    if (change > 0).mean() >= DEVICES_SHARE and np.median(change) > SIGNIFICANT:
        return RISES
    if (change < 0).mean() >= DEVICES_SHARE and np.median(change) < -SIGNIFICANT:
        return FALLS
    return LEVEL


def _halves(readings: Readings, level: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean conductance of each device over the lower and over the upper half of its levels."""
    known = np.isfinite(readings.after_us) & np.isfinite(level)
    after, level = readings.after_us[known], level[known]
    names, index = np.unique(readings.device[known], return_inverse=True)
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    np.minimum.at(low, index, level)
    np.maximum.at(high, index, level)
    upper = level >= ((low + high) / 2)[index]
    sums = [np.bincount(index[part], after[part], len(names)) for part in (~upper, upper)]
    numbers = [np.bincount(index[part], minlength=len(names)) for part in (~upper, upper)]
    both = (numbers[0] > 0) & (numbers[1] > 0)
    below, above = (s[both] / n[both] for s, n in zip(sums, numbers, strict=True))
    return below, above


def check_direction(readings: Readings, level: str) -> None:
    """Raise UsageError for a RESET sweep, whose conductance falls as its level rises."""
    values = readings.quantities[level]
    if direction(readings, values) != FALLS:
        return
    below, above = _halves(readings, values)
    quantity = QUANTITIES[level]
    assumed = any("µS (assumed)" in phrase for phrase in readings.recognised)
    hint = "; if these are resistances, name the unit in the header, as in R (kOhm)" * assumed
    what = "a RESET sweep" if level in SWEPT_LINES else "no SET pulses"
    raise UsageError(
        f"{readings.source} holds {what}: the conductance falls as the {quantity.words} rises from "
        f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g} {quantity.unit}, from a mean of "
        f"{np.median(below):.3g} µS over the lower half to {np.median(above):.3g} µS over the "
        f"upper half. Give SET pulses, whose conductance rises with the target or the voltage{hint}"
    )
