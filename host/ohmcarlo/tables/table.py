"""Tables of delimited text. Every error names file, line and column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..readable import count, first_few
from .cells import is_missing, is_overload, not_a_number, number, overloads, shown, value_of
from .layout import BLANK
from .rows import QUOTE, Rows

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Column = int | str
UNIT = re.compile(r"[(\[][^()\[\]]*[)\]]")
GAPS = re.compile(r"[\s_-]+")
SAMPLE = 100  # rows that show whether a column holds plain numbers
REFUSE, AS_NAN = "refuse", "nan"


class NotANumber(UsageError):
    """A cell that has text where a number belongs.

    Attributes
    ----------
    row, column : int
        Indices of the cell in its table.
    """

    def __init__(self, message: str, row: int, column: int) -> None:
        super().__init__(message)
        self.row, self.column = row, column


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a delimited text, as ``read_table`` recognised them.

    Attributes
    ----------
    path : Path
    header : tuple of str
        Names of the columns, without blanks around them; empty if the file has none.
    header_line : int
        Line of the header, from 1; 0 without a header.
    rows : Rows
        The cells of every row, with their blanks.
    width : int
        Number of columns; at least so many cells has every row.
    decimal_comma : bool
    comments : tuple of (int, str)
        Comment lines with their numbers.
    odd_lines : tuple of (int, int)
        Line and number of cells of rows that were left out because their length differs.
    recognised : tuple of str
        What was recognised, phrases for one line on screen.
    """

    path: Path
    header: tuple[str, ...]
    header_line: int
    rows: Rows
    width: int
    decimal_comma: bool
    comments: tuple[tuple[int, str], ...] = ()
    odd_lines: tuple[tuple[int, int], ...] = ()
    recognised: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of rows, without the header."""
        return len(self.rows)

    @property
    def lines(self) -> IntArray:
        """Line of the file of every row, from 1, int64 (rows,); comments and blank lines count."""
        return self.rows.numbers

    @property
    def separator(self) -> str:
        """What separates the cells: a key of ``layout.SEPARATORS``."""
        return self.rows.separator

    @cached_property
    def _names(self) -> dict[str, int]:
        """Column of every name in its plain form; the first one where two are alike."""
        found: dict[str, int] = {}
        for column, name in enumerate(self.header):
            found.setdefault(plain(name), column)
        return found

    def find(self, *names: str) -> int | None:
        """The column with the first of these names that there is, None without one.

        Case, blanks, ``_``, ``-`` and a unit in brackets do not matter.
        """
        columns = (self._names.get(plain(name)) for name in names)
        return next((column for column in columns if column is not None), None)

    def index(self, column: Column) -> int:
        """The index of a column by its name, as ``find``, or by its index.

        Raises UsageError, with the names of the columns, if there is none.
        """
        if isinstance(column, int):
            return column
        found = self.find(column)
        if found is None:
            has = f"its columns are {first_few(self.header)}" if self.header else "it has no header"
            raise UsageError(f"{self.path} has no column {column!r}: {has}")
        return found

    def cell(self, row: int, column: Column) -> str:
        """A cell without the blanks around it."""
        return self.rows[row][self.index(column)].strip()

    @cached_property
    def _columns(self) -> dict[int, list[str]]:
        """Columns that were read."""
        return {}

    def column(self, column: Column) -> list[str]:
        """The cells of a column, without the blanks around them."""
        index = self.index(column)
        if index not in self._columns:
            self._columns[index] = self.rows.column(index)
        return self._columns[index]

    def numbers(
        self,
        columns: Sequence[Column],
        missing: str = REFUSE,
        advice: str = "fill it in or remove the line",
    ) -> FloatArray:
        """The numbers in some columns, float64 (rows, columns).

        ``True`` and ``False`` are 1 and 0. Cells without a value (``cells.MISSING``), overloads
        (``cells.OVERLOADS``) and infinities are NaN with ``missing="nan"``. With ``"refuse"`` they
        cause a UsageError, which names the first one, counts them and ends in ``advice``.
        Separators of thousands are not guessed: 1,234.5 is no number. Raises NotANumber, a
        UsageError, with the place of a cell that is none.
        """
        indices = [self.index(column) for column in columns]
        values = self._plain_numbers(indices)
        if values is None:
            values = self._checked_numbers(indices)
        values[overloads(values)] = np.nan
        if missing == REFUSE and np.isnan(values).any():
            raise self.missing_error(indices, values, advice)
        return values

    def error(self, row: int, column: Column, problem: str) -> UsageError:
        """An error about a cell: file, line, column, name of the column, problem."""
        index = self.index(column)
        name = f" ({self.header[index]})" if self.header and self.header[index] else ""
        return UsageError(
            f"{self.path}, line {self.lines[row]}, column {index + 1}{name}: {problem}"
        )

    def header_error(self, column: int, problem: str) -> UsageError:
        """An error about the name of a column."""
        return UsageError(f"{self.path}, line {self.header_line}, column {column + 1}: {problem}")

    def _plain_numbers(self, columns: Sequence[int]) -> FloatArray | None:
        """As ``_checked_numbers`` in a fraction of the time; None if that is not possible.

        Columns whose first cells are plain numbers are read by NumPy.
        """
        in_quotes = self.rows.cells is not None and self.decimal_comma
        if not len(self) or not self.rows.lines or in_quotes:
            return None
        sample = [self.rows[row] for row in range(min(len(self), SAMPLE))]
        plain = [
            c
            for c in columns
            if all(number(row[c], self.decimal_comma) is not None for row in sample)
        ]
        values = np.empty((len(self), len(columns)))
        try:
            read = self._loaded(plain) if plain else values[:, :0]
        except ValueError:
            return None
        for j, column in enumerate(columns):
            if column in plain:
                values[:, j] = read[:, plain.index(column)]
            else:
                values[:, j] = self._column_values(column, self.column(column))
        return values

    def _loaded(self, columns: Sequence[int]) -> FloatArray:
        lines = self.rows.lines
        if self.decimal_comma:
            lines = [line.replace(",", ".") for line in lines]
        separator = None if self.separator == BLANK else self.separator
        return np.loadtxt(
            lines,
            np.float64,
            comments=None,
            delimiter=separator,
            usecols=columns,
            ndmin=2,
            quotechar=QUOTE,
        )

    def _checked_numbers(self, columns: Sequence[int]) -> FloatArray:
        """As ``numbers`` with NaN, cell by cell in a column that has more than numbers."""
        picked = [[row[column] for column in columns] for row in self.rows]
        values = np.empty((len(self), len(columns)))
        for j, cells in enumerate(zip(*picked, strict=True)):
            values[:, j] = self._column_values(columns[j], cells)
        return values

    def _column_values(self, column: int, cells: Sequence[str]) -> list[float]:
        if not any("_" in cell for cell in cells):  # Python reads 1_000
            with suppress(ValueError):
                return list(map(float, cells))
        return [self._value(row, column, cell.strip()) for row, cell in enumerate(cells)]

    def _value(self, row: int, column: int, cell: str) -> float:
        value = value_of(cell, self.decimal_comma)
        if value is not None:
            return value
        if is_missing(cell):
            return float("nan")
        raise NotANumber(str(self.error(row, column, not_a_number(cell))), row, column)

    def missing_error(self, columns: Sequence[int], values: FloatArray, advice: str) -> UsageError:
        """The error about the NaN among the ``values`` (rows, columns) of some columns."""
        places = np.argwhere(np.isnan(values))
        row, column = int(places[0][0]), columns[int(places[0][1])]
        cell = self.cell(row, column)
        value = number(cell, self.decimal_comma)
        if value is None:
            problem = f"no value ({shown(cell)})" if cell else "no value"
        elif is_overload(value):
            problem = f"{shown(cell)} is the overload of an instrument, no value"
        else:
            problem = f"{shown(cell)} is not a finite number"
        if len(places) > 1:
            where = count(len(np.unique(places[:, 1])), "column")
            problem += f", the first of {len(places):,} such cells in {where}"
        return self.error(row, column, f"{problem}; {advice}")


def plain(name: str) -> str:
    """A name of a column for comparisons: small letters, no unit in brackets, ``_`` for gaps.

    >>> plain(" Word-Line  voltage (V)")
    'word_line_voltage'
    """
    without = UNIT.sub("", name)
    kept = without if without.strip() else name
    return GAPS.sub("_", kept.strip().lower()).strip("_")
