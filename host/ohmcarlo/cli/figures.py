"""Verb ``reproduce``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import completion
from .options import HtmlOption, JsonOption, SchedulerOption

if TYPE_CHECKING:
    from .console import Console

WORKERS = 2


def reproduce(
    figure: Annotated[
        str,
        typer.Argument(
            metavar="FIGURE",
            autocompletion=completion.figures,
            help="fig1 to fig6, tissue and ecg (figure 5), endurance, energy, measured, active, "
            "wakeup, exactness, adaptation, regression, classes, wires, backends, or all.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the results, with one folder per figure.")
    ] = Path("reproduced"),
    seeds: Annotated[int, typer.Option(min=2, help="Number of splits or seeds.")] = 20,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            "--jobs",
            metavar="N",
            min=1,
            show_default=str(WORKERS),
            help="Processes on this computer.",
        ),
    ] = None,
    scheduler: SchedulerOption = None,
    html: HtmlOption = None,
    json: JsonOption = None,
) -> None:
    """Reproduce a figure of the paper: its picture, and new numbers beside the published ones.

    Dalgaty et al., Nature Electronics 4, 151 (2021), https://doi.org/10.1038/s41928-020-00523-3.

    Each figure gets a folder with pictures, table.md, and a JSON file with every number and seed.
    An interrupted run continues. `all` leaves out `exactness`, which compares posteriors with NUTS,
    `adaptation`, `regression`, `classes`, `wakeup` and `wires`, which the paper does not have, and
    `backends`, which simulates the hardware.

    Examples:

    - `ohmcarlo reproduce fig4 --html fig4.html`

    - `ohmcarlo reproduce all --json numbers.json`

    - `ohmcarlo reproduce fig1 --scheduler tcp://head:8786`
    """
    given = dict(locals())
    from ..pages.checks import check_page
    from ..reproduce import Figure, select
    from ..reproduce import reproduce as make
    from .console import Console
    from .progress import CellProgress
    from .repeating import command_of, continued_by

    if workers is None and scheduler is None:
        workers = WORKERS
    console, made = Console(json), dict[str, Figure]()
    if html is not None:
        check_page(html)
    names = select(figure)
    with continued_by(command_of(reproduce, given)):
        values = make(names, out, seeds, workers, CellProgress(), made, scheduler)
    console.json(values)
    for name, found in values["figures"].items():
        _show_figure(console, name, found)
    if html is not None:
        from ..pages.render import write_page
        from ..reproduce.page import page_of

        write_page(html, page_of(made, out, command_of(reproduce, given), seeds))
        console.say(f"wrote {html}")


def _show_figure(console: Console, name: str, figure: Mapping[str, Any]) -> None:
    """Every table of a figure, its notes, and its folder."""
    from rich.markup import escape
    from rich.table import Table

    console.out.print(f"\n[bold]{escape(name)}[/bold]: {escape(figure['title'])}")
    for table in figure["tables"]:
        shown = Table(title=escape(table["title"]), title_justify="left")
        for column in ("quantity", "ours", "published", "goal"):
            shown.add_column(column)
        for row in table["rows"]:
            cells = (row["quantity"], row["ours"], row["published"], row["verdict"])
            shown.add_row(*(escape(cell) for cell in cells))
        console.out.print(shown)
    for note in figure["notes"]:
        console.note(note)
    console.say(f"wrote {figure['folder']}")
