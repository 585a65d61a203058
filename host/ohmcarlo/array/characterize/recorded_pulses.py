"""Pulses for the fit, from a recording of measurements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...measurements.recording import VOLT, Recording
from ..presets import RESET_LIMIT_US
from ..sweep import IntArray, is_swept
from .estimates import ABSENT, Estimate, Pulses

SWEEP_LOWEST_US = 44.0  # lower medians are hardly SET,
SWEEP_LOWEST_REL = 0.3  # if they are also below this fraction of the highest median
SWEEP_SHARE = 0.5  # of the cells that must have a voltage
MOST_PULSES = 50_000_000  # places of a table of pulses by device
SAME = 1e-6  # relative difference of two conductances that are one reading


def pulses_of(recording: Recording) -> Pulses:
    """The pulses of a recording: all targets, or the voltages that set most of the cells.

    Pulses at voltages that are left out become ABSENT, so that the pulses of a device are counted
    over all of its voltages.
    """
    levels, level = np.unique(recording.level, return_inverse=True)
    notes: list[str] = []
    if recording.unit == VOLT:
        used, level = _that_set(recording, level, len(levels))
        if len(used) < len(levels):
            kept = f"{len(used)} of {len(levels)} voltages SET most of the devices"
            notes.append(f"{kept}: the others are left out")
        levels = levels[used]
    if np.bincount(recording.device).max() > (most := _most_pulses(recording)):
        notes.append(f"only the first {most:,} pulses of a device are used")
    return Pulses(
        levels,
        _by_device(recording, level, ABSENT),
        _by_device(recording, recording.after_us, 0),
        unit=recording.unit,
        read_noise_rel=_noise(recording),
        devices=recording.devices,
        notes=tuple(notes),
    )


def _that_set(recording: Recording, level: IntArray, levels: int) -> tuple[IntArray, IntArray]:
    """The voltages that set most of the cells, and the index of the one of each pulse among them.

    A sweep ends when its cell has reached its final conductance, so that what other sweeps of the
    cell reach beyond is biased. A reading that is missing within a sweep costs that reading alone.
    """
    device, devices = recording.device, len(recording.devices)
    end = np.full(devices, levels)
    if is_swept(recording, device, level):
        last = np.full((devices, int(recording.cycle.max()) + 1), -1)
        np.maximum.at(last, (device, recording.cycle), level)
        end = np.where(last < 0, levels, last).min(axis=1)
    whole = level <= end[device]
    number, total = np.zeros((2, levels, devices))
    np.add.at(number, (level[whole], device[whole]), 1)
    np.add.at(total, (level[whole], device[whole]), recording.after_us[whole])
    means = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    seen = np.isfinite(means).any(axis=1)
    typical = np.zeros(levels)
    typical[seen] = np.nanmedian(means[seen], axis=1)
    lowest = min(SWEEP_LOWEST_US, SWEEP_LOWEST_REL * typical.max())
    used = np.flatnonzero((typical >= lowest) & ((number > 0).mean(axis=1) >= SWEEP_SHARE))
    place = np.full(levels, ABSENT)
    place[used] = np.arange(len(used))
    return used, np.where(whole, place[level], ABSENT)


def _noise(recording: Recording) -> Estimate | None:
    noise = recording.read_noise_rel
    return None if noise is None else Estimate(noise, None, None, "fraction of g")


def _by_device(recording: Recording, values: NDArray, fill: float) -> NDArray:
    """Values of the pulses in the order of each device, (pulses, devices).

    Of a device with very many pulses the first ones, ``_most_pulses``.
    """
    number = np.bincount(recording.device, minlength=len(recording.devices))
    longest = min(int(number.max(initial=0)), _most_pulses(recording))
    out = np.full((longest, len(number)), fill, values.dtype)
    order = np.argsort(recording.device, kind="stable")
    start = np.cumsum(number) - number
    pulse = np.arange(len(order)) - np.repeat(start, number)
    kept = pulse < longest
    out[pulse[kept], recording.device[order][kept]] = values[order][kept]
    return out


def _most_pulses(recording: Recording) -> int:
    """Number of pulses of each device that a fit uses."""
    return max(MOST_PULSES // max(len(recording.devices), 1), 1)


def after_reset_us(recording: Recording) -> NDArray[np.float64] | None:
    """Conductances (µS) before a SET that count as reset: (pulses, cells), NaN for others.

    The cells are those of ``pulses_of``. A state that is the reading after the pulse before was
    not reset. None where the file has none.
    """
    before, after = (
        _by_device(recording, g, np.nan) for g in (recording.before_us, recording.after_us)
    )
    high = np.where(before <= RESET_LIMIT_US, before, np.nan)
    kept = np.isclose(high[1:], after[:-1], rtol=SAME, atol=0.0)
    high[1:] = np.where(kept, np.nan, high[1:])
    return high if np.isfinite(high).any() else None
