"""Record words on their way from a core to the host."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...spec.register_map import WORD_BYTES
from .core import Core

Words = NDArray[np.uint32]
WORDS = 1 << 32
NONE = np.zeros(0, np.uint32)


class RecordSource(Protocol):
    """Where the record words of a command arrive.

    Attributes
    ----------
    room : int or None
        Words that one command may have; None if unlimited.
    """

    room: int | None

    def select(self) -> None:
        """Direct the records of the next command here."""
        ...

    def begin(self) -> None:
        """Get ready for the words of a command; words that arrived before it are given up."""
        ...

    def poll(self) -> Words:
        """Words that have arrived since the last call."""
        ...

    def end(self, some: bool) -> Words:
        """The last words of a command that has ended; ``some``: it had words."""
        ...

    def drop(self) -> None:
        """Give up the words that wait."""
        ...


class Ring(RecordSource):
    """The window ``records_ring``: the core puts words into it, and waits while it is full."""

    room = None

    def __init__(self, core: Core) -> None:
        self._core = core
        self._received = core.map.registers["records.received"]
        self._taken = core.map.registers["records.taken"]
        ring = core.map.windows["records_ring"]
        self._first, self.words = ring.address, ring.words
        self._next = 0

    def select(self) -> None:
        self._core.set({"records.options.to_stream": 0})

    def begin(self) -> None:
        # the rest of a record that a fault cut arrives with the reset of the state
        self.drop()

    def poll(self) -> Words:
        access = self._core.access
        waiting = (access.read(self._received) - self._next) % WORDS
        if not waiting:
            return NONE
        place = self._next % self.words
        head = min(waiting, self.words - place)
        found = [self._part(place, head), self._part(0, waiting - head)]
        self._next = (self._next + waiting) % WORDS
        access.write(self._taken, self._next)
        return np.concatenate(found)

    def _part(self, place: int, count: int) -> Words:
        return self._core.access.read_words(self._first + WORD_BYTES * place, count)

    def end(self, some: bool) -> Words:
        return self.poll()

    def drop(self) -> None:
        access = self._core.access
        self._next = access.read(self._received)
        access.write(self._taken, self._next)
