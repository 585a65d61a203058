"""The encoding of numbers against closed forms that are computed here in another way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal

from ohmcarlo.datasets import load
from ohmcarlo.datasets.gaussian import FARTHEST, NoisePosterior, fitted_width
from ohmcarlo.datasets.laplace import laplace_of_points
from ohmcarlo.datasets.regression import RegressionEncoder
from ohmcarlo.datasets.rounding import INPUT_ONE
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.spec import OFFSET_FRAC, Points

SETS = ("diabetes", "friedman1", "robot-arm")
MOVED = 0.003  # posterior standard deviations


def half(name: str) -> tuple[np.ndarray, np.ndarray]:
    data = load(name)
    rows, _ = data.split(0)
    return data.x[rows], data.y[rows]


def normal_equations(x: np.ndarray, y: np.ndarray, sigma_p: float) -> Any:
    """Mean and covariance at s = 1 of the standardised problem, by an extended least squares."""
    design = np.c_[(x - x.mean(0)) / x.std(0), np.ones(len(x))]
    t = (y - y.mean()) / y.std()
    rows = np.vstack([design, np.eye(design.shape[1]) / sigma_p])
    mean = np.linalg.lstsq(rows, np.r_[t, np.zeros(design.shape[1])])[0]
    inverse = np.linalg.pinv(rows)
    return mean, inverse @ inverse.T, design, t


def sampled_moments(
    encoder: RegressionEncoder, points: Points
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, spread at s = 1 and covariance of what a chain of these points samples."""
    fit = laplace_of_points(points, np.zeros(encoder.inputs))
    matrix = encoder.noise * encoder.coordinates.whitening.matrix
    covariance = matrix @ fit.covariance() @ matrix.T
    spread = np.sqrt(np.diag(covariance)) / encoder.noise
    return encoder.weights_to_original(fit.mode[None])[0], spread, covariance


@pytest.mark.parametrize("sigma_p", [0.2, 1.0, 100.0])
@pytest.mark.parametrize("name", SETS)
def test_the_integers_hold_the_posterior(name: str, sigma_p: float) -> None:
    """Mean and spreads are those of an extended least-squares problem. Control: inputs that are
    rounded to the nearest move the mean more than five times as far."""
    x, y = half(name)
    encoder = RegressionEncoder.fit(x, y, sigma_p=sigma_p)
    mean, covariance, design, _ = normal_equations(x, y, sigma_p)
    sd = np.sqrt(np.diag(covariance)) * encoder.noise
    points = encoder.training_points(x, y)
    found, spread, _ = sampled_moments(encoder, points)
    assert np.abs((found - mean) / sd).max() < MOVED
    assert spread * encoder.noise == pytest.approx(sd, rel=0.02)
    assert encoder.error.mean_sd < MOVED and abs(encoder.error.spread - 1) < 0.02
    assert np.abs(points.offsets).max() <= (FARTHEST + 4) * 2**OFFSET_FRAC
    exact = design @ encoder.coordinates.whitening.matrix * INPUT_ONE
    nearest = points.inputs.copy()
    nearest[: len(x)] = np.rint(exact).astype(np.int8)
    moved, *_ = sampled_moments(encoder, Points(nearest, points.labels, points.offsets))
    rms = [np.sqrt((((m - mean) / sd) ** 2).mean()) for m in (found, moved)]
    assert rms[1] > 5 * rms[0]


def test_a_far_label_and_an_exact_fit_stay_in_range() -> None:
    """Any assumed noise gives the same posterior, so that it grows until every offset fits."""
    x, y = half("diabetes")
    wild = y.copy()
    wild[3] = 1e5
    for labels, sigma_p in ((wild, 1.0), (x @ np.arange(1.0, 11), 5.0)):
        encoder = RegressionEncoder.fit(x, labels, sigma_p=sigma_p)
        mean, covariance, *_ = normal_equations(x, labels, sigma_p)
        found, spread, _ = sampled_moments(encoder, encoder.training_points(x, labels))
        sd = np.sqrt(np.diag(covariance))
        assert np.abs((found - mean) / sd / encoder.noise).max() < MOVED
        assert spread == pytest.approx(sd, rel=0.02)


def test_the_start_knows_no_label() -> None:
    """Coordinates are the same for other labels; the mean lies within a few standard deviations."""
    x, y = half("robot-arm")
    first = RegressionEncoder.start(x, y, sigma_p=1.0)
    other = RegressionEncoder.start(x, np.random.default_rng(0).permutation(y), sigma_p=1.0)
    assert first.coordinates.to_dict() == other.coordinates.to_dict()
    fit = laplace_of_points(first.training_points(x, y), np.zeros(first.inputs))
    assert np.abs(fit.mode / first.spread).max() < 3
    again = first.around(x, y, first.weights_to_original(fit.mode[None])[0])
    assert again.noise == pytest.approx(RegressionEncoder.fit(x, y, sigma_p=1.0).noise, rel=0.02)
    assert first.around(x, y, np.zeros(first.inputs), least=2.0).noise == 2.0


def log_evidence(design: np.ndarray, t: np.ndarray, sigma_p: float, s: float) -> float:
    covariance = s**2 * (np.eye(len(t)) + sigma_p**2 * design @ design.T)
    return float(multivariate_normal(cov=covariance).logpdf(t))


def test_the_noise_posterior_on_a_grid() -> None:
    """The marginal likelihood of s, integrated over the weights as a normal of n dimensions."""
    x, y = half("diabetes")
    x, y = x[:40], y[:40]
    mean, _, design, t = normal_equations(x, y, 0.7)
    posterior = NoisePosterior.of(design, t, mean, 0.7)
    s = np.linspace(0.3, 2.0, 300)
    logs = np.array([log_evidence(design, t, 0.7, value) for value in s]) - np.log(s)  # 1/s² of s²
    weights = np.exp(logs - logs.max())
    cumulated = np.cumsum(weights) / weights.sum()
    wanted = np.interp([0.025, 0.5, 0.975], cumulated, s)
    assert posterior.quantiles(np.array([0.025, 0.5, 0.975])) == pytest.approx(wanted, rel=0.01)
    drawn = posterior.draws(100_000, np.random.default_rng(0))
    assert np.quantile(drawn, [0.025, 0.5, 0.975]) == pytest.approx(wanted, rel=0.015)
    wrong = NoisePosterior.of(design, t, mean + 0.2, 0.7)
    assert wrong.quantiles(np.array([0.5]))[0] != pytest.approx(wanted[1], rel=0.05)


def test_the_width_of_the_prior_maximises_the_evidence() -> None:
    x, y = half("diabetes")
    x, y = x[:80], y[:80]
    _, _, design, t = normal_equations(x, y, 1.0)

    def loss(log_width: float) -> float:
        covariance = np.eye(len(t)) + np.exp(2 * log_width) * design @ design.T
        size = np.linalg.slogdet(covariance)[1]
        return float(size + len(t) * np.log(t @ np.linalg.solve(covariance, t)))

    best = np.exp(minimize_scalar(loss, bounds=(-3, 2), method="bounded").x)
    assert fitted_width(design, t) == pytest.approx(best, rel=0.1)  # the bias does not count there


def test_features_and_stored_encoder() -> None:
    x, y = half("diabetes")
    encoder = RegressionEncoder.fit(x, y, features=3, feature_names=load("diabetes").feature_names)
    correlation = np.abs(np.corrcoef(x.T, y)[-1, :-1])
    assert encoder.columns.tolist() == sorted(np.argsort(-correlation)[:3])
    values = encoder.to_dict()
    again = RegressionEncoder.from_dict(values)
    assert again.to_dict() == values
    assert np.array_equal(again.training_points(x, y).inputs, encoder.training_points(x, y).inputs)
    for damage in ({"format": 0}, {"label_scale": 0.0}, {"columns": [0, 99, 1]}):
        with pytest.raises(OhmcarloError, match="stored encoder is damaged"):
            RegressionEncoder.from_dict(values | damage)
    assert not encoder.extrapolates(x).any()
    far = x.mean(0) + 10 * x.std(0)
    assert encoder.extrapolates(np.vstack([x[:1], far])).tolist() == [False, True]


def test_what_is_refused() -> None:
    x, y = half("diabetes")
    for labels, words in (
        (y[:-1], "221 points need 221 labels"),
        (np.full(len(y), 3.0), "the same label"),
        (np.where(y > 300, np.nan, y), "finite"),
    ):
        with pytest.raises(UsageError, match=words):
            RegressionEncoder.fit(x, labels)
    with pytest.raises(UsageError, match="keep 1 to 10"):
        RegressionEncoder.fit(x, y, features=11)
    with pytest.raises(UsageError, match="no feature differs"):
        RegressionEncoder.fit(np.ones((5, 2)), np.arange(5.0))
