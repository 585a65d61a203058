"""Grids of inputs and weights, and rounding of training points that leaves the mode in place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spec import FEATURE_FRAC, FEATURE_MAX

FloatArray = NDArray[np.float64]
INPUT_ONE = 1 << FEATURE_FRAC
UNDECIDED = 0.25  # LSB from the nearest integer: beyond, an input may go to the next-nearest
BALANCED = 0.02  # LSB: a smaller sum of weighted errors is not corrected
RESIDUAL_ONE = 1 << 16  # residuals are rounded, so that sums of them are exact

STANDARD_FRAC = 16  # fraction bits of standardised features
# Sums of products of features on this grid and weights on the grid of ``on_weight_grid`` are exact
# in float64. They do not depend on their order, so that all machines round the same numbers.
EXACT_BITS = 52
WEIGHT_BITS = 32  # the finest grid of weights has so many fraction bits


def on_standard_grid(x: FloatArray) -> FloatArray:
    """Standardised features, rounded to STANDARD_FRAC fraction bits."""
    return np.rint(x * 2.0**STANDARD_FRAC) / 2.0**STANDARD_FRAC


def on_weight_grid(weights: FloatArray, limit: float) -> FloatArray:
    """Weights (m,) or (m, …) of features within ±``limit``, rounded so that sums are exact."""
    largest = limit * float(np.abs(weights).sum(axis=0).max()) or 1.0
    bits = EXACT_BITS - STANDARD_FRAC - max(0, math.ceil(math.log2(largest)))
    grid = 2.0 ** min(bits, WEIGHT_BITS)
    return np.rint(weights * grid) / grid


def limit_of(x: FloatArray) -> float:
    """The smallest power of two that no feature exceeds."""
    return 2.0 ** math.ceil(math.log2(np.abs(x).max()))


def nearest(exact: FloatArray) -> NDArray[np.int8]:
    """Rounded to the nearest integer, saturated."""
    return saturated(np.rint(exact)).astype(np.int8)


def balanced(
    exact: FloatArray, logits: FloatArray, y: NDArray[np.integer[Any]]
) -> NDArray[np.int8]:
    """Rounded so that a posterior whose mode has these logits (n,) does not move.

    ``exact`` are inputs (n, m) in LSB, y 0/1 (n,).
    """
    from scipy.special import expit

    return balanced_for(exact, y - expit(logits))


def balanced_for(exact: FloatArray, residual: FloatArray) -> NDArray[np.int8]:
    """Inputs ``exact`` (n, m) in LSB, rounded so that the sum over the points of residual (n,)
    times error becomes almost zero for every input."""
    rounded = saturated(np.rint(exact))
    residual = np.rint(residual * RESIDUAL_ONE) / RESIDUAL_ONE
    for k in range(exact.shape[1]):
        _balance(exact[:, k], rounded[:, k], residual)
    return rounded.astype(np.int8)


def saturated(inputs: FloatArray) -> FloatArray:
    """Cut off at the ends of the range."""
    return np.clip(inputs, -FEATURE_MAX, FEATURE_MAX)


def beyond(exact: FloatArray) -> NDArray[np.bool_]:
    """Points with an input beyond the range: inputs (n, m) in LSB → bool (n,)."""
    return np.asarray(np.abs(np.rint(exact)).max(axis=1) > FEATURE_MAX)


def _balance(exact: FloatArray, rounded: FloatArray, residual: FloatArray) -> None:
    """Change ``rounded`` in place until Σ residual (rounded - exact) vanishes; all are (n,).

    The inputs nearest to halfway are changed first, because their own error grows least.
    """
    error = rounded - exact
    other = saturated(rounded - np.sign(error))
    total = float(residual @ error)
    order = np.argsort(-np.abs(error), kind="stable")
    order = order[np.abs(error[order]) >= UNDECIDED]
    change = (residual * (other - rounded))[order]
    # up to the first one that would overshoot, all that help are changed
    helps = np.where(change * total < 0, change, 0.0)
    first = int(np.searchsorted(np.abs(np.cumsum(helps)), abs(total)))
    changed = [int(i) for i in np.flatnonzero(helps[:first])]
    total += float(helps[:first].sum())
    for i in range(first, len(order)):
        if abs(total) <= BALANCED:
            break
        if abs(total + change[i]) < abs(total):
            total += float(change[i])
            changed.append(i)
    rounded[order[changed]] = other[order[changed]]
