"""Inputs in the range of 8 bits: nothing saturates, the prior is exact, the error is computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from sklearn.preprocessing import StandardScaler

from ohmcarlo.array import EmulatedArray
from ohmcarlo.datasets import Encoder, load, split_half
from ohmcarlo.golden import Controller, SamplerSettings
from ohmcarlo.spec import FEATURE_FRAC, FEATURE_MAX, OFFSET_FRAC, Geometry, Points
from paths import GERMAN
from problems import trace

ONE = 1 << FEATURE_FRAC
OUTLIER = 5  # row
LIMIT = FEATURE_MAX / ONE  # standard deviations, where an input of scale 1 ends


def wdbc() -> tuple[np.ndarray, np.ndarray]:
    """15 columns of a half of WDBC, which reach 11 standard deviations."""
    data = load("breast-cancer")
    rows, _ = split_half(data.y, 0)
    return data.x[rows][:, :15], data.y[rows]


def german() -> dict[str, np.ndarray]:
    """German credit and its published posterior (tests/reference/german_credit.py)."""
    with np.load(GERMAN) as file:
        return dict(file) | {"x": file["x"].astype(np.float64), "y": file["y"].astype(np.int64)}


def scores(x: np.ndarray) -> np.ndarray:
    """scikit-learn's standard scores with a bias, float64 (n, d + 1)."""
    return np.c_[StandardScaler().fit_transform(x), np.ones(len(x))]


def fit(
    x: np.ndarray,
    offsets: np.ndarray,
    labels: np.ndarray,
    precision: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Mode (m,) and covariance (m, m) of a posterior by Newton's method, label 2 quadratic."""
    w = np.zeros(x.shape[1])
    hessian = np.eye(len(w))
    for _ in range(60):
        z = x @ w + offsets
        p = expit(z)
        slope = np.where(labels == 2, z, p - (labels == 1))
        hessian = (x.T * np.where(labels == 2, 1.0, p * (1 - p))) @ x + precision * np.eye(len(w))
        step = np.linalg.solve(hessian, x.T @ slope + precision * w)
        w = w - step / max(1.0, np.abs(step).max())
    return w, np.linalg.inv(hessian)


def moved(encoder: Encoder, x: np.ndarray, y: np.ndarray, sigma_p: float) -> tuple[float, float]:
    """Largest shift of a mode in spreads, largest |ratio of spreads - 1|: integers against data."""
    m = encoder.inputs
    exact, covariance = fit(scores(x), np.zeros(len(x)), y, 1 / sigma_p**2)
    points = encoder.training_points(x, y)
    v, of_v = fit(
        points.inputs / ONE, points.offsets / 2.0**OFFSET_FRAC, points.labels, encoder.sigma**-2
    )
    centre = encoder.weights_to_original(np.zeros((1, m)))
    a = encoder.weights_to_original(np.eye(m)) - centre
    sd = np.sqrt(np.diag(covariance))
    shift = np.abs(centre[0] + v @ a - exact) / sd
    ratio = np.sqrt(np.diag(a.T @ of_v @ a)) / sd
    return float(shift.max()), float(np.abs(ratio - 1).max())


def with_an_outlier() -> tuple[np.ndarray, np.ndarray]:
    """German credit with one value 10,000 standard deviations from its column."""
    data = german()
    x = data["x"].copy()
    x[OUTLIER, 1] += 1e4 * x[:, 1].std()
    return x, data["y"]


# -- scales of columns -------------------------------------------------------------------------


def test_no_training_input_saturates() -> None:
    """Every input is its standard score times its scale, up to rounding. With the scale 1 for
    all, the inputs of ten columns are cut off."""
    x, y = wdbc()
    encoder = Encoder.fit(x, y)
    points = encoder.training_points(x, y)
    scale = encoder.weights_to_original(np.eye(16)).diagonal()
    assert 0.3 < scale.min() < 0.4 and scale.max() == 1
    exact = scores(x) * scale * ONE
    assert np.abs(points.inputs[: len(x)] - exact).max() < 1
    assert not encoder.saturates(x).any()
    clipped = Encoder.fit(x, y, scaled=False)
    assert clipped.saturates(x).sum() > 5
    assert np.abs(clipped.training_points(x, y).inputs - scores(x) * ONE).max() > 100


def test_data_within_the_range_are_encoded_as_ever() -> None:
    """No scale, no quadratic point, and the prior in the registers."""
    x, y = wdbc()
    x = np.clip(scores(x)[:, :-1], -2, 2)
    one, two = Encoder.fit(x, y, sigma_p=0.7), Encoder.fit(x, y, sigma_p=0.7, scaled=False)
    a, b = one.training_points(x, y), two.training_points(x, y)
    assert np.array_equal(a.inputs, b.inputs) and np.array_equal(a.inputs, one.encode(x).inputs)
    assert len(a) == len(x) and one.sigma == 0.7
    assert np.abs(a.inputs / ONE - scores(x)).max() <= 0.5 / ONE + 1e-9


@pytest.mark.parametrize("sigma_p", [0.1, 0.2, 0.6, 1.0, 2.0, 3.7, 10.0])
def test_registers_and_quadratic_points_hold_the_prior(sigma_p: float) -> None:
    """The precision of w_j = s_j v_j is 1/σ_p² for every weight, and the bias has no error."""
    x, y = wdbc()
    encoder = Encoder.fit(x, y, sigma_p=sigma_p)
    scale = encoder.weights_to_original(np.eye(16)).diagonal()
    points = encoder.training_points(x, y)
    quadratic = points.inputs[points.labels == 2] / ONE
    precision = encoder.sigma**-2 + (quadratic**2).sum(axis=0)
    assert np.count_nonzero(quadratic, axis=1).tolist() == [1] * len(quadratic)
    assert precision / scale**2 == pytest.approx(sigma_p**-2, rel=1e-12)
    assert (points.inputs[: len(x), -1] == ONE * scale[-1]).all()
    assert encoder.error.mean_sd < 0.2


# -- the computed error ------------------------------------------------------------------------


@pytest.mark.parametrize("whiten", [True, False])
def test_german_credit(whiten: bool) -> None:
    """The integers move no mode by 0.05 spreads and no spread by 2 %; clipped inputs do."""
    data = german()
    x, y = data["x"], data["y"]
    encoder = Encoder.fit(x, y, whiten=whiten)
    shift, spread = moved(encoder, x, y, 1.0)
    assert shift < (0.005 if whiten else 0.05) and spread < 0.02
    assert encoder.error.trusted and not encoder.error.remedy
    clipped = Encoder.fit(x, y, scaled=False)
    shift, spread = moved(clipped, x, y, 1.0)
    assert shift > 0.5 and spread > 0.5
    assert not clipped.error.trusted and "'x21' reaches 6.7 standard" in clipped.error.remedy


@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize("sigma_p", [0.5, 1.0, 10.0])
def test_stated_error(whiten: bool, sigma_p: float) -> None:
    """The error that the encoder states is the one that an independent fit finds."""
    x, y = wdbc()
    for scaled in (True, False):
        encoder = Encoder.fit(x, y, whiten=whiten, sigma_p=sigma_p, scaled=scaled)
        shift, spread = moved(encoder, x, y, sigma_p)
        assert encoder.error.mean_sd == pytest.approx(shift, rel=1e-3, abs=1e-6)
        assert abs(encoder.error.spread - 1) == pytest.approx(spread, rel=0.1, abs=1e-6)
        assert encoder.error.mean_sd_rms <= encoder.error.mean_sd


@pytest.mark.parametrize("whiten", [True, False])
def test_an_outlier_that_eight_bits_cannot_carry(whiten: bool) -> None:
    """The error is stated with the column and a remedy, which works."""
    x, y = with_an_outlier()
    encoder = Encoder.fit(x, y, whiten=whiten)
    shift, spread = moved(encoder, x, y, 1.0)
    assert not encoder.error.trusted and max(shift, spread) > 0.1
    assert "'x1' reaches 31.6 standard" in encoder.error.remedy
    assert "drop the outlying rows" in encoder.error.remedy
    assert ("--whiten" in encoder.error.remedy) != whiten
    without = np.arange(len(x)) != OUTLIER
    assert Encoder.fit(x[without], y[without], whiten=whiten).error.trusted


@pytest.mark.parametrize("whiten", [True, False])
def test_the_scale_that_moves_the_posterior_least(whiten: bool) -> None:
    """Some values may be clipped if that is better than coarse rounding of all others."""
    x, y = with_an_outlier()
    best = Encoder.fit(x, y, whiten=whiten).error.size
    assert best < 0.5 * Encoder.fit(x, y, scaled=False).error.size


@pytest.mark.parametrize("sigma_p", [10.0, 100.0, 1000.0])
def test_a_wide_prior_whitened(sigma_p: float) -> None:
    """Where the prior is weaker than the smallest input, its slope is kept and its curvature is
    negligible."""
    data = german()
    encoder = Encoder.fit(data["x"], data["y"], whiten=True, sigma_p=sigma_p)
    points = encoder.training_points(data["x"], data["y"])
    prior, offsets = points.inputs[len(data["y"]) :] / ONE, points.offsets[len(data["y"]) :]
    assert (prior.max(axis=1) == 1 / ONE).sum() > 5
    centre = encoder.weights_to_original(np.zeros((1, encoder.inputs)))[0]
    a = encoder.weights_to_original(np.eye(encoder.inputs)) - centre
    slope = prior.T @ offsets / 2.0**OFFSET_FRAC
    assert slope == pytest.approx(a @ centre / sigma_p**2, abs=2e-5)
    shift, spread = moved(encoder, data["x"], data["y"], sigma_p)
    assert shift < 0.02 and spread < 0.005


def test_cases_beyond_the_range() -> None:
    x, y = wdbc()
    for whiten in (True, False):
        encoder = Encoder.fit(x, y, whiten=whiten)
        far = x[:3].copy()
        far[1] *= 100
        assert encoder.saturates(far).tolist() == [False, True, False]
        assert not encoder.saturates(x).any()


# -- the sampled posterior ---------------------------------------------------------------------


def sampled(encoder: Encoder, points: Points, steps: int) -> np.ndarray:
    """Weights of the standardised features, step by step, float64 (steps, m)."""
    array = EmulatedArray(Geometry(), 3)
    settings = SamplerSettings.whitened(0.05, 0.8)
    settings = replace(settings, gamma_us=settings.gamma_us / encoder.spread)
    registers = settings.registers(Geometry(), encoder.inputs, array.sigma_us)
    made = Controller(registers, array, points)
    made.start()
    trace(made, steps // 10)
    t = trace(made, steps)
    w = encoder.weights_to_original(registers.weights(t["codes"]))
    return np.repeat(w, t["multiplicity"], axis=0)


@pytest.mark.verify
@pytest.mark.stats
def test_german_credit_is_sampled_exactly() -> None:
    """30,000 steps have some 1,700 effective samples: errors of means 0.025 sd, of spreads 2 %."""
    data = german()
    x, y = data["x"], data["y"]
    clipped = np.clip(scores(x)[:, :-1], -LIMIT, LIMIT)

    def compare(x: np.ndarray) -> tuple[float, float, float]:
        encoder = Encoder.fit(x, y, whiten=True)
        w = sampled(encoder, encoder.training_points(x, y), 30_000)
        # in units of the scores that the reference has: clipped columns have other deviations
        unit = np.r_[encoder.scale * (1.0 if x is clipped else 1 / encoder.scale), 1.0]
        shift = (w.mean(axis=0) / unit - data["mean"]) / data["sd"]
        ratio = w.std(axis=0) / unit / data["sd"]
        return np.sqrt((shift**2).mean()), np.abs(shift).max(), np.abs(ratio - 1).max()

    rms, worst, spread = compare(x)
    print(f"German credit: means {rms:.3f} sd rms, {worst:.3f} at most; spreads {spread:.3f}")
    assert rms <= 0.05 and worst <= 0.15 and spread <= 0.05
    rms, worst, spread = compare(clipped)
    print(f"clipped: means {rms:.3f} sd rms, {worst:.3f} at most; spreads {spread:.3f}")
    assert rms > 0.1 and worst > 0.3 and spread > 0.3
