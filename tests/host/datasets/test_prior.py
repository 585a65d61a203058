"""Prior widths of single features: the posterior is the one that scipy computes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.datasets import load_diabetes

from integration import GridPosterior, standard
from ohmcarlo.datasets import Encoder, load, split_half
from ohmcarlo.datasets.laplace import laplace_of_points
from ohmcarlo.errors import UsageError
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.sklearn import MemristorClassifier, MemristorRegressor

NAMES = ("a", "b", "c")


def wdbc(columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    data = load("breast-cancer")
    rows, _ = split_half(data.y, 0)
    return data.x[np.ix_(rows, columns)], data.y[rows]


def laplace_by_scipy(
    x: np.ndarray, y: np.ndarray, widths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mode and standard deviations of the Laplace fit; weight j has the prior N(0, widths[j]²)."""
    z = np.c_[(x - x.mean(axis=0)) / x.std(axis=0), np.ones(len(x))]
    sign = np.where(y == 1, 1, -1)

    def loss(w: np.ndarray) -> float:
        return -log_expit(sign * (z @ w)).sum() + ((w / widths) ** 2).sum() / 2

    def slope(w: np.ndarray) -> np.ndarray:
        return -z.T @ (sign * expit(-sign * (z @ w))) + w / widths**2

    mode = minimize(loss, np.zeros(z.shape[1]), jac=slope, method="BFGS", tol=1e-8).x
    p = expit(z @ mode)
    hessian = (z.T * (p * (1 - p))) @ z + np.diag(1 / widths**2)
    return mode, np.sqrt(np.diag(np.linalg.inv(hessian)))


def laplace_of_encoder(
    encoder: Encoder, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same of the integers that a chain samples, in the weights of the features."""
    precision = 0.0 if np.isinf(encoder.sigma) else encoder.sigma**-2
    fit = laplace_of_points(encoder.training_points(x, y), np.zeros(encoder.inputs), precision)
    to_original = encoder.weights_to_original(np.vstack([np.eye(len(fit.mode)), 0 * fit.mode]))
    matrix = (to_original[:-1] - to_original[-1]).T
    mode = encoder.weights_to_original(fit.mode[None])[0]
    return mode, np.sqrt(np.diag(matrix @ fit.covariance() @ matrix.T))


@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize(
    "widths", [[0.1, 2.0, 1.0, 0.5], [3.0, 0.2, 0.7, 1.0], [0.3, 0.3, 0.3, 5.0]]
)
def test_the_posterior_is_that_of_these_widths(whiten: bool, widths: list[float]) -> None:
    """Within the error that the encoder predicts, and 0.05 standard deviations whitened. The
    control is the posterior of one width."""
    x, y = wdbc([1, 7, 27])
    encoder = Encoder.fit(x, y, whiten=whiten, sigma_p=widths)
    mode, sd = laplace_by_scipy(x, y, np.array(widths))
    found, found_sd = laplace_of_encoder(encoder, x, y)
    shift, ratio = np.abs(found - mode) / sd, found_sd / sd
    assert encoder.error.mean_sd == pytest.approx(shift.max(), abs=1e-3)
    worst = ratio[np.abs(np.log(ratio)).argmax()]
    assert encoder.error.spread == pytest.approx(worst, abs=1e-3)
    if whiten:
        assert shift.max() < 0.05 and np.abs(np.log(ratio)).max() < 0.05
    one, one_sd = laplace_by_scipy(x, y, np.full(4, 1.0))
    assert (np.abs(found - one) / one_sd).max() > 0.5 or np.abs(found_sd / one_sd - 1).max() > 0.3


def test_ways_to_say_the_same() -> None:
    x, y = wdbc([1, 7, 27])

    def integers(sigma_p: object) -> bytes:
        encoder = Encoder.fit(x, y, feature_names=NAMES, whiten=True, sigma_p=sigma_p)  # type: ignore[arg-type]
        points = encoder.training_points(x, y)
        return points.inputs.tobytes() + points.offsets.tobytes() + encoder.factors.tobytes()

    assert integers([0.5, 2, 2, 1]) == integers([0.5, 2, 2]) == integers({"a": 0.5, "b": 2, "c": 2})
    assert integers({"a": 0.5, "*": 2}) == integers([0.5, 2, 2, 2])
    assert integers({"bias": 3.0}) == integers([1, 1, 1, 3])
    assert integers(2.0) == integers([2.0] * 4) == integers({"*": 2.0})
    assert integers(2.0) != integers([2.0] * 3)


def test_a_feature_that_is_not_kept_has_no_weight() -> None:
    x, y = wdbc([1, 7, 27])
    x[:, 1] = 4.0
    encoder = Encoder.fit(x, y, feature_names=NAMES, sigma_p={"a": 0.5, "b": 9, "c": 2})
    assert encoder.factors.tolist() == [0.5, 2, 1]


def test_stored_and_read_again() -> None:
    x, y = wdbc([1, 7, 27])
    for whiten in (True, False):
        encoder = Encoder.fit(x, y, whiten=whiten, sigma_p=[0.1, 2, 1, 0.3])
        again = Encoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
        assert again.factors.tobytes() == encoder.factors.tobytes()
        assert again.sigma_p == encoder.sigma_p == 0.3
        assert np.array_equal(again.encode(x).inputs, encoder.encode(x).inputs)


def test_an_encoder_of_one_width_is_read() -> None:
    """The format before this one: without ``sigma_p`` and ``factors``."""
    x, y = wdbc([1, 7, 27])
    encoder = Encoder.fit(x, y, whiten=True)
    old = {k: v for k, v in encoder.to_dict().items() if k not in ("sigma_p", "factors")}
    again = Encoder.from_dict(old | {"format": 2})
    assert np.array_equal(again.encode(x).inputs, encoder.encode(x).inputs)
    v = np.arange(8.0).reshape(2, 4)
    assert np.array_equal(again.weights_to_original(v), encoder.weights_to_original(v))


@pytest.mark.parametrize(
    ("sigma_p", "words"),
    [
        ({"d": 1.0}, "no feature has the name 'd': choose among a, b, c, bias"),
        ([1.0, 2.0], "one for each feature, or one for each feature and the bias"),
        ([1.0, 2.0, -1.0], "sigma_p = -1: encoding needs a positive"),
        ({"a": np.inf}, "sigma_p = inf"),
    ],
)
def test_what_is_refused(sigma_p: object, words: str) -> None:
    x, y = wdbc([1, 7, 27])
    with pytest.raises(UsageError, match=words):
        Encoder.fit(x, y, feature_names=NAMES, sigma_p=sigma_p)  # type: ignore[arg-type]


def test_configuration() -> None:
    config = TrainConfig("toy2d", sigma_p={"x1": 0.5})
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.widths(0.6) == {"*": 0.6, "x1": 0.5}
    with pytest.raises(UsageError, match=r"sigma_p = 0\.01: choose 0\.05 to 1000"):
        TrainConfig("toy2d", sigma_p=[1.0, 0.01])
    with pytest.raises(UsageError, match="give a number"):
        TrainConfig("toy2d", sigma_p={"x1": "wide"})  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="one prior width"):
        config.width(1.0)


@pytest.mark.stats
def test_the_chain_samples_these_widths() -> None:
    """Moments of a chain against integration. 1,000 effective samples give means within 0.03 sd
    and spreads within 2 % (one sigma). The control is the posterior of one width."""
    data = load("toy2d")
    widths = np.array([0.3, 2.0, 0.5])
    model = MemristorClassifier(6000, sigma_p=widths, random_state=1).fit(data.x, data.y)
    w = np.repeat(model.weights_, model.multiplicity_, axis=0)
    x = standard(data.x)
    mean, sd = GridPosterior(x, data.y, widths).moments()
    assert np.abs((w.mean(axis=0) - mean) / sd).max() < 0.12
    assert np.abs(np.log(w.std(axis=0) / sd)).max() < 0.08
    other, _ = GridPosterior(x, data.y, 1.0).moments()
    assert np.abs((w.mean(axis=0) - other) / sd).max() > 1


@pytest.mark.stats
def test_a_linear_model_of_numbers_has_these_widths() -> None:
    """Posterior mean and noise against the closed form, w_j | s ~ N(0, (σ_j s)²). Of 11 means, the
    worst one errs by about 0.06 standard deviations. The control is the closed form of one width.
    """
    x, y = load_diabetes(return_X_y=True)
    widths = np.array([0.05, 5, 5, 0.5, 0.05, 0.5, 0.1, 2, 5, 0.1, 3])
    model = MemristorRegressor(8000, sigma_p=widths, random_state=0).fit(x, y)
    z, t = standard(x), (y - y.mean()) / y.std()

    def closed_form(sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        precision = z.T @ z + np.diag(sigma**-2.0)
        mean = np.linalg.solve(precision, z.T @ t)
        squares = ((t - z @ mean) ** 2).sum() + ((mean / sigma) ** 2).sum()
        noise = np.sqrt(squares / len(t))
        return mean, noise * np.sqrt(np.diag(np.linalg.inv(precision))), noise

    mean, sd, noise = closed_form(widths)
    w = model.posterior_.settled_weights()
    assert np.abs((w.mean(axis=0) - mean) / sd).max() < 0.15
    assert np.abs(np.log(w.std(axis=0) / sd)).max() < 0.08
    assert model.noise_ == pytest.approx(noise * y.std(), rel=0.01)
    other, _, _ = closed_form(np.ones(11))
    assert np.abs((w.mean(axis=0) - other) / sd).max() > 1
    assert model.sigma_p_["x1"] == 5 and model.sigma_p_["bias"] == 3
    assert np.allclose(model.predict(x), (z @ w.mean(axis=0)) * y.std() + y.mean())
