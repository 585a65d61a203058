"""Verb ``sweep``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import completion
from .options import HtmlOption, JsonOption, SchedulerOption

if TYPE_CHECKING:
    from ..sweeps.estimate import Estimate
    from ..sweeps.planning import Plan
    from ..sweeps.results import Results
    from .console import Console

MOST_SHOWN = 12
"""Cells, or messages of failures, that the screen shows."""


def sweep(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A sweep file in TOML (docs/sweeps.md describes it).",
            autocompletion=completion.sweep_files,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the results (default: the name of the file without .toml, in the "
            "current folder).",
        ),
    ] = None,
    example: Annotated[
        bool,
        typer.Option("--example", help="Write an example of a sweep file to FILE, and stop."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show the cells, and the time and disk space that they need, and stop. Nothing is "
            "written.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Processes on this computer (default: one per core)."
        ),
    ] = None,
    scheduler: SchedulerOption = None,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Compute failed cells again."),
    ] = False,
    html: HtmlOption = None,
    json: JsonOption = None,
) -> None:
    """Train once for every combination of settings, devices and seeds of a file.

    Each run is a cell of the sweep. The results are a table (`table.parquet`), the draws
    (`posteriors.nc`), and pictures of the effect of each parameter. Repeat the command to resume,
    or after a change of the file: finished cells are not computed again.

    An example of a file, `study.toml`:

        seeds = 3

        [base]
        task = "breast-cancer"
        array = "physics"
        preset = "relative-5pct"

        [one_at_a_time]
        rows = [64, 128, 256]
        preset.d2d_rel = {from = 0.0, to = 0.1, steps = 5}

    Examples:

    - `ohmcarlo sweep study.toml --example`: write such a file, with comments

    - `ohmcarlo sweep study.toml --dry-run`: show the 21 cells and the time that they need

    - `ohmcarlo sweep study.toml --html study.html`: table, draws, pictures, and a page

    - `ohmcarlo sweep study.toml --scheduler tcp://head:8786`: the same on a cluster
    """
    given = dict(locals())
    from ..errors import UsageError
    from ..pages.checks import check_page
    from ..progress import phase
    from ..sweeps.description import read_description
    from ..sweeps.folder import check_folder
    from ..sweeps.planning import plan
    from .console import Console
    from .exit_codes import FAILED
    from .repeating import command_of, continued_by

    console = Console(json)
    if example:
        _write_example(console, file)
        return
    description = read_description(file)
    folder = Path(file.stem) if out is None else out
    if folder == file:
        raise UsageError(f"{file} has no suffix, so its folder needs a name: add --out DIR")
    check_folder(folder, description)
    with phase("reading the settings of all cells"):
        cells = plan(description)
    _announce(console, cells)
    if dry_run:
        _dry_run(console, cells, folder, workers)
        return
    command = command_of(sweep, {**given, "retry_failed": False})
    if html is not None:
        check_page(html)
    chosen = {"scheduler": scheduler, "workers": workers}
    with continued_by(command):
        results = _compute(console, cells, folder, command, chosen, retry_failed, html)
    console.json(results.summary())
    _show(console, results, folder, command)
    if results.failures():
        raise typer.Exit(FAILED)


def _write_example(console: Console, file: Path) -> None:
    """Write the example of a sweep file; UsageError if the file exists."""
    from importlib.resources import files

    from ..errors import UsageError
    from ..files import check_file, write_bytes

    check_file(file)
    if file.exists():
        raise UsageError(f"{file} exists: choose another FILE for the example")
    write_bytes(file, files("ohmcarlo.sweeps").joinpath("example.toml").read_bytes())
    console.say(f"wrote {file}: ohmcarlo sweep {file} --dry-run")


def _announce(console: Console, cells: Plan) -> None:
    """A line about the cells, and one about each reason why some cannot be computed.

    Raises UsageError if none can.
    """
    from collections import Counter

    from ..errors import UsageError
    from ..readable import count

    if not cells.possible:
        raise UsageError(
            f"{cells.description.path}: no cell can be computed: {cells.cells[0].problem}"
        )
    names = ", ".join(cells.names) or "nothing"
    console.say(f"{count(len(cells.cells), 'cell')} over {names}")
    problems = Counter(cell.problem for cell in cells.cells if cell.problem)
    for problem, number in problems.most_common(MOST_SHOWN):
        console.say(f"note: {count(number, 'cell')} cannot be computed: {problem}")
    _say_more(console, len(problems), "reasons")


def _say_more(console: Console, number: int, what: str) -> None:
    """How many of a list the screen does not show."""
    if number > MOST_SHOWN:
        console.say(f"and {number - MOST_SHOWN:,} more {what}")


def _compute(
    console: Console,
    cells: Plan,
    path: Path,
    command: str,
    chosen: Mapping[str, Any],
    retry_failed: bool,
    html: Path | None,
) -> Results:
    """Compute what is missing, and write all files. ``chosen``: arguments of ``open_cluster``."""
    from ..cluster.engine import open_cluster
    from ..runs.chain_run import Interrupted
    from ..sweeps.curve_file import write_curves
    from ..sweeps.folder import CURVES, SweepFolder
    from ..sweeps.results import collect, write_results
    from ..sweeps.table import FINISHED, require_parquet

    require_parquet()
    work = [cell.work for cell in cells.possible]
    with open_cluster(**chosen) as cluster, SweepFolder.open(path, cells.description) as folder:
        try:
            with cluster:  # its processes end before the results are read
                for _ in cluster.run(
                    work, folder.store, retry_failed=retry_failed, what="computing"
                ):
                    pass
        except KeyboardInterrupt as interrupt:
            results = collect(cells, folder.store)
            write_results(folder, results, draws=False)
            _write_page(console, results, command, html)
            raise Interrupted(
                f"interrupted; {results.count(FINISHED):,} of {len(cells.cells):,} cells are "
                f"finished and kept: `{command}` continues it"
            ) from interrupt
        results = collect(cells, folder.store)
        write_results(folder, results)
        write_curves(path / CURVES, results.table)
        _draw(console, results, path)
        _write_page(console, results, command, html)
    return results


def _draw(console: Console, results: Results, path: Path) -> None:
    """Write the pictures, if they can be drawn."""
    from ..errors import UsageError
    from ..files import make_folder
    from ..pictures.canvas import write_pictures
    from ..sweeps.folder import PICTURES
    from ..sweeps.pictures import pictures_of

    try:
        pictures = pictures_of(results.table)
    except UsageError as error:
        console.say(f"note: {error}")
        return
    before = set((path / PICTURES).glob("*.png"))
    if pictures:
        make_folder(path / PICTURES, "--out")
        before -= set(write_pictures(path / PICTURES, pictures))
    for picture in before:  # of parameters that are swept no longer
        picture.unlink(missing_ok=True)


def _write_page(console: Console, results: Results, command: str, html: Path | None) -> None:
    if html is None:
        return
    from ..pages.render import write_page
    from ..sweeps.page import page_of

    write_page(html, page_of(results.table, command))
    console.say(f"wrote {html}")


def _show(console: Console, results: Results, folder: Path, command: str) -> None:
    """Counts, verdicts, failures and the next step."""
    from ..readable import duration
    from ..sweeps.folder import CURVES, PICTURES, POSTERIORS, SUMMARY, TABLE
    from ..sweeps.results import SHOWN_DIGEST
    from ..sweeps.table import FAILED, FINISHED

    summary = results.summary()
    failed, total = results.count(FAILED), len(results.table.rows)
    rows = [
        ("cells", f"{results.count(FINISHED):,} of {total:,} finished, {failed:,} failed"),
        ("time", f"{duration(summary['worker_seconds'])} of all workers together"),
        ("verdicts", ", ".join(f"{n:,} {name}" for name, n in summary["verdicts"].items())),
        ("swept", ", ".join(results.table.swept) or "nothing"),
    ]
    console.table(f"sweep {results.table.name}", rows)
    for message, cells in results.failures()[:MOST_SHOWN]:
        digests = ", ".join(row["digest"][:SHOWN_DIGEST] for row in cells[:3])
        more = ", …" if len(cells) > 3 else ""
        console.note(f"{len(cells):,} failed: {message} ({digests}{more})")
    _say_more(console, len(results.failures()), f"messages, which {folder / SUMMARY} lists")
    if failed > results.impossible:
        console.say(f"`{command} --retry-failed` computes failed cells again")
    written = [name for name in (TABLE, POSTERIORS, CURVES, PICTURES) if (folder / name).exists()]
    console.say(f"wrote {', '.join(str(folder / name) for name in written)}")


def _dry_run(console: Console, cells: Plan, path: Path, workers: int | None) -> None:
    """Show the cells, their time and the disk that they need."""
    from ..cluster.store import CellStore
    from ..sweeps.estimate import estimate
    from ..sweeps.folder import CELLS
    from ..threads import cores

    there = (path / CELLS).is_dir()
    found = estimate(cells, CellStore(path / CELLS) if there else None)
    count = workers or cores()
    console.json(_costs(cells, found, count))
    console.table(f"sweep {cells.description.path.stem}, dry run", _cost_rows(found, count))
    _show_cells(console, cells)
    for line in found.trials:
        console.note(line)


def _costs(cells: Plan, found: Estimate, workers: int) -> dict[str, Any]:
    """The estimate for JSON."""
    return {
        "cells": {
            "total": len(cells.cells),
            "finished": found.finished,
            "failed": found.failed,
            "remaining": found.remaining,
        },
        "swept": list(cells.names),
        "cpu_seconds": found.seconds,
        "workers": workers,
        "wall_seconds": found.wall_seconds(workers),
        "bytes": found.size,
        "problems": found.trials,
    }


def _cost_rows(found: Estimate, workers: int) -> list[tuple[str, str]]:
    from ..readable import duration, si

    counts = f"{found.remaining:,} to compute, {found.finished:,} finished, {found.failed:,} failed"
    wall = found.wall_seconds(workers)
    if found.seconds is None or wall is None:
        cost = "not known"
    else:
        cost = (
            f"about {duration(found.seconds)} of CPU time, {duration(wall)} with {workers} workers"
        )
    return [("cells", counts), ("time", cost), ("disk", f"about {si(found.size, 'B')}")]


def _show_cells(console: Console, cells: Plan) -> None:
    """What the first cells change of the base; cells that differ in the seed share a line."""
    from collections import Counter

    from rich.markup import escape
    from rich.table import Table

    kinds = Counter(_changes(cell.parameters, cells.reference) for cell in cells.cells)
    table = Table(title="cells", title_justify="left")
    table.add_column("changed from \\[base]", overflow="fold")
    table.add_column("cells", justify="right")
    for changes, number in list(kinds.items())[:MOST_SHOWN]:
        table.add_row(escape(changes), f"{number:,}")
    console.out.print(table)
    if len(kinds) > MOST_SHOWN:
        console.out.print(f"and {len(kinds) - MOST_SHOWN:,} more")


def _changes(parameters: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
    """The parameters that differ from the base, the seed apart."""
    from ..sweeps.description import SEED

    changed = {k: v for k, v in parameters.items() if k != SEED and v != reference.get(k)}
    return ", ".join(f"{name} = {value}" for name, value in changed.items()) or "nothing"
