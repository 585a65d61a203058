"""The emulated array: generator, spread, device-to-device, stuck devices, age."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ohmcarlo.array import EmulatedArray
from ohmcarlo.array.threefry import threefry2x32
from ohmcarlo.errors import UsageError
from ohmcarlo.spec import Geometry

ALL = np.arange(64, dtype=np.int32)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # Random123's known answers for threefry2x32, 20 rounds
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_known_answers(counter, key, expected) -> None:  # type: ignore[no-untyped-def]
    assert threefry2x32(*key, *counter) == expected


def sample(array: EmulatedArray, target_us: float, cycles: int) -> np.ndarray:
    """Conductances (µS), (cycles, rows, 64), of the whole array programmed to one target."""
    dac = np.full(64, round(target_us / 0.0625), np.int32)
    out = np.empty((cycles, array.geometry.rows, 64))
    for cycle in range(cycles):
        for row in range(array.geometry.rows):
            array.reset(row)
            out[cycle, row] = array.program(row, ALL, dac) * 0.25
    return out


@pytest.mark.parametrize("target", [40.0, 115.0, 200.0])
def test_cycle_to_cycle_is_the_normal_that_it_claims(target: float) -> None:
    g = sample(EmulatedArray(Geometry(), 3, rel=0.05), target, 2).ravel()
    rng = np.random.default_rng(0)
    z = (g + rng.uniform(-0.125, 0.125, len(g)) - target) / (0.05 * target)
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert stats.kstest(1.03 * z, "norm").pvalue < 1e-3  # a spread that is 3 % too wide fails
    assert abs(z.mean()) < 4 / np.sqrt(len(z))


def test_successive_pulses_are_independent() -> None:
    g = sample(EmulatedArray(Geometry(), 3), 115.0, 4)
    flat = g.ravel() - g.mean()
    lag = np.corrcoef(flat[:-1], flat[1:])[0, 1]
    cycle = np.corrcoef(g[0].ravel(), g[1].ravel())[0, 1]
    assert abs(lag) < 4 / np.sqrt(flat.size) and abs(cycle) < 4 / np.sqrt(g[0].size)


def test_device_to_device() -> None:
    flat, spread = (
        sample(EmulatedArray(Geometry(rows=64), 3, d2d_rel=d), 115.0, 30).mean(0).std() / 115
        for d in (0.0, 0.02)
    )
    assert spread == pytest.approx(np.hypot(0.02, 0.05 / np.sqrt(30)), rel=0.05)
    assert flat == pytest.approx(0.05 / np.sqrt(30), rel=0.05)


def test_stuck_devices_do_not_move() -> None:
    array = EmulatedArray(Geometry(), 3, stuck=0.02)
    g = sample(array, 115.0, 8)
    still = (g == g[0]).all(0)
    assert still.mean() == pytest.approx(0.02, rel=0.2)
    assert set(np.unique(g[0][still])) == {0.0, 255.75}


def test_age_moves_medians_and_spreads() -> None:
    g = sample(EmulatedArray(Geometry(), 3, median_gain=0.9, sigma_gain=1.5), 115.0, 1)
    assert g.mean() == pytest.approx(103.5, rel=0.002)
    assert g.std() == pytest.approx(1.5 * 0.05 * 103.5, rel=0.02)


def test_dot_products_are_sums_over_what_was_read() -> None:
    array = EmulatedArray(Geometry(), 3)
    codes = array.program(7, ALL, np.full(64, 1800, np.int32))
    x = np.random.default_rng(1).integers(-127, 128, (50, 32)).astype(np.int8)
    assert np.array_equal(array.dot(7, x), x.astype(int) @ (codes[0::2] - codes[1::2]))
    assert np.array_equal(array.read(7, ALL), codes)


def test_ledger_counts_pulses() -> None:
    array = EmulatedArray(Geometry(rows=16), 3)
    sample(array, 115.0, 2)
    ledger = array.ledger
    assert (ledger.set, ledger.read, ledger.reset) == (2048, 2048, 2048)
    assert (ledger.wear == 2).all()
    assert ledger.set_conductance_us == pytest.approx(2048 * 115, rel=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rel": 5.0}, "fraction"),
        ({"stuck": 2}, "fraction"),
        ({"d2d_rel": -0.1}, "fraction"),
        ({"seed": -1}, "seed"),
        ({"median_gain": 0.0}, "median_gain"),
    ],
)
def test_nonsense_is_refused(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        EmulatedArray(Geometry(), **options)
