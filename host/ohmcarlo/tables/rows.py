"""The rows of a delimited text."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .layout import BLANK, Lines, cells_of

QUOTE = '"'


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of cells. Lines without quotes are split only when they are needed.

    Attributes
    ----------
    separator : str
    numbers : int64 (rows,)
        Line of the file in which every row begins, from 1.
    lines : list of str
        The lines of the rows; empty if the cell of a row has a line end.
    cells : list of list of str, or None
        The cells, if a line has a quote.
    """

    separator: str
    numbers: NDArray[np.int64]
    lines: list[str]
    cells: list[list[str]] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, row: int) -> list[str]:
        if self.cells is None:
            return cells_of(self.lines[row], self.separator)
        return self.cells[row]

    def __iter__(self) -> Iterator[list[str]]:
        return (self[row] for row in range(len(self)))

    def widths(self) -> NDArray[np.int64]:
        """Number of cells of every row."""
        if self.cells is None and self.separator != BLANK:
            return np.array([line.count(self.separator) + 1 for line in self.lines], np.int64)
        return np.array([len(row) for row in self], np.int64)

    def chosen(self, rows: Iterable[int]) -> Rows:
        """Some of the rows."""
        kept = list(rows)
        if len(kept) == len(self):
            return self
        return Rows(
            separator=self.separator,
            numbers=self.numbers[kept],
            lines=[self.lines[row] for row in kept] if self.lines else [],
            cells=None if self.cells is None else [self.cells[row] for row in kept],
        )

    def column(self, column: int) -> list[str]:
        """The cells of a column, without the blanks around them."""
        if self.cells is None and self.separator != BLANK:
            mark, parts = self.separator, column + 1
            return [line.split(mark, parts)[column].strip() for line in self.lines]
        return [row[column].strip() for row in self]

    def cells_with(self, mark: str) -> Iterator[str]:
        """The cells that contain ``mark``, without the blanks around them."""
        if self.cells is None and mark == self.separator:
            return
        for row in range(len(self)):
            if self.cells is None and mark not in self.lines[row]:
                continue
            yield from (cell.strip() for cell in self[row] if mark in cell)


def rows_of(path: Path, lines: Sequence[str], found: Lines) -> Rows:
    """The rows of a file, whose ``lines`` are all of it.

    Raises UsageError, with the line, for quotes that do not match.
    """
    if not any(QUOTE in line for line in found.kept):
        return Rows(found.separator, np.array(found.numbers, np.int64), found.kept)
    source = _Source(lines, found)
    reader = csv.reader(source, delimiter=found.separator, skipinitialspace=True, strict=True)
    cells, numbers = [], []
    try:
        for row in reader:
            line = source.begin()
            if any(cell.strip() for cell in row):
                cells.append(row)
                numbers.append(line)
    except csv.Error as error:
        raise UsageError(
            f"{path}, line {source.begun}: the quotes do not match ({error}); check the quotes "
            "of this line"
        ) from error
    whole = all(QUOTE not in line or line.count(QUOTE) % 2 == 0 for line in found.kept)
    rows = [lines[number - 1] for number in numbers] if whole else []
    return Rows(found.separator, np.array(numbers, np.int64), rows, cells)


class _Source:
    """Feeds lines to ``csv.reader``: comments and blank lines are left out between two rows, and
    kept inside of a quoted cell."""

    def __init__(self, lines: Sequence[str], found: Lines) -> None:
        self.lines = lines
        self.kept = iter(found.numbers)
        self.blank = found.separator == BLANK
        self.begun = self.last = 0  # line where the row begins, line that was given last

    def begin(self) -> int:
        """The line where the row that is complete began; the next line begins another."""
        begun, self.begun = self.begun, 0
        return begun

    def __iter__(self) -> _Source:
        return self

    def __next__(self) -> str:
        if self.begun:
            number = self.last + 1
        else:
            number = next(n for n in self._rest() if n > self.last)
            self.begun = number
        if number > len(self.lines):
            raise StopIteration
        self.last = number
        line = self.lines[number - 1]
        return (line.replace("\t", BLANK).strip() if self.blank else line) + "\n"

    def _rest(self) -> Iterator[int]:
        yield from self.kept
        yield len(self.lines) + 1
