"""MemristorClassifier passes scikit-learn's own checks of an estimator."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ohmcarlo.errors import UsageError
from ohmcarlo.sklearn import MemristorClassifier, UnsettledWarning, as_parameters

SHORT = {"chains": 1, "steps": 2000}
pytestmark = pytest.mark.filterwarnings("ignore::ohmcarlo.sklearn.UnsettledWarning")


def checks() -> Iterator[Any]:
    """scikit-learn's checks of an estimator; one of them samples given 24,000 points."""
    slow = "check_class_weight_classifiers"
    found = parametrize_with_checks([MemristorClassifier(steps=300, chains=1)])
    for estimator, check in found.args[1]:
        marks = pytest.mark.verify if slow in str(check) else ()
        yield pytest.param(estimator, check, marks=marks, id=found.kwargs["ids"](check))


@pytest.mark.parametrize(("estimator", "check"), checks())
def test_check_estimator(estimator, check) -> None:  # type: ignore[no-untyped-def]
    check(estimator)


def test_as_good_as_logistic_regression_on_wdbc() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    ours = cross_val_score(MemristorClassifier(**SHORT, random_state=0), x, y, cv=5)
    theirs = cross_val_score(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)), x, y, cv=5
    )
    assert ours.mean() > theirs.mean() - 0.01 > 0.95


def test_uncertainty_flags_the_errors() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    xa, xb, ya, yb = train_test_split(x, y, test_size=0.5, stratify=y, random_state=0)
    model = MemristorClassifier(**SHORT, random_state=0).fit(xa, ya)
    wrong = model.predict(xb) != yb
    spread = model.predict_uncertainty(xb)
    assert wrong.any() and spread[wrong].mean() > 3 * spread[~wrong].mean()
    far = model.predict_uncertainty(xb.mean(0, keepdims=True) * 0.0)
    assert np.isfinite(far).all()


def test_same_seed_same_model_other_seed_other_samples() -> None:
    x, y = make_moons(80, noise=0.2, random_state=0)
    a, b, c = (MemristorClassifier(300, chains=1, random_state=s).fit(x, y) for s in (1, 1, 2))
    assert np.array_equal(a.codes_, b.codes_)
    assert not np.array_equal(a.codes_, c.codes_)
    assert a.convergence()["rhat_max"] < 1.5


def test_an_unsettled_posterior_is_a_warning_of_its_own() -> None:
    """The remedy names parameters. A settled one gives no warning."""
    x, y = make_moons(80, noise=0.2, random_state=0)
    with pytest.warns(UnsettledWarning, match=r"rough: only .*; try steps=\d+") as caught:
        model = MemristorClassifier(300, random_state=0).fit(x, y)
    assert caught[0].filename == __file__
    assert issubclass(UnsettledWarning, ConvergenceWarning) and model.verdict_ == "rough"
    steps = int(re.search(r"steps=(\d+)", model.verdict_reasons_[0])[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        followed = MemristorClassifier(steps, random_state=0).fit(x, y)
    assert followed.verdict_ == "settled" and followed.convergence()["ess_tail_min"] > 400
    assert (
        as_parameters("use --wide-every 10, or --whiten.") == "use wide_every=10, or whiten=True."
    )


def test_hidden_units_learn_the_moons() -> None:
    x, y = make_moons(300, noise=0.15, random_state=0)
    straight = MemristorClassifier(3000, chains=1, random_state=0).fit(x, y).score(x, y)
    network = MemristorClassifier(8000, chains=1, hidden=4, sigma_p=2.0, random_state=0)
    assert network.fit(x, y).score(x, y) > straight + 0.03


def test_bad_settings_say_what_to_do() -> None:
    x, y = make_moons(40, random_state=0)
    with pytest.raises(UsageError, match="kernel"):
        MemristorClassifier(kernel="gibbs").fit(x, y)
    with pytest.raises(UsageError, match="use features=1, or pairs=7 or more"):
        MemristorClassifier(pairs=6).fit(x, y)
    with pytest.raises(UsageError, match="stick-breaking or one-vs-rest"):
        MemristorClassifier(multi_class="softmax").fit(x, y)
