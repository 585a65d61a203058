"""Verbs ``tasks`` and those of ``data``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import completion
from .options import JsonOption, SeedOption, WhereOption

if TYPE_CHECKING:
    from .console import Console


def tasks(json: JsonOption = None) -> None:
    """List the tasks of `train`.

    Example: `ohmcarlo tasks`, then `ohmcarlo train breast-cancer`
    """
    from ..tasks import TASKS
    from .console import Console

    console = Console(json)
    console.json({name: asdict(task) for name, task in TASKS.items()})
    console.table("Tasks", [(name, task.description) for name, task in TASKS.items()])
    console.out.print("Any CSV file with a label column is a task, too.")


def fetch(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="breast-cancer-original, rram-set-sweep or mitdb.",
            autocompletion=completion.data_sets,
        ),
    ],
    json: JsonOption = None,
) -> None:
    """Fetch a data set and check its digest.

    The folder that OHMCARLO_DATA names is searched first.

    Example: `ohmcarlo data fetch mitdb`, then `ohmcarlo train ecg`
    """
    from ..datasets.fetch import fetch as fetch_data
    from .console import Console

    console = Console(json)
    path = fetch_data(name)
    _show(console, {"name": name, "path": str(path)})


def export(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help="A task, see `ohmcarlo tasks`.",
            autocompletion=completion.tasks_with_data,
        ),
    ],
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


def example(
    out: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="File to write (default: print it).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Write an example of a file of measurements: SET pulses of synthetic devices.

    Example: `ohmcarlo data example mine.csv`, then `ohmcarlo characterize --fit mine.csv`
    """
    from importlib.resources import files

    from ..files import check_file, write_bytes
    from .console import Console

    content = files("ohmcarlo.measurements").joinpath("example.csv").read_bytes()
    if out is None:
        print(content.decode(), end="")
        return
    console = Console(json)
    check_file(out)
    write_bytes(out, content)
    _show(console, {"path": str(out), "lines": content.count(b"\n")})


def convert(
    measurements: Annotated[
        str, typer.Argument(metavar="FILE", help="Measurements in any format that is read.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="CSV file to write.")],
    where: WhereOption = None,
    json: JsonOption = None,
) -> None:
    """Show what is read from a file of measurements, and write it as a long table
    (docs/measurements.md).

    Example: `ohmcarlo data convert sweep.tsv long.csv --where vbl=2.0`
    """
    from ..files import check_file, write_bytes
    from ..measurements.names import conditions_of
    from ..measurements.reading import read_recording
    from ..measurements.writing import as_text
    from .console import Console

    console = Console(json)
    check_file(out)
    recording = read_recording(measurements, conditions_of(where or []))
    write_bytes(out, as_text(recording).encode())
    _show(console, {**recording.describe(), "path": str(out)})


def _show(console: Console, values: dict[str, Any]) -> None:
    console.json(values)
    console.mapping("Data", values)
