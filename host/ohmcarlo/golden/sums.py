"""How many data points the accumulator of the log-likelihood can sum."""

from __future__ import annotations

import math

from ..errors import UsageError
from ..spec import ACC_MAX, LABEL_QUADRATIC, LOGLIK_FRAC, Points

MOST_POINTS = int(ACC_MAX / (math.log(2) * (1 << LOGLIK_FRAC)))
"""Points with a label of 0 or 1 whose sum fits the accumulator while every logit is 0. A posterior
predicts its data at least as well as logits of 0 do, up to its prior."""


def require_summable(points: Points) -> None:
    """Raise UsageError if the sum over the points would saturate where it decides.

    Examples
    --------
    >>> MOST_POINTS
    47274
    """
    labelled = int((points.labels != LABEL_QUADRATIC).sum())
    if labelled > MOST_POINTS:
        nats = labelled * math.log(2)
        raise UsageError(
            f"{labelled} data points are too many for the accumulator: their log-likelihood begins "
            f"near -{nats:,.0f} nat and must stay above -{ACC_MAX >> LOGLIK_FRAC:,} nat; use "
            f"{MOST_POINTS} or fewer"
        )
