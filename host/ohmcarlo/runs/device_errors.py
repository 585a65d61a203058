"""Predicted error of a posterior that the differences between the devices of an array cause."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..array.characterize.characterization import Characterization
from ..array.characterize.device_error import Proposal, device_error, mismatch_of
from ..array.die import Die
from ..array.read_noise import Law
from ..golden import SamplerSettings
from ..posterior_error import PosteriorError
from .arrays import MEASURED, OpenedArray, open_array
from .config import TrainConfig

MEASURED_ROWS = 16  # of an array that is not trimmed
WHITENED_RHO_TRIMMED = 0.6
"""Usual rho of whitened weights on an array whose devices differ. A difference moves a posterior
mean in proportion to sqrt((1 + rho) / (1 - rho)). Below 0.6, the acceptance on the recorded cells
falls, and the posterior becomes too narrow."""
TRIMMED_GAMMA = 0.82
"""Factor of gamma there. The effective samples become fewer by a sixth, and the error that the
devices cause becomes smaller in proportion."""
USUAL_WEIGHTS, USUAL_STEPS = 16, 40_000
"""Weights and steps (of all chains) that ``characterize`` predicts an error for."""
RECORDED = 2.3
"""Factor of the predicted shift of a mean on recorded cells. The spreads of the cells differ by
factors of 0.5 to 2, which the prediction does not know: the worst means of four problems were 1.8
to 3.4 times as far off as it says (docs/results.md#seven-problems-on-three-arrays)."""
CORRELATED = 0.35
"""Correlated share of the C2C variance from which predicted shifts of means grow in proportion. The
shifts were 1.4 times as large as the formula says at 0.4, 1.8 times at 0.6 and 3.1 times at 1
(docs/device-requirements.md)."""
TRIM = "trim the devices (leave out --no-trim)"
BETTER = (
    "take more steps or rows; whiten the weights, with a smaller rho or gamma (--whiten, --rho, "
    "--gamma)"
)


def measure_untrimmed(
    config: TrainConfig, opened: OpenedArray, seed: int, rel: float, inputs: int
) -> Characterization | None:
    """Properties of rows all over an array that is not trimmed; None for alike devices.

    They are measured on another model of the array, which ``seed`` decides, so that the chain does
    not change. A real array is not measured.
    """
    if opened.ideal or isinstance(opened.array, Die):
        return None
    twin = open_array(config.array, config.preset, opened.array.geometry, seed, rel)
    last = opened.array.geometry.rows - 1  # lines with resistance make far rows different
    rows = np.unique(np.linspace(0, last, MEASURED_ROWS).astype(int)).tolist()
    return twin.characterize(range(2 * inputs), rows=rows)


def mismatch_errors(
    config: TrainConfig,
    settings: SamplerSettings,
    found: Characterization | None,
    trimmed: bool,
    sigma: Law,
    spread: NDArray[np.float64],
) -> tuple[PosteriorError, ...]:
    """The predicted error of a run; ``spread`` is the posterior spread of every weight.

    ``sigma`` is the spread that the Hastings term assumes.
    """
    if found is None or settings.kernel != "corrected":
        return ()
    assumed = float(np.asarray(sigma(np.array([settings.centre_us])))[0])
    rows = int((~found.bad_rows).sum()) if trimmed else config.rows
    proposal = Proposal(settings.rho, rows, config.steps * config.chains_of_board / rows)
    devices = mismatch_of(found, trimmed, assumed)
    error = device_error(devices, proposal, spread * settings.gamma_us)
    error = _recorded(config.array, _correlated(found, error))
    remedy = "" if error.trusted else BETTER if trimmed else TRIM
    return (replace(error, remedy=remedy),)


def usual_error(
    found: Characterization, rows: int, array: str = "", trimmed: bool = True
) -> PosteriorError:
    """The predicted error of a whitened run with the usual options on an array, trimmed or not.

    ``found``: the properties of the array without a trim; ``rows`` that take part; ``array``: its
    name.
    """
    if trimmed:
        spread = float(found.sigma_us(np.array([found.centre_us]))[0])
    else:
        spread = float(np.interp(found.centre_us, found.targets_us, found.sigma_us_at))
    whitened = usual_settings(found, spread)
    widths = np.full(USUAL_WEIGHTS, whitened.gamma_us * (TRIMMED_GAMMA if trimmed else 1.0))
    proposal = Proposal(whitened.rho, rows, USUAL_STEPS / rows)
    error = device_error(mismatch_of(found, trimmed, spread), proposal, widths)
    return _recorded(array, _correlated(found, error))


def usual_settings(found: Characterization, spread_us: float) -> SamplerSettings:
    """Settings of whitened weights on devices with this spread at their centre."""
    rel, centre = spread_us / found.centre_us, found.centre_us
    return SamplerSettings.whitened(rel, WHITENED_RHO_TRIMMED, centre_us=centre)


def _correlated(found: Characterization, error: PosteriorError) -> PosteriorError:
    """The error with the factor of strongly correlated cycles."""
    return _larger(error, max(1.0, found.slow_share / CORRELATED))


def _recorded(array: str, error: PosteriorError) -> PosteriorError:
    """The error with the factor of recorded cells, where ``array`` is made of them."""
    return _larger(error, RECORDED) if array.startswith(MEASURED) else error


def _larger(error: PosteriorError, factor: float) -> PosteriorError:
    """The error with larger shifts of the means."""
    return replace(error, mean_sd=error.mean_sd * factor, mean_sd_rms=error.mean_sd_rms * factor)
