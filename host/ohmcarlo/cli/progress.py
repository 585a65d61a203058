"""Shows the progress of a verb: bars on a terminal, otherwise a line every ten seconds.

Nothing is shown of what takes less than two seconds.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from ..progress import SAMPLING, STEPS, Work, current_observer, observed_by, tracked
from ..readable import amount, duration
from .logs import say

SHOWN_AFTER_S, EVERY_S = 2.0, 10.0
REDRAW_S, LOOK_S = 0.25, 0.5
"""Between two pictures of the bars, and between two looks at the clock for lines."""
STAGE = re.compile(r"(?:\s*\d+ s  )?(.*?) ?(?:\.\.\.|…)$")
"""A line of a builder that names a stage, with the seconds that it puts first."""
BAR, SHORTEST = 16, 8
"""Columns of a bar, and of the name beside it at least."""
Clock = Callable[[], float]


@dataclass(eq=False)
class ShownWork(Work):
    """An operation as it is shown.

    ``acceptance``: of the last block of a chain. ``said``: time of its last line; None: it has none
    yet.
    """

    acceptance: float | None = None
    said: float | None = None

    def headline(self) -> str:
        """The line of the begin of a phase."""
        return f"{self.text} …" if self.total is None else f"{self.text}: {self._amount()} …"

    def _amount(self) -> str:
        return amount(self.total or 0, self.unit)

    def detail(self, now: float) -> str:
        """How much is done, and how long it will take."""
        if self.total is None:
            return f"{duration(now - self.began)} so far"
        parts = [f"{self.done:,} of {self._amount()}"]
        if self.total:
            parts.append(f"{int(100 * self.done / self.total)} %")
        if self.acceptance is not None:
            parts.append(f"{self.acceptance:.0%} accepted".replace("%", " %"))
        left = self.seconds_left(now)
        if left is not None:
            parts.append(f"about {duration(max(left, 1.0))} left")
        return ", ".join(parts)


class Painter(Protocol):
    """Shows the operations that have run for a while, the innermost last."""

    interval: float

    def show(self, works: Sequence[ShownWork], now: float) -> None: ...

    def close(self) -> None: ...


class Lines:
    """``Painter`` off a terminal: a line when a phase has begun, and one every ten seconds."""

    interval = LOOK_S

    def show(self, works: Sequence[ShownWork], now: float) -> None:
        if not works:
            return
        work = works[-1]
        if work.said is None:
            say(work.headline())
        elif now - work.said >= EVERY_S:
            say(f"{work.text}: {work.detail(now)}")
        else:
            return
        work.said = now

    def close(self) -> None: ...


def shortened(text: str, room: int) -> str:
    """``text`` in so many columns, which are more than ``SHORTEST`` in any case.

    >>> shortened("the array learns its shape", 12)
    'the array l…'
    """
    room = max(room, SHORTEST)
    return text if len(text) <= room else f"{text[: room - 1]}…"


class Bars:
    """``Painter`` on a terminal. The cursor stays visible, so that no signal can lose it."""

    interval = REDRAW_S

    def __init__(self) -> None:
        self._progress: Any = None
        self._bars: dict[ShownWork, Any] = {}

    def show(self, works: Sequence[ShownWork], now: float) -> None:
        if not works:
            self.close()
            return
        if self._progress is None:
            self._progress = _new_progress()
            self._progress.start()
        for work in [known for known in self._bars if known not in works]:
            self._progress.remove_task(self._bars.pop(work))
        for work in works:
            detail = work.detail(now)
            room = self._progress.console.width - BAR - len(detail) - 2
            shown = {
                "description": shortened(work.text, room),
                "total": work.total,
                "completed": work.done,
                "detail": detail,
            }
            if work not in self._bars:
                self._bars[work] = self._progress.add_task(**shown)
            self._progress.update(self._bars[work], **shown)
        self._progress.refresh()

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._bars.clear()


def _new_progress() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task
    from rich.table import Column
    from rich.text import Text

    class Plain(Console):
        def show_cursor(self, show: bool = True) -> bool:
            return False

    class Words(ProgressColumn):
        def __init__(self, name: str) -> None:
            self.name = name
            super().__init__(Column(no_wrap=True))

        def render(self, task: Task) -> Text:
            words = task.description if self.name == "description" else task.fields[self.name]
            return Text(words)

    return Progress(
        Words("description"),
        BarColumn(bar_width=BAR),
        Words("detail"),
        console=Plain(stderr=True, highlight=False),
        auto_refresh=False,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )


def _painter() -> Painter | None:
    """Bars on a terminal that can draw them, otherwise lines; None with ``--quiet``."""
    if not logging.getLogger("ohmcarlo").isEnabledFor(logging.INFO):
        return None
    drawable = sys.stderr.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
    return Bars() if drawable else Lines()


class Display:
    """The ``Observer`` of a verb. As a context, it shows the phases of the library, too.

    Parameters
    ----------
    painter : callable
        Makes what shows the operations, when the first one begins.
    clock : callable
        Seconds.
    threaded : bool
        A thread looks at the clock; otherwise ``tick`` must be called.
    """

    def __init__(
        self,
        painter: Callable[[], Painter | None] = _painter,
        clock: Clock = time.monotonic,
        threaded: bool = True,
    ) -> None:
        self._new_painter, self._clock, self._threaded = painter, clock, threaded
        self._painter: Painter | None = None
        self._works: list[ShownWork] = []
        self._stage: ShownWork | None = None
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Display:
        self._observed = observed_by(self)
        self._observed.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        self._observed.__exit__(kind, error, trace)

    def close(self) -> None:
        """Remove everything from the terminal."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._works.clear()
            self._stage = None
            if self._painter is not None:
                self._painter.close()

    # -- Observer ------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        with self._lock:
            self._end_stage()
            say(text)
            if found := STAGE.match(text):
                now = self._clock()
                self._stage = ShownWork(found[1], now, said=now)
                self._watch()

    def wait(self, text: str) -> None:
        self._push(ShownWork(text, self._clock()))

    def rename(self, text: str, steps: int = 0, total: int = 0, unit: str = STEPS) -> None:
        with self._lock:
            if self._works:
                self._works[-1].become(text, steps, total, unit)

    def begin(self, steps: int, total: int, what: str = SAMPLING, unit: str = STEPS) -> None:
        self._push(ShownWork(what, self._clock(), total, unit, steps, steps))

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        with self._lock:
            if self._works:
                self._works[-1].done, self._works[-1].acceptance = steps, acceptance

    def end(self) -> None:
        with self._lock:
            self._end_stage()
            if self._works:
                self._works.pop()
            if not self._works and self._painter is not None:
                self._painter.show([], self._clock())  # results follow

    # -- drawing -------------------------------------------------------------------------------

    def tick(self) -> None:
        """Show what has run for two seconds."""
        with self._lock:
            if self._painter is None:
                return
            now = self._clock()
            works = [*self._works, *([self._stage] if self._stage is not None else [])]
            shown = [work for work in works if now - work.began >= SHOWN_AFTER_S]
            self._painter.show(shown, now)

    def _push(self, work: ShownWork) -> None:
        with self._lock:
            self._end_stage()
            self._works.append(work)
            self._watch()

    def _end_stage(self) -> None:
        self._stage = None

    def _watch(self) -> None:
        """Begin to look at the clock."""
        if self._painter is None:
            self._painter = self._new_painter()
        if self._painter is None or not self._threaded or self._thread is not None:
            return
        interval = self._painter.interval

        def look() -> None:
            while not self._over.wait(interval):
                try:
                    self.tick()
                except (OSError, ValueError):  # the terminal has gone
                    return

        self._thread = threading.Thread(target=look, name="progress", daemon=True)
        self._thread.start()


class CellProgress:
    """``Watcher`` of the cells of a figure, through the observer of the verb."""

    def say(self, text: str) -> None:
        current_observer().say(text)

    def track(self, cells: Iterable[Any], total: int, what: str) -> Iterator[Any]:
        """Yield the results of ``cells`` as they come."""
        return tracked(cells, total, what, "cells")
