"""Records the operations of a run, in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...array.base import IntArray
from ..tap import CHARACTERISE, SAMPLE, Tap
from .columns import DOT, EMPTY, OPERATIONS, READ, RESET, SET, Operations

BLOCK = 1 << 14
"""Operations that are kept in memory."""
START, END = "start", "end"
NONE = np.full(1, EMPTY)


@dataclass(frozen=True)
class Part:
    """The steps of the sampling chain that a list is limited to.

    Attributes
    ----------
    first, last : int or None
        Steps from 1; ``first`` None: everything before the steps, too; ``last`` None: to the end.
    """

    first: int | None = None
    last: int | None = None

    def __contains__(self, tap: Tap) -> bool:
        """Whether the operation under way belongs to it."""
        if self.first is None and self.last is None:
            return True
        if tap.phase != SAMPLE:
            return self.first is None
        return (self.first or 0) <= tap.step and (self.last is None or tap.step <= self.last)

    def __str__(self) -> str:
        """For the head of a list: ``start to end``, ``10 to 19``."""
        first = START if self.first is None else self.first
        return f"{first} to {END if self.last is None else self.last}"

    @classmethod
    def of(cls, text: str) -> Part:
        """The part that ``str`` described; ValueError for another text."""
        first, _, last = text.partition(" to ")
        return cls(
            None if first == START else int(first),
            None if last == END else int(last),
        )


ALL = Part()


class _Call(NamedTuple):
    """One or more operations of a kind."""

    number: int
    phase: str
    chain: int
    step: int
    operation: int
    row: int
    device: NDArray[np.integer]
    dac: NDArray[np.integer]
    code: NDArray[np.integer]
    accesses: int


@dataclass
class Recorder:
    """``Listener`` that writes blocks of operations.

    Attributes
    ----------
    write : callable
        Called with ``Operations``.
    part : Part
    dots : bool
        Lines for DOT, too.
    listed : int
        Lines written.
    """

    write: Callable[[Operations], None]
    part: Part = ALL
    dots: bool = False
    listed: int = 0
    tap: Tap | None = None
    _number: int = 0
    _waiting: int = 0
    _calls: list[_Call] = field(default_factory=list)

    def reset(self, row: int) -> None:
        self._number += 1
        self._add(RESET, self._number, row, NONE, NONE, NONE)

    def program(self, row: int, devices: IntArray, dac: IntArray, codes: IntArray) -> IntArray:
        self._several(SET, row, devices, dac, codes)
        return codes

    def read(self, row: int, devices: IntArray, codes: IntArray) -> IntArray:
        self._several(READ, row, devices, np.full(len(devices), EMPTY), codes)
        return codes

    def dot(self, row: int, accesses: int) -> None:
        if self.dots:
            self._add(DOT, EMPTY, row, NONE, NONE, NONE, accesses)

    def flush(self) -> None:
        """Write what waits."""
        if self._calls:
            self.write(_columns(self._calls))
            self.listed += self._waiting
            self._calls, self._waiting = [], 0

    def _several(
        self, kind: str, row: int, devices: IntArray, dac: NDArray[np.integer], codes: IntArray
    ) -> None:
        first, self._number = self._number + 1, self._number + len(devices)
        self._add(kind, first, row, devices.copy(), dac.copy(), codes.copy())

    def _add(
        self,
        kind: str,
        number: int,
        row: int,
        devices: NDArray[np.integer],
        dac: NDArray[np.integer],
        codes: NDArray[np.integer],
        accesses: int = EMPTY,
    ) -> None:
        tap = self.tap
        assert tap is not None and tap.opened is not None
        if tap not in self.part:
            return
        geometry = tap.opened.array.geometry
        chain = EMPTY
        if tap.phase != CHARACTERISE and row != EMPTY:
            chain = row // (geometry.rows // geometry.regions)
        kind_at = OPERATIONS.index(kind)
        self._calls.append(
            _Call(number, tap.phase, chain, tap.step, kind_at, row, devices, dac, codes, accesses)
        )
        self._waiting += len(devices)
        if self._waiting >= BLOCK:
            self.flush()


def _columns(calls: list[_Call]) -> Operations:
    sizes = np.array([len(call.device) for call in calls])
    ends = np.cumsum(sizes)
    within = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
    number = np.repeat([call.number for call in calls], sizes)
    same = {
        name: np.repeat(np.array([getattr(call, name) for call in calls], np.int64), sizes)
        for name in ("chain", "step", "operation", "row", "accesses")
    }
    each = {
        name: np.concatenate([getattr(call, name) for call in calls]).astype(np.int64)
        for name in ("device", "dac", "code")
    }
    phase = [call.phase for call in calls for _ in range(len(call.device))]
    return Operations(
        number=np.where(number == EMPTY, EMPTY, number + within), phase=phase, **same, **each
    )
