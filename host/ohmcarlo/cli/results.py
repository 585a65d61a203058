"""Verbs ``predict`` and ``report``, for finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .options import JsonOption, RunArgument


def predict(
    run: RunArgument,
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="CSV file with the columns of the training data; label optional."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the predictions as CSV (default: print them)."),
    ] = None,
    comments: Annotated[
        bool,
        typer.Option(
            "--comments",
            help="Begin the CSV with the meaning of its columns, the accuracy and the warnings, in "
            "lines that start with #.",
        ),
    ] = False,
    json: JsonOption = None,
) -> None:
    """Classify new data, or predict their numbers, with an uncertainty for every answer.

    Columns of the CSV, and keys of a prediction in the JSON:

    - `row`: number of the case in DATA, from 1

    - `class`: the more probable class

    - `p_NAME`, one column for each class: probability of class NAME, the mean over the posterior

    - `spread`: standard deviation of that probability over the posterior (epistemic uncertainty)

    - `extrapolated`: `true` where an input lies beyond the range of the training data; trust
      neither probability nor spread there

    A run that learnt numbers has `prediction`, `low_95` and `high_95` (the 95 % interval of the
    label), and the `spread` of the mean, in place of classes and probabilities.

    Accuracy (if DATA has labels) and warnings go to standard error.

    Example: `ohmcarlo predict runs/first new-cases.csv --out answers.csv`
    """
    from ..files import check_file
    from ..runs.kinds import read_complete
    from .console import Console
    from .show_runs import show_predictions

    console = Console(json)
    if out is not None:
        check_file(out)
    kind, _ = read_complete(run)
    show_predictions(console, kind.predict(run, data), out, comments)


def report(
    run: RunArgument,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write the report as one interactive page, which needs no network, in place of "
            "the pictures.",
        ),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of the pictures (default: RUN/report). With --html: write them, too.",
        ),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Show the page of --html in a browser.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Show a finished run: its numbers as text, its charts as a page or as PNG.

    The page begins with the result in plain words and its verdict. It shows probabilities, weights
    with intervals, chains, the devices of the array, energy, coin, and how to repeat the run. The
    PNG pictures show the chains, the weight of each feature, the calibration, the accuracy without
    the least certain cases, and the wear. For two features both show the decision boundary and
    the uncertainty.

    Examples:

    - `ohmcarlo report runs/first --html first.html --open`: write the page and show it

    - `ohmcarlo report runs/first`: write the pictures into `runs/first/report`
    """
    from ..pages.checks import check_page
    from ..runs.report import write_html, write_report
    from .console import Console
    from .show_runs import open_in_browser, show_result

    console = Console(json)
    written: list[Path] = []
    if html is not None:
        check_page(html)
        kind, values = write_html(run, html)
        written.append(html)
    elif open_page:
        raise UsageError("--open shows the page of --html: give --html FILE, too")
    if html is None or plots is not None:
        kind, values, pictures = write_report(run, plots)
        written += pictures
    console.json(values)
    show_result(console, kind, values)
    for file in written:
        console.say(f"wrote {file}")
    if html is not None and open_page:
        open_in_browser(console, html)
