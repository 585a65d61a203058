"""A line for every device: where it is when a typical device reaches a conductance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...spec import CODE_LSB_US
from .measure import FloatArray
from .slow import Slow


class Lines(NamedTuple):
    """Where a typical device is at the distance x from the centre, a device is x + level + tilt
    (x - middle); each (R, D).

    ``raw_level`` and ``raw_tilt`` are the fit. ``level`` and ``tilt`` are shrunk towards a typical
    device by their signal-to-noise ratio over the population, by the factors ``trust`` and
    ``tilt_trust``.
    """

    raw_level: FloatArray
    raw_tilt: FloatArray
    level: FloatArray
    tilt: FloatArray
    middle: float
    x: FloatArray
    weight: FloatArray
    trust: float
    tilt_trust: float

    def reached(self, mean_us: FloatArray) -> FloatArray:
        """The fitted conductance of every device at every target (T, R, D), µS."""
        away = (self.x - self.middle)[:, None, None]
        return mean_us[:, None, None] + self.raw_level + self.raw_tilt * away

    def shrunk(self, values: FloatArray) -> FloatArray:
        """The line through ``values`` (T,) with the weights and factors of a device, (T,)."""
        away = self.x - self.middle
        level = (self.weight * values).sum() / self.weight.sum()
        tilt = (self.weight * away * values).sum() / (self.weight * away**2).sum()
        return np.asarray(self.trust * level + self.tilt_trust * tilt * away)


def fit_lines(
    means: FloatArray,
    sigma: FloatArray,
    live: NDArray[np.bool_],
    x: FloatArray,
    slow: Slow,
    cycles: int,
) -> Lines:
    """Fit a line to the means of every device (T, R, D); ``x`` (T,) is the conductance that a
    typical device reaches, from the centre.

    Slow processes shift all targets of a device alike. They are errors of its level, and not of its
    tilt.
    """
    noise = (sigma[:, live] ** 2).mean(axis=1).clip(CODE_LSB_US**2) / cycles  # of a device's mean
    weight = 1.0 / noise
    total = weight.sum()
    middle = float((weight * x).sum() / total)
    sxx = (weight * (x - middle) ** 2).sum()
    deviation = means - np.median(means[:, live], axis=1)[:, None, None]
    level = np.tensordot(weight, deviation, axes=1) / total  # at x = middle
    tilt = np.tensordot(weight * (x - middle), deviation, axes=1) / sxx
    pulses = cycles * len(x)
    trust = _trust(level[live], slow.mean_variance(pulses) * pulses / total)
    steady = _trust(tilt[live], (1 - slow.share) / sxx)
    return Lines(level, tilt, level * trust, tilt * steady, middle, x, weight, trust, steady)


def _trust(estimates: FloatArray, noise_variance: float) -> float:
    """Share of the variance of the estimates that is signal: the shrinkage factor."""
    seen = float(np.mean(estimates**2))
    return max(0.0, 1.0 - noise_variance / seen) if seen > 0 else 0.0
