"""Scores of predictions of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
LEVELS = (0.5, 0.9, 0.95)
"""Probabilities of the intervals whose coverage is counted."""


def crps_of_draws(y: FloatArray, draws: FloatArray) -> FloatArray:
    """Continuous ranked probability score of sorted draws (n, k) of a prediction, float64 (n,).

    It is E|Y - y| - E|Y - Y'|/2 over the draws (Gneiting and Raftery 2007,
    doi 10.1198/016214506000001437), in units of y; smaller is better.
    """
    k = draws.shape[1]
    from_truth = np.abs(draws - y[:, None]).mean(axis=1)
    between = draws @ (2 * np.arange(k) - k + 1) * 2 / k**2
    return np.asarray(from_truth - between / 2, np.float64)


def crps_of_normal(y: FloatArray, mean: FloatArray, sd: FloatArray) -> FloatArray:
    """The same score of normal predictions, in closed form: (n,) each."""
    from scipy.special import ndtr

    z = (y - mean) / sd
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(sd * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)), np.float64)


def point_scores(y: FloatArray, mean: FloatArray) -> dict[str, float]:
    """Root mean square error, and share of the variance that is explained (R²)."""
    residual = y - mean
    total = float(((y - y.mean()) ** 2).sum())
    return {
        "rmse": float(np.sqrt((residual**2).mean())),
        "r2": 1 - float((residual**2).sum()) / total if total else float("nan"),
    }


def coverage(y: FloatArray, low: FloatArray, high: FloatArray) -> float:
    """Share of y (n,) within its interval."""
    return float(((low <= y) & (y <= high)).mean())


def scores_of_draws(y: FloatArray, mean: FloatArray, draws: FloatArray) -> dict[str, Any]:
    """All scores of predictions: y and mean (n,), sorted draws (n, k)."""
    return {
        **point_scores(y, mean),
        "crps": float(crps_of_draws(y, draws).mean()),
        "coverage": {level_name(level): coverage(y, *interval(draws, level)) for level in LEVELS},
    }


def scores_of_normal(y: FloatArray, mean: FloatArray, sd: FloatArray) -> dict[str, Any]:
    """All scores of normal predictions: (n,) each."""
    from scipy.special import ndtri

    width = {level: sd * float(ndtri((1 + level) / 2)) for level in LEVELS}
    return {
        **point_scores(y, mean),
        "crps": float(crps_of_normal(y, mean, sd).mean()),
        "coverage": {
            level_name(level): coverage(y, mean - half, mean + half)
            for level, half in width.items()
        },
    }


def interval(draws: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Central interval of sorted draws (n, k) with the probability ``level``: (n,) each."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return low, high


def level_name(level: float) -> str:
    """The probability of an interval in per cent, as in the JSON."""
    return f"{level:.0%}".rstrip("%")
