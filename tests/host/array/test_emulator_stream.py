"""The emulator, pulse by pulse: the word of the generator of each pulse, and the resulting code.

The arithmetic is repeated here in float64, with scipy's normal quantiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

from ohmcarlo.array import EmulatedArray
from ohmcarlo.array.threefry import threefry2x32
from ohmcarlo.spec import Geometry

SEED = (0xDEADBEEF << 32) | 0x01234567
SHAPE = Geometry(rows=16, pairs=8)
DEVICES = np.arange(16, dtype=np.int32)


def normals(first: int, count: int, seed: int = SEED) -> np.ndarray:
    """Standard normals of pulses ``first`` …: bit 31 of a word is the sign, the rest the tail."""
    key = seed & 0xFFFFFFFF, seed >> 32
    words = np.array(
        [threefry2x32(*key, n & 0xFFFFFFFF, n >> 32)[0] for n in range(first, first + count)],
        np.int64,
    )
    tail = -special.ndtri(((words & 0x7FFFFFFF) + 0.5) / 2.0**32)
    return np.where(words >> 31, -tail, tail)


def programmed(array: EmulatedArray, rows: int, dac: np.ndarray) -> np.ndarray:
    """Codes of ``rows`` rows, programmed one after the other."""
    return np.concatenate([array.program(row, DEVICES, dac) for row in range(rows)])


@pytest.mark.parametrize("first", [0, (1 << 32) - 40, 5 << 32])
@pytest.mark.parametrize(
    ("options", "gain", "rel"),
    [
        ({}, 1.0, 0.05),
        ({"d2d_rel": 0.1}, 1.0, 0.05),
        ({"d2d_rel": 0.05, "median_gain": 0.875, "sigma_gain": 1.5}, 0.875, 0.075),
    ],
    ids=["ideal", "device-to-device", "aged"],
)
def test_pulse_n_takes_word_n_of_a_64_bit_counter(
    first: int, options: dict[str, Any], gain: float, rel: float
) -> None:
    """Code = median (1 + d2d) · gain, plus the spread *there* times the normal, rounded."""
    array = EmulatedArray(SHAPE, SEED, **options)
    array.state.counter[0] = first
    dac = np.linspace(600, 3400, 16).astype(np.int32)
    found = programmed(array, 8, dac)
    offset = array.state.d2d[:8].ravel() / 65536.0
    median = np.tile(dac / 4, 8) * (1 + offset) * gain
    exact = np.clip(median * (1 + rel * normals(first, 128)), 0, 1023)
    assert np.abs(found - exact).max() < 0.6
    assert (found == np.floor(exact + 0.5)).mean() > 0.93  # tables may round ties either way
    assert array.state.counter[0] == first + 128


def test_both_words_of_the_seed_count() -> None:
    dac = np.full(16, 1840, np.int32)
    runs = [programmed(EmulatedArray(SHAPE, s), 4, dac) for s in (5, 5 + (1 << 32), 5 + (7 << 40))]
    assert not np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[1], runs[2])


def test_a_stuck_device_takes_its_word_all_the_same() -> None:
    array, healthy = EmulatedArray(SHAPE, SEED, stuck=0.3), EmulatedArray(SHAPE, SEED)
    dac = np.full(16, 1840, np.int32)
    codes, others = (programmed(a, 16, dac) for a in (array, healthy))
    stuck = array.state.stuck.ravel() >= 0
    assert 0.15 < stuck.mean() < 0.45
    assert np.array_equal(codes[~stuck], others[~stuck])
    assert array.state.counter[0] == 256


def test_reset_moves_every_device_that_still_moves() -> None:
    array = EmulatedArray(SHAPE, SEED, stuck=0.3)
    programmed(array, 16, np.full(16, 1840, np.int32))
    array.reset(3)
    stuck = array.state.stuck[3]
    assert np.array_equal(array.read(3, DEVICES), np.where(stuck >= 0, stuck, 8))  # 2 µS
    assert (array.read(4, DEVICES)[array.state.stuck[4] < 0] > 300).all()


def test_device_to_device_offsets_are_not_the_noise_of_pulses() -> None:
    """The hash of an address and the stream of the pulses must not share words. Otherwise the
    offset of device ``d`` of row 0 would equal the noise of its first pulse."""
    array = EmulatedArray(Geometry(rows=16, pairs=128), SEED, d2d_rel=0.05)
    for row in (0, 7):
        offsets = array.state.d2d[row] / 65536.0 / 0.05
        assert abs(offsets.mean()) < 0.3 and offsets.std() == pytest.approx(1, abs=0.2)
        same = np.corrcoef(offsets, normals(row << 16, 256))[0, 1]
        assert abs(same) < 0.25


def test_one_call_may_name_more_devices_than_a_row_has() -> None:
    whole, parts = EmulatedArray(SHAPE, SEED), EmulatedArray(SHAPE, SEED)
    devices = np.tile(DEVICES, 3)
    dac = np.linspace(600, 3400, 48).astype(np.int32)
    wanted = [parts.program(0, devices[i : i + 1], dac[i : i + 1])[0] for i in range(48)]
    assert whole.program(0, devices, dac).tolist() == wanted
    assert whole.state.counter[0] == 48
