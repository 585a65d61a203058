"""The pools to choose from, and the cases that every model is judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...datasets import load
from ...tasks import get_task

WDBC, ECG = "breast-cancer", "ecg"
TITLES = {WDBC: "WDBC, malignant tissue", ECG: "MIT-BIH, ventricular beats of unseen patients"}
START_PER_CLASS = 2
ECG_POOL = 3000
"""Random beats of the training patients; the share of ventricular beats is the natural one."""
ECG_TEST_EVERY = 4
"""Every so many beats of the other patients are judged, to limit the time of all rounds."""
STEPS_OF_ROUNDS = ((20, 2), (60, 5), (200, 20))
"""Up to so many labels, a round buys so many."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A pool without labels, and held-out cases.

    Attributes
    ----------
    x, y : float64 (n, d), int64 (n,)
        The pool. A learner sees the labels that it buys.
    test_x, test_y : float64 (m, d), int64 (m,)
    order : int64 (n,)
        The pool in random order. The first points are START_PER_CLASS of each class.
    """

    x: NDArray[np.float64]
    y: NDArray[np.int64]
    test_x: NDArray[np.float64]
    test_y: NDArray[np.int64]
    order: NDArray[np.int64]

    @classmethod
    def of(cls, task: str, seed: int) -> Problem:
        """The pool of a seed: a half of WDBC; beats of the training patients of MIT-BIH."""
        dataset = load(get_task(task).dataset)
        rng = np.random.default_rng(seed)
        if dataset.own_split is None:
            pool, test = dataset.split(seed)
        else:
            pool = rng.permutation(np.flatnonzero(dataset.own_split.train))[:ECG_POOL]
            test = np.flatnonzero(dataset.own_split.test)[::ECG_TEST_EVERY]
        y = dataset.y[pool]
        order = rng.permutation(len(pool))
        start = [order[y[order] == c][:START_PER_CLASS] for c in (0, 1)]
        first = np.concatenate(start)
        order = np.concatenate([first, order[~np.isin(order, first)]])
        return cls(dataset.x[pool], y, dataset.x[test], dataset.y[test], order)


def rounds() -> list[int]:
    """Labels after each round."""
    labels = [2 * START_PER_CLASS]
    for top, step in STEPS_OF_ROUNDS:
        while labels[-1] < top:
            labels.append(min(labels[-1] + step, top))
    return labels
