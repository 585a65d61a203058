"""Rings: items are delivered in order, and neither side overruns the other."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from ohmcarlo_hdl.soc.rings import ReceiveRing, TransmitRing
from verif.harness import Clocked, Sink, Source, case_parameters, run_bench, start_clock, stimuli

WIDTH, ITEMS, COUNT = 12, 8, 600
WRAP = 1 << 32
FIRST = WRAP - 300
"""Number of the first item: the counts wrap in the middle of a test."""


class Reader:
    """Software behind a ``ReceiveRing``: reads counted items, then reports them as taken.

    ``pause`` is the probability of a clock without a read.
    """

    def __init__(self, dut: Any, pause: float, rng: random.Random) -> None:
        self.dut, self.pause, self.rng = dut, pause, rng
        self.items: list[int] = []
        self.taken = 0
        self.fullest = 0
        self._asked = 0
        dut.window__r_stb.value = dut.window__r_addr.value = 0
        dut.taken.value = FIRST

    def tick(self) -> None:
        dut = self.dut
        received = (int(dut.received.value) - FIRST) % WRAP
        inside = received - self.taken
        assert 0 <= inside <= ITEMS
        assert int(dut.input__ready.value) == (inside < ITEMS), "ready while there is room"
        self.fullest = max(self.fullest, inside)
        dut.window__r_stb.value = 0
        if self._asked:
            self._asked -= 1
            if not self._asked:  # requested in the clock before the last one
                self.items.append(int(dut.window__r_data.value))
        elif self.rng.random() >= self.pause:
            if len(self.items) < received:
                dut.window__r_stb.value = 1
                dut.window__r_addr.value = (FIRST + len(self.items)) % ITEMS
                self._asked = 2
            # sometimes several at once
            if self.rng.random() < 0.3:
                self.taken = len(self.items)
        dut.taken.value = (FIRST + self.taken) % WRAP


@cocotb.test()
async def receives(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    rng = stimuli(case["seed"])
    items = [rng.randrange(1 << WIDTH) for _ in range(COUNT)]
    source = Source(dut, "input", WIDTH, items, case["stall"], rng)
    reader = Reader(dut, case["pause"], rng)
    await start_clock(dut)
    bench = Clocked(dut, source, reader).start()
    await bench.until(lambda: len(reader.items) == COUNT, 100 * COUNT, "the ring")
    assert reader.items == items
    assert int(dut.received.value) == (FIRST + COUNT) % WRAP
    if case["pause"] > case["stall"]:
        assert reader.fullest == ITEMS, "every place is used"


class Writer:
    """Software before a ``TransmitRing``: writes items where there is room, then counts them."""

    def __init__(self, dut: Any, items: list[int], pause: float, rng: random.Random) -> None:
        self.dut, self.items, self.pause, self.rng = dut, items, pause, rng
        self.written = self.put = 0
        dut.window__stb.value = 0
        dut.put.value = FIRST

    def tick(self) -> None:
        dut = self.dut
        sent = (int(dut.sent.value) - FIRST) % WRAP
        assert sent <= self.put
        dut.window__stb.value = 0
        # a counted item was written at least one clock ago
        if self.rng.random() < 0.4:
            self.put = self.written
        dut.put.value = (FIRST + self.put) % WRAP
        room = self.written - sent < ITEMS
        if self.written < len(self.items) and room and self.rng.random() >= self.pause:
            dut.window__stb.value = 1
            dut.window__addr.value = (FIRST + self.written) % ITEMS
            dut.window__data.value = self.items[self.written]
            self.written += 1


@cocotb.test()
async def transmits(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    rng = stimuli(case["seed"])
    items = [rng.randrange(1 << WIDTH) for _ in range(COUNT)]
    writer = Writer(dut, items, case["pause"], rng)
    sink = Sink(dut, "output", WIDTH, case["stall"], rng)
    await start_clock(dut)
    bench = Clocked(dut, writer, sink).start()
    await bench.until(lambda: len(sink.items) == COUNT, 100 * COUNT, "the ring")
    assert sink.items == items
    end = bench.cycle + 10
    await bench.until(lambda: bench.cycle >= end, 20)
    assert len(sink.items) == COUNT, "no item twice"
    assert int(dut.sent.value) == (FIRST + COUNT) % WRAP


CASES = [(0.0, 0.0), (0.7, 0.0), (0.0, 0.9), (0.5, 0.5)]


def cases(seed: int) -> list[dict[str, float]]:
    return [{"stall": stall, "pause": pause, "seed": seed} for stall, pause in CASES]


def receive_ring() -> ReceiveRing:
    return ReceiveRing(WIDTH, ITEMS, FIRST)


def transmit_ring() -> TransmitRing:
    return TransmitRing(WIDTH, ITEMS, FIRST)


def test_receive_ring() -> None:
    run_bench(receive_ring, __name__, cases(3), testcase="receives")


def test_transmit_ring() -> None:
    run_bench(transmit_ring, __name__, cases(4), testcase="transmits")
