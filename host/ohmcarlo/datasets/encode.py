"""From features to the int8 inputs that the array multiplies."""

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
from .laplace import NO_ERROR, Fit, laplace_of_points
from .prior import USUAL, Prior, Widths, widths_by_name
from .scaling import Scaling
from .standard import names_of, require_labels, standardised, table_of
from .whitening import Whitening

FORMAT = 3  # version of to_dict
ONE_WIDTH = 2  # the version before, which has one prior width for all weights


@dataclass(frozen=True, eq=False)
class Encoder(ColumnEncoder):
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

    Examples
    --------
    >>> from ohmcarlo.datasets import Encoder, load
    >>> data = load("breast-cancer")
    >>> train, test = data.split(seed=0)
    >>> encoder = Encoder.fit(data.x[train], data.y[train], features=15)
    >>> points = encoder.encode(data.x[test], data.y[test])
    >>> points.inputs.dtype, points.inputs.shape
    (dtype('int8'), (285, 16))
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

        Raises
        ------
        UsageError
            For data that cannot be used.
        """
        x = table_of(x)
        labels = _classes(y, len(x))
        names = names_of(feature_names, x.shape[1])
        table = x if pool is None else _joined(x, table_of(pool))
        columns, mean, scale = chosen_columns(table, features, lambda chosen: _chi2(chosen, labels))
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
    def whitening(self) -> Whitening | None:
        """The coordinates if they are whitened."""
        return self.coordinates if isinstance(self.coordinates, Whitening) else None

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
        standard = self.scores(x)
        labels = None if y is None else _classes(y, len(standard), both=False).astype(np.uint8)
        coordinates = self.coordinates
        return Points.of(coordinates.inputs(standard), labels, coordinates.offsets(standard))

    def training_points(self, x: ArrayLike, y: ArrayLike) -> Points:
        """The points of a chain: the training half, x (n, d) and y (n,).

        The inputs can differ from ``encode`` in single LSBs (see ``rounding``), and the part of
        the prior that the registers do not hold follows as quadratic points.
        """
        points = self.encode(x, y)
        balanced = self.coordinates.training_inputs(self.scores(x), points.labels)
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
        every = self.scores(table if pool is None else _joined(table, table_of(pool)))
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
        return self.coordinates.saturates(self.scores(x))

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON, from which ``from_dict`` restores the same bits."""
        return {
            "format": FORMAT,
            **self.column_values(),
            "error": self.error.to_dict(),
            "whitened": self.whitening is not None,
            "coordinates": self.coordinates.to_dict(),
            "sigma_p": self.sigma_p,
            "factors": self.factors.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Encoder:
        """Restore an encoder. Raises OhmcarloError if ``values`` are not from ``to_dict``."""
        with restoring(values, FORMAT, older=(ONE_WIDTH,)):
            if values["format"] == ONE_WIDTH:
                one = np.ones(len(values["columns"]) + 1)
                values = {**values, "sigma_p": np.nan, "factors": one.tolist()}
            kind = Whitening if values["whitened"] else Scaling
            found = cls(
                **restored_columns(values),
                error=PosteriorError.from_dict(values["error"]),
                coordinates=kind.from_dict(values["coordinates"]),
                sigma_p=float(values["sigma_p"]),
            )
            found.validate_columns(len(found.coordinates.prior_inputs))
        return found

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


def hardest_first(terms: ArrayLike) -> NDArray[np.int32]:
    """Order table that visits the most negative term first; equal terms keep their order.

    ``terms`` (n,) are log-likelihoods of the points, in any unit; returns a permutation (n,).

    Examples
    --------
    >>> from ohmcarlo.datasets import hardest_first
    >>> hardest_first([-0.1, -2.0, -0.5]).tolist()
    [1, 2, 0]
    """
    return np.argsort(np.asarray(terms), kind="stable").astype(np.int32)


def _joined(x: NDArray[np.float64], pool: NDArray[np.float64]) -> NDArray[np.float64]:
    if pool.shape[1] != x.shape[1]:
        raise UsageError(f"the pool has {pool.shape[1]} columns, the training points {x.shape[1]}")
    return np.concatenate([x, pool])


def _classes(y: ArrayLike, n: int, both: bool = True) -> NDArray[np.int64]:
    labels = np.asarray(y)
    require_labels(labels, n)
    if not np.isin(labels, (0, 1)).all():
        raise UsageError("labels must be 0 or 1")
    if both and len(np.unique(labels)) < 2:
        raise UsageError("all training points are of one class: two are needed to learn")
    return labels.astype(np.int64)


def _chi2(x: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """chi² scores of the columns of x (n, k).

    The first rows of x have the classes y; all rows determine the scale of a column.
    """
    from sklearn.feature_selection import chi2

    low = x.min(axis=0)
    if (low < 0).any():  # chi² is defined for amounts
        x = (x - low) / (x.max(axis=0) - low)
    scores, _ = chi2(x[: len(y)], y)
    return np.asarray(scores, np.float64)
