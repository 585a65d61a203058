"""MemristorRegressor passes scikit-learn's own checks, and predicts as BayesianRidge does."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ohmcarlo.errors import UsageError
from ohmcarlo.sklearn import MemristorRegressor, UnsettledWarning

pytestmark = pytest.mark.filterwarnings("ignore::ohmcarlo.sklearn.UnsettledWarning")


@parametrize_with_checks([MemristorRegressor(steps=100, chains=1)])
def test_check_estimator(estimator, check) -> None:  # type: ignore[no-untyped-def]
    check(estimator)


@pytest.fixture(scope="module")
def halves() -> list[np.ndarray]:
    x, y = load_diabetes(return_X_y=True)
    return train_test_split(x, y, test_size=0.5, random_state=0)


@pytest.fixture(scope="module")
def model(halves: list[np.ndarray]) -> MemristorRegressor:
    return MemristorRegressor(4000, random_state=0).fit(halves[0], halves[2])


def test_as_good_as_bayesian_ridge(model: MemristorRegressor, halves: list[np.ndarray]) -> None:
    """Same predictions, spreads, noise and coefficients within a fraction of their uncertainty."""
    xa, xb, ya, yb = halves
    scaler = StandardScaler().fit(xa)
    ridge = BayesianRidge().fit(scaler.transform(xa), ya)
    theirs, their_sd = ridge.predict(scaler.transform(xb), return_std=True)
    ours, sd = model.predict(xb, return_std=True)
    assert model.verdict_ == "settled"
    assert np.abs(ours - theirs).max() < 0.1 * their_sd.mean()
    assert sd == pytest.approx(their_sd, rel=0.03)
    assert model.noise_ == pytest.approx(ridge.alpha_**-0.5, rel=0.03)
    assert ours == pytest.approx(xb @ model.coef_ + model.intercept_)
    low, high = model.predict_interval(xb, 0.9).T
    assert 0.84 < ((low < yb) & (yb < high)).mean() < 0.96
    assert high - low == pytest.approx(2 * 1.645 * sd, rel=0.05)
    assert (model.predict_uncertainty(xb) < 0.6 * sd).all()
    far = model.predict_uncertainty(xb + 10 * xa.std(0))
    assert far.min() > 2 * model.predict_uncertainty(xb).max()


def test_pickle_clone_pipeline_and_grid(
    model: MemristorRegressor, halves: list[np.ndarray]
) -> None:
    xa, xb, ya, _ = halves
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_interval(xb), model.predict_interval(xb))
    same = clone(model).fit(xa, ya)
    assert np.array_equal(same.predict(xb), model.predict(xb))
    search = GridSearchCV(
        make_pipeline(StandardScaler(), MemristorRegressor(300, chains=1, random_state=0)),
        {"memristorregressor__sigma_p": [0.05, 1.0]},
        cv=2,
    ).fit(xa, ya)
    assert search.best_params_ == {"memristorregressor__sigma_p": 1.0}
    fewer = MemristorRegressor(300, features=2, random_state=0).fit(xa, ya)
    assert np.count_nonzero(fewer.coef_) == 2


def test_the_fit_of_the_computer_gives_the_same(
    model: MemristorRegressor, halves: list[np.ndarray]
) -> None:
    fitted = MemristorRegressor(4000, whiten=True, random_state=0).fit(halves[0], halves[2])
    assert fitted.verdict_ == "settled" and not np.array_equal(fitted.coef_, model.coef_)
    difference = np.abs(fitted.predict(halves[1]) - model.predict(halves[1]))
    assert difference.max() < 0.15 * model.predict_uncertainty(halves[1]).mean()
    with pytest.raises(UsageError, match="random walk does not move"):
        MemristorRegressor(whiten=False).fit(halves[0], halves[2])


def test_to_arviz(model: MemristorRegressor, halves: list[np.ndarray]) -> None:
    data = model.to_arviz()
    scale = halves[2].std()
    w = data["posterior"]["w"].values.astype(np.float64)  # every second draw of the model
    found = scale * w[..., :-1] / halves[0].std(0)
    assert (np.abs(found.mean((0, 1)) - model.coef_) < 0.05 * found.std((0, 1))).all()
    assert np.median(data["posterior"]["noise"]) == pytest.approx(model.noise_, rel=0.01)
    assert np.array_equal(data["observed_data"]["y"].values, halves[2])
    assert list(data["posterior"]["weight"].values)[-2:] == ["x9", "bias"]


def test_what_it_refuses_and_warns_of(halves: list[np.ndarray]) -> None:
    xa, _, ya, _ = halves
    with pytest.warns(UnsettledWarning, match=r"try steps=\d+"):
        MemristorRegressor(100, random_state=0).fit(xa, ya)
    with pytest.raises(UsageError, match="random walk does not move"):
        MemristorRegressor(rho=1.0).fit(xa, ya)
    with pytest.raises(ValueError, match="choose a value between 0 and 1"):
        MemristorRegressor(100, chains=1).fit(xa, ya).predict_interval(xa, 95)
