"""Weights of training points: an array reads points without weights, so points are repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UsageError

FloatArray = NDArray[np.float64]
WHOLE = 1e-9  # relative distance at which a weight is a whole number
SHARES = 1e-6  # distance of the sum from 1 at which weights are shares
MOST_POINTS = 1_000_000  # a chain reads every point in every step
STREAM = 0x57454947
"""Sets the stream of the resampling apart from others with the same seed."""


class ResampledWeightsWarning(UserWarning):
    """Weights are not whole numbers; the message states which posterior is sampled."""


@dataclass(frozen=True, eq=False)
class WeightedPoints:
    """The points of a chain in place of weighted ones.

    Attributes
    ----------
    rows : int64 (m,)
        Row of each point in the data, rising. A row of weight w occurs w times.
    error : float
        Standard error of a posterior mean through resampling, in posterior standard deviations:
        √(Σ f (1 - f) / Σ w), where f is the fractional part of a weight. 0 for whole numbers.
    note : str
        What was done to weights that are not whole numbers; empty for whole numbers.
    """

    rows: NDArray[np.int64]
    error: float = 0.0
    note: str = ""

    @classmethod
    def of(
        cls, weights: FloatArray, labels: NDArray[Any], seed: int, classes: bool
    ) -> WeightedPoints:
        """The points for ``weights`` (n,) of rows with ``labels`` (n,).

        Whole numbers are repeated. Of other weights, each is rounded up or down at random, so that
        its expectation is the weight (systematic resampling, in the order of the labels). Weights
        that sum to 1 are shares: they are multiplied by the number of rows. With ``classes``, a
        class whose weights are above 0 keeps one point at least.

        Raises UsageError for more than ``MOST_POINTS`` points.

        Examples
        --------
        >>> WeightedPoints.of(np.array([2.0, 0.0, 1.0]), np.array([0, 0, 1]), 0, True).rows
        array([0, 0, 2])
        """
        if len(weights) > 1 and abs(weights.sum() - 1) <= SHARES:
            weights = weights * len(weights)
        if weights.sum() > MOST_POINTS:
            raise UsageError(
                f"sample_weight: the weights sum to {weights.sum():,.0f} points, but the limit is "
                f"{MOST_POINTS:,}: divide the weights by a number"
            )
        nearest = np.rint(weights)
        if (np.abs(weights - nearest) <= WHOLE * np.maximum(nearest, 1)).all():
            return cls(np.repeat(np.arange(len(weights)), nearest.astype(np.int64)))
        counts = _resampled(weights, labels, np.random.default_rng([seed, STREAM]))
        if classes:
            _keep_classes(counts, weights, labels)
        fraction = weights - np.floor(weights)
        error = float(np.sqrt((fraction * (1 - fraction)).sum() / weights.sum()))
        found = int((np.abs(fraction - np.rint(fraction)) > WHOLE).sum())
        note = (
            f"sample_weight: {found:,} of {len(weights):,} weights are not whole numbers, and each "
            "was rounded up or down at random: the posterior is that of "
            f"{int(counts.sum()):,} resampled points, which moves its means by about "
            f"{error:.2g} posterior sd; whole numbers are exact"
        )
        return cls(np.repeat(np.arange(len(weights)), counts), error, note)


def checked_weights(sample_weight: ArrayLike | None, n: int) -> FloatArray:
    """Weights of n points, float64 (n,); None: all are 1.

    Raises UsageError, which names the parameter, for anything but finite numbers from 0, not all 0.
    """
    if sample_weight is None:
        return np.ones(n)
    try:
        weights = np.array(sample_weight, np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"sample_weight: give a number for each point ({error})") from error
    if weights.ndim == 0:
        weights = np.full(n, float(weights))
    if weights.shape != (n,):
        raise UsageError(
            f"sample_weight has the shape {weights.shape}: give one number for each of the {n} "
            "points"
        )
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        row = int(bad.argmax())
        raise UsageError(
            f"sample_weight[{row}] = {weights[row]:g}: give finite numbers that are not negative"
        )
    if not weights.any():
        raise UsageError("sample_weight: every weight is zero, so there is nothing to learn from")
    return weights


def class_weights(class_weight: Any, labels: NDArray[Any]) -> FloatArray | None:
    """Factors of the weights of points with these labels, (n,); None without ``class_weight``.

    Raises UsageError, which names the parameter, for what scikit-learn cannot use.
    """
    from sklearn.utils.class_weight import compute_sample_weight

    if class_weight is None:
        return None
    compute: Callable[..., Any] = compute_sample_weight
    try:
        return np.asarray(compute(class_weight, labels), np.float64)
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f'class_weight = {class_weight!r}: give None, "balanced" or a dictionary from classes '
            f"to numbers ({error})"
        ) from error


def _resampled(
    weights: FloatArray, labels: NDArray[Any], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Whole numbers with the expectation ``weights``; each differs from it by less than 1.

    The rows are passed in the order of their labels, so that the sum of the weights of a class
    differs from its expectation by less than 1, too.
    """
    order = np.argsort(labels, kind="stable")
    ends = np.floor(np.cumsum(weights[order]) + generator.random()).astype(np.int64)
    counts = np.empty(len(weights), np.int64)
    counts[order] = np.diff(ends, prepend=0)
    return counts


def _keep_classes(counts: NDArray[np.int64], weights: FloatArray, labels: NDArray[Any]) -> None:
    """Give the heaviest point of a class that would vanish the count 1, in place."""
    for label in np.unique(labels[weights > 0]):
        own = labels == label
        if not counts[own].any():
            counts[np.flatnonzero(own)[weights[own].argmax()]] = 1
