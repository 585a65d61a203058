"""What a browser shows of a run folder at this moment."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..diagnostics import arviz
from ..errors import OhmcarloError
from ..pages.bundle import bundle
from ..pages.charts import altair
from ..pages.content import HtmlPage, Tone
from ..runs.report import read_page
from ..runs.sections.marks import sentence
from ..runs.stored import MANIFEST, RESULT, read_manifest
from .growing import GrowingRun, Identity, identity_of
from .page import ChainParts, message_page, running_page
from .several import SeveralRuns, problems_of

READING_S = 0.5
"""Time for the chunks of a long run before the page is shown, and shown again."""
SHARE = 0.05
"""Largest share of the time in which the sections of a running chain are made."""
MORE = 0.5
"""The same while there are chunks to catch up with."""
LONGEST_S = 10.0
"""Longest time between two of them."""
NO_RUN = "There is no run in this folder yet: it is being set up, or it was removed."


def warm_up() -> None:
    """Import what takes seconds, before there is something to show."""
    with suppress(OhmcarloError):
        altair()
        bundle()
    arviz()


@dataclass(frozen=True)
class Shown:
    """A page, and whether it is that of a complete run, which does not change any more."""

    page: HtmlPage
    complete: bool = False


class RunView:
    """The page of a run folder, which may not exist yet, grows, ends, is resumed or replaced.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._run = GrowingRun(path)
        self._several: SeveralRuns | None = None
        self._result: Identity | None = None
        self._report: Shown | None = None
        self._parts, self._of = ChainParts(), path
        self._stale, self._next = False, 0.0

    def look(self) -> Shown:
        """The page now. Errors of the files are its content."""
        result = identity_of(self.path / RESULT)
        if result is None:
            self._result = self._report = None
            return self._running()
        if self._report is None or result != self._result:
            self._result, self._report = result, self._complete()
        return self._report

    def _complete(self) -> Shown:
        try:
            return Shown(read_page(self.path), complete=True)
        except OhmcarloError as error:
            return Shown(message_page(self.path, "damaged", (sentence(str(error)),), Tone.BAD))

    def _running(self) -> Shown:
        if identity_of(self.path / MANIFEST) is None:
            return Shown(message_page(self.path, "waiting", (NO_RUN,), Tone.RUNNING))
        try:
            return Shown(self._page())
        except OhmcarloError as error:
            return Shown(message_page(self.path, "damaged", (sentence(str(error)),), Tone.BAD))

    def _page(self) -> HtmlPage:
        whole = self._run
        changed = whole.look(READING_S)
        if not whole.manifest:
            read_manifest(self.path)  # it says what is wrong
        if not problems_of(whole.manifest):
            self._renew(whole, changed)
            return running_page(whole, self._parts)
        if self._several is None:
            self._several = SeveralRuns(whole)
        part = self._several.current()
        self._renew(part, part.look(READING_S) or part.path != self._of)
        return self._several.page(self._parts)

    def _renew(self, run: GrowingRun, changed: bool) -> None:
        """Make the parts of the chains again, if there is something new and time for it."""
        self._stale |= changed
        if self._stale and (time.monotonic() >= self._next or run.path != self._of):
            began = time.thread_time()
            self._parts, self._of, self._stale = ChainParts.of(run), run.path, False
            wait = (time.thread_time() - began) / (MORE if run.behind else SHARE)
            self._next = time.monotonic() + min(wait, LONGEST_S)
