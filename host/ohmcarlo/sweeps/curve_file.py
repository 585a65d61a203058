"""The response curves of a sweep as a small CSV file, from which they can be read again.

One line for each level of each curve. Numbers have four digits; an interval has its two ends.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import OhmcarloError
from ..files import explain, write_bytes
from .curves import QUANTITIES, UNKNOWN, Estimate, Level, Line, Response, responses
from .table import Table

PARAMETER, CURVE, LEVEL, CELLS, FAILED = "parameter", "curve", "level", "cells", "failed"
LOW, HIGH = " low", " high"
HEADER = (PARAMETER, CURVE, LEVEL, CELLS, FAILED)
DIGITS = 4
ALL = 10_000
"""Curves of a parameter: all of them."""


def write_curves(path: Path, table: Table) -> None:
    """Write all response curves of a table, atomically."""
    found = responses(table.rows, table.swept, table.reference, ALL)
    write_bytes(path, text_of_curves(found).encode())


def text_of_curves(found: Sequence[Response]) -> str:
    """The CSV text of response curves; columns without any value are left out."""
    shown = [q.name for q in QUANTITIES if any(q in one.quantities() for one in found)]
    columns = [name + end for name in shown for end in ("", LOW, HIGH)]
    out = io.StringIO()
    writer = csv.DictWriter(out, [*HEADER, *columns], lineterminator="\n")
    writer.writeheader()
    for response in found:
        for line in response.lines:
            for level in line.levels:
                writer.writerow(_row(response.parameter, line, level, shown))
    return out.getvalue()


def _row(parameter: str, line: Line, level: Level, shown: Sequence[str]) -> dict[str, Any]:
    numbers = {
        name + end: "" if math.isnan(value) else f"{value:.{DIGITS}g}"
        for name in shown
        for end, value in zip(("", LOW, HIGH), level.estimates[name], strict=True)
    }
    return {
        PARAMETER: parameter,
        CURVE: line.label,
        LEVEL: "" if level.value is None else level.value,
        CELLS: level.cells,
        FAILED: level.failed,
        **numbers,
    }


def read_curves(path: Path) -> list[Response]:
    """The response curves of a file that ``write_curves`` wrote.

    Raises OhmcarloError for a file that cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return list(_responses(rows))
    except OSError as error:
        raise OhmcarloError(f"cannot read {explain(error, path)}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise OhmcarloError(f"{path} is no file of response curves ({error})") from error


def _responses(rows: Sequence[Mapping[str, str]]) -> Iterator[Response]:
    for parameter in dict.fromkeys(row[PARAMETER] for row in rows):
        own = [row for row in rows if row[PARAMETER] == parameter]
        lines = []
        for curve in dict.fromkeys(row[CURVE] for row in own):
            levels = tuple(_level(row) for row in own if row[CURVE] == curve)
            lines.append(Line(curve, {}, levels))
        yield Response(parameter, tuple(lines), 0)


def _level(row: Mapping[str, str]) -> Level:
    estimates = {
        q.name: Estimate(*(_number(row.get(q.name + end, "")) for end in ("", LOW, HIGH)))
        if q.name in row
        else UNKNOWN
        for q in QUANTITIES
    }
    return Level(_value(row[LEVEL]), int(row[CELLS]), int(row[FAILED]), estimates)


def _number(text: str) -> float:
    return float(text) if text else math.nan


def _value(text: str) -> Any:
    """A level as it was written.

    >>> _value("64"), _value("0.1"), _value("True"), _value("codes"), _value("")
    (64, 0.1, True, 'codes', None)
    """
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"True": True, "False": False, "": None}.get(text, text)
