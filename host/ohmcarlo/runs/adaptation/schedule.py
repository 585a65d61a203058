"""Which stage of an adaptation comes next.

First the array *searches*: short stages with small steps, each of which moves the centre to the
last samples, until the mean log-posterior no longer rises. Then it *refines* mean and curvature in
longer stages with larger steps. The log-posterior has the same scale in all stages, because the
coordinates of a stage hold the prior exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

MOST_STEPS = 1500
"""Steps of a chain that an adaptation takes at most."""
USUAL_CHAINS = 4
USUAL_WEIGHTS = 16
"""The numbers of chains and of weights that the stages are for."""


@dataclass(frozen=True)
class Stage:
    """Some steps of every chain, from the centre of the coordinates.

    Attributes
    ----------
    rho : float
        Autoregression of the proposal.
    steps : int
    kept : float
        Share of the steps, the last ones, whose samples count.
    """

    rho: float
    steps: int
    kept: float

    @property
    def skipped(self) -> int:
        """Steps whose samples do not count."""
        return self.steps - max(1, round(self.steps * self.kept))


@dataclass(frozen=True)
class Schedule:
    """The stages of an adaptation.

    Attributes
    ----------
    search : Stage
        Repeated until the log-posterior no longer rises.
    refine : tuple of Stage
        The stages after that. The last one is the pilot of the sampling chain.
    weights : int
        Of the model.
    """

    search: Stage
    refine: tuple[Stage, ...]
    weights: int = USUAL_WEIGHTS

    @classmethod
    def of(cls, ideal: bool, chains: int, weights: int) -> Schedule:
        """The schedule for devices that are alike (``ideal``) or not.

        Devices that differ have wider steps for their window, so that their rho is smaller. Fewer
        chains need longer stages for as many samples, and so do more weights.
        """
        found = IDEAL if ideal else REAL
        longer = math.sqrt(max(1.0, USUAL_CHAINS / chains) * max(1.0, weights / USUAL_WEIGHTS))
        refine = tuple(replace(s, steps=round(s.steps * longer)) for s in found.refine)
        return replace(found, refine=refine, weights=weights)

    @property
    def most_searches(self) -> int:
        """Stages of the search at most."""
        return (MOST_STEPS - sum(stage.steps for stage in self.refine)) // self.search.steps

    def next(self, log_posteriors: Sequence[float]) -> Stage | None:
        """The stage after those whose mean log-posteriors (nat) are given; None: sample.

        A log-posterior varies by sqrt(weights / 2) around its mode. A rise that is smaller ends
        the search.
        """
        found = self.search_stages(log_posteriors)
        if found is None:
            return self.search
        refined = len(log_posteriors) - found
        return self.refine[refined] if refined < len(self.refine) else None

    def search_stages(self, log_posteriors: Sequence[float]) -> int | None:
        """The number of stages of the search, or None if it has not ended."""
        best = -math.inf
        for stages, level in enumerate(log_posteriors[: self.most_searches], start=1):
            if level < best + math.sqrt(self.weights / 2) or stages == self.most_searches:
                return stages
            best = level
        return None


IDEAL = Schedule(
    search=Stage(rho=0.95, steps=40, kept=0.3),
    refine=(
        Stage(rho=0.9, steps=60, kept=0.6),
        Stage(rho=0.9, steps=60, kept=0.6),
        Stage(rho=0.85, steps=80, kept=0.67),
        Stage(rho=0.8, steps=200, kept=0.75),
    ),
)
REAL = Schedule(
    search=Stage(rho=0.9, steps=40, kept=0.3),
    refine=(
        Stage(rho=0.85, steps=60, kept=0.6),
        Stage(rho=0.85, steps=60, kept=0.6),
        Stage(rho=0.8, steps=80, kept=0.67),
        Stage(rho=0.8, steps=200, kept=0.75),
    ),
)
