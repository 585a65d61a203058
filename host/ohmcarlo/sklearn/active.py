"""Active learning with the estimators: the points of a pool to have labelled next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline

from ..errors import UsageError
from ..runs.acquisition import batch, doubt, information
from .classifier import MemristorClassifier

DRAWS = 200  # of the posterior
MEASURES = {"doubt": doubt, "information": information}


def most_informative(
    estimator: Any, X: ArrayLike, n_instances: int = 1, *, measure: str = "doubt"
) -> NDArray[np.int64]:
    """Rows of a pool whose labels would tell most, the best first: int64 (n_instances,).

    The score of a row is its entropy under the posterior mean. A batch avoids rows alike (see
    ``ohmcarlo.runs.acquisition``). The function is a query strategy for active-learning loops, such
    as those of modAL.

    Parameters
    ----------
    estimator : MemristorClassifier
        Fitted, with any number of classes; or a pipeline that ends in one; or a learner whose
        attribute ``estimator`` is one of both.
    X : (n, features)
        The pool.
    n_instances : int
        1 to n.
    measure : {"doubt", "information"}
        ``"information"`` is the mutual information of class and weights (BALD), which prefers
        rows of which the samples disagree.

    Raises
    ------
    UsageError
        For another estimator, an unknown measure or an impossible number.

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.datasets import load
    >>> from ohmcarlo.sklearn import MemristorClassifier, most_informative
    >>> data = load("toy2d")
    >>> rows = np.random.default_rng(0).permutation(len(data))
    >>> known, rest = rows[:20], rows[20:]
    >>> model = MemristorClassifier(random_state=0)
    >>> _ = model.fit(data.x[known], data.y[known], pool=data.x[rest])
    >>> ask = rest[most_informative(model, data.x[rest], 3)]  # have these labelled next
    >>> len(ask)
    3
    """
    if measure not in MEASURES:
        raise UsageError(f"measure = {measure!r}: choose {' or '.join(map(repr, MEASURES))}")
    model = getattr(estimator, "estimator", estimator)
    if isinstance(model, Pipeline):
        X, model = (model[:-1].transform(X) if len(model) > 1 else X), model[-1]
    if not isinstance(model, MemristorClassifier):
        raise UsageError(f"{type(model).__name__} has no samples: give a MemristorClassifier")
    return batch(model.drawn_proba(X, DRAWS), n_instances, MEASURES[measure])
