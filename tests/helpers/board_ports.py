"""The native board behind a byte port; its time passes only while a caller waits."""

from __future__ import annotations

from collections.abc import Callable

from native_board import NativeBoard

CLOCK_HZ = 4_000_000  # of the native board, as this port lets its time pass


class NativePort:
    """A ``boards.transport.Port`` to a native board. ``clock`` is the common time of both.
    ``before_poll`` is called each time before the board runs."""

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
            # time passes also while the board sleeps, without clocks
            self.now += max(self.board.clocks - began, 4000) / CLOCK_HZ
            data = self.board.read()
            if data or self.now >= until:
                return data

    def close(self) -> None:
        self.closed = True
