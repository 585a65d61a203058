"""The part that a trim leaves: how far a later read-back lies from its target.

The Hastings term needs the spread of a read-back about its *target*, over all rows that take
turns, at any later time. It is wider than the cycle-to-cycle spread of a device:

- the trim rests on a finite number N of pulses, so that it has an error of its own;
- a slow process of the device goes on after the calibration. The calibration has subtracted its
  value of that time;
- devices are not the straight lines that offset and gain can correct, and they differ in σ.

The measured deviations from the fitted line contain the last item. The first two follow from share
and correlation length of the slow process. A fit of two parameters to N pulses with a slow share s
leaves (1 - s)(1 - 2/N) + s (1 - f) of the variance of a deviation, where f is the variance of a
mean of N pulses of the slow process alone. A later pulse deviates from the fitted value by its own
deviation and by the error of the fit: (1 - s) 2/N, and s f of the slow process. The slow process is
as wide as σ at each target, so that the fit takes a line through σ for an offset and a gain.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .lines import Lines
from .measure import FloatArray
from .slow import Slow

TAIL = 4.0  # spreads: larger deviations count as so large, as a stuck or noisy device makes them
TAIL_ROUNDS = 5


class Residuals(NamedTuple):
    """Deviations from target that a trimmed device will show.

    ``spread_us``: standard deviation of a read-back about its target (T,), µS. ``static_us``: the
    part of it that stays with a device, at the centre, µS. ``tails``: fourth moment over the
    squared second one (3: normal).
    """

    spread_us: FloatArray
    static_us: float
    tails: float


def residuals(
    deviation: FloatArray,
    lines: Lines,
    slow: Slow,
    centre: int,
    live: NDArray[np.bool_],
) -> Residuals:
    """From the deviations of pulses from the line of their device, µS (cycles, T, R, D).

    ``centre`` is the index of the target nearest to the centre.
    """
    cycles, t = deviation.shape[:2]
    n = cycles * t
    left = deviation[:, :, live]
    rms, tails = _robust(left)
    f = slow.of_mean(n)
    inside = (1 - slow.share) * max(1 - 2 / n, 0.1) + slow.share * (1 - f)
    sigma = rms / np.sqrt(inside)  # of the cycles of a device
    calibration = slow.share * f * lines.shrunk(sigma) ** 2
    new = (1 - slow.share) * lines.trust / n * sigma**2
    spread = np.sqrt(sigma**2 + 2 * new + calibration)
    own = left.mean(axis=0)
    noise = left.var(axis=0, ddof=1).mean(axis=1) / cycles
    misfit = np.maximum(_robust(own[None])[0] ** 2 - noise, 0.0)
    near = slice(max(centre - 1, 0), centre + 2)
    static = float(misfit[near].mean() + new[centre] + calibration[centre])
    return Residuals(spread, float(np.sqrt(static)), tails)


def _robust(deviation: FloatArray) -> tuple[FloatArray, float]:
    """Root mean square at each target with limited tails, and the fourth moment ratio:
    (n, T, devices)."""
    square = deviation**2
    mean = square.mean(axis=(0, 2))
    for _ in range(TAIL_ROUNDS):
        mean = np.minimum(square, TAIL**2 * mean[:, None]).mean(axis=(0, 2))
    safe = np.maximum(mean, 1e-12)[:, None]
    return np.sqrt(mean), float((np.minimum(square / safe, 4 * TAIL**2) ** 2).mean())
