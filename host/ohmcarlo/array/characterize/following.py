"""Devices of a measurement that follow their programming level, and those that do not.

A device that does not follow is stuck: it counts for the stuck share and for nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from .estimates import ABSENT, Pulses
from .measure import SLOPE_LIMIT, FloatArray
from .moments import group_sums

SURE = 3.0  # standard errors
FOLLOWS_SURELY = 0.5  # slope relative to a typical device; a stuck one lies surely below
SHORT = 0.02  # of the variance of the typical curve: too short a part of it to judge a device
EXACT = 1e-9  # relative spread of repeats that are equal
MOST_EXACT = 0.5  # share of groups of equal repeats from which on there is no spread to fit


class Followers(NamedTuple):
    """``live`` bool (D,): devices that follow their level. ``stuck_us`` float (D,): mean
    conductance of a stuck device, NaN for a live one. ``middle_us``: between its lowest and its
    highest level, a typical device has this conductance."""

    live: NDArray[np.bool_]
    stuck_us: FloatArray
    middle_us: float


class _Groups(NamedTuple):
    """Of a device at a level, (T, D): whether it has pulses, their mean, and its variance."""

    there: NDArray[np.bool_]
    mean: FloatArray
    error: FloatArray


def followers(pulses: Pulses) -> Followers:
    """Compare the curve of every device with that of a typical one.

    Raises UsageError when most devices do not follow.
    """
    number, mean, variance = group_sums(pulses)
    pooled = variance.sum() / max(int((number > 1).sum()), 1)
    spread = np.where(number > 1, variance, pooled)
    groups = _Groups(number > 0, mean, spread / np.maximum(number, 1))
    x = np.broadcast_to(pulses.levels[:, None], mean.shape)
    slope, error = _slopes(groups, x)
    moving = np.isfinite(slope) & (slope > SURE * error) & (slope > 0)
    if not moving.any():
        moving[:] = True
    typical = _typical(groups, moving)
    slope, error = _slopes(groups, typical)
    with np.errstate(invalid="ignore"):
        stuck = (slope < SLOPE_LIMIT) & (slope + SURE * error < FOLLOWS_SURELY)
    if 2 * stuck.sum() > len(stuck):
        raise UsageError(
            f"{stuck.sum()} of {len(stuck)} devices whose conductance does not follow the level: "
            "check the column of the level, and that the devices are formed"
        )
    own = np.where(groups.there, mean, 0.0).sum(axis=0) / np.maximum(groups.there.sum(axis=0), 1)
    curve = typical[np.isfinite(typical).any(axis=1)]
    middle = float((np.nanmin(curve) + np.nanmax(curve)) / 2)
    return Followers(~stuck, np.where(stuck, own, np.nan), middle)


def _typical(groups: _Groups, chosen: NDArray[np.bool_]) -> FloatArray:
    """Median over the chosen devices at every level, the same for all devices (T, D)."""
    values = np.where(groups.there & chosen, groups.mean, np.nan)
    out = np.full(len(values), np.nan)
    seen = np.isfinite(values).any(axis=1)
    out[seen] = np.nanmedian(values[seen], axis=1)
    return np.broadcast_to(out[:, None], groups.mean.shape)


def _slopes(groups: _Groups, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slope of the means of every device over ``x`` (T, D), and its standard error, (D,) each.

    NaN for a device whose levels cover too little of x.
    """
    there = groups.there & np.isfinite(x)
    number = np.maximum(there.sum(axis=0), 1)
    away = np.where(there, x - np.where(there, x, 0.0).sum(axis=0) / number, 0.0)
    square = (away**2).sum(axis=0)
    enough = square > SHORT * square.max(initial=0.0)
    safe = np.where(enough, square, 1.0)
    slope = (away * groups.mean).sum(axis=0) / safe
    error = np.sqrt((away**2 * groups.error).sum(axis=0)) / safe
    return np.where(enough, slope, np.nan), np.where(enough, error, np.nan)


def of_devices(pulses: Pulses, chosen: NDArray[np.bool_]) -> Pulses:
    """The pulses of some devices."""
    names = tuple(name for name, used in zip(pulses.devices, chosen, strict=False) if used)
    return replace(
        pulses, level=pulses.level[:, chosen], g_us=pulses.g_us[:, chosen], devices=names
    )


def refuse_exact_repeats(pulses: Pulses) -> None:
    """UsageError for repeats that are equal: they show no spread."""
    if not (pulses.g_us[pulses.level != ABSENT] > 0).any():
        raise UsageError(
            "only conductances of 0 µS: check that the devices are contacted and formed"
        )
    number, mean, variance = group_sums(pulses)
    several = number > 1
    exact = several & (variance <= (EXACT * mean) ** 2)
    if several.any() and exact.sum() >= MOST_EXACT * several.sum():
        whole = "the devices" if exact.sum() == several.sum() else "most devices"
        raise UsageError(
            f"repeats that are equal: {whole} reach exactly the same conductance at every repeat "
            "of a level (simulated, verified or rounded values?), so that there is no "
            "cycle-to-cycle spread to fit"
        )
