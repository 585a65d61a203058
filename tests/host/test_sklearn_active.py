"""Rows of a pool to have labelled next, for loops around scikit-learn's estimators."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import entropy
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ohmcarlo.errors import UsageError
from ohmcarlo.sklearn import MemristorClassifier, most_informative

pytestmark = pytest.mark.filterwarnings("ignore::ohmcarlo.sklearn.UnsettledWarning")

Fitted = tuple[MemristorClassifier, np.ndarray]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    """WDBC: 20 labelled points, and the pool."""
    x, y = load_breast_cancer(return_X_y=True)
    x = x[:, :8]
    known, pool = np.split(np.random.default_rng(0).permutation(len(y)), [20])
    model = MemristorClassifier(600, chains=1, random_state=0)
    return model.fit(x[known], y[known], pool=x[pool]), x[pool]


def test_the_best_row_has_the_largest_entropy(fitted: Fitted) -> None:
    """The entropy is computed from the weights of the standardised features."""
    model, pool = fitted
    encoder = model.encoder_
    standard = (pool[:, encoder.columns] - encoder.mean) / encoder.scale
    p = expit(np.c_[standard, np.ones(len(pool))] @ model.weights_.T)
    mean = np.average(p, axis=1, weights=model.multiplicity_)
    doubts = entropy([mean, 1 - mean])
    chosen = most_informative(model, pool, 10)
    assert doubts[chosen[0]] > doubts.max() - 1e-3
    assert doubts[chosen].min() > np.quantile(doubts, 0.8)  # of random rows, it is far below
    informed = most_informative(model, pool, 10, measure="information")
    assert informed.tolist() != chosen.tolist()


def test_scales_are_those_of_the_pool(fitted: Fitted) -> None:
    model, pool = fitted
    assert not model.encoder_.saturates(pool).any()
    assert np.abs(model.encoder_.mean / pool.mean(axis=0) - 1).max() < 0.05


def test_learners_and_pipelines(fitted: Fitted) -> None:
    """A learner of modAL has an ``estimator`` and calls its strategy with itself."""
    model, pool = fitted
    learner = SimpleNamespace(estimator=model)
    chosen = most_informative(learner, pool, n_instances=3)
    assert chosen.tolist() == most_informative(model, pool, 3).tolist()
    x, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(
        StandardScaler(), MemristorClassifier(300, chains=1, random_state=0)
    ).fit(x[::5], y[::5])
    three = most_informative(pipeline, x, 5)
    doubts = entropy(pipeline.predict_proba(x), axis=1)
    assert doubts[three].min() > np.median(doubts) and len(set(three)) == 5


def test_refusals(fitted: Fitted) -> None:
    model, pool = fitted
    with pytest.raises(UsageError, match="choose 'doubt' or 'information'"):
        most_informative(model, pool, measure="entropy")
    with pytest.raises(UsageError, match=f"choose 1 to {len(pool)}"):
        most_informative(model, pool, len(pool) + 1)
    with pytest.raises(UsageError, match="LogisticRegression has no samples"):
        most_informative(LogisticRegression(), pool)
    with pytest.raises(ValueError, match="2 features"):
        MemristorClassifier().fit(pool[:4], [0, 0, 1, 1], pool=pool[:, :2])
