"""Triage: a board answers each point, and sends the host only the points that it doubts.

The integers are those of ``firmware/src/triage.c``, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..spec import PROB_FRAC
from ..spec.link import THRESHOLD_BITS

SQUARED_BITS = 16  # numbers of samples whose square has 32 bits
NO_POINTS = "a triage needs at least one point"
MAX_THRESHOLD = (1 << THRESHOLD_BITS) - 1


@dataclass(frozen=True)
class Thresholds:
    """A point is doubtful if one of the two doubts reaches its threshold.

    Attributes
    ----------
    margin : int
        Least doubtful min(mean, 1 - mean) of the prediction, LSB 2**-PROB_FRAC. Margins are at most
        one half.
    variance : int
        Least doubtful variance of the prediction over the samples, LSB 2**-PROB_FRAC. Variances are
        at most one quarter.

    0 makes every point doubtful. MAX_THRESHOLD is above every doubt.

    Raises
    ------
    UsageError
        For other numbers.

    Examples
    --------
    >>> from ohmcarlo.golden import Thresholds
    >>> Thresholds.of(margin=0.1)
    Thresholds(margin=6554, variance=65535)
    """

    margin: int = MAX_THRESHOLD
    variance: int = MAX_THRESHOLD

    def __post_init__(self) -> None:
        for name in ("margin", "variance"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or not 0 <= value <= MAX_THRESHOLD:
                raise UsageError(
                    f"threshold of the {name} {value!r}: choose an integer from 0 (every point is "
                    f"doubtful) to {MAX_THRESHOLD} (none is)"
                )

    @classmethod
    def of(cls, margin: float = 1.0, variance: float = 1.0) -> Thresholds:
        """The nearest thresholds to numbers from 0 to 1."""
        if not (0 <= margin <= 1 and 0 <= variance <= 1):
            raise UsageError(f"thresholds ({margin}, {variance}): choose numbers from 0 to 1")
        parts = (round(value * (1 << PROB_FRAC)) for value in (margin, variance))
        return cls(*(min(part, MAX_THRESHOLD) for part in parts))

    @property
    def argument(self) -> int:
        """Argument of the command TRIAGE."""
        return int(self.variance) << THRESHOLD_BITS | int(self.margin)


@dataclass(frozen=True, eq=False)
class Triage:
    """Answers of a board, and its doubtful points.

    Attributes
    ----------
    answers : bool (n,)
        Whether the mean prediction of each point is at least one half.
    doubtful : bool (n,)
        Points that were sent to the host.
    samples : int
        Multiplicities of all samples in the array, summed.
    sums : int64 (doubtful points, 2)
        Sum and sum of squares of the predictions of each doubtful point, LSB 2**-PROB_FRAC.
    """

    answers: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]
    samples: int
    sums: NDArray[np.int64]

    def predictions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance of sigmoid(z) of the doubtful points, float64 each."""
        return moments(self.sums, self.samples)


def moments(
    sums: NDArray[np.int64], samples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance from sums (n, 2) over ``samples``, float64 (n,) each."""
    mean, square = (sums / (samples << PROB_FRAC)).T
    return mean, np.maximum(square - mean**2, 0.0)


def judge(
    sums: NDArray[Any], samples: int, thresholds: Thresholds
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Answers, and whether each point is doubtful: bool (n,) each.

    ``sums`` (n, 2) are those of the prediction mode. With 2**SQUARED_BITS samples or more, sums and
    samples are shifted before the variance is computed, so that products fit into 64 bits.
    """
    total, squares = np.asarray(sums, np.uint64).T
    whole = np.uint64(samples << PROB_FRAC)
    answers = total >= whole >> np.uint64(1)
    margin = np.minimum(total, whole - np.minimum(whole, total))
    near = margin >= np.uint64(int(thresholds.margin) * samples)
    shift = max(0, samples.bit_length() - SQUARED_BITS)
    few, scale = samples >> shift, np.uint64(PROB_FRAC)
    mean = total >> np.uint64(shift)
    second = (squares >> np.uint64(shift)) * np.uint64(few) << scale
    first = mean * mean
    variance = second - np.minimum(first, second)
    limit = np.uint64(int(thresholds.variance) * few * few << PROB_FRAC)
    return answers, near | (variance >= limit)


def triage_of(sums: NDArray[np.int64], samples: int, thresholds: Thresholds) -> Triage:
    """The triage of points with these sums (n, 2)."""
    if not len(sums):
        raise UsageError(NO_POINTS)
    answers, doubtful = judge(sums, samples, thresholds)
    return Triage(answers, doubtful, samples, sums[doubtful])


def joined(parts: Sequence[Triage]) -> Triage:
    """The triage of points in several parts, over the same samples."""
    if not parts:
        raise UsageError(NO_POINTS)
    return Triage(
        np.concatenate([part.answers for part in parts]),
        np.concatenate([part.doubtful for part in parts]),
        parts[0].samples,
        np.concatenate([part.sums for part in parts]),
    )
