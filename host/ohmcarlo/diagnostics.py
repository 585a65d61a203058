"""How far to trust a chain: burn-in, effective samples, R-hat, calibration, entropy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ECE_BINS = 10
Z_99 = 2.5758293035489008  # SP 800-90B 6.3.1: upper end of the two-sided 99 % interval


def arviz() -> Any:
    """The arviz module (imported late: it takes a second)."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz as module

    return module


def burn_in(log_posterior: FloatArray) -> int:
    """Steps to drop from one chain, (steps,): at least a quarter, at most half.

    The chain has arrived once its log-posterior reaches the median of its second half.
    """
    n = len(log_posterior)
    median = np.median(log_posterior[n // 2 :])
    arrived = int(np.argmax(log_posterior >= median))
    return min(max(n // 4, arrived), n // 2)


def _per_weight(draws: FloatArray, statistic: str, method: str) -> FloatArray:
    function = getattr(arviz(), statistic)
    return np.array([function(draws[:, :, i], method=method) for i in range(draws.shape[2])])


def ess(draws: FloatArray) -> FloatArray:
    """Bulk effective sample size of every weight: draws (chains, steps, weights)."""
    return _per_weight(draws, "ess", "bulk")


def rhat(draws: FloatArray) -> FloatArray:
    """Rank-normalised split R-hat of every weight; a single chain counts as its two halves."""
    if len(draws) == 1:
        half = draws.shape[1] // 2
        draws = draws[0, : 2 * half].reshape(2, half, -1)
    return _per_weight(draws, "rhat", "rank")


def mcse(draws: FloatArray) -> FloatArray:
    """Monte Carlo standard error of every weight's mean."""
    return _per_weight(draws, "mcse", "mean")


def ece(labels: NDArray[Any], probability: FloatArray, bins: int = ECE_BINS) -> float:
    """Expected calibration error over ``bins`` equal bins of P(class 1).

    Mean over the points of |share of class 1 - mean probability| in the point's bin.
    """
    index = np.minimum((probability * bins).astype(int), bins - 1)
    total = np.bincount(index, minlength=bins)
    gap = np.bincount(index, np.asarray(labels) - probability, minlength=bins)
    return float(np.abs(gap).sum() / total.sum())


def min_entropy_mcv(counts: NDArray[np.int64]) -> float:
    """Min-entropy per symbol (bits), most common value estimate of NIST SP 800-90B 6.3.1.

    ``counts`` holds how often each symbol was seen; 0.0 before there are two symbols.
    """
    total = int(counts.sum())
    if total < 2:
        return 0.0
    p = counts.max() / total
    bound = min(1.0, p + Z_99 * np.sqrt(p * (1 - p) / (total - 1)))
    return float(-np.log2(bound)) + 0.0
