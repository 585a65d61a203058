"""Weights of points and classes, logarithms of probabilities, and errors that name a parameter."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

from ohmcarlo.errors import UsageError
from ohmcarlo.sklearn import MemristorClassifier, MemristorRegressor, ResampledWeightsWarning
from ohmcarlo.sklearn.weights import MOST_POINTS, WeightedPoints, checked_weights

pytestmark = pytest.mark.filterwarnings("ignore::ohmcarlo.sklearn.UnsettledWarning")
SHORT = {"chains": 1, "steps": 200, "random_state": 0}
PLACES = np.array([-2.0, -0.5, 1.0, 2.0])
GRID = np.linspace(-6, 6, 121)


def overlapping(n: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One feature (n, 1), two classes, weights 0 to 3 that favour class 1."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(n, 1))
    y = (x[:, 0] + rng.normal(size=n) > 0).astype(int)
    return x, y, rng.integers(0, 2, n) + 2 * y


def weighted_on_a_grid(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Exact mean of P(1) at PLACES under the posterior ∏ p_i^w_i with the prior N(0, 1) of slope
    and bias, for x standardised by its weighted moments."""
    mean = np.average(x, weights=w)
    scale = np.sqrt(np.average((x - mean) ** 2, weights=w))
    slope, bias = (g.ravel()[:, None] for g in np.meshgrid(GRID, GRID))
    logits = (slope * (x - mean) / scale + bias) * np.where(y, 1, -1)
    log_mass = -(w * np.logaddexp(0, -logits)).sum(1) - (slope**2 + bias**2)[:, 0] / 2
    mass = np.exp(log_mass - log_mass.max())
    q = 1 / (1 + np.exp(-(slope * (PLACES - mean) / scale + bias)))
    return mass / mass.sum() @ q


@pytest.mark.stats
def test_whole_weights_give_the_posterior_of_the_powers_of_the_likelihood() -> None:
    """Against sums over a grid; the control is the posterior without weights."""
    x, y, w = overlapping()
    exact = weighted_on_a_grid(x[:, 0], y, w)
    model = MemristorClassifier(3000, chains=2, random_state=1).fit(x, y, sample_weight=w)
    assert np.abs(model.predict_proba(PLACES[:, None])[:, 1] - exact).max() < 0.015
    assert model.weight_error_ == 0
    plain = MemristorClassifier(3000, chains=2, random_state=1).fit(x, y)
    assert np.abs(plain.predict_proba(PLACES[:, None])[:, 1] - exact).max() > 0.1


@pytest.mark.parametrize("classes", [2, 3])
def test_a_weight_is_a_repeated_point(classes: int) -> None:
    """Encoder, samples and their log-posteriors agree bit for bit. The control is another weight of
    one point."""
    x, y = load_iris(return_X_y=True)
    x, y = x[50 * (3 - classes) :, :2], y[50 * (3 - classes) :]
    w = np.random.default_rng(0).integers(0, 4, len(y))
    repeated = MemristorClassifier(**SHORT).fit(np.repeat(x, w, axis=0), np.repeat(y, w))
    weighted = MemristorClassifier(**SHORT).fit(x, y, sample_weight=w)
    other = MemristorClassifier(**SHORT).fit(x, y, sample_weight=w + (np.arange(len(y)) == 0))
    assert repeated.problems_[0].digests["points"] != other.problems_[0].digests["points"]
    for a, b in zip(repeated.problems_, weighted.problems_, strict=True):
        assert a.encoder.to_dict() == b.encoder.to_dict()
        assert a.digests["points"] == b.digests["points"]
        assert np.array_equal(a.trace.codes, b.trace.codes)
        assert np.array_equal(a.trace.log_posterior_nat(), b.trace.log_posterior_nat())
    rows = np.asarray(weighted.to_arviz()["observed_data"]["row"])
    assert np.array_equal(rows, np.repeat(np.arange(len(y)), w))


def test_a_weight_of_a_regression_is_a_repeated_point() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 2))
    y, w = x @ [1.0, -2.0] + rng.normal(size=40), rng.integers(0, 3, 40)
    repeated = MemristorRegressor(**SHORT).fit(np.repeat(x, w, axis=0), np.repeat(y, w))
    weighted = MemristorRegressor(**SHORT).fit(x, y, sample_weight=w.astype(float))
    plain = MemristorRegressor(**SHORT).fit(x, y)
    assert np.array_equal(repeated.predict_interval(x), weighted.predict_interval(x))
    assert not np.array_equal(repeated.predict(x), plain.predict(x))
    with pytest.warns(ResampledWeightsWarning, match=r"20 of 40 weights .* posterior sd"):
        half = MemristorRegressor(**SHORT).fit(x, y, sample_weight=[1.0, 1.5] * 20)
    assert half.weight_error_ == pytest.approx(np.sqrt(20 * 0.25 / 50))


@pytest.mark.stats
def test_the_stated_error_of_resampled_weights() -> None:
    """The modes of resampled points lie around that of the weights, as far as the error says. The
    control: that of weights rounded to whole numbers from 1 lies farther away."""
    rng = np.random.default_rng(2)
    x = np.c_[rng.normal(size=(400, 2)), np.ones(400)]
    y = (x[:, 0] + rng.logistic(size=400) > 0).astype(int)
    w = rng.uniform(0.2, 0.8, 400) * np.where(y, 4, 1)

    def mode(weights: np.ndarray) -> np.ndarray:
        fit = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-8)
        return fit.fit(x, y, sample_weight=weights).coef_[0]

    centre = mode(w)
    p = 1 / (1 + np.exp(-x @ centre))
    root = np.linalg.cholesky((x.T * (w * p * (1 - p))) @ x + np.eye(3))
    shifts, counts = [], []
    for seed in range(60):
        points = WeightedPoints.of(w, y, seed, classes=True)
        counts.append(np.bincount(points.rows, minlength=400))
        shifts.append(root.T @ (mode(counts[-1]) - centre))  # in posterior standard deviations
    rms = float(np.sqrt(np.mean(np.square(shifts))))
    assert points.error / 1.5 < rms < points.error * 1.25
    assert np.abs(np.mean(counts, axis=0) - w).max() < 0.3  # 60 draws of at most ±0.5
    assert np.abs(np.stack(counts) - w).max() < 1
    rounded = root.T @ (mode(np.maximum(np.rint(w), 1)) - centre)
    assert np.sqrt(np.mean(np.square(rounded))) > 2 * points.error


def test_what_becomes_of_weights() -> None:
    labels = np.array([0, 0, 0, 1, 1])
    shares = WeightedPoints.of(np.full(5, 0.2), labels, 0, True)
    assert shares.rows.tolist() == [0, 1, 2, 3, 4] and not shares.note and shares.error == 0
    rare = WeightedPoints.of(np.array([500, 500, 500, 1e-4, 2e-4]), labels, 0, True)
    assert np.bincount(rare.rows).tolist() == [500, 500, 500, 0, 1]
    gone = WeightedPoints.of(np.array([500, 500, 500, 1e-4, 2e-4]), labels, 0, False)
    assert set(gone.rows) == {0, 1, 2}
    some = WeightedPoints.of(np.array([0.5, 0.5, 1.5, 0.25, 1.75]), labels, 3, True)
    assert abs((labels[some.rows] == 0).sum() - 2.5) < 1
    assert all(a <= b for a, b in pairwise(some.rows))
    with pytest.raises(UsageError, match="divide the weights"):
        WeightedPoints.of(np.full(5, float(MOST_POINTS)), labels, 0, True)


def test_ensembles_and_class_weights() -> None:
    x, y, w = overlapping(60)
    member = MemristorClassifier(**SHORT)
    with pytest.warns(ResampledWeightsWarning, match="the posterior is that of 60 resampled"):
        boosted = AdaBoostClassifier(member, n_estimators=3).fit(x, y)
    assert boosted.score(x, y) > 0.7
    for class_weight in ("balanced", {0: 3, 1: 1}):
        ours = MemristorClassifier(**SHORT, class_weight=class_weight)
        same = MemristorClassifier(**SHORT)
        factors = compute_sample_weight(class_weight, y)
        with pytest.warns(Warning):  # of another kind for whole numbers
            ours.fit(x, y, sample_weight=w)
            same.fit(x, y, sample_weight=w * factors)
        assert np.array_equal(ours.codes_, same.codes_)


@pytest.mark.verify
def test_ensembles_of_several_classes_and_with_weights() -> None:
    x, y, w = overlapping(60)
    member = MemristorClassifier(**SHORT)
    iris = load_iris(return_X_y=True)
    with pytest.warns(ResampledWeightsWarning):
        several = AdaBoostClassifier(member, n_estimators=2, random_state=0).fit(*iris)
    assert several.score(*iris) > 0.8
    for ensemble in (
        CalibratedClassifierCV(member, cv=2).fit(x, y, sample_weight=w),
        BaggingClassifier(member, n_estimators=2, random_state=0).fit(x, y, sample_weight=w),
    ):
        assert ensemble.predict_proba(x).shape == (60, 2)


def test_logarithms_of_probabilities_are_finite() -> None:
    x = np.r_[np.full(200, -1.0), np.full(200, 1.0)][:, None]
    x[[0, -1]] *= 1.5
    model = MemristorClassifier(**SHORT, sigma_p=30.0).fit(x, x[:, 0] > 0)
    far = np.array([[-40.0], [0.1], [40.0]])
    p, log_p = model.predict_proba(far), model.predict_log_proba(far)
    assert p.min() == 0 and np.isfinite(log_p).all()
    assert np.exp(log_p) == pytest.approx(p, abs=1.01 * 2.0**-17)
    assert np.exp(log_p[1]) == pytest.approx(p[1], rel=1e-12)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("steps", 200.5),
        ("steps", "200"),
        ("chains", [1]),
        ("pairs", "wide"),
        ("rows", None),
        ("hidden", None),
        ("hidden", 1.5),
        ("features", float("nan")),
        ("wide_every", True),
        ("repeats", 3.0),
        ("rho", "high"),
        ("rho", 2),
        ("sigma_p", "wide"),
        ("sigma_p", {"x0": "wide"}),
        ("array", 3),
        ("preset", 3),
        ("kernel", None),
        ("backend", None),
        ("dot_products", 1),
        ("multi_class", 1),
        ("class_weight", "heavy"),
        ("class_weight", {0: -1}),
        ("random_state", "seed"),
    ],
)
def test_errors_name_the_parameter(parameter: str, value: Any) -> None:
    x, y, _ = overlapping()
    named = "class_weight|sample_weight" if parameter == "class_weight" else parameter
    with pytest.raises(UsageError, match=named):
        MemristorClassifier(**{**SHORT, parameter: value}).fit(x, y)


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (np.ones(3), r"shape \(3,\)"),
        (np.ones((24, 1)), r"shape \(24, 1\)"),
        (np.r_[1, -1, np.ones(22)], r"sample_weight\[1\] = -1"),
        (np.r_[np.nan, np.ones(23)], r"sample_weight\[0\] = nan"),
        (np.zeros(24), "every weight is zero"),
        (["heavy"] * 24, "a number for each point"),
    ],
)
def test_weights_that_are_refused(weights: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        checked_weights(weights, 24)


def test_whole_floats_are_whole_numbers() -> None:
    x, y, w = overlapping()
    floats = {"steps": 200.0, "chains": 1.0, "rows": np.float64(256), "pairs": 32.0, "repeats": 1.0}
    a = MemristorClassifier(**{**SHORT, **floats}).fit(x, y)
    b = MemristorClassifier(**SHORT, pairs=32).fit(x, y)
    assert np.array_equal(a.codes_, b.codes_)
    one = np.where(y == 0, 0, w)
    with pytest.raises(ValueError, match="one class"):
        MemristorClassifier(**SHORT).fit(x, y, sample_weight=one)
