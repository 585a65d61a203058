"""Write the pictures, table and JSON of a figure into its folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from .. import __version__
from ..files import json_ready, make_folder, write_bytes, write_json
from ..pictures.canvas import write_pictures
from ..runs.folder import locked
from .base import Bench, Figure, Goal, Table, Watcher
from .catalogue import maker, require_data_of

CELLS = "cells"


def reproduce(
    names: list[str],
    out: Path,
    seeds: int,
    workers: int | None,
    watcher: Watcher,
    made: dict[str, Figure] | None = None,
    scheduler: str | None = None,
) -> dict[str, Any]:
    """Make the figures ``names`` and write each to ``out/NAME``; returns every number.

    ``made`` takes the figures by name, for a page. ``workers`` processes compute, or the workers of
    ``scheduler``, the address of a scheduler of Dask.

    Cells in ``out`` from an earlier run with the same sources are not computed again.
    Raises UsageError when data of one of them are missing, OhmcarloError when a file cannot be
    written, or while another process works in ``out``.
    """
    require_data_of(names)
    make_folder(out, "--out")
    values: dict[str, Any] = {"version": __version__, "seeds": seeds, "figures": {}}
    with locked(out), Bench(out / CELLS, seeds, workers, watcher, scheduler) as bench:
        for name in names:
            watcher.say(f"{name} ...")
            figure = maker(name)(bench)
            values["figures"][name] = write_figure(name, figure, out / name)
            if made is not None:
                made[name] = figure
    return values


def write_figure(name: str, figure: Figure, folder: Path) -> dict[str, Any]:
    """Write pictures, files and ``table.md``; ``NAME.json`` comes last and marks it complete."""
    make_folder(folder, "--out")
    pictures = write_pictures(folder, figure.pictures)
    for file, content in figure.files.items():
        write_bytes(folder / file, content)
    write_bytes(folder / "table.md", markdown(figure).encode())
    values: dict[str, Any] = json_ready(
        {
            "title": figure.title,
            "folder": str(folder),
            "tables": [
                {
                    "title": t.title,
                    "rows": [
                        row.values() | {"ours": shown(row), "verdict": verdict(row)}
                        for row in t.rows
                    ],
                }
                for t in figure.tables
            ],
            "notes": figure.notes,
            "files": [*(p.name for p in pictures), *figure.files, "table.md"],
            **figure.values,
        }
    )
    write_json(folder / f"{name}.json", values)
    return values


def markdown(figure: Figure) -> str:
    """The tables as a page."""
    parts = [f"# {figure.title}", *(_table(table) for table in figure.tables)]
    if figure.notes:
        parts.append("\n".join(f"- {note}" for note in figure.notes))
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    lines = [
        f"## {table.title}",
        "",
        "| quantity | ours | published | goal |",
        "|---|---|---|---|",
    ]
    for row in table.rows:
        lines.append(f"| {row.quantity} | {shown(row)} | {row.published} | {verdict(row)} |")
    return "\n".join(lines)


def shown(row: Goal) -> str:
    """Mean ± standard deviation, or a value with its [95 % interval], as text."""
    scale, unit, digits = (100.0, " %", 2) if row.unit == "%" else (1.0, f" {row.unit}", 3)
    around = row.interval or ([] if row.sd is None else [row.sd])
    numbers = [scale * value for value in (row.mean, *around)]
    whole = row.unit != "%" and all(float(number).is_integer() for number in numbers)
    form = _form(max(abs(number) for number in numbers), 0 if whole else digits)
    mean, *rest = (f"{number:{form}}" for number in numbers)
    spread = f" [{', '.join(rest)}]" if row.interval else "".join(f" ± {sd}" for sd in rest)
    return f"{mean}{spread}{unit}".rstrip()


def _form(size: float, digits: int) -> str:
    """One format for numbers up to ``size``: ``digits`` decimals, or enough for three digits."""
    if not math.isfinite(size) or size >= 1e6 or 0 < size < 1e-5:
        return ".4g"
    if size >= 1000:
        return ".0f"
    if 0 < size < 0.01:
        return f".{2 - math.floor(math.log10(size))}f"
    return f".{digits}f"


def verdict(row: Goal) -> str:
    """The goal, and whether it is met."""
    if row.met is None:
        return row.wanted
    return f"{row.wanted}: {'met' if row.met else 'NOT MET'}"
