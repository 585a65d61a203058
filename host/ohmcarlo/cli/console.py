"""Standard output for results, standard error for everything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console as Rich
from rich.markup import escape
from rich.table import Table

from ..files import STANDARD_OUTPUT, check_file, descriptor_of, to_json, write_json
from ..readable import brief
from . import logs
from .streams import writable

Rows = list[tuple[str, str]]


class Console:
    """The two streams of a verb, and its JSON file.

    Parameters
    ----------
    json : str or None
        ``--json``: a file, or ``-`` or ``/dev/stdout`` for standard output (tables then go to
        standard error).

    Raises UsageError, before any work is done, when the file could not be written.
    """

    def __init__(self, json: str | None) -> None:
        path = None if json is None or json == "-" else Path(json)
        self.json_on_stdout = json == "-" or (
            path is not None and descriptor_of(path) == STANDARD_OUTPUT
        )
        self.json_file = None if self.json_on_stdout else path
        if self.json_file is not None:
            check_file(self.json_file)
        self.err = Rich(stderr=True, highlight=False)
        if not self.json_on_stdout:
            self.out = Rich(highlight=False)
        else:
            self.out = Rich(quiet=True) if logs.quiet() else self.err

    def say(self, text: str) -> None:
        """One line of progress on standard error, or a warning if it begins with ``note:``."""
        logs.say(text)

    def note(self, text: str) -> None:
        """One warning about a result."""
        shown = self.err if self.json_on_stdout else self.out
        shown.print(f"[yellow]note:[/yellow] {escape(text)}", soft_wrap=True)

    def table(self, title: str, rows: Rows) -> None:
        """A table of names and values; brackets in them are not markup."""
        table = Table(
            title=escape(title), title_justify="left", show_header=False, title_style="bold"
        )
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(escape(name), escape(value))
        self.out.print(table)

    def mapping(self, title: str, values: Mapping[str, Any]) -> None:
        """A table of the entries of a JSON object."""
        self.table(title, [(k.replace("_", " "), brief(v)) for k, v in values.items()])

    def json(self, values: Mapping[str, Any]) -> None:
        """Write the result as JSON, if ``--json`` was given."""
        if self.json_on_stdout:
            text = to_json(values)
            print(text if writable(text) else to_json(values, ascii_only=True), end="")
        elif self.json_file is not None:
            write_json(self.json_file, values)
