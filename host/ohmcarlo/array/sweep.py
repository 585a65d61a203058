"""Repeats of real cells by programming level, from a recording of measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..measurements.quantities import QUANTITIES, WORD_LINE
from ..measurements.reading import read_recording
from ..measurements.recording import VOLT, Recording
from ..readable import count

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
MIN_SWEEPS = 4  # half of fewer shows no spread
MOST_CELLS = 0.5  # of the cells, which have enough repeats at a level that is used


@dataclass(frozen=True, eq=False)
class Sweep:
    """The repeats of a recording by cell, level and sweep.

    Attributes
    ----------
    volts : float (levels,)
        Word-line voltages (V), rising; or another swept voltage, or targets (µS).
    set_us : float (cells, levels, sweeps)
        Conductance (µS) after the SET; NaN where a sweep had ended or has no such level. A cell
        with fewer sweeps has them first.
    before_us : float (cells, levels, sweeps)
        Conductance (µS) before it; NaN where it was not measured.
    top : int (cells,)
        Highest level index up to which *every* sweep of the cell has a value. A sweep ends when
        the cell has reached its final conductance. The values beyond are therefore biased towards
        low conductance, and are not used.
    names : tuple of str (cells,)
    word_line : bool
        The levels are word-line voltages.
    """

    volts: FloatArray
    set_us: FloatArray
    before_us: FloatArray
    top: IntArray
    names: tuple[str, ...] = ()
    word_line: bool = True

    @property
    def cells(self) -> int:
        return self.set_us.shape[0]

    @property
    def sweeps(self) -> int:
        """The largest number of sweeps of a cell."""
        return self.set_us.shape[2]

    @property
    def counts(self) -> IntArray:
        """Number of sweeps of each cell, (cells,)."""
        return np.isfinite(self.set_us[:, 0]).sum(axis=1)

    @classmethod
    def of(cls, recording: Recording) -> Sweep:
        """Arrange a recording.

        Cells are in numerical order if their names are numbers. Cells with fewer than two levels
        that all their sweeps cover are left out. Raises UsageError, with the number that is needed,
        when too few repeats or cells are left.
        """
        device = _numbered(recording)
        volts, level = np.unique(recording.level, return_inverse=True)
        cells = len(recording.devices)
        if is_swept(recording, device, level):
            levels, kept, sweeps = np.arange(len(volts)), *_whole_sweeps(recording, device)
        else:
            levels, sweeps = _repeated(recording, device, level, len(volts))
            kept = (recording.cycle < sweeps) & np.isin(level, levels)
        place = np.searchsorted(levels, level)
        shape = (cells, len(levels), sweeps)
        cycle = _compact(device[kept], recording.cycle[kept])
        after, before = np.full(shape, np.nan), np.full(shape, np.nan)
        where = (device[kept], place[kept], cycle)
        after[where] = recording.after_us[kept]
        before[where] = recording.before_us[kept]
        names = np.empty(cells, object)
        names[device] = np.array(recording.devices, object)[recording.device]
        return _checked(recording, volts[levels], after, before, names)


def load_sweep(path: str | Path, where: Mapping[str, str] | None = None) -> Sweep:
    """The repeats in a file of measurements; see ``read_recording`` and ``Sweep.of``."""
    return Sweep.of(read_recording(path, where))


def _numbered(recording: Recording) -> IntArray:
    """Index of the cell of each pulse; in numerical order of the names if they are numbers."""
    try:
        numbers = [float(name) for name in recording.devices]
    except ValueError:
        return recording.device
    rank = np.empty(len(numbers), np.int64)
    rank[np.argsort(numbers, kind="stable")] = np.arange(len(numbers))
    return rank[recording.device]


def is_swept(recording: Recording, device: IntArray, level: IntArray) -> bool:
    """Whether the levels of each cycle of a device rise one after the other."""
    if recording.unit != VOLT:
        return False
    order = np.argsort(device, kind="stable")
    same = np.diff(device[order]) == 0
    cycle, step = np.diff(recording.cycle[order]), np.diff(level[order])
    return bool(((cycle > 0) | ((cycle == 0) & (step > 0)))[same].all())


def _whole_sweeps(recording: Recording, device: IntArray) -> tuple[NDArray[np.bool_], int]:
    """Pulses of the sweeps that are used, and their number in most cells."""
    last = np.zeros(len(recording.devices), np.int64)
    np.maximum.at(last, device, recording.cycle)
    sweeps = int(np.median(last + 1))
    _enough(recording, sweeps, "sweep", "per cell")
    return recording.cycle < sweeps, sweeps


def _repeated(
    recording: Recording, device: IntArray, level: IntArray, levels: int
) -> tuple[IntArray, int]:
    """Levels and number of repeats that keep most pulses."""
    number = np.zeros((len(recording.devices), levels), np.int64)
    np.add.at(number, (device, level), 1)
    best, most = (np.arange(levels), 0), 0
    for repeats in np.unique(number[number >= MIN_SWEEPS]).tolist():
        used = np.flatnonzero((number >= repeats).mean(axis=0) >= MOST_CELLS)
        top = np.cumprod(number[:, used] >= repeats, axis=1).sum(axis=1)
        pulses = repeats * int(top[top > 1].sum())
        if pulses > most:
            best, most = (used, repeats), pulses
    if not most:
        _enough(recording, int(np.median(number[number > 0])), "repeat", "of a device at a level")
        raise _no_cell(recording, MIN_SWEEPS)
    return best


def _enough(recording: Recording, repeats: int, noun: str, of: str) -> None:
    if repeats < MIN_SWEEPS:
        raise UsageError(
            f"{recording.source}: {count(repeats, noun)} {of} {'is' if repeats == 1 else 'are'} "
            f"too few to draw from: at least {MIN_SWEEPS} are needed{_own_targets(recording)}"
        )


def _own_targets(recording: Recording) -> str:
    """A remedy for targets that were measured."""
    own = recording.unit != VOLT and len(np.unique(recording.level)) > len(recording) / 2
    return "; give the target that was programmed, not a measured one" if own else ""


def _no_cell(recording: Recording, sweeps: int) -> UsageError:
    levels = "voltages" if recording.unit == VOLT else "targets"
    return UsageError(
        f"{recording.source}: no cell has two {levels} that all its {sweeps} sweeps cover"
    )


def _compact(device: IntArray, cycle: IntArray) -> IntArray:
    """Cycles of each device numbered without gaps."""
    step = int(cycle.max(initial=0)) + 1
    keys, index = np.unique(device * step + cycle, return_inverse=True)
    owner = keys // step
    first = np.searchsorted(owner, owner)
    return (np.arange(len(keys)) - first)[index]


def _checked(
    recording: Recording,
    volts: FloatArray,
    after: FloatArray,
    before: FloatArray,
    names: NDArray[np.object_],
) -> Sweep:
    there = np.isfinite(after)
    counts = there.any(axis=1).sum(axis=1)  # sweeps of each cell
    spare = np.arange(after.shape[2]) >= counts[:, None]
    complete = (there | spare[:, None]).all(axis=2)
    top = np.cumprod(complete, axis=1).sum(axis=1) - 1
    usable = (top >= 1) & (counts >= min(MIN_SWEEPS, after.shape[2]))
    if not usable.any():
        raise _no_cell(recording, after.shape[2])
    used = tuple(names[usable].tolist())
    word_line = recording.swept == QUANTITIES[WORD_LINE].words
    return Sweep(volts, after[usable], before[usable], top[usable], used, word_line)
