"""Data sets, and their division into training and held-out rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..imports import without_collection
from ..readable import count

Split = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class GroupSplit:
    """The own division of a data set. No group is on both sides.

    Attributes
    ----------
    groups : int64 or str (n,)
        Group of each row: a patient, a device, a day.
    train, test : bool (n,)
        Rows for training, rows that are held out. A row may be neither.
    per_class : int
        Rows of each class in a training set, spread over the groups.
    fewer : bool
        Whether a class with fewer rows gives all that it has; otherwise it is an error.
    """

    groups: NDArray[np.int64] | NDArray[np.str_]
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    per_class: int
    fewer: bool = False

    def __post_init__(self) -> None:
        both = np.intersect1d(self.groups[self.train], self.groups[self.test])
        if len(both):
            raise UsageError(
                f"groups to learn from and held out at once: {', '.join(map(str, both))}"
            )

    def rows(self, labels: NDArray[np.integer], seed: int) -> Split:
        """Training rows, drawn by ``seed``, and all held-out rows, both rising.

        ``labels`` is 0, 1, … (n,). Rows are drawn in rounds: each round takes one random row of
        every group that has one left, in random order.
        """
        rng = np.random.default_rng(seed)
        drawn = []
        needed = 1 if self.fewer else self.per_class
        for value in range(int(labels.max()) + 1):
            rows = np.flatnonzero(self.train & (labels == value))
            if len(rows) < needed:
                raise UsageError(f"class {value}: {len(rows)} rows, {needed} are needed")
            rows = rng.permutation(rows)
            drawn.append(rows[take_turns(self.groups[rows], rng)[: self.per_class]])
        return np.sort(np.concatenate(drawn)), np.flatnonzero(self.test)


def take_turns(
    groups: NDArray[np.int64] | NDArray[np.str_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Indices of ``groups`` (n,), ordered so that every group is used once before any is reused."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    by_group = np.argsort(group, kind="stable")
    turn = np.empty(len(groups), np.int64)
    turn[by_group] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.lexsort((rng.random(len(groups)), turn))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A problem as read, without scaling or selection.

    Attributes
    ----------
    name : str
    x : float64 (n, d)
        Finite numbers, in the units of the source.
    y : int64 (n,) or float64 (n,)
        Class of each row: 0 or 1, or 0, 1, … if there are more than two. Otherwise the numbers to
        predict, in the units of the source.
    feature_names : tuple of str (d,)
    class_names : tuple of str
        Names of the classes; of two, class 0 is the negative and class 1 the positive one. Empty
        for numbers.
    description : str
        One line.
    source : str
        Origin, and licence if there is one.
    own_split : GroupSplit or None
        Its own division; None: random halves.
    label : str
        Name of the label column of a file.
    recognised : tuple of str
        The layout of a file, phrases for one line.
    left_out : tuple of str
        Columns of a file that are neither feature nor label.
    notes : tuple of str
        Warnings about a file, for the user.

    Examples
    --------
    >>> from ohmcarlo.datasets import load
    >>> data = load("toy2d")
    >>> len(data), data.feature_names, data.numeric
    (200, ('x1', 'x2'), False)
    >>> train, test = data.split(seed=0)
    >>> len(train), len(test)
    (100, 100)
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[Any]
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    description: str
    source: str
    own_split: GroupSplit | None = None
    label: str = ""
    recognised: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    @property
    def numeric(self) -> bool:
        """Whether the labels are numbers to predict."""
        return not self.class_names

    def summary(self) -> str:
        """One line: layout of the file, label, classes, rows and features.

        Of two classes, the positive one is marked.
        """
        label = f"label {self.label!r}: " if self.label else ""
        without = f" (without {', '.join(self.left_out)})" if self.left_out else ""
        return ", ".join(
            (
                *self.recognised,
                f"{label}{self._answers()}",
                count(len(self.y), "row"),
                f"{count(len(self.feature_names), 'feature')}{without}",
            )
        )

    def _answers(self) -> str:
        if self.numeric:
            return f"numbers from {self.y.min():.6g} to {self.y.max():.6g}"
        numbered = [f"{name} = {c}" for c, name in enumerate(self.class_names)]
        if self.class_names == tuple(map(str, range(len(numbered)))):
            numbered = list(self.class_names)
        return ", ".join(numbered) + (" (positive)" if len(numbered) == 2 else "")

    def origin(self) -> dict[str, Any]:
        """``summary`` and its parts for JSON."""
        return {
            "recognised": self.summary(),
            "label": self.label or None,
            "positive": self.class_names[1] if len(self.class_names) == 2 else None,
            "left_out": list(self.left_out),
        }

    def surely_varying(self) -> int:
        """Number of features that vary in every half of the rows.

        The rows that differ from the most frequent value are more than those that can be held out.
        """
        held_out = -(-len(self) // 2)
        return sum(
            len(column) - int(np.unique(column, return_counts=True)[1].max()) > held_out
            for column in self.x.T
        )

    def split(self, seed: int, train_points: int | None = None) -> Split:
        """Training rows and held-out rows, both rising. Equal seeds give equal rows.

        ``train_points``: keep so many of the training rows, with the shares of the classes; None:
        all. The held-out rows are the same. Raises UsageError if there are too few.
        """
        train, test = self._halves(seed)
        if train_points is not None:
            train = some_of(train, None if self.numeric else self.y, seed, train_points)
        return train, test

    def _halves(self, seed: int) -> Split:
        if self.numeric:
            return split_rows(len(self.y), seed)
        if self.own_split is not None:
            return self.own_split.rows(self.y, seed)
        return split_half(self.y, seed)


def some_of(
    rows: NDArray[np.int64], labels: NDArray[np.integer] | None, seed: int, count: int
) -> NDArray[np.int64]:
    """``count`` of the ``rows``, rising, drawn with the shares of the classes ``labels`` of all
    rows (None: there are no classes). Raises UsageError if a class would have none."""
    with without_collection():
        from sklearn.model_selection import train_test_split

    classes = None if labels is None else labels[rows]
    least = 2 if classes is None else len(np.unique(classes))
    if not least <= count <= len(rows):
        raise UsageError(
            f"train_points = {count}: choose {least} to {len(rows)}, the points to learn from"
        )
    if len(rows) - count < least:  # too few are left out to have all classes
        return rows[:count]
    kept, _ = train_test_split(rows, train_size=count, stratify=classes, random_state=seed)
    return np.sort(kept)


def split_half(labels: NDArray[np.integer], seed: int) -> Split:
    """Two halves with equal shares of the classes: training rows, held-out rows.

    ``labels`` is 0, 1, … (n,). The rows are those that scikit-learn's ``train_test_split`` gives
    for this ``random_state``, in rising order. Of an odd number, the larger part is held out.

    Raises
    ------
    UsageError
        If a class has fewer than two points.

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.datasets import split_half
    >>> train, test = split_half(np.array([0, 0, 0, 0, 1, 1]), seed=0)
    >>> sorted([*train.tolist(), *test.tolist()])
    [0, 1, 2, 3, 4, 5]
    """
    with without_collection():
        from sklearn.model_selection import train_test_split

    if np.bincount(labels, minlength=2).min() < 2:
        raise UsageError("each class needs at least two points: one to learn from, one to test")
    rows = np.arange(len(labels), dtype=np.int64)
    train, test = train_test_split(rows, test_size=0.5, stratify=labels, random_state=seed)
    return np.sort(train), np.sort(test)


def split_rows(n: int, seed: int) -> Split:
    """Two halves of ``n`` rows, as ``split_half`` without classes."""
    with without_collection():
        from sklearn.model_selection import train_test_split

    rows = np.arange(n, dtype=np.int64)
    train, test = train_test_split(rows, test_size=0.5, random_state=seed)
    return np.sort(train), np.sort(test)
