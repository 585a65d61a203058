"""Encodings of a regression around what the array has sampled, for an adaptation.

The mean of the posterior does not depend on the assumed noise, only its spread does. The first
stage assumes so much noise that the mean lies within a few standard deviations of 0, where the
coordinates that know no label have their centre. Every later stage has its centre at the samples of
the one before and at most ``COOLING`` times less noise, down to that of the residuals. A chain that
stops cooling too early would still sample the posterior exactly, only with fewer effective samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...datasets.regression import RegressionEncoder
from ...spec import Points
from ..adaptation.schedule import USUAL_CHAINS, USUAL_WEIGHTS, Schedule, Stage

COOLING = 3.0
"""The centre of a stage is known to about 0.7 standard deviations, all weights together. The next
stage begins within about two of its own."""
COOL = Stage(rho=0.8, steps=100, kept=0.6)
PILOT = Stage(rho=0.8, steps=200, kept=0.75)
MOST_COOLINGS = 12
"""They suffice for a noise of 1/100,000 of the label."""
COOLED = 0.4
"""Mean log-posterior of a point, nat and negative, at which the noise is small enough."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cooling(Schedule):
    """Stages with less and less assumed noise, then the pilot of the sampling chain.

    Attributes
    ----------
    points : int
        Of the training half.
    """

    points: int = 0

    @property
    def most_searches(self) -> int:
        return MOST_COOLINGS

    def search_stages(self, log_posteriors: Sequence[float]) -> int | None:
        """The noise is that of the residuals when their mean square is that of a standard normal
        variable: a log-posterior of about -1/2 for each point."""
        for stages, level in enumerate(log_posteriors[: self.most_searches], start=1):
            if level < -COOLED * self.points or stages == self.most_searches:
                return stages
        return None


@dataclass(frozen=True, eq=False)
class GaussianLearner:
    """``Learner`` of a linear model with normal noise.

    Attributes
    ----------
    first : RegressionEncoder
        From ``RegressionEncoder.start``.
    x, y : float64 (n, d), float64 (n,)
        The training half, in units of the data.
    """

    first: RegressionEncoder
    x: Floats
    y: Floats

    @property
    def rows(self) -> int:
        """0: the curvature does not depend on predictions."""
        return 0

    def schedule(self, ideal: bool, chains: int, weights: int) -> Cooling:
        longer = math.sqrt(max(1.0, USUAL_CHAINS / chains) * max(1.0, weights / USUAL_WEIGHTS))
        cool, pilot = (replace(s, steps=round(s.steps * longer)) for s in (COOL, PILOT))
        return Cooling(cool, (cool, pilot), weights, len(self.y))

    def training_points(self, encoder: RegressionEncoder) -> Points:
        return encoder.training_points(self.x, self.y)

    def weights(self, encoder: RegressionEncoder, sampled: Floats) -> Floats:
        return encoder.weights_to_original(sampled)

    def around(
        self, encoder: RegressionEncoder, samples: Floats, curvature: Floats
    ) -> RegressionEncoder:
        centre = samples.mean(axis=0)
        return encoder.around(self.x, self.y, centre, least=encoder.noise / COOLING)
