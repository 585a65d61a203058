"""Laplace fits of logistic posteriors, and the error that an encoding causes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..posterior_error import PosteriorError
from ..spec import FEATURE_FRAC, LABEL_POSITIVE, LABEL_QUADRATIC, OFFSET_FRAC, Points
from ..threads import share_range, threads

FIT_TOLERANCE = 1e-10
NEWTON_STEPS = 50
HALVINGS = 30
SOURCE = "encoding"
LARGER_SCALES = tuple(2.0 ** (k / 2) for k in range(1, 11))
"""Scales of inputs to try, relative to the largest one that clips nothing."""
GOOD_ENOUGH = 0.02
"""No other encoding is tried if the error of the first one is smaller."""
NO_ERROR = PosteriorError(SOURCE, 0.0, 0.0, 1.0)
"""The error of an encoding that does not sample a posterior yet."""
CELLS = 1 << 17
"""Samples × points that are computed at once: intermediate results of 1 MB stay in the cache."""
T = TypeVar("T")
FloatArray = NDArray[np.float64]


class Fit(NamedTuple):
    """A Laplace fit.

    Attributes
    ----------
    mode : float64 (m,)
    hessian : float64 (m, m)
        Of the negative log-posterior at the mode.
    """

    mode: FloatArray
    hessian: FloatArray

    def covariance(self) -> FloatArray:
        """Inverse of the Hessian, (m, m)."""
        return np.asarray(np.linalg.inv(self.hessian), np.float64)


def precision_of(x: FloatArray, curvature: FloatArray, sigma_p: float) -> FloatArray:
    """Precision (m, m) of a posterior whose points x (n, m) have ``curvature`` p (1 - p), (n,)."""
    return (x.T * curvature) @ x + np.eye(x.shape[1]) / sigma_p**2


def local_fit(
    x: FloatArray, y: NDArray[np.integer[Any]], sigma_p: float, samples: FloatArray
) -> Fit:
    """One step of Newton's method towards the mode of a logistic posterior, from samples (s, m).

    Gradient and Hessian are means over the samples. Other arguments as for ``laplace``.
    """

    def terms(part: slice) -> tuple[FloatArray, FloatArray]:
        return _mean_logistic(samples @ x[part].T)

    p, curvature = _means_over_samples(terms, len(samples), len(x))
    hessian = precision_of(x, curvature, sigma_p)
    mean = samples.mean(axis=0)
    gradient = x.T @ (p - y) + mean / sigma_p**2
    return Fit(mean - np.linalg.solve(hessian, gradient), hessian)


def _means_over_samples(
    terms: Callable[[slice], tuple[FloatArray, FloatArray]], samples: int, points: int
) -> tuple[FloatArray, FloatArray]:
    """The two means (points,) over samples that ``terms`` returns for each part of the points."""
    first, second = np.empty((2, points))
    parts = list(_parts(samples, points))

    def fill(some: slice) -> None:
        for part in parts[some]:
            first[part], second[part] = terms(part)

    share_range(len(parts), fill, min(threads(), len(parts)))
    return first, second


def _mean_logistic(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means over the samples of p = 1/(1 + exp(-z)) and of p (1 - p); overwrites z (s, n).

    It is five times as fast as ``scipy.special.expit``, whose exponentials are not in vector
    instructions.
    """
    np.negative(z, out=z)
    with np.errstate(over="ignore"):  # p is 0 there
        np.exp(z, out=z)
    z += 1
    np.reciprocal(z, out=z)
    mean = z.mean(axis=0)
    z *= 1 - z
    return mean, z.mean(axis=0)


def _parts(samples: int, points: int) -> Iterator[slice]:
    """Slices that cover ``range(points)``, of at least ``CELLS`` / ``samples`` points.

    No slice is shorter, because a matrix product with few points may round in another way.
    """
    size = max(1, CELLS // samples)
    begin = 0
    for end in (*range(size, points - size + 1, size), points):
        yield slice(begin, end)
        begin = end


def laplace(x: FloatArray, y: NDArray[np.integer[Any]], sigma_p: float) -> Fit:
    """Laplace fit of a logistic regression.

    x float64 (n, m) with the bias column, y 0/1 (n,), prior N(0, σ_p² I) on all weights.
    """
    from scipy.special import expit
    from sklearn.linear_model import LogisticRegression

    if not (sigma_p > 0 and np.isfinite(sigma_p)):
        raise UsageError(f"sigma_p = {sigma_p:g}: encoding needs a positive, finite prior width")
    model = LogisticRegression(
        C=sigma_p**2, fit_intercept=False, solver="newton-cholesky", tol=FIT_TOLERANCE
    )
    mode = model.fit(x, y).coef_[0]
    p = expit(x @ mode)
    return Fit(mode, precision_of(x, p * (1 - p), sigma_p))


class _Points:
    """The negative log-posterior of points, and its derivatives.

    ``precision`` is that of the prior in the registers, 1/σ² of every sampled weight.
    """

    def __init__(self, points: Points, precision: float) -> None:
        self.x = points.inputs / 2.0**FEATURE_FRAC
        self.offsets = points.offsets / 2.0**OFFSET_FRAC
        self.quadratic = points.labels == LABEL_QUADRATIC
        self.sign = np.where(points.labels == LABEL_POSITIVE, 1.0, -1.0)
        self.precision = precision

    def loss(self, v: FloatArray) -> float:
        z = self.x @ v + self.offsets
        terms = np.where(self.quadratic, z**2 / 2, np.logaddexp(0, -self.sign * z))
        return float(terms.sum() + self.precision * (v @ v) / 2)

    def derivatives(self, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.mean_derivatives(v[None])

    def mean_derivatives(self, samples: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Gradient (m,) and Hessian (m, m), mean over samples (s, m)."""

        def terms(part: slice) -> tuple[FloatArray, FloatArray]:
            sign, quadratic = self.sign[part], self.quadratic[part]
            z = samples @ self.x[part].T
            z += self.offsets[part]
            mean = z.mean(axis=0)
            z *= -sign
            wrong, curvature = _mean_logistic(z)
            return np.where(quadratic, mean, -sign * wrong), np.where(quadratic, 1.0, curvature)

        slope, curvature = _means_over_samples(terms, len(samples), len(self.x))
        hessian = (self.x.T * curvature) @ self.x + self.precision * np.eye(samples.shape[1])
        return self.x.T @ slope + self.precision * samples.mean(axis=0), hessian


def local_fit_of_points(points: Points, samples: FloatArray, precision: float = 0.0) -> Fit:
    """``local_fit`` of what a chain samples; ``precision`` as for ``laplace_of_points``."""
    gradient, hessian = _Points(points, precision).mean_derivatives(samples)
    return Fit(samples.mean(axis=0) - np.linalg.solve(hessian, gradient), hessian)


def laplace_of_points(points: Points, start: FloatArray, precision: float = 0.0) -> Fit:
    """Laplace fit of what a chain samples, by Newton's method from ``start`` (m,).

    ``precision`` is that of the prior in the registers, 1/σ² of every sampled weight.
    """
    posterior = _Points(points, precision)
    mode = start.astype(np.float64)
    for _ in range(NEWTON_STEPS):
        gradient, hessian = posterior.derivatives(mode)
        step = np.asarray(np.linalg.solve(hessian, gradient), np.float64)
        if gradient @ step < FIT_TOLERANCE:
            break
        mode = _descended(posterior.loss, mode, step)
    return Fit(mode, hessian)


def _descended(loss: Any, mode: FloatArray, step: FloatArray) -> FloatArray:
    """A full Newton step, or the largest of its halves that does not raise the loss."""
    before = loss(mode)
    for _ in range(HALVINGS):
        if loss(mode - step) <= before:
            return mode - step
        step = step / 2
    return mode


def skewed_mean(points: Points, fit: Fit) -> FloatArray:
    """Mean (m,) of a posterior to the third order of the log-posterior around its mode.

    Quadratic points and the prior have no third derivative.
    """
    from scipy.special import expit

    learnt = points.labels != LABEL_QUADRATIC
    x = points.inputs[learnt] / 2.0**FEATURE_FRAC
    covariance = fit.covariance()
    p = expit(x @ fit.mode + points.offsets[learnt] / 2.0**OFFSET_FRAC)
    variance = ((x @ covariance) * x).sum(axis=1)
    third = p * (1 - p) * (1 - 2 * p)
    return np.asarray(fit.mode - covariance @ (x.T @ (third * variance)) / 2, np.float64)


def encoding_error(
    exact: Fit, encoded: Fit, matrix: FloatArray, centre: FloatArray
) -> PosteriorError:
    """By how much an encoding moves the posterior of w = centre + matrix · v.

    ``exact`` is the fit of the standardised data in w, ``encoded`` that of the points in v.
    """
    sd = np.sqrt(np.diag(exact.covariance()))
    shift = np.abs(centre + matrix @ encoded.mode - exact.mode) / sd
    ratio = np.sqrt(np.diag(matrix @ encoded.covariance() @ matrix.T)) / sd
    return PosteriorError(
        source=SOURCE,
        mean_sd=float(shift.max()),
        mean_sd_rms=float(np.sqrt((shift**2).mean())),
        spread=float(ratio[np.abs(np.log(ratio)).argmax()]),
    )


def least_moved(
    candidates: Iterable[T], error: Callable[[T], PosteriorError]
) -> tuple[T, PosteriorError]:
    """The candidate with the smallest error, and the error; the first one if it is good enough."""
    found: list[tuple[T, PosteriorError]] = []
    for candidate in candidates:
        found.append((candidate, error(candidate)))
        if found[0][1].size <= GOOD_ENOUGH:
            break
    return min(found, key=lambda pair: pair[1].size)
