"""The tables of the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from ...array.characterize.estimates import LEVEL, Estimate, Estimates
from ...array.measured import SIGMA_INTERCEPT_US, SIGMA_SLOPE
from ...array.presets import get_preset
from ..base import Cell, Goal, Table
from .cells import CHECKED, COVER_ROWS, PRESET, truth_of

NAMES = {
    "c2c_intercept_us": "σ(g) = a - b g: a",
    "c2c_slope": "b",
    "c2c_device_ln": "spread of σ between devices, ln",
    "slow_share": "memory of a device: share of the variance",
    "slow_phi": "coefficient from pulse to pulse",
    "memory": "correlation length",
    "d2d_max_us": "device to device σ",
    "read_noise_rel": "noise of a read, of g",
    "hrs_median_us": "after RESET: median",
    "hrs_ln_sigma": "after RESET: σ of ln g",
    "stuck_fraction": "stuck devices",
}
SWEEP_FIGURES = {
    "c2c_intercept_us": f"{SIGMA_INTERCEPT_US}, medians of the same cells",
    "c2c_slope": f"{SIGMA_SLOPE}, likewise",
    "c2c_device_ln": "0.54 (P10-P90 0.5-2 ×)",
    "slow_share": "0.285",
    "memory": "48; about 40 in HfO2 OxRAM (10.1109/LED.2016.2553370)",
    "d2d_max_us": "11-13",
    "hrs_median_us": "4.81 (208 kΩ)",
    "hrs_ln_sigma": "0.80",
}


def _row(name: str, e: Estimate, published: str = "", **more: Any) -> Goal:
    unit = "" if e.unit.startswith("ln") else e.unit.split(" of ")[0].replace("fraction", "")
    interval = None if e.low is None or e.high is None else (e.low, e.high)
    return Goal(name, [e.value], unit.strip(), published, interval=interval, **more)


def array_table(found: Estimates) -> Table:
    truth = truth_of(get_preset(PRESET))
    rows: list[Goal] = []
    for name in NAMES:
        if name in found.constants:
            known = f"{truth[name]:.4g}" if name in truth else ""
            if name == "memory":
                known = f"{-1 / np.log(truth['slow_phi']):.4g}"
            rows.append(_row(NAMES[name], found.constants[name], known))
    return Table(f"Physics model {PRESET}, {found.devices:,} devices, fitted", rows)


def sweep_table(sweep: Cell) -> Table:
    found, shape = sweep["found"], sweep["shape"]
    rows = [
        _row(NAMES[name], found.constants[name], SWEEP_FIGURES.get(name, ""))
        for name in NAMES
        if name in found.constants
    ]
    for key, label, known in (
        ("intercept", "medians over cells: a", SIGMA_INTERCEPT_US),
        ("slope", "medians over cells: b", SIGMA_SLOPE),
    ):
        value, low, high = sweep["medians"][key]
        rows.append(Goal(label, [value], "", f"{known}", interval=(low, high)))
    gain, error = shape["gain"], 1.96 * shape["gain_error"]
    rows += [
        Goal(
            "normal over log-normal, nat a pulse",
            [gain],
            "",
            "normal beats log-normal",
            interval=(gain - error, gain + error),
        ),
        Goal("groups that a normal fits better", [shape["share"]], "%"),
        Goal("distance from a normal (KS): g", [shape["ks g"]]),
        Goal("distance from a normal (KS): ln g", [shape["ks ln g"]]),
        Goal(
            "skew of g, cells together, mean over levels", [sweep["skew"]["g"]], "", "-0.5 to -0.9"
        ),
        Goal("skew of ln g, likewise", [sweep["skew"]["ln g"]], "", "-1.3 to -2.2"),
    ]
    return Table(f"Recorded cells, {found.devices}, {found.pulses:,} pulses", rows)


def least_hits(number: int, level: float = LEVEL, chance: float = 0.001) -> int:
    """Number of hits that ``number`` intervals of that level undercut with less than this
    probability."""
    return int(stats.binom.ppf(chance, number, level))


def cover_table(right: Sequence[Cell], wrong: Sequence[Cell]) -> Table:
    needed = least_hits(len(right))
    rows = []
    for name in CHECKED:
        hits = sum(c["inside"][name] for c in right)
        rows.append(
            Goal(
                f"{NAMES[name]}: intervals that hold the truth, of {len(right)}",
                [hits],
                wanted=f">= {needed}",
                met=hits >= needed,
            )
        )
    for name in ("c2c_intercept_us", "c2c_slope", "d2d_max_us", "read_noise_rel"):
        hits = sum(c["inside"][name] for c in wrong)
        rows.append(
            Goal(
                f"{NAMES[name]}: that hold 1.2 × the truth",
                [hits],
                wanted=f"< {needed}",
                met=hits < needed,
            )
        )
    return Table(f"Coverage of the intervals, arrays of {COVER_ROWS} rows", rows)


def age_table(ages: Sequence[dict[str, Any]]) -> Table:
    known = get_preset(PRESET).ageing
    rows = []
    for age in ages:
        if not age["cycles"]:
            continue
        median, sigma, _ = (float(v[0]) for v in known.at(np.array([age["cycles"]])))
        for key, label, truth in (
            ("median_gain", "median", median),
            ("sigma_gain", "σ", sigma),
        ):
            value, low, high = age[key]
            rows.append(
                Goal(
                    f"{age['cycles']:.0e} cycles: {label}, × fresh",
                    [value],
                    "",
                    f"{truth:g} at equal median (assumed)",
                    interval=(low, high),
                )
            )
    return Table("Age in the physics model", rows)
