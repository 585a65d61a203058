"""Synthetic devices of known constants are recovered within the intervals, whatever their file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ohmcarlo.array.characterize.estimates import Estimates, Pulses
from ohmcarlo.array.characterize.estimation import estimate_population
from ohmcarlo.array.characterize.fit import fit_file
from populations import Population, iv_list, long_table, six_columns, wide_table

POPULATION = Population(
    3, devices=20, cycles=8, levels=(2.30, 2.40, 2.50, 2.60),
    medians_us=(60.0, 95.0, 130.0, 165.0), slow_share=0.4, stuck=1,
)  # fmt: skip
RESISTANCES = ("Device", "V_WL (V)", "R (kOhm)")
FORMATS: dict[str, Callable[[Population, Path], Path]] = {
    "six columns": lambda p, folder: six_columns(p, folder / "sweep.tsv"),
    "long table": lambda p, folder: long_table(p, folder / "long.csv", RESISTANCES, kilo_ohm=True),
    "wide table": lambda p, folder: wide_table(p, folder / "wide.csv", "V_WL (V)"),
    "I-V list": lambda p, folder: iv_list(p, folder / "list.csv"),
}
WITH_RESET = {"six columns", "I-V list"}  # formats that hold the state before a SET
SPREADS = ("c2c_intercept_us", "c2c_slope", "slow_share", "slow_phi", "d2d_max_us",
           "stuck_fraction")  # fmt: skip
AFTER_RESET = ("hrs_median_us", "hrs_ln_sigma")


def inside(found: Estimates, names: tuple[str, ...], truth: dict[str, float]) -> list[str]:
    return [name for name in names if found.constants[name].covers(truth[name])]


@pytest.mark.stats
@pytest.mark.parametrize("name", FORMATS)
def test_known_devices_are_recovered_from_every_format(tmp_path: Path, name: str):
    """The control is a population with spreads at least 1.5 times as large, whose intervals do not
    hold the constants of the first one."""
    truth = POPULATION.truth()
    preset, found = fit_file(FORMATS[name](POPULATION, tmp_path))
    names = SPREADS + (AFTER_RESET if name in WITH_RESET else ())
    assert inside(found, names, truth) == list(names)
    assert found.devices == 19
    means = zip(found.mean_us, POPULATION.medians_us, strict=True)
    assert all(e.covers(median) for e, median in means)
    assert preset.set_law(np.array([2.40])) == pytest.approx(95, rel=0.06)
    if name == "I-V list":  # its control takes long
        return
    other = POPULATION.but(intercept_us=27.0, slope=0.09, d2d_max_us=20.0, hrs_ln_sigma=0.6)
    wrong = fit_file(FORMATS[name](other, tmp_path))[1]
    spreads = ("c2c_intercept_us", "d2d_max_us")
    names = spreads + (AFTER_RESET[1:] if name in WITH_RESET else ())
    assert inside(wrong, names, truth) == []


def pulses_of(population: Population) -> Pulses:
    g = population.pulses()[1]
    cycles, levels, devices = g.shape
    level = np.repeat((np.arange(cycles * levels) % levels)[:, None], devices, axis=1)
    return Pulses(np.array(population.levels), level, g.reshape(-1, devices), unit="V")


@pytest.mark.stats
@pytest.mark.verify
@pytest.mark.parametrize("devices", [10, 24, 64])
def test_coverage_of_the_intervals(devices: int):
    """200 populations. Intervals of few devices hold the constants of the law in some 90 %; fewer
    than 0.85 are not allowed. The control is 1.3 times the constants."""
    seeds = 200
    names = (*SPREADS, "c2c_device_ln", "mean", "sigma", "d2d")
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for seed in range(seeds):
        population = Population(1000 + seed, devices=devices, device_ln=0.3)
        found = estimate_population(pulses_of(population))
        g = np.array(population.medians_us)
        sigma = population.intercept_us - population.slope * g
        shapes = {
            "mean": zip(found.mean_us, g, strict=True),
            "sigma": zip(found.sigma_us, sigma, strict=True),
            "d2d": zip(found.d2d_us, np.full(len(g), population.d2d_max_us), strict=True),
        }
        pairs = {name: [(found.constants[name], population.truth()[name])] for name in names[:-3]}
        for name, several in (pairs | {k: list(v) for k, v in shapes.items()}).items():
            right[name] += np.mean([e.covers(v) for e, v in several])
            wrong[name] += np.mean([e.covers(1.3 * v) for e, v in several])
    print(devices, "devices:", {name: round(right[name] / seeds, 3) for name in names})
    least = stats.binom.ppf(0.001, seeds, 0.9)
    assert all(right[name] >= least for name in names), right
    assert all(wrong[name] < least for name in ("c2c_intercept_us", "mean", "sigma")), wrong
