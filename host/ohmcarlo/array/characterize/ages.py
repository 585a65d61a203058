"""Effect of endurance cycles on a device model: the same chip measured at several ages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...spec import DEFAULT_MID_US, Geometry
from ..device_preset import DevicePreset
from ..physics import PhysicsArray
from .estimates import Estimate, Estimates
from .estimation import estimate_measurement
from .evaluation import DEFAULT_CYCLES, DEFAULT_TARGETS_US
from .measure import measure

AGES = (0.0, 1e4, 1e5, 1e6, 1e7, 1e8)
AGE_ROWS = 16


def measure_ages(
    preset: DevicePreset, seed: int = 0, ages: Sequence[float] = AGES, rows: int = AGE_ROWS
) -> list[dict[str, Any]]:
    """Median and σ relative to the first age, with intervals, and the share of stuck devices.

    Each entry: ``cycles``; ``median_gain``, ``sigma_gain`` (at equal conductance) and
    ``stuck`` as (value, low, high).
    """
    out: list[dict[str, Any]] = []
    first: Estimates | None = None
    for cycles in ages:
        array = PhysicsArray(Geometry(rows=rows), preset, seed, cycles=cycles)
        seen = measure(
            array,
            rows=None,
            devices=None,
            targets_us=DEFAULT_TARGETS_US,
            cycles=DEFAULT_CYCLES,
            centre_us=DEFAULT_MID_US,
        )
        found = estimate_measurement(seen, seed)
        if first is None:
            first = found
        stuck = found.constants["stuck_fraction"]
        out.append(
            {
                "cycles": cycles,
                "median_gain": _gain(found.mean_us, first.mean_us),
                "sigma_gain": _gain(found.sigma_us, _at(first, found)),
                "stuck": (stuck.value, stuck.low, stuck.high),
            }
        )
    return out


def _at(first: Estimates, now: Estimates) -> list[Estimate]:
    """σ of the first age at the present medians, since σ depends on the conductance."""
    g = [e.value for e in first.mean_us]
    names = ("value", "low", "high")
    parts = [np.array([getattr(e, name) for e in first.sigma_us], np.float64) for name in names]
    return [
        Estimate(value, low, high, e.unit)
        for e in now.mean_us
        for value, low, high in [[float(np.interp(e.value, g, part)) for part in parts]]
    ]


def _gain(now: Sequence[Estimate], first: Sequence[Estimate]) -> tuple[float, float, float]:
    """Mean over the levels of the ratio to the first age.

    The lowest level is left out, because it ages out of the range. Errors of the levels of one chip
    are nearly equal, so the average does not reduce them.
    """
    pairs = list(zip(now, first, strict=True))[1:]
    ratio = float(np.mean([a.value / b.value for a, b in pairs]))
    half = ratio * float(np.mean([np.hypot(_half(a), _half(b)) for a, b in pairs]))
    return ratio, ratio - half, ratio + half


def _half(e: Estimate) -> float:
    """Half of the width of the interval, as a fraction."""
    return 0.0 if e.low is None or e.high is None else (e.high - e.low) / 2 / e.value
