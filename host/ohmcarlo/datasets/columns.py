"""The features that an encoding keeps: their choice, their standardisation, their stored values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import OhmcarloError, UsageError
from .standard import moments, shortened, standardised, table_of

FloatArray = NDArray[np.float64]
Score = Callable[[FloatArray], ArrayLike]
"""Scores of the columns of a table, (n, k) → (k,)."""
SCORE_DIGITS = 9  # scores that agree to so many digits are a tie


def chosen_columns(
    x: FloatArray, features: int | None, score: Score
) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """The columns of x (n, d) to keep, rising, with their means and standard deviations.

    Of the columns that vary, those are kept whose ``score`` is largest; the first wins a tie.
    ``features``: how many, None: all. Raises UsageError for data or a number that cannot be used.
    """
    if features is not None and not 1 <= features <= x.shape[1]:
        raise UsageError(
            f"features = {features}: the data have {x.shape[1]}; keep 1 to {x.shape[1]}"
        )
    mean, scale = moments(x)
    columns = np.flatnonzero(scale > 0)
    if not len(columns):
        raise UsageError("no feature differs between the training points: nothing to learn")
    if features is not None and features < len(columns):
        scores = np.asarray(score(x[:, columns]))
        rounded = [float(f"{value:.{SCORE_DIGITS - 1}e}") for value in scores]
        best = np.argsort(-np.array(rounded), kind="stable")[:features]
        columns = np.sort(columns[best])
    return columns, mean[columns], scale[columns]


class Coordinates(Protocol):
    """From standardised features to inputs, and from sampled weights to those of the features."""

    @property
    def spread(self) -> float: ...

    def weights(self, v: NDArray[np.floating[Any]]) -> FloatArray: ...


class ColumnEncoder:
    """The part of an encoder that does not depend on the kind of label.

    Attributes
    ----------
    data_names : tuple of str (d,)
        All columns of the data.
    columns : int64 (k,)
        The selected columns, in the order of the data.
    mean, scale : float64 (k,)
        Of the training half, in units of the data; scale is the standard deviation (1/n).
    coordinates : Coordinates
    factors : float64 (k + 1,)
        Of the standardised features and the bias before ``coordinates``: see ``prior``.
    """

    data_names: tuple[str, ...]
    columns: NDArray[np.int64]
    mean: FloatArray
    scale: FloatArray
    coordinates: Coordinates
    factors: FloatArray

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features kept (k,)."""
        return tuple(self.data_names[c] for c in self.columns)

    @property
    def inputs(self) -> int:
        """Inputs of a point, the bias among them."""
        return len(self.columns) + 1

    @property
    def spread(self) -> float:
        """Approximate posterior standard deviation of a sampled weight; 1 without whitening.

        Divide a gamma that suits weights of unit spread by it.
        """
        return self.coordinates.spread

    def standard(self, x: ArrayLike) -> FloatArray:
        """Standardised features and the bias: x (n, d) → (n, k + 1).

        Raises UsageError if the columns differ or a value is not finite.
        """
        table = table_of(x)
        if table.shape[1] != len(self.data_names):
            raise UsageError(
                f"the data have {table.shape[1]} columns, the encoder was fitted on "
                f"{len(self.data_names)}: {shortened(self.data_names)}"
            )
        return standardised(table[:, self.columns], self.mean, self.scale)

    def scores(self, x: ArrayLike) -> FloatArray:
        """``standard`` times the factors, which ``coordinates`` start from: (n, k + 1)."""
        return self.standard(x) * self.factors

    def weights_to_original(self, v: ArrayLike) -> FloatArray:
        """Weights per standardised feature, bias last, from sampled weights.

        Both are (n, k + 1); without whitening they are the same.
        """
        sampled = np.asarray(v, np.float64)
        if sampled.shape[-1] != self.inputs:
            raise UsageError(f"{sampled.shape[-1]} weights per sample, expected {self.inputs}")
        return self.coordinates.weights(sampled) * self.factors

    def column_values(self) -> dict[str, Any]:
        """Names, columns and moments for JSON."""
        return {
            "data_names": list(self.data_names),
            "columns": self.columns.tolist(),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
        }

    def validate_columns(self, weights: int) -> None:
        """Raise ValueError unless the restored values fit together.

        ``weights`` is the number of those that ``coordinates`` hold.
        """
        k, d = len(self.columns), len(self.data_names)
        if self.mean.shape != (k,) or self.scale.shape != (k,):
            raise ValueError(f"{k} columns, {len(self.mean)} means, {len(self.scale)} scales")
        if not k or self.columns.min() < 0 or self.columns.max() >= d:
            raise ValueError(f"columns {self.columns.tolist()} of {d}")
        if not (np.isfinite(self.mean).all() and (self.scale > 0).all()):
            raise ValueError("means must be finite and scales positive")
        if self.factors.shape != (k + 1,) or not (self.factors > 0).all():
            raise ValueError(f"factors of the prior must be {k + 1} positive numbers")
        if weights != k + 1:
            raise ValueError(f"{weights} weights, not {k + 1}")


def restored_columns(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of an encoder that ``column_values`` stored, and its factors."""
    return {
        "data_names": tuple(str(name) for name in values["data_names"]),
        "columns": np.array(values["columns"], np.int64),
        "mean": np.array(values["mean"], np.float64),
        "scale": np.array(values["scale"], np.float64),
        "factors": np.array(values["factors"], np.float64),
    }


@contextmanager
def restoring(values: dict[str, Any], newest: int, older: Sequence[int] = ()) -> Iterator[None]:
    """Raise OhmcarloError if ``values`` are of another format, or if the block fails on them."""
    try:
        if values["format"] not in (newest, *older):
            raise ValueError(f"format {values['format']!r}, this version reads {newest}")
        yield
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise OhmcarloError(
            f"the stored encoder is damaged or of another version ({error}): train again"
        ) from error
