"""One split of a data set of several classes, learnt in the array and by scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets import load
from ...runs.multiclass.result import quality
from ...sklearn import MemristorClassifier
from ...tasks import Task, get_task
from ..base import Cell

STEPS = 4000
"""Of the single chain of each binary problem."""
DRAWS = 300
"""Joint draws of the predictions."""
MULTINOMIAL = "multinomial"
KEPT = ("accuracy", "balanced_accuracy", "log_loss", "ece")


def split(task: str, method: str, seed: int) -> Cell:
    """A cell: training and held-out rows of ``seed``; ``method`` is a likelihood of the array, or
    MULTINOMIAL for scikit-learn's logistic regression with all features and an equal prior."""
    known = get_task(task)
    data = load(known.dataset)
    train, held_out = data.split(seed)
    x, y, tested = data.x[train], data.y[train], data.x[held_out]
    details: dict[str, Any] = {}
    if method == MULTINOMIAL:
        probability = _multinomial(known, x, y, tested)
    else:
        probability, details = _sampled(known, method, seed, x, y, tested)
    found = quality(data.y[held_out], probability, data.class_names)
    return {"task": task, "method": method, "seed": seed, **{k: found[k] for k in KEPT}, **details}


def _multinomial(
    task: Task, x: NDArray[np.float64], y: NDArray[np.int64], tested: NDArray[np.float64]
) -> NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=task.sigma_p**2, max_iter=5000)
    ).fit(x, y)
    probability: NDArray[np.float64] = model.predict_proba(tested)
    return probability


def _sampled(
    task: Task,
    method: str,
    seed: int,
    x: NDArray[np.float64],
    y: NDArray[np.int64],
    tested: NDArray[np.float64],
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Mean probabilities, and what the chains did."""
    model = MemristorClassifier(
        STEPS,
        chains=1,
        multi_class=method,
        features=task.features,
        rho=task.whitened_rho,
        sigma_p=task.sigma_p,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short chains are rough
        model.fit(x, y)
    probability, uncertainty = model.predict_parts(tested, DRAWS)
    return probability, {
        "epistemic": float(uncertainty.epistemic.mean()),
        "aleatoric": float(uncertainty.aleatoric.mean()),
        "acceptance": model.acceptance_rate_,
        "ess_min": model.convergence()["ess_min"],
    }
