"""Files with a table of numbers and a label column, in any form that ``tables`` reads."""

from __future__ import annotations

import csv
import io
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..files import stamp_of
from ..tables import Table, read_table
from .base import Dataset
from .feature_columns import dropped_columns, features_of
from .label_column import (
    LABEL_NAMES,
    MIN_ROWS,
    class_labels,
    holds_numbers,
    label_column,
    number_labels,
)


def load_csv(
    path: Path,
    label: str | None = None,
    regression: bool | None = None,
    drop: tuple[str, ...] = (),
    positive: str | None = None,
) -> Dataset:
    """A data set from a table: names in the first line, numbers below.

    The label column is the one called ``label`` here. By default it is the one of
    ``label_column.LABEL_NAMES``, else the last column; two of these names are refused. It holds two
    to ``MOST_CLASSES`` values, numbers or text, which are sorted. Of two, class 1 (positive) is the
    one called ``positive`` here. By default it is the larger number, or the text that is last in
    the alphabet, as in 0/1, -1/1, no/yes, benign/malignant, negative/positive.

    ``regression``: the label is a number to predict (True) or a class (False); None: by the rule
    of ``labels.RULE``.

    Columns called in ``drop``, row numbers of pandas and columns without any value are left out.
    True and False are 1 and 0. A UserWarning names what was left out, columns that only count the
    rows or identify them, and features that are the same in every row, which ``Encoder.fit`` leaves
    out.

    Raises
    ------
    UsageError
        One line with file, line, column and advice.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ohmcarlo.datasets import load_csv
    >>> file = Path("cases.csv")
    >>> rows = [f"{dose};{'ill' if dose > 4 else 'well'}" for dose in range(8)]
    >>> _ = file.write_text("\\n".join(["dose;outcome", *rows]))
    >>> load_csv(file, positive="ill").summary()
    "semicolons, label 'outcome': well = 0, ill = 1 (positive), 8 rows, 1 feature"
    """
    dataset = _loaded(path, stamp_of(path), label, regression, tuple(drop), positive)
    for note in dataset.notes:
        warnings.warn(note, stacklevel=3)
    return dataset


@lru_cache(maxsize=2)
def _loaded(
    path: Path,
    stamp: tuple[int, int],
    label: str | None,
    regression: bool | None,
    drop: tuple[str, ...],
    positive: str | None,
) -> Dataset:
    """A file that had this ``stamp``; a run reads it for its kind, and for each problem."""
    table = read_table(path)
    _check(table)
    dropped = dropped_columns(table, drop)
    column = label_column(table, label, dropped)
    y: NDArray[Any]
    class_names: tuple[str, ...] = ()
    if holds_numbers(table, column, regression):
        if positive is not None:
            raise UsageError(f"{path}: the label is a number: leave out --positive")
        y = number_labels(table, column)
    else:
        y, class_names = class_labels(table, column, positive)
    found = features_of(table, column, dropped)
    for array in (found.x, y):
        array.flags.writeable = False  # it is shared
    label_name = table.header[column]
    return Dataset(
        name=path.stem,
        x=found.x,
        y=y,
        feature_names=found.names,
        class_names=class_names,
        description=f"{len(y)} rows, {len(found.names)} features, label {label_name!r}",
        source=str(path),
        label=label_name,
        recognised=table.recognised,
        left_out=found.left_out,
        notes=(*found.notes, *_constant(path, found.names, found.x)),
    )


def _check(table: Table) -> None:
    """Refuse a table without names, or with too few rows or columns."""
    if not table.header:
        first = next((cell for cell in table.rows[0] if cell.strip()), "")
        raise UsageError(
            f"{table.path}, line {table.lines[0]}: {first.strip()!r} is a number where the name of "
            "a column belongs; put the names of the columns into line 1"
        )
    if table.width == 1:
        raise UsageError(
            f"{table.path}, line {table.header_line}: one column only; features and label need at "
            "least two, separated by commas, semicolons, tabs, pipes or blanks"
        )
    if not len(table):
        raise UsageError(f"{table.path} has a header and no data: add at least {MIN_ROWS} rows")


def _constant(path: Path, names: tuple[str, ...], x: NDArray[np.float64]) -> list[str]:
    """A note about features that are the same in every row; UsageError if all are."""
    constant = [name for name, column in zip(names, x.T, strict=True) if np.ptp(column) == 0]
    if len(constant) == len(names):
        raise UsageError(f"{path}: no feature differs between rows, so there is nothing to learn")
    return [f"{path}: left out, the same in every row: {', '.join(constant)}"] if constant else []


def as_csv(dataset: Dataset, rows: NDArray[np.int64]) -> bytes:
    """Points of a data set as ``load_csv`` reads them: its features, then their labels (the names
    of classes, or numbers)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*dataset.feature_names, LABEL_NAMES[0]])
    for x, y in zip(dataset.x[rows].tolist(), dataset.y[rows].tolist(), strict=True):
        writer.writerow([*x, y if dataset.numeric else dataset.class_names[y]])
    return text.getvalue().encode()
