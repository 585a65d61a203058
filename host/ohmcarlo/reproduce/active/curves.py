"""Accuracy against labels bought: one curve, and what a set of curves tells."""

from __future__ import annotations

from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from ..base import Cell
from .learners import ArrayLearner, Learner, SoftwareLearner
from .problems import Problem, rounds

FloatArray = NDArray[np.float64]

DOUBT, RANDOM = "array, by its own doubt", "array, at random"
ENTROPY, PLAIN = "logistic regression, by entropy", "logistic regression, at random"
STRATEGIES = (DOUBT, RANDOM, ENTROPY, PLAIN)
CHOOSES = {DOUBT: True, RANDOM: False, ENTROPY: True, PLAIN: False}
RESAMPLES = 1000


def curve(task: str, strategy: str, seed: int) -> Cell:
    """A cell: quality on the held-out cases after each round of labels.

    All strategies of a seed have the same pool and the same first labels. Both that choose at
    random buy the same labels.
    """
    problem = Problem.of(task, seed)
    own = strategy in (DOUBT, RANDOM)
    learner: Learner = ArrayLearner(task, seed) if own else SoftwareLearner(task)
    with closing(learner):
        found = _bought(problem, learner, CHOOSES[strategy])
        return {"task": task, "strategy": strategy, "seed": seed, **found, **learner.values()}


def _bought(problem: Problem, learner: Learner, chooses: bool) -> dict[str, list[float]]:
    """Quality, and share of class 1 among the labels, after each round."""
    labels = rounds()
    bought = problem.order[: labels[0]]
    found: dict[str, list[float]] = {"accuracy": [], "balanced_accuracy": [], "positive": []}
    for now, following in zip(labels, [*labels[1:], None], strict=True):
        rest = problem.order[~np.isin(problem.order, bought)]
        learner.learn(problem.x[bought], problem.y[bought], problem.x[rest])
        right = (learner.probability(problem.test_x) >= 0.5) == problem.test_y
        by_class = [right[problem.test_y == c].mean() for c in (0, 1)]
        found["accuracy"].append(float(right.mean()))
        found["balanced_accuracy"].append(float(np.mean(by_class)))
        found["positive"].append(float(problem.y[bought].mean()))
        if following is not None:
            more = following - now
            chosen = learner.choose(problem.x[rest], more) if chooses else slice(more)
            bought = np.concatenate([bought, rest[chosen]])
    return found


def labels_needed(labels: list[int], curves: FloatArray, wanted: float) -> float:
    """Labels from which on the mean of curves (seeds, rounds) is at least ``wanted``, with linear
    interpolation between rounds; inf if its last value is less."""
    mean = curves.mean(axis=0)
    below = np.flatnonzero(mean < wanted)
    if not len(below):
        return float(labels[0])
    i = int(below[-1]) + 1
    if i == len(mean):
        return float("inf")
    share = (wanted - mean[i - 1]) / (mean[i] - mean[i - 1])
    return float(labels[i - 1] + share * (labels[i] - labels[i - 1]))


def interval_of_labels(
    labels: list[int], curves: FloatArray, reference: FloatArray, at: int
) -> tuple[float, float]:
    """95 % interval of the labels that ``curves`` need for the mean accuracy of ``reference`` with
    ``at`` labels, up to which the curves count; both (seeds, rounds), resampled by seed."""
    rng = np.random.default_rng(0)
    column = labels.index(at)
    curves = curves[:, : column + 1]
    needed = []
    for _ in range(RESAMPLES):
        seeds = rng.integers(len(curves), size=len(curves))
        wanted = float(reference[seeds, column].mean())
        needed.append(labels_needed(labels, curves[seeds], wanted))
    low, high = np.quantile(needed, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)


def difference(ours: FloatArray, theirs: FloatArray) -> tuple[float, float]:
    """Mean of paired differences (seeds,) and its standard error."""
    d = ours - theirs
    return float(d.mean()), float(d.std(ddof=1) / np.sqrt(len(d)))
