"""The slow process of a device: share of the cycle-to-cycle variance, and correlation length."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .estimates import Pulses
from .measure import FloatArray
from .moments import correlation_of, device_sums, expected_moments, fit_memory, lags_of

MEMORY_DEVICES = 512  # devices that decide share and length of the slow process
FEWEST_CYCLES, FEWEST_DEVICES = 5, 5


class Slow(NamedTuple):
    """The slow process of a device: share of the cycle-to-cycle variance, length in pulses."""

    share: float
    length: float

    def of_mean(self, pulses: float) -> float:
        """Variance of the mean of so many successive values; 1 for a single one."""
        x = pulses / self.length
        return float(2 / x * (1 - (1 - np.exp(-x)) / x)) if x > 1e-6 else 1.0

    def mean_variance(self, pulses: float) -> float:
        """Variance of the mean of so many deviations, in units of that of one."""
        return (1 - self.share) / pulses + self.share * self.of_mean(pulses)


NOT_SLOW = Slow(0.0, 1.0)


def slow_process(g: FloatArray, targets_us: FloatArray) -> Slow:
    """Share and length of the slow process: conductances (cycles, T, devices), pulses in order."""
    cycles, t, devices = g.shape
    if cycles < FEWEST_CYCLES or devices < FEWEST_DEVICES:
        return NOT_SLOW
    chosen = np.unique(np.linspace(0, devices - 1, min(devices, MEMORY_DEVICES)).astype(int))
    order = np.arange(cycles * t) % t
    pulses = Pulses(
        targets_us,
        np.broadcast_to(order[:, None], (cycles * t, len(chosen))),
        g[:, :, chosen].reshape(cycles * t, -1),
    )
    seen = device_sums(pulses)
    expected = expected_moments(pulses.level[:, :1], t, lags_of(len(order)))
    correlation = correlation_of(seen, np.ones((1, len(chosen))))
    if not np.isfinite(correlation[:, 0]).all():
        return NOT_SLOW
    found = fit_memory(seen, expected, correlation)
    return Slow(float(found.share[0]), float(found.length[0]))
