"""Which points to have labelled next, by samples of the posterior.

The doubt about a point is the entropy of its mean prediction over the samples. The points with the
largest doubts are often alike, so that one label would settle them all. A batch is therefore chosen
one point at a time. Each choice reduces the posterior covariance C of the logits as its label is
expected to,

    C ← C - c cᵀ f / (1 + f v),

with c the column of C for the chosen point, v its variance and f its mean p (1 - p). The score of a
point is its doubt times the share of its logit variance that the batch leaves. C itself is never
computed; the sampled logits are changed such that their covariance is C. With more than two classes
a label counts as one answer for each class, against the rest.

Entropy and mutual information as measures: Settles 2009 (Active Learning Literature Survey),
Houlsby et al. 2011 (arXiv:1112.5745).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..spec import PROB_FRAC
from .classes import FloatArray, entropy

Measure = Callable[[FloatArray], FloatArray]

LEAST = 2.0 ** -(PROB_FRAC + 1)
"""A probability of 0 stands for this one: half of the least that differs from 0."""
TINY = float(np.finfo(np.float64).tiny)


def doubt(p: FloatArray) -> FloatArray:
    """Entropy of the mean prediction, nat: probabilities (draws, n, classes) → float64 (n,)."""
    return np.asarray(entropy(p.mean(axis=0)), np.float64)


def information(p: FloatArray) -> FloatArray:
    """Mutual information of class and weights, nat: probabilities (draws, n, classes) → (n,)."""
    return np.asarray(np.maximum(doubt(p) - entropy(p).mean(axis=0), 0.0), np.float64)


def batch(p: FloatArray, n: int, measure: Measure = doubt) -> NDArray[np.int64]:
    """The ``n`` points whose labels tell most together, the best first: int64 (n,).

    Parameters
    ----------
    p : float64 (draws, points, classes)
        Probabilities of every point under equally probable samples of the posterior.
    n : int
        1 to the number of points.
    measure : callable
        Score of every point by itself, not negative: ``doubt`` or ``information``.

    Raises UsageError for an impossible ``n``.

    >>> alike = np.array([[0.9, 0.9, 0.6], [0.1, 0.1, 0.6], [0.5, 0.5, 0.3]])
    >>> batch(np.stack([1 - alike, alike], axis=2), 2).tolist()  # the second repeats the first
    [0, 2]
    """
    points = p.shape[1]
    if not 1 <= n <= points:
        raise UsageError(f"{n} of {points} points cannot be chosen: choose 1 to {points}")
    answers = np.clip(p[:, :, 1:] if p.shape[2] == 2 else p, LEAST, 1 - LEAST)
    logits = np.log(answers / (1 - answers))
    fisher = (answers * (1 - answers)).mean(axis=0)
    left = _Left(logits - logits.mean(axis=0), fisher)
    score, before = measure(p), np.maximum(left.weighted(), TINY)
    free = np.ones(points, bool)
    chosen = np.empty(n, np.int64)
    for i in range(n):
        best = int(np.argmax(np.where(free, score * (left.weighted() / before), -1.0)))
        chosen[i], free[best] = best, False
        left.settle(best)
    return chosen


class _Left:
    """What the batch so far leaves of the posterior spread of the logits.

    Parameters
    ----------
    logits : float64 (draws, points, answers)
        Centred.
    fisher : float64 (points, answers)
        Expected information of an answer about its logit.
    """

    def __init__(self, logits: FloatArray, fisher: FloatArray) -> None:
        self._fisher = fisher
        self._logits = logits.reshape(len(logits), -1)
        self._variance = (self._logits**2).mean(axis=0)

    def weighted(self) -> FloatArray:
        """Variance of the logits of every point, weighted with their information: (points,)."""
        return np.asarray((self._variance.reshape(self._fisher.shape) * self._fisher).sum(axis=1))

    def settle(self, point: int) -> None:
        """Reduce the spread as the label of ``point`` is expected to."""
        answers = self._fisher.shape[1]
        for answer, fisher in enumerate(self._fisher[point]):
            own = self._logits[:, point * answers + answer].copy()
            variance = max(float((own**2).mean()), TINY)
            share = 1 - 1 / np.sqrt(1 + fisher * variance)
            column = own @ self._logits / len(own)
            self._logits -= np.outer(own, share / variance * column)
        self._variance = (self._logits**2).mean(axis=0)
