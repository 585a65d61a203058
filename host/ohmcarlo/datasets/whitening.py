"""Coordinates in which a logistic posterior is round, chosen so that its prior is exact in int8.

With x the standardised features of a point (bias among them) and w its weights, the posterior is

    p(w | data) ∝ N(w; 0, σ_p² I) Π sigmoid(±x·w).

The array samples v instead, w = w₀ + A v. A point then has the inputs x A and the logit offset
x·w₀. A Gaussian prior on w becomes ``quadratic points``, terms -z²/2 with z linear in v.

Any A with a roughly round posterior of v is suitable. This one is chosen for its integers. With an
approximate mean w₀ and precision H = Q Λ Qᵀ of w take A = σ_p Q D, D diagonal. Then

    |w|²/σ_p² = |Qᵀw₀/σ_p + D v|²,

one quadratic point per weight with a single input d_k. d_k is rounded to the int8 grid, and
Qᵀw₀/σ_p to the grid of the offsets, *before* A and w₀ are computed from them. This makes the prior
exact; the posterior of v is only slightly less round. Only the rows of the data are rounded
afterwards. Where the prior is so wide that d_k is below the smallest input, the quadratic point has
that input and the offset that keeps the slope of the prior; the curvature that it adds is at most
1/(32 s)² of that of the posterior.

D = s Λ^(-1/2)/σ_p gives v a posterior standard deviation of about 1/s. The scale s is chosen so
that the largest input just fits into int8, which minimises the rounding error and clips nothing. An
extreme row can make s so small that the other rows are rounded coarsely. Larger scales, which clip
extreme rows, are then tried, too, and the one whose Laplace fit moves the posterior least is taken.

A logit saturates at ±32, and so does an offset. A row whose offset would be larger is multiplied
by a factor below 1, inputs and offset alike. Its logit then keeps its sign for every v, and its
size wherever that matters.

Mean and precision come from one of two sources. ``fit`` takes them from a Laplace fit on the
computer. ``start`` and ``around`` belong to an array that learns without a fit: ``start`` knows the
inputs, but no label; ``around`` takes what the array has sampled, the mean of its weights and the
curvature p (1 - p) of its predictions.

An error e_i of a row moves the mode by Σ (y_i - p_i) e_i, to first order. Rounded to the nearest,
the rows of WDBC move it by up to 0.06 posterior standard deviations. A few inputs of the training
half that lie nearly between two integers are therefore rounded to the other one, which reduces the
sum to almost zero: 0.001 standard deviations remain. tests/host/datasets/test_encode.py asserts
both figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..posterior_error import PosteriorError
from ..spec import FEATURE_MAX, LABEL_QUADRATIC, OFFSET_FRAC, OFFSET_MAX, Points
from .laplace import (
    LARGER_SCALES,
    Fit,
    encoding_error,
    laplace,
    laplace_of_points,
    least_moved,
    local_fit,
    local_fit_of_points,
    precision_of,
)
from .rounding import (
    INPUT_ONE,
    FloatArray,
    balanced,
    beyond,
    limit_of,
    nearest,
    on_standard_grid,
    on_weight_grid,
)

OFFSET_ONE = 1 << OFFSET_FRAC
# With equal eigenvalues, the eigenvectors depend on the linear algebra of the machine. A slight
# tilt of H separates them. It is small against H (>= 1/σ_p²); whitening need not be perfect.
TILT = 2.0**-10
SCALE_STEPS = 64  # the scale is rounded down to a multiple of 1/64
START_CURVATURE = 0.01
"""p (1 - p) of every point before anything is learnt. The value hardly matters (0.003 to 0.1)."""


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
    limit : float
        Standardised features are cut off at ± this power of two, beyond all training points.
    reach : float
        Largest |x A| of a training point.
    """

    matrix: FloatArray
    centre: FloatArray
    spread: float
    prior_inputs: NDArray[np.int8]
    prior_offsets: NDArray[np.int16]
    limit: float
    reach: float

    @classmethod
    def fit(
        cls,
        x: FloatArray,
        y: NDArray[np.integer[Any]],
        sigma_p: float,
        every: FloatArray | None = None,
    ) -> tuple[Whitening, PosteriorError]:
        """The whitening of training points that moves the posterior least, and by how much.

        x float64 (n, m) with the bias at the end, y 0/1 (n,). The inputs of the points ``every``
        (k, m), x among them, shall fit into int8; None: those of x.
        """
        exact = laplace(x, y, sigma_p)
        candidates = Frame.of(exact, x if every is None else every, sigma_p).candidates()
        return least_moved(candidates, lambda found: found.error(exact, x, y))

    @classmethod
    def start(cls, x: FloatArray, sigma_p: float, every: FloatArray | None = None) -> Whitening:
        """The whitening that an array begins to learn with: x (n, m) with the bias, no labels.

        Its centre is 0. Its precision is that of points whose p (1 - p) is ``START_CURVATURE``.
        ``every`` as for ``fit``.
        """
        precision = precision_of(x, np.full(len(x), START_CURVATURE), sigma_p)
        first = Fit(np.zeros(x.shape[1]), precision)
        frame = Frame.of(first, x if every is None else every, sigma_p)
        return frame.whitening(frame.scales()[0])

    @classmethod
    def around(
        cls,
        x: FloatArray,
        y: NDArray[np.integer[Any]],
        sigma_p: float,
        samples: FloatArray,
        curvature: FloatArray,
        every: FloatArray | None = None,
    ) -> tuple[Whitening, PosteriorError]:
        """The whitening around sampled weights that moves the posterior least, and by how much.

        Parameters
        ----------
        x, y, every : float64 (n, m), 0/1 (n,), float64 (k, m)
            As for ``fit``. The labels decide how inputs are rounded, and the predicted error.
        samples : float64 (s, m)
            Of w; their mean is the centre.
        curvature : float64 (n,)
            Mean of p (1 - p) of every point.
        """
        sampled = Fit(samples.mean(axis=0), precision_of(x, curvature, sigma_p))
        frame = Frame.of(sampled, x if every is None else every, sigma_p)
        exact = local_fit(x, y, sigma_p, samples)
        return least_moved(
            frame.candidates(), lambda found: found.local_error(exact, samples, x, y)
        )

    @property
    def sigma(self) -> float:
        """``inf``: the whole prior is in the points, none is left to the registers."""
        return float("inf")

    def error(self, exact: Fit, x: FloatArray, y: NDArray[np.integer[Any]]) -> PosteriorError:
        """By how much this whitening moves the posterior of training points with the Laplace fit
        ``exact``."""
        fit = laplace_of_points(self._training_points(x, y), np.zeros(len(self.centre)))
        return encoding_error(exact, fit, self.matrix, self.centre)

    def local_error(
        self, exact: Fit, samples: FloatArray, x: FloatArray, y: NDArray[np.integer[Any]]
    ) -> PosteriorError:
        """The same from one step of Newton's method in place of two fits.

        ``exact`` is the step from ``samples`` (s, m) of w. The step of the encoded posterior begins
        at the same samples, so that their distance from the mode cancels.
        """
        v = np.linalg.solve(self.matrix, (samples - self.centre).T).T
        fit = local_fit_of_points(self._training_points(x, y), np.asarray(v, np.float64))
        return encoding_error(exact, fit, self.matrix, self.centre)

    def _training_points(self, x: FloatArray, y: NDArray[np.integer[Any]]) -> Points:
        points = Points(self.training_inputs(x, y), y.astype(np.uint8), self.offsets(x))
        return points.joined(self.prior_points())

    def inputs(self, x: FloatArray) -> NDArray[np.int8]:
        """x A, rounded and saturated: float64 (n, m) → int8 (n, m)."""
        return nearest(self._exact(x))

    def training_inputs(self, x: FloatArray, y: NDArray[np.integer[Any]]) -> NDArray[np.int8]:
        """Like ``inputs``, rounded so that the mode does not move; y 0/1 (n,)."""
        return balanced(self._exact(x), self.logits(x), y)

    def saturates(self, x: FloatArray) -> NDArray[np.bool_]:
        """Points that are cut off, or farther out than all training points: bool (n,)."""
        far = np.abs(self.grid(x) @ self.matrix).max(axis=1) > self.reach
        return np.asarray(far | beyond(self._exact(x)))

    def offsets(self, x: FloatArray) -> NDArray[np.int16]:
        """x·w₀, rounded: float64 (n, m) → int16 (n,)."""
        logits = self.logits(x)
        return np.rint(logits * _factors_of_rows(logits) * OFFSET_ONE).astype(np.int16)

    def grid(self, x: FloatArray) -> FloatArray:
        """Standardised features (n, m) on their grid, within the limit."""
        return np.clip(on_standard_grid(x), -self.limit, self.limit)

    def logits(self, x: FloatArray) -> FloatArray:
        """x·w₀, (n,)."""
        return self.grid(x) @ self.centre

    def _exact(self, x: FloatArray) -> FloatArray:
        """x A in LSB of the inputs, (n, m)."""
        return self.grid(x) @ self.matrix * _factors_of_rows(self.logits(x))[:, None] * INPUT_ONE

    def prior_points(self) -> Points:
        """The prior: m quadratic points."""
        m = len(self.prior_inputs)
        return Points(
            np.diag(self.prior_inputs), np.full(m, LABEL_QUADRATIC, np.uint8), self.prior_offsets
        )

    def weights(self, v: NDArray[np.floating[Any]]) -> FloatArray:
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
            "limit": self.limit,
            "reach": self.reach,
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
            limit=float(values["limit"]),
            reach=float(values["reach"]),
        )
        m = len(found.centre)
        shapes = (found.matrix.shape, found.prior_inputs.shape, found.prior_offsets.shape)
        if shapes != ((m, m), (m,), (m,)):
            raise ValueError(f"arrays of {m} weights have the shapes {shapes}")
        return found


class Frame(NamedTuple):
    """Directions of a whitening, before its scale is chosen.

    Attributes
    ----------
    q : float64 (m, m)
        Q.
    centre : float64 (m,)
        Qᵀw₀/σ_p.
    unit : float64 (m,)
        D at s = 1.
    rows : float64 (n, m)
        |σ_p x Q| of the data.
    reach : float64 (n, m)
        The same, rows with large offsets reduced.
    sigma_p, limit : float
    """

    q: FloatArray
    centre: FloatArray
    unit: FloatArray
    rows: FloatArray
    reach: FloatArray
    sigma_p: float
    limit: float

    @classmethod
    def of(cls, exact: Fit, x: FloatArray, sigma_p: float) -> Frame:
        m = len(exact.mode)
        tilted = exact.hessian + TILT * np.diag(exact.hessian.diagonal() * np.arange(m) / m)
        eigenvalues, q = np.linalg.eigh(tilted)
        # the sign of an eigenvector is arbitrary, so its largest entry is made positive
        largest = np.take_along_axis(q, np.abs(q).argmax(axis=0)[None], axis=0)
        q = q * np.sign(largest)
        rows = sigma_p * np.abs(x @ q)
        return cls(
            q=q,
            centre=q.T @ exact.mode / sigma_p,
            unit=1 / (sigma_p * np.sqrt(eigenvalues)),
            rows=rows,
            reach=rows * _factors_of_rows(x @ exact.mode)[:, None],
            sigma_p=sigma_p,
            limit=2 * limit_of(x),
        )

    def scales(self) -> tuple[float, float]:
        """The largest s for which all inputs stay within int8, and for which those of the prior do.

        Both are multiples of 1/SCALE_STEPS.
        """
        most = FEATURE_MAX / INPUT_ONE
        largest = int(most / self.unit.max() * SCALE_STEPS)
        reach = self.reach.max(axis=0)
        first = int(most / float((reach * self.unit).max()) * SCALE_STEPS)
        for steps in range(min(first, largest), 0, -1):
            if (reach * self._factors(steps / SCALE_STEPS)).max() <= FEATURE_MAX:
                return steps / SCALE_STEPS, largest / SCALE_STEPS
        raise UsageError(
            "the whitened data do not fit into int8, because the prior is so wide that the logit "
            f"of a point varies by more than ±{SCALE_STEPS * FEATURE_MAX // INPUT_ONE}: choose a "
            "smaller sigma_p, or drop the outlying rows"
        )

    def candidates(self) -> Iterator[Whitening]:
        """Whitenings with the safe scale and with larger ones."""
        safe, largest = self.scales()
        yield self.whitening(safe)
        for factor in LARGER_SCALES:
            if safe * factor <= largest:
                yield self.whitening(safe * factor)

    def _factors(self, scale: float) -> FloatArray:
        """32 D: integers, or below 1 where the prior is too wide for the smallest input."""
        natural = scale * self.unit * INPUT_ONE
        return np.where(natural < 1, natural, np.rint(natural))

    def whitening(self, scale: float) -> Whitening:
        """The whitening of scale s."""
        factors = self._factors(scale)
        prior_inputs = np.maximum(factors, 1)
        centre = np.clip(np.rint(self.centre * OFFSET_ONE), -OFFSET_MAX, OFFSET_MAX)
        return Whitening(
            matrix=on_weight_grid(self.sigma_p * self.q * (factors / INPUT_ONE), self.limit),
            centre=on_weight_grid(self.sigma_p * self.q @ (centre / OFFSET_ONE), self.limit),
            spread=1 / scale,
            prior_inputs=prior_inputs.astype(np.int8),
            prior_offsets=np.rint(centre * (factors / prior_inputs)).astype(np.int16),
            limit=self.limit,
            reach=float((self.rows * factors).max() / INPUT_ONE) + 1 / INPUT_ONE,
        )


def _factors_of_rows(logits: FloatArray) -> FloatArray:
    """At most 1, so that offsets (n,) stay within their range."""
    largest = OFFSET_MAX / OFFSET_ONE
    return largest / np.maximum(np.abs(logits), largest)
