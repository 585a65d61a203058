"""What a data set is, and how it is divided into what is learnt from and what is held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

Split = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class GroupSplit:
    """A division that a data set brings itself: no group is on both sides.

    Attributes
    ----------
    groups : int64 or str (n,)
        What belongs together: a patient, a device, a day.
    train, test : bool (n,)
        Rows that may be learnt from, rows that are held out. Rows may be neither.
    per_class : int
        Rows of each class that a training draws, spread over the groups.
    """

    groups: NDArray[np.int64] | NDArray[np.str_]
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    per_class: int

    def __post_init__(self) -> None:
        both = np.intersect1d(self.groups[self.train], self.groups[self.test])
        if len(both):
            raise UsageError(
                f"groups to learn from and held out at once: {', '.join(map(str, both))}"
            )

    def rows(self, labels: NDArray[np.integer], seed: int) -> Split:
        """Rows to learn from, drawn by ``seed``, and all rows held out, both rising.

        ``labels`` is 0/1 (n,). The groups take turns, in random order, and each gives one random
        row a turn, so that none outweighs the others as long as it has any.
        """
        rng = np.random.default_rng(seed)
        drawn = []
        for value in (0, 1):
            rows = np.flatnonzero(self.train & (labels == value))
            if len(rows) < self.per_class:
                raise UsageError(f"class {value}: {len(rows)} rows, {self.per_class} are needed")
            rows = rng.permutation(rows)
            drawn.append(rows[take_turns(self.groups[rows], rng)[: self.per_class]])
        return np.sort(np.concatenate(drawn)), np.flatnonzero(self.test)


def take_turns(
    groups: NDArray[np.int64] | NDArray[np.str_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Indices of ``groups`` (n,) such that each group has its first row before any has a second."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    by_group = np.argsort(group, kind="stable")
    turn = np.empty(len(groups), np.int64)
    turn[by_group] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.lexsort((rng.random(len(groups)), turn))


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
    own_split : GroupSplit or None
        How it is divided; None: into random halves.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.int64]
    feature_names: tuple[str, ...]
    class_names: tuple[str, str]
    description: str
    source: str
    own_split: GroupSplit | None = None

    def __len__(self) -> int:
        return len(self.y)

    def split(self, seed: int) -> Split:
        """Rows to learn from and rows held out, both rising; equal seeds give equal rows."""
        if self.own_split is not None:
            return self.own_split.rows(self.y, seed)
        return split_half(self.y, seed)


def split_half(labels: NDArray[np.integer], seed: int) -> Split:
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
