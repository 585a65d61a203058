"""From features and a number to the quadratic points of a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UsageError
from ..posterior_error import PosteriorError
from ..spec import Points
from .columns import ColumnEncoder, chosen_columns, restored_columns, restoring
from .gaussian import GaussianCoordinates, NoisePosterior, fitted_width, updated_width
from .prior import USUAL, Prior, Widths, widths_by_name
from .standard import moments, names_of, require_labels, standardised, table_of

FORMAT = 1  # version of to_dict
ROOM = 1e-6  # relative, for the rounding of a leverage
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RegressionEncoder(ColumnEncoder):
    """An encoding fitted to the training half: selected features, scales, coordinates.

    Attributes
    ----------
    data_names : tuple of str (d,)
        All columns of the data.
    columns : int64 (k,)
        The selected columns, in the order of the data.
    mean, scale : float64 (k,)
        Of the training half, in units of the data; scale is the standard deviation (1/n).
    label_mean, label_scale : float
        The same of the label.
    leverage : float
        Largest squared length of a training point in the sampled coordinates.
    error : PosteriorError
        By how much the integers move the posterior of the training half.
    coordinates : GaussianCoordinates
        From standardised features to inputs, and from sampled weights to those of the features,
        in standard deviations of the label.
    factors : float64 (k + 1,)
        Of the standardised features and the bias before ``coordinates``: see ``prior``.
    chosen_width : bool
        The data chose the width of the prior.
    """

    data_names: tuple[str, ...]
    columns: NDArray[np.int64]
    mean: FloatArray
    scale: FloatArray
    label_mean: float
    label_scale: float
    leverage: float
    error: PosteriorError
    coordinates: GaussianCoordinates
    factors: FloatArray
    chosen_width: bool = False

    @classmethod
    def start(
        cls,
        x: ArrayLike,
        y: ArrayLike,
        *,
        feature_names: Sequence[str] | None = None,
        features: int | None = None,
        sigma_p: Widths | None = None,
    ) -> RegressionEncoder:
        """An encoding of the training half that knows no fit.

        Parameters
        ----------
        x : (n, d)
            Features in units of the data.
        y : (n,)
            Labels, finite numbers that are not all the same.
        feature_names : sequence of str, optional
            Names of the d columns; default ``x0``, ``x1``, …
        features : int, optional
            Number of features to keep, by largest correlation with the label; default all.
            Columns that are constant in the training half are never kept.
        sigma_p : float, sequence or mapping, optional
            Standard deviation of the weight prior per standardised feature, in units of the noise,
            as for ``Encoder.fit``; default: the data choose one for all weights.

        Raises UsageError for data that cannot be used.
        """
        x = table_of(x)
        labels = _numbers(y, len(x))
        names = names_of(feature_names, x.shape[1])
        columns, mean, scale = chosen_columns(
            x, features, lambda chosen: _correlation(chosen, labels)
        )
        (label_mean,), (label_scale,) = moments(labels[:, None])
        if label_scale == 0:
            raise UsageError("all training points have the same label: nothing to learn")
        standard = standardised(x[:, columns], mean, scale)
        prior = Prior.of(USUAL if sigma_p is None else sigma_p, names, columns)
        found = cls(
            data_names=names,
            columns=columns,
            mean=mean,
            scale=scale,
            label_mean=float(label_mean),
            label_scale=float(label_scale),
            leverage=0.0,
            error=PosteriorError("encoding", 0.0, 0.0, 1.0),
            coordinates=GaussianCoordinates.start(standard * prior.factors, prior.sigma_p),
            factors=prior.factors,
            chosen_width=sigma_p is None,
        )
        return found._completed(x, labels)

    @classmethod
    def fit(cls, x: ArrayLike, y: ArrayLike, **options: Any) -> RegressionEncoder:
        """``start``, then coordinates around the mean of the posterior by the closed form."""
        first = cls.start(x, y, **options)
        standard, t = first.scores(x), first.standard_label(y)
        sigma_p = fitted_width(standard, t) if first.chosen_width else first.sigma_p
        coordinates = GaussianCoordinates.fit(standard, t, sigma_p)
        return replace(first, coordinates=coordinates)._completed(x, y)

    def around(
        self, x: ArrayLike, y: ArrayLike, weights: FloatArray, least: float = 0.0
    ) -> RegressionEncoder:
        """The encoding of the training half around mean weights (k + 1,) that were sampled.

        ``least``: the smallest noise to assume, in standard deviations of the label.
        """
        standard, t = self.scores(x), self.standard_label(y)
        sigma_p, centre = self.sigma_p, weights / self.factors
        if self.chosen_width:
            sigma_p = updated_width(standard, t, centre, sigma_p)
        coordinates = GaussianCoordinates.around(standard, t, centre, sigma_p, least)
        return replace(self, coordinates=coordinates)._completed(x, y)

    @property
    def sigma(self) -> float:
        """``inf``: the whole prior is in the points, none is left to the registers."""
        return float("inf")

    @property
    def sigma_p(self) -> float:
        """Standard deviation of the prior that ``coordinates`` hold, in units of the noise."""
        return self.coordinates.sigma_p

    def widths(self) -> dict[str, float] | float:
        """The same of the weights of the features by name; one number if they are equal."""
        return widths_by_name(self.sigma_p, self.factors, self.feature_names)

    @property
    def noise(self) -> float:
        """Noise that the array assumes, in standard deviations of the label."""
        return self.coordinates.noise

    def training_points(self, x: ArrayLike, y: ArrayLike) -> Points:
        """The points of a chain: the training half, x (n, d) and y (n,), then the prior."""
        return self.coordinates.points(self.scores(x), self.standard_label(y))

    def noise_posterior(self, x: ArrayLike, y: ArrayLike, weights: FloatArray) -> NoisePosterior:
        """Posterior of the noise in standard deviations of the label, given the training half and
        the mean weights (k + 1,) of the posterior."""
        centre = weights / self.factors
        return NoisePosterior.of(self.scores(x), self.standard_label(y), centre, self.sigma_p)

    def standard_label(self, y: ArrayLike) -> FloatArray:
        """Standardised labels: (n,) → (n,)."""
        return (np.asarray(y, np.float64) - self.label_mean) / self.label_scale

    def label(self, t: FloatArray) -> FloatArray:
        """Labels in units of the data from standardised ones."""
        return self.label_mean + self.label_scale * t

    def extrapolates(self, x: ArrayLike) -> NDArray[np.bool_]:
        """Points of x (n, d) farther out than all training points, bool (n,)."""
        return np.asarray(self._leverages(self.scores(x)) > self.leverage)

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON, from which ``from_dict`` restores the same bits."""
        return {
            "format": FORMAT,
            **self.column_values(),
            "label_mean": self.label_mean,
            "label_scale": self.label_scale,
            "leverage": self.leverage,
            "error": self.error.to_dict(),
            "coordinates": self.coordinates.to_dict(),
            "factors": self.factors.tolist(),
            "chosen_width": self.chosen_width,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RegressionEncoder:
        """Restore an encoder. Raises OhmcarloError if ``values`` are not from ``to_dict``."""
        with restoring(values, FORMAT):
            found = cls(
                **restored_columns(values),
                label_mean=float(values["label_mean"]),
                label_scale=float(values["label_scale"]),
                leverage=float(values["leverage"]),
                error=PosteriorError.from_dict(values["error"]),
                coordinates=GaussianCoordinates.from_dict(values["coordinates"]),
                chosen_width=bool(values["chosen_width"]),
            )
            found.validate_columns(len(found.coordinates.whitening.centre))
            if not (np.isfinite(found.label_mean) and found.label_scale > 0):
                raise ValueError("means must be finite and scales positive")
        return found

    def _leverages(self, standard: FloatArray) -> FloatArray:
        rows = standard @ self.coordinates.whitening.matrix
        return np.asarray((rows**2).sum(axis=1), np.float64)

    def _completed(self, x: ArrayLike, y: ArrayLike) -> RegressionEncoder:
        """With the error and the largest leverage of the training half."""
        standard = self.scores(x)
        return replace(
            self,
            leverage=float(self._leverages(standard).max()) * (1 + ROOM),
            error=self.coordinates.error(standard, self.standard_label(y)),
        )


def _numbers(y: ArrayLike, n: int) -> FloatArray:
    labels = np.asarray(y, np.float64)
    require_labels(labels, n)
    if not np.isfinite(labels).all():
        raise UsageError("labels must be finite numbers")
    return labels


def _correlation(x: FloatArray, y: FloatArray) -> FloatArray:
    """Absolute correlation of the columns of x (n, k) with y."""
    from sklearn.feature_selection import r_regression

    return np.abs(np.asarray(r_regression(x, y), np.float64))
