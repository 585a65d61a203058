"""Read noise: dot products from codes keep the posterior exact, averages bring the array close."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array import EmulatedArray
from ohmcarlo.array.base import DIGITAL, DIGITAL_MACS, DOT
from ohmcarlo.array.physics import PhysicsArray
from ohmcarlo.array.presets import get_preset
from ohmcarlo.array.read_noise import averaged_law, excess_spread
from ohmcarlo.errors import UsageError
from ohmcarlo.golden import Controller, SamplerSettings
from ohmcarlo.reproduce.exactness.problems import PROBLEMS, reference
from ohmcarlo.runs.chain_run import ChainRun
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.supervised.experiment import prepare, standardised_weights
from ohmcarlo.runs.trace import Trace
from ohmcarlo.spec import Geometry
from ohmcarlo.tasks import Task
from problems import SlowArray, controller, trace, wdbc_points


def against_nuts(problem: str, noise: float, steps: int, **options: Any) -> tuple[float, float]:
    """(largest shift of a mean in sd, ratio of the spreads, rms) of a whitened chain."""
    chosen = PROBLEMS[problem]
    truth = reference(chosen)
    x, y = chosen.data()
    config = TrainConfig(
        task=problem,
        array="physics",
        preset=f"relative-5pct,read_noise_rel={noise:g}",
        whiten=True,
        chains=1,
        steps=steps,
        seed=5,
        sigma_p=chosen.sigma_p,
        **options,
    )
    setup, encoder = prepare(config, Task(name=problem, dataset="", description=""), x, y)
    with closing(setup):
        run = ChainRun(setup)
        run.run()
        found = Trace.of(run.streamed(), setup.board.current())
    weights = standardised_weights(setup.registers, encoder, found.codes)
    draws = weights[found.draws()][0, steps // 10 :]
    shift = np.abs(draws.mean(axis=0) - truth.mean) / truth.sd
    return float(shift.max()), float(np.sqrt(np.mean((draws.std(axis=0) / truth.sd) ** 2)))


@pytest.mark.stats
def test_dot_products_from_codes_are_exact() -> None:
    """The control, dot products of the array, is as wrong as predicted."""
    shift, spread = against_nuts("separable", 0.03, 4000)
    assert shift < 0.15 and abs(spread - 1) < 0.06  # Monte Carlo error 0.05 sd
    _, spread = against_nuts("separable", 0.03, 4000, dot_products="array")
    assert spread > 1.2
    assert abs(spread - 1 - excess_spread(float(np.hypot(0.05, 0.03)), 0.03)) < 0.12


@pytest.mark.stats
@pytest.mark.verify
@pytest.mark.data("breast-cancer-original")
def test_two_per_cent_of_read_noise_on_original_wisconsin() -> None:
    shift, spread = against_nuts("original", 0.02, 20_000)
    assert shift < 0.08 and abs(spread - 1) < 0.03  # Monte Carlo error 0.03 sd
    _, averaged = against_nuts("original", 0.02, 20_000, dot_products="array", repeats=4)
    assert abs(averaged - 1) < 0.06
    _, single = against_nuts("original", 0.02, 20_000, dot_products="array")
    assert single > 1.12


def test_spread_of_a_read_back() -> None:
    """Variances of the SET pulse and of the read add up, as repeated pulses show."""
    preset = get_preset("relative-5pct").with_values(read_noise_rel=0.04)
    array = PhysicsArray(Geometry(rows=4), preset, seed=2)
    target = np.array([115.0])
    devices = np.arange(64, dtype=np.int32)
    dac = np.full((500, 64), int(array.dac_of_target()[115]), np.int32)
    seen = array.cycle(0, devices, dac).std() * 0.25
    assert array.sigma_us(target)[0] == pytest.approx(115 * np.hypot(0.05, 0.04))
    assert seen == pytest.approx(array.sigma_us(target)[0], rel=0.02)
    law = averaged_law(array.sigma_us, array.read_noise_rel, 4)
    assert law(target)[0] == pytest.approx(115 * np.hypot(0.05, 0.02))


def test_codes_and_array_agree_without_noise() -> None:
    """Equal chains; the ledger counts digital dot products apart."""
    points = wdbc_points(7)
    by_array = controller(points, slow=False, seed=3)
    by_codes = controller(points, slow=False, seed=3, dot_products="codes")
    first, second = trace(by_array, 60), trace(by_codes, 60)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    counts, digital = by_array.array.ledger.counts, by_codes.array.ledger.counts
    assert counts[DOT] > 0 and digital[DOT] == 0
    assert digital[DIGITAL] == counts[DOT]
    assert digital[DIGITAL_MACS] == 8 * counts[DOT]
    assert np.array_equal(by_array.predict(points), by_codes.predict(points))


class Alternating(SlowArray):
    """READs and DOTs are high and low by turns; the first one of a device is high."""

    def __init__(self, array: EmulatedArray) -> None:
        super().__init__(array, exact=False)
        self.high = False

    def _off(self, values: np.ndarray) -> np.ndarray:
        self.high = not self.high
        return values + (5 if self.high else -5)

    def program(self, row: int, devices: Any, dac: Any) -> np.ndarray:
        self.high = False
        return self._off(self.inner.program(row, devices, dac))

    def read(self, row: int, devices: Any) -> np.ndarray:
        return self._off(self.inner.read(row, devices))

    def dot(self, row: int, inputs: np.ndarray) -> np.ndarray:
        return self._off(self.inner.dot(row, inputs))


def test_repeated_reads_are_averaged() -> None:
    """Errors that cancel in pairs leave the chain of the array without errors."""
    points, geometry = wdbc_points(7), Geometry()
    device = EmulatedArray(geometry, 3)
    traces = []
    for array, repeats in ((SlowArray(device, False), 1), (Alternating(device), 2)):
        device.load_state_dict(EmulatedArray(geometry, 3).state_dict())
        settings = SamplerSettings(repeats=repeats)
        registers = settings.registers(geometry, points.features, device.sigma_us)
        made = Controller(registers, array, points)
        made.start()
        traces.append((trace(made, 40), device.ledger.dot, device.ledger.read))
    (single, dots, reads), (double, twice, reads_twice) = traces
    assert all(np.array_equal(single[name], double[name]) for name in single)
    assert (twice, reads_twice) == (2 * dots, 2 * reads)


def test_prediction_uses_the_codes_of_the_samples() -> None:
    """A second READ of a noisy row gives other codes."""
    points = wdbc_points(7)
    preset = get_preset("relative-5pct").with_values(read_noise_rel=0.02)
    array = PhysicsArray(Geometry(), preset, seed=4)
    registers = SamplerSettings(dot_products="codes").registers(
        Geometry(), points.features, array.sigma_us
    )
    made = Controller(registers, array, points)
    made.start()
    streamed = trace(made, 50)["codes"]
    rows, _, held = made.held_samples()
    current = made.state.codes[0]
    samples = {tuple(codes) for codes in (*streamed, current)}
    assert {tuple(codes) for codes in held} == samples
    again = np.array([array.read(int(row), np.arange(16, dtype=np.int32)) for row in rows])
    assert (again != held).mean() > 0.5
    copy = Controller(registers, PhysicsArray(Geometry(), preset, seed=4), points)
    copy.load_state_dict(made.state_dict())
    assert np.array_equal(copy.held_samples()[2], held)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dot_products": "analogue"}, "dot_products 'analogue' is unknown: choose array or codes"),
        ({"repeats": 3}, "repeats = 3: choose a power of two from 1 to 16"),
        ({"repeats": 32}, "repeats = 32: choose a power of two from 1 to 16"),
    ],
)
def test_refused_settings(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SamplerSettings(**options)


def settings_of(preset: str | None, **options: Any) -> tuple[str, dict[str, Any]]:
    """Where a run on it computes dot products, and the error that it states."""
    array = "emulator" if preset is None else "physics"
    config = TrainConfig(
        task="toy2d", array=array, preset=preset, steps=10, trim=False, chains=1, **options
    )
    x, y = PROBLEMS["separable"].data()
    setup, _ = prepare(config, Task(name="toy2d", dataset="", description=""), x, y)
    with closing(setup):
        errors = {error.source: error for error in setup.errors}
    return setup.settings.dot_products, errors


def test_dot_products_follow_the_read_noise() -> None:
    noisy = "relative-5pct,read_noise_rel=0.02"
    where, errors = settings_of(noisy)
    assert where == "codes" and "read_noise" not in errors
    where, errors = settings_of(noisy, dot_products="array")
    assert errors["read_noise"].spread == pytest.approx(1.16)
    assert not errors["read_noise"].trusted
    assert errors["read_noise"].remedy == "use --dot-products codes"
    _, errors = settings_of(noisy, dot_products="array", repeats=4)
    assert errors["read_noise"].spread == pytest.approx(1.04)
    where, errors = settings_of("relative-5pct,read_noise_rel=0.005")
    assert where == "array" and errors["read_noise"].spread == pytest.approx(1.01)
    where, errors = settings_of(None)
    assert where == "array" and "read_noise" not in errors
    assert settings_of(noisy, kernel="published")[0] == "array"
