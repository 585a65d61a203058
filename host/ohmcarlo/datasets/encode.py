"""From features to the int8 inputs that the array multiplies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import OhmcarloError, UsageError
from ..posterior_error import PosteriorError
from ..spec import Points
from .laplace import NO_ERROR, Fit, laplace_of_points
from .prior import USUAL, Prior, Widths, widths_by_name
from .scaling import Scaling
from .standard import moments, names_of, shortened, standardised, table_of
from .whitening import Whitening

FORMAT = 3  # version of to_dict
ONE_WIDTH = 2  # the version before, which has one prior width for all weights
SCORE_DIGITS = 9  # chi² scores that agree to so many digits are a tie


@dataclass(frozen=True, eq=False)
class Encoder:
    """An encoding fitted to the training half: selected features, scale and rotation.

    The inputs of a point are its standardised features and a bias, each with its own scale (see
    ``scaling``), or whitened (see ``whitening``). No training input saturates, unless that would
    move the posterior more. The integers are the same on every machine.

    Attributes
    ----------
    data_names : tuple of str (d,)
        All columns of the data.
    columns : int64 (k,)
        The selected columns, in the order of the data.
    mean, scale : float64 (k,)
        Of the training half, in units of the data; scale is the standard deviation (1/n).
    error : PosteriorError
        By how much the integers move the posterior of the training half.
    coordinates : Scaling or Whitening
        From standardised features to inputs, and from sampled weights to those of the features.
    sigma_p : float
        Standard deviation of the prior that ``coordinates`` hold; NaN if it was not stored.
    factors : float64 (k + 1,)
        Of the standardised features and the bias before ``coordinates``: see ``prior``.
    """

    data_names: tuple[str, ...]
    columns: NDArray[np.int64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    error: PosteriorError
    coordinates: Scaling | Whitening
    sigma_p: float
    factors: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        x: ArrayLike,
        y: ArrayLike,
        *,
        feature_names: Sequence[str] | None = None,
        features: int | None = None,
        whiten: bool = False,
        adapt: bool = False,
        sigma_p: Widths = USUAL,
        scaled: bool = True,
        pool: ArrayLike | None = None,
    ) -> Encoder:
        """Fit an encoding to the training half.

        Parameters
        ----------
        x : (n, d)
            Features in units of the data.
        y : (n,)
            Classes, 0 or 1.
        feature_names : sequence of str, optional
            Names of the d columns; default ``x0``, ``x1``, …
        features : int, optional
            Number of features to keep, by largest chi² score; default all. chi² uses the values
            as they are, like ``SelectKBest(chi2)`` of scikit-learn, or values scaled to [0, 1] if
            any is negative. Columns that are constant in the training half are never kept, so the
            result may have fewer features.
        whiten : bool
            Whiten the weights, around a Laplace fit.
        adapt : bool
            Whiten them without a fit, as an array begins to learn: see ``around``.
        sigma_p : float, sequence or mapping
            Standard deviation of the weight prior, per standardised feature: one for all weights;
            one for each of the d columns (and the bias, else 1); or by name (``bias``, and ``*``
            for all others, else 1).
        scaled : bool
            Columns have scales of their own. Otherwise all scales are 1, and extreme inputs are
            clipped. A network needs that, because quadratic points cannot hold the prior of a
            hidden layer; ``error`` is that of a logistic model.
        pool : (m, d), optional
            Further rows, whose classes are not known. Means, standard deviations and the range of
            the inputs are then those of x and pool together: a few labelled points would determine
            them badly.

        Raises UsageError for data that cannot be used.
        """
        x = table_of(x)
        labels = _classes(y, len(x))
        names = names_of(feature_names, x.shape[1])
        if features is not None and not 1 <= features <= x.shape[1]:
            raise UsageError(
                f"features = {features}: the data have {x.shape[1]}; keep 1 to {x.shape[1]}"
            )
        table = x if pool is None else _joined(x, table_of(pool))
        mean, scale = moments(table)
        varying = np.flatnonzero(scale > 0)
        if not len(varying):
            raise UsageError("no feature differs between the training points: nothing to learn")
        columns = _select(table, labels, varying, features)
        mean, scale = mean[columns], scale[columns]
        every = standardised(table[:, columns], mean, scale)
        prior = Prior.of(sigma_p, names, columns)
        scores = every * prior.factors
        standard = scores[: len(x)]
        coordinates: Scaling | Whitening
        if adapt:
            coordinates, error = Whitening.start(standard, prior.sigma_p, scores), NO_ERROR
        elif whiten:
            coordinates, error = Whitening.fit(standard, labels, prior.sigma_p, scores)
        else:
            coordinates, error = Scaling.fit(standard, labels, prior.sigma_p, scaled, scores)
        found = cls(names, columns, mean, scale, error, coordinates, *prior)
        return found._advised(every, scaled)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features kept (k,)."""
        return tuple(self.data_names[c] for c in self.columns)

    @property
    def inputs(self) -> int:
        """Inputs of a point, the bias among them."""
        return len(self.columns) + 1

    @property
    def whitening(self) -> Whitening | None:
        """The coordinates if they are whitened."""
        return self.coordinates if isinstance(self.coordinates, Whitening) else None

    @property
    def spread(self) -> float:
        """Approximate posterior standard deviation of a sampled weight; 1 without whitening.

        Divide a gamma that suits weights of unit spread by it.
        """
        return self.coordinates.spread

    @property
    def sigma(self) -> float:
        """Standard deviation of the prior of a sampled weight that the registers must hold.

        ``inf``: the whole prior is in the training points.
        """
        return self.coordinates.sigma

    def widths(self) -> dict[str, float] | float:
        """Standard deviations of the prior by weight; one number if they are equal."""
        return widths_by_name(self.sigma_p, self.factors, self.feature_names)

    def encode(self, x: ArrayLike, y: ArrayLike | None = None) -> Points:
        """Points of x (n, d), columns as in the data that were fitted; labels zero without y.

        Raises UsageError if the columns differ or a value is not finite.
        """
        standard = self._standard(table_of(x))
        labels = None if y is None else _classes(y, len(standard), both=False).astype(np.uint8)
        coordinates = self.coordinates
        return Points.of(coordinates.inputs(standard), labels, coordinates.offsets(standard))

    def training_points(self, x: ArrayLike, y: ArrayLike) -> Points:
        """The points of a chain: the training half, x (n, d) and y (n,).

        The inputs can differ from ``encode`` in single LSBs (see ``rounding``), and the part of
        the prior that the registers do not hold follows as quadratic points.
        """
        points = self.encode(x, y)
        balanced = self.coordinates.training_inputs(self._standard(table_of(x)), points.labels)
        learnt = Points(balanced, points.labels, points.offsets)
        return learnt.joined(self.coordinates.prior_points())

    def around(
        self,
        x: ArrayLike,
        y: ArrayLike,
        samples: NDArray[np.float64],
        curvature: NDArray[np.float64],
        pool: ArrayLike | None = None,
    ) -> Encoder:
        """The encoder whitened around sampled weights.

        Parameters
        ----------
        x, y, pool : (n, d), (n,), (m, d) or None
            The training half and further rows, as for ``fit``.
        samples : float64 (s, m)
            Samples of the weights, as ``coordinates.weights`` returns them.
        curvature : float64 (n,)
            Mean of p (1 - p) of every training point, over many samples.
        """
        table = table_of(x)
        labels = _classes(y, len(table))
        every = self._standard(table if pool is None else _joined(table, table_of(pool)))
        coordinates, error = Whitening.around(
            every[: len(table)], labels, self.sigma_p, samples, curvature, every
        )
        return replace(self, coordinates=coordinates, error=error)._advised(
            every / self.factors, True
        )

    def posterior(self, x: ArrayLike, y: ArrayLike) -> Fit:
        """Laplace fit of the sampled weights, given the training half."""
        points = self.training_points(x, y)
        return laplace_of_points(points, np.zeros(self.inputs), 1 / self.sigma**2)

    def saturates(self, x: ArrayLike) -> NDArray[np.bool_]:
        """Points of x (n, d) with an input beyond the range of 8 bits, which is cut off there."""
        return self.coordinates.saturates(self._standard(table_of(x)))

    def weights_to_original(self, v: ArrayLike) -> NDArray[np.float64]:
        """Weights per standardised feature, bias last, from sampled weights.

        Both are (n, k + 1); without whitening they are the same.
        """
        sampled = np.asarray(v, np.float64)
        if sampled.shape[-1] != self.inputs:
            raise UsageError(f"{sampled.shape[-1]} weights per sample, expected {self.inputs}")
        return self.coordinates.weights(sampled) * self.factors

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON, from which ``from_dict`` restores the same bits."""
        return {
            "format": FORMAT,
            "data_names": list(self.data_names),
            "columns": self.columns.tolist(),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "error": self.error.to_dict(),
            "whitened": self.whitening is not None,
            "coordinates": self.coordinates.to_dict(),
            "sigma_p": self.sigma_p,
            "factors": self.factors.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Encoder:
        """Restore an encoder. Raises OhmcarloError if ``values`` are not from ``to_dict``."""
        try:
            if values["format"] == ONE_WIDTH:
                one = np.ones(len(values["columns"]) + 1)
                values = {**values, "format": FORMAT, "sigma_p": np.nan, "factors": one.tolist()}
            if values["format"] != FORMAT:
                raise ValueError(f"format {values['format']!r}, this version reads {FORMAT}")
            kind = Whitening if values["whitened"] else Scaling
            found = cls(
                data_names=tuple(str(name) for name in values["data_names"]),
                columns=np.array(values["columns"], np.int64),
                mean=np.array(values["mean"], np.float64),
                scale=np.array(values["scale"], np.float64),
                error=PosteriorError.from_dict(values["error"]),
                coordinates=kind.from_dict(values["coordinates"]),
                sigma_p=float(values["sigma_p"]),
                factors=np.array(values["factors"], np.float64),
            )
            found._validate()
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise OhmcarloError(
                f"the stored encoder is damaged or of another version ({error}): train again"
            ) from error
        return found

    def _validate(self) -> None:
        k, d = len(self.columns), len(self.data_names)
        if self.mean.shape != (k,) or self.scale.shape != (k,):
            raise ValueError(f"{k} columns, {len(self.mean)} means, {len(self.scale)} scales")
        if not k or self.columns.min() < 0 or self.columns.max() >= d:
            raise ValueError(f"columns {self.columns.tolist()} of {d}")
        if not (np.isfinite(self.mean).all() and (self.scale > 0).all()):
            raise ValueError("means must be finite and scales positive")
        if self.factors.shape != (k + 1,) or not (self.factors > 0).all():
            raise ValueError(f"factors of the prior must be {k + 1} positive numbers")
        if len(self.coordinates.prior_inputs) != k + 1:
            raise ValueError(f"{len(self.coordinates.prior_inputs)} weights, not {k + 1}")

    def _advised(self, standard: NDArray[np.float64], scaled: bool) -> Encoder:
        """The same with a remedy if the integers move the posterior."""
        if self.error.trusted:
            return self
        return replace(self, error=replace(self.error, remedy=self._remedy(standard, scaled)))

    def _remedy(self, standard: NDArray[np.float64], scaled: bool) -> str:
        """What a user can do if the integers move the posterior."""
        top = np.abs(standard[:, :-1]).max(axis=0)
        worst = int(top.argmax())
        other = "" if self.whitening or not scaled else ", or whiten the weights (--whiten)"
        return (
            f"column {self.feature_names[worst]!r} reaches {top[worst]:.1f} standard deviations, "
            "too far for 8-bit inputs: take its logarithm or its ranks, drop the outlying rows"
            f"{other}"
        )

    def _standard(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``standardised`` of the selected columns of x (n, d), times the factors."""
        if x.shape[1] != len(self.data_names):
            raise UsageError(
                f"the data have {x.shape[1]} columns, the encoder was fitted on "
                f"{len(self.data_names)}: {shortened(self.data_names)}"
            )
        return standardised(x[:, self.columns], self.mean, self.scale) * self.factors


def hardest_first(terms: ArrayLike) -> NDArray[np.int32]:
    """Order table that visits the most negative term first; equal terms keep their order.

    ``terms`` (n,) are log-likelihoods of the points, in any unit; returns a permutation (n,).
    """
    return np.argsort(np.asarray(terms), kind="stable").astype(np.int32)


def _joined(x: NDArray[np.float64], pool: NDArray[np.float64]) -> NDArray[np.float64]:
    if pool.shape[1] != x.shape[1]:
        raise UsageError(f"the pool has {pool.shape[1]} columns, the training points {x.shape[1]}")
    return np.concatenate([x, pool])


def _classes(y: ArrayLike, n: int, both: bool = True) -> NDArray[np.int64]:
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise UsageError(f"{n} points need {n} labels, got an array of shape {labels.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise UsageError("labels must be 0 or 1")
    if both and len(np.unique(labels)) < 2:
        raise UsageError("all training points are of one class: two are needed to learn")
    return labels.astype(np.int64)


def _select(
    x: NDArray[np.float64], y: NDArray[np.int64], candidates: NDArray[np.int64], k: int | None
) -> NDArray[np.int64]:
    """The k candidate columns with the largest chi² scores, rising. The first wins a tie.

    The first rows of x have the classes y; all rows determine the scale of a column.
    """
    if k is None or k >= len(candidates):
        return candidates
    from sklearn.feature_selection import chi2

    chosen = x[:, candidates]
    low = chosen.min(axis=0)
    if (low < 0).any():  # chi² is defined for amounts
        chosen = (chosen - low) / (chosen.max(axis=0) - low)
    scores, _ = chi2(chosen[: len(y)], y)
    rounded = [float(f"{score:.{SCORE_DIGITS - 1}e}") for score in scores]
    best = np.argsort(-np.array(rounded), kind="stable")[:k]
    return np.sort(candidates[best])
