"""Whether the chains of a network agree on its predictions.

A network has several solutions, between which a chain seldom moves. Chains can disagree on the
weights although they agree on the predictions, even with equal labels of hidden units. The
spread of the chains' mean probabilities, over the root of their number, is the standard error of a
case's probability. It is small, too, where no chain has found the structure of the data yet. The
log-posterior then still rises, at a different time in each chain, and the R-hat of log-posterior
and probabilities shows it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import diagnostics
from ..golden import Registers, predict
from ..spec import Points
from .trace import Trace

CASES = 64
DRAWS = 200  # of each chain
PREDICTION_DRAWS = 1000
"""Samples of each chain of a network that its predictions average. Successive samples are alike,
and a network takes several times the computation of a logistic model."""


def prediction_agreement(
    registers: Registers, points: Points, trace: Trace, burn_in: int
) -> dict[str, Any]:
    """``prediction_error_max``: standard error of the probability of the worst case, NaN for one
    chain; ``prediction_rhat_max``: R-hat of the probabilities, worst case; ``log_posterior_rhat``
    and ``log_posterior_ess``: R-hat and effective samples of the log-posterior.

    ``points`` are logistic; at most ``CASES`` of them, at equal distances, are used.
    """
    found = probabilities(registers, points, trace, burn_in)
    means = found.mean(axis=1)
    several = len(means) > 1
    levels = trace.log_posterior_nat()[:, burn_in:]
    error = means.std(axis=0, ddof=1) / np.sqrt(len(means)) if several else np.array([np.nan])
    return {
        "prediction_error_max": float(error.max()),
        "prediction_rhat_max": _worst_rhat(found),
        "log_posterior_rhat": float(diagnostics.rhat(levels[..., None])[0]),
        "log_posterior_ess": float(diagnostics.ess(levels[..., None])[0]),
    }


def _worst_rhat(found: NDArray[np.float64]) -> float:
    """R-hat of the worst case of (chains, draws, cases). A case with one and the same probability
    in all draws is agreed on."""
    varied = np.ptp(found, axis=(0, 1)) > 0
    return float(diagnostics.rhat(found[..., varied]).max()) if varied.any() else 1.0


def samples_of(
    registers: Registers, trace: Trace, burn_in: int
) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """The samples that predictions average, as ``Trace.after`` returns them."""
    return trace.after(burn_in, PREDICTION_DRAWS if registers.hidden else None)


def probabilities(
    registers: Registers, points: Points, trace: Trace, burn_in: int
) -> NDArray[np.float64]:
    """Probability of class 1 under single samples: (chains, draws, cases)."""
    current = trace.draws()[:, burn_in:]
    steps, cases = current.shape[1], len(points)
    thinned = current[:, np.linspace(0, steps - 1, min(DRAWS, steps)).astype(np.int64)]
    chosen = np.linspace(0, cases - 1, min(CASES, cases)).astype(np.int64)
    shown = points.part(chosen)
    once = np.ones(1, np.int64)
    of_sample = {
        int(sample): predict(registers, shown, trace.codes[[sample]], once)[0]
        for sample in np.unique(thinned)
    }
    return np.array([[of_sample[int(sample)] for sample in chain] for chain in thinned])
