"""Messages of a verb: the log ``ohmcarlo``, whose records a handler writes to standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

QUIET, USUAL, VERBOSE = logging.WARNING, logging.INFO, logging.DEBUG
NOTE = "note:"
"""First word of a line that is a warning."""
package = logging.getLogger("ohmcarlo")
log = logging.getLogger(__name__)


class ToStandardError(logging.Handler):
    """Writes a message as it is; one for the search of errors with its time and its module."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
            if record.levelno < USUAL:
                seconds = record.relativeCreated / 1000
                text = f"{seconds:8.2f} s  {record.name.removeprefix('ohmcarlo.')}: {text}"
            print(text, file=sys.stderr)
        except (OSError, ValueError):  # nobody reads it any more
            pass


@contextmanager
def messages() -> Iterator[None]:
    """Show messages inside; ``show_from`` chooses which."""
    handler, level = ToStandardError(), package.level
    package.addHandler(handler)
    package.setLevel(USUAL)
    try:
        yield
    finally:
        package.removeHandler(handler)
        package.setLevel(level)


def show_from(level: int) -> None:
    """Show messages of this level and above."""
    package.setLevel(level)


def quiet() -> bool:
    """Whether results and warnings are shown only."""
    return not package.isEnabledFor(USUAL)


def say(text: str) -> None:
    """A line of progress, or a warning if it begins with ``note:``."""
    log.log(QUIET if text.startswith(NOTE) else USUAL, "%s", text)
