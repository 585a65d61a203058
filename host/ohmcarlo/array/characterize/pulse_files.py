"""Pulses for the fit, from a recording of measurements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...measurements.recording import VOLT, Recording
from ..sweep import HRS_LIMIT_OHM, Sweep
from .estimates import ABSENT, Estimate, Pulses

SWEEP_LOWEST_US = 44.0  # lower medians are hardly SET,
SWEEP_LOWEST_REL = 0.3  # if they are also below this fraction of the highest median
SWEEP_SHARE = 0.5  # of the cells that must have a voltage
SAME = 1e-6  # relative difference of two conductances that are one reading


def pulses_of(recording: Recording) -> Pulses:
    """The pulses of a recording: all targets, or the voltages that set most of the cells."""
    if recording.unit == VOLT:
        return sweep_pulses(Sweep.of(recording), _noise(recording))
    levels, level = np.unique(recording.level, return_inverse=True)
    table, g_us = _by_device(recording, level, ABSENT), _by_device(recording, recording.after_us, 0)
    return Pulses(levels, table, g_us, read_noise_rel=_noise(recording), devices=recording.devices)


def _noise(recording: Recording) -> Estimate | None:
    noise = recording.read_noise_rel
    return None if noise is None else Estimate(noise, None, None, "fraction of g")


def _by_device(recording: Recording, values: NDArray, fill: float) -> NDArray:
    """Values of the pulses in the order of each device, (pulses, devices)."""
    number = np.bincount(recording.device, minlength=len(recording.devices))
    out = np.full((int(number.max(initial=0)), len(number)), fill, values.dtype)
    order = np.argsort(recording.device, kind="stable")
    start = np.cumsum(number) - number
    pulse = np.arange(len(order)) - np.repeat(start, number)
    out[pulse, recording.device[order]] = values[order]
    return out


def sweep_pulses(sweep: Sweep, read_noise_rel: Estimate | None = None) -> Pulses:
    """The pulses of a sweep at voltages that set most of its cells.

    A device's pulses are counted over all of its voltages, including those left out here. A reading
    that is missing within a sweep costs that reading; the end of a sweep ends all sweeps of its
    cell.
    """
    index = np.arange(len(sweep.volts))
    made = np.isfinite(sweep.set_us)
    last = np.where(made, index[:, None], -1).max(axis=1)  # (cells, sweeps)
    end = np.where(last < 0, len(index), last).min(axis=1)
    complete = index <= end[:, None]  # (cells, voltages)
    number = made.sum(axis=2)
    means = np.where(made, sweep.set_us, 0.0).sum(axis=2) / np.maximum(number, 1)
    means = np.where(complete & (number > 0), means, np.nan)
    typical = np.array([np.median(m[np.isfinite(m)]) if np.isfinite(m).any() else 0.0
                        for m in means.T])  # fmt: skip
    lowest = min(SWEEP_LOWEST_US, SWEEP_LOWEST_REL * typical.max())
    used = np.flatnonzero((typical >= lowest) & (complete.mean(axis=0) >= SWEEP_SHARE))
    place = np.full(len(sweep.volts), ABSENT)
    place[used] = np.arange(len(used))
    longest = int(made.sum(axis=(1, 2)).max())
    level = np.full((longest, sweep.cells), ABSENT)
    g_us = np.zeros(level.shape)
    for cell in range(sweep.cells):
        there = made[cell].T  # (sweeps, voltages): the order of the pulses
        _, volt = np.nonzero(there)
        level[: len(volt), cell] = np.where(complete[cell, volt], place[volt], ABSENT)
        g_us[: len(volt), cell] = sweep.set_us[cell].T[there]
    return Pulses(
        sweep.volts[used],
        level,
        g_us,
        unit=VOLT,
        read_noise_rel=read_noise_rel,
        partial=True,
        devices=sweep.names,
    )


def after_reset_us(recording: Recording) -> NDArray[np.float64] | None:
    """Conductances (µS) before a SET that count as reset: (pulses, cells), NaN for others.

    The cells are those of ``pulses_of``. A state that is the reading after the pulse before was
    not reset. None where the file has none.
    """
    if recording.unit == VOLT:
        sweep = Sweep.of(recording)
        before, after = (g.transpose(2, 1, 0) for g in (sweep.before_us, sweep.set_us))
    else:
        before, after = (
            _by_device(recording, g, np.nan)[None]
            for g in (recording.before_us, recording.after_us)
        )
    high = np.where(before <= 1e6 / HRS_LIMIT_OHM, before, np.nan)
    kept = np.isclose(high[:, 1:], after[:, :-1], rtol=SAME, atol=0.0)
    high[:, 1:] = np.where(kept, np.nan, high[:, 1:])
    return high.reshape(-1, high.shape[2]) if np.isfinite(high).any() else None
