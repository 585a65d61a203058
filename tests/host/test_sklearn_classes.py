"""MemristorClassifier with more than two classes."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ohmcarlo.datasets.several_classes import MULTI_CLASS, ONE_VS_REST, STICK_BREAKING
from ohmcarlo.runs.verdict import Verdict
from ohmcarlo.sklearn import MemristorClassifier

pytestmark = pytest.mark.filterwarnings("ignore::ohmcarlo.sklearn.UnsettledWarning")
SHORT = {"chains": 1, "steps": 1500, "random_state": 0}
# three overlapping classes along a line
X = np.array([-2.1, -1.7, -1.2, -0.9, -0.2, -0.6, 0.1, 0.4, 0.8, -0.1, 0.6, 1.1, 1.4, 1.9, 2.2])
Y = np.array(["left"] * 5 + ["middle"] * 5 + ["right"] * 5)
PLACES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
GRID = np.linspace(-6, 6, 121)


def binary_on_a_grid(
    x: np.ndarray, positive: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Exact posterior of two weights, slope and bias, with the prior N(0, 1) for standardised x:
    P(positive) at ``places`` for every node of a grid, (nodes, places), and the mass of each."""
    mean, scale = x.mean(), x.std()
    slope, bias = (g.ravel()[:, None] for g in np.meshgrid(GRID, GRID))
    signed = np.where(positive, 1, -1)
    logits = (slope * (x - mean) / scale + bias) * signed
    log_mass = -np.logaddexp(0, -logits).sum(1) - (slope**2 + bias**2)[:, 0] / 2
    mass = np.exp(log_mass - log_mass.max())
    q = 1 / (1 + np.exp(-(slope * (places - mean) / scale + bias)))
    return q, mass / mass.sum()


def exact(order: tuple[str, str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Mean probabilities (places, classes in alphabetical order) and mutual information (places,)
    of the stick in this order, by a million draws from the exact posterior."""
    rng = np.random.default_rng(1)
    first, mass = binary_on_a_grid(X, order[0] == Y, PLACES)
    a = first[rng.choice(len(mass), 20_000, p=mass)]
    left = order[0] != Y
    second, mass = binary_on_a_grid(X[left], order[1] == Y[left], PLACES)
    b = second[rng.choice(len(mass), 20_000, p=mass)]
    sticks = {order[0]: a, order[1]: (1 - a) * b, order[2]: (1 - a) * (1 - b)}
    p = np.stack([sticks[name] for name in sorted(sticks)], axis=-1)

    def entropy(p: np.ndarray) -> np.ndarray:
        return -(p * np.log(p)).sum(-1)

    return p.mean(0), entropy(p.mean(0)) - entropy(p).mean(0)


@pytest.mark.stats
def test_the_exact_posterior_of_three_classes() -> None:
    """Probabilities and mutual information against sums over a grid. Controls: another order of
    the factors, and one against the rest."""
    model = MemristorClassifier(12_000, chains=2, random_state=3).fit(X[:, None], Y)
    names = [str(model.classes_[p.positive]) for p in model.binary_problems_]
    (last,) = {"left", "middle", "right"} - set(names)
    mean, information = exact((names[0], names[1], last))
    found = model.predict_proba(PLACES[:, None])
    assert np.abs(found - mean).max() < 0.02
    parts = model.uncertainty(PLACES[:, None])
    assert np.abs(parts.epistemic - information).max() < 0.015
    assert np.allclose(parts.total, -(found * np.log(found)).sum(1))
    assert np.allclose(parts.aleatoric + parts.epistemic, parts.total)
    assert np.array_equal(model.predict_uncertainty(PLACES[:, None]), parts.epistemic)
    assert np.abs(exact(("middle", "left", "right"))[0] - mean).max() > 0.1
    rest = MemristorClassifier(12_000, chains=2, multi_class=ONE_VS_REST, random_state=3)
    assert np.abs(rest.fit(X[:, None], Y).predict_proba(PLACES[:, None]) - mean).max() > 0.05


def test_as_good_as_multinomial_logistic_regression_on_iris() -> None:
    x, y = load_iris(return_X_y=True)
    theirs = cross_val_predict(
        make_pipeline(StandardScaler(), LogisticRegression()), x, y, cv=3, method="predict_proba"
    )
    losses = {}
    for method in MULTI_CLASS:
        model = make_pipeline(MemristorClassifier(**SHORT, multi_class=method))
        ours = cross_val_predict(model, x, y, cv=3, method="predict_proba")
        assert np.allclose(ours.sum(1), 1) and ours.shape == (150, 3)
        losses[method] = log_loss(y, ours)
    assert losses[STICK_BREAKING] < log_loss(y, theirs) + 0.03
    assert losses[ONE_VS_REST] > losses[STICK_BREAKING] + 0.1, "the control: no better method"


def test_arrays_of_the_problems_are_independent_and_repeatable() -> None:
    x, y = load_iris(return_X_y=True)
    model = MemristorClassifier(**SHORT).fit(x, y)
    again = pickle.loads(pickle.dumps(clone(model).fit(x, y)))
    assert np.array_equal(model.predict_proba(x), again.predict_proba(x))
    assert not hasattr(model, "codes_") and len(model.problems_) == 2
    for a, b in pairwise(problem.trace for problem in model.problems_):
        agreement = (a.accepted == b.accepted).mean()
        share = a.accepted.mean(), b.accepted.mean()
        by_chance = share[0] * share[1] + (1 - share[0]) * (1 - share[1])
        assert abs(agreement - by_chance) < 0.06
    two = model.fit(x[y > 0], y[y > 0])
    assert two.codes_.shape[1] == 2 * 5 and not hasattr(two.fit(x, y), "codes_")


def test_search_for_the_likelihood() -> None:
    x, y = load_iris(return_X_y=True)
    search = GridSearchCV(
        MemristorClassifier(chains=1, steps=600, random_state=0),
        {"multi_class": MULTI_CLASS},
        cv=2,
        scoring="neg_log_loss",
    )
    assert search.fit(x, y).best_params_ == {"multi_class": STICK_BREAKING}


def test_the_worst_problem_decides_and_is_named() -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = MemristorClassifier(**SHORT).fit(x, names)
    gravity = list(Verdict)  # the best first
    worst = max((p.verdict for p in model.problems_), key=gravity.index)
    assert model.verdict_ == worst != Verdict.SETTLED
    assert all(text.startswith(("class setosa: ", "class v")) for text in model.verdict_reasons_)
    assert model.convergence()["ess_min"] == min(p.values["ess_min"] for p in model.problems_)


@pytest.mark.hdl
@pytest.mark.verify
def test_the_simulated_hardware_has_the_traces_of_the_model() -> None:
    x, y = load_iris(return_X_y=True)
    options = {"chains": 1, "steps": 120, "pairs": 32, "random_state": 2}
    model, hardware = (
        MemristorClassifier(**options, backend=backend).fit(x, y) for backend in ("model", "rtl")
    )
    for ours, theirs in zip(model.problems_, hardware.problems_, strict=True):
        for name, array in ours.trace.arrays().items():
            assert np.array_equal(array, theirs.trace.arrays()[name]), name
    assert np.array_equal(model.predict_proba(x), hardware.predict_proba(x))
    other = MemristorClassifier(**options | {"random_state": 3}).fit(x, y)
    assert not np.array_equal(other.problems_[0].trace.codes, model.problems_[0].trace.codes)
