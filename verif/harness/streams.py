"""Drivers and monitors of streams, with stalls; one Python wake-up a clock for all of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from .packing import Packer
from .seeds import stimuli_of

PERIOD_NS = 10
CERTAIN = 1e-9
"""A stall that is missing with less than this probability counts as a defect of the bench."""


class Stalls:
    """Counts the stalls of a driver, so that a bench cannot pass without stalls.

    ``chance(p)`` notes a draw that stalls an item with probability ``p``, independent of the
    others; ``happened`` counts the clocks in which an item waited.
    """

    made: ClassVar[list[Stalls]] = []

    def __init__(self, name: str) -> None:
        self.name = name
        self.happened = 0
        self.missing = 1.0  # the probability that no draw so far stalls
        Stalls.made.append(self)

    def chance(self, probability: float) -> None:
        self.missing *= 1 - probability

    def check(self) -> None:
        """AssertionError if this driver should have stalled, and did not."""
        assert self.happened or self.missing > CERTAIN, (
            f"{self.name} never stalled, by chance {self.missing:.0e}: nothing was tested under "
            "stalls"
        )


def check_stalls() -> None:
    """At the end of a test: check that every driver with stalls stalled, and forget the drivers."""
    made, Stalls.made = Stalls.made, []
    for stalls in made:
        stalls.check()


async def start_clock(dut: Any) -> None:
    """A free-running clock, and a reset of four clocks; returns when the reset is over."""
    dut.rst.value = 1
    Clock(dut.clk, PERIOD_NS, "ns", impl="gpi").start(start_high=False)
    for _ in range(4):
        await RisingEdge(dut.clk)
    dut.rst.value = 0


class Clocked:
    """Calls ``tick()`` of each of its parts at every rising edge of the clock.

    A part reads the values before the edge and writes those after it, like a register. ``cycle``
    counts edges.
    """

    def __init__(self, dut: Any, *parts: Any) -> None:
        self.dut = dut
        self.parts = list(parts)
        self.cycle = 0
        self._edge = RisingEdge(dut.clk)

    def start(self) -> Clocked:
        self.task = cocotb.start_soon(self._run())
        return self

    async def _run(self) -> None:
        while True:
            await self._edge
            self.cycle += 1
            for part in self.parts:
                part.tick()

    async def until(self, done: Any, limit: int, what: str = "the bench") -> None:
        """Wait until ``done()`` holds; AssertionError after ``limit`` clocks."""
        last = self.cycle + limit
        while not done():
            await self._edge
            if self.task.done():
                self.task.result()  # raises the exception of a part
            assert self.cycle < last, f"{what} is not done after {limit} clocks"


class Source:
    """Offers ``items`` on the stream ``name`` of ``dut``; an offered item stays until it is taken.

    ``stall`` is the probability of a clock without an offer, drawn from ``rng``. A test fails if
    its driver with stalls never stalled (``Stalls``).
    """

    def __init__(
        self,
        dut: Any,
        name: str,
        shape: Any,
        items: Iterable[Any] = (),
        stall: float = 0.0,
        rng: random.Random | None = None,
    ) -> None:
        self.packer = Packer(shape)
        self.valid = getattr(dut, f"{name}__valid")
        self.ready = getattr(dut, f"{name}__ready")
        self.payload = getattr(dut, f"{name}__payload") if self.packer.width else None
        self.stall, self.stalls = stall, Stalls(name)
        self.rng = rng or stimuli_of(name)
        self.pending = [self.packer.pack(i) for i in items][::-1]
        self.sent = 0
        self._offering = False
        self.valid.value = 0

    def put(self, items: Sequence[Any]) -> None:
        self.pending[:0] = [self.packer.pack(i) for i in items][::-1]

    @property
    def done(self) -> bool:
        return not self.pending

    def drop(self) -> None:
        """Withdraw the offer, and drop all items that were not taken."""
        self.pending.clear()
        self._offering = False
        self.valid.value = 0

    def tick(self) -> None:
        if self._offering and int(self.ready.value):
            self.pending.pop()
            self.sent += 1
            self._offering = False
        if not self._offering:
            if self.pending:
                self.stalls.chance(self.stall)
                if self.rng.random() >= self.stall:
                    if self.payload is not None:
                        self.payload.value = self.pending[-1]
                    self._offering = True
                else:
                    self.stalls.happened += 1
            self.valid.value = int(self._offering)


class Sink:
    """Takes items from the stream ``name`` of ``dut`` into ``items``, unpacked.

    Raises AssertionError if the stream changes or withdraws an item before it is taken. ``stall``
    is the probability of a clock in which ``ready`` is low; a test fails if no offered item ever
    met a low ``ready`` (``Stalls``).
    """

    def __init__(
        self,
        dut: Any,
        name: str,
        shape: Any,
        stall: float = 0.0,
        rng: random.Random | None = None,
    ) -> None:
        self.name = name
        self.packer = Packer(shape)
        self.valid = getattr(dut, f"{name}__valid")
        self.ready = getattr(dut, f"{name}__ready")
        self.payload = getattr(dut, f"{name}__payload") if self.packer.width else None
        self.stall, self.stalls = stall, Stalls(name)
        self.rng = rng or stimuli_of(name)
        self.items: list[Any] = []
        self._offered: int | None = None
        self._ready = 0
        self._drawn = 0.0  # the probability with which `ready` was drawn for this clock
        self.ready.value = 0

    def tick(self) -> None:
        if int(self.valid.value):
            bits = int(self.payload.value) if self.payload is not None else 0
            assert self._offered in (None, bits), f"{self.name} changed what it offered"
            if self._offered is None:
                self.stalls.chance(self._drawn)
            self.stalls.happened += not self._ready
            self._offered = None if self._ready else bits
            if self._ready:
                self.items.append(self.packer.unpack(bits))
        else:
            assert self._offered is None, f"{self.name} withdrew what it offered"
        self._drawn = self.stall
        self._ready = int(self.rng.random() >= self.stall)
        self.ready.value = self._ready


async def load_window(dut: Any, name: str, words: dict[int, int] | Sequence[int]) -> None:
    """Write 32-bit words (address → word, or from address 0 on) into a memory window."""
    items = words.items() if isinstance(words, dict) else enumerate(words)
    stb, addr, data = (getattr(dut, f"{name}__{part}") for part in ("stb", "addr", "data"))
    edge = RisingEdge(dut.clk)
    for address, word in items:
        stb.value, addr.value, data.value = 1, int(address), int(word) & 0xFFFFFFFF
        await edge
    stb.value = 0
    await edge


async def unload_window(dut: Any, name: str, words: int) -> list[int]:
    """Read the first words of a memory window, one word per clock."""
    stb, addr, data = (getattr(dut, f"{name}__{part}") for part in ("r_stb", "r_addr", "r_data"))
    edge, found = RisingEdge(dut.clk), []
    for address in range(words + 1):
        stb.value, addr.value = int(address < words), min(address, words - 1)
        await edge
        if address:  # the word of the address before
            found.append(int(data.value))
    return found
