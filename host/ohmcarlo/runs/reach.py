"""The limits of a chain of unwhitened weights: the window of its devices, the size of its steps.

A weight is a difference of two conductances between the clip limits of a target. A posterior that
is wider than the window allows is sampled without its tails. Steps that are much larger than the
posterior are hardly ever accepted. Both are predicted from a Laplace fit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..golden import SamplerSettings
from ..posterior_error import PosteriorError

SOURCE = "window"
WANTED = 0.03  # error of a mean (sd) or of a spread (relative) that gamma is chosen for
SHOWN = 0.02  # a smaller error is not recorded
FINEST = 0.97  # ratio of one gamma to the next that is tried
MIN_GAMMA_US = 1.0  # below, the steps of the ADC are too coarse
LOW_ACCEPTANCE = 0.02  # gamma does not become so small that steps are accepted less often
LOWEST_ACCEPTANCE = 0.005  # a random walk that is accepted less often hardly moves
SMALLEST = 1e-3
NODES = 401
DRAWS = 4096
FloatArray = NDArray[np.float64]


class Expected(NamedTuple):
    """What is known of a posterior before it is sampled, in sampled weights.

    Attributes
    ----------
    mean, sd : float64 (m,)
    hessian : float64 (m, m) or None
        Of the negative log-posterior at its mode.
    """

    mean: FloatArray
    sd: FloatArray
    hessian: FloatArray | None = None

    @classmethod
    def of_prior(cls, m: int, sigma_p: float) -> Expected:
        """Weights of which nothing but the prior is known."""
        return cls(np.zeros(m), np.full(m, sigma_p))


def suitable_gamma(expected: Expected, settings: SamplerSettings, rel: float) -> float:
    """The largest gamma (µS) up to that of the settings whose window is wide enough.

    It does not become so small that hardly any step of a device with the spread ``rel`` would be
    accepted; ``window_errors`` then states the error that is left.
    """
    gamma = settings.gamma_us
    while window_error(expected, settings, gamma).size > WANTED:
        smaller = gamma * FINEST
        if smaller < MIN_GAMMA_US or _acceptance(expected, settings, smaller, rel) < LOW_ACCEPTANCE:
            break
        gamma = smaller
    return gamma


def window_errors(
    expected: Expected, settings: SamplerSettings, chosen: bool = True
) -> tuple[PosteriorError, ...]:
    """The error that the window causes, with a remedy; nothing if it is small.

    ``chosen``: the user chose gamma.
    """
    error = window_error(expected, settings, settings.gamma_us)
    if error.size <= SHOWN:
        return ()
    whiten = "" if expected.hessian is None else ", or whiten the weights (--whiten)"
    gamma = "leave out --gamma, " if chosen else ""
    remedy = (
        f"with gamma {settings.gamma_us:.3g} µS, weights of this size do not fit into the window "
        f"of the devices: {gamma}choose a smaller sigma_p{whiten}"
    )
    return (error if error.trusted else replace(error, remedy=remedy),)


def step_cautions(expected: Expected, settings: SamplerSettings, rel: float) -> tuple[str, ...]:
    """A line about a random walk that will hardly move; ``rel`` is the spread of a device."""
    if expected.hessian is None or settings.rho < 1:
        return ()
    rate = _acceptance(expected, settings, settings.gamma_us, rel)
    if rate >= LOWEST_ACCEPTANCE:
        return ()
    return (
        f"the random walk will hardly move: its steps are so much larger than the posterior that "
        f"about {rate:.1g} of them will be accepted; whiten the weights (--whiten)",
    )


def window_error(expected: Expected, settings: SamplerSettings, gamma_us: float) -> PosteriorError:
    """The error of normal weights whose pairs stay within the window of the devices.

    A difference d leaves the sum of a pair, N(2 centre, τ²), the room from 2 lo + |d| to
    2 hi - |d|.
    """
    from scipy.special import ndtr

    half = settings.hi_us - settings.lo_us
    d = np.linspace(-half, half, NODES)
    room = ndtr((2 * (settings.hi_us - settings.centre_us) - np.abs(d)) / settings.tau_us)
    room = room - ndtr((2 * (settings.lo_us - settings.centre_us) + np.abs(d)) / settings.tau_us)
    z = (d / gamma_us - expected.mean[:, None]) / expected.sd[:, None]
    weight = np.maximum(room, 0) * np.exp(-(z**2) / 2)
    total = weight.sum(axis=1) + np.finfo(np.float64).tiny
    shift = (weight * z).sum(axis=1) / total
    spread = np.sqrt((weight * (z - shift[:, None]) ** 2).sum(axis=1) / total)
    spread = np.maximum(spread, SMALLEST)  # of a weight beyond the window
    return PosteriorError(
        source=SOURCE,
        mean_sd=float(np.abs(shift).max()),
        mean_sd_rms=float(np.sqrt((shift**2).mean())),
        spread=float(spread[np.abs(np.log(spread)).argmax()]),
    )


def _acceptance(
    expected: Expected, settings: SamplerSettings, gamma_us: float, rel: float
) -> float:
    """Expected acceptance rate; 1 where the posterior is not known."""
    if expected.hessian is None:
        return 1.0
    return expected_acceptance(expected.hessian, np.sqrt(2) * settings.centre_us * rel / gamma_us)


def expected_acceptance(hessian: FloatArray, step: float) -> float:
    """Acceptance rate of a random walk in a normal posterior; ``step`` is the standard deviation of
    a step of each weight."""
    from scipy.special import ndtr

    precisions = np.linalg.eigvalsh(hessian)
    rng = np.random.default_rng(0)
    square = rng.chisquare(1, (DRAWS, len(precisions))) @ precisions * step**2
    return float(2 * ndtr(-np.sqrt(square) / 2).mean())
