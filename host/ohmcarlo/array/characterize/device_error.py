"""Predicted error of a posterior that differences between devices cause.

A proposal of a pair that misses its target by δ on average is reversible for its own normal
distribution. Together with a Hastings term that assumes δ = 0, the chain samples the posterior
times exp(x δ (1 + ρ)/(2 σ²)), where x is the difference of the pair. A weight whose posterior is s
µS wide in x is shifted by

    δ s (1 + ρ) / (2 σ²)     posterior standard deviations.

δ is the mean over the rows of what is left of each device: the constant error of its trim, and its
slow process, averaged over the pulses of the run. Likewise, a spread σ where the Hastings term
assumes σ_a changes the variance s² to 1/(1/s² + (1 - ρ²)/2 (1/σ² - 1/σ_a²)).

Both hold for normal deviations. The coefficients are fitted to the simulations in
tests/data/device_errors.json, which tests/reference/device_errors.py makes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...posterior_error import PosteriorError
from .characterization import Characterization
from .measure import FloatArray
from .slow import Slow

SHIFT = 1.12
"""Shift of the simulations over that of the formula. A rejected row is soon tried again, so that
rows do not count alike."""
TAILS, TAILS_POWER = -0.0165, 0.7
"""Relative error of a spread: TAILS (tails - 3)**TAILS_POWER √(1 - ρ²)."""
SLOW, LONGEST_MOVE = -0.0155, 10.0
"""Relative error of a spread: SLOW slow_share² / (1 - ρ), up to LONGEST_MOVE for 1 / (1 - ρ)."""
SOURCE = "devices"


class Mismatch(NamedTuple):
    """What is left of devices after their trim, at the centre, µS.

    ``static_us``: constant error, root mean square over the devices. ``cycle_us``: cycle to cycle.
    ``spread_us``: of all read-backs about their targets. ``assumed_us``: the spread that the
    Hastings term assumes. ``slow_share``, ``slow_length`` and ``tails``: as ``Characterization``.
    """

    static_us: float
    cycle_us: float
    spread_us: float
    assumed_us: float
    slow_share: float
    slow_length: float
    tails: float


class Proposal(NamedTuple):
    """``rho``; ``rows`` that take turns; ``pulses`` of every device during the run."""

    rho: float
    rows: int
    pulses: float


def shift_rms(devices: Mismatch, proposal: Proposal, width_us: float) -> float:
    """Root mean square over arrays of the shift of a mean, in posterior standard deviations.

    ``width_us`` is the posterior standard deviation of the difference of a pair.
    """
    slow = Slow(devices.slow_share, devices.slow_length)
    moving = slow.share * slow.of_mean(proposal.pulses) * devices.cycle_us**2
    missed = np.sqrt(2 * (devices.static_us**2 + moving) / proposal.rows)
    gain = width_us * (1 + proposal.rho) / 2 / devices.spread_us**2
    return float(SHIFT * missed * gain)


def spread_ratio(devices: Mismatch, proposal: Proposal, width_us: float) -> float:
    """Sampled over true posterior standard deviation."""
    curvature = (1 - proposal.rho**2) / 2
    excess = curvature * (1 / devices.spread_us**2 - 1 / devices.assumed_us**2) * width_us**2
    normal = 1 / np.sqrt(max(1 + excess, 0.05))
    heavy = TAILS * max(devices.tails - 3, 0.0) ** TAILS_POWER * np.sqrt(1 - proposal.rho**2)
    moves = min(1 / max(1 - proposal.rho, 1e-6), LONGEST_MOVE)
    return float(normal + heavy + SLOW * devices.slow_share**2 * moves)


def worst_of(weights: int) -> float:
    """Median of the largest magnitude of so many standard normal numbers."""
    from scipy.special import ndtri

    return float(ndtri((1 + 0.5 ** (1 / weights)) / 2))


def device_error(
    devices: Mismatch, proposal: Proposal, widths_us: FloatArray, remedy: str = ""
) -> PosteriorError:
    """The predicted error of weights with these posterior widths (µS of a pair's difference)."""
    shifts = np.array([shift_rms(devices, proposal, w) for w in widths_us])
    ratios = np.array([spread_ratio(devices, proposal, w) for w in widths_us])
    rms = float(np.sqrt(np.mean(shifts**2)))
    return PosteriorError(
        source=SOURCE,
        mean_sd=rms * worst_of(len(shifts)),
        mean_sd_rms=rms,
        spread=float(ratios[np.abs(ratios - 1).argmax()]),
        remedy=remedy,
    )


def mismatch_of(found: Characterization, trimmed: bool, assumed_us: float) -> Mismatch:
    """From a characterisation of the devices, for a run that applies its trim or not.

    ``assumed_us`` is the spread of the Hastings term at the centre. After a trim it is that of the
    read-backs.
    """
    cycle, d2d = (
        float(np.interp(found.centre_us, found.targets_us, values))
        for values in (found.sigma_us_at, found.d2d_us)
    )
    return Mismatch(
        static_us=found.static_us if trimmed else d2d,
        cycle_us=cycle,
        spread_us=assumed_us if trimmed else float(np.hypot(cycle, d2d)),
        assumed_us=assumed_us,
        slow_share=found.slow_share,
        slow_length=found.slow_length,
        tails=found.tails,
    )
