"""Boards that take turns at one place: several arrays on one physical board.

A board holds one array. When another array is needed, the state of the present one is read, and the
board is opened again with the other array, its configuration and its state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...array.base import Ledger
from ...golden import EpisodeLikelihood, Registers, Thresholds, Triage
from ...spec import Points
from ..base import Block, Board
from ..streamed import Streamed

Current = tuple[NDArray[np.uint16], NDArray[np.int32], NDArray[np.int64]]


@dataclass(eq=False)
class Place:
    """A physical board, and the member whose array it holds."""

    holder: TurnBoard | None = None


@dataclass(frozen=True, eq=False)
class Left:
    """What is known of a board whose array is not in place."""

    state: dict[str, NDArray[Any]]
    counters: dict[str, NDArray[Any]]
    ledger: Ledger
    entropy: dict[str, Any]
    retired_rows: list[int]
    clock_cycles: int | None
    link: dict[str, int] | None
    current: Current | None


class TurnBoard:
    """``Board`` that shares a physical board with others.

    Parameters
    ----------
    place : Place
        The same object for all that share the board.
    opens : callable
        Opens the physical board with the array of this member.
    """

    def __init__(self, place: Place, opens: Callable[[], Board]) -> None:
        self._place, self._opens = place, opens
        self._board: Board | None = None
        self._configured: tuple[Registers, Points, EpisodeLikelihood | None] | None = None
        self._started = False
        self._left: Left | None = None
        self.streamed: Streamed | None = None
        board = self._here()
        try:
            self.name, self.geometry = board.name, board.geometry
            self.pseudo_random, self.dot_products = board.pseudo_random, board.dot_products
            self.clock_hz, self._identity = board.clock_hz, board.identify()
        except BaseException:
            self.close()
            raise

    def _here(self) -> Board:
        """The physical board, with the array of this member."""
        if self._board is not None:
            return self._board
        if self._place.holder is not None:
            self._place.holder.leave()
        self._board = board = self._opens()
        self._place.holder = self
        if self._configured is not None:
            board.configure(*self._configured)
        if self._left is not None:
            board.load_state_dict(self._left.state)
            self._left = None
        return board

    def leave(self) -> None:
        """Keep what is known of the array, and let the place go."""
        board = self._board
        if board is None:
            return
        try:
            if self._configured is not None:
                self._left = Left(
                    state=board.state_dict(),
                    counters=board.counters(),
                    ledger=board.ledger,
                    entropy=board.entropy(),
                    retired_rows=board.retired_rows(),
                    clock_cycles=board.clock_cycles(),
                    link=board.link_statistics(),
                    current=board.current() if self._started else None,
                )
        finally:
            self.close()

    def close(self) -> None:
        board, self._board = self._board, None
        if self._place.holder is self:
            self._place.holder = None
        if board is not None:
            board.close()

    # -- what needs the array in place -----------------------------------------------------------

    def configure(
        self, registers: Registers, points: Points, judge: EpisodeLikelihood | None = None
    ) -> None:
        self._left, self._started = None, False
        board = self._here()
        board.configure(registers, points, judge)
        self._configured = registers, points, judge
        self.geometry, self.streamed = board.geometry, board.streamed

    def reload(self, registers: Registers, points: Points) -> None:
        board = self._here()
        board.reload(registers, points)
        self._configured, self._started = (registers, points, None), False
        self.streamed = board.streamed

    def start(self) -> None:
        self._here().start()
        self._started = True

    def run(self, steps: int) -> Block:
        self._started = True
        return self._here().run(steps)

    def set_order(self, order: NDArray[np.int32]) -> None:
        self._here().set_order(order)

    def predict(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._here().predict(points)

    def triage(self, points: Points, thresholds: Thresholds) -> Triage:
        return self._here().triage(points, thresholds)

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._left, self._started = None, False
        self._here().load_state_dict(dict(state))

    # -- what is known without it ----------------------------------------------------------------

    def identify(self) -> dict[str, Any]:
        return dict(self._identity)

    def current(self) -> Current:
        if self._left is not None and self._left.current is not None:
            return self._left.current
        return self._here().current()

    @property
    def ledger(self) -> Ledger:
        return self._here().ledger if self._left is None else self._left.ledger

    def clock_cycles(self) -> int | None:
        return self._here().clock_cycles() if self._left is None else self._left.clock_cycles

    def entropy(self) -> dict[str, Any]:
        return self._here().entropy() if self._left is None else dict(self._left.entropy)

    def link_statistics(self) -> dict[str, int] | None:
        return self._here().link_statistics() if self._left is None else self._left.link

    def retired_rows(self) -> list[int]:
        return self._here().retired_rows() if self._left is None else self._left.retired_rows

    def state_dict(self) -> dict[str, NDArray[Any]]:
        return self._here().state_dict() if self._left is None else dict(self._left.state)

    def counters(self) -> dict[str, NDArray[Any]]:
        return self._here().counters() if self._left is None else dict(self._left.counters)
