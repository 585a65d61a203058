"""Fitted constants of the device model: the coverage of their intervals."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ohmcarlo.array.characterize.ages import measure_ages
from ohmcarlo.array.characterize.estimates import Estimate, Estimates, Pulses
from ohmcarlo.array.characterize.estimation import estimate, estimate_measurement
from ohmcarlo.array.characterize.fit import fit_file, fit_preset, preset_of
from ohmcarlo.array.characterize.measure import measure
from ohmcarlo.array.characterize.reads import hrs_estimates, share_estimate
from ohmcarlo.array.device_preset import DevicePreset
from ohmcarlo.array.physics import PhysicsArray
from ohmcarlo.array.presets import get_preset
from ohmcarlo.datasets.fetch import find
from ohmcarlo.errors import UsageError
from ohmcarlo.spec import Geometry

TARGETS = (45.0, 65.0, 85.0, 105.0, 125.0, 145.0, 165.0)
SEEDS = 40
# fewer hits of 40 come from 95 % intervals once in a thousand arrays
LEAST = int(stats.binom.ppf(0.001, SEEDS, 0.95))
RELATIVE = {
    "d2d_rel": 0.05, "c2c_device_ln": 0.4, "slow_share": 0.3, "slow_phi": 0.8,
    "read_noise_rel": 0.01,
}  # fmt: skip


def measured(preset: DevicePreset, seed: int, rows: int = 4) -> Estimates:
    seen = measure(
        PhysicsArray(Geometry(rows=rows), preset, seed),
        rows=None,
        devices=None,
        targets_us=TARGETS,
        cycles=20,
        centre_us=115.0,
        everything=True,
    )
    return estimate_measurement(seen, seed)


@cache
def constants_of_all(preset: DevicePreset) -> list[dict[str, Estimate]]:
    """Estimates on SEEDS chips of a preset."""
    return [measured(preset, 500 + seed).constants for seed in range(SEEDS)]


def hits(preset: DevicePreset, names: list[str], factor: float = 1.0) -> Counter[str]:
    """Number of the SEEDS intervals that contain ``factor`` × the constant of the preset."""
    truth = {name: value.value for name, value in preset.constants().items()}
    if "c2c_rel" in truth:
        truth["c2c_slope"] = -truth["c2c_rel"]
    out: Counter[str] = Counter()
    for constants in constants_of_all(preset):
        for name in names:
            out[name] += constants[name].covers(factor * truth[name])
    return out


@pytest.mark.slow
@pytest.mark.stats
def test_intervals_hold_the_constants_of_the_chip():
    names = ["c2c_intercept_us", "c2c_slope", "c2c_max_rel", "slow_share", "slow_phi",
             "d2d_max_us", "read_noise_rel", "hrs_median_us", "hrs_ln_sigma",
             "stuck_fraction"]  # fmt: skip
    found = hits(get_preset("rram-1t1r"), names)
    assert all(found[name] >= LEAST for name in names), found


@pytest.mark.slow
@pytest.mark.stats
def test_intervals_hold_constants_of_other_devices():
    names = ["c2c_slope", "slow_share", "slow_phi", "d2d_rel", "c2c_device_ln", "read_noise_rel"]
    found = hits(get_preset("relative-5pct").with_values(**RELATIVE), names)
    assert all(found[name] >= LEAST for name in names), found


@pytest.mark.slow
@pytest.mark.stats
def test_intervals_do_not_hold_what_is_wrong():
    names = ["c2c_intercept_us", "c2c_slope", "slow_share", "d2d_max_us", "read_noise_rel",
             "hrs_ln_sigma"]  # fmt: skip
    found = hits(get_preset("rram-1t1r"), names, factor=1.3)
    assert all(found[name] < LEAST for name in names), found


@pytest.mark.stats
def test_a_memory_longer_than_the_measurement_is_not_lost_in_the_means():
    """140 pulses of a process with a correlation length of 48: the mean of a device removes half of
    it."""
    found = [measured(get_preset("rram-1t1r"), seed, rows=8) for seed in range(5)]
    shares = [e.constants["slow_share"].value for e in found]
    assert np.mean(shares) == pytest.approx(0.285, abs=0.03)
    # estimate without the correction for the means
    assert np.mean([e.correlation[0] for e in found]) < 0.2


def test_a_straight_fit_by_hand():
    """Without memory, noise and device differences, the sample variances decide the fit."""
    rng = np.random.default_rng(3)
    levels = np.array([60.0, 100.0, 140.0])
    order = np.tile([0, 1, 2], 30)
    g = levels[order][:, None] + np.array([12.0, 9.0, 6.0])[order][:, None] * rng.standard_normal(
        (90, 400)
    )
    found = estimate(Pulses(levels, np.repeat(order[:, None], 400, axis=1), g))
    by_hand = [np.sqrt(g[order == t].var(axis=0, ddof=1).mean()) for t in range(3)]
    assert [e.value for e in found.sigma_us] == pytest.approx(by_hand, rel=0.01)
    assert found.constants["c2c_intercept_us"].value == pytest.approx(16.5, abs=0.3)
    assert found.constants["c2c_slope"].value == pytest.approx(0.075, abs=0.003)
    assert found.constants["slow_share"].value < 0.02
    assert max(e.value for e in found.d2d_us) < 1


@pytest.mark.stats
@pytest.mark.parametrize("seed", [7, 37])
def test_a_level_whose_devices_seem_alike_does_not_decide(seed: int):
    """At the lowest of six levels, the spread of the device means is that of chance; the five
    others show the device-to-device spread, 5 % in both samples."""
    rng = np.random.default_rng([seed, 16, 6])
    targets = np.array([50.0, 80.0, 110.0, 140.0, 170.0, 200.0])
    devices = 1 + 0.06 * rng.normal(size=16)
    sigma = np.maximum(4, 21 - 0.085 * targets)
    g = np.abs(targets * devices[:, None] + sigma * rng.normal(size=(12, 16, 6))) + 0.5
    level = np.repeat(np.tile(np.arange(6), 12)[:, None], 16, axis=1)
    found = estimate(Pulses(targets, level, g.transpose(0, 2, 1).reshape(72, 16)))
    assert found.d2d_us[0].value == 0.0
    rel = found.constants["d2d_rel"]
    assert rel.covers(devices.std(ddof=1))
    assert not rel.covers(2 * devices.std(ddof=1))


def test_shares_have_the_intervals_of_the_tables():
    """Clopper and Pearson: 5 of 100 gives 1.64 % to 11.28 %; 0 of 10 ends at 30.85 %."""
    five, none = share_estimate(5, 100), share_estimate(0, 10)
    assert (five.low, five.high) == pytest.approx((0.0164, 0.1128), abs=1e-4)
    assert (none.low, none.high) == pytest.approx((0.0, 0.3085), abs=1e-4)


@pytest.mark.stats
def test_state_after_reset():
    g = 4.0 * np.exp(0.5 * np.random.default_rng(1).standard_normal((4, 2000)))
    found = hrs_estimates(np.minimum(g, 15.0))  # cut off, as a repeated RESET does
    assert found["hrs_median_us"].covers(4.0)
    assert found["hrs_ln_sigma"].value == pytest.approx(0.5, rel=0.04)


@pytest.mark.stats
def test_what_is_fitted_is_a_preset_that_gives_the_same_devices(tmp_path: Path):
    truth = get_preset("rram-1t1r")
    path = tmp_path / "chip.json"
    preset_of(measured(truth, 9, rows=16), "chip").save(path)
    again = get_preset(str(path))
    g = np.array([70.0, 110.0, 150.0])
    assert again.c2c(g) == pytest.approx(truth.c2c(g), rel=0.05)
    assert again.read_noise_rel.value == pytest.approx(0.01, rel=0.03)
    back = measured(again, 10, rows=16)
    assert [e.value for e in back.mean_us] == pytest.approx(list(TARGETS), rel=0.03)


@pytest.mark.stats
def test_ages_are_those_of_the_model():
    """The preset assumes: none at 1e6, g - 5 % and σ × 1.2 at 1e7, - 15 % and × 1.7 at 1e8."""
    ages = measure_ages(get_preset("rram-1t1r"), 3, (0.0, 1e6, 1e7, 1e8), rows=8)
    for age, median, sigma in zip(ages, (1, 1, 0.95, 0.85), (1, 1, 1.2, 1.7), strict=True):
        assert age["median_gain"][0] == pytest.approx(median, abs=0.012)
        assert age["sigma_gain"][0] == pytest.approx(sigma, rel=0.04)


@pytest.mark.data("rram-set-sweep")
@pytest.mark.filterwarnings("error::RuntimeWarning")  # of lags without a pair of pulses
def test_a_sweep_file_is_fitted_as_it_is():
    """Compare with numbers that other code derived from the same file."""
    preset, found = fit_file(find("rram-set-sweep"))
    assert found.constants["c2c_intercept_us"].covers(21.15)
    assert found.constants["c2c_slope"].covers(0.085)
    assert found.constants["slow_share"].covers(0.285)
    assert found.constants["hrs_median_us"].covers(1e6 / 208e3)
    assert preset.set_law(np.array([2.30, 2.45])) == pytest.approx([45.0, 119.8], rel=0.05)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device,target_us,g_us\na,50,51\nb,x,51\n", "line 3, column 2 .target_us.: 'x' is not"),
        ("device,target_us,g_us\na,50,inf\n", "line 2: instrument overload"),
        ("device,target_us,g_us\na,0,50\n", "line 2, column 2 .target_us.: 0 is not positive"),
        ("device,target_us,g_us\n,50,50\n", "line 2: the name of the device is empty"),
        ("device,target_us,g_us\na,50\n", "line 2: 2 cells, but the table has 3 columns"),
        ("device,target_us,g_us\na,50,50,1\n", "line 2: 4 cells, but the table has 3 columns"),
        ("device,g_us\na,50\n", "line 1: the header lacks target_us"),
        ("1 100 2 2.0 5e4 4e4\n1 100 2 2.1 5e4 oops\n", "line 2, column 6: 'oops' is not a number"),
    ],
)
def test_a_malformed_file_is_told_line_and_column(tmp_path: Path, text: str, message: str):
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        fit_preset(path)
    with pytest.raises(UsageError, match="cannot read"):
        fit_preset(tmp_path / "none.csv")
