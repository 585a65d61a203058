"""CSV files of numbers with a label column. Every cell is checked."""

from __future__ import annotations

import csv
import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .base import Dataset
from .labels import MOST_CLASSES, is_number

LABEL_NAMES = ("label", "class", "target", "y")
MISSING = ("", "na", "nan", "null", "none", "?")
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}
MIN_ROWS = 8
MIN_PER_CLASS = 2  # one for training, one for the test
MAX_MAGNITUDE = 1e100  # squares and sums of squares stay finite
SHOWN = 40  # characters of a bad cell in a message


class Table:
    """The cells of a CSV file with their line numbers. Every error names file and place.

    Attributes
    ----------
    path : Path
    header : list of str
        Names of the columns.
    rows : list of (int, list of str)
        Line number and cells of every line that is not blank.

    Raises UsageError, one line with advice, for a file that is not a CSV file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        rows = self._rows()
        if not rows:
            raise UsageError(f"{path} is empty: give a CSV file with a header and a label column")
        (_, header), *self.rows = rows
        self.header = [cell.strip() for cell in header]

    def _rows(self) -> list[tuple[int, list[str]]]:
        """Lines that are not blank, with their numbers."""
        try:
            text = self.path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise UsageError(f"cannot read {self.path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise self._no_text() from error
        if "\0" in text:
            raise self._no_text()
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            return [(reader.line_num, row) for row in reader if any(c.strip() for c in row)]
        except csv.Error as error:
            raise UsageError(
                f"{self.path}, line {reader.line_num}: not CSV ({error}); check the quotes"
            ) from error

    def _no_text(self) -> UsageError:
        return UsageError(f"{self.path} is not a text file: save the table as CSV in UTF-8")

    def error(self, line: int, column: int, problem: str) -> UsageError:
        return UsageError(
            f"{self.path}, line {line}, column {column + 1} ({self.header[column]}): {problem}"
        )

    def check(self, needed: Sequence[str] | None = None) -> None:
        """Check that column names are unique and that every line is as long as the header.

        With ``needed``, only these columns are required. By default features and a label are
        required. Raises UsageError.
        """
        self._check_columns(2 if needed is None else len(needed))
        if needed is None:
            self._check_names()
        else:
            self._check_needed(needed)
        self._check_lengths()

    def _check_columns(self, least: int) -> None:
        if len(self.header) == 1 < least:
            found = [name for mark, name in OTHER_SEPARATORS.items() if mark in self.header[0]]
            hint = f"; {found[0]} separate them here" if found else ""
            raise UsageError(
                f"{self.path}, line 1: one column only; features and label need at least two, "
                f"separated by commas{hint}"
            )

    def _check_names(self) -> None:
        for column, name in enumerate(self.header):
            where = f"{self.path}, line 1, column {column + 1}"
            if not name:
                raise UsageError(f"{where}: the column has no name; give it one")
            if _number(name) is not None:
                raise UsageError(
                    f"{where}: {name!r} is a number where a column name belongs; put the names "
                    "of the columns into line 1"
                )
            self._check_single(column)

    def _check_needed(self, needed: Sequence[str]) -> None:
        missing = [name for name in needed if name not in self.header]
        if missing:
            raise UsageError(
                f"{self.path} has no column {missing[0]!r} ({len(missing)} of the {len(needed)} "
                "columns that are needed are missing)"
            )
        for column, name in enumerate(self.header):
            if name in needed:
                self._check_single(column)

    def _check_single(self, column: int) -> None:
        name = self.header[column]
        if name in self.header[:column]:
            raise UsageError(
                f"{self.path}, line 1, column {column + 1}: a second column is called {name!r}; "
                "rename one of them"
            )

    def _check_lengths(self) -> None:
        width = len(self.header)
        for line, row in self.rows:
            if len(row) != width:
                raise UsageError(
                    f"{self.path}, line {line}: {len(row)} columns, but the header has {width}; "
                    "complete or remove the line"
                )

    def label_column(self, label: str | None) -> int:
        """The column called ``label``; without a name the first of LABEL_NAMES, else the last."""
        if label is not None:
            if label not in self.header:
                raise UsageError(
                    f"{self.path} has no column {label!r}: its columns are {', '.join(self.header)}"
                )
            return self.header.index(label)
        named = self.usual_label()
        return len(self.header) - 1 if named is None else named

    def usual_label(self) -> int | None:
        """The column with one of LABEL_NAMES (in any case), the first of these names first."""
        lower = [name.lower() for name in self.header]
        return next((lower.index(name) for name in LABEL_NAMES if name in lower), None)

    def labels(self, column: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Class 0, 1, … of every row, and the names of the classes as the file writes them."""
        cells = [row[column].strip() for _, row in self.rows]
        for (line, _), cell in zip(self.rows, cells, strict=True):
            if cell.lower() in MISSING:
                raise self.error(line, column, "no label; complete or remove the line")
        values = [_number(cell) for cell in cells]
        numeric = [value for value in values if value is not None]
        # by value where all are numbers: 9 before 10, and 1.0 is 1
        y = _ranks(numeric) if len(numeric) == len(cells) else _ranks(cells)
        where = f"{self.path}, label column {self.header[column]!r}"
        classes = int(y.max()) + 1
        if classes == 1:
            raise UsageError(
                f"{where}: all rows are of class {cells[0]!r}; two classes are needed to learn "
                "a difference"
            )
        if classes > MOST_CLASSES:
            raise UsageError(
                f"{where}: {classes} classes, at most {MOST_CLASSES} are possible; if another "
                "column holds the label, rename it to 'label', otherwise merge or remove classes"
            )
        names = tuple(cells[int(np.argmax(y == c))] for c in range(classes))
        self._check_counts(y, names)
        return y, names

    def holds_numbers(self, column: int, regression: bool | None = None) -> bool:
        """Whether the labels are numbers to predict: as the user chose, None: by the rule of
        ``labels.is_number``."""
        if regression is not None:
            return regression
        cells = [row[column].strip() for _, row in self.rows]
        values = [_number(cell) for cell in cells]
        finite = [value if value is None or math.isfinite(value) else None for value in values]
        where = f"{self.path}, label column {self.header[column]!r}"
        return is_number(cells, finite, where)

    def number_labels(self, column: int) -> NDArray[np.float64]:
        """The labels as numbers to predict, float64 (rows,)."""
        y = self.numbers([column])[:, 0]
        where = f"{self.path}, label column {self.header[column]!r}"
        if len(y) < MIN_ROWS:
            raise UsageError(
                f"{self.path}: too few rows ({len(y)}); at least {MIN_ROWS} are needed"
            )
        if np.ptp(y) == 0:
            raise UsageError(f"{where}: the same in every row, so there is nothing to predict")
        return y

    def classes(self, column: int, names: Sequence[str]) -> list[int | None]:
        """Which of ``names`` each cell of a column is, as text or as a number; None: neither."""
        numbers = [_number(name) for name in names]
        found: list[int | None] = []
        for _, row in self.rows:
            cell = row[column].strip()
            value = _number(cell)
            if cell in names:
                found.append(names.index(cell))
            elif value is not None and value in numbers:
                found.append(numbers.index(value))
            else:
                found.append(None)
        return found

    def _check_counts(self, y: NDArray[np.int64], names: tuple[str, ...]) -> None:
        counts = np.bincount(y, minlength=len(names))
        if len(y) >= MIN_ROWS and counts.min() >= MIN_PER_CLASS:
            return
        fewest = np.sort(np.argsort(counts, kind="stable")[:2])  # the two classes to look at
        first, second = ((counts[c], names[c]) for c in fewest)
        raise UsageError(
            f"{self.path}: too few rows ({first[0]} of class {first[1]!r}, {second[0]} of "
            f"{second[1]!r}); at least {MIN_ROWS} are needed, and {MIN_PER_CLASS} of each class"
        )

    def numbers(self, columns: list[int]) -> NDArray[np.float64]:
        """Cells of the columns as finite numbers, float64 (rows, columns)."""
        x = np.empty((len(self.rows), len(columns)))
        for i, (line, row) in enumerate(self.rows):
            for j, column in enumerate(columns):
                x[i, j] = self._cell(line, column, row[column].strip())
        return x

    def _cell(self, line: int, column: int, cell: str) -> float:
        value = _number(cell)
        if value is not None and abs(value) <= MAX_MAGNITUDE:
            return value
        shown = repr(cell if len(cell) <= SHOWN else f"{cell[:SHOWN]}…")
        if value is not None:
            problem = f"{shown} is not a finite number of reasonable size"
        elif not cell:
            problem = "no value; fill it in or remove the line"
        elif cell.lower() in MISSING:
            problem = f"no value ({shown}); fill it in or remove the line"
        else:
            problem = f"{shown} is not a number; encode it as numbers or remove the column"
        raise self.error(line, column, problem)


def _ranks(values: list[float] | list[str]) -> NDArray[np.int64]:
    """Position of every value among the distinct ones, sorted."""
    _, ranks = np.unique(values, return_inverse=True)
    return ranks.astype(np.int64)


def _number(cell: str) -> float | None:
    """The number in a cell (infinities included), or None. Python's 1_000 is not a number here."""
    try:
        value = float(cell) if "_" not in cell else math.nan
    except ValueError:
        return None
    return None if math.isnan(value) else value


def load_csv(path: Path, label: str | None = None, regression: bool | None = None) -> Dataset:
    """A data set from a CSV file: UTF-8, commas, names in the first line, numbers below.

    The label column is the one called ``label`` here; by default the first that is there of
    ``label``, ``class``, ``target``, ``y`` (in any case), else the last column. It holds two to
    ``MOST_CLASSES`` values, numbers or text, which are sorted. Of two, class 1 (positive) is the
    larger number, or the text that is last in the alphabet, as in 0/1, -1/1, no/yes,
    benign/malignant, negative/positive. Blank lines are skipped.

    ``regression``: the label is a number to predict (True) or a class (False); None: by the rule
    of ``labels.RULE``.

    A feature that is the same in every row carries no information. It causes a UserWarning, and
    ``Encoder.fit`` leaves it out.

    Raises UsageError, one line with file, line, column and advice.
    """
    table = Table(path)
    table.check()
    if not table.rows:
        raise UsageError(f"{path} has a header and no data: add at least {MIN_ROWS} rows")
    label_column = table.label_column(label)
    y: NDArray[Any]
    class_names: tuple[str, ...] = ()
    if table.holds_numbers(label_column, regression):
        y = table.number_labels(label_column)
    else:
        y, class_names = table.labels(label_column)
    columns = [c for c in range(len(table.header)) if c != label_column]
    x = table.numbers(columns)
    names = tuple(table.header[c] for c in columns)
    constant = [name for name, column in zip(names, x.T, strict=True) if np.ptp(column) == 0]
    if len(constant) == len(names):
        raise UsageError(f"{path}: no feature differs between rows, so there is nothing to learn")
    if constant:
        warnings.warn(
            f"{path}: left out, the same in every row: {', '.join(constant)}", stacklevel=3
        )
    return Dataset(
        name=path.stem,
        x=x,
        y=y,
        feature_names=names,
        class_names=class_names,
        description=f"{len(y)} rows, {len(names)} features, label {table.header[label_column]!r}",
        source=str(path),
    )


def as_csv(dataset: Dataset, rows: NDArray[np.int64]) -> bytes:
    """Points of a data set as ``Table`` reads them: its features, then their labels (the names of
    classes, or numbers)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*dataset.feature_names, LABEL_NAMES[0]])
    for x, y in zip(dataset.x[rows].tolist(), dataset.y[rows].tolist(), strict=True):
        writer.writerow([*x, y if dataset.numeric else dataset.class_names[y]])
    return text.getvalue().encode()
