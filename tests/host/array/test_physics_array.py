"""The physical array reproduces its sources, one effect at a time."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from ohmcarlo.array.device_preset import SOURCES, Tag
from ohmcarlo.array.physics import Effects, PhysicsArray, ValidityWarning
from ohmcarlo.array.presets import PRESET_NAMES, get_preset
from ohmcarlo.errors import UsageError
from ohmcarlo.spec import CODE_LSB_US, VALID_HI_CODE, VALID_LO_CODE, Geometry
from published import SET_SWEEP

GEOMETRY = Geometry(rows=64, pairs=32)
ALL = np.arange(GEOMETRY.row_devices, dtype=np.int32)


def only(*names: str) -> dict[str, bool]:
    """Switches that leave only ``names`` on."""
    return {name: name in names for name in Effects.names()}


def cycle(array: PhysicsArray, target_us: float, cycles: int, rows: range) -> np.ndarray:
    """Conductance (µS) after each of ``cycles`` programmings, (cycles, rows, devices)."""
    dac = np.full(len(ALL), array.preset.dac_of_us(np.array([target_us]))[0], np.int32)
    out = np.empty((cycles, len(rows), len(ALL)))
    for i in range(cycles):
        for j, row in enumerate(rows):
            array.reset(row)
            array.program(row, ALL, dac)
            out[i, j] = array.conductance_us(row)
    return out


# -- presets ---------------------------------------------------------------------------------


def test_set_law_passes_through_the_measured_table():
    preset = get_preset("rram-1t1r")
    for volts, mean_us, _, _ in SET_SWEEP:
        assert preset.set_law(np.array([volts]))[0] == pytest.approx(mean_us)


def deviation_from_measured(law) -> float:
    return max(abs(law(np.array([g]))[0] / sigma - 1) for _, g, sigma, _ in SET_SWEEP[1:])


def test_sigma_law_follows_the_measured_table():
    assert deviation_from_measured(get_preset("rram-1t1r").c2c) < 0.07
    assert deviation_from_measured(get_preset("relative-5pct").c2c) > 0.2


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_every_constant_has_unit_range_tag_and_source(name: str):
    preset = get_preset(name)
    for constant in preset.constants().values():
        assert constant.unit
        assert constant.source in SOURCES
        assert constant.tag in Tag
        assert constant.low <= constant.value <= constant.high
    json.dumps(preset.to_dict(), allow_nan=False)


def test_relative_preset_is_the_identity():
    assert PhysicsArray(GEOMETRY, "relative-5pct").dac_of_target()[115] == 115 * 16


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_dac_table_inverts_the_set_law(name: str):
    array = PhysicsArray(GEOMETRY, name)
    targets = np.arange(30, 251)
    dac = array.dac_of_target()[targets]
    assert np.abs(array.preset.median_us(dac) / targets - 1).max() < 0.003


def test_unknown_names_list_the_known_ones():
    with pytest.raises(UsageError, match="rram-1t1r, relative-5pct, relative-2pct, stress"):
        get_preset("unobtainium")
    with pytest.raises(UsageError, match="choose among c2c"):
        PhysicsArray(GEOMETRY, telepathy=True)
    with pytest.raises(UsageError, match="has no constant 'colour'"):
        get_preset("rram-1t1r").with_values(colour=1.0)


def test_leaving_a_range_is_refused():
    with pytest.raises(UsageError, match=r"outside its range of validity, 0 to 0.05 fraction of g"):
        get_preset("rram-1t1r").with_values(read_noise_rel=1.0)  # a percentage, mistaken
    with pytest.raises(UsageError, match="ageing table covers"):
        PhysicsArray(GEOMETRY, cycles=1e9)
    array = PhysicsArray(GEOMETRY)
    with pytest.raises(UsageError, match=r"DAC codes must lie in 0\.\.4095"):
        array.program(0, ALL[:1], np.array([4096], np.int32))


def test_programming_outside_the_sources_warns_once():
    array = PhysicsArray(GEOMETRY, "rram-1t1r")
    low = array.dac_of_target()[30:31]
    with pytest.warns(ValidityWarning, match="45 to 195 µS"):
        array.program(0, ALL[:1], low)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        array.program(0, ALL[:1], low)
        PhysicsArray(GEOMETRY, "rram-1t1r").program(0, ALL[:1], array.dac_of_target()[100:101])


# -- effects ---------------------------------------------------------------------------------


@pytest.mark.stats
@pytest.mark.parametrize(("target", "sigma"), [(97.5, 13.8), (119.8, 11.1), (152.6, 8.0)])
def test_cycle_to_cycle_spread(target: float, sigma: float):
    g = cycle(PhysicsArray(GEOMETRY, seed=3, **only("c2c")), target, 50, range(16))
    assert g.mean() == pytest.approx(target, rel=0.01)
    assert g.std(axis=0, ddof=1).mean() == pytest.approx(sigma, rel=0.08)
    still = cycle(PhysicsArray(GEOMETRY, seed=3, **only()), target, 2, range(2))
    assert np.ptp(still) == 0


@pytest.mark.stats
def test_device_to_device_spread():
    g = cycle(PhysicsArray(GEOMETRY, seed=4, **only("d2d")), 119.8, 1, range(64))[0]
    assert g.std() == pytest.approx(12.0, rel=0.05)
    assert np.ptp(cycle(PhysicsArray(GEOMETRY, seed=4, **only()), 119.8, 1, range(64))) == 0


@pytest.mark.stats
def test_correlation_of_cycles():
    def at_lags(array: PhysicsArray) -> list[float]:
        g = cycle(array, 119.8, 900, range(2))
        z = (g - 119.8) / g.std()
        return [float((z[lag:] * z[:-lag]).mean()) for lag in (1, 40)]

    lag1, lag40 = at_lags(PhysicsArray(GEOMETRY, seed=5, **only("c2c", "correlation")))
    assert lag1 == pytest.approx(0.285, abs=0.03)
    assert lag40 == pytest.approx(0.13, abs=0.03)
    assert np.abs(at_lags(PhysicsArray(GEOMETRY, seed=5, **only("c2c")))).max() < 0.02


@pytest.mark.stats
def test_spread_of_sigma_between_devices():
    def quantiles(**switches: bool) -> np.ndarray:
        preset = get_preset("rram-1t1r").with_values(c2c_device_ln=0.54)
        g = cycle(PhysicsArray(GEOMETRY, preset, 6, **switches), 119.8, 100, range(16))
        sigma = g.std(axis=0, ddof=1)
        return np.quantile(sigma, (0.1, 0.9)) / np.median(sigma)

    assert quantiles(**only("c2c", "c2c_device")) == pytest.approx([0.5, 2.0], rel=0.1)
    assert quantiles(**only("c2c")) == pytest.approx([1, 1], abs=0.12)


@pytest.mark.stats
def test_high_resistance_state():
    def states(**switches: bool) -> np.ndarray:
        array = PhysicsArray(GEOMETRY, seed=7, **switches)
        for row in range(64):
            array.reset(row)
        return np.array([array.conductance_us(row) for row in range(64)])

    g = states(**only("hrs"))
    assert 1e3 / np.median(g) == pytest.approx(208, rel=0.04)  # kΩ
    low = np.log(np.quantile(g, 0.5)) - np.log(np.quantile(g, 0.1587))  # below the truncation
    assert low == pytest.approx(0.6, rel=0.06)
    assert 1e3 / g.max() >= 59.9  # RESET goes on below 60 kΩ
    assert np.ptp(states(**only())) == 0


@pytest.mark.stats
def test_read_noise():
    def reads(**switches: bool) -> np.ndarray:
        array = PhysicsArray(GEOMETRY, seed=8, **switches)
        array.program(0, ALL, np.full(64, array.dac_of_target()[150], np.int32))
        return np.array([array.read(0, ALL) for _ in range(400)]) * CODE_LSB_US

    assert reads(**only("read_noise")).std(axis=0).mean() == pytest.approx(1.5, rel=0.03)
    assert np.ptp(reads(**only())) == 0


@pytest.mark.stats
def test_noise_of_a_dot_product():
    """Each device adds its own 1 %: variance (0.01)² Σ x² (g⁺² + g⁻²), in codes."""
    x = np.random.default_rng(0).integers(-127, 128, (200, 32)).astype(np.int8)

    def spread(**switches: bool) -> np.ndarray:
        array = PhysicsArray(GEOMETRY, seed=9, **switches)
        array.program(0, ALL, array.dac_of_target()[60:188:2])
        return np.array([array.dot(0, x) for _ in range(200)]).std(axis=0)

    squares = (np.arange(60, 188, 2) / CODE_LSB_US) ** 2
    expected = 0.01 * np.sqrt(x.astype(float) ** 2 @ (squares[0::2] + squares[1::2]))
    assert np.mean(spread(**only("read_noise")) / expected) == pytest.approx(1, abs=0.02)
    assert spread(**only()).max() == 0


@pytest.mark.stats
def test_relaxation_grows_with_the_logarithm_of_time():
    def change(seconds: float, **switches: bool) -> float:
        array = PhysicsArray(GEOMETRY, seed=10, **switches)
        dac = np.full(64, array.dac_of_target()[100], np.int32)
        for row in range(64):
            array.program(row, ALL, dac)
        array.rest(seconds)
        return float(np.std([array.conductance_us(row) - 100 for row in range(64)]))

    assert change(1.0, **only("drift")) == pytest.approx(1.0, rel=0.04)  # technology B: 1.0 µS
    assert change(1e-3, **only("drift")) == pytest.approx(4 / 7, rel=0.04)
    assert change(1.0, **only()) < 0.01


def test_drift_of_the_median():
    preset = get_preset("rram-1t1r").with_values(drift_rel_per_decade=0.01, relax_us=0.0)
    array = PhysicsArray(GEOMETRY, preset, 1, **only("drift"))
    array.program(0, ALL, np.full(64, array.dac_of_target()[100], np.int32))
    array.rest(1.0)
    assert array.conductance_us(0).mean() == pytest.approx(93, rel=0.002)  # 7 decades from 100 ns


@pytest.mark.stats
@pytest.mark.parametrize(("cycles", "median", "sigma"), [(1e7, 0.95, 1.2), (1e8, 0.85, 1.7)])
def test_ageing(cycles: float, median: float, sigma: float):
    def moments(age: float, **switches: bool) -> tuple[float, float]:
        array = PhysicsArray(GEOMETRY, "rram-1t1r", 11, cycles=age, **switches)
        g = cycle(array, 119.8, 40, range(16))
        law = array.preset.c2c(np.array([g.mean()]))[0]
        return g.mean() / 119.8, g.std() / law

    assert moments(cycles, **only("c2c", "ageing")) == pytest.approx((median, sigma), rel=0.02)
    assert moments(cycles, **only("c2c")) == pytest.approx((1, 1), rel=0.02)
    assert moments(1e6, **only("c2c", "ageing")) == pytest.approx((1, 1), rel=0.02)


def test_ageing_halves_the_window():
    def median_hrs(age: float) -> float:
        array = PhysicsArray(GEOMETRY, "rram-1t1r", 11, cycles=age, **only("ageing"))
        array.reset(0)
        return float(np.median(array.conductance_us(0)))

    assert median_hrs(1e8) == pytest.approx(2 * median_hrs(0), rel=1e-3)


@pytest.mark.stats
def test_stuck_devices_stay_and_are_visibly_invalid():
    array = PhysicsArray(GEOMETRY, "stress", 12)
    count = array.stuck.sum()
    assert abs(count - 410) < 4 * np.sqrt(4096 * 0.1 * 0.9)
    dac = np.full(64, array.dac_of_target()[115], np.int32)
    for row in range(64):
        array.reset(row)
        codes = array.program(row, ALL, dac)[array.stuck[row]]
        assert np.all((codes < VALID_LO_CODE) | (codes > VALID_HI_CODE))
    assert not PhysicsArray(GEOMETRY, "stress", 12, stuck=False).stuck.any()


# -- the protocol ----------------------------------------------------------------------------


def play(array: PhysicsArray, steps: int) -> np.ndarray:
    x = np.random.default_rng(1).integers(-127, 128, (50, 32)).astype(np.int8)
    dac = np.full(40, array.dac_of_target()[115], np.int32)
    out = []
    for step in range(steps):
        row = step % 7
        array.reset(row)
        out += [array.program(row, ALL[:40], dac), array.read(row, ALL), array.dot(row, x)]
    return np.concatenate(out)


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_checkpoint_continues_bit_for_bit(name: str):
    array = PhysicsArray(GEOMETRY, name, 13, cycles=9e6)
    play(array, 10)
    state = array.state_dict()
    expected = play(array, 20)
    fresh = PhysicsArray(GEOMETRY, name, 13, cycles=9e6)
    assert not np.array_equal(play(fresh, 20), expected)
    fresh.load_state_dict(state)
    assert np.array_equal(play(fresh, 20), expected)
    assert np.array_equal(fresh.ledger.counts, array.ledger.counts)
    assert fresh.clock_s == array.clock_s


def test_checkpoint_of_another_array_is_refused():
    state = PhysicsArray(GEOMETRY, seed=1).state_dict()
    with pytest.raises(UsageError, match="seed"):
        PhysicsArray(GEOMETRY, seed=2).load_state_dict(state)
    with pytest.raises(UsageError, match="shape"):
        PhysicsArray(Geometry(rows=32), seed=1).load_state_dict(state)


def test_seed_decides_everything():
    assert np.array_equal(*(play(PhysicsArray(GEOMETRY, seed=s), 5) for s in (1, 1)))
    assert not np.array_equal(*(play(PhysicsArray(GEOMETRY, seed=s), 5) for s in (1, 2)))


def test_switching_read_noise_off_leaves_the_devices_as_they_are():
    g = []
    for read_noise in (True, False):
        array = PhysicsArray(GEOMETRY, seed=14, drift=False, read_noise=read_noise)
        play(array, 7)
        g.append(np.array([array.conductance_us(row) for row in range(64)]))
    assert np.array_equal(*g)


def test_time_advances_by_the_pulse_widths():
    array = PhysicsArray(GEOMETRY)
    array.reset(0)
    array.program(0, ALL[:10], np.full(10, array.dac_of_target()[115], np.int32))
    array.read(0, ALL[:4])
    array.dot(0, np.zeros((3, 32), np.int8))
    assert array.clock_s == pytest.approx((100 + 10 * 125 + 4 * 25 + 3 * 25) * 1e-9)


def test_ledger_counts():
    array = PhysicsArray(GEOMETRY)
    array.reset(2)
    codes = array.program(2, ALL[:10], np.full(10, array.dac_of_target()[115], np.int32))
    array.read(2, ALL[:5])
    array.dot(2, np.zeros((9, 32), np.int8))
    ledger = array.ledger
    assert (ledger.reset, ledger.set, ledger.read, ledger.dot) == (64, 10, 15, 0)
    assert ledger.set_conductance_us == codes.sum() * CODE_LSB_US
    assert ledger.wear[2].sum() == ledger.wear.sum() == 10


def converter_array(**geometry: int) -> PhysicsArray:
    array = PhysicsArray(Geometry(rows=16, **geometry), "relative-5pct", 15)
    array.program(0, ALL, array.dac_of_target()[60:188:2])
    return array


@pytest.mark.parametrize("access_bits", [1, 2, 4, 8])
@pytest.mark.parametrize("tile_pairs", [0, 10])
def test_dot_is_the_dot_product(access_bits: int, tile_pairs: int):
    array = converter_array(access_bits=access_bits, tile_pairs=tile_pairs)
    x = np.random.default_rng(2).integers(-128, 128, (100, 32)).astype(np.int8)
    g = array.conductance_us(0) / CODE_LSB_US
    accesses = (8 // access_bits) * (4 if tile_pairs else 1)
    error = array.dot(0, x) - x.astype(float) @ (g[0::2] - g[1::2])
    weight = 1.0 if access_bits == 8 else 256 / (1 << access_bits)
    assert np.abs(error).max() <= 0.5 * weight * accesses


def test_dot_converter_rounds_and_saturates():
    x = np.random.default_rng(2).integers(-128, 128, (100, 32)).astype(np.int8)
    full = converter_array().dot(0, x)
    coarse = converter_array(dot_bits=10, dot_shift=8).dot(0, x)
    assert np.all(coarse % 256 == 0)
    inside = np.abs(full) < 500 * 256
    assert np.abs(coarse - full)[inside].max() <= 129
    small = converter_array(dot_bits=6, dot_shift=4).dot(0, x)
    assert small.min() == -32 * 16
    assert small.max() == 31 * 16


@pytest.mark.parametrize(("preset", "cycles"), [("rram-1t1r", 0.0), ("stress", 999_990.0)])
def test_cycles_in_one_go_are_those_one_by_one(preset: str, cycles: float):
    """Codes, state, ledger and generators are bit-identical; in ``stress``, ageing begins on the
    way."""
    at_once, in_turn = (PhysicsArray(Geometry(rows=4), preset, 5, cycles=cycles) for _ in range(2))
    devices = np.array([0, 1, 5, 7, 30, 63], np.int32)
    dac = np.random.default_rng(1).integers(1200, 2500, (30, 6)).astype(np.int32)
    for _ in range(2):
        codes = at_once.cycle(2, devices, dac)
        for line, found in zip(dac, codes, strict=True):
            in_turn.reset(2)
            assert np.array_equal(in_turn.program(2, devices, line), found)
    one, other = at_once.state_dict(), in_turn.state_dict()
    assert all(np.array_equal(one[name], other[name]) for name in other)
    assert np.array_equal(at_once.read(2, devices), in_turn.read(2, devices))
