"""Predicted errors of a posterior: by how much a known imperfection moves it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    def size(self) -> float:
        """The larger of the two errors, ``mean_sd`` and the logarithm of ``spread``."""
        return max(self.mean_sd, abs(math.log(self.spread)))

    @property
    def trusted(self) -> bool:
        """Whether a run with this error can be called settled."""
        return self.mean_sd <= TRUSTED_SD and abs(self.spread - 1) <= TRUSTED_SPREAD

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return asdict(self) | {"trusted": self.trusted}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PosteriorError:
        """Restore what ``to_dict`` gave; KeyError, TypeError or ValueError otherwise."""
        return cls(
            source=str(values["source"]),
            mean_sd=float(values["mean_sd"]),
            mean_sd_rms=float(values["mean_sd_rms"]),
            spread=float(values["spread"]),
            remedy=str(values["remedy"]),
        )


def together(errors: Sequence[PosteriorError]) -> PosteriorError:
    """The effect of several imperfections: independent shifts of a mean, factors of a spread."""
    return PosteriorError(
        source=" and ".join(error.source for error in errors),
        mean_sd=math.hypot(*(error.mean_sd for error in errors)),
        mean_sd_rms=math.hypot(*(error.mean_sd_rms for error in errors)),
        spread=math.prod(error.spread for error in errors),
        remedy="; ".join(dict.fromkeys(error.remedy for error in errors if error.remedy)),
    )


def describe_error(error: PosteriorError) -> str:
    """One line about a predicted error, with the remedy."""
    remedy = f"; {error.remedy}" if error.remedy else ""
    return (
        f"predicted error from the {error.source}: means within {error.mean_sd:.3f} posterior sd "
        f"(rms {error.mean_sd_rms:.3f}), spreads × {error.spread:.3f}{remedy}"
    )


def errors_to_dict(errors: Sequence[PosteriorError]) -> dict[str, Any]:
    """Errors by source, for JSON."""
    return {error.source: error.to_dict() for error in errors}
