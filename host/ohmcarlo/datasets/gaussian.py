"""Coordinates of a linear model with Gaussian noise, whose posterior is made of quadratic points.

With x the standardised features of a point (bias among them), t its standardised label, w the
weights and s the standard deviation of the noise, the model is

    t | w, s ~ N(x·w, s²),    w | s ~ N(0, σ_p² s² I),    p(s²) ∝ 1/s².

This is the conjugate prior: σ_p counts in units of the noise. The posterior of w for a given s is
normal with a mean that does not depend on s and a spread proportional to s:

    w | s, data ~ N(m, s² Λ⁻¹),    Λ = XᵀX + I/σ_p²,
    s² | data ~ inverse gamma with shape n/2 and scale S(m)/2,
    S(w) = Σ (t - x·w)² + |w|²/σ_p².

The array therefore samples at one assumed noise ŝ, and the host turns its samples w* into exact
draws of w and s together: it draws s² from its posterior and takes w = m + (s/ŝ)(w* - m), with the
mean of the array's samples as m. S is computed at that mean. Any ŝ gives the same posterior; its
value only matters for the integers.

The array samples v, with w/ŝ = u₀ + A v. A point is *quadratic*: its term is -z²/2 with
z = (x·w - t)/ŝ, hence the inputs x A and the offset x·u₀ - t/ŝ. A follows from the inputs X alone,
because Λ does not depend on the labels; ``whitening`` has its choice, and that of the quadratic
points of the prior. A is scaled so that the largest input fits into int8. ŝ is so large that no
offset comes near the limit of ±32, however far out a label is.

The labels enter in two places, the centre u₀ and the offsets. ``around`` takes the centre from mean
weights that were sampled, and ``start`` takes 0 for it, with a noise ŝ so large that the mean of
the posterior lies within a few posterior standard deviations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..posterior_error import PosteriorError
from ..spec import LABEL_QUADRATIC, Points
from .laplace import SOURCE, Fit
from .rounding import INPUT_ONE, FloatArray, balanced_for
from .whitening import OFFSET_ONE, Frame, Whitening

NEAR = 3.0
"""Posterior standard deviations from 0 within which ``start`` keeps the mean of the posterior."""
FARTHEST = 28.0
"""Largest offset of a point; the rest of the range of ±32 is left to the samples."""
NOISE_STEPS = 64  # assumed noise: a multiple of this part of a power of two
WIDEST, NARROWEST = 100.0, 0.05
"""Limits of σ_p where the data choose it."""
UPDATES = 20
SMALLER_SCALES = tuple(2.0 ** (-k / 16) for k in range(17))
"""Scales of the inputs to try, relative to the largest one that clips nothing."""
GOOD_SPREAD = 0.005
"""No other scale is tried if the relative error of all spreads is smaller."""


@dataclass(frozen=True, eq=False)
class GaussianCoordinates:
    """w = noise · (centre + matrix · v), and the prior of w in v.

    Attributes
    ----------
    whitening : Whitening
        Centre, matrix and prior of w/noise.
    noise : float
        ŝ, in standard deviations of the label.
    sigma_p : float
        Standard deviation of the prior, in units of the noise.
    """

    whitening: Whitening
    noise: float
    sigma_p: float

    @classmethod
    def start(cls, x: FloatArray, sigma_p: float) -> GaussianCoordinates:
        """Coordinates that know the inputs x (n, m) and no label."""
        noise = max(1.0, math.sqrt(len(x)) / NEAR)
        return cls(_whitening(x, np.zeros(x.shape[1]), sigma_p), _on_grid(noise), sigma_p)

    @classmethod
    def around(
        cls, x: FloatArray, t: FloatArray, weights: FloatArray, sigma_p: float, least: float = 0.0
    ) -> GaussianCoordinates:
        """Coordinates around mean weights (m,) of the standardised features.

        x (n, m), t (n,). The assumed noise is that of the residuals, at least ``least``.
        """
        noise = max(math.sqrt(sum_of_squares(x, t, weights, sigma_p) / len(t)), least)
        farthest = max(float(np.abs(t - x @ weights).max()), _norm(weights) / sigma_p)
        noise = _on_grid(max(noise, farthest / FARTHEST))
        return cls(_whitening(x, weights / noise, sigma_p), noise, sigma_p)

    @classmethod
    def fit(cls, x: FloatArray, t: FloatArray, sigma_p: float) -> GaussianCoordinates:
        """Coordinates around the mean of the posterior, by the closed form."""
        return cls.around(x, t, posterior_mean(x, t, sigma_p), sigma_p)

    @property
    def spread(self) -> float:
        """Posterior standard deviation of a v, about."""
        return self.whitening.spread

    def points(self, x: FloatArray, t: FloatArray) -> Points:
        """The points of a chain: x (n, m) and t (n,), then the prior; all are quadratic.

        The inputs are rounded so that the mean of the posterior does not move.
        """
        z = self.whitening.logits(x) - t / self.noise
        inputs = balanced_for(self._rows(x) * INPUT_ONE, z)
        labels = np.full(len(x), LABEL_QUADRATIC, np.uint8)
        offsets = np.rint(z * OFFSET_ONE).astype(np.int16)
        return Points(inputs, labels, offsets).joined(self.whitening.prior_points())

    def weights(self, v: NDArray[np.floating[Any]]) -> FloatArray:
        """w of sampled v: (n, m) → float64 (n, m)."""
        return self.noise * self.whitening.weights(v)

    def error(self, x: FloatArray, t: FloatArray) -> PosteriorError:
        """By how much the integers move the posterior: the means to first order around the centre.

        Spreads do not depend on the labels.
        """
        points, matrix = self.points(x, t), self.whitening.matrix
        rows = np.vstack([self._rows(x), matrix / self.sigma_p])
        z = np.r_[self.whitening.logits(x) - t / self.noise, self.whitening.centre / self.sigma_p]
        rounded, offsets = points.inputs / INPUT_ONE, points.offsets / OFFSET_ONE
        slope = rounded.T @ offsets - rows.T @ z
        shift = matrix @ np.linalg.solve(rounded.T @ rounded, slope)
        sd = _spreads(matrix, rows)
        ratio = _spreads(matrix, rounded) / sd
        return PosteriorError(
            source=SOURCE,
            mean_sd=float(np.abs(shift / sd).max()),
            mean_sd_rms=float(np.sqrt(((shift / sd) ** 2).mean())),
            spread=float(ratio[np.abs(np.log(ratio)).argmax()]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON, from which ``from_dict`` restores the same bits."""
        return {
            "whitening": self.whitening.to_dict(),
            "noise": self.noise,
            "sigma_p": self.sigma_p,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GaussianCoordinates:
        """Restore coordinates; KeyError, TypeError, ValueError or OverflowError otherwise."""
        found = cls(
            Whitening.from_dict(values["whitening"]),
            float(values["noise"]),
            float(values["sigma_p"]),
        )
        if not (found.noise > 0 and found.sigma_p > 0):
            raise ValueError("noise and width of the prior must be positive")
        return found

    def _rows(self, x: FloatArray) -> FloatArray:
        """x A, (n, m)."""
        return self.whitening.grid(x) @ self.whitening.matrix


class NoisePosterior(NamedTuple):
    """The inverse-gamma posterior of s², the variance of the noise."""

    shape: float
    scale: float

    @classmethod
    def of(
        cls, x: FloatArray, t: FloatArray, weights: FloatArray, sigma_p: float
    ) -> NoisePosterior:
        """That of points x (n, m), t (n,) whose posterior has the mean ``weights`` (m,)."""
        return cls(len(t) / 2, sum_of_squares(x, t, weights, sigma_p) / 2)

    def draws(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draws of s, float64 (n,)."""
        return np.asarray(np.sqrt(self.scale / rng.gamma(self.shape, size=n)), np.float64)

    def quantiles(self, probabilities: FloatArray) -> FloatArray:
        """Quantiles of s."""
        from scipy.stats import invgamma

        return np.asarray(np.sqrt(invgamma.ppf(probabilities, self.shape, scale=self.scale)))


def sum_of_squares(x: FloatArray, t: FloatArray, weights: FloatArray, sigma_p: float) -> float:
    """S(w): the residuals of points x (n, m), t (n,), and the penalty of the prior."""
    residual = t - x @ weights
    return float(residual @ residual + weights @ weights / sigma_p**2)


def precision(x: FloatArray, sigma_p: float) -> FloatArray:
    """Λ (m, m) of points x (n, m)."""
    return np.asarray(x.T @ x + np.eye(x.shape[1]) / sigma_p**2, np.float64)


def posterior_mean(x: FloatArray, t: FloatArray, sigma_p: float) -> FloatArray:
    """m (m,) by the closed form: x (n, m), t (n,)."""
    return np.asarray(np.linalg.solve(precision(x, sigma_p), x.T @ t), np.float64)


def fitted_width(x: FloatArray, t: FloatArray) -> float:
    """σ_p that maximises the evidence, by MacKay's updates of the closed form."""
    sigma_p = 1.0
    for _ in range(UPDATES):
        sigma_p = updated_width(x, t, posterior_mean(x, t, sigma_p), sigma_p)
    return sigma_p


def updated_width(x: FloatArray, t: FloatArray, weights: FloatArray, sigma_p: float) -> float:
    """σ_p after one of MacKay's updates (1992, doi 10.1162/neco.1992.4.3.415).

    ``weights`` (m,), the bias last, are the posterior mean under the present ``sigma_p``. The
    bias does not count.
    """
    variance = np.diag(np.linalg.inv(precision(x, sigma_p)))[:-1]
    determined = max(float((1 - variance / sigma_p**2).sum()), 1e-6)
    noise = sum_of_squares(x, t, weights, sigma_p) / len(t)
    width = math.sqrt(float(weights[:-1] @ weights[:-1]) / noise / determined)
    return min(max(width, NARROWEST), WIDEST)


def _whitening(x: FloatArray, centre: FloatArray, sigma_p: float) -> Whitening:
    """The whitening of w/s around ``centre`` (m,), with the largest scale that clips no input.

    The column of the bias is rounded to one integer, which can change the spread of its weight. A
    smaller scale is then taken, at which that integer is nearly exact.
    """
    frame = Frame.of(Fit(np.zeros(len(centre)), precision(x, sigma_p)), x, sigma_p)
    frame = frame._replace(centre=frame.q.T @ centre / sigma_p)
    safe, _ = frame.scales()
    found = []
    for factor in SMALLER_SCALES:
        whitening = frame.whitening(safe * factor)
        rows = np.vstack([whitening.grid(x) @ whitening.matrix, whitening.matrix / sigma_p])
        rounded = np.rint(rows * INPUT_ONE) / INPUT_ONE
        ratio = _spreads(whitening.matrix, rounded) / _spreads(whitening.matrix, rows)
        found.append((float(np.abs(np.log(ratio)).max()), whitening))
        if found[-1][0] < GOOD_SPREAD:
            break
    return min(found, key=lambda pair: pair[0])[1]


def _spreads(matrix: FloatArray, rows: FloatArray) -> FloatArray:
    """Posterior standard deviations of w/s (m,) for points with the inputs ``rows`` (n, m)."""
    return np.asarray(np.sqrt(np.diag(matrix @ np.linalg.inv(rows.T @ rows) @ matrix.T)))


def _norm(vector: FloatArray) -> float:
    return math.sqrt(float(vector @ vector))


def _on_grid(noise: float) -> float:
    """The noise, rounded up to a number of few bits: other machines round the last bits of a sum
    in other ways."""
    grid = 2.0 ** math.floor(math.log2(noise)) / NOISE_STEPS
    return math.ceil(noise / grid) * grid
