"""A faulty line: frames of a byte port are damaged, lost, doubled, cut, swapped or delayed."""

from __future__ import annotations

import random
from collections import Counter

from ohmcarlo.boards.link.transport import Port

FAULTS = ("flip", "drop", "double", "cut", "swap", "delay")
REACH = 7  # frames that a swapped or delayed one falls back by, at the most


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
        self.port.write(b"".join(self._there.carry(frame + b"\0") for frame in frames))

    def read(self, timeout_s: float) -> bytes:
        received = self.port.read(timeout_s)
        if not received:
            self.port.write(self._there.rest())
            return self._back.rest()
        *frames, self._rest = (self._rest + received).split(b"\0")
        return b"".join(self._back.carry(frame + b"\0") for frame in frames)

    def close(self) -> None:
        self.port.close()
