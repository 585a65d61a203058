"""What a data set is, and how it is halved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError


@dataclass(frozen=True, eq=False)
class Dataset:
    """A two-class problem, as read: nothing is scaled or selected yet.

    Attributes
    ----------
    name : str
    x : float64 (n, d)
        Finite numbers, in the units of the source.
    y : int64 (n,)
        0 or 1.
    feature_names : tuple of str (d,)
    class_names : (str, str)
        Names of class 0 (negative) and class 1 (positive).
    description : str
        One line.
    source : str
        Where it comes from, and the licence where there is one.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.int64]
    feature_names: tuple[str, ...]
    class_names: tuple[str, str]
    description: str
    source: str

    def __len__(self) -> int:
        return len(self.y)


def split_half(
    labels: NDArray[np.integer], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two halves with equal shares of the classes: rows to learn from, rows held out.

    ``labels`` is 0/1 (n,). The rows are those that scikit-learn's ``train_test_split`` gives for
    this ``random_state``, in rising order; of an odd number the larger part is held out. Raises
    UsageError when a class has fewer than two points.
    """
    from sklearn.model_selection import train_test_split

    if np.bincount(labels, minlength=2).min() < 2:
        raise UsageError("each class needs at least two points: one to learn from, one to test")
    rows = np.arange(len(labels), dtype=np.int64)
    train, test = train_test_split(rows, test_size=0.5, stratify=labels, random_state=seed)
    return np.sort(train), np.sort(test)
