"""Progress bars. They show on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.status import Status

from .console import Console


class RunProgress:
    """``Observer`` of a run: a bar over its steps."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | Status | None = None
        self._bar = TaskID(0)

    def say(self, text: str) -> None:
        self._console.say(text)

    def wait(self, text: str) -> None:
        if not sys.stderr.isatty():
            self.say(f"{text} …")
            return
        self._progress = self._console.err.status(text)
        self._progress.start()

    def begin(self, steps: int, total: int, what: str = "sampling") -> None:
        if not sys.stderr.isatty():
            return
        self._progress = progress = Progress(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps · {task.fields[acceptance]:.0%} accepted ·"),
            TimeRemainingColumn(),
            console=self._console.err,
            transient=True,
        )
        self._bar = progress.add_task("", total=total, completed=steps, acceptance=0.0)
        progress.start()

    def advance(self, steps: int, acceptance: float) -> None:
        if isinstance(self._progress, Progress):
            self._progress.update(self._bar, completed=steps, acceptance=acceptance)

    def end(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class CellProgress:
    """``Watcher`` of the cells of a figure: a bar over their number."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        self._console.say(text)

    def track(self, cells: Iterable[Any], total: int, what: str) -> Iterator[Any]:
        """Yield the results of ``cells`` as they come."""
        if not sys.stderr.isatty():
            yield from cells
            return
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console.err,
            transient=True,
        ) as progress:
            yield from progress.track(cells, total=total, description=what)
