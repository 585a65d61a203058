"""The native board behind a byte port, with a time that passes only while somebody waits."""

from __future__ import annotations

from collections.abc import Callable

from native_board import NativeBoard

CLOCK_HZ = 4_000_000  # of the native board, as this port lets its time pass


class NativePort:
    """A ``boards.transport.Port`` to a native board. ``clock`` is the time that both live in.

    ``before_poll`` is called before the board runs, each time.
    """

    name = "the native board"

    def __init__(self, board: NativeBoard) -> None:
        self.board = board
        self.now = 0.0
        self.closed = False
        self.written: list[bytes] = []
        self.before_poll: Callable[[], None] = lambda: None

    def clock(self) -> float:
        return self.now

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.board.write(data)

    def read(self, timeout_s: float) -> bytes:
        until = self.now + timeout_s
        while True:
            self.before_poll()
            began = self.board.clocks
            self.board.poll(4000)
            # a board that sleeps lets no clocks pass, yet time does
            self.now += max(self.board.clocks - began, 4000) / CLOCK_HZ
            data = self.board.read()
            if data or self.now >= until:
                return data

    def close(self) -> None:
        self.closed = True
