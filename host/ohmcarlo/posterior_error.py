"""Predicted errors of a posterior: by how much a known imperfection moves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

TRUSTED_SD = 0.1
"""A predicted shift of a posterior mean, in posterior standard deviations, up to which a run can be
called settled."""
TRUSTED_SPREAD = 0.1
"""The same for a spread: the largest |ratio - 1|."""


@dataclass(frozen=True)
class PosteriorError:
    """The predicted effect of one imperfection on the posterior, worst weight.

    Attributes
    ----------
    source : str
        The imperfection in one word: ``encoding``, ``devices``.
    mean_sd : float
        Shift of a posterior mean, in posterior standard deviations.
    mean_sd_rms : float
        The same, root mean square over the weights.
    spread : float
        Ratio of the sampled to the true spread that is farthest from 1.
    remedy : str
        What the user can do about it; empty if nothing.
    """

    source: str
    mean_sd: float
    mean_sd_rms: float
    spread: float
    remedy: str = ""

    @property
    def trusted(self) -> bool:
        """Whether a run with this error can be called settled."""
        return self.mean_sd <= TRUSTED_SD and abs(self.spread - 1) <= TRUSTED_SPREAD

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return asdict(self) | {"trusted": self.trusted}


def errors_to_dict(errors: Sequence[PosteriorError]) -> dict[str, Any]:
    """Errors by source, for JSON."""
    return {error.source: error.to_dict() for error in errors}
