"""The features of a table: which columns they are, and the numbers in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..readable import count
from ..tables import AS_NAN, NotANumber, Table, is_missing, number
from ..tables.cells import not_a_number, shown
from .label_column import usual_labels
from .labels import MOST_CLASSES
from .standard import MAX_MAGNITUDE
from .table_names import named_column, option, second_column

INDEX_NAMES = ("", "unnamed: 0", "index", "level_0")
"""Names of a first column that pandas gives its row numbers, in lower case."""
EQUAL_STEPS = 1e-9  # relative, for the rounding of decimals
LISTED = 6  # values of a column that a message lists
SHORT = 20  # characters of each
REPEATED_SAMPLE = 1000  # rows that can already show that a column does not repeat the label

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Features:
    """The features of a table.

    Attributes
    ----------
    names : tuple of str (d,)
    x : float64 (n, d)
    left_out : tuple of str
        Columns that are neither feature nor label.
    notes : tuple of str
        What was left out without an option, and which columns may not be features.
    """

    names: tuple[str, ...]
    x: FloatArray
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def dropped_columns(table: Table, drop: Sequence[str]) -> list[int]:
    """The columns that the user leaves out: each entry names one, or several between commas."""
    found = []
    for entry in drop:
        single = entry.strip() in table.header or "," not in entry
        names = [entry] if single else entry.split(",")
        found += [named_column(table, name.strip(), "--drop") for name in names if name.strip()]
    return sorted(set(found))


def index_column(table: Table) -> int | None:
    """The first column if it holds the row numbers or row names that pandas writes."""
    if not len(table) or table.header[0].lower() not in INDEX_NAMES:
        return None
    cells = table.column(0)
    if len(set(cells)) < len(cells) or any(map(is_missing, cells)):
        return None
    whole = all((v := number(cell)) is not None and v.is_integer() for cell in cells)
    words = all(number(cell) is None and number(cell, True) is None for cell in cells)
    return 0 if whole or (words and not table.header[0]) else None


def features_of(table: Table, label: int, dropped: Sequence[int]) -> Features:
    """The columns that are neither label nor left out, as numbers.

    Raises UsageError for names or cells that cannot be used.
    """
    index = index_column(table)
    notes = []
    rest = [c for c in range(table.width) if c not in (label, index) and c not in dropped]
    if index is not None and index not in (label, *dropped):
        notes.append(_index_note(table))
    _check_names(table, [label, *rest])
    empty = _empty_columns(table, rest)
    if empty:
        names = ", ".join(table.header[c] for c in empty)
        notes.append(f"{table.path}: left out, without any value: {names}")
    columns = [c for c in rest if c not in empty]
    if not columns:
        raise UsageError(f"{table.path}: no feature is left beside the label; keep at least one")
    x = feature_numbers(table, columns)
    notes += _doubts(table, columns, x, label)
    left_out = [c for c in range(table.width) if c not in (label, *columns)]
    return Features(
        names=tuple(table.header[c] for c in columns),
        x=x,
        left_out=tuple(table.header[c] or "the row numbers" for c in left_out),
        notes=tuple(notes),
    )


def feature_numbers(table: Table, columns: Sequence[int], may_drop: bool = True) -> FloatArray:
    """The cells of some columns as finite numbers, float64 (rows, columns).

    ``may_drop``: a message can advise to leave a column out. Raises UsageError with the place.
    """
    try:
        x = table.numbers(columns, AS_NAN)
    except NotANumber as error:
        raise _text_error(table, error.row, error.column, may_drop) from error
    missing = np.flatnonzero(np.isnan(x).any(axis=0)).tolist()
    if missing:
        names = [table.header[columns[j]] for j in missing]
        drop = f", or leave out the columns with {option('--drop', names)}" if may_drop else ""
        raise table.missing_error(columns, x, f"fill it in or remove the line{drop}")
    large = np.abs(x) > MAX_MAGNITUDE
    if large.any():
        row, j = np.argwhere(large)[0].tolist()
        cell = shown(table.cell(row, columns[j]))
        raise table.error(row, columns[j], f"{cell} is not a finite number of reasonable size")
    return x


def _check_names(table: Table, columns: Sequence[int]) -> None:
    for column in sorted(columns):
        name = table.header[column]
        if not name:
            raise table.header_error(
                column, "the column has no name; give it one, or remove the column"
            )
        if name in table.header[:column]:
            raise second_column(table, column)


def _empty_columns(table: Table, columns: Sequence[int]) -> list[int]:
    """The columns without any value."""
    if not len(table):
        return []
    first = table.rows[0]
    maybe = [c for c in columns if is_missing(first[c])]
    return [c for c in maybe if all(is_missing(cell) for cell in table.column(c))]


def _index_note(table: Table) -> str:
    name = table.header[0]
    called = f"the first column {name!r}" if name else "the first column, which has no name,"
    return (
        f"{table.path}: {called} looks like the row numbers that pandas writes: left out; write "
        "the file with to_csv(…, index=False) or remove the column"
    )


def _text_error(table: Table, row: int, column: int, may_drop: bool) -> UsageError:
    """The error about text in a feature, which tells how to encode it."""
    cells = table.column(column)
    problem = not_a_number(cells[row])
    texts = Counter(
        cell for cell in cells if not is_missing(cell) and number(cell, table.decimal_comma) is None
    )
    name = table.header[column]
    leave = f"leave it out with {option('--drop', [name])}" if may_drop else ""
    drop = f", or {leave}" if leave else ""
    few = sum(texts.values()) <= max(1, len(cells) // 10)
    known = ";" in problem  # the problem has its own remedy
    if few or known:
        problem += f" ({count(sum(texts.values()), 'such cell')} of {len(cells):,})"
        return table.error(row, column, f"{problem}{'' if known else '; correct the column'}{drop}")
    listed = [text if len(text) <= SHORT else f"{text[:SHORT]}…" for text in sorted(texts)[:LISTED]]
    values = ", ".join(listed) + (", …" if len(texts) > LISTED else "")
    problem += f"; the column has {count(len(texts), 'value')} of text: {values}"
    if len(texts) == len(cells) and all(text[0].isalpha() for text in texts):
        return table.error(row, column, f"{problem}; it names the rows{leave and f': {leave}'}")
    if len(texts) > MOST_CLASSES:  # units, currencies, dates
        return table.error(row, column, f"{problem}; write plain numbers, without units{drop}")
    encode = "write a column of 0 and 1 for each value, as pandas.get_dummies does"
    if may_drop:
        drop += f"; if it holds the classes, pass {option('--label', [name])}"
    return table.error(row, column, f"{problem}; {encode}{drop}")


def _doubts(table: Table, columns: Sequence[int], x: FloatArray, label: int) -> list[str]:
    """Notes about columns that are learnt from and look like no feature."""
    names = [table.header[c] for c in columns]
    counters = [name for name, v in zip(names, x.T, strict=True) if _counts_rows(v)]
    labels = [table.header[c] for c in usual_labels(table) if c in columns]
    repeated = _repeats_of_label(table, names, x, label)
    ids = [
        name
        for name, v in zip(names, x.T, strict=True)
        if name not in counters and _is_identifier(v)
    ]
    kinds = (
        (counters, "only counts the rows", "only count the rows"),
        (ids, "has another whole number in every row, as an identifier has",
         "have another whole number in every row, as identifiers have"),
        (repeated, "repeats the label", "repeat the label"),
        ([n for n in labels if n not in repeated], "has a usual name of a label",
         "have usual names of a label"),
    )  # fmt: skip
    return [
        f"{table.path}: {'column' if len(found) == 1 else 'columns'} {', '.join(found)} "
        f"{one if len(found) == 1 else many}; unless it is a feature, leave it out with "
        f"{option('--drop', found)}"
        for found, one, many in kinds
        if found
    ]


def _counts_rows(values: FloatArray) -> bool:
    """Whether all steps from a row to the next one are equal."""
    steps = np.diff(values)
    if len(steps) < 2 or steps[0] == 0:
        return False
    room = EQUAL_STEPS * max(abs(float(steps[0])), float(np.abs(values).max()))
    return bool(np.abs(steps - steps[0]).max() <= room)


def _is_identifier(values: FloatArray) -> bool:
    """Whether every row has another whole number."""
    return bool((values == np.rint(values)).all()) and len(np.unique(values)) == len(values)


def _repeats_of_label(table: Table, names: Sequence[str], x: FloatArray, label: int) -> list[str]:
    """The features with a value of its own for every class."""
    cells = np.array(table.column(label))
    _, y = np.unique(cells, return_inverse=True)
    classes = int(y.max()) + 1
    if classes > MOST_CLASSES:
        return []
    found = []
    for name, values in zip(names, x.T, strict=True):
        if len(np.unique(values[:REPEATED_SAMPLE])) > classes:
            continue
        pairs = len(np.unique(np.stack([values, y]), axis=1).T)
        if pairs == classes == len(np.unique(values)):
            found.append(name)
    return found
