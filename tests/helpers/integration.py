"""Logistic posteriors of few weights by integration over a grid; independent of the project."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp

REACH, NODES = 6.5, 28
"""The grid covers so many standard deviations of the Laplace fit on either side of its mode."""


def standard(x: np.ndarray) -> np.ndarray:
    """Standardised features and the bias, (n, d + 1)."""
    return np.c_[(x - x.mean(axis=0)) / x.std(axis=0), np.ones(len(x))]


class GridPosterior:
    """x (n, m) with the bias, y 0/1 (n,), prior N(0, σ_p²) with one width or (m,) of them.

    Attributes
    ----------
    weights : (nodes, m)
    terms : (nodes, n)
        Log-likelihood of every point.
    joint : (nodes,)
        Log-density, up to a constant.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, sigma_p: float | np.ndarray) -> None:
        widths = np.broadcast_to(np.asarray(sigma_p, float), x.shape[1])
        signed = x * np.where(y == 1, 1, -1)[:, None]

        def loss(w: np.ndarray) -> float:
            return -log_expit(signed @ w).sum() + ((w / widths) ** 2).sum() / 2

        def slope(w: np.ndarray) -> np.ndarray:
            return -signed.T @ expit(-signed @ w) + w / widths**2

        mode = minimize(loss, np.zeros(x.shape[1]), jac=slope, method="BFGS").x
        p = expit(signed @ mode)
        hessian = (signed.T * (p * (1 - p))) @ signed + np.diag(1 / widths**2)
        axis = np.linspace(-REACH, REACH, NODES)
        unit = np.stack(np.meshgrid(*[axis] * len(mode), indexing="ij"), -1)
        unit = unit.reshape(-1, len(mode))
        self.weights = mode + unit @ np.linalg.cholesky(np.linalg.inv(hessian)).T
        self.terms = log_expit(self.weights @ signed.T)
        self.joint = self.terms.sum(axis=1) - ((self.weights / widths) ** 2).sum(axis=1) / 2

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of the weights."""
        share = np.exp(self.joint - logsumexp(self.joint))
        mean = share @ self.weights
        return mean, np.sqrt(share @ (self.weights - mean) ** 2)

    def loo(self) -> np.ndarray:
        """log p(y_i | the other points), (n,)."""
        others = logsumexp(self.joint[:, None] - self.terms, axis=0)
        return np.asarray(logsumexp(self.joint) - others)

    def in_sample(self) -> np.ndarray:
        """log p(y_i | all points), (n,)."""
        both = logsumexp(self.joint[:, None] + self.terms, axis=0)
        return np.asarray(both - logsumexp(self.joint))
