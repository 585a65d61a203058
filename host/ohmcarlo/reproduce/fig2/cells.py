"""Devices that are measured and fitted, as cells; shape and skew of their deviations."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from ...array.characterize.ages import measure_ages
from ...array.characterize.estimates import LEVEL, Estimates, Pulses
from ...array.characterize.estimation import estimate_measurement
from ...array.characterize.evaluation import DEFAULT_TARGETS_US
from ...array.characterize.fit import fit_file
from ...array.characterize.measure import Measurement, measure
from ...array.characterize.recorded_pulses import pulses_of
from ...array.characterize.shape import groups_of_measurement, groups_of_pulses, shape_of
from ...array.device_preset import DevicePreset
from ...array.physics import PhysicsArray
from ...array.presets import get_preset
from ...measurements.reading import read_recording
from ...spec import DEFAULT_MID_US, Geometry
from ..base import Cell

PRESET = "rram-1t1r"
CYCLES = 20
COVER_ROWS = 4
CHECKED = (
    "c2c_intercept_us", "c2c_slope", "slow_share", "slow_phi", "d2d_max_us", "read_noise_rel",
    "hrs_median_us", "hrs_ln_sigma", "stuck_fraction",
)  # fmt: skip


def truth_of(preset: DevicePreset) -> dict[str, float]:
    """Constants of a preset by the names of the estimates."""
    return {name: value.value for name, value in preset.constants().items()}


def _seen(rows: int, seed: int, preset: DevicePreset, everything: bool) -> Measurement:
    return measure(
        PhysicsArray(Geometry(rows=rows), preset, seed),
        rows=None,
        devices=None,
        targets_us=DEFAULT_TARGETS_US,
        cycles=CYCLES,
        centre_us=DEFAULT_MID_US,
        everything=everything,
    )


def _measured(rows: int, seed: int, preset: DevicePreset) -> Estimates:
    return estimate_measurement(_seen(rows, seed, preset, everything=True), seed)


def array_cell(rows: int, seed: int) -> Cell:
    """The physics model, measured and fitted; shape of its deviations."""
    preset = get_preset(PRESET)
    found = _measured(rows, seed, preset)
    seen = _seen(8, seed, preset, everything=False)
    return {"found": found.to_dict(), "shape": shape_of(groups_of_measurement(seen))}


def sweep_cell(path: str) -> Cell:
    """The recorded cells, fitted; shape of their deviations."""
    found = fit_file(path)[1]
    pulses = pulses_of(read_recording(path))
    return {
        "found": found.to_dict(),
        "shape": shape_of(groups_of_pulses(pulses)),
        "medians": medians_of(pulses),
        "skew": skew_of(pulses),
    }


def age_cell(seed: int) -> Cell:
    """The same chip at several ages."""
    return {"ages": measure_ages(get_preset(PRESET), seed)}


def cover_cell(seed: int, wrong: bool = False) -> Cell:
    """Whether each interval of a small array contains the constant; ``wrong``: 1.2 times the
    constant."""
    preset = get_preset(PRESET)
    constants = _measured(COVER_ROWS, seed, preset).constants
    truth = truth_of(preset)
    factor = 1.2 if wrong else 1.0
    return {"inside": {name: constants[name].covers(factor * truth[name]) for name in CHECKED}}


def medians_of(pulses: Pulses, seed: int = 0, replicates: int = 400) -> dict[str, Any]:
    """Straight line through the median over cells of σ at each level: value, low, high.

    The median of sample deviations lies below σ when repeats are few: corrected for a normal.
    """
    cells = pulses.level.shape[1]
    g = np.full((len(pulses.levels), cells), np.nan)
    sigma = np.full_like(g, np.nan)
    for t in range(len(pulses.levels)):
        for cell in range(cells):
            values = pulses.g_us[pulses.level[:, cell] == t, cell]
            if len(values) > 1:
                g[t, cell], sigma[t, cell] = values.mean(), values.std(ddof=1)
    free = int((pulses.level[:, 0] == 0).sum()) - 1
    sigma /= np.sqrt(stats.chi2.ppf(0.5, free) / free)
    rng = np.random.default_rng(seed)
    lines = []
    for replicate in range(replicates + 1):
        chosen = rng.integers(cells, size=cells) if replicate else np.arange(cells)
        slope, intercept = np.polyfit(
            np.nanmedian(g[:, chosen], axis=1), np.nanmedian(sigma[:, chosen], axis=1), 1
        )
        lines.append((intercept, -slope))
    low, high = np.quantile(lines[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return {
        name: (float(lines[0][i]), float(low[i]), float(high[i]))
        for i, name in enumerate(("intercept", "slope"))
    }


def skew_of(pulses: Pulses) -> dict[str, float]:
    """Skew of the deviations from each cell's mean, all cells at a level together: mean over the
    levels, of g and of ln g."""
    out = {}
    for name, values in (("g", pulses.g_us), ("ln g", np.log(np.maximum(pulses.g_us, 1e-3)))):
        skews = []
        for t in range(len(pulses.levels)):
            here = np.where(pulses.level == t, values, np.nan)
            here = here[:, np.isfinite(here).any(axis=0)]
            deviation = here - np.nanmean(here, axis=0)
            skews.append(stats.skew(deviation[np.isfinite(deviation)]))
        out[name] = float(np.mean(skews))
    return out
