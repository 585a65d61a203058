"""A CSV file with a label column as numbers, or one clear line about what is wrong with it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

LABEL_NAMES = ("label", "class", "target", "y", "diagnosis")
MIN_ROWS = 8


def read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Non-empty lines of a CSV file with their line numbers, cells stripped of blanks."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, [c.strip() for c in row]) for row in reader]
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a text file: give a CSV file in UTF-8") from error
    except csv.Error as error:
        raise UsageError(f"{path} is not a CSV file: {error}") from error
    rows = [(line, row) for line, row in rows if any(row)]
    if not rows:
        raise UsageError(f"{path} is empty: it needs rows of numbers and a label column")
    return rows


def is_number(cell: str) -> bool:
    """Whether ``cell`` reads as a number (nan and inf do: ``number`` refuses them)."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def number(path: Path, line: int, column: str, cell: str) -> float:
    """The finite number in a cell; raises UsageError naming file, line and column."""
    value = float(cell) if is_number(cell) else np.nan
    if not np.isfinite(value):
        found = "is empty" if not cell else f"{cell!r} is not a finite number"
        raise UsageError(
            f"{path}, line {line}, column {column!r}: {found}; fill in or remove the row"
        )
    return value


def read_labelled(
    path: Path,
) -> tuple[NDArray[np.float64], NDArray[np.int64], tuple[str, ...], tuple[str, str]]:
    """x (n, d), y 0/1 (n,), feature names, class names.

    A first line with a cell that is no number is a header. The label column is the one named
    label, class, target, y or diagnosis, or else the last. Of the two classes the one that sorts
    last (1 after 0, ``malignant`` after ``benign``) is the positive one.
    """
    rows = read_rows(path)
    names = _header(path, rows)
    width = len(names)
    if width < 2:
        raise UsageError(f"{path} has one column: it needs features and a label column")
    for line, row in rows:
        if len(row) != width:
            raise UsageError(f"{path}, line {line}: {len(row)} columns, expected {width}")
    label = next((i for i, n in enumerate(names) if n.lower() in LABEL_NAMES), width - 1)
    classes, y = _labels(path, [(line, row[label]) for line, row in rows])
    if len(rows) < MIN_ROWS:
        raise UsageError(f"{path} has {len(rows)} rows: at least {MIN_ROWS} are needed")
    keep = [i for i in range(width) if i != label]
    x = np.array([[number(path, line, names[i], row[i]) for i in keep] for line, row in rows])
    return x, y, tuple(names[i] for i in keep), classes


def _header(path: Path, rows: list[tuple[int, list[str]]]) -> list[str]:
    first = rows[0][1]
    later = rows[1][1] if len(rows) > 1 else []
    looks_like_data = all(is_number(c) for c in first[:-1]) or (
        # a label column of words in every line is no sign of a header
        sum(not is_number(c) for c in first) <= sum(not is_number(c) for c in later) == 1
    )
    if looks_like_data:
        return [f"x{i}" for i in range(len(first))]
    del rows[0]
    if not rows:
        raise UsageError(f"{path} has a header and no data")
    twice = sorted({n for n in first if first.count(n) > 1})
    if twice:
        raise UsageError(f"{path}: the column name {twice[0]!r} stands twice in the header")
    return first


def _labels(
    path: Path, cells: Sequence[tuple[int, str]]
) -> tuple[tuple[str, str], NDArray[np.int64]]:
    for line, cell in cells:
        if not cell:
            raise UsageError(f"{path}, line {line}: the label is empty")
    found = {cell for _, cell in cells}
    numeric = all(is_number(c) for c in found)
    order = sorted(found, key=float) if numeric else sorted(found)
    if len(order) != 2:
        some = ", ".join(order[:5]) + (", …" if len(order) > 5 else "")
        raise UsageError(
            f"{path}: the label column has {len(order)} class{'es' * (len(order) != 1)} ({some}); "
            "two are needed"
        )
    return (order[0], order[1]), np.array([order.index(cell) for _, cell in cells], np.int64)
