"""The parts of a table of predictions that several kinds of run share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..datasets.feature_columns import feature_numbers
from ..datasets.label_column import labels_of_run
from ..datasets.table_names import column_of
from ..errors import UsageError
from ..progress import counted, phase
from ..readable import count, first_few
from ..tables import Table, read_table

AT_ONCE = 5_000_000
"""Points times samples of a prediction between two reports of its progress."""
LEAST_AT_ONCE = 64
"""Points; with fewer, the preparation of a sample takes longer than its predictions."""


def predicted_at_once(points: int, samples: int, unit: str | None = None) -> Iterator[slice]:
    """Slices of points, at least one, for predictions under so many samples.

    Shows how many ``unit`` are predicted. None: how many points, if there are several slices.

    >>> [part.stop for part in predicted_at_once(100, 50_000_000)]
    [64, 100]
    """
    size = max(LEAST_AT_ONCE, AT_ONCE // max(samples, 1))
    if unit is None and points <= size:
        yield slice(0, points)
        return
    with counted(points, "predicting", unit or "points") as done:
        for first in range(0, max(points, 1), size):
            part = slice(first, min(first + size, points))
            yield part
            done(part.stop)


class PredictionTable(ABC):
    """``Predictions`` for the points of a file.

    Attributes
    ----------
    NUMBER : str
        Format of the numbers in the table.
    BEYOND, AFFECTED : str
        Where extrapolated points lie, and what of them is extrapolated, for a note.
    data : str
        What was recognised in the file.
    extrapolated : bool (n,)
    """

    NUMBER: ClassVar[str]
    BEYOND: ClassVar[str]
    AFFECTED: ClassVar[str]

    data: str
    extrapolated: NDArray[np.bool_]

    @property
    @abstractmethod
    def columns(self) -> dict[str, str]:
        """Columns of the table, in their order, and what each holds."""

    @abstractmethod
    def cases(self) -> Iterator[Sequence[Any]]:
        """The values of every point under ``header``."""

    @abstractmethod
    def comparison(self) -> list[str]:
        """A line that compares answers and labels; none without labels."""

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """The values of the JSON file that describe the predictions together."""

    @property
    def header(self) -> list[str]:
        return list(self.columns)

    def table(self) -> list[list[str]]:
        """Cells under ``header``, a row for every point."""
        return [[self._cell(value) for value in case] for case in self.cases()]

    def _cell(self, value: bool | int | float | str) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        return format(value, self.NUMBER) if isinstance(value, float) else str(value)

    def notes(self) -> list[str]:
        """Lines of text: the meaning of the columns, what was recognised in the file, the
        comparison, extrapolated rows."""
        notes = [f"{name}: {meaning}" for name, meaning in self.columns.items()]
        notes += [f"data: {self.data}", *self.comparison()]
        if rows := [i for i, beyond in enumerate(self.extrapolated, start=1) if beyond]:
            notes.append(
                f"note: {count(len(rows), 'row')} {self.BEYOND} ({first_few(rows)}): "
                f"{self.AFFECTED} are extrapolated"
            )
        return notes

    def values(self) -> dict[str, Any]:
        """Content of the JSON file."""
        return {
            **self.summary(),
            "data": {"recognised": self.data},
            "extrapolated": int(self.extrapolated.sum()),
            "predictions": [dict(zip(self.header, case, strict=True)) for case in self.cases()],
        }


class ClassTable(PredictionTable):
    """``PredictionTable`` whose answers are classes.

    Attributes
    ----------
    class_names : list of str
    labels : int (n,) or None
        If the file had them.
    """

    NUMBER: ClassVar = ".6f"
    BEYOND: ClassVar = "beyond the range of the training data, where the 8-bit inputs end"

    class_names: list[str]
    labels: NDArray[np.int64] | None

    @property
    @abstractmethod
    def answers(self) -> NDArray[np.int64]:
        """The class of every point, int64 (n,)."""

    @property
    def accuracy(self) -> float | None:
        """Share of right answers, None without labels."""
        return None if self.labels is None else float((self.answers == self.labels).mean())

    def comparison(self) -> list[str]:
        if self.accuracy is None:
            return []
        return [f"accuracy on these {len(self.answers)}: {self.accuracy:.1%}"]

    def summary(self) -> dict[str, Any]:
        return {
            "class_names": self.class_names,
            "columns": self.columns,
            "accuracy": self.accuracy,
        }

    def probability_columns(self) -> dict[str, str]:
        """The columns with the probabilities of the classes."""
        meaning = "probability of class {name}, the mean over the posterior"
        return {f"p_{name}": meaning.format(name=name) for name in self.class_names}


@dataclass(frozen=True, eq=False)
class NewData:
    """The points of a file for predictions.

    Attributes
    ----------
    table : Table
    x : float64 (n, features)
    label : int or None
        The column that holds the labels.
    """

    table: Table
    x: NDArray[np.float64]
    label: int | None

    def summary(self, labelled: bool) -> str:
        """One line: what was recognised; ``labelled``: the labels were used."""
        named = self.label is not None and labelled
        label = [f"label {self.table.header[self.label or 0]!r}"] if named else []
        rows, features = count(len(self.table), "row"), count(self.x.shape[1], "feature")
        return ", ".join((*self.table.recognised, *label, rows, features))


def open_points(path: Path, features: list[str], label: str | None) -> NewData:
    """The columns ``features`` of a file, and the column with the labels if there is one.

    The features are found by the names in the first line, in any order and in any case. ``label``:
    the name of the label in the training data.

    Raises
    ------
    UsageError
        For a cell that cannot be used. It names line and column.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ohmcarlo.runs.predictions import open_points
    >>> file = Path("new.csv")
    >>> _ = file.write_text("y,x\\n0.5,1.5\\n0.25,2.5\\n")
    >>> open_points(file, ["x", "y"], None).x
    array([[1.5 , 0.5 ],
           [2.5 , 0.25]])
    """
    with phase(f"reading {path}"):
        table = read_table(path)
    if not table.header:
        raise UsageError(
            f"{path}, line {table.lines[0]}: put the names of the columns into line 1; the run "
            f"needs {first_few(features)}"
        )
    columns = [column_of(table, name) for name in features]
    for i, column in enumerate(columns):  # two names that differ in case need two columns
        if column is not None and columns.count(column) > 1 and table.header[column] != features[i]:
            columns[i] = None
    missing = [name for name, column in zip(features, columns, strict=True) if column is None]
    if missing:
        raise UsageError(
            f"{path} has no column {missing[0]!r} ({len(missing)} of the {len(features)} "
            f"columns that are needed are missing): its columns are {first_few(table.header)}"
        )
    if not len(table):
        raise UsageError(f"{path} has a header and no data: add a line for every case")
    found = [column for column in columns if column is not None]
    return NewData(
        table=table,
        x=feature_numbers(table, found, may_drop=False),
        label=labels_of_run(table, label, found),
    )
