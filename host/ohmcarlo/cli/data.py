"""Verbs ``tasks``, ``data fetch`` and ``data export``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import JsonOption, SeedOption

if TYPE_CHECKING:
    from .console import Console


def tasks(json: JsonOption = None) -> None:
    """List the tasks of `train`."""
    from ..tasks import TASKS
    from .console import Console

    console = Console(json)
    console.json({name: asdict(task) for name, task in TASKS.items()})
    console.table("Tasks", [(name, task.description) for name, task in TASKS.items()])
    console.out.print("Any CSV file with a label column is a task, too.")


def fetch(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="breast-cancer-original, rram-set-sweep or mitdb.")
    ],
    json: JsonOption = None,
) -> None:
    """Fetch a data set and check its digest.

    The folder that OHMCARLO_DATA names is searched first.
    """
    from ..datasets.fetch import fetch as fetch_data
    from .console import Console

    console = Console(json)
    path = fetch_data(name)
    _show(console, {"name": name, "path": str(path)})


def export(
    task: Annotated[str, typer.Argument(metavar="TASK", help="A task, see `ohmcarlo tasks`.")],
    out: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file to write.")],
    seed: SeedOption = 0,
    json: JsonOption = None,
) -> None:
    """Write the held-out points of a task with their classes, as a CSV file for `predict`.

    Example: `ohmcarlo data export ecg beats.csv`, then `ohmcarlo predict runs/ecg beats.csv`
    """
    from ..datasets import load
    from ..datasets.csvfile import as_csv
    from ..errors import UsageError
    from ..files import check_file, write_bytes
    from ..tasks import get_task
    from .console import Console

    console = Console(json)
    check_file(out)
    known = get_task(task)
    if not known.dataset:
        raise UsageError(f"{task} has no data to export: it learns from episodes")
    dataset = load(known.dataset)
    _, held_out = dataset.split(seed)
    write_bytes(out, as_csv(dataset, held_out))
    _show(console, {"task": task, "points": len(held_out), "path": str(out)})


def _show(console: Console, values: dict[str, Any]) -> None:
    console.json(values)
    console.mapping("Data", values)
