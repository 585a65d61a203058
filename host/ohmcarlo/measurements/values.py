"""Numbers of a table in which single cells may be unusable."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..errors import UsageError
from ..tables import AS_NAN, Table
from ..tables.cells import is_missing, is_overload, not_a_number, value_of
from .readings import Words
from .recording import FloatArray
from .screening import NO_VALUE, OVERLOAD

LARGEST = 1e30  # in any unit: instruments write larger numbers for overloads


def numbers_of(table: Table, columns: Iterable[int]) -> tuple[FloatArray, Words]:
    """The numbers in some columns, (rows, columns), and the problem of each row.

    A cell without a number is NaN. The problem of its row is an overload, no value, or the cell
    that is not a number; it is empty for a row of numbers.
    """
    wanted = list(columns)
    problem = np.full(len(table), "", object)
    try:
        values = table.numbers(wanted, missing=AS_NAN)
        if (np.abs(values) < LARGEST).all():
            return values, problem
    except UsageError:  # a cell is not a number
        values = np.empty((len(table), len(wanted)))
    for place, column in enumerate(wanted):
        values[:, place] = _column(table, column, problem)
    return values, problem


def _column(table: Table, column: int, problem: Words) -> FloatArray:
    """The numbers of a column; problems of its rows are noted in ``problem``."""
    cells = table.column(column)
    name = f" ({table.header[column]})" if table.header else ""
    values = np.empty(len(cells))
    for row, cell in enumerate(cells):
        number = value_of(cell, table.decimal_comma)
        if number is not None and abs(number) < LARGEST and not is_overload(number):
            values[row] = number
            continue
        values[row] = np.nan
        if problem[row] and problem[row] != NO_VALUE:
            continue
        if number is not None:
            problem[row] = OVERLOAD
        elif is_missing(cell):
            problem[row] = NO_VALUE
        else:
            problem[row] = f"column {column + 1}{name}: {not_a_number(cell)}"[:160]
    return values
