"""``to_arviz`` of the classifier: the log-likelihood is that of its own probabilities."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_moons

from ohmcarlo.errors import UsageError
from ohmcarlo.sklearn import MemristorClassifier

pytestmark = pytest.mark.filterwarnings("ignore::ohmcarlo.sklearn.UnsettledWarning")


def elpd(data: Any) -> float:
    import arviz

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = arviz.loo(data)
    return float(found.elpd_loo if hasattr(found, "elpd_loo") else found.elpd)


def test_two_classes() -> None:
    """The mean likelihood of a label is the predicted probability of that label. Training inputs
    are rounded in their own way, by one LSB of 8 bits at most."""
    x, y = make_moons(60, noise=0.3, random_state=0)
    labels = np.where(y == 1, "up", "down")
    model = MemristorClassifier(400, chains=2, random_state=0, sigma_p=[2.0, 0.5]).fit(x, labels)
    data = model.to_arviz()
    likelihood = np.exp(data["log_likelihood"]["y"].to_numpy()).mean(axis=(0, 1))
    column = (labels == model.classes_[1]).astype(int)
    assert np.allclose(likelihood, model.predict_proba(x)[np.arange(60), column], atol=0.02)
    assert not np.allclose(likelihood, model.predict_proba(x)[np.arange(60), 1 - column], atol=0.3)
    assert np.array_equal(data["observed_data"]["y"], column)
    assert list(data["observed_data"]["y"].attrs["class_names"]) == ["down", "up"]
    assert data["observed_data"]["row"].to_numpy().tolist() == list(range(60))
    assert np.array_equal(data["constant_data"]["x"], x)
    assert data["posterior"]["w"].sizes["draw"] == 400 - model.burn_in_
    assert data.attrs["sigma_p_x0"] == 2 and data.attrs["sigma_p_x1"] == 0.5
    assert data.attrs["steps"] == 400 and len(data.attrs["sha256_data"]) == 64
    assert np.isfinite(elpd(data))


def test_a_network() -> None:
    """Its logits come from the codes, hidden layer and all."""
    x, y = make_moons(60, noise=0.3, random_state=0)
    model = MemristorClassifier(300, chains=2, hidden=2, random_state=0).fit(x, y)
    data = model.to_arviz()
    likelihood = np.exp(data["log_likelihood"]["y"].to_numpy()).mean(axis=(0, 1))
    assert np.allclose(likelihood, model.predict_proba(x)[np.arange(60), y], atol=1e-3)
    weights = data["posterior"]["weight"].to_numpy().tolist()
    assert weights[:3] == ["h0: x0", "h0: x1", "h0: bias"] and weights[-1] == "out: bias"


def test_several_classes() -> None:
    """The likelihood of three classes is the product over the problems; its mean is the predicted
    probability, which averages over other joint draws."""
    x, y = load_iris(return_X_y=True)
    model = MemristorClassifier(1000, chains=2, random_state=0).fit(x, y)
    data = model.to_arviz()
    likelihood = np.exp(data["log_likelihood"]["y"].to_numpy()).mean(axis=(0, 1))
    p = model.predict_proba(x)
    assert np.allclose(likelihood, p[np.arange(150), y], atol=0.03)
    assert np.array_equal(data["observed_data"]["y"], y)
    answers = data["posterior_predictive"]["y"].to_numpy()
    shares = np.stack([(answers == k).mean(axis=(0, 1)) for k in range(3)], axis=1)
    assert np.abs(shares - p).max() < 0.06
    assert data["posterior"]["w"].dims == ("chain", "draw", "class", "weight")
    # each class but the last has its weights
    assert data["posterior"]["w"].sizes["class"] == 2
    assert elpd(data) > 150 * np.log(1 / 3) / 2
    rest = MemristorClassifier(100, chains=1, random_state=0, multi_class="one-vs-rest").fit(x, y)
    with pytest.raises(UsageError, match='fit with multi_class="stick-breaking"'):
        rest.to_arviz()
