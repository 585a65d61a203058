"""A policy of cartpole, as samples that the array holds; in floating point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..spec import cartpole as spec
from .cartpole import policy_weights

Float = NDArray[np.float64]


def encode(states: ArrayLike) -> Float:
    """``golden.cartpole.inputs`` for floats: (n, 4) position m, speed m/s, angle rad, rate rad/s →
    (n, 5) integers within ± ``INPUT_MAX``, the bias last."""
    states = np.atleast_2d(np.asarray(states, np.float64))
    scaled = np.floor(states * INPUT_FACTORS + 0.5)
    bias = np.full((len(states), 1), float(spec.INPUT_BIAS))
    return np.concatenate([np.clip(scaled, -spec.INPUT_MAX, spec.INPUT_MAX), bias], axis=1)


INPUT_FACTORS = np.array(
    [spec.INPUT_X, spec.INPUT_SPEED, spec.INPUT_ANGLE, spec.INPUT_RATE]
) / float(1 << spec.INPUT_FRAC)


@dataclass(frozen=True, eq=False)
class Policy:
    """Samples of the posterior that act together: the mean of their dot products decides.

    A row of the array with the mean weights decides the same way.

    Attributes
    ----------
    weights : float64 (samples, 5)
        g⁺ - g⁻ in codes, the bias last.
    counts : int64 (samples,)
        Steps during which each was current.
    """

    weights: Float
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, codes: NDArray[Any], counts: NDArray[np.int64]) -> Policy:
        """The policy of samples: codes (n, 10)."""
        return cls(policy_weights(codes).astype(np.float64), counts)

    @property
    def mean(self) -> Float:
        """Mean weights, (5,), in codes."""
        return np.asarray(np.average(self.weights, axis=0, weights=self.counts))

    def pushes_right(self, states: ArrayLike) -> NDArray[np.bool_]:
        """Action in each of (n, 4) states, in SI units."""
        return np.asarray(encode(states) @ self.mean > 0)

    def agreement(self, states: ArrayLike) -> Float:
        """Share of the samples that would push to the right, float64 (n,): (n, 4) states."""
        votes = encode(states) @ self.weights.T > 0
        return np.asarray(votes @ self.counts / self.counts.sum())
