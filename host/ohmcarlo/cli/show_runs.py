"""How the command line shows the result of a run and its predictions."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import write_bytes
from ..progress import phase
from .console import Console
from .streams import write_data

if TYPE_CHECKING:
    from ..runs.kind import Predictions, ShownKind


def show_result(console: Console, kind: ShownKind, values: Mapping[str, Any]) -> None:
    """The table of a run, and its warnings."""
    console.table(f"{values['task']} · {kind.title(values)}", kind.rows(values))
    for warning in kind.warnings(values):
        console.note(warning)


def show_next_step(console: Console, run: Path) -> None:
    """The line after a run that is kept: how to look at it."""
    command = ["ohmcarlo", "report", str(run), "--html", f"{run.absolute().name}.html", "--open"]
    console.say(f"look at it: `{shlex.join(command)}`")


def show_predictions(
    console: Console, predictions: Predictions, out: Path | None, comments: bool
) -> None:
    """Predictions as CSV; their notes on standard error, and in the CSV as ``comments``."""
    with phase("writing the predictions"):
        content = predictions_csv(predictions, comments)
    if out is not None:
        write_bytes(out, content.encode("utf-8", "surrogateescape"))
        console.say(f"wrote {out}")
    elif not console.json_on_stdout:
        write_data(content)
    console.json(predictions.values())
    for note in predictions.notes():
        console.say(note)


def predictions_csv(predictions: Predictions, comments: bool) -> str:
    """Predictions as CSV, after their notes as lines that begin with ``#`` if asked for."""
    text = io.StringIO()
    if comments:
        text.writelines(f"# {' '.join(note.split())}\n" for note in predictions.notes())
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(predictions.header)
    writer.writerows(predictions.table())
    return text.getvalue()


def open_in_browser(console: Console, page: Path) -> None:
    """Show a page in the browser of the user; a line of text if there is none."""
    import webbrowser

    if not webbrowser.open(page.absolute().as_uri()):
        console.say(f"no browser was found: open {page} in one yourself")
