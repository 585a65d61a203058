"""Populations of devices as they are measured: fine steps, saturation, stuck devices, no noise."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ohmcarlo.array.characterize import estimation
from ohmcarlo.array.characterize.estimates import ABSENT, Estimate, Origin, Pulses
from ohmcarlo.array.characterize.estimation import estimate_population
from ohmcarlo.array.characterize.fit import fit_file, preset_of
from ohmcarlo.array.characterize.moments import MEMORIES, expected_moments, lags_of
from ohmcarlo.array.device_preset import Tag
from ohmcarlo.array.presets import get_preset
from ohmcarlo.errors import UsageError
from populations import TARGETS_US, Population, long_table, six_columns

TARGET_POPULATION = Population(1, levels=TARGETS_US, medians_us=TARGETS_US)


def saturating(volts: np.ndarray) -> np.ndarray:
    """Conductance (µS) that approaches 205 µS from 60 µS at 1.5 V."""
    return 205 - 145 * np.exp(-(volts - 1.5) / 0.4)


def of_levels(levels: np.ndarray, medians_us: np.ndarray, seed: int = 1, **more: object):
    return Population(
        seed, levels=tuple(levels.tolist()), medians_us=tuple(medians_us.tolist()), **more
    )


def pulses_of(population: Population, unit: str = "V") -> Pulses:
    g = population.pulses()[1]
    cycles, levels, devices = g.shape
    order = np.arange(cycles * levels) % levels
    level = np.repeat(order[:, None], devices, axis=1)
    return Pulses(np.array(population.levels), level, g.reshape(-1, devices), unit=unit)


# -- fine steps and saturation ----------------------------------------------------------------


@pytest.mark.stats
def test_fine_steps_that_saturate_are_fitted(tmp_path: Path):
    """126 voltages, 20 mV apart, whose neighbours differ by less than their error."""
    volts = np.linspace(1.5, 4.0, 126)
    population = of_levels(volts, saturating(volts), devices=12, cycles=8, d2d_max_us=3.0)
    assert np.any(np.diff(population.pulses()[1].mean(axis=(0, 2))) < 0)
    preset, found = fit_file(six_columns(population, tmp_path / "fine.tsv"))
    assert any("the mean saturates: above" in note for note in found.notes)
    assert any("levels are merged into" in note for note in found.notes)
    assert 20 < len(found.levels) <= 40
    assert 2.8 < found.levels[-1] < 3.8  # 3 % of the rise are left at 2.9 V, 0.4 % at 3.7 V
    middle = np.array([1.7, 2.0, 2.4])
    assert preset.set_law(middle) == pytest.approx(saturating(middle), rel=0.05)
    assert found.constants["c2c_intercept_us"].covers(18.0)
    assert found.constants["c2c_slope"].covers(0.06)
    assert not found.constants["c2c_intercept_us"].covers(1.3 * 18.0)


@pytest.mark.stats
def test_target_levels_that_saturate_are_fitted(tmp_path: Path):
    targets = np.arange(40.0, 240.0, 5.0)
    population = of_levels(targets, np.minimum(targets, 160.0), devices=20, cycles=6)
    preset, found = fit_file(long_table(population, tmp_path / "fine.csv"))
    assert any("the mean saturates: above" in note for note in found.notes)
    assert 150 <= found.levels[-1] <= 170
    assert preset.valid_us[1] == pytest.approx(160, abs=5)


def test_levels_that_rise_stay_as_they_are():
    found = estimate_population(pulses_of(TARGET_POPULATION, "µS"))
    assert found.levels.tolist() == list(TARGETS_US)
    assert found.notes == ()


def test_few_repeats_of_many_levels_are_merged():
    """Levels are 5 µS apart and σ is 3 µS: without a correction for the levels that a group holds,
    it would be 5 µS."""
    volts = np.linspace(2.0, 2.6, 40)
    population = of_levels(volts, 50 + 325 * (volts - 2.0), cycles=2, devices=20, slow_share=0.0,
                           intercept_us=3.0, slope=0.0, d2d_max_us=2.0)  # fmt: skip
    found = estimate_population(pulses_of(population))
    assert 3 <= len(found.levels) <= 14
    assert np.mean([e.value for e in found.sigma_us]) == pytest.approx(3.0, rel=0.1)
    with pytest.raises(UsageError, match="down to 1 repeat of"):
        estimate_population(pulses_of(population.but(cycles=1)))


def test_a_fall_is_refused_before_the_fit(monkeypatch: pytest.MonkeyPatch):
    def too_late(*_: object) -> None:
        raise AssertionError("the fit has begun")

    monkeypatch.setattr(estimation, "device_sums", too_late)
    volts = np.array([2.0, 2.1, 2.2, 2.3, 2.4])
    falls = of_levels(volts, np.array([60.0, 100.0, 140.0, 115.0, 90.0]), slow_share=0.0)
    with pytest.raises(UsageError) as error:
        estimate_population(pulses_of(falls))
    text = str(error.value)
    assert "falls as the level rises" in text
    assert "at 2.2 V" in text
    assert "at 2.4 V" in text
    means = falls.pulses()[1].mean(axis=(0, 2))
    assert f"{means[2]:.1f} ± " in text
    assert f"{means[4]:.1f} ± " in text
    monkeypatch.undo()
    # the advice of the message
    some = of_levels(volts[:3], np.array([60.0, 100.0, 140.0]), slow_share=0.0)
    estimate_population(pulses_of(some))


def test_a_fall_within_its_error_is_fitted():
    volts = np.array([2.0, 2.1, 2.2, 2.3, 2.4])
    population = of_levels(volts, np.array([60.0, 90.0, 120.0, 119.0, 150.0]))
    found = estimate_population(pulses_of(population))
    assert all(np.diff([e.value for e in found.mean_us]) > 0)


def test_a_missing_reading_costs_that_reading(tmp_path: Path):
    """The fifth repeat of five: the level still counts, with one repeat less."""
    path = long_table(TARGET_POPULATION.but(devices=8, cycles=5), tmp_path / "mine.csv")
    whole = fit_file(path)[1]
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[-1] = lines[-1].rsplit(",", 1)[0] + ",9.9e37"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = fit_file(path)[1]
    assert found.pulses == whole.pulses - 1
    assert len(found.levels) == len(TARGETS_US)


def test_voltages_of_any_range(tmp_path: Path):
    population = of_levels(np.array([5.5, 6.5, 7.5, 8.5]), np.array([60.0, 90.0, 120.0, 150.0]))
    preset = fit_file(six_columns(population, tmp_path / "sweep.tsv"))[0]
    assert preset.set_law(np.array([7.5])) == pytest.approx(120, rel=0.05)


def test_voltages_that_hardly_set_are_noted(tmp_path: Path):
    volts = np.array([1.0, 1.5, 2.0, 2.2, 2.4, 2.6])
    population = of_levels(
        volts, np.array([4.0, 6.0, 60.0, 90.0, 120.0, 150.0]), d2d_max_us=1.0, slope=0.0,
        intercept_us=3.0,
    )  # fmt: skip
    found = fit_file(six_columns(population, tmp_path / "sweep.tsv"))[1]
    assert found.levels.tolist() == [2.0, 2.2, 2.4, 2.6]
    assert "4 of 6 voltages SET most of the devices" in found.notes[0]


# -- devices that do not follow ------------------------------------------------------------------


@pytest.mark.stats
def test_the_stuck_share_is_counted():
    """Clopper and Pearson: 2 of 20 gives 1.23 % to 31.7 %; 0 of 20 ends at 16.84 %."""
    population = TARGET_POPULATION.but(devices=20)
    none = estimate_population(pulses_of(population, "µS"))
    two = estimate_population(pulses_of(population.but(stuck=2), "µS"))
    share = two.constants["stuck_fraction"]
    assert (share.value, share.low, share.high) == pytest.approx((0.1, 0.0123, 0.3170), abs=1e-4)
    share = none.constants["stuck_fraction"]
    assert (share.value, share.low, share.high) == pytest.approx((0.0, 0.0, 0.1684), abs=1e-4)
    assert two.devices == 18
    assert two.notes == ("2 of 20 devices do not follow the level: left out",)
    assert two.constants["stuck_hrs_share"].value == 1.0
    assert preset_of(two, "two").stuck_fraction.value == pytest.approx(0.1)
    assert "0.0123" in preset_of(two, "two").stuck_fraction.note
    # the stuck ones move no median; as followers, they would lower it by a tenth
    live = pulses_of(population.but(stuck=2), "µS").g_us[:, :18]
    assert two.mean_us[3].value == pytest.approx(live[3::7].mean(), rel=1e-9)


def test_silent_devices_count_as_stuck():
    found = estimate_population(
        pulses_of(TARGET_POPULATION.but(devices=20), "µS"), silent=("a", "b", "c")
    )
    assert found.constants["stuck_fraction"].value == pytest.approx(3 / 23)
    assert found.constants["stuck_hrs_share"].value == 1.0


def test_a_chip_that_does_not_follow_is_refused():
    population = TARGET_POPULATION.but(devices=20, stuck=13)
    with pytest.raises(UsageError, match="13 of 20 devices whose conductance does not follow"):
        estimate_population(pulses_of(population, "µS"))


# -- nothing to fit ------------------------------------------------------------------------------

LINES = {
    "exact": (lambda t, d, c: t, "repeats that are equal: the devices"),
    "exact, devices differ": (lambda t, d, c: t + d, "repeats that are equal: the devices"),
    "zero": (lambda t, d, c: 0.0, "conductances .*0"),
    "constant": (lambda t, d, c: 50.0, "repeats that are equal"),
    "noise around a constant": (
        lambda t, d, c: 50 + (37 * d + 11 * c + t) % 5,
        "does not rise with the level",
    ),
    "rounded": (lambda t, d, c: t + (d < 4) * (c % 2), "most devices reach exactly the same"),
}


@pytest.mark.parametrize("name", LINES)
def test_nothing_to_fit_is_one_line(tmp_path: Path, name: str):
    conductance, message = LINES[name]
    lines = [
        f"{d},{t},{conductance(t, d, c):g}"
        for d in range(12)
        for c in range(8)
        for t in (50, 80, 110, 140)
    ]
    path = tmp_path / "mine.csv"
    path.write_text("device,target_us,g_us\n" + "\n".join(lines), encoding="utf-8")
    with pytest.raises(UsageError, match=message) as error:
        fit_file(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@st.composite
def populations(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels, conductances (cycles, levels, devices), and which pulses are missing."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    devices, cycles = draw(st.sampled_from([1, 5, 6, 15])), draw(st.sampled_from([1, 2, 5, 12]))
    count = draw(st.sampled_from([1, 2, 3, 4, 9, 40]))
    levels = np.sort(rng.choice(np.arange(1.0, 300.0), count, replace=False))
    curve = draw(st.sampled_from(["line", "line", "flat", "fall", "hump", "step", "zero", "steep"]))
    x = (levels - levels[0]) / max(np.ptp(levels), 1)
    medians = {
        "line": levels, "flat": 50 + 0 * x, "fall": 200 - 150 * x, "hump": 10 + 200 * x * (1.4 - x),
        "step": np.where(x > 0.5, 150.0, 5.0), "zero": 0 * x, "steep": 1e6 * x + 1,
    }[curve]  # fmt: skip
    spread = draw(st.sampled_from([0.0, 1e-7, 0.02, 0.1, 0.1, 3.0]))
    between = draw(st.sampled_from([0.0, 0.03, 0.3, 1.0]))
    own = medians[:, None] * (1 + between * rng.standard_normal(devices))
    sigma = spread * medians[:, None] * np.exp(draw(st.sampled_from([0.0, 1.0])))
    g = own + sigma * rng.standard_normal((cycles, count, devices))
    stuck = rng.random(devices) < draw(st.sampled_from([0.0, 0.0, 0.2, 1.0]))
    g[:, :, stuck] = draw(st.sampled_from([0.0, 1.0, 400.0]))
    step = draw(st.sampled_from([0.0, 0.0, 0.25, 5.0]))
    g = np.round(g / step) * step if step else g
    g = np.clip(g, 0.0, draw(st.sampled_from([250.0, 1e9])))
    return levels, g, rng.random(g.shape) < draw(st.sampled_from([0.0, 0.0, 0.1, 0.6]))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(populations())
def test_any_population_gives_a_preset_or_one_line(tmp_path: Path, population):
    levels, g, missing = population
    lines = [f"{d},{levels[t]:g},{g[c, t, d]:.6g}" for c, t, d in np.argwhere(~missing).tolist()]
    path = tmp_path / "any.csv"
    path.write_text("\n".join(["device,target_us,g_us", *lines]), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            preset = fit_file(path, "any")[0]
        except UsageError as error:
            assert str(error).startswith(str(path))
            assert "\n" not in str(error)
        else:
            preset.save(tmp_path / "any.json")
            assert get_preset(str(tmp_path / "any.json")) == preset


# -- where constants come from ------------------------------------------------------------------


def test_every_constant_states_its_origin(tmp_path: Path):
    """The levels of this table show no outer branch, no limit of d2d, no reads and no RESET."""
    population = TARGET_POPULATION.but(d2d_rel=0.1, d2d_max_us=1e3)
    preset, found = fit_file(long_table(population, tmp_path / "mine.csv"))
    origins = {name: e.origin for name, e in found.constants.items()}
    fitted = {"c2c_intercept_us", "c2c_slope", "c2c_device_ln", "slow_share", "slow_phi",
              "memory", "d2d_rel", "stuck_fraction"}  # fmt: skip
    assert {name for name, o in origins.items() if o is Origin.FITTED} == fitted
    implied = {"c2c_max_rel", "c2c_floor_us", "d2d_max_us"}
    assert {name for name, o in origins.items() if o is Origin.RANGE} == implied
    assumed = {"hrs_median_us", "hrs_ln_sigma", "hrs_max_us", "read_noise_rel", "relax_us",
               "drift_rel_per_decade", "compliance_v"}  # fmt: skip
    assert assumed <= {name for name, o in origins.items() if o is Origin.ASSUMED}
    for name, e in found.constants.items():
        assert (e.low is not None) == (e.origin is Origin.FITTED), name
    assert preset.constants().keys() - origins.keys() <= {
        "dac_low_v", "dac_high_v", "wire_ohm", "line_calibration"
    }  # fmt: skip
    text = json.loads(json.dumps(found.to_dict()["constants"]))
    assert text["relax_us"]["origin"] == "assumed"
    assert text["d2d_max_us"]["origin"] == "from the data's range"


def test_the_preset_states_the_origin_of_its_constants(tmp_path: Path):
    preset, found = fit_file(long_table(TARGET_POPULATION, tmp_path / "mine.csv"))
    preset.save(tmp_path / "mine.json")
    saved = get_preset(str(tmp_path / "mine.json"))
    assert (saved.slow_share.tag, saved.slow_share.source) == (Tag.DERIVED, "FIT")
    low = found.constants["slow_share"].low
    assert saved.slow_share.note.startswith(f"fitted, 95% interval {low:.4g} to ")
    assert saved.constants()["c2c_floor_us"].tag is Tag.ASSUMED
    assert saved.constants()["c2c_floor_us"].note == "from the data's range"
    # of another chip, where it is known better
    assert get_preset("rram-1t1r").hrs_median_us.tag is Tag.DERIVED
    assert saved.hrs_median_us.tag is Tag.ASSUMED
    assert "the data do not determine it" in saved.hrs_median_us.note


def test_an_assumed_read_noise_does_not_exceed_what_the_data_show(tmp_path: Path):
    population = TARGET_POPULATION.but(intercept_us=0.6, slope=0.0, d2d_max_us=1.0)
    found = fit_file(long_table(population, tmp_path / "mine.csv"))[1]
    noise = found.constants["read_noise_rel"]
    assert noise.origin is Origin.RANGE
    assert noise.value < 0.5 * 0.6 / TARGETS_US[-1]


def test_a_slow_process_without_a_share_has_no_length():
    found = estimate_population(pulses_of(TARGET_POPULATION.but(slow_share=0.0), "µS"))
    assert found.constants["slow_share"].low == 0
    assert found.constants["slow_share"].high < 0.2
    assert found.constants["slow_phi"].origin is Origin.RANGE
    slow = estimate_population(pulses_of(TARGET_POPULATION, "µS")).constants
    assert slow["slow_phi"].origin is Origin.FITTED


def test_few_cycles_do_not_determine_a_slow_process(tmp_path: Path):
    levels = TARGETS_US[1::2]
    few = Population(2, devices=8, cycles=5, levels=levels, medians_us=levels)
    constants = fit_file(long_table(few, tmp_path / "few.csv"))[1].constants
    assert constants["slow_share"].origin is Origin.ASSUMED
    assert constants["slow_share"].value == get_preset("rram-1t1r").slow_share.value
    many = fit_file(long_table(few.but(devices=20, cycles=20), tmp_path / "many.csv"))[1].constants
    assert many["slow_share"].origin is Origin.FITTED


@pytest.mark.stats
def test_repeated_reads_give_the_read_noise(tmp_path: Path):
    """Reads with 4 % noise are not taken for a cycle-to-cycle spread: 5.7 µS, with the noise of a
    read at 100 µS: 7.0 µS."""
    levels = (60.0, 80.0, 100.0, 120.0, 140.0)
    population = of_levels(np.array(levels), np.array(levels), devices=16, cycles=12,
                           intercept_us=5.7, slope=0.0, slow_share=0.0)  # fmt: skip
    after = population.pulses()[1]
    rng = np.random.default_rng(5)
    lines = ["device,target_us,cycle,read,g_us"]
    for (c, t, d), g in np.ndenumerate(after):
        reads = g * (1 + 0.04 * rng.standard_normal(3))
        lines += [f"d{d},{levels[t]:g},{c},{k},{value:.5g}" for k, value in enumerate(reads)]
    path = tmp_path / "reads.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = fit_file(path)[1]
    assert found.constants["read_noise_rel"].origin is Origin.FITTED
    assert found.constants["read_noise_rel"].value == pytest.approx(0.04, rel=0.05)
    assert found.sigma_us[2].covers(5.7)
    assert not found.sigma_us[2].covers(7.0)


# -- moments of long records -------------------------------------------------------------------


def dense_moments(order: np.ndarray, levels: int, memory: float) -> list[np.ndarray]:
    """Lag, within, between and squares from the covariance matrix itself."""
    place = np.flatnonzero(order != ABSENT)
    distance = np.abs(place[:, None] - place)
    covariance = np.exp(-distance / memory)
    member = (order[place] == np.arange(levels)[:, None]).astype(float)
    size = member.sum(axis=1)
    average = member / size[:, None]
    left = np.eye(len(place)) - member.T @ average
    residual = left @ covariance @ left.T
    lags = lags_of(len(order))
    lag = [np.mean(residual[distance == k]) if (distance == k).any() else np.nan for k in lags]
    within = member @ np.diag(residual) / (size - 1)
    squares = [np.trace(residual), np.sum(residual**2)]
    return [np.array(lag), within, np.diag(average @ covariance @ average.T), np.array(squares)]


@pytest.mark.parametrize("pulses", [60, 400])
def test_expected_moments_are_those_of_the_covariance(pulses: int):
    rng = np.random.default_rng(2)
    order = np.where(rng.random(pulses) < 0.2, ABSENT, rng.integers(0, 4, pulses))
    found = expected_moments(order[:, None], 4, lags_of(pulses))
    for i in (3, 20):
        wanted = dense_moments(order, 4, MEMORIES[i])
        for seen, right in zip(found, wanted, strict=True):
            assert seen[1 + i] == pytest.approx(right, rel=1e-9, nan_ok=True)


def test_estimates_are_readable():
    assert str(Estimate(0.5, None, None, "V", Origin.ASSUMED)) == "0.5 V"
