"""Tables of features, checked and standardised in the same way on every machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UsageError

MAX_MAGNITUDE = 1e100  # squares and sums of squares stay finite
ALIKE = 1e-12  # a column with a smaller relative spread is constant up to rounding


def table_of(x: ArrayLike) -> NDArray[np.float64]:
    """A table of features as float64 (n, d); UsageError for anything else."""
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


def names_of(names: Sequence[str] | None, d: int) -> tuple[str, ...]:
    """Names of the d columns of a table, ``x0``, ``x1``, … by default."""
    if names is None:
        return tuple(f"x{i}" for i in range(d))
    if len(names) != d:
        raise UsageError(f"{len(names)} feature names for {d} columns")
    return tuple(str(name) for name in names)


def require_labels(labels: NDArray[Any], n: int) -> None:
    """Raise UsageError unless there is one label for each of the n points."""
    if labels.shape != (n,):
        raise UsageError(f"{n} points need {n} labels, got an array of shape {labels.shape}")


def moments(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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


def standardised(
    x: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Standard scores, the bias 1 at the end: (n, k + 1).

    Every operation is correctly rounded by IEEE 754, so that all machines agree.
    """
    return np.hstack([(x - mean) / scale, np.ones((len(x), 1))])


def shortened(names: Sequence[str], shown: int = 6) -> str:
    """The first names of many, for a message."""
    return ", ".join(names[:shown]) + (", …" if len(names) > shown else "")
