"""Verbs ``predict`` and ``report``, for finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    json: JsonOption = None,
) -> None:
    """Classify new data with a finished run, with an uncertainty for every answer.

    `probability` is that of the second class. `spread` is the epistemic uncertainty: its standard
    deviation over the samples of the posterior.

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
    show_predictions(console, kind.predict(run, data), out)


def report(
    run: RunArgument,
    plots: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of the pictures (default: RUN/report)."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Show a finished run: its numbers as text, its pictures as PNG.

    The pictures show the chains, the weight of each feature, the calibration, the accuracy without
    the least certain answers, and the wear. For two features they also show the decision boundary
    and a map of the uncertainty and its two parts.
    """
    from ..runs.report import write_report
    from .console import Console
    from .show_runs import show_result

    console = Console(json)
    kind, values, pictures = write_report(run, plots)
    console.json(values)
    show_result(console, kind, values)
    for picture in pictures:
        console.say(f"wrote {picture}")
