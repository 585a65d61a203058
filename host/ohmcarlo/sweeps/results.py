"""From the stored cells of a sweep to its table, its posteriors and its summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cluster.cells import Outcome
from ..cluster.sources import sources_digest
from ..cluster.store import CellStore
from ..errors import OhmcarloError
from ..files import json_ready, write_json
from ..progress import counted, phase
from .cell import LOG_POSTERIOR, NAMES, ROW, WEIGHTS
from .folder import POSTERIORS, SUMMARY, TABLE, SweepFolder
from .planning import Plan, Planned
from .posteriors import Draws, Shape, write_posteriors
from .table import FAILED, FINISHED, MISSING, SETTINGS, STATUS, Row, Table, write_table

SHOWN_DIGEST = 16
"""Digits of a digest that name a cell."""


@dataclass(frozen=True, eq=False)
class Results:
    """What the cells of a sweep have given so far.

    Attributes
    ----------
    table : Table
    shapes : tuple of Shape
        Of the cells with draws, in the order of the table.
    impossible : int
        Failed cells that cannot be computed, whatever is tried again.
    """

    table: Table
    shapes: tuple[Shape, ...]
    impossible: int

    def count(self, status: str) -> int:
        """Cells in a state: ``FINISHED``, ``FAILED`` or ``MISSING``."""
        return sum(row[STATUS] == status for row in self.table.rows)

    def failures(self) -> list[tuple[str, list[Row]]]:
        """Messages of failed cells with their rows, the most frequent first."""
        found: dict[str, list[Row]] = {}
        for row in self.table.rows:
            if row[STATUS] == FAILED:
                found.setdefault(row["message"], []).append(row)
        return sorted(found.items(), key=lambda entry: -len(entry[1]))

    def summary(self) -> dict[str, Any]:
        """Content of ``summary.json``."""
        rows = self.table.finished()
        found: dict[str, Any] = json_ready(
            {
                "name": self.table.name,
                "swept": list(self.table.swept),
                "reference": self.table.reference,
                "cells": {
                    "total": len(self.table.rows),
                    **{status: self.count(status) for status in (FINISHED, FAILED, MISSING)},
                },
                "verdicts": dict(Counter(row["verdict"] for row in rows).most_common()),
                "worker_seconds": sum(row["seconds"] for row in rows),
                "failures": [
                    {
                        "message": message,
                        "cells": len(cells),
                        "digests": [row["digest"] for row in cells],
                    }
                    for message, cells in self.failures()
                ],
            }
        )
        return found


def collect(plan: Plan, store: CellStore) -> Results:
    """Read what is stored of every cell of a plan."""
    sources = sources_digest()
    table = Table(plan.description.path.stem, plan.names, plan.reference, [])
    shapes: list[Shape] = []
    with counted(len(plan.cells), "reading the cells", "cells") as done:
        for number, cell in enumerate(plan.cells, 1):
            digest = cell.work.digest(sources)
            row, shape = _read(cell, digest, store)
            table.rows.append(table.completed({**_settings(cell), **row, **cell.parameters}))
            if shape is not None:
                shapes.append(shape)
            done(number)
    return Results(table, tuple(shapes), len(plan.cells) - len(plan.possible))


def _read(cell: Planned, digest: str, store: CellStore) -> tuple[Row, Shape | None]:
    """The row of a cell, and the shape of its draws if it has some."""
    row: Row = {"digest": digest, STATUS: MISSING}
    if cell.problem:
        return {**row, STATUS: FAILED, "message": cell.problem}, None
    outcome = store.outcome(cell.work, digest)
    if outcome is not None:
        try:
            shape = _shape(outcome, cell)
            row |= {STATUS: FINISHED, "seconds": outcome.seconds, **outcome.values[ROW]}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise OhmcarloError(
                f"{store.path(digest)} is not the result of a sweep: remove it, and repeat the "
                "command"
            ) from error
        return row, shape
    failure = store.failure(cell.work, digest)
    if failure is not None:
        row |= {STATUS: FAILED, "message": failure.message}
    return row, None


def _shape(outcome: Outcome, cell: Planned) -> Shape | None:
    """The shape of the draws of a result; None if it has none."""
    values = outcome.values
    if values[WEIGHTS] is None:
        return None
    chains, draws, weights = values[WEIGHTS].shape
    names = tuple(values[NAMES])
    if len(names) != weights or values[LOG_POSTERIOR].shape != (chains, draws):
        raise ValueError("arrays do not fit together")
    return Shape(outcome.digest, chains, draws, names, cell.parameters)


def _settings(cell: Planned) -> Row:
    """The settings of a cell that every table has; names of files without their folder."""
    if cell.config is None:
        return {}
    config = cell.work.arguments["config"]
    return {column.name: config[column.name] for column in SETTINGS}


def write_results(folder: SweepFolder, results: Results, draws: bool = True) -> None:
    """Write table and summary, and with ``draws`` the posteriors."""
    with phase("writing the table"):
        write_table(folder.path / TABLE, results.table)
    if draws and results.shapes:
        total = len(results.shapes)
        with counted(total, "writing the posteriors", "cells") as done:
            write_posteriors(
                folder.path / POSTERIORS,
                results.shapes,
                _drawn(folder.store, results.shapes, done),
                {"sweep": results.table.name},
            )
    elif draws:
        (folder.path / POSTERIORS).unlink(missing_ok=True)  # those of another content of the file
    write_json(folder.path / SUMMARY, results.summary())


def _drawn(store: CellStore, shapes: tuple[Shape, ...], done: Any) -> Iterator[Draws]:
    for number, shape in enumerate(shapes, 1):
        values = store.read(shape.digest)
        if values is None:
            raise OhmcarloError(
                f"cell {shape.digest[:SHOWN_DIGEST]} has gone from {store.folder}: repeat the "
                "command, which computes it again"
            )
        yield np.asarray(values[WEIGHTS]), np.asarray(values[LOG_POSTERIOR])
        done(number)
