"""The exact posterior of a logistic model with few weights, summed over a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets.laplace import laplace
from ..errors import UsageError

FloatArray = NDArray[np.float64]
MAX_WEIGHTS = 4
REACH_SD = 7.0  # of the Laplace fit, to either side
NODES = 43  # along each axis: a third of a standard deviation apart
CHUNK = 20_000  # grid points at once: 16 MB for 100 data points


@dataclass(frozen=True, eq=False)
class GridPosterior:
    """Probability mass on a grid of weights.

    Attributes
    ----------
    weights : float64 (nodes, m)
    mass : float64 (nodes,)
        Sums to one.
    """

    weights: FloatArray
    mass: FloatArray

    @property
    def mean(self) -> FloatArray:
        """(m,)"""
        return self.mass @ self.weights

    @property
    def sd(self) -> FloatArray:
        """(m,)"""
        return np.sqrt(self.mass @ (self.weights - self.mean) ** 2)

    def first_marginal(self) -> tuple[FloatArray, FloatArray]:
        """Density of the first weight: its values (nodes along an axis,) and the density there.
        Only this weight changes along the first axis of the grid."""
        along = round(len(self.mass) ** (1 / self.weights.shape[1]))
        values = self.weights.reshape(along, -1, self.weights.shape[1])[:, 0, 0]
        mass = self.mass.reshape(along, -1).sum(axis=1)
        return values, mass / (values[1] - values[0])


def grid_posterior(
    x: FloatArray, y: NDArray[np.integer[Any]], sigma_p: float, nodes: int = NODES
) -> GridPosterior:
    """p(w | data) ∝ N(w; 0, σ_p² I) Π sigmoid(±x·w) for x (n, m), bias included, and y 0/1 (n,).

    The grid is a cube in the coordinates in which the Laplace fit is isotropic. The density is
    smooth and ends within the cube, so that the error of the sum is far below one per mille.
    """
    m = x.shape[1]
    if m > MAX_WEIGHTS:
        raise UsageError(f"{m} weights are too many for a grid: at most {MAX_WEIGHTS}")
    mode, hessian = laplace(x, y, sigma_p)
    root = np.linalg.cholesky(np.linalg.inv(hessian))
    steps = np.linspace(-REACH_SD, REACH_SD, nodes)
    cube = np.stack([g.ravel() for g in np.meshgrid(*[steps] * m, indexing="ij")], axis=1)
    weights = mode + cube @ root.T
    signed = np.where(y == 1, 1.0, -1.0)[:, None] * x
    logs = np.empty(len(weights))
    for start in range(0, len(weights), CHUNK):
        w = weights[start : start + CHUNK]
        loglik = -np.logaddexp(0.0, -(w @ signed.T)).sum(axis=1)
        logs[start : start + CHUNK] = loglik - (w**2).sum(axis=1) / (2 * sigma_p**2)
    mass = np.exp(logs - logs.max())
    return GridPosterior(weights, mass / mass.sum())
