"""Blocks of the golden model, one by one, against closed forms and NumPy.

The tests cover target, price and likelihood of a proposal: per device, per row of a group, with a
converter of limited resolution, and in prediction mode.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import special, stats

from ohmcarlo.golden import Calibration, Machine, Registers, SamplerSettings, predict
from ohmcarlo.golden.chain import threshold_of
from ohmcarlo.golden.likelihood import NEVER, evaluate, logits_of
from ohmcarlo.golden.machine import Data, Scale, State, build_data, build_machine, build_state
from ohmcarlo.golden.proposal import (
    is_valid,
    log_hastings,
    log_prior,
    propose,
    propose_coin,
)
from ohmcarlo.spec import Geometry, Points

NAT = 1 << 16  # LSB of log-likelihoods, priors, t
ROW = 8  # first row of the group under test
REL = 0.05
LIMIT = (1 << 31) - 1


class Bench(NamedTuple):
    """A machine and its state, without an array."""

    machine: Machine
    state: State
    registers: Registers


def bench(
    features: int = 5, hidden: int = 0, calibration: Any = None, shape: Any = None, **settings: Any
) -> Bench:
    """Random current and proposed codes; σ = 5 % of g."""
    geometry = Geometry(rows=64, pairs=12, row_group=hidden + 1, **(shape or {}))
    registers = SamplerSettings(hidden=hidden, **settings).registers(
        geometry, features, lambda g: REL * g, calibration
    )
    made = Bench(build_machine(registers), build_state(registers), registers)
    rng = np.random.default_rng(1)
    made.state.codes[:] = rng.integers(200, 800, made.state.codes.shape)
    made.state.proposed[:] = made.state.codes[0] + rng.integers(-40, 41, made.state.proposed.shape)
    return made


def random_calibration(**only: Any) -> Calibration:
    """Every device of a 64 × 24 array with an offset, a gain and a centre of its own."""
    rng = np.random.default_rng(2)
    shape = (64, 24)
    tables: dict[str, Any] = {
        "trim_offset": rng.integers(-100, 101, shape).astype(np.int16),
        "trim_gain": rng.integers(-40, 41, shape).astype(np.int8),
        "centre": rng.integers(1400, 2300, shape).astype(np.uint16),
        "dac": np.sort(rng.integers(0, 4096, 257)).astype(np.int32),
    }
    return Calibration(**(tables | only))


def places(made: Bench) -> tuple[np.ndarray, np.ndarray]:
    """Row of the array and device within the row, of every device of a sample."""
    r = made.registers
    widths = [2 * r.features] * r.hidden + [2 * (r.hidden + 1)] if r.hidden else [2 * r.features]
    rows = np.repeat(np.arange(len(widths)), widths) + ROW
    return rows, np.concatenate([np.arange(w) for w in widths])


def half_up(value: Any) -> np.ndarray:
    """The only rounding rule of the hardware."""
    return np.floor(np.asarray(value, float) + 0.5).astype(np.int64)


def targets(made: Bench, codes: np.ndarray, centre: Any) -> np.ndarray:
    """µ(k) = clip(c + ρ (k - c), lo, hi), rounded to a quarter of a code."""
    r = made.registers
    moved = np.asarray(centre, float) + half_up((4.0 * codes - centre) * r.rho / 256)
    return np.clip(moved, r.lo, r.hi).astype(np.int64)


# -- targets, trims, DAC codes -----------------------------------------------------------------


@pytest.mark.parametrize("cold", [False, True])
@pytest.mark.parametrize("hidden", [0, 2])
def test_targets_go_through_each_devices_own_trim(hidden: int, cold: bool) -> None:
    """docs/design.md#proposal: target, the device's trim, then the conductance→DAC table."""
    calibration = random_calibration()
    made = bench(hidden=hidden, calibration=calibration, rho=0.8, centre_us=110.0)
    at = places(made)
    offset, gain, centre = (
        np.asarray(getattr(calibration, n), np.int64)[at]
        for n in ("trim_offset", "trim_gain", "centre")
    )
    target = centre if cold else targets(made, made.state.codes[0], centre)
    mid = 110 * 16  # targets per µS; gains of trims apply about the common centre
    trimmed = np.clip(target + 4 * offset + half_up((target - mid) * gain / 128), 0, 4095)
    assert calibration.dac is not None
    exact = np.interp(trimmed / 16, np.arange(257), calibration.dac)
    propose(made.machine, made.state, 0, ROW, cold)
    assert np.array_equal(made.state.dac, half_up(exact))


def test_targets_are_rounded_half_up_and_clipped() -> None:
    """By hand: c = 1840, ρ = 205/256, lo 480, hi 4000."""
    made = bench(rho=0.8)
    codes = [460, 461, 459, 0, 50, 1000, 1023, 588, 332, 500]
    made.state.codes[0] = codes
    propose(made.machine, made.state, 0, ROW, False)
    # 4 · 205/256 = 3.203, rounded; 1840 - 1473.4 → 480; 588: 512 · 205/256 = 410
    assert made.state.dac.tolist() == [1840, 1843, 1837, 480, 527, 3570, 3643, 2250, 1430, 1968]


def test_a_tie_goes_up() -> None:
    """ρ = 1/8, k - c = ±1 code: ±4/8 of a target."""
    made = bench(features=1, rho=0.125)
    made.state.codes[0] = [461, 459]
    propose(made.machine, made.state, 0, ROW, False)
    assert made.state.dac.tolist() == [1841, 1840]


def test_the_coin_is_programmed_to_the_middle_through_its_own_trims() -> None:
    identity = (np.arange(257) * 16).astype(np.int32)
    calibration = random_calibration(dac=identity)
    made = bench(calibration=calibration)
    propose_coin(made.machine, made.state, ROW)
    assert calibration.trim_offset is not None
    offsets = calibration.trim_offset[ROW, 16:].astype(int)  # four pairs of twelve, at the end
    assert made.state.coin_dac.tolist() == (115 * 16 + 4 * offsets).tolist()


def test_read_backs_at_the_ends_of_the_range_are_invalid() -> None:
    """20 and 1022 are the last valid codes (spec.formats): full scale must not pass."""
    made = bench(features=1)
    for code, good in ((19, False), (20, True), (1022, True), (1023, False), (0, False)):
        for codes in ([500, code], [code, 500]):
            assert is_valid(made.machine, np.array(codes, np.int32)) == good


# -- prior and Hastings term -------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [0, 2])
@pytest.mark.parametrize("sigma_p", [0.7, 2.0])
def test_log_prior(hidden: int, sigma_p: float) -> None:
    """docs/design.md#price: -Σ w²/2σ_p² - Σ (g⁺ + g⁻ - 2 g_mid)²/2τ²."""
    made = bench(hidden=hidden, gamma_us=20.0, sigma_p=sigma_p, tau_us=30.0, centre_us=120.0)
    g = made.state.codes[0] * 0.25
    w = (g[0::2] - g[1::2]) / 20.0
    common = g[0::2] + g[1::2] - 2 * 120.0
    exact = -(w**2).sum() / 2 / sigma_p**2 - (common**2).sum() / 2 / 30.0**2
    found = log_prior(made.machine, made.state.codes[0]) / NAT
    assert found == pytest.approx(exact, rel=1e-4)


def test_log_prior_rounds_half_up() -> None:
    """One pair at 3/8 a square, by hand: 9 · 3/8 = 3.375 → 3; 4 · 3/8 = 1.5 → 2."""
    made = bench(features=1)
    m = made.machine._replace(mid=1841)
    weights = m._replace(weight=Scale(3, 3), common=Scale(0, 0))
    common = m._replace(weight=Scale(0, 0), common=Scale(3, 3))
    assert [log_prior(weights, np.array(c, np.int32)) for c in ([461, 464], [462, 460])] == [-3, -2]
    assert log_prior(common, np.array([460, 460], np.int32)) == -2  # 4 · 920 - 2 · 1841 = -2
    assert log_prior(common, np.array([460, 461], np.int32)) == -2


def test_log_prior_saturates() -> None:
    made = bench(features=1)
    m = made.machine._replace(weight=Scale(65535, 0))
    assert log_prior(m, np.array([1023, 0], np.int32)) == -LIMIT - 1


def float_hastings(made: Bench, old: np.ndarray, new: np.ndarray, centre: Any) -> float:
    """Σ [log q(k|k′) - log q(k′|k)] of normal densities, in µS."""

    def log_q(to: np.ndarray, start: np.ndarray) -> float:
        mu = targets(made, start, centre) * 0.0625
        return float(stats.norm.logpdf(0.25 * to, mu, REL * mu).sum())

    return log_q(old, new) - log_q(new, old)


@pytest.mark.parametrize("rho", [1.0, 0.8])
@pytest.mark.parametrize("hidden", [0, 2])
def test_hastings_term_with_per_device_centres(hidden: int, rho: float) -> None:
    """The centres are those of the row group just programmed, for all trims."""
    calibration = random_calibration()
    made = bench(hidden=hidden, calibration=calibration, rho=rho)
    assert calibration.centre is not None
    centre = calibration.centre[places(made)]
    exact = float_hastings(made, made.state.codes[0], made.state.proposed, centre)
    found = log_hastings(made.machine, made.state, 0, ROW) / NAT
    assert found == pytest.approx(exact, abs=0.02)
    other = log_hastings(made.machine, made.state, 0, ROW + 1 + hidden) / NAT
    assert rho == 1 or abs(other - exact) > 1, "the control: another row group's centres"


def test_hastings_term_far_out() -> None:
    """9 σ from the target, and 16 σ on the way back: the price still follows the normal density."""
    made = bench(features=1)
    old, new = np.array([460, 460]), np.array([460 - 9 * 23, 460 + 9 * 23])
    made.state.codes[0], made.state.proposed[:] = old, new
    exact = float_hastings(made, old, new, 1840)
    assert exact < -60
    assert log_hastings(made.machine, made.state, 0, ROW) / NAT == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("kernel", ["corrected", "published"])
def test_threshold(kernel: str) -> None:
    """L* = loglik + prior - prior′ - hastings - t; as published, without Hastings term and
    without common-mode prior."""
    made = bench(kernel=kernel, rho=0.8)
    state = made.state
    old, new = state.codes[0].copy(), state.proposed.copy()
    state.loglik[0], state.prior[0] = round(-31.5 * NAT), round(-4.25 * NAT)
    threshold, prior = threshold_of(made.machine, state, 0, ROW, round(0.75 * NAT))
    g = 0.25 * new
    exact_prior = -(((g[0::2] - g[1::2]) / 25.0) ** 2).sum() / 2
    hastings = 0.0
    if kernel == "corrected":
        exact_prior -= ((g[0::2] + g[1::2] - 230.0) ** 2).sum() / 2 / 40.0**2
        hastings = float_hastings(made, old, new, 1840)
        assert abs(hastings) > 0.1
    assert prior / NAT == pytest.approx(exact_prior, rel=1e-4)
    exact = -31.5 - 4.25 - exact_prior - hastings - 0.75
    assert threshold / NAT == pytest.approx(exact, abs=0.02)


# -- dot products and logits -------------------------------------------------------------------


def converted(
    x: np.ndarray, difference: np.ndarray, bits: int, tile: int, dot_bits: int, shift: int
) -> np.ndarray:
    """Dot products as a converter of ``dot_bits`` bits gives them: x int8 (n, m) → (n,).

    An input is a byte in two's complement; its top ``bits`` bits are a signed digit, the others
    unsigned. Every digit and every tile of columns is one access, rounded and saturated.
    """
    byte = x.astype(np.int64) & 0xFF
    limit = 2 ** (dot_bits - 1) - 1
    total = np.zeros(len(x), np.int64)
    for plane in range(8 // bits):
        digit = (byte // 2 ** (plane * bits)) % 2**bits
        if plane == 8 // bits - 1:
            digit = np.where(digit >= 2 ** (bits - 1), digit - 2**bits, digit)
        for first in range(0, x.shape[1], tile):
            partial = digit[:, first : first + tile] @ difference[first : first + tile]
            reading = np.clip(half_up(partial / 2**shift), -limit - 1, limit)
            total += reading * 2 ** (shift + plane * bits)
    return total


def float_logits(
    made: Bench, points: Points, codes: np.ndarray, shape: dict[str, int]
) -> np.ndarray:
    """Logits (LSB 2**-12) of one sample, from the sums above and real arithmetic."""
    r = made.registers
    difference = codes[0::2].astype(np.int64) - codes[1::2]
    mantissa, shift = r.logit_coef

    def dot(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        if not shape.get("dot_bits"):
            return x.astype(np.int64) @ weights
        return converted(
            x,
            weights,
            shape.get("access_bits", 8),
            shape.get("tile_pairs") or 12,
            shape["dot_bits"],
            shape["dot_shift"],
        )

    x = points.inputs
    if r.hidden:
        layer = difference[: r.hidden * r.features].reshape(r.hidden, -1)
        sums = np.stack([dot(x, row) for row in layer], axis=1)
        units = np.clip(half_up(sums * mantissa / 2.0 ** (shift + 12 - 5)), -127, 127)
        x = np.c_[units, np.full(len(x), 32)]
        difference = difference[r.hidden * r.features :]
    z = half_up(dot(x, difference) * mantissa / 2.0**shift) + 4 * points.offsets.astype(int)
    return np.clip(z, -(1 << 17), (1 << 17) - 1)


def random_points(features: int, n: int = 200) -> Points:
    rng = np.random.default_rng(4)
    return Points(
        rng.integers(-128, 128, (n, features)).astype(np.int8),
        rng.integers(0, 2, n).astype(np.uint8),
        rng.integers(-3000, 3000, n).astype(np.int16),
    )


SHAPES = [
    {},
    {"dot_bits": 8, "dot_shift": 12, "access_bits": 8},
    {"dot_bits": 8, "dot_shift": 6, "access_bits": 1},
    {"dot_bits": 6, "dot_shift": 7, "access_bits": 2, "tile_pairs": 2},
    {"dot_bits": 10, "dot_shift": 5, "access_bits": 4, "tile_pairs": 5},
]


@pytest.mark.parametrize("hidden", [0, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "-".join(map(str, s.values())) or "full")
def test_logits(shape: dict[str, int], hidden: int) -> None:
    """A converter of limited resolution, bit-planes, tiles and networks, against numpy."""
    made = bench(hidden=hidden, shape=shape, gamma_us=60.0)
    points = random_points(5)
    found = np.empty(len(points), np.int64)
    logits_of(made.machine, build_data(points), made.state.codes[0], found)
    exact = float_logits(made, points, made.state.codes[0], shape)
    assert np.array_equal(found, exact)
    assert len(np.unique(found)) > 20
    if shape.get("dot_bits"):
        full = float_logits(made, points, made.state.codes[0], {})
        assert not np.array_equal(found, full), "the control: nothing was rounded"


def test_converter_saturates() -> None:
    """By hand: 127 · 400 = 50,800; / 2^6 → 793.75, but 8 bits end at 127 → 127 · 64 = 8,128."""
    shape = {"dot_bits": 8, "dot_shift": 6}
    made = bench(features=1, shape=shape, gamma_us=8.0)
    points = Points.of(np.array([[127], [-127]], np.int8))
    found = np.empty(2, np.int64)
    logits_of(made.machine, build_data(points), np.array([800, 400], np.int32), found)
    one = 4096 * 0.25 / 8.0 / 32  # logit LSBs per unit of the dot product
    assert found.tolist() == [round(8128 * one), round(-8192 * one)]


def test_hidden_units_and_logits_saturate() -> None:
    """One hidden unit driven far beyond ±1 · 127/32; logits end at ±32."""
    made = bench(features=1, hidden=1, gamma_us=10.0)
    codes = np.array([900, 100, 440, 400, 400, 400], np.int32)  # w 20; output w 1, bias 0
    points = Points.of(np.array([[127], [-127], [1]], np.int8))
    found = np.empty(3, np.int64)
    logits_of(made.machine, build_data(points), codes, found)
    assert found / 4096 == pytest.approx([127 / 32, -127 / 32, 20 / 32], abs=1e-3)
    line = bench(features=1, gamma_us=10.0)
    logits_of(line.machine, build_data(points), np.array([900, 100], np.int32), found)
    assert found.tolist()[:2] == [(1 << 17) - 1, -(1 << 17)]


def test_offsets_are_logits_of_ten_fraction_bits() -> None:
    made = bench(features=1)
    points = Points.of(np.zeros((3, 1), np.int8), offsets=np.array([1024, -512, 1], np.int16))
    found = np.empty(3, np.int64)
    logits_of(made.machine, build_data(points), np.array([900, 100], np.int32), found)
    assert found.tolist() == [4096, -2048, 4]


# -- the running sum and its early stop --------------------------------------------------------


def quadratic(z: list[int], order: list[int] | None = None) -> tuple[Data, np.ndarray]:
    """Points whose terms are exactly -z²/2 nat, with logits from outside."""
    points = Points.of(np.zeros((len(z), 5), np.int8), np.full(len(z), 2, np.uint8))
    data = build_data(points, None if order is None else np.array(order, np.int32))
    return data, np.array(z, np.int64) * 4096


@pytest.mark.parametrize(
    ("threshold", "total", "points"),
    [  # sums after each point: -0.5, -5, -5, -7 nat; by hand
        (-0.25, -0.5, 1),
        (-0.5, -5.0, 2),
        (-4.0, -5.0, 2),
        (-5.0, -7.0, 4),
        (-6.5, -7.0, 4),
        (-7.0, -7.0, 4),
        (-100.0, -7.0, 4),
    ],
)
def test_the_sum_stops_once_it_is_below_the_threshold(
    threshold: float, total: float, points: int
) -> None:
    """docs/design.md#likelihood-and-early-rejection: a sum equal to L* may be accepted."""
    made = bench()
    data, logits = quadratic([1, 3, 0, 2])
    codes = made.state.proposed
    found = evaluate(made.machine, data, codes, logits, int(threshold * NAT))
    assert found == (total * NAT, points)
    full = made.machine._replace(early_reject=0)
    assert evaluate(full, data, codes, logits, int(threshold * NAT)) == (-7 * NAT, 4)


def test_points_are_visited_in_the_order_of_the_table() -> None:
    made = bench()
    data, logits = quadratic([1, 3, 0, 2], order=[1, 3, 0, 2])
    assert evaluate(made.machine, data, made.state.proposed, logits, -5 * NAT) == (-6.5 * NAT, 2)


def test_the_sum_saturates() -> None:
    """1,100 points wrong by 32 nat are -35,200 nat; 32 bits end at -32,768."""
    made = bench()
    points = Points.of(np.zeros((1100, 5), np.int8), np.ones(1100, np.uint8))
    logits = np.full(1100, -32 * 4096, np.int64)
    found = evaluate(made.machine, build_data(points), made.state.proposed, logits, NEVER)
    assert found == (-(1 << 31), 1100)


# -- prediction mode ---------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [0, 2])
def test_prediction_is_the_weighted_mean_and_variance(hidden: int) -> None:
    """docs/design.md#prediction: per point, the weighted mean of sigmoid(z) and its variance."""
    made = bench(hidden=hidden, gamma_us=60.0)
    points = random_points(5, 50)
    rng = np.random.default_rng(5)
    shape = (12, made.registers.sample_devices)
    codes = rng.integers(300, 600, shape).astype(np.uint16)
    multiplicity = rng.integers(1, 30, 12)
    p = np.stack([special.expit(float_logits(made, points, c, {}) / 4096.0) for c in codes])
    mean = np.average(p, axis=0, weights=multiplicity)
    variance = np.average((p - mean) ** 2, axis=0, weights=multiplicity)
    found = predict(made.registers, points, codes, multiplicity)
    assert found[0] == pytest.approx(mean, abs=2e-4)
    assert found[1] == pytest.approx(variance, abs=4e-4)
    assert variance.max() > 0.02 and np.abs(p.mean(axis=0) - mean).max() > 0.02
