"""From features to the int8 inputs that the array multiplies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import OhmcarloError, UsageError
from ..posterior_error import PosteriorError
from ..spec import Points
from .csvfile import MAX_MAGNITUDE
from .laplace import Fit, laplace_of_points
from .scaling import Scaling
from .whitening import Whitening

FORMAT = 2  # version of to_dict
ALIKE = 1e-12  # a column with a smaller relative spread is constant up to rounding
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
    """

    data_names: tuple[str, ...]
    columns: NDArray[np.int64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    error: PosteriorError
    coordinates: Scaling | Whitening

    @classmethod
    def fit(
        cls,
        x: ArrayLike,
        y: ArrayLike,
        *,
        feature_names: Sequence[str] | None = None,
        features: int | None = None,
        whiten: bool = False,
        sigma_p: float = 1.0,
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
        sigma_p : float
            Standard deviation of the weight prior, per standardised feature.
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
        x = _table(x)
        labels = _classes(y, len(x))
        names = _names(feature_names, x.shape[1])
        if features is not None and not 1 <= features <= x.shape[1]:
            raise UsageError(
                f"features = {features}: the data have {x.shape[1]}; keep 1 to {x.shape[1]}"
            )
        table = x if pool is None else _joined(x, _table(pool))
        mean, scale = _moments(table)
        varying = np.flatnonzero(scale > 0)
        if not len(varying):
            raise UsageError("no feature differs between the training points: nothing to learn")
        columns = _select(table, labels, varying, features)
        mean, scale = mean[columns], scale[columns]
        every = _standardised(table[:, columns], mean, scale)
        standard = every[: len(x)]
        coordinates: Scaling | Whitening
        if whiten:
            coordinates, error = Whitening.fit(standard, labels, sigma_p, every)
        else:
            coordinates, error = Scaling.fit(standard, labels, sigma_p, scaled, every)
        found = cls(names, columns, mean, scale, error, coordinates)
        remedy = found._remedy(every, scaled)
        return found if error.trusted else replace(found, error=replace(error, remedy=remedy))

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

    def encode(self, x: ArrayLike, y: ArrayLike | None = None) -> Points:
        """Points of x (n, d), columns as in the data that were fitted; labels zero without y.

        Raises UsageError if the columns differ or a value is not finite.
        """
        standard = self._standard(_table(x))
        labels = None if y is None else _classes(y, len(standard), both=False).astype(np.uint8)
        coordinates = self.coordinates
        return Points.of(coordinates.inputs(standard), labels, coordinates.offsets(standard))

    def training_points(self, x: ArrayLike, y: ArrayLike) -> Points:
        """The points of a chain: the training half, x (n, d) and y (n,).

        The inputs can differ from ``encode`` in single LSBs (see ``rounding``), and the part of
        the prior that the registers do not hold follows as quadratic points.
        """
        points = self.encode(x, y)
        balanced = self.coordinates.training_inputs(self._standard(_table(x)), points.labels)
        learnt = Points(balanced, points.labels, points.offsets)
        return learnt.joined(self.coordinates.prior_points())

    def posterior(self, x: ArrayLike, y: ArrayLike) -> Fit:
        """Laplace fit of the sampled weights, given the training half."""
        points = self.training_points(x, y)
        return laplace_of_points(points, np.zeros(self.inputs), 1 / self.sigma**2)

    def saturates(self, x: ArrayLike) -> NDArray[np.bool_]:
        """Points of x (n, d) with an input beyond the range of 8 bits, which is cut off there."""
        return self.coordinates.saturates(self._standard(_table(x)))

    def weights_to_original(self, v: ArrayLike) -> NDArray[np.float64]:
        """Weights per standardised feature, bias last, from sampled weights.

        Both are (n, k + 1); without whitening they are the same.
        """
        sampled = np.asarray(v, np.float64)
        if sampled.shape[-1] != self.inputs:
            raise UsageError(f"{sampled.shape[-1]} weights per sample, expected {self.inputs}")
        return self.coordinates.weights(sampled)

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
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Encoder:
        """Restore an encoder. Raises OhmcarloError if ``values`` are not from ``to_dict``."""
        try:
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
        if len(self.coordinates.prior_inputs) != k + 1:
            raise ValueError(f"{len(self.coordinates.prior_inputs)} weights, not {k + 1}")

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
        """``_standardised`` of the selected columns of x (n, d)."""
        if x.shape[1] != len(self.data_names):
            raise UsageError(
                f"the data have {x.shape[1]} columns, the encoder was fitted on "
                f"{len(self.data_names)}: {_shortened(self.data_names)}"
            )
        return _standardised(x[:, self.columns], self.mean, self.scale)


def hardest_first(terms: ArrayLike) -> NDArray[np.int32]:
    """Order table that visits the most negative term first; equal terms keep their order.

    ``terms`` (n,) are log-likelihoods of the points, in any unit; returns a permutation (n,).
    """
    return np.argsort(np.asarray(terms), kind="stable").astype(np.int32)


def _table(x: ArrayLike) -> NDArray[np.float64]:
    try:
        table = np.ascontiguousarray(x, np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the features are not a table of numbers: {error}") from error
    if table.ndim != 2:
        raise UsageError(f"the features have {table.ndim} dimensions: give a table (n, d)")
    bad = ~(np.abs(table) <= MAX_MAGNITUDE)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise UsageError(
            f"row {row}, column {column} is {table[row, column]:g}: "
            "give finite numbers of reasonable size"
        )
    return table


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


def _names(names: Sequence[str] | None, d: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"x{i}" for i in range(d))
    if len(names) != d:
        raise UsageError(f"{len(names)} feature names for {d} columns")
    return tuple(str(name) for name in names)


def _moments(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (1/n) of every column; the latter is 0 where it is constant.

    ``math.fsum`` rounds once, at the end, so that the order of summation does not matter.
    """
    n = len(x)
    mean, scale = np.empty(x.shape[1]), np.empty(x.shape[1])
    for j, column in enumerate(x.T):
        mean[j] = math.fsum(column) / n
        deviation = column - mean[j]
        largest = float(np.abs(deviation).max())
        if largest <= ALIKE * float(np.abs(column).max()):
            scale[j] = 0.0
            continue
        # relative to the largest, squares neither overflow nor vanish
        scale[j] = largest * math.sqrt(math.fsum((deviation / largest) ** 2) / n)
    return mean, scale


def _standardised(
    x: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Standard scores, the bias 1 at the end: (n, k + 1).

    Every operation is correctly rounded by IEEE 754, so that all machines agree.
    """
    return np.hstack([(x - mean) / scale, np.ones((len(x), 1))])


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


def _shortened(names: Sequence[str], shown: int = 6) -> str:
    return ", ".join(names[:shown]) + (", …" if len(names) > shown else "")
