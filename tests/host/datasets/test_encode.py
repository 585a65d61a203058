"""Encoding: scikit-learn's numbers on the grid of int8. Whitening preserves the posterior."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ohmcarlo.datasets import Encoder, hardest_first, load, split_half
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.spec import FEATURE_FRAC, OFFSET_FRAC, Points
from paths import NUTS
from reference.nuts_wdbc import FEATURES, SIGMA_P, SPLIT_SEED, digest


def halves(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """WDBC: features and labels of the training half, then of the held-out half."""
    data = load("breast-cancer")
    train, test = split_half(data.y, seed)
    return data.x[train], data.y[train], data.x[test], data.y[test]


def log_likelihood(points: Points, w: np.ndarray) -> np.ndarray:
    """Sum of the terms of ``points``, float64, of weights (n, m) → (n,)."""
    z = w @ (points.inputs / 2.0**FEATURE_FRAC).T + points.offsets / 2.0**OFFSET_FRAC
    sign = np.where(points.labels == 1, 1, -1)
    return np.where(points.labels == 2, -(z**2) / 2, log_expit(sign * z)).sum(axis=1)


# -- selection and quantisation ----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_selection_is_scikit_learns(seed: int) -> None:
    x, y, *_ = halves(seed)
    chosen = SelectKBest(chi2, k=15).fit(x, y).get_support(indices=True)
    assert Encoder.fit(x, y, features=15).columns.tolist() == chosen.tolist()


def test_selection_where_values_are_negative() -> None:
    x, y, *_ = halves()
    chosen = SelectKBest(chi2, k=5).fit(MinMaxScaler().fit_transform(x), y)
    encoder = Encoder.fit(x - x.mean(axis=0), y, features=5)
    assert encoder.columns.tolist() == chosen.get_support(indices=True).tolist()


def test_quantisation_is_the_standard_score_on_the_grid() -> None:
    x, y, x_test, y_test = halves()
    encoder = Encoder.fit(x, y, scaled=False)
    scaler = StandardScaler().fit(x)
    points = encoder.encode(x_test, y_test)
    assert points.inputs.shape == (285, 31) and points.inputs.dtype == np.int8
    exact = np.clip(32 * scaler.transform(x_test), -127, 127)
    assert np.abs(points.inputs[:, :-1] - exact).max() <= 0.5 + 1e-9
    assert (points.inputs[:, -1] == 32).all(), "the bias is 1.0"
    assert np.array_equal(points.labels, y_test) and not points.offsets.any()
    assert not encoder.encode(x_test).labels.any()
    assert encoder.training_points(x, y).inputs.shape == (284, 31)


def test_halfway_goes_to_even() -> None:
    """Mean 0 and standard deviation 1 by construction: the grid is 1/32, ties are 1/64."""
    x = np.array([[-1.0], [1.0]] * 4)
    encoder = Encoder.fit(x, [0, 1] * 4)
    answers = encoder.encode(np.array([[1 / 64], [3 / 64], [-1 / 64], [-3 / 64], [9], [-9]]))
    assert answers.inputs[:, 0].tolist() == [0, 2, 0, -2, 127, -127]


def test_accuracy_of_quantised_features() -> None:
    """Logistic regression over 20 splits: 96.26 % is scikit-learn's on unquantised features."""
    right = []
    for seed in range(20):
        x, y, x_test, y_test = halves(seed)
        encoder = Encoder.fit(x, y, features=15, scaled=False)
        model = LogisticRegression(fit_intercept=False, max_iter=1000)
        model.fit(encoder.encode(x).inputs / 32, y)
        right.append((model.predict(encoder.encode(x_test).inputs / 32) == y_test).mean())
    assert 100 * np.mean(right) == pytest.approx(96.26, abs=0.3)


def test_integers_do_not_depend_on_the_order_of_sums() -> None:
    """Another order of the rows or another memory layout changes the rounding of a naive sum."""
    x, y, x_test, _ = halves()
    shuffled = np.random.default_rng(0).permutation(len(x))
    for whiten in (False, True):
        one = Encoder.fit(x, y, features=15, whiten=whiten)
        two = Encoder.fit(np.asfortranarray(x[shuffled]), y[shuffled], features=15, whiten=whiten)
        assert np.array_equal(one.mean, two.mean) and np.array_equal(one.scale, two.scale)
        a, b = one.encode(x_test), two.encode(x_test)
        assert np.array_equal(a.inputs, b.inputs) and np.array_equal(a.offsets, b.offsets)


def test_tied_columns_keep_their_order() -> None:
    x, y, *_ = halves()
    best = x[:, [27]]
    doubled = np.hstack([x[:, [8]], best, best, best])
    assert Encoder.fit(doubled, y, features=2).columns.tolist() == [1, 2]


def test_constant_columns_are_left_out() -> None:
    x, y, x_test, _ = halves()
    with_constant = np.insert(x[:, :3], 1, 0.1 + 0.2, axis=1)
    with_constant[::2, 1] = 0.3  # differs from 0.1 + 0.2 in the last bit only
    encoder = Encoder.fit(with_constant, y, feature_names=["a", "same", "b", "c"])
    assert encoder.feature_names == ("a", "b", "c") and encoder.inputs == 4
    without = Encoder.fit(x[:, :3], y).encode(x_test[:, :3])
    new = np.insert(x_test[:, :3], 1, 99.0, axis=1)
    assert np.array_equal(encoder.encode(new).inputs, without.inputs)


@pytest.mark.parametrize("unit", [1e-90, 1e-3, 1e90])
def test_units_do_not_matter(unit: float) -> None:
    x, y, x_test, _ = halves()
    one, two = Encoder.fit(x[:, :4], y), Encoder.fit(x[:, :4] * unit, y)
    a, b = one.encode(x_test[:, :4]).inputs, two.encode(x_test[:, :4] * unit).inputs
    assert np.abs(a.astype(int) - b).max() <= 1  # the unit itself is not exact
    assert (a != b).mean() < 1e-3


@pytest.mark.parametrize(
    ("x", "y", "options", "words"),
    [
        ([[1.0, 2], [3, 4]], [0, 0], {}, "one class"),
        ([[1.0, 2], [3, 4]], [0, 2], {}, "0 or 1"),
        ([[1.0, 2], [3, 4]], [0, 1, 1], {}, "2 points need 2 labels"),
        ([[1.0, np.nan], [3, 4]], [0, 1], {}, "row 0, column 1 is nan"),
        ([[1.0, 2], [3, np.inf]], [0, 1], {}, "row 1, column 1 is inf"),
        ([1.0, 2], [0, 1], {}, "give a table"),
        ([["a"], ["b"]], [0, 1], {}, "table of numbers"),
        ([[1.0, 2], [1, 2]], [0, 1], {}, "nothing to learn"),
        ([[1.0, 2], [3, 4]], [0, 1], {"features": 3}, "keep 1 to 2"),
        ([[1.0, 2], [3, 4]], [0, 1], {"features": 0}, "keep 1 to 2"),
        ([[1.0, 2], [3, 4]], [0, 1], {"feature_names": ["a"]}, "1 feature names for 2"),
        ([[1.0, 2], [3, 4]], [0, 1], {"whiten": True, "sigma_p": 0.0}, "sigma_p = 0"),
        ([[1.0, 2], [3, 4]], [0, 1], {"whiten": True, "sigma_p": np.inf}, "finite"),
    ],
)
def test_what_fit_refuses(x: list, y: list, options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Encoder.fit(x, y, **options)


def test_new_data_with_other_columns() -> None:
    x, y, *_ = halves()
    names = load("breast-cancer").feature_names
    encoder = Encoder.fit(x, y, feature_names=names)
    with pytest.raises(UsageError, match=r"29 columns.* fitted on 30: mean radius, .*…"):
        encoder.encode(x[:, :29])
    with pytest.raises(UsageError, match="row 3, column 7 is nan"):
        encoder.encode(np.where(np.arange(150).reshape(5, 30) == 97, np.nan, x[:5]))


# -- whitening ---------------------------------------------------------------------------------


def standard_scores(x: np.ndarray, encoder: Encoder) -> np.ndarray:
    """Those of the encoder's columns, of scikit-learn, with a bias: float64 (n, m)."""
    return np.c_[StandardScaler().fit_transform(x[:, encoder.columns]), np.ones(len(x))]


def log_posterior(x: np.ndarray, y: np.ndarray, sigma_p: float, w: np.ndarray) -> np.ndarray:
    """Log-posterior of scores x (n, m) and classes y at the weights w (k, m), float64 (k,)."""
    prior = (w**2).sum(axis=1) / 2 / sigma_p**2
    return log_expit(np.where(y == 1, 1, -1) * (w @ x.T)).sum(axis=1) - prior


def mode_and_covariance(log_density, m: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    """Mode (m,) and inverse Hessian (m, m) by finite differences of a log-density of (n, m)."""
    found = minimize(lambda v: -log_density(v[None])[0], np.zeros(m), options={"gtol": 1e-7}).x
    step = 1e-3 * np.eye(m)
    plus = found + step[:, None] + step[None]
    minus = found + step[:, None] - step[None]
    ends = [
        log_density(p.reshape(-1, m)).reshape(m, m)
        for p in (plus, 2 * found - plus, minus, 2 * found - minus)
    ]
    hessian = (ends[2] + ends[3] - ends[0] - ends[1]) / 4e-6
    return found, np.linalg.inv(hessian)


CASES = [(0, 15, 1.0), (1, 15, 2.0), (2, 30, 1.0), (3, 5, 0.2)]


@pytest.mark.parametrize(("seed", "features", "sigma_p"), CASES)
def test_whitening_leaves_the_posterior_alone(seed: int, features: int, sigma_p: float) -> None:
    """After whitening, the mode is within 0.003 posterior spreads and each spread within 1 %."""
    x, y, *_ = halves(seed)
    encoder = Encoder.fit(x, y, features=features, whiten=True, sigma_p=sigma_p)
    scores = standard_scores(x, encoder)
    points = encoder.training_points(x, y)
    a = encoder.weights_to_original(np.eye(encoder.inputs)) - encoder.weights_to_original(
        np.zeros((1, encoder.inputs))
    )

    def compare(of: Points) -> tuple[float, np.ndarray, np.ndarray]:
        mode, covariance = mode_and_covariance(lambda v: log_likelihood(of, v), encoder.inputs)
        exact, exact_covariance = mode_and_covariance(
            lambda v: log_posterior(scores, y, sigma_p, encoder.weights_to_original(v)),
            encoder.inputs,
        )
        sd = np.sqrt(np.diag(a.T @ exact_covariance @ a))
        ratio = np.sqrt(np.diag(a.T @ covariance @ a)) / sd
        return float(np.abs((mode - exact) @ a / sd).max()), ratio, exact_covariance

    shift, ratio, covariance = compare(points)
    assert shift < 0.003
    assert np.abs(ratio - 1).max() < 0.01
    # v is round, with the spread that the encoder states
    spreads = np.sqrt(np.diag(covariance)) / encoder.spread
    assert spreads.min() > 0.8 and spreads.max() < 1.2
    # the controls: rows rounded to the nearest, and no prior at all
    nearest = encoder.encode(x, y).joined(encoder.whitening.prior_points())  # type: ignore[union-attr]
    assert 0.003 < compare(nearest)[0] < 0.1
    if features > 5:
        assert compare(points_without_prior(points, len(x)))[0] > 0.1


def points_without_prior(points: Points, n: int) -> Points:
    """The data with a hundredth of a prior, which keeps the mode finite."""
    weak = np.where(points.labels[n:] == 2, points.inputs[n:].T // 10, 0).T.astype(np.int8)
    return Points(np.concatenate([points.inputs[:n], weak]), points.labels, points.offsets)


@pytest.mark.parametrize(("seed", "features", "sigma_p"), CASES)
def test_error_of_the_log_posterior(seed: int, features: int, sigma_p: float) -> None:
    """Under the posterior, errors of log-posterior differences are at most 0.1 nat (rms), because
    the rows of the data are int8. The prior is exact."""
    x, y, *_ = halves(seed)
    encoder = Encoder.fit(x, y, features=features, whiten=True, sigma_p=sigma_p)
    points = encoder.training_points(x, y)
    assert points.labels.tolist() == [*y, *[2] * encoder.inputs]
    v = encoder.spread * np.random.default_rng(0).standard_normal((2000, encoder.inputs))
    w = encoder.weights_to_original(v)
    error = log_likelihood(points, v) - log_posterior(standard_scores(x, encoder), y, sigma_p, w)
    assert error.std() < 0.1
    prior = Points(points.inputs[len(x) :], points.labels[len(x) :], points.offsets[len(x) :])
    assert np.abs(log_likelihood(prior, v) + (w**2).sum(axis=1) / 2 / sigma_p**2).max() < 1e-6


def test_whitened_logits_are_the_logits() -> None:
    """Mean probabilities of held-out points differ only by the rounding of the rows."""
    x, y, x_test, _ = halves()
    encoder = Encoder.fit(x, y, features=15, whiten=True)
    scaler = StandardScaler().fit(x[:, encoder.columns])
    scores = np.c_[scaler.transform(x_test[:, encoder.columns]), np.ones(len(x_test))]
    v = encoder.spread * np.random.default_rng(1).standard_normal((2000, 16))
    points = encoder.encode(x_test)
    z = v @ (points.inputs / 32.0).T + points.offsets / 1024.0
    exact = encoder.weights_to_original(v) @ scores.T
    assert np.abs(expit(z).mean(axis=0) - expit(exact).mean(axis=0)).max() < 0.01
    assert np.median((z - exact).std(axis=0)) < 0.05


def test_many_points_use_the_whole_range() -> None:
    """With 10,000 points, posterior spreads are far below 1. The scale compensates for it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10_000, 6))
    y = (rng.random(10_000) < expit(x @ rng.normal(size=6))).astype(int)
    encoder = Encoder.fit(x, y, whiten=True)
    points = encoder.training_points(x, y)
    assert encoder.spread < 0.2
    assert 100 <= np.abs(points.inputs[: len(x)].astype(int)).max() <= 127


def test_equal_columns_and_separated_classes() -> None:
    """The prior resolves equal eigenvalues and a likelihood without a maximum."""
    rng = np.random.default_rng(3)
    x = np.repeat(rng.normal(size=(40, 2)), 3, axis=1)
    y = (x[:, 0] > 0).astype(int)
    encoder = Encoder.fit(x, y, whiten=True, sigma_p=3.0)
    again = Encoder.fit(x[::-1].copy(), y[::-1], whiten=True, sigma_p=3.0)
    a, b = encoder.encode(x), again.encode(x)
    assert np.array_equal(a.inputs, b.inputs) and np.array_equal(a.offsets, b.offsets)


def test_a_prior_too_wide_to_whiten() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3))
    y = (x[:, 0] > 0).astype(int)
    assert Encoder.fit(x, y, whiten=True, sigma_p=1.0).spread < 2
    with pytest.raises(UsageError, match="choose a smaller sigma_p, or drop the outlying rows"):
        Encoder.fit(x, y, whiten=True, sigma_p=1000.0)


def test_weights_to_original_without_whitening() -> None:
    x, y, *_ = halves()
    encoder = Encoder.fit(x, y, features=3, scaled=False)
    v = np.random.default_rng(0).normal(size=(5, 4))
    assert np.array_equal(encoder.weights_to_original(v), v) and encoder.spread == 1
    with pytest.raises(UsageError, match="3 weights per sample, expected 4"):
        encoder.weights_to_original(v[:, :3])


# -- the run folder ----------------------------------------------------------------------------


@pytest.mark.parametrize("whiten", [False, True])
def test_round_trip_through_json(whiten: bool) -> None:
    x, y, x_test, _ = halves()
    names = load("breast-cancer").feature_names
    encoder = Encoder.fit(x, y, feature_names=names, features=7, whiten=whiten)
    again = Encoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert again.to_dict() == encoder.to_dict()
    assert again.feature_names == encoder.feature_names and again.spread == encoder.spread
    a, b = encoder.training_points(x, y), again.training_points(x, y)
    assert np.array_equal(a.inputs, b.inputs) and np.array_equal(a.offsets, b.offsets)
    assert np.array_equal(encoder.encode(x_test).inputs, again.encode(x_test).inputs)
    v = np.random.default_rng(0).normal(size=(5, 8))
    assert np.array_equal(encoder.weights_to_original(v), again.weights_to_original(v))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"columns": [0, 1]},
        {"columns": [0, 1, 99]},
        {"columns": ["a", "b", "c"]},
        {"scale": [1.0, 0.0, 1.0]},
        {"mean": [1.0]},
        {"mean": None},
        {"coordinates": {"scales": [1.0]}},
        {"coordinates": 3},
        {"whitened": True},
        {"error": {}},
    ],
)
def test_a_damaged_encoder(change: dict) -> None:
    x, y, *_ = halves()
    values = Encoder.fit(x, y, features=3).to_dict()
    with pytest.raises(OhmcarloError, match="train again"):
        Encoder.from_dict(values | change)
    del values["columns"]
    with pytest.raises(OhmcarloError, match="train again"):
        Encoder.from_dict(values)


def test_a_damaged_whitening() -> None:
    x, y, *_ = halves()
    for key, value in (("prior_inputs", [1]), ("prior_inputs", [300] * 4), ("matrix", [[0.0]])):
        values = Encoder.fit(x, y, features=3, whiten=True).to_dict()
        values["coordinates"][key] = value
        with pytest.raises(OhmcarloError, match="train again"):
            Encoder.from_dict(values)


# -- order -------------------------------------------------------------------------------------


def test_hardest_first() -> None:
    order = hardest_first(np.array([-1, -7, 0, -7, -2]))
    assert order.tolist() == [1, 3, 4, 0, 2] and order.dtype == np.int32


# -- the reference posterior -------------------------------------------------------------------


def test_reference_posterior_is_of_these_data() -> None:
    """The file in tests/data was made from the integers of the present encoder. Its Monte Carlo
    error is at most 0.005 posterior spreads."""
    x, y, *_ = halves(SPLIT_SEED)
    points = Encoder.fit(x, y, features=FEATURES, scaled=False).training_points(x, y)
    with np.load(NUTS) as reference:
        assert str(reference["data_sha256"]) == digest(points.inputs, points.labels)
        assert reference["sigma_p"] == SIGMA_P and reference["points"] == len(points) == 284
        assert reference["ess"].min() >= 40_000 and reference["rhat"].max() < 1.001
        assert reference["divergent"] == 0
        mean, sd = reference["mean"], reference["sd"]
    # independent check: the mode is near the mean, the curvature near the spread
    mode, covariance = mode_and_covariance(
        lambda w: log_likelihood(points, w) - (w**2).sum(axis=1) / 2 / SIGMA_P**2, FEATURES + 1
    )
    assert np.abs((mode - mean) / sd).max() < 0.3
    assert np.sqrt(np.diag(covariance)) == pytest.approx(sd, rel=0.15)
