"""Figure 2: the devices. Spread, shape, memory, noise and age, of a model and of real cells.

The physics model is measured as an array would be, by SET and READ alone, and fitted: that the fit
gives back the model's constants is the check of the fit. The recorded sweep of 50 cells goes
through the same fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..array.characterize.ages import measure_ages
from ..array.characterize.estimates import ABSENT, LEVEL, Estimate, Estimates, Pulses
from ..array.characterize.estimation import estimate_measurement
from ..array.characterize.evaluation import DEFAULT_TARGETS_US
from ..array.characterize.fit import fit_file
from ..array.characterize.measure import Measurement, measure
from ..array.characterize.pulse_files import sweep_pulses
from ..array.device_preset import DevicePreset
from ..array.measured import SIGMA_INTERCEPT_US, SIGMA_SLOPE, load_sweep
from ..array.physics import PhysicsArray
from ..array.presets import get_preset
from ..datasets.fetch import SWEEP, find
from ..errors import UsageError
from ..pictures.canvas import new_panels
from ..pictures.devices import (
    draw_ages,
    draw_correlation,
    draw_programming,
    draw_quantiles,
    draw_read_noise,
    draw_sigma,
)
from ..pictures.style import BLUE, GREY, ORANGE
from ..spec import DEFAULT_MID_US, Geometry
from .base import Bench, Cell, Figure, Goal, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

PRESET = "rram-1t1r"
ROWS, CYCLES = 64, 20
COVER_ROWS, COVER_FROM = 4, 1000
CHECKED = (
    "c2c_intercept_us", "c2c_slope", "slow_share", "slow_phi", "d2d_max_us", "read_noise_rel",
    "hrs_median_us", "hrs_ln_sigma", "stuck_fraction",
)  # fmt: skip
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
QUANTILES = stats.norm.cdf(np.linspace(-2.8, 2.8, 29))


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


# -- cells -----------------------------------------------------------------------------------------


def array_cell(rows: int, seed: int) -> Cell:
    """The physics model, measured and fitted; shape of its deviations."""
    preset = get_preset(PRESET)
    found = _measured(rows, seed, preset)
    seen = _seen(8, seed, preset, everything=False)
    g = seen.g_us[:, :, ~seen.dead]
    groups = g.reshape(CYCLES, -1).T
    return {"found": found, "shape": shape_of(groups[(groups > 0).all(axis=1)])}


def sweep_cell(path: str) -> Cell:
    """The recorded cells, fitted; shape of their deviations."""
    found = fit_file(path)[1]
    pulses = sweep_pulses(load_sweep(path))
    return {
        "found": found,
        "shape": shape_of(_groups(pulses)),
        "medians": medians_of(pulses),
        "skew": skew_of(pulses),
    }


def age_cell(seed: int) -> Cell:
    """The same chip at several ages."""
    return {"ages": measure_ages(get_preset(PRESET), seed)}


def cover_cell(seed: int, wrong: bool = False) -> Cell:
    """Whether each interval of a small array holds the constant; ``wrong``: one 1.2 times it."""
    preset = get_preset(PRESET)
    constants = _measured(COVER_ROWS, seed, preset).constants
    truth = truth_of(preset)
    factor = 1.2 if wrong else 1.0
    return {"inside": {name: constants[name].covers(factor * truth[name]) for name in CHECKED}}


def _groups(pulses: Pulses) -> NDArray[np.float64]:
    """Repeats of a cell at a voltage: (groups, repeats)."""
    out = []
    for cell in range(pulses.level.shape[1]):
        level = pulses.level[:, cell]
        for t in np.unique(level[level != ABSENT]):
            out.append(pulses.g_us[level == t, cell])
    size = int(np.median([len(g) for g in out]))
    return np.array([g for g in out if len(g) == size])


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


def shape_of(groups: NDArray[np.float64]) -> dict[str, Any]:
    """Normal or log-normal? groups (n, repeats), µS, each of one device at one level.

    ``gain``: log-likelihood of a normal over that of a log-normal, both fitted to each group, nat
    per pulse; ``share``: of the groups that a normal fits better; ``ks``: distance of the pooled
    standardised deviations from a normal distribution, of g and of ln g.
    """
    logs = np.log(groups)
    sd, sd_log = groups.std(axis=1), logs.std(axis=1)
    gain = (np.log(sd_log) + logs.mean(axis=1)) - np.log(sd)
    out: dict[str, Any] = {
        "gain": float(gain.mean()),
        "gain_error": float(gain.std(ddof=1) / np.sqrt(len(gain))),
        "share": float((gain > 0).mean()),
        "groups": len(groups),
        "normal": stats.norm.ppf(QUANTILES).tolist(),
    }
    for name, values in (("g", groups), ("ln g", logs)):
        z = (values - values.mean(axis=1, keepdims=True)) / values.std(
            axis=1, ddof=1, keepdims=True
        )
        pooled = z.ravel()
        out[name] = np.quantile(pooled, QUANTILES).tolist()
        scaled = pooled / pooled.std()
        out[f"ks {name}"] = float(stats.kstest(scaled, "norm").statistic)
    return out


# -- the figure ------------------------------------------------------------------------------------


def make(bench: Bench) -> Figure:
    """Model and cells through the same fit, and whether its intervals can be believed."""
    notes = []
    array = bench.map("array", array_cell, [{"rows": ROWS, "seed": 0}])[0]
    ages = bench.map("ages", age_cell, [{"seed": 0}])[0]["ages"]
    try:
        path = str(find(SWEEP))
        sweep: Cell | None = bench.map("sweep", sweep_cell, [{"path": path}])[0]
    except UsageError as error:
        sweep = None
        notes.append(f"without recorded cells: {error}")
    covered = bench.map(
        "intervals",
        cover_cell,
        [
            {"seed": COVER_FROM + s, "wrong": wrong}
            for wrong in (False, True)
            for s in range(bench.seeds)
        ],
    )
    tables = [
        _array_table(array["found"]),
        _cover_table(covered[: bench.seeds], covered[bench.seeds :]),
    ]
    if sweep is not None:
        tables.insert(1, _sweep_table(sweep))
    return Figure(
        title="Electrical characterisation: cycle to cycle, device to device, and what they are "
        "worth as a random number",
        tables=[*tables, _age_table(ages)],
        pictures={"fig2": _picture(array, sweep, ages)},
        values={
            "array": _plain(array),
            "sweep": None if sweep is None else _plain(sweep),
            "ages": ages,
            "intervals": covered,
        },
        notes=[
            "Brackets: 95 % intervals, by a bootstrap over devices (shares: Clopper and Pearson).",
            "`published` beside the model is the constant it was built with; beside the cells what "
            "is derived from the same file without intervals (array/presets.py), or the source "
            "named.",
            "Shape: deviations over the spread of their own 20 repeats, which pulls in the tails "
            "of a normal distribution, too: compare with the model, which is normal.",
            "The model cannot show what it was not given: its shape is normal, its ageing assumed.",
            "The cells' memory is no single exponential: what is fitted is the best one, with "
            "the devices' own means accounted for; pulses 10 mV apart count as pulses of one kind.",
            *notes,
        ],
    )


def _plain(cell: Cell) -> Cell:
    return cell | {"found": cell["found"].to_dict()}


def _row(name: str, e: Estimate, published: str = "", **more: Any) -> Goal:
    unit = "" if e.unit.startswith("ln") else e.unit.split(" of ")[0].replace("fraction", "")
    interval = None if e.low is None or e.high is None else (e.low, e.high)
    return Goal(name, [e.value], unit.strip(), published, interval=interval, **more)


def _array_table(found: Estimates) -> Table:
    truth = truth_of(get_preset(PRESET))
    rows: list[Goal] = []
    for name in NAMES:
        if name in found.constants:
            known = f"{truth[name]:.4g}" if name in truth else ""
            if name == "memory":
                known = f"{-1 / np.log(truth['slow_phi']):.4g}"
            rows.append(_row(NAMES[name], found.constants[name], known))
    return Table(f"Physics model {PRESET}, {found.devices:,} devices, fitted", rows)


def _sweep_table(sweep: Cell) -> Table:
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
    """Hits that ``number`` intervals of that level fall short of with less than this chance."""
    return int(stats.binom.ppf(chance, number, level))


def _cover_table(right: Sequence[Cell], wrong: Sequence[Cell]) -> Table:
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
    return Table(f"Can the intervals be believed? Arrays of {COVER_ROWS} rows", rows)


def _age_table(ages: Sequence[dict[str, Any]]) -> Table:
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
    return Table("Age, as the physics model has it", rows)


def _picture(array: Cell, sweep: Cell | None, ages: Sequence[dict[str, Any]]) -> Picture:
    figure, axes = new_panels(2, 3, (14.0, 8.2))
    model, found = "model, ", array["found"]
    if sweep is None:
        draw_programming(axes[0][0], found)
    else:
        draw_programming(axes[0][0], sweep["found"], ORANGE, "cells, ")
        law = get_preset(PRESET).set_law
        inside = np.linspace(*law.valid_x, 60)
        axes[0][0].plot(inside, law(inside), color=BLUE, lw=1.3, ls="--", label="model, median")
        draw_sigma(axes[0][1], sweep["found"], ORANGE, "cells, ")
        draw_correlation(axes[1][0], sweep["found"], ORANGE, "cells, ")
    draw_sigma(axes[0][1], found, BLUE, model)
    x = np.linspace(45, 165, 20)
    axes[0][1].plot(x, SIGMA_INTERCEPT_US - SIGMA_SLOPE * x, color=GREY, lw=1.2, ls="--",
                    label=f"sourced: {SIGMA_INTERCEPT_US} - {SIGMA_SLOPE} g")  # fmt: skip
    shapes = {"cells": sweep["shape"]} if sweep else {}
    draw_quantiles(axes[0][2], shapes | {"model": array["shape"]})
    draw_correlation(axes[1][0], found, BLUE, model)
    draw_read_noise(axes[1][1], found, BLUE, "model")
    draw_ages(axes[1][2], ages)
    lag = np.arange(1, 121)
    share, phi = (get_preset(PRESET).constants()[k].value for k in ("slow_share", "slow_phi"))
    axes[1][0].plot(lag, share * phi**lag, color=GREY, lw=1.2, ls="--",
                    label=f"sourced: {share} exp(-lag/{-1 / np.log(phi):.0f})")  # fmt: skip
    for ax in axes.flat:
        ax.legend(fontsize=7, frameon=False)
    return figure
