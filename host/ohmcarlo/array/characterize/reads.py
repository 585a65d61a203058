"""Estimates from repeated reads, from stuck devices and from the state after RESET."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from ...spec import CODE_LSB_US, CODE_MAX
from .estimates import LEVEL, REPLICATES, Estimate, interval
from .measure import FloatArray


def _read_variance(reads: NDArray[np.int16]) -> tuple[FloatArray, FloatArray]:
    """(variance, squared level) of repeated reads, codes²; reads (n, devices).

    It is computed from successive differences, so that drift does not count as noise.
    """
    steps = np.diff(reads.astype(np.float64), axis=0)
    variance = (steps**2).mean(axis=0) / 2
    level = reads.mean(axis=0)
    full = (reads >= CODE_MAX).any(axis=0)  # saturated
    return np.where(full, 0.0, variance), np.where(full, 0.0, level**2)


def _noise_of(variance: FloatArray, level: FloatArray, weight: FloatArray) -> Estimate:
    number = weight @ (level > 0)
    mean = weight @ variance / np.maximum(number, 1)
    rounding = np.where(mean > 1 / 12, 1 / 12, 0.0)
    square = weight @ level / np.maximum(number, 1)
    values = np.sqrt(np.maximum(mean - rounding, 0.0) / np.maximum(square, 1e-12))
    return interval(values, "fraction of g", weight.shape[1])


def read_noise(reads: NDArray[np.int16], weight: FloatArray) -> Estimate:
    return _noise_of(*_read_variance(reads), weight)


def pooled_read_noise(reads: NDArray[np.int16], weight: FloatArray) -> Estimate:
    """The read noise over all levels: reads (T, n, devices)."""
    parts = [_read_variance(r) for r in reads]
    variance, level = (np.sum([p[i] for p in parts], axis=0) for i in range(2))
    return _noise_of(variance, level, weight)


def share_estimate(hits: int, number: int, unit: str = "fraction of devices") -> Estimate:
    """The share of ``hits`` in ``number``, with Clopper and Pearson's interval."""
    tail = (1 - LEVEL) / 2
    inverse = scipy.special.betaincinv
    low = float(inverse(hits, number - hits + 1, tail)) if hits else 0.0
    high = float(inverse(hits + 1, number - hits, 1 - tail)) if hits < number else 1.0
    return Estimate(hits / number, low, high, unit)


def hrs_estimates(g_us: FloatArray, seed: int = 0) -> dict[str, Estimate]:
    """Median (µS) and spread of ln g of the state after RESET: g_us (repeats, devices), NaN: no
    value.

    The spread comes from the quartiles, because the distribution is truncated at its upper end.
    Devices without a value do not count; empty if no device has one.
    """
    g_us = g_us[:, np.isfinite(g_us).any(axis=0)]
    devices = g_us.shape[1]
    if not devices:
        return {}
    rng = np.random.default_rng([seed, devices, 1])
    # low codes are coarse: each is spread over its range of conductance
    within = rng.uniform(-0.5, 0.5, g_us.shape) * CODE_LSB_US
    log = np.log(np.maximum(g_us + within, CODE_LSB_US / 4))
    values = []
    for replicate in range(1 + REPLICATES // 2):
        chosen = rng.integers(devices, size=devices) if replicate else np.arange(devices)
        low, middle, high = np.nanquantile(log[:, chosen], [0.25, 0.5, 0.75])
        spread = (high - low) / (2 * scipy.special.ndtri(0.75))
        rounding = CODE_LSB_US**2 / 6 / np.exp(2 * middle)  # rounded, then spread again
        values.append((np.exp(middle), np.sqrt(max(spread**2 - rounding, 0.0))))
    medians, spreads = np.array(values).T
    return {
        "hrs_median_us": interval(medians, "µS", devices),
        "hrs_ln_sigma": interval(spreads, "ln R", devices),
    }
