"""Progress of work that takes long: the protocol of what shows it, and phases.

A function that may take seconds opens a ``phase``, or counts with ``counted`` and ``tracked``. The
observer of the caller shows them. Without one, nothing is shown, and the time of each phase is in
the log ``ohmcarlo.progress``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TypeVar

log = logging.getLogger(__name__)
SAMPLING, STEPS = "sampling", "steps"
T = TypeVar("T")


def seconds_left(done: int, first: int, total: int | None, seconds: float) -> float | None:
    """Time until ``total``, s, if ``first`` to ``done`` took ``seconds``; None if it is unknown.

    >>> seconds_left(30, 10, 110, 4.0)
    16.0
    """
    if not total or done <= first:
        return None
    return (total - done) * seconds / (done - first)


@dataclass(eq=False)
class Work:
    """An operation that runs: of unknown length, or counted.

    Attributes
    ----------
    text : str
        What is done.
    began : float
        Time of a clock, s.
    total : int or None
        None: the length is unknown.
    unit : str
        What is counted.
    first, done : int
        The count at the begin, and so far.
    """

    text: str
    began: float
    total: int | None = None
    unit: str = STEPS
    first: int = 0
    done: int = 0

    def become(self, text: str, steps: int, total: int, unit: str) -> None:
        """Take other words and, if there is a total, another count."""
        self.text = text
        if total:
            self.first = steps if self.total is None else self.first
            self.done, self.total, self.unit = steps, total, unit

    def seconds_left(self, now: float) -> float | None:
        """Time to the last count at the rate so far, s; None if it is unknown."""
        return seconds_left(self.done, self.first, self.total, now - self.began)


class Observer(Protocol):
    """Shows the progress of work. ``wait`` and ``begin`` may be nested; each has its ``end``."""

    def say(self, text: str) -> None:
        """A line of text. One that ends in " ..." names a stage, which lasts until the next
        line."""
        ...

    def wait(self, text: str) -> None:
        """An operation of unknown length begins."""
        ...

    def rename(self, text: str, steps: int = 0, total: int = 0, unit: str = STEPS) -> None:
        """Other words for the operation that began last, and how far it is if that is known."""
        ...

    def begin(self, steps: int, total: int, what: str = SAMPLING, unit: str = STEPS) -> None:
        """Counted work begins (again) at ``steps`` of ``total``; ``what`` names the work."""
        ...

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        """The count, and the acceptance rate of the last block of a chain."""
        ...

    def end(self) -> None:
        """What began last has ended."""
        ...


class Silence:
    """An ``Observer`` that shows nothing."""

    def say(self, text: str) -> None: ...

    def wait(self, text: str) -> None: ...

    def rename(self, text: str, steps: int = 0, total: int = 0, unit: str = STEPS) -> None: ...

    def begin(self, steps: int, total: int, what: str = SAMPLING, unit: str = STEPS) -> None: ...

    def advance(self, steps: int, acceptance: float | None = None) -> None: ...

    def end(self) -> None: ...


_OBSERVER: ContextVar[Observer | None] = ContextVar("observer", default=None)


def current_observer() -> Observer:
    """The observer of this thread; ``Silence`` unless ``observed_by`` set one."""
    return _OBSERVER.get() or Silence()


@contextmanager
def observed_by(observer: Observer) -> Iterator[None]:
    """Let ``observer`` show the phases inside."""
    token = _OBSERVER.set(observer)
    try:
        yield
    finally:
        _OBSERVER.reset(token)


@contextmanager
def phase(text: str) -> Iterator[None]:
    """Show that an operation of unknown length runs.

    >>> with phase("reading the data"):
    ...     rows = [1, 2, 3]
    """
    observer, began = current_observer(), time.perf_counter()
    observer.wait(text)
    try:
        yield
    finally:
        observer.end()
        log.debug("%s took %.2f s", text, time.perf_counter() - began)


@contextmanager
def counted(total: int, what: str, unit: str) -> Iterator[Callable[[int], None]]:
    """Show how much of ``total`` is done: the block calls the function with the count so far.

    >>> with counted(2, "reading", "files") as done:
    ...     done(1)
    ...     done(2)
    """
    observer, began = current_observer(), time.perf_counter()
    observer.begin(0, total, what, unit)
    try:
        yield observer.advance
    finally:
        observer.end()
        log.debug("%s (%d %s) took %.2f s", what, total, unit, time.perf_counter() - began)


def tracked(items: Iterable[T], total: int, what: str, unit: str) -> Iterator[T]:
    """``items``; shows how many of ``total`` are done.

    >>> list(tracked("ab", 2, "drawing", "pictures"))
    ['a', 'b']
    """
    with counted(total, what, unit) as done:
        for number, item in enumerate(items, 1):
            yield item
            done(number)
