"""The label column of a table: which one it is, and the classes or numbers in it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..tables import Table, is_missing, number
from .labels import MOST_CLASSES, is_number
from .table_names import column_of, named_column, option

LABEL_NAMES = ("label", "labels", "class", "target", "y", "diagnosis", "outcome")
"""Usual names of a label column, in any case. The first one is written."""
CLASS_MARKS = frozenset(("-", "--", "---", "."))
"""Cells that mean a missing number, and are the name of a class in a label column."""
MIN_ROWS = 8
MIN_PER_CLASS = 2  # one for training, one for the test
LISTED = 10  # classes that a message lists


def usual_labels(table: Table) -> list[int]:
    """The columns with one of LABEL_NAMES."""
    return [c for c, name in enumerate(table.header) if name.lower() in LABEL_NAMES]


def label_column(table: Table, label: str | None, dropped: Sequence[int] = ()) -> int:
    """The column called ``label``; without a name the one of LABEL_NAMES, else the last one.

    ``dropped`` columns are no label. Raises UsageError if there is no such column, or several of
    LABEL_NAMES.
    """
    if label is not None:
        column = named_column(table, label, "--label")
        if column in dropped:
            raise UsageError(
                f"{table.path}: the column {label!r} cannot be the label and be left out: choose "
                "another --label or --drop"
            )
        return column
    usual = [c for c in usual_labels(table) if c not in dropped]
    if len(usual) > 1:
        raise _two_labels(table, usual)
    if usual:
        return usual[0]
    rest = [c for c in range(table.width) if c not in dropped]
    return rest[-1]


def _two_labels(table: Table, columns: Sequence[int]) -> UsageError:
    names = [table.header[c] for c in columns]
    others = option("--drop", names[1:])
    return UsageError(
        f"{table.path}, line {table.header_line}: {', '.join(names[:-1])} and {names[-1]} are "
        f"usual names of a label: choose one, as with {option('--label', names[:1])}, "
        f"and leave out what is no feature, as with {others}"
    )


def where(table: Table, column: int) -> str:
    """The label column in a message."""
    return f"{table.path}, label column {table.header[column]!r}"


def holds_numbers(table: Table, column: int, regression: bool | None = None) -> bool:
    """Whether the labels are numbers to predict: as the user chose, None: by the rule of
    ``labels.is_number``."""
    if regression is not None:
        return regression
    cells = table.column(column)
    values = [number(cell, table.decimal_comma) for cell in cells]
    finite = [value if value is None or math.isfinite(value) else None for value in values]
    return is_number(cells, finite, where(table, column))


def number_labels(table: Table, column: int) -> NDArray[np.float64]:
    """The labels as numbers to predict, float64 (rows,)."""
    y = table.numbers([column])[:, 0]
    if len(y) < MIN_ROWS:
        raise UsageError(f"{table.path}: too few rows ({len(y)}); at least {MIN_ROWS} are needed")
    if np.ptp(y) == 0:
        raise UsageError(
            f"{where(table, column)}: the same in every row, so there is nothing to predict"
        )
    return y


def class_labels(
    table: Table, column: int, positive: str | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class 0, 1, … of every row, and the names of the classes as the file writes them.

    ``positive``: the class of two that is 1. Raises UsageError for labels that cannot be learnt.
    """
    cells = table.column(column)
    _require_labels(table, column, cells)
    values = [number(cell, table.decimal_comma) for cell in cells]
    numeric = [value for value in values if value is not None]
    # by value where all are numbers: 9 before 10, and 1.0 is 1
    y = _ranks(numeric) if len(numeric) == len(cells) else _ranks(cells)
    counts = np.bincount(y)
    first = np.unique(y, return_index=True)[1]
    names = tuple(cells[int(row)] for row in first)
    _check_classes(table, column, names, counts)
    _check_counts(table, names, counts)
    return _with_positive(table, column, y, names, counts, positive)


def known_classes(table: Table, column: int, names: Sequence[str]) -> list[int | None]:
    """Which of ``names`` each cell of a column is, as text or as a number; None: neither."""
    numbers = [number(name, table.decimal_comma) for name in names]
    found: list[int | None] = []
    for cell in table.column(column):
        value = number(cell, table.decimal_comma)
        if cell in names:
            found.append(names.index(cell))
        elif value is not None and value in numbers:
            found.append(numbers.index(value))
        else:
            found.append(None)
    return found


def labels_of_run(table: Table, label: str | None, features: Sequence[int]) -> int | None:
    """The column that holds the labels in new data of a run, None without one.

    ``label``: the name in the training data, None if it is not known. Without such a column, the
    first of LABEL_NAMES that is none of the ``features``.
    """
    column = None if label is None else column_of(table, label)
    if column is not None:
        return column
    usual = [c for c in usual_labels(table) if c not in features]
    return min(usual, key=lambda c: LABEL_NAMES.index(table.header[c].lower()), default=None)


def _require_labels(table: Table, column: int, cells: Sequence[str]) -> None:
    missing = [row for row, cell in enumerate(cells) if is_missing(cell) and not _is_mark(cell)]
    if missing:
        others = f", the first of {len(missing):,} such lines" if len(missing) > 1 else ""
        raise table.error(missing[0], column, f"no label{others}; complete or remove the line")


def _is_mark(cell: str) -> bool:
    return cell in CLASS_MARKS


def _check_classes(
    table: Table, column: int, names: tuple[str, ...], counts: NDArray[np.int64]
) -> None:
    place = where(table, column)
    if len(names) == 1:
        raise UsageError(
            f"{place}: all rows are of class {names[0]!r}; two classes are needed to learn a "
            "difference"
        )
    alike = _alike(names)
    if alike:
        raise UsageError(
            f"{place}: {listed(names, counts)}; {' and '.join(map(repr, alike))} differ only in "
            "their case or their blanks: write them alike"
        )
    if len(names) > MOST_CLASSES:
        raise UsageError(
            f"{place}: {listed(names, counts)}, at most {MOST_CLASSES} are possible; name another "
            "label column with --label, or merge or remove classes"
        )


def _alike(names: Sequence[str]) -> list[str]:
    """Names that are spelt alike, but for case and blanks; empty if there are none."""
    spelt = defaultdict(list)
    for name in names:
        spelt["".join(name.lower().split())].append(name)
    return next((group for group in spelt.values() if len(group) > 1), [])


def listed(names: Sequence[str], counts: NDArray[np.int64]) -> str:
    """The classes with their rows: "3 classes (B 30, M 18, m 12)"."""
    pairs = zip(names[:LISTED], counts.tolist(), strict=False)
    shown = ", ".join(f"{name} {rows}" for name, rows in pairs)
    return f"{len(names)} classes ({shown}{', …' if len(names) > LISTED else ''})"


def _check_counts(table: Table, names: tuple[str, ...], counts: NDArray[np.int64]) -> None:
    if counts.sum() >= MIN_ROWS and counts.min() >= MIN_PER_CLASS:
        return
    fewest = np.sort(np.argsort(counts, kind="stable")[:2])  # the two classes to look at
    first, second = ((counts[c], names[c]) for c in fewest)
    raise UsageError(
        f"{table.path}: too few rows ({first[0]} of class {first[1]!r}, {second[0]} of "
        f"{second[1]!r}); at least {MIN_ROWS} are needed, and {MIN_PER_CLASS} of each class"
    )


def _with_positive(
    table: Table,
    column: int,
    y: NDArray[np.int64],
    names: tuple[str, ...],
    counts: NDArray[np.int64],
    positive: str | None,
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    if positive is None:
        return y, names
    found = _class_called(positive, names)
    if found is None:
        raise UsageError(
            f"{where(table, column)} has no class {positive!r}: {listed(names, counts)}; "
            "--positive takes one of them"
        )
    if len(names) != 2:
        raise UsageError(
            f"{where(table, column)}: {listed(names, counts)}; leave out --positive, which is for "
            "two classes"
        )
    return (y, names) if found == 1 else (1 - y, names[::-1])


def _class_called(name: str, names: Sequence[str]) -> int | None:
    """The class with this name, in any case, or with this number."""
    wanted, value = name.strip(), number(name)
    for c, known in enumerate(names):
        if known == wanted or (value is not None and number(known) == value):
            return c
    lower = [known.lower() for known in names]
    return lower.index(wanted.lower()) if wanted.lower() in lower else None


def _ranks(values: list[float] | list[str]) -> NDArray[np.int64]:
    """Position of every value among the distinct ones, sorted."""
    _, ranks = np.unique(values, return_inverse=True)
    return ranks.astype(np.int64)
