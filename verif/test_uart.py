"""UART: bytes on the line arrive in the stream, for any gaps, divisors and noise."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import cocotb

from ohmcarlo_hdl.soc.uart import BYTE_BITS, RECEIVED, UartReceiver, UartTransmitter
from verif.harness import Clocked, Packer, Source, case_parameters, run_bench, start_clock, stimuli

BYTES = 60


def frame(byte: int, stop: int = 1) -> list[int]:
    """Levels of a byte on the line, a bit each: start, eight data bits from the lowest, stop."""
    return [0, *(byte >> i & 1 for i in range(8)), stop]


def levels(bits: list[int], clocks: float, start: float) -> Iterator[int]:
    """Line levels clock by clock of bits that last ``clocks`` each, the first from ``start`` on."""
    at = int(start)
    for index, bit in enumerate(bits):
        end = start + (index + 1) * clocks
        while at < end:
            yield bit
            at += 1


class Line:
    """Drives ``rx`` from a list of levels, one per clock."""

    def __init__(self, dut: Any) -> None:
        self.rx = dut.rx
        self.levels: list[int] = []
        self.at = 0
        self.rx.value = 1

    def tick(self) -> None:
        if self.at < len(self.levels):
            self.rx.value = self.levels[self.at]
            self.at += 1
        else:
            self.rx.value = 1


class Received:
    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.packer = Packer(RECEIVED)
        self.bytes: list[int] = []
        self.errors = 0
        self.busy_clocks = 0

    def tick(self) -> None:
        self.errors += int(self.dut.error.value)
        self.busy_clocks += int(self.dut.busy.value)
        received = self.packer.unpack(int(self.dut.received.value))
        if received["valid"]:
            self.bytes.append(received["byte"])


async def receive(dut: Any, line: list[int]) -> Received:
    """Output of the receiver for the levels."""
    drive, found = Line(dut), Received(dut)
    drive.levels = line
    bench = Clocked(dut, drive, found).start()
    await bench.until(lambda: drive.at == len(line), len(line) + 10, "the line")
    end = bench.cycle + 12 * case_parameters()["divisor"] + 10
    await bench.until(lambda: bench.cycle >= end, 1 << 30)
    assert not int(dut.busy.value)
    bench.task.cancel()
    return found


async def begin(dut: Any) -> tuple[int, random.Random]:
    divisor = int(case_parameters()["divisor"])
    dut.divisor.value = case_parameters().get("register", divisor)
    if hasattr(dut, "rx"):
        dut.rx.value = 1
    await start_clock(dut)
    return divisor, stimuli(divisor)


@cocotb.test()
async def receives(dut) -> None:  # type: ignore[no-untyped-def]
    """Random bytes with gaps of any length, or none; a clock that is 2 % off."""
    divisor, rng = await begin(dut)
    for error in (0.0, 0.02, -0.02) if divisor >= 8 else (0.0,):
        sent = [rng.choice((0, 0xFF, 0x55, rng.randrange(256))) for _ in range(BYTES)]
        line: list[int] = [1] * 5
        for byte in sent:
            line += levels(frame(byte), divisor * (1 + error), len(line) % 1)
            line += [1] * rng.choice((0, 0, 1, 2, rng.randrange(4 * divisor)))
        found = await receive(dut, line)
        assert found.bytes == sent
        assert found.errors == 0
        assert found.busy_clocks >= BYTES * 9 * divisor, "busy while a byte comes"


@cocotb.test()
async def framing_errors(dut) -> None:  # type: ignore[no-untyped-def]
    """A byte without a stop bit is an error and no byte; the next one is received."""
    divisor, rng = await begin(dut)
    line: list[int] = [1] * 5
    sent, errors = [], 0
    for _ in range(BYTES):
        byte = rng.randrange(256)
        bad = rng.random() < 0.3
        bits = frame(byte, stop=0) + [0] * (rng.randrange(30) if bad else 0) if bad else frame(byte)
        line += levels(bits, divisor, 0)
        if bad:
            line += [1] * (2 + rng.randrange(2 * divisor))  # the line is idle again
            errors += 1
        else:
            sent.append(byte)
    found = await receive(dut, line)
    assert found.bytes == sent
    assert found.errors == errors > 5


@cocotb.test()
async def noise(dut) -> None:  # type: ignore[no-untyped-def]
    """Pulses shorter than half a bit are no start bits; bytes after any noise are received."""
    divisor, rng = await begin(dut)
    if divisor >= 4:
        line = []
        for _ in range(BYTES):
            line += [1] * (divisor + rng.randrange(divisor)) + [0] * rng.randrange(1, divisor // 2)
        found = await receive(dut, line)
        assert not found.bytes and not found.errors
    for _ in range(10):
        line = [rng.randrange(2) for _ in range(rng.randrange(20 * divisor))]
        sent = [rng.randrange(256) for _ in range(4)]
        line += [1] * (11 * divisor)  # longer than a frame that the noise may have started
        for byte in sent:
            line += levels(frame(byte), divisor, 0)
        found = await receive(dut, line)
        assert found.bytes[-4:] == sent


@cocotb.test()
async def transmits(dut) -> None:  # type: ignore[no-untyped-def]
    """Every level on the line has the exact length."""
    divisor, rng = await begin(dut)
    stall = case_parameters()["stall"]
    sent = [rng.choice((0, 0xFF, rng.randrange(256))) for _ in range(BYTES)]
    source = Source(dut, "bytes", BYTE_BITS, sent, stall, rng)
    line: list[int] = []

    class Watch:
        def tick(self) -> None:
            line.append(int(dut.tx.value))
            if not line[-1]:
                assert int(dut.busy.value)

    bench = Clocked(dut, source, Watch()).start()
    await bench.until(lambda: source.done and not int(dut.busy.value), 1 << 20, "sending")
    line += [1]
    at, gaps = 0, []
    for byte in sent:
        start = line.index(0, at)
        gaps.append(start - at)
        wanted = list(levels(frame(byte), divisor, 0))
        assert line[start : start + len(wanted)] == wanted, hex(byte)
        at = start + len(wanted)
    assert 0 not in line[at:]
    if not stall:
        assert max(gaps[1:]) <= 1, "a clock between bytes"


def test_receiver() -> None:
    cases = [{"divisor": divisor} for divisor in (2, 3, 16)]
    run_bench(UartReceiver(), __name__, cases, testcase="receives|framing_errors|noise")


def test_least_divisor() -> None:
    """An invalid divisor counts as 2."""
    cases = [{"divisor": 2, "register": register} for register in (0, 1)]
    run_bench(UartReceiver(), __name__, cases, testcase="receives")


def test_transmitter() -> None:
    choices = [(2, 0.0), (3, 0.5), (16, 0.95)]
    cases = [{"divisor": divisor, "stall": stall} for divisor, stall in choices]
    run_bench(UartTransmitter(), __name__, cases, testcase="transmits")
