"""Scales of the columns, chosen so that no training input saturates and the prior is exact in int8.

With x the standardised features of a point (bias among them) and w its weights, the inputs are
x_j s_j and the array samples v_j = w_j / s_j. All s_j are 1 if no input saturates then, and the
registers hold the prior N(0, σ_p²) of every weight.

Otherwise the prior of v_j has the precision s_j²/σ_p². The registers hold one precision p₀ for all
weights; a ``quadratic point`` with the single input k_j/32 adds (k_j/32)². Hence

    s_j = σ_p √(p₀ + (k_j/32)²),

with p₀ such that the bias is exact, and the largest integer k_j for which no input saturates. Only
the inputs of the data are rounded afterwards, so that the mode does not move (see ``rounding``).

An extreme value can make s_j so small that the other values of its column are rounded coarsely.
Larger scales, which clip extreme values, are then tried, too, and the encoding whose Laplace fit
moves the posterior least is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..posterior_error import PosteriorError
from ..spec import FEATURE_MAX, LABEL_QUADRATIC, Points
from .laplace import LARGER_SCALES, Fit, encoding_error, laplace, laplace_of_points, least_moved
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


@dataclass(frozen=True, eq=False)
class Scaling:
    """w = scales · v, and the prior of w in v.

    Attributes
    ----------
    scales : float64 (m,)
        s; m counts the bias.
    sigma : float
        Standard deviation of the prior in the registers; ``inf``: none.
    prior_inputs : int8 (m,)
        The one input that is not zero of each quadratic point, LSB 2**-FEATURE_FRAC; without the
        points, all are zero.
    mode : float64 (m,) or None
        w₀, for balanced rounding of training points; None: they are rounded to the nearest.
    """

    scales: FloatArray
    sigma: float
    prior_inputs: NDArray[np.int8]
    mode: FloatArray | None = None

    @classmethod
    def plain(cls, m: int, sigma_p: float) -> Scaling:
        """All scales 1, the prior in the registers."""
        return cls(np.ones(m), sigma_p, np.zeros(m, np.int8))

    @classmethod
    def fit(
        cls,
        x: FloatArray,
        y: NDArray[np.integer[Any]],
        sigma_p: float,
        scaled: bool = True,
        every: FloatArray | None = None,
    ) -> tuple[Scaling, PosteriorError]:
        """The scaling of training points that moves the posterior least, and by how much.

        x float64 (n, m) with the bias at the end, y 0/1 (n,). Without ``scaled``, all scales
        are 1. The inputs of the points ``every`` (k, m), x among them, shall fit into int8; None:
        those of x.
        """
        exact = laplace(x, y, sigma_p)
        every = x if every is None else every
        plain = cls.plain(x.shape[1], sigma_p)
        candidates: Iterable[Scaling] = [plain]
        if scaled and plain.saturates(every).any():
            prior, mode = _Prior.of(sigma_p), on_weight_grid(exact.mode, limit_of(every))
            safe = FEATURE_MAX / INPUT_ONE / np.abs(every).max(axis=0)
            first = prior.scaling(safe, mode)
            larger = (prior.scaling(safe * factor, mode) for factor in LARGER_SCALES)
            candidates = chain([first, plain], larger)
        return least_moved(candidates, lambda found: found.error(exact, x, y))

    def error(self, exact: Fit, x: FloatArray, y: NDArray[np.integer[Any]]) -> PosteriorError:
        """By how much this scaling moves the posterior of training points with the Laplace fit
        ``exact``."""
        points = Points.of(self.training_inputs(x, y), y.astype(np.uint8))
        start = exact.mode / self.scales
        fit = laplace_of_points(points.joined(self.prior_points()), start, 1 / self.sigma**2)
        return encoding_error(exact, fit, np.diag(self.scales), np.zeros(len(start)))

    @property
    def spread(self) -> float:
        """1: nothing is whitened."""
        return 1.0

    def inputs(self, x: FloatArray) -> NDArray[np.int8]:
        """x s, rounded and saturated: float64 (n, m) → int8 (n, m)."""
        return nearest(self._exact(x))

    def training_inputs(self, x: FloatArray, y: NDArray[np.integer[Any]]) -> NDArray[np.int8]:
        """Like ``inputs``; with ``mode``, rounded so that the mode does not move; y 0/1 (n,)."""
        if self.mode is None:
            return self.inputs(x)
        return balanced(self._exact(x), on_standard_grid(x) @ self.mode, y)

    def saturates(self, x: FloatArray) -> NDArray[np.bool_]:
        """Points with an input that does not fit into int8, bool (n,)."""
        return beyond(self._exact(x))

    def offsets(self, x: FloatArray) -> NDArray[np.int16]:
        """Zeros (n,)."""
        return np.zeros(len(x), np.int16)

    def prior_points(self) -> Points:
        """The part of the prior that the registers do not hold: quadratic points, or none."""
        used = np.flatnonzero(self.prior_inputs)
        inputs = np.diag(self.prior_inputs)[used]
        return Points.of(inputs, np.full(len(used), LABEL_QUADRATIC, np.uint8))

    def weights(self, v: NDArray[np.floating[Any]]) -> FloatArray:
        """w of sampled v: (n, m) → float64 (n, m)."""
        return np.asarray(v * self.scales, np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON, from which ``from_dict`` restores the same bits."""
        return {
            "scales": self.scales.tolist(),
            "sigma": self.sigma if np.isfinite(self.sigma) else None,
            "prior_inputs": self.prior_inputs.tolist(),
            "mode": None if self.mode is None else self.mode.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Scaling:
        """Restore a scaling; KeyError, TypeError, ValueError or OverflowError otherwise."""
        sigma, mode = values["sigma"], values["mode"]
        found = cls(
            scales=np.array(values["scales"], np.float64),
            sigma=np.inf if sigma is None else float(sigma),
            prior_inputs=np.array(values["prior_inputs"], np.int8),
            mode=None if mode is None else np.array(mode, np.float64),
        )
        m = len(found.scales)
        if found.prior_inputs.shape != (m,) or (mode is not None and found.mode.shape != (m,)):  # type: ignore[union-attr]
            raise ValueError(f"arrays of {m} scales differ in length")
        if not (found.scales > 0).all():
            raise ValueError("scales must be positive")
        return found

    def _exact(self, x: FloatArray) -> FloatArray:
        """x s in LSB of the inputs."""
        return x * self.scales * INPUT_ONE


@dataclass(frozen=True)
class _Prior:
    """Precisions of a sampled weight that registers and one quadratic point can hold together.

    Attributes
    ----------
    sigma_p : float
        Standard deviation of the prior of w.
    bias : int
        Input of the bias, LSB 2**-FEATURE_FRAC; the largest scale is that of the bias.
    largest : int
        k of the bias.
    common : float
        p₀.
    """

    sigma_p: float
    bias: int
    largest: int
    common: float

    @classmethod
    def of(cls, sigma_p: float) -> _Prior:
        bias = max(1, min(INPUT_ONE, int(FEATURE_MAX * sigma_p)))
        largest = min(FEATURE_MAX, int(bias / sigma_p))
        return cls(sigma_p, bias, largest, ((bias / sigma_p) ** 2 - largest**2) / INPUT_ONE**2)

    def scaling(self, limits: FloatArray, mode: FloatArray) -> Scaling:
        """The largest scales up to ``limits`` (m,); the last is that of the bias."""
        top = self.bias / INPUT_ONE
        room = (np.minimum(limits, top) / self.sigma_p) ** 2 - self.common
        k = np.floor(INPUT_ONE * np.sqrt(np.maximum(room, 0)))
        k = np.maximum(k, 0 if self.common else 1)
        k[(limits >= top)] = self.largest
        k[-1] = self.largest
        scales = self.sigma_p * np.sqrt(self.common + (k / INPUT_ONE) ** 2)
        scales[k == self.largest] = top
        sigma = 1 / np.sqrt(self.common) if self.common else np.inf
        return Scaling(scales, float(sigma), k.astype(np.int8), mode)
