"""The number of steps that a training needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .cells import CHOICES

TOLERANCE = 0.005
LEAST_STEPS = 1000  # a posterior needs more steps than a class


def steps_needed(accuracies: Sequence[Sequence[float]]) -> int:
    """The least of CHOICES, from LEAST_STEPS on, after which the mean accuracy stays near that of
    the longest run."""
    mean = np.mean(np.array(accuracies), axis=0)
    near = np.abs(mean - mean[-1]) <= TOLERANCE
    first = len(near) - 1
    while first > 0 and near[first - 1]:
        first -= 1
    return max(LEAST_STEPS, CHOICES[first])
