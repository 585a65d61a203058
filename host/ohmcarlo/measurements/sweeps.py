"""Sweeps: which pulses belong together, and which sweeps are left out.

A sweep is a run of pulses of one device with rising voltage. It ends when the device has reached
its final conductance, or at the highest voltage. A sweep with a reading that cannot be used is left
out as a whole: if only the bad reading was left out, the readings at its voltage would be a
selection by conductance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .quantities import SWEPT_LINES
from .readings import Readings, names_in_order
from .recording import FloatArray, IntArray
from .screening import OVERLOAD

TRIANGLE_SHARE, HALF_SHARE = 0.8, 0.25  # of the steps: by one voltage; upwards and downwards
LEAST_FALLS = 3  # steps downwards without a turn, on average
FALLING, FALLING_SHARE = 0.7, 0.2  # upper over lower half of a RESET sweep; share of such sweeps
RISING_SHARE = 0.5  # of the steps of a device, which rise in a sweep
GRID_SHARE = 0.5  # of the pulses at a higher voltage, which a voltage of the sweep has at least
OVERLOADED_SHARE = 0.1  # of the readings at a voltage, above which the voltage is left out
INTERLEAVED_SHARE = 0.5  # of the steps of a device, which then lie between those of others
CELL_SHARE = 0.5  # of the readings of a cell: a cell with more overloads is lost as a whole
VOLT_DIGITS, TARGET_DIGITS = 3, 9

ONE_POINT = "sweeps that ended at their first voltage (the cell had not been reset)"
LATE = "sweeps that do not begin at the first voltage"
GAPS = "sweeps that skip a voltage"
SPOILT = "sweeps with a reading that cannot be used"
OFF_GRID = "voltages that most sweeps skip"
OVERLOADED = "voltages at which many readings are overloads"
RESETS = "RESET sweeps"
FEW = "cells with fewer sweeps than most"


def rounded(values: FloatArray, level: str) -> FloatArray:
    """Levels on the grid of a file: voltages in mV, targets to nine digits."""
    if level in SWEPT_LINES:
        scale = 10.0**VOLT_DIGITS
        return np.rint(values * scale) / scale
    magnitude = 10.0 ** np.floor(np.log10(np.maximum(np.abs(values), 1e-12)))
    step = magnitude * 10.0 ** (1 - TARGET_DIGITS)
    return np.rint(values / step) * step


@dataclass(frozen=True, eq=False)
class Runs:
    """Sweeps of the readings, in the order of devices: all arrays have an entry a sweep.

    Attributes
    ----------
    of : int (n,)
        Sweep of each reading.
    device, first, points : int
        Index of the device and of the first level; number of readings.
    last : int
        Index of the last level.
    """

    of: IntArray
    device: IntArray
    first: IntArray
    last: IntArray
    points: IntArray


def rising_half(readings: Readings, level: str) -> Readings:
    """Readings without the falling half of sweeps that go up and down again.

    A pulse that follows a higher one does not start from a lower state.
    """
    if level not in SWEPT_LINES or len(readings) < 2:
        return readings
    _, index = np.unique(rounded(readings.quantities[level], level), return_inverse=True)
    _, device = names_in_order(readings.device)
    order = np.argsort(device, kind="stable")
    steps, same = np.diff(index[order]), np.diff(device[order]) == 0
    falls, inside = (steps < 0) & same, max(int(same.sum()), 1)
    single = (np.abs(steps) <= 1) & same
    turns = int((falls & ~np.concatenate([[False], falls[:-1]])).sum())
    if (
        single.sum() < TRIANGLE_SHARE * inside
        or not HALF_SHARE * inside < falls.sum() < (1 - HALF_SHARE) * inside
        or falls.sum() < LEAST_FALLS * turns
    ):
        return readings
    dropped = np.zeros(len(order), bool)
    dropped[order[1:][falls]] = True
    return readings.without(dropped, "the falling half of sweeps")


def is_swept(readings: Readings, level: str) -> bool:
    """Whether the level is a voltage that mostly rises from pulse to pulse of a device."""
    if level not in SWEPT_LINES or len(readings) < 2:
        return False
    _, device = names_in_order(readings.device)
    order = np.argsort(device, kind="stable")
    steps = np.diff(rounded(readings.quantities[level], level)[order])
    same = np.diff(device[order]) == 0
    return bool(same.any()) and float((steps[same] > 0).mean()) > RISING_SHARE


def _runs(readings: Readings, index: IntArray) -> Runs:
    """The sweeps, for levels with this index."""
    _, device = names_in_order(readings.device)
    order = np.argsort(device, kind="stable")
    steps, same = np.diff(index[order]), np.diff(device[order]) == 0
    apart = _interrupted(order, same)
    begins = np.concatenate([[True], ~same | (steps <= 0) | _next_cycle(readings, order) | apart])
    number = np.cumsum(begins) - 1
    of = np.empty(len(order), np.int64)
    of[order] = number
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], len(order)) - 1
    at = index[order]
    return Runs(of, device[order][starts], at[starts], at[ends], ends - starts + 1)


def _interrupted(order: IntArray, same: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Steps of a device over lines of other devices, in a file that is written device by device."""
    apart = (np.diff(order) != 1) & same
    return apart if apart.sum() < INTERLEAVED_SHARE * max(same.sum(), 1) else np.zeros_like(apart)


def _next_cycle(readings: Readings, order: IntArray) -> NDArray[np.bool_]:
    """Steps at which the number of the sweep in the file changes; none if it counts pulses."""
    cycle = readings.cycle[order]
    changes = np.diff(cycle) != 0
    return changes if changes.mean() < RISING_SHARE else np.zeros_like(changes)


def arranged_sweeps(readings: Readings, level: str) -> tuple[Readings, IntArray]:
    """The readings of usable sweeps, and the number of the sweep in its device, from 0."""
    readings = _on_grid(readings, level)
    values, index = np.unique(rounded(readings.quantities[level], level), return_inverse=True)
    if len(values) < 2:
        return readings, np.zeros(len(readings), np.int64)
    runs = _runs(readings, index)
    longer = runs.points > 1
    start = int(np.bincount(runs.first[longer] if longer.any() else runs.first).argmax())
    if start > 0:  # a voltage below that many sweeps do not have
        below = f"{OFF_GRID} (below {values[start]:g} V)"
        return arranged_sweeps(readings.without(index < start, below), level)
    reason = _reasons(readings, runs)
    counts = runs.first == 0  # the others do not count as sweeps of their cell
    number = _rank_in_device(runs.device, counts)
    few = _few(runs.device, counts)
    reason[few & (reason == "")] = FEW
    kept, cycle = reason[runs.of] == "", number[runs.of]
    for word in (ONE_POINT, LATE, GAPS, SPOILT, RESETS, FEW):
        readings = readings.noted_by_device(reason[runs.of] == word, word)
    return readings.only(kept), cycle[kept]


def _reasons(readings: Readings, runs: Runs) -> NDArray[np.str_]:
    """Why each sweep is left out; empty if it is not."""
    reason = np.full(len(runs.points), "", "U80")
    spoilt = np.bincount(runs.of, readings.problem != "", len(reason)) > 0
    reason[runs.points <= runs.last - runs.first] = GAPS
    reason[spoilt] = SPOILT
    reason[_falling(readings, runs)] = RESETS
    reason[runs.first > 0] = LATE
    reason[(runs.points == 1) & (runs.first == 0)] = ONE_POINT
    return reason


def _falling(readings: Readings, runs: Runs) -> NDArray[np.bool_]:
    """Sweeps whose conductance falls, if they are so many that they are no accident."""
    order = np.argsort(runs.of, kind="stable")
    rank = np.empty(len(order), np.int64)
    starts = np.cumsum(runs.points) - runs.points
    rank[order] = np.arange(len(order)) - starts[runs.of[order]]
    upper = rank >= runs.points[runs.of] / 2
    g = np.where(readings.problem == "", readings.after_us, 0.0)
    means = [
        np.bincount(runs.of, g * part, len(runs.points))
        / np.maximum(np.bincount(runs.of, part, len(runs.points)), 1)
        for part in (~upper, upper)
    ]
    falling = (means[1] < FALLING * means[0]) & (runs.points > 2)
    longer = max(int((runs.points > 2).sum()), 1)
    return falling if FALLING_SHARE * longer < falling.sum() < longer else np.zeros_like(falling)


def _rank_in_device(device: IntArray, counts: NDArray[np.bool_]) -> IntArray:
    """Number of each sweep among those of its device that count."""
    total = np.cumsum(counts) - 1
    base = np.zeros(int(device.max()) + 1, np.int64)
    begins = np.flatnonzero(np.diff(device, prepend=-1) != 0)
    base[device[begins]] = total[begins] - counts[begins] + 1
    return np.maximum(total - base[device], 0)


def _few(device: IntArray, counts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Sweeps of the devices with fewer sweeps than half of the devices have."""
    number = np.bincount(device, counts)
    there = np.unique(device)
    usual = int(np.median(number[there]))
    return number[device] < usual


def _on_grid(readings: Readings, level: str) -> Readings:
    """The readings at voltages that the sweeps share, and at which an instrument can read."""
    for unusual, reason in ((_overloaded, OVERLOADED), (_skipped, OFF_GRID)):
        at = rounded(readings.quantities[level], level)
        values, index = np.unique(at, return_inverse=True)
        odd = unusual(readings, index)
        volts = ", ".join(f"{v:g} V" for v in values[odd][:4]) + (", …" if odd.sum() > 4 else "")
        readings = readings.without(odd[index], f"{reason} ({volts})")
    return readings


def _overloaded(readings: Readings, index: IntArray) -> NDArray[np.bool_]:
    """Voltages with many overloads, without the cells that mostly have overloads."""
    over = readings.problem == OVERLOAD
    _, device = names_in_order(readings.device)
    reads = np.bincount(device, over)[device] <= CELL_SHARE * np.bincount(device)[device]
    pulses = np.bincount(index, reads)
    return np.bincount(index, over & reads) > OVERLOADED_SHARE * pulses


def _skipped(readings: Readings, index: IntArray) -> NDArray[np.bool_]:
    """Voltages with far fewer pulses than a higher one, which sweeps reach through them."""
    pulses = np.bincount(index)
    above = np.append(np.maximum.accumulate(pulses[::-1])[::-1][1:], 0)
    return pulses < GRID_SHARE * above


def arranged_repeats(readings: Readings, level: str) -> tuple[Readings, IntArray]:
    """The usable readings, and the number of each one among those of its device and level."""
    for word in sorted({str(w) for w in readings.problem if w}):
        readings = readings.noted_by_device(readings.problem == word, word)
    readings = readings.only(readings.problem == "")
    if not len(readings):
        return readings, np.zeros(0, np.int64)
    _, device = names_in_order(readings.device)
    values, index = np.unique(rounded(readings.quantities[level], level), return_inverse=True)
    key = device * len(values) + index
    order = np.argsort(key, kind="stable")
    begins = np.flatnonzero(np.diff(key[order], prepend=-1) != 0)
    sizes = np.diff(np.append(begins, len(order)))
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order)) - np.repeat(begins, sizes)
    return readings, number
