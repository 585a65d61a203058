"""The strategies of the figure, and the devices that they are compared on."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """Devices that the strategies are compared on."""

    title: str
    colour: str
    share: float  # of the seeds: arrays that are driven pulse by pulse take ten times as long


PUBLISHED = "sampling in the array, as published"
CORRECTED = "sampling in the array, corrected, ρ 0.8"
ONE_ROW = "gradient descent, one row"
ALL_ROWS = "gradient descent, mean of all rows"
BY_SIGN = "sign updates over a threshold, all rows"
COPY = "transfer, one row, open loop"
COPIES = "transfer, mean of all rows, open loop"
VERIFIED = "transfer, one row, program-verify"
DRAWS = "transfer of a Laplace draw a row"
NETWORK = "software network, equal memory"
SOFTWARE = "software, logistic regression"
IN_ARRAY = (PUBLISHED, CORRECTED, ONE_ROW, ALL_ROWS, BY_SIGN, COPY, COPIES, VERIFIED, DRAWS)
IN_SOFTWARE = (NETWORK, SOFTWARE)
FAMILIES = (
    ("sampled in the array", (PUBLISHED, CORRECTED)),
    ("gradient descent in the array", (ONE_ROW, ALL_ROWS, BY_SIGN)),
    ("trained in software, transferred", (COPY, COPIES, VERIFIED, DRAWS)),
    ("software only", IN_SOFTWARE),
)
