"""How many points a step reads with early rejection, by the order of the points; in floating point.

The terms of a regression add up to about -n/2. A proposal is rejected once the running sum is below
the threshold, and a rejected proposal is only a few nat worse than the present sample.
"""

from __future__ import annotations

import numpy as np

from ...datasets import load
from ...datasets.gaussian import OFFSET_ONE
from ...datasets.regression import RegressionEncoder
from ...datasets.rounding import INPUT_ONE
from ..base import Cell

PROPOSALS = 10_000
WIDTH = 1 / 0.85
"""Spread of the proposal alone, in posterior standard deviations: the usual gamma."""
ORDERS = ("as they come", "terms of a fixed sample", "terms of the proposal itself")


def reads(name: str, rho: float) -> Cell:
    """Share of the points that autoregressive steps read, by order, and the acceptance."""
    data = load(name)
    rows, _ = data.split(0)
    encoder = RegressionEncoder.fit(data.x[rows], data.y[rows])
    points = encoder.training_points(data.x[rows], data.y[rows])
    inputs, offsets = points.inputs / INPUT_ONE, points.offsets / OFFSET_ONE
    rng = np.random.default_rng(0)
    width = WIDTH * encoder.spread
    v = encoder.spread * rng.standard_normal(encoder.inputs)
    terms = (inputs @ v + offsets) ** 2 / 2
    fixed = np.argsort(-terms)
    used, accepted = np.zeros(len(ORDERS)), 0
    for _ in range(PROPOSALS):
        w = rho * v + np.sqrt(1 - rho**2) * width * rng.standard_normal(len(v))
        new = (inputs @ w + offsets) ** 2 / 2
        limit = terms.sum() + (w @ w - v @ v) / (2 * width**2) - np.log(rng.random())
        if new.sum() < limit:
            accepted += 1
            used += len(new)
            v, terms = w, new
            continue
        for i, order in enumerate((slice(None), fixed, np.argsort(-new))):
            used[i] += 1 + np.searchsorted(np.cumsum(new[order]), limit)
    shares = used / PROPOSALS / len(terms)
    return {"acceptance": accepted / PROPOSALS, **dict(zip(ORDERS, shares.tolist(), strict=True))}
