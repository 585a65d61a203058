"""Streams of the core for other designs: records out, data points in; stalls, gaps, resets.

A bench plays a controller that runs one command after the other, some of them refused, some of them
cut by a restart or a reset. It checks each command when its end is told: every record is out, once,
complete and in order, and packets end where they must.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cocotb
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import RisingEdge

from ohmcarlo.spec import Geometry
from ohmcarlo.spec.link import RECORD_PREDICTION, RECORD_SAMPLE, RECORD_STEP
from ohmcarlo_hdl.buses.axi4_stream import Axi4Stream, StreamReceiver, StreamTransmitter
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.interface import PREDICTION, RECORD_WORD, step_record
from ohmcarlo_hdl.ip import data_in, packets, records
from ohmcarlo_hdl.ip.data_in import DataIn
from ohmcarlo_hdl.ip.records import RecordPath
from verif.harness import (
    BenchFailure,
    Case,
    Clocked,
    Source,
    case_parameters,
    run_bench,
    start_clock,
    stimuli,
)
from verif.mutants.source import mutant, planted
from verif.test_records import prediction_words, split, step_words

CONFIG = CoreConfig(
    Geometry(rows=16, pairs=8, entropy_pairs=1, access_bits=1),
    max_points=16,
    max_group_rows=1,
    max_regions=4,
)
STREAMED = replace(CONFIG, max_streamed_points=64)
ITEMS = 16
"""Words of the ring."""
ALL_BYTES = 0xF
WRAP = 1 << 32


# -- records out -----------------------------------------------------------------------------------
class Outlet:
    """Takes words from the AXI4-Stream and from the ring, with pauses; sees the ends of commands.

    ``words`` are those of the present command, ``marks`` (tlast, tdest) of those from the stream.
    It does nothing while it is ``quiet``.
    """

    def __init__(self, dut: Any, rng: random.Random) -> None:
        self.dut, self.rng = dut, rng
        self.stall = 0.0
        self.total = self.streamed = 0
        self.quiet = False
        dut.window__stb.value = dut.window__addr.value = dut.window__data.value = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew, after a reset of the hardware."""
        dut = self.dut
        self.words: list[int] = []
        self.marks: list[tuple[int, int]] = []
        self.ends, self.at_end = 0, -1
        self._offered: tuple[int, ...] | None = None
        self._ready = 0
        self._received = self._read = 0
        self._asked: list[int] = []
        dut.axis__tready.value = dut.taken.value = 0
        dut.window__r_stb.value = dut.window__r_addr.value = 0

    def begin(self) -> None:
        """A command begins."""
        self.words, self.marks, self.ends, self.at_end = [], [], 0, -1

    def tick(self) -> None:
        dut, rng = self.dut, self.rng
        if self.quiet:
            return
        if int(dut.ended.value):
            self.ends += 1
            self.at_end = len(self.words) + (int(dut.received.value) - self._read) % WRAP
        self._stream(int(rng.random() >= self.stall))
        self._ring(rng.random() >= self.stall)

    def _stream(self, ready: int) -> None:
        dut = self.dut
        if int(dut.axis__tvalid.value):
            axis = ("tdata", "tkeep", "tlast", "tdest")
            item = tuple(int(getattr(dut, f"axis__{part}").value) for part in axis)
            assert self._offered in (None, item), "an offered word changed"
            self._offered = item
            if self._ready:
                word, keep, last, dest = item
                assert keep == ALL_BYTES
                self.words.append(word)
                self.marks.append((last, dest))
                self.total += 1
                self.streamed += 1
                self._offered = None
        else:
            assert self._offered is None, "an offered word was withdrawn"
        self._ready = ready
        dut.axis__tready.value = ready

    def _ring(self, reads: bool) -> None:
        """Read a word that is counted; ``taken`` follows the last word read."""
        dut = self.dut
        received = int(dut.received.value)
        assert (received - self._read) % WRAP <= ITEMS
        if self._asked:  # the strobe was seen at this edge; the word comes a clock later
            self._asked.append(1)
            if len(self._asked) == 3:
                self.words.append(int(dut.window__r_data.value))
                self.total += 1
                self._asked = []
                self._read = (self._read + 1) % WRAP
                dut.taken.value = self._read
        dut.window__r_stb.value = 0
        if not self._asked and received != self._read and reads:
            dut.window__r_stb.value = 1
            dut.window__r_addr.value = self._read % ITEMS
            self._asked = [1]


class Commands:
    """Plays the controller, and checks each command at its end."""

    def __init__(self, dut: Any, rng: random.Random, stall: float) -> None:
        self.dut, self.rng = dut, rng
        self.outlet = Outlet(dut, rng)
        self.stall = stall
        shapes = {
            "step_records": step_record(CONFIG),
            "samples": RECORD_WORD,
            "predictions": PREDICTION,
        }
        self.sources = {
            name: Source(dut, name, shape, (), stall, rng) for name, shape in shapes.items()
        }
        self.bench = Clocked(dut, *self.sources.values(), self.outlet)
        self.resets = self.cuts = self.refused = self.late = self.packets = 0
        dut.executing.value = dut.restart.value = 0
        dut.to_stream.value = dut.whole_command.value = 0
        self.pairs = 1

    def every_situation(self) -> bool:
        """Each of them occurred, however few commands there were."""
        return all((self.resets, self.cuts, self.refused, self.late))

    async def clocks(self, count: int) -> None:
        for _ in range(count):
            await RisingEdge(self.dut.clk)

    async def command(self) -> None:
        """One command: its records, and perhaps a restart or a reset before its end."""
        dut, rng, outlet = self.dut, self.rng, self.outlet
        self.stream, self.whole = rng.randrange(2), rng.randrange(2)
        dut.to_stream.value, dut.whole_command.value = self.stream, self.whole
        self.pairs = rng.choice((1, 3, 7))
        dut.sample_pairs.value = self.pairs
        outlet.stall = rng.choice((0.0, 0.0, 0.3, 0.9)) if self.stall else 0.0
        await self.clocks(rng.randrange(2, 6))
        outlet.begin()
        dut.executing.value = 1
        fate = rng.choices(("done", "refused", "restart", "reset"), (10, 2, 1, 1))[0]
        if fate == "refused":
            self.refused += 1
            await self.clocks(1)
            expected: dict[int, list[list[int]]] = {1: [], 2: [], 3: []}
        else:
            expected = self._records()
            await self.clocks(1)
            # options that are written in the course of a command are those of the next one
            dut.to_stream.value, dut.whole_command.value = rng.randrange(2), rng.randrange(2)
            if fate == "done":
                await self._taken()
                await self.clocks(rng.choice((0, 0, 1, 20)))
            else:
                await self.clocks(rng.randrange(200))
        if fate == "reset":
            await self._reset()
            return
        if fate == "restart":
            self.cuts += 1
            dut.restart.value = 1
            await self.clocks(1)
            dut.restart.value = 0
            for source in self.sources.values():
                source.drop()
        dut.executing.value = 0
        await self.bench.until(lambda: outlet.ends, 20_000, "the end of the command")
        await self.bench.until(lambda: len(outlet.words) >= outlet.at_end, 20_000, "the ring")
        await self.clocks(rng.choice((0, 3)))
        self._check(expected, fate == "restart")
        if rng.random() < 0.1:
            await self._late()

    async def _late(self) -> None:
        """A record after the end, of a step that a fault cut; a refused command within it."""
        outlet, source = self.outlet, self.sources["samples"]
        self.late += 1
        outlet.begin()
        source.put([{"word": 1 << 28, "last": int(i == 11)} for i in range(12)])
        await self.bench.until(lambda: len(source.pending) < 8, 1000, "the late record")
        self.dut.executing.value = 1
        await self.clocks(1)
        self.dut.executing.value = 0
        await self._taken()
        await self.clocks(20)
        assert not outlet.words, "a word after the end of a command"
        assert outlet.ends == 1, "a refused command ends once"

    def _records(self) -> dict[int, list[list[int]]]:
        """Offer random records; return their words."""
        rng = self.rng
        steps = [
            {"accepted": rng.randrange(2), "valid": rng.randrange(2), "region": rng.randrange(4),
             "points": rng.randrange(17), "loglik": rng.randrange(-(1 << 31), 1 << 31),
             "prior": rng.randrange(-(1 << 31), 1 << 31)}
            for _ in range(rng.choice((0, 1, 20)))
        ]  # fmt: skip
        samples = [
            [rng.randrange(1 << 32) for _ in range(4 + self.pairs)]
            for _ in range(rng.choice((0, 1, 6)))
        ]
        predictions = [
            {"sum": rng.randrange(1 << 64), "square": rng.randrange(1 << 64)}
            for _ in range(rng.choice((0, 0, 5)))
        ]
        self.sources["step_records"].put(steps)
        self.sources["samples"].put(
            [{"word": w, "last": int(i == len(s) - 1)} for s in samples for i, w in enumerate(s)]
        )
        self.sources["predictions"].put(predictions)
        return {
            RECORD_STEP: [step_words(step) for step in steps],
            RECORD_SAMPLE: [[0x2000_0000 | 4 + self.pairs, *sample] for sample in samples],
            RECORD_PREDICTION: [prediction_words(p) for p in predictions],
        }

    async def _taken(self) -> None:
        await self.bench.until(
            lambda: all(source.done for source in self.sources.values()), 20_000, "the records"
        )

    async def _reset(self) -> None:
        self.resets += 1
        self.outlet.quiet = True
        self.dut.rst.value = 1
        await self.clocks(1)
        for source in self.sources.values():
            source.drop()
        self.dut.executing.value = 0
        self.outlet.reset()
        await self.clocks(2)
        assert not int(self.dut.axis__tvalid.value), "TVALID in a reset"
        self.dut.rst.value = 0
        await self.clocks(1)
        self.outlet.quiet = False
        await self.clocks(2)
        assert not self.outlet.ends, "a reset is no end of a command"

    def _check(self, expected: dict[int, list[list[int]]], cut: bool) -> None:
        outlet = self.outlet
        assert outlet.ends == 1, f"{outlet.ends} ends of one command"
        words, marks = outlet.words, outlet.marks
        assert outlet.at_end == len(words), "the end was told before the last word"
        assert len(marks) == len(words) * self.stream, "the words left through the other way"
        lengths = self._lengths(words)
        if cut:  # the last record may be incomplete
            complete = sum(lengths[:-1]) + (lengths[-1] if lengths else 0)
            assert complete >= len(words)
            whole = words if complete == len(words) else words[: sum(lengths[:-1])]
            for kind, found in split(whole).items():
                assert found == expected[kind][: len(found)]
        else:
            assert sum(lengths) == len(words)
            assert split(words) == expected
        if not self.stream or not words:
            return
        assert marks[-1][0], "the last packet is open"
        kinds = [words[sum(lengths[:i])] >> 28 for i in range(len(lengths))]
        dests = [k for k, length in zip(kinds, lengths, strict=True) for _ in range(length)]
        assert [dest for _, dest in marks] == dests[: len(words)]
        ends = [i + 1 for i, (last, _) in enumerate(marks) if last]
        self.packets += len(ends)
        if self.whole:
            assert ends == [len(words)], "one packet for a command"
        else:
            records_end = [sum(lengths[: i + 1]) for i in range(len(lengths))]
            assert ends == [*records_end[:-1], len(words)], "one packet for each record"

    @staticmethod
    def _lengths(words: list[int]) -> list[int]:
        """Words of each record; the last one may be incomplete."""
        found, at = [], 0
        while at < len(words):
            first = words[at]
            more = {1: 2 * (first >> 23 & 1), 2: first & 0xFFFFFF, 3: 4}[first >> 28]
            found.append(1 + more)
            at += 1 + more
        return found


@cocotb.test()
async def delivers(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    commands = Commands(dut, stimuli(case["seed"]), case["stall"])
    await start_clock(dut)
    commands.bench.start()
    while commands.outlet.total < case["words"] or not commands.every_situation():
        await commands.command()
    outlet = commands.outlet
    assert min(outlet.streamed, outlet.total - outlet.streamed) > 0.1 * case["words"]
    assert commands.packets > case["words"] // 50
    for source in commands.sources.values():  # a short test may not have stalled each of them
        source.stalls.happened += 1


# -- data points in --------------------------------------------------------------------------------
POINT = CONFIG.point_words
SIZE = CONFIG.max_points * POINT
ADDRESS_BITS = (SIZE - 1).bit_length()

Word = tuple[int, int, int]
"""TDATA, TKEEP, TLAST."""


class Loader:
    """Offers words with gaps, takes those for the memory with pauses, and holds at random.

    ``holds``: it holds from the first clock on; without stalls, for ever.
    """

    def __init__(self, dut: Any, rng: random.Random, stall: float, holds: bool = False) -> None:
        self.dut, self.rng, self.stall, self.holds = dut, rng, stall, holds
        self.sent = self.held = 0
        self.reset()

    def reset(self) -> None:
        dut = self.dut
        self.words: list[Word] = []
        self.stored: list[tuple[int, int]] = []
        self.errors = 0
        self._offering = self._ready = 0
        self._hold = dut.hold.value = int(self.holds)
        dut.axis__tvalid.value = dut.load__ready.value = 0

    def hold_now(self) -> bool:
        return bool(self._hold)

    def tick(self) -> None:
        dut, rng = self.dut, self.rng
        self.errors += int(dut.error.value)
        if int(dut.load__valid.value):
            assert not self._hold, "a word is stored while a command runs"
            if self._ready:
                payload = int(dut.load__payload.value)
                self.stored.append((payload & ((1 << ADDRESS_BITS) - 1), payload >> ADDRESS_BITS))
        if self._offering and int(dut.axis__tready.value):
            self.words.pop(0)
            self.sent += 1
            self._offering = 0
        if not self._offering:
            if self.words and rng.random() >= self.stall:
                word, keep, last = self.words[0]
                dut.axis__tdata.value, dut.axis__tkeep.value = word, keep
                dut.axis__tlast.value, self._offering = last, 1
            dut.axis__tvalid.value = self._offering
        self._ready = int(rng.random() >= self.stall)
        if self._hold or self.words:  # no command begins after the last word
            self._hold ^= int(bool(self.stall) and rng.random() < (0.05 if self._hold else 0.002))
        self.held += self._hold
        dut.load__ready.value, dut.hold.value = self._ready, self._hold


def packet_of(rng: random.Random) -> list[Word]:
    """A packet of some points; sometimes too long, incomplete, or with a part of a point."""
    length = rng.choice(
        (POINT, POINT * rng.randrange(1, CONFIG.max_points), SIZE, rng.randrange(1, 2 * SIZE))
    )
    bad = 0.05 if rng.random() < 0.3 else 0.0
    return [
        (
            rng.randrange(1 << 32),
            rng.randrange(ALL_BYTES) if rng.random() < bad else ALL_BYTES,
            int(index == length - 1),
        )
        for index in range(length)
    ]


def loaded(packet: list[Word], first: int) -> tuple[list[tuple[int, int]], int, int]:
    """The specification: what a packet stores; words of wrong length, and incomplete words."""
    stored, wrong, part = [], 0, 0
    for index, (word, keep, last) in enumerate(packet):
        place = first * POINT + index
        wrong += place >= SIZE or bool(last and (place + 1) % POINT)
        part += keep != ALL_BYTES
        if place < SIZE and keep == ALL_BYTES:
            stored.append((place, word))
    return stored, wrong, part


def errors_of(packet: list[Word], first: int) -> int:
    """Words of a packet for which an error is reported."""
    return sum(
        first * POINT + index >= SIZE
        or bool(last and (first * POINT + index + 1) % POINT)
        or keep != ALL_BYTES
        for index, (_, keep, last) in enumerate(packet)
    )


@cocotb.test()
async def loads(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    rng = stimuli(case["seed"])
    loader = Loader(dut, rng, case["stall"])
    bench = Clocked(dut, loader)
    dut.first.value = dut.clear.value = 0
    dut.streamed.value = dut.restart.value = dut.points__ready.value = 0
    edge = RisingEdge(dut.clk)
    await start_clock(dut)
    bench.start()
    resets = faults = 0
    while loader.sent < case["words"]:
        first = rng.choice((0, 0, 3, CONFIG.max_points - 1, CONFIG.max_points, 65535))
        packets_sent = [packet_of(rng) for _ in range(rng.randrange(1, 4))]
        dut.first.value = first
        loader.words += [word for packet in packets_sent for word in packet]
        if rng.random() < 0.1 or not resets:  # a reset in the middle
            resets += 1
            for _ in range(rng.randrange(1, 50)):
                await edge
            dut.rst.value = 1
            await edge
            loader.reset()
            await edge
            dut.rst.value = 0
            loader.reset()
            await edge
            continue
        await bench.until(lambda: not loader.words, 100_000, "the packets")
        parts = [loaded(packet, first) for packet in packets_sent]
        wanted = [item for stored, _, _ in parts for item in stored]
        bad = sum(errors_of(packet, first) for packet in packets_sent)
        await bench.until(lambda: not loader.hold_now(), 10_000, "the command")
        for _ in range(60):
            await edge
        assert loader.stored == wanted
        assert loader.errors == bad, "one report for each word that was not stored"
        assert bool(int(dut.wrong_length.value)) == any(wrong for _, wrong, _ in parts)
        assert bool(int(dut.incomplete.value)) == any(part for _, _, part in parts)
        assert int(dut.count.value) == len(packets_sent[-1])
        faults += bad
        loader.stored, loader.errors = [], 0
        dut.clear.value = 1
        await edge
        dut.clear.value = 0
        for _ in range(2):
            await edge
        assert not int(dut.wrong_length.value) and not int(dut.incomplete.value)
    assert resets and faults
    assert loader.held or not case["stall"]


class Evaluations:
    """Takes the words for evaluations with pauses; restarts while a packet is sent."""

    def __init__(self, dut: Any, loader: Loader) -> None:
        self.dut, self.loader, self.rng = dut, loader, loader.rng
        self.restarts = self.errors = 0
        self._ready = self._restart = 0
        dut.points__ready.value = dut.restart.value = 0
        self.begin([])

    def begin(self, packet: list[Word]) -> None:
        """The loader sends this packet, and nothing else waits."""
        self.packet, self.words = packet, []
        self.errors, self._first, self._before = 0, 0, self.loader.sent

    def expected(self) -> list[tuple[int, int]]:
        """The whole words that were sent since the last restart."""
        sent = self.packet[self._first : self.loader.sent - self._before]
        return [(word, last) for word, keep, last in sent if keep == ALL_BYTES]

    def tick(self) -> None:
        dut, rng = self.dut, self.rng
        assert not int(dut.load__valid.value), "a word for evaluations is stored"
        self.errors += int(dut.error.value)
        if int(dut.points__valid.value) and self._ready:
            payload = int(dut.points__payload.value)
            self.words.append((payload & (WRAP - 1), payload // WRAP))
        if self._restart:  # what was received up to now is dropped
            self.restarts += 1
            assert self.words == self.expected()[: len(self.words)]
            self.words, self._first = [], self.loader.sent - self._before
        self._ready = int(rng.random() >= self.loader.stall)
        self._restart = int(bool(self.loader.words) and rng.random() < 0.005)
        dut.points__ready.value, dut.restart.value = self._ready, self._restart


@cocotb.test()
async def feeds_evaluations(dut) -> None:  # type: ignore[no-untyped-def]
    """Whole words reach the evaluations while a command runs; a restart drops those received."""
    case = case_parameters()
    rng = stimuli(case["seed"])
    loader = Loader(dut, rng, case["stall"], holds=True)
    evaluations = Evaluations(dut, loader)
    bench = Clocked(dut, loader, evaluations)
    dut.first.value = dut.clear.value = 0
    dut.streamed.value = 1
    await start_clock(dut)
    bench.start()
    parts = 0
    while loader.sent < case["words"] or not (parts and evaluations.restarts):
        packet, before = packet_of(rng), evaluations.restarts
        evaluations.begin(packet)
        loader.words = list(packet)
        await bench.until(lambda: not loader.words, 100_000, "the packet")
        for _ in range(60):
            await RisingEdge(dut.clk)
        assert evaluations.words == evaluations.expected()
        part = sum(keep != ALL_BYTES for _, keep, _ in packet)
        if evaluations.restarts == before:
            assert evaluations.errors == part, "one report for each incomplete word"
            parts += part
    assert int(dut.incomplete.value) and not int(dut.wrong_length.value)
    assert int(dut.count.value) == 0, "words for evaluations are no packet for the memory"


# -- the models of cocotbext-axi -------------------------------------------------------------------
class Loop(wiring.Component):
    """A receiver and a transmitter, one behind the other."""

    def __init__(self) -> None:
        super().__init__({"s_axis": In(Axi4Stream()), "m_axis": Out(Axi4Stream(2))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.receiver = receiver = StreamReceiver()
        m.submodules.transmitter = transmitter = StreamTransmitter(2)
        wiring.connect(m, wiring.flipped(self.s_axis), receiver.axis)
        wiring.connect(m, transmitter.axis, wiring.flipped(self.m_axis))
        there, back = receiver.words, transmitter.words
        m.d.comb += [
            back.payload.word.eq(there.payload.word),
            back.payload.last.eq(there.payload.last),
            back.payload.dest.eq(there.payload.word[:2]),
            back.valid.eq(there.valid),
            there.ready.eq(back.ready),
        ]
        return m


def pauses(rng: random.Random) -> Iterator[bool]:
    while True:
        yield rng.random() < 0.3


@cocotb.test()
async def passes_frames(dut) -> None:  # type: ignore[no-untyped-def]
    from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource

    case = case_parameters()
    rng = stimuli(case["seed"])
    await start_clock(dut)
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_"), dut.clk, dut.rst)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_"), dut.clk, dut.rst)
    for side in (source, sink):
        side.log.setLevel("WARNING")
        if case["stall"]:
            side.set_pause_generator(pauses(rng))
    sent = 0
    while sent < case["words"]:
        # all words of a frame have one route, because a frame of the model has one
        route = rng.randrange(4)
        words = [rng.randrange(1 << 30) << 2 | route for _ in range(rng.choice((1, 2, 7, 64)))]
        frame = b"".join(word.to_bytes(4, "little") for word in words)
        await source.send(frame)
        received = await sink.recv()
        assert bytes(received.tdata) == frame
        assert received.tdest == route or set(received.tdest) == {route}
        sent += len(words)
    assert sink.empty()


# -- the benches -----------------------------------------------------------------------------------
STALLS = (0.0, 0.5)
SHORT, LONG = 2_000, 120_000
"""Words of each case."""


def cases(words: int, seed: int) -> list[Case]:
    return [{"stall": stall, "words": words, "seed": seed} for stall in STALLS]


def record_path() -> RecordPath:
    return RecordPath(CONFIG, ITEMS, streams=True)


def data_input() -> DataIn:
    return DataIn(STREAMED)


def test_records_leave() -> None:
    run_bench(record_path, __name__, cases(SHORT, 5), testcase="delivers")


def test_points_are_loaded() -> None:
    run_bench(data_input, __name__, cases(SHORT, 6), testcase="loads|feeds_evaluations")


@pytest.mark.verify
def test_models_of_others() -> None:
    """Source and sink of cocotbext-axi exchange frames through both ends."""
    run_bench(Loop, __name__, cases(SHORT * 5, 9), testcase="passes_frames")


@pytest.mark.verify
def test_records_leave_at_length() -> None:
    run_bench(record_path, __name__, cases(LONG, 7), testcase="delivers")


@pytest.mark.verify
def test_points_are_loaded_at_length() -> None:
    run_bench(data_input, __name__, cases(LONG, 8), testcase="loads|feeds_evaluations")


PLANTED: dict[str, tuple[Any, dict[str, str], str]] = {
    "the end of a command waits for no word in a register": (
        records,
        {"pending = ~over | ~packets.empty | out.valid": "pending = ~over"},
        "delivers",
    ),
    "a restart leaves the merger within its record": (
        records,
        {"ResetInserter(self.restart)(RecordMerger(self.config))": "RecordMerger(self.config)"},
        "delivers",
    ),
    "a record after the end of its command leaves": (
        records,
        {"was_over & ~self.executing": "0"},
        "delivers",
    ),
    "a command opens the way for the rest of such a record": (
        records,
        {"Mux(merger.between, was_over & ~self.executing, discarding)": "was_over"},
        "delivers",
    ),
    "options take effect in the course of a command": (
        records,
        {"with m.If(~end.active):": "with m.If(1):"},
        "delivers",
    ),
    "every word is the last one": (
        packets,
        {"packets.payload.last.eq(last)": "packets.payload.last.eq(1)"},
        "delivers",
    ),
    "a word is dropped while the memory is busy": (
        data_in,
        {"words.ready.eq(~hold & (load.ready | ~stored))": "words.ready.eq(~hold)"},
        "loads",
    ),
    "a packet wraps around the memory": (
        data_in,
        {"fits.eq(place[memory:] == 0)": "fits.eq(1)"},
        "loads",
    ),
    "words for evaluations are stored, too": (
        data_in,
        {"hold, whole = self.hold | streamed,": "hold, whole = self.hold,"},
        "feeds_evaluations",
    ),
    "incomplete words reach the evaluations": (
        data_in,
        {"words.valid & whole & streamed": "words.valid & streamed"},
        "feeds_evaluations",
    ),
    "a restart leaves the words that were received": (
        data_in,
        {"ResetInserter(self.restart & streamed)(receiver)": "receiver"},
        "feeds_evaluations",
    ),
}


@pytest.mark.verify
@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bug(bug: str) -> None:
    module, changes, test = PLANTED[bug]
    make = {"delivers": lambda: records.RecordPath(CONFIG, ITEMS, streams=True),
            "loads": lambda: data_in.DataIn(STREAMED),
            "feeds_evaluations": lambda: data_in.DataIn(STREAMED)}[test]  # fmt: skip
    with planted(mutant(module, changes), module), pytest.raises(BenchFailure):
        run_bench(make, __name__, cases(SHORT, 5), testcase=test)
