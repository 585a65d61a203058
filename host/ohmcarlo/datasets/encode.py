"""From real-valued features to the integers in the data memory.

Selection (chi-squared), standardisation, int8; optionally *whitening*: the model is re-stated in
coordinates in which the posterior is close to a unit normal around zero, which is what the
autoregressive proposal mixes best on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special
from sklearn.feature_selection import chi2

from ..errors import UsageError
from ..spec import (
    FEATURE_FRAC,
    FEATURE_MAX,
    LABEL_QUADRATIC,
    OFFSET_FRAC,
    OFFSET_MAX,
    Points,
)

FloatArray = NDArray[np.float64]
ONE = 1 << FEATURE_FRAC
DIGITS = 9  # of fitted numbers: enough, and the same on machines whose sums differ in the last bit
NEWTON_STEPS = 100
NEWTON_TOLERANCE = 1e-10


def _rounded(values: FloatArray) -> FloatArray:
    return np.vectorize(lambda v: float(f"{v:.{DIGITS}g}"), otypes=[np.float64])(values)


def _int8(values: FloatArray) -> NDArray[np.int8]:
    return np.clip(np.rint(values * ONE), -FEATURE_MAX, FEATURE_MAX).astype(np.int8)


def _offsets(values: FloatArray) -> NDArray[np.int16]:
    scaled = np.rint(values * (1 << OFFSET_FRAC))
    return np.clip(scaled, -OFFSET_MAX - 1, OFFSET_MAX).astype(np.int16)


@dataclass(frozen=True, eq=False)
class Whitening:
    """w = mode + scale · basis · u: what the sampled weights u mean.

    Attributes
    ----------
    mode : float64 (features,)
        Posterior mode w₀ of the logistic model (bias included).
    basis : float64 (features, features)
        A with A Aᵀ = H⁻¹, H the negative Hessian of the log-posterior at the mode.
    scale : float
        Power of two by which inputs are enlarged to use the int8 range; the array then holds
        u = v / scale, v the unit coordinates, so a chain needs ``scale`` times the gamma.
    sigma_p : float
        Standard deviation of the prior on the original weights.
    """

    mode: FloatArray
    basis: FloatArray
    scale: float
    sigma_p: float

    @classmethod
    def fit(cls, inputs: NDArray[np.int8], y: NDArray[Any], sigma_p: float) -> Whitening:
        """Laplace fit on quantised inputs, int8 (n, features) with the bias column."""
        x = inputs.astype(np.float64) / ONE
        w = np.zeros(x.shape[1])
        prior = np.eye(len(w)) / sigma_p**2
        for _ in range(NEWTON_STEPS):
            p = special.expit(x @ w)
            hessian = (x * (p * (1 - p))[:, None]).T @ x + prior
            step = np.linalg.solve(hessian, x.T @ (y - p) - w / sigma_p**2)
            w = w + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
            if np.abs(step).max() < NEWTON_TOLERANCE:
                break
        values, vectors = np.linalg.eigh(hessian)
        basis = _rounded((vectors / np.sqrt(values)) @ vectors.T)
        largest = max(float(np.abs(x @ basis).max()), float(np.abs(basis).max()) / sigma_p)
        scale = 2.0 ** np.floor(np.log2(FEATURE_MAX / ONE / largest))
        return cls(_rounded(w), basis, max(float(scale), 1.0), sigma_p)

    def inputs(self, inputs: NDArray[np.int8]) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        """Whitened inputs and logit offsets of quantised points."""
        x = inputs.astype(np.float64) / ONE
        return _int8(x @ self.basis * self.scale), _offsets(x @ self.mode)

    def prior_points(self) -> Points:
        """The prior N(0, sigma_p²) on each original weight as one quadratic point."""
        return Points(
            _int8(self.basis / self.sigma_p * self.scale),
            np.full(len(self.mode), LABEL_QUADRATIC, np.uint8),
            _offsets(self.mode / self.sigma_p),
        )


@dataclass(frozen=True, eq=False)
class Encoder:
    """What was learnt from the training half about how data become int8.

    Attributes
    ----------
    columns : tuple of int
        Columns of the data that are used, in the order of the inputs.
    feature_names : tuple of str
        Their names.
    width : int
        Columns that the data must have.
    mean, spread : float64 (len(columns),)
        Of the training half.
    whitening : Whitening or None
    """

    columns: tuple[int, ...]
    feature_names: tuple[str, ...]
    width: int
    mean: FloatArray
    spread: FloatArray
    whitening: Whitening | None = None

    @classmethod
    def fit(
        cls,
        x: FloatArray,
        y: NDArray[Any],
        *,
        feature_names: Sequence[str] | None = None,
        features: int | None = None,
        whiten: bool = False,
        sigma_p: float = 1.0,
    ) -> Encoder:
        """Learn from x float64 (n, d) and y 0/1 (n,).

        ``features`` keeps the best by chi-squared (on features scaled to 0..1); None keeps all.
        Columns that do not vary are left out. Raises UsageError when nothing remains, or when
        more features are asked for than there are.
        """
        names = [f"x{i}" for i in range(x.shape[1])] if feature_names is None else feature_names
        if features is not None and features > x.shape[1]:
            raise UsageError(f"features = {features}: the data have only {x.shape[1]}")
        low, high = x.min(0), x.max(0)
        varying = np.flatnonzero(high > low)
        if not len(varying):
            raise UsageError("no feature varies: there is nothing to learn from")
        columns = varying
        if features is not None and features < len(varying):
            unit = (x[:, varying] - low[varying]) / (high - low)[varying]
            score = _rounded(np.nan_to_num(chi2(unit, y)[0]))
            best = np.argsort(-score, kind="stable")[:features]
            columns = varying[np.sort(best)]
        mean = _rounded(x[:, columns].mean(0))
        spread = _rounded(x[:, columns].std(0))
        encoder = cls(
            tuple(int(c) for c in columns),
            tuple(str(names[c]) for c in columns),
            x.shape[1],
            mean,
            spread,
        )
        if not whiten:
            return encoder
        whitening = Whitening.fit(encoder._quantise(x), np.asarray(y), sigma_p)
        return cls(encoder.columns, encoder.feature_names, encoder.width, mean, spread, whitening)

    @property
    def inputs(self) -> int:
        """Inputs of a point: the features and the bias."""
        return len(self.columns) + 1

    @property
    def weight_scale(self) -> float:
        """Factor that gamma needs (see ``Whitening.scale``); 1 without whitening."""
        return 1.0 if self.whitening is None else self.whitening.scale

    def _quantise(self, x: FloatArray) -> NDArray[np.int8]:
        if x.ndim != 2 or x.shape[1] != self.width:
            raise UsageError(
                f"the data have shape {x.shape}; this model was trained on {self.width} columns"
            )
        unit = (x[:, list(self.columns)] - self.mean) / self.spread
        return np.c_[_int8(unit), np.full(len(x), ONE, np.int8)]

    def encode(self, x: FloatArray, y: NDArray[Any] | None = None) -> Points:
        """Points of x float64 (n, width), labelled with y (0/1) if given.

        Features beyond ±3.97 standard deviations saturate.
        """
        inputs = self._quantise(np.asarray(x, np.float64))
        labels = None if y is None else np.asarray(y, np.uint8)
        if self.whitening is None:
            return Points.of(inputs, labels)
        whitened, offsets = self.whitening.inputs(inputs)
        return Points.of(whitened, labels, offsets)

    def training_points(self, x: FloatArray, y: NDArray[Any]) -> Points:
        """``encode`` with the prior as quadratic points where the model is whitened."""
        points = self.encode(x, y)
        return points if self.whitening is None else points.joined(self.whitening.prior_points())

    def original_weights(self, u: FloatArray) -> FloatArray:
        """Weights as sampled, (n, inputs) → weights of the standardised features, (n, inputs)."""
        if self.whitening is None:
            return u
        return self.whitening.mode + (u * self.whitening.scale) @ self.whitening.basis.T

    def to_dict(self) -> dict[str, Any]:
        """For JSON; ``from_dict`` gives the same encoder back, to the bit."""
        w = self.whitening
        return {
            "columns": list(self.columns),
            "feature_names": list(self.feature_names),
            "width": self.width,
            "mean": self.mean.tolist(),
            "spread": self.spread.tolist(),
            "whitening": None
            if w is None
            else {
                "mode": w.mode.tolist(),
                "basis": w.basis.tolist(),
                "scale": w.scale,
                "sigma_p": w.sigma_p,
            },
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Encoder:
        w = values["whitening"]
        whitening = None
        if w is not None:
            mode, basis = np.array(w["mode"]), np.array(w["basis"])
            whitening = Whitening(mode, basis, w["scale"], w["sigma_p"])
        return cls(
            tuple(values["columns"]),
            tuple(values["feature_names"]),
            values["width"],
            np.array(values["mean"]),
            np.array(values["spread"]),
            whitening,
        )
