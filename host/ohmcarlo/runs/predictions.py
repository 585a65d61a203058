"""The parts of a table of predictions that several kinds of run share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..datasets.csvfile import Table
from ..errors import UsageError
from ..readable import count, first_few


class PredictionTable(ABC):
    """``Predictions`` for the points of a file.

    Attributes
    ----------
    NUMBER : str
        Format of the numbers in the table.
    BEYOND, AFFECTED : str
        Where extrapolated points lie, and what of them is extrapolated, for a note.
    extrapolated : bool (n,)
    """

    NUMBER: ClassVar[str]
    BEYOND: ClassVar[str]
    AFFECTED: ClassVar[str]

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
        """Lines of text: the meaning of the columns, the comparison, extrapolated rows."""
        notes = [f"{name}: {meaning}" for name, meaning in self.columns.items()]
        notes += self.comparison()
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


def open_points(path: Path, features: list[str]) -> tuple[Table, NDArray[np.float64]]:
    """A CSV file and its columns ``features``, float64 (n, features).

    The features are found by the names in the first line, in any order. Raises UsageError, which
    names line and column, for a cell that cannot be used.
    """
    table = Table(path)
    table.check(features)
    if not table.rows:
        raise UsageError(f"{path} has a header and no data: add a line for every case")
    return table, table.numbers([table.header.index(name) for name in features])
