"""From the samples of a board without a processor to its decisions, step by step.

Such a board streams samples and no step records. The multiplicities of the samples determine in
which step each sample was replaced.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .client import Samples


@dataclass(frozen=True, eq=False)
class Decisions:
    """The decisions of some steps.

    Attributes
    ----------
    accepted : bool (steps,)
    log_posterior : int64 (steps,)
        Of the current sample after each step, LSB 2**-LOGLIK_FRAC nat.
    """

    accepted: NDArray[np.bool_]
    log_posterior: NDArray[np.int64]


def decisions_of(samples: Samples, steps: int, before: int, level: int) -> Decisions | None:
    """The decisions of ``steps`` steps from the samples that were streamed after them.

    Parameters
    ----------
    samples : Samples
        Those that were retired in these steps, then the current one.
    steps : int
    before : int
        Multiplicity of the current sample before the steps.
    level : int
        Its log-posterior.

    Returns None if the multiplicities are not those of so many steps.
    """
    retired = samples.multiplicity[:-1]
    ends = np.cumsum(retired) - before
    last = int(ends[-1]) if len(ends) else -before
    fits = len(ends) == 0 or (ends[0] >= 0 and bool((retired[1:] > 0).all()))
    if not fits or last + int(samples.multiplicity[-1]) != steps:
        return None
    accepted = np.zeros(steps, np.bool_)
    accepted[ends] = True
    levels = np.concatenate([[level], samples.log_posterior[1:]])
    return Decisions(accepted, levels[np.cumsum(accepted)])
