"""Coordinates in which a logistic posterior is round, chosen so that its prior is exact in int8.

With x the quantised inputs of a point (bias among them) and w its weights, the posterior is

    p(w | data) ∝ N(w; 0, σ_p² I) Π sigmoid(±x·w).

The array samples v instead, w = w₀ + A v. A point then has the inputs x A and the logit offset
x·w₀. A Gaussian prior on w becomes ``quadratic points``, terms -z²/2 with z linear in v.

Any A with a roughly round posterior of v is suitable. This one is chosen for its integers. With the
Laplace fit (w₀, H) and H = Q Λ Qᵀ take A = σ_p Q D, D diagonal. Then

    |w|²/σ_p² = |Qᵀw₀/σ_p + D v|²,

one quadratic point per weight with a single input d_k. d_k is rounded to the int8 grid, and
Qᵀw₀/σ_p to the grid of the offsets, *before* A and w₀ are computed from them. This makes the prior
exact; the posterior of v is only slightly less round. Only the rows of the data are rounded
afterwards.

D = s Λ^(-1/2)/σ_p gives v a posterior standard deviation of about 1/s. The scale s is chosen so
that the largest input just fits into int8, which minimises the rounding error.

An error e_i of a row moves the mode by Σ (y_i - p_i) e_i, to first order. Rounded to the nearest,
the rows of WDBC move it by up to 0.06 posterior standard deviations. A few inputs of the training
half that lie nearly between two integers are therefore rounded to the other one, which reduces the
sum to almost zero: 0.001 standard deviations remain. tests/host/datasets/test_encode.py asserts
both figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..spec import FEATURE_FRAC, FEATURE_MAX, LABEL_QUADRATIC, OFFSET_FRAC, OFFSET_MAX, Points

INPUT_ONE = 1 << FEATURE_FRAC
OFFSET_ONE = 1 << OFFSET_FRAC
# A and w₀ are multiples of 2**-32: their products with int8 inputs are then exact in float64, and
# the sum does not depend on its order, so that all machines round the same numbers.
GRID = 2.0**32
# With equal eigenvalues, the eigenvectors depend on the linear algebra of the machine. A slight
# tilt of H separates them. It is small against H (>= 1/σ_p²); whitening need not be perfect.
TILT = 2.0**-10
SCALE_STEPS = 64  # the scale is rounded down to a multiple of 1/64
HEADROOM = 0.9  # room for points that were not in the training half
UNDECIDED = 0.25  # LSB from the nearest integer: beyond, an input may go to the next-nearest
BALANCED = 0.02  # LSB: a smaller sum of weighted errors is not corrected
RESIDUAL_ONE = 1 << 16  # residuals are rounded, so that sums of them are exact
FIT_TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class Whitening:
    """w = centre + matrix · v, and the prior of w in v.

    Attributes
    ----------
    matrix : float64 (m, m)
        A; m counts the bias.
    centre : float64 (m,)
        w₀.
    spread : float
        Posterior standard deviation of a v, about (1/s).
    prior_inputs : int8 (m,)
        The one input that is not zero of each quadratic point, LSB 2**-FEATURE_FRAC.
    prior_offsets : int16 (m,)
        LSB 2**-OFFSET_FRAC.
    """

    matrix: NDArray[np.float64]
    centre: NDArray[np.float64]
    spread: float
    prior_inputs: NDArray[np.int8]
    prior_offsets: NDArray[np.int16]

    @classmethod
    def fit(
        cls, inputs: NDArray[np.int8], y: NDArray[np.integer[Any]], sigma_p: float
    ) -> Whitening:
        """From quantised training points, int8 (n, m), and their classes 0/1 (n,)."""
        x = inputs / INPUT_ONE
        mode, hessian = laplace(x, y, sigma_p)
        m = len(mode)
        tilted = hessian + TILT * np.diag(hessian.diagonal() * np.arange(m) / m)
        eigenvalues, q = np.linalg.eigh(tilted)
        # the sign of an eigenvector is arbitrary, so its largest entry is made positive
        largest = np.take_along_axis(q, np.abs(q).argmax(axis=0)[None], axis=0)
        q = q * np.sign(largest)
        unit = 1 / (sigma_p * np.sqrt(eigenvalues))  # D at s = 1
        reach = sigma_p * np.abs(x @ q).max(axis=0)
        scale, prior_inputs = _scale(reach, unit)
        prior_offsets = np.clip(np.rint(q.T @ mode / sigma_p * OFFSET_ONE), -OFFSET_MAX, OFFSET_MAX)
        return cls(
            matrix=_on_grid(sigma_p * q * (prior_inputs / INPUT_ONE)),
            centre=_on_grid(sigma_p * q @ (prior_offsets / OFFSET_ONE)),
            spread=1 / scale,
            prior_inputs=prior_inputs.astype(np.int8),
            prior_offsets=prior_offsets.astype(np.int16),
        )

    def inputs(self, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
        """x A, rounded and saturated: int8 (n, m) → int8 (n, m)."""
        return _saturated(np.rint(inputs.astype(np.float64) @ self.matrix)).astype(np.int8)

    def training_inputs(
        self, inputs: NDArray[np.int8], y: NDArray[np.integer[Any]]
    ) -> NDArray[np.int8]:
        """Like ``inputs``, rounded so that the mode does not move; y 0/1 (n,)."""
        from scipy.special import expit

        exact = inputs.astype(np.float64) @ self.matrix
        rounded = _saturated(np.rint(exact))
        residual = y - expit(inputs @ self.centre / INPUT_ONE)
        residual = np.rint(residual * RESIDUAL_ONE) / RESIDUAL_ONE
        for k in range(exact.shape[1]):
            _balance(exact[:, k], rounded[:, k], residual)
        return rounded.astype(np.int8)

    def offsets(self, inputs: NDArray[np.int8]) -> NDArray[np.int16]:
        """x·w₀, rounded: int8 (n, m) → int16 (n,); saturates at ±32, as logits do."""
        logits = inputs.astype(np.float64) @ self.centre * (OFFSET_ONE / INPUT_ONE)
        return np.clip(np.rint(logits), -OFFSET_MAX, OFFSET_MAX).astype(np.int16)

    def prior_points(self) -> Points:
        """The prior: m quadratic points."""
        m = len(self.prior_inputs)
        return Points(
            np.diag(self.prior_inputs), np.full(m, LABEL_QUADRATIC, np.uint8), self.prior_offsets
        )

    def weights(self, v: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """w of sampled v: (n, m) → float64 (n, m)."""
        return self.centre + v @ self.matrix.T

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON, from which ``from_dict`` restores the same bits."""
        return {
            "matrix": self.matrix.tolist(),
            "centre": self.centre.tolist(),
            "spread": self.spread,
            "prior_inputs": self.prior_inputs.tolist(),
            "prior_offsets": self.prior_offsets.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Whitening:
        """Restore a whitening; KeyError, TypeError, ValueError or OverflowError otherwise."""
        found = cls(
            matrix=np.array(values["matrix"], np.float64),
            centre=np.array(values["centre"], np.float64),
            spread=float(values["spread"]),
            prior_inputs=np.array(values["prior_inputs"], np.int8),
            prior_offsets=np.array(values["prior_offsets"], np.int16),
        )
        m = len(found.centre)
        shapes = (found.matrix.shape, found.prior_inputs.shape, found.prior_offsets.shape)
        if shapes != ((m, m), (m,), (m,)):
            raise ValueError(f"arrays of {m} weights have the shapes {shapes}")
        return found


def laplace(
    x: NDArray[np.float64], y: NDArray[np.integer[Any]], sigma_p: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mode (m,) and Hessian (m, m) of the negative log-posterior of a logistic regression.

    x float64 (n, m) with the bias column, y 0/1 (n,), prior N(0, σ_p² I) on all weights.
    """
    from scipy.special import expit
    from sklearn.linear_model import LogisticRegression

    if not (sigma_p > 0 and np.isfinite(sigma_p)):
        raise UsageError(f"sigma_p = {sigma_p:g}: whitening needs a positive, finite prior width")
    model = LogisticRegression(
        C=sigma_p**2, fit_intercept=False, solver="newton-cholesky", tol=FIT_TOLERANCE
    )
    mode = model.fit(x, y).coef_[0]
    p = expit(x @ mode)
    return mode, (x.T * (p * (1 - p))) @ x + np.eye(len(mode)) / sigma_p**2


def _scale(
    reach: NDArray[np.float64], unit: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """The largest s for which all inputs, of data and prior, stay within int8; and 32 D, integers.

    ``reach`` (m,) is the largest |σ_p x Q| of the data, ``unit`` (m,) is D at s = 1.
    """
    largest = max(float((reach * unit).max()) / HEADROOM, float(unit.max()))
    first = int(FEATURE_MAX / INPUT_ONE / largest * SCALE_STEPS)
    for steps in range(first, 0, -1):
        scale = steps / SCALE_STEPS
        prior_inputs = np.maximum(np.rint(scale * unit * INPUT_ONE), 1)
        if (reach * prior_inputs).max() <= FEATURE_MAX:
            return scale, prior_inputs
    raise UsageError(
        "the whitened data do not fit into int8, because the prior is so much wider than the "
        "posterior: choose a smaller sigma_p, or do not whiten"
    )


def _saturated(inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(inputs, -FEATURE_MAX, FEATURE_MAX)


def _balance(
    exact: NDArray[np.float64], rounded: NDArray[np.float64], residual: NDArray[np.float64]
) -> None:
    """Change ``rounded`` in place until Σ residual (rounded - exact) vanishes; all are (n,).

    The inputs nearest to halfway are changed first, because their own error grows least.
    """
    error = rounded - exact
    other = _saturated(rounded - np.sign(error))
    change = residual * (other - rounded)
    total = float(residual @ error)
    for i in np.argsort(-np.abs(error), kind="stable"):
        if abs(total) <= BALANCED or abs(error[i]) < UNDECIDED:
            return
        if abs(total + change[i]) < abs(total):
            total += change[i]
            rounded[i] = other[i]


def _on_grid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.rint(values * GRID) / GRID
