"""Faulty lines: frames of a byte port are damaged, lost, doubled, cut, swapped or delayed, or there
are bursts of noise."""

from __future__ import annotations

import random
from collections import Counter

from board_ports import NativePort
from native_board import NativeBoard
from ohmcarlo.boards.link.transport import Port

FAULTS = ("flip", "drop", "double", "cut", "swap", "delay")
REACH = 7  # frames that a swapped or delayed one falls back by, at the most


def framed(coded: bytes) -> bytes:
    """A frame with the zero on either side."""
    return b"\0" + coded + b"\0"


class Line:
    """One direction of the line: takes frames, returns what arrives, and counts its faults in
    ``done``."""

    def __init__(self, probability: float, rng: random.Random, done: Counter[str]) -> None:
        self.probability, self.rng, self.done = probability, rng, done
        self._held: list[tuple[int, bytes]] = []  # frames to wait for, frame

    def carry(self, frame: bytes) -> bytes:
        """Take a whole frame; return the bytes that arrive: fewer, more, or an earlier frame."""
        arrived = self._spoil(frame) if self.rng.random() < self.probability else frame
        return arrived + self._release()

    def _spoil(self, frame: bytes) -> bytes:
        fault = self.rng.choice(FAULTS)
        self.done[fault] += 1
        if fault == "flip":
            spoilt = bytearray(frame)
            for _ in range(self.rng.randint(1, 4)):
                spoilt[self.rng.randrange(len(frame))] ^= 1 << self.rng.randrange(8)
            return bytes(spoilt)
        if fault == "drop":
            return b""
        if fault == "double":
            return 2 * frame
        if fault == "cut":
            return frame[: self.rng.randrange(len(frame))]
        # "swap": behind the next frame; "delay": behind several frames, or until the line is silent
        after = 1 if fault == "swap" else self.rng.randint(2, REACH)
        self._held.append((after + 1, frame))
        return b""

    def _release(self) -> bytes:
        self._held = [(left - 1, frame) for left, frame in self._held]
        due = b"".join(frame for left, frame in self._held if left <= 0)
        self._held = [(left, frame) for left, frame in self._held if left > 0]
        return due

    def rest(self) -> bytes:
        """Everything that was delayed; called when the line is silent."""
        due = b"".join(frame for _, frame in self._held)
        self._held.clear()
        return due


class FaultyPort:
    """``port`` over a faulty line: each frame of either direction is corrupted with
    ``probability``.

    Attributes
    ----------
    done : Counter
        How often each fault was done, both directions together.
    """

    def __init__(self, port: Port, probability: float, seed: int) -> None:
        self.port = port
        self.name = port.name
        self.done: Counter[str] = Counter()
        rng = random.Random(seed)
        self._there, self._back = (Line(probability, rng, self.done) for _ in range(2))
        self._rest = b""

    def write(self, data: bytes) -> None:
        *frames, rest = data.split(b"\0")
        assert not rest, "frames are written whole"
        self.port.write(b"".join(self._there.carry(framed(frame)) for frame in frames if frame))

    def read(self, timeout_s: float) -> bytes:
        received = self.port.read(timeout_s)
        if not received:
            self.port.write(self._there.rest())
            return self._back.rest()
        *frames, self._rest = (self._rest + received).split(b"\0")
        return b"".join(self._back.carry(framed(frame)) for frame in frames if frame)

    def close(self) -> None:
        self.port.close()


BURSTS = ("random", "zeros", "flips", "cut")
BURST_S = 0.05
"""Duration of a burst."""


class NoisyPort(NativePort):
    """A port to a native board whose line has bursts of noise, in both directions at once.

    A burst adds bytes to an idle line, or damages the bytes that are sent during the burst.

    Parameters
    ----------
    board : NativeBoard
    bursts_a_second : float
        0: a quiet line.
    seed : int
    kinds : tuple of str
        Kinds of the bursts.

    Attributes
    ----------
    done : Counter
        Number of bursts of each kind, in each direction.
    """

    def __init__(
        self,
        board: NativeBoard,
        bursts_a_second: float,
        seed: int,
        kinds: tuple[str, ...] = BURSTS,
    ) -> None:
        super().__init__(board)
        self.kinds = kinds
        self.bursts_a_second = bursts_a_second
        self.done: Counter[str] = Counter()
        self.before_poll = self._strike
        self._rng = random.Random(seed)
        self._next = 0.0
        self._there = self._back = ("", 0.0)  # burst that damages bytes of a direction, its end
        self._noise = b""  # on its way to the host

    def _strike(self) -> None:
        while self.bursts_a_second and self.now >= self._next:
            pause = self._rng.uniform(0.5, 1.5) / self.bursts_a_second
            self._next = max(self._next, self.now) + pause
            self.board.write(self._burst("_there"))
            self._noise += self._burst("_back")

    def _burst(self, direction: str) -> bytes:
        """Noise on the idle line, or none for a burst that damages bytes."""
        kind = self._rng.choice(self.kinds)
        self.done[kind] += 1
        if kind == "random":
            return bytes(self._rng.randint(1, 255) for _ in range(self._rng.randint(1, 12)))
        if kind == "zeros":
            return bytes(self._rng.randint(1, 3))
        setattr(self, direction, (kind, self.now + BURST_S))
        return b""

    def _spoilt(self, burst: tuple[str, float], data: bytes) -> bytes:
        kind, end = burst
        if self.now > end:
            return data
        spoilt = bytearray(data)
        place = self._rng.randrange(len(data))
        if kind == "flips":
            spoilt[place] ^= self._rng.randint(1, 255)
        elif kind == "cut":
            del spoilt[place : place + self._rng.randint(1, 9)]
        return bytes(spoilt)

    def write(self, data: bytes) -> None:
        super().write(self._spoilt(self._there, data))

    def read(self, timeout_s: float) -> bytes:
        data = super().read(timeout_s)
        if data:
            data = self._spoilt(self._back, data)
        noise, self._noise = self._noise, b""
        return noise + data
