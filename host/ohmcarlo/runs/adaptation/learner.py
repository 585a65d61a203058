"""What an adaptation needs of a model: encodings of its data around samples of the array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...datasets import Encoder
from ...posterior_error import PosteriorError
from ...spec import Points
from .schedule import Schedule

Floats = NDArray[np.float64]


class Encoding(Protocol):
    """The coordinates in which an array samples; ``datasets.Encoder`` is one."""

    @property
    def spread(self) -> float:
        """Approximate posterior standard deviation of a sampled weight."""
        ...

    @property
    def sigma(self) -> float:
        """Standard deviation of the prior of a sampled weight in the registers; ``inf``: none."""
        ...

    @property
    def error(self) -> PosteriorError:
        """By how much the integers move the posterior."""
        ...


class Learner(Protocol):
    """Encodes the training data of one model, again after every stage of an adaptation."""

    @property
    def first(self) -> Any:
        """The encoding that the array begins with; it knows no label."""
        ...

    @property
    def rows(self) -> int:
        """n; 0 if the encoding does not need predictions."""
        ...

    def schedule(self, ideal: bool, chains: int, weights: int) -> Schedule:
        """The stages for devices that are alike (``ideal``) or not, so many chains and weights."""
        ...

    def training_points(self, encoder: Any) -> Points:
        """What a chain samples: the n training points, then those of the prior."""
        ...

    def weights(self, encoder: Any, sampled: Floats) -> Floats:
        """Weights of the model (s, m) from sampled ones (s, m)."""
        ...

    def around(self, encoder: Any, samples: Floats, curvature: Floats) -> Any:
        """The encoding around ``samples`` (s, m) of the weights from a stage.

        ``curvature`` (n,) is the mean of p (1 - p) of every training point, from the prediction
        mode.
        """
        ...


@dataclass(frozen=True, eq=False)
class LogisticLearner:
    """``Learner`` of a logistic model.

    Attributes
    ----------
    first : Encoder
        From ``Encoder.fit(..., adapt=True)``.
    x, y : float64 (n, d), int 0/1 (n,)
        The training half, in units of the data.
    pool : float64 (m, d) or None
        Further rows, as for ``Encoder.fit``.
    """

    first: Encoder
    x: Floats
    y: NDArray[np.integer[Any]]
    pool: Floats | None = None

    @property
    def rows(self) -> int:
        return len(self.y)

    def schedule(self, ideal: bool, chains: int, weights: int) -> Schedule:
        return Schedule.of(ideal, chains, weights)

    def training_points(self, encoder: Encoder) -> Points:
        return encoder.training_points(self.x, self.y)

    def weights(self, encoder: Encoder, sampled: Floats) -> Floats:
        return encoder.coordinates.weights(sampled)

    def around(self, encoder: Encoder, samples: Floats, curvature: Floats) -> Encoder:
        return encoder.around(self.x, self.y, samples, curvature, self.pool)
