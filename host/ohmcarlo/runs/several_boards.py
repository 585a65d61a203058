"""The chains of several boards: each board makes its own to the last step, in a thread.

No board waits for another one. Each has checkpoints of its own, so that a board that is lost costs
the steps of its chains since its last checkpoint. The others go on to their last step.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np

from ..boards import RUNNING, Block, BoardLost, SeveralBoards
from ..errors import Interrupted, OhmcarloError
from ..progress import Observer, Silence
from ..readable import first_few
from .thinning import merged_draws

POLL_S = 0.1
PATIENCE_S = 1.0
"""Time that the boards have to end after the second Ctrl-C, or an error of the observer."""


class Member(Protocol):
    """The chains of one board; ``ChainRun`` is one."""

    steps: int
    seconds: float
    status: str

    @property
    def kept_steps(self) -> int:
        """Steps of every chain on disk."""
        ...

    def sample(self, stop: threading.Event) -> None:
        """Go on to the last step. After ``stop``, keep what there is and raise ``Interrupted``."""
        ...

    def streamed(self) -> Block: ...


T = TypeVar("T")


class MemberProgress(Silence):
    """Collects the progress of a board, for the thread that shows it."""

    def __init__(self) -> None:
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.steps = 0
        self._rates: queue.SimpleQueue[float] = queue.SimpleQueue()

    def say(self, text: str) -> None:
        self.lines.put(text)

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        if acceptance is not None:  # otherwise steps are made again
            self.steps = steps
            self._rates.put(acceptance)

    def rates(self) -> list[float]:
        """Acceptance rates since the last call."""
        return _taken(self._rates)

    def said(self) -> list[str]:
        """Lines since the last call."""
        return _taken(self.lines)


def _taken(items: queue.SimpleQueue[T]) -> list[T]:
    """What a queue holds now, which it gives up."""
    return [items.get() for _ in range(items.qsize())]


class SeveralChains:
    """The chains of all boards of a run, from their start or their checkpoints to the last step.

    Parameters
    ----------
    board : SeveralBoards
    total : int
        Steps of every chain.
    make : callable
        The ``Member`` of a board by its number, with the observer to use.
    observer : Observer
    kept : bool
        The steps are kept on disk; otherwise all boards stop if one of them is lost.
    """

    def __init__(
        self,
        board: SeveralBoards,
        total: int,
        make: Callable[[int, Observer], Member],
        observer: Observer,
        kept: bool,
    ) -> None:
        self._board, self._total, self._kept = board, total, kept
        self._observer = observer
        self._progress = [MemberProgress() for _ in board.members]
        self._members = [make(i, own) for i, own in enumerate(self._progress)]
        self._errors: dict[int, BaseException] = {}
        for own, member in zip(self._progress, self._members, strict=True):
            own.steps = member.kept_steps

    @property
    def steps(self) -> int:
        """Steps that every chain of every board has made."""
        return min(own.steps for own in self._progress)

    @property
    def seconds(self) -> float:
        """Time of the boards; those that share a place work one after the other."""
        spent: dict[object, float] = {}
        for place, member in zip(self._board.places, self._members, strict=True):
            spent[place] = spent.get(place, 0.0) + member.seconds
        return max(spent.values())

    def run(self, stop: threading.Event) -> None:
        """Run to the last step, or until ``stop`` is set.

        Raises BoardLost, which names the boards that failed, after the others have ended.
        """
        places = list(dict.fromkeys(self._board.places))
        threads = [
            threading.Thread(target=self._work, args=(place, stop), daemon=True) for place in places
        ]
        self._observer.begin(self._mean_steps(), self._total)
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                for thread in threads:
                    thread.join(POLL_S / len(threads))
                self._show()
        except BaseException:  # also of the observer: no thread goes on without it
            stop.set()
            for thread in filter(threading.Thread.is_alive, threads):
                thread.join(PATIENCE_S / len(threads))
            raise
        finally:
            self._show()
            self._observer.end()
        self._raise_errors()

    def _work(self, place: object, stop: threading.Event) -> None:
        """Make the chains of the boards at one place, one board after the other."""
        lost: BaseException | None = None
        for number, own in enumerate(self._board.places):
            if own != place or stop.is_set():
                continue
            if lost is not None:
                self._errors[number] = lost
                continue
            try:
                self._members[number].sample(stop)
            except BaseException as error:
                lost = self._note(number, error, stop)

    def _note(
        self, number: int, error: BaseException, stop: threading.Event
    ) -> BaseException | None:
        """Note the error of a board; returns it if its place is lost."""
        if isinstance(error, Interrupted):
            return None
        self._errors[number] = error
        if not (self._kept and isinstance(error, OhmcarloError)):
            stop.set()
        elif any(
            i not in self._errors and member.steps < self._total
            for i, member in enumerate(self._members)
        ):
            self._progress[number].say(f"{error}; the other boards go on to their last step")
        return error if isinstance(error, BoardLost) else None

    def _mean_steps(self) -> int:
        return int(np.mean([own.steps for own in self._progress]))

    def _show(self) -> None:
        """Show the progress of all boards."""
        rates = []
        for number, own in enumerate(self._progress):
            rates += own.rates()
            for line in own.said():
                self._observer.say(f"{self.name_of(number)}: {line}")
        if rates:
            self._observer.advance(self._mean_steps(), float(np.mean(rates)))

    def name_of(self, number: int) -> str:
        """A board in the words of a message."""
        chains = self._board.geometry.regions
        own = range(number * chains, (number + 1) * chains)
        word = "chain" if chains == 1 else "chains"
        return f"board {number}, {self._board.members[number].name} ({word} {first_few(list(own))})"

    def _raise_errors(self) -> None:
        for error in self._errors.values():
            if not isinstance(error, OhmcarloError):
                raise error
        if self._errors:
            first = next(iter(self._errors.values()))
            texts = [f"{self.name_of(i)}: {e}" for i, e in sorted(self._errors.items())]
            raise BoardLost("; ".join(texts)) from first

    def interrupted_at(self) -> str:
        """Where the boards were interrupted."""
        found = [f"{own.steps} (board {i})" for i, own in enumerate(self._progress)]
        return f"interrupted after {', '.join(found)} of {self._total} steps"

    def kept_text(self) -> str:
        """Which steps are kept."""
        kept = [member.kept_steps for member in self._members]
        if kept == [own.steps for own in self._progress]:
            return "the checkpoints are kept"
        found = [f"{steps} of board {i}" for i, steps in enumerate(kept)]
        return f"the first {', '.join(found)} are kept"

    def boards_left(self) -> str | None:
        """The backend of the boards that did not fail; None if all or none did."""
        return self._board.left(self._errors)

    @property
    def status(self) -> str:
        """``Block.status`` of the first board that stopped before its last step."""
        found = [member.status for member in self._members]
        return next((status for status in found if status != RUNNING), RUNNING)

    def streamed(self) -> Block:
        """The steps of all boards in one order, which does not depend on their speed."""
        return merged_draws([m.streamed() for m in self._members], self._board.geometry.regions)
