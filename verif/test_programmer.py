"""Programmer, CommandArbiter and ResultRouter as the step controller joins them."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import cocotb
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import RisingEdge

from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.array.interface import Op, array_request, array_response
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.arbiter import CommandArbiter
from ohmcarlo_hdl.core.interface import Kind, device_target
from ohmcarlo_hdl.core.programmer import (
    Programmer,
    Reader,
    ResultRouter,
    program,
    read_back,
)
from ohmcarlo_hdl.lib.fifo import StreamRegister
from verif.harness import (
    Clocked,
    Packer,
    Sink,
    Source,
    case_parameters,
    run_bench,
    start_clock,
    stimuli,
)

CONFIG = CoreConfig(
    Geometry(rows=32, pairs=8, entropy_pairs=2), max_points=16, max_group_rows=4, max_regions=4
)
RAW_ROW = 16  # rows from here on are those of raw operations
PROPOSALS = 40
DEPTH = 8  # readings on their way
FIELDS = ("op", "row", "device", "dac")


class ArrayPath(wiring.Component):
    """Targets, accesses and raw operations in; operations of the array out, readings back."""

    def __init__(self, config: CoreConfig = CONFIG) -> None:
        self.config = config
        request = stream.Signature(array_request(config))
        response = stream.Signature(array_response(config))
        super().__init__(
            {
                "targets": In(stream.Signature(device_target(config))),
                "raw": In(request),
                "dots": In(request),
                "results": In(response),
                "commands": Out(request),
                "read_backs": Out(stream.Signature(read_back(config))),
                "readings": Out(response),
                "raw_results": Out(response),
                "hold_dots": In(1),
                "closed": In(1),
                "allow_coin": In(1),
                "allow_sample": In(1),
                "discard": In(1),
                "coin_done": Out(1),
                "sample_done": Out(1),
                "empty": Out(1),
                "programming": Out(1),  # an operation of the programmer is offered
                "enters": Out(1),  # the operation that the programmer transfers
                "entering": Out(array_request(config)),
                "offers": Out(1),  # the programmer offers an operation
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.programmer = programmer = Programmer(self.config)
        m.submodules.programs = programs = StreamRegister(program(self.config))
        m.submodules.arbiter = arbiter = CommandArbiter(self.config)
        m.submodules.router = router = ResultRouter(self.config, DEPTH)
        for source, sink in (
            (wiring.flipped(self.targets), programmer.targets),
            (programmer.commands, programs.input),
            (programs.output, arbiter.program),
            (wiring.flipped(self.raw), arbiter.raw),
            (wiring.flipped(self.dots), arbiter.dots),
            (arbiter.commands, wiring.flipped(self.commands)),
            (arbiter.tags, router.tags),
            (wiring.flipped(self.results), router.results),
            (router.read_backs, wiring.flipped(self.read_backs)),
            (router.readings, wiring.flipped(self.readings)),
            (router.raw, wiring.flipped(self.raw_results)),
        ):
            wiring.connect(m, source, sink)
        m.d.comb += [
            arbiter.hold_dots.eq(self.hold_dots),
            arbiter.closed.eq(self.closed),
            programmer.allow_coin.eq(self.allow_coin),
            programmer.allow_sample.eq(self.allow_sample),
            programmer.discard.eq(self.discard),
            self.coin_done.eq(programmer.coin_done),
            self.sample_done.eq(programmer.sample_done),
            self.empty.eq(router.empty),
            self.programming.eq(programs.output.valid),
            self.enters.eq(programmer.commands.valid & programmer.commands.ready),
            self.entering.eq(programmer.commands.payload.request),
            self.offers.eq(programmer.commands.valid),
        ]
        return m


def request(op: Op, row: int, device: int = 0, dac: int = 0) -> dict[str, int]:
    return {"op": op.value, "row": row, "device": device, "dac": dac}


def told(command: dict[str, Any]) -> dict[str, Any]:
    """The fields of a command; the others belong to a DOT."""
    return command if command["op"] == Op.DOT.value else {name: command[name] for name in FIELDS}


class Watch:
    """Checks every clock: permitted offers, the operations of a target, the routing of readings."""

    def __init__(self, dut: Any, array: Source, rng: random.Random) -> None:
        self.dut = dut
        self.array = array
        self.rng = rng
        self.target, self.command = Packer(device_target(CONFIG)), Packer(array_request(CONFIG))
        self.readings: dict[Reader, list[Any]] = {reader: [] for reader in Reader}
        self.sent: dict[str, list[Any]] = {"raw": [], "dots": []}
        self.reading = False  # a SET was transferred, its READ is due
        self.between = False  # the same, on the way out of the arbiter
        self.on_the_way: deque[Any] = deque()  # commands between the two, and tags of READs
        self.waiting = False  # the clock before had an offer that was not taken
        self.offered: int | None = None  # such an offer of the programmer
        self.spent = False  # the last device of a permission went
        self.ended = 0  # permissions that did
        self.outstanding = 0
        self.dropped = self.held_up = self.most = 0
        self.stopped = 0  # discards while the programmer offered an operation
        self.cycle, self.transfers = 0, list[int]()

    def get(self, name: str) -> int:
        return int(getattr(self.dut, name).value)

    def tick(self) -> None:
        self.cycle += 1
        valid, ready = self.get("commands__valid"), self.get("commands__ready")
        command = self.command.unpack(self.get("commands__payload"))
        dot, raw = command["op"] == Op.DOT.value, command["row"] >= RAW_ROW
        programs = not dot and not raw
        taken = valid and ready
        assert self.get("empty") == (self.outstanding == 0)
        if self.get("results__valid") and self.get("results__ready"):
            self.outstanding -= 1
        if valid and not self.waiting:  # an offer begins
            assert not self.get("closed")
            assert not (dot and self.get("hold_dots"))
            assert programs == bool(self.get("programming")), "the programmer comes first"
            assert not (dot and self.get("raw__valid")), "accesses come last"
            self.held_up += raw or dot
        done = {"coin_done": 0, "sample_done": 0}
        target_done = False
        if taken and programs:
            expected, reader, tag = self.on_the_way.popleft()
            assert told(command) == told(expected)
            self.transfers.append(self.cycle)
            self.between = command["op"] == Op.SET.value
            if tag is not None:
                self.answer(reader, self.rng.randrange(1024), tag)
        elif taken:
            assert not self.between, "nothing comes between SET and READ"
            self.sent["dots" if dot else "raw"].append(told(command))
            if dot:
                self.answer(Reader.LIKELIHOOD, self.rng.randrange(-1000, 1000))
            elif command["op"] == Op.READ.value:
                self.answer(Reader.RAW, self.rng.randrange(1024))
        # without the register stage of a controller, the arbiter depends on this
        entering_bits = self.get("entering") if self.get("offers") else None
        assert self.offered in (None, entering_bits), "the programmer withdrew an offer"
        kept = self.offered is not None and not self.reading
        self.stopped += kept and bool(self.get("discard"))
        self.offered = None if self.get("enters") else entering_bits
        if self.get("enters"):
            entering = self.command.unpack(self.get("entering"))
            target_done = self.program(entering, done)
        for name, value in done.items():
            assert self.get(name) == value, name
        if self.get("targets__valid") and self.get("targets__ready") and not target_done:
            assert self.get("discard") and not self.reading
            self.dropped += 1
        else:
            assert target_done == (self.get("targets__valid") & self.get("targets__ready"))
        if not self.get("allow_coin") and not self.get("allow_sample"):
            self.spent = False
        self.waiting = valid and not ready

    def program(self, command: dict[str, Any], done: dict[str, int]) -> bool:
        """Check the programmer's operation; whether its target is done with."""
        assert self.get("targets__valid")
        target = self.target.unpack(self.get("targets__payload"))
        kind, row, device = Kind(target["kind"]), target["row"], target["device"]
        coin, sample = self.get("allow_coin"), self.get("allow_sample")
        found = {name: command[name] for name in FIELDS}
        assert not command["tile"] and not any(command["inputs"])
        self.on_the_way.append((command, None, None))
        if kind == Kind.SELECT:
            assert found == request(Op.SELECT, row)
            return True
        assert not self.spent
        if kind == Kind.RESET:
            assert (coin or sample) and found == request(Op.RESET, row)
            return True
        assert coin if kind == Kind.COIN else sample
        if not self.reading:
            assert found == request(Op.SET, row, device, target["dac"])
            self.reading = True
            return False
        assert found == request(Op.READ, row, device)
        reader = Reader.COIN if kind == Kind.COIN else Reader.SAMPLE
        tag = {"reader": reader.value, "row": row, "device": device, "old": target["code"]}
        tag |= {"centre": target["centre"], "last": target["last"]}
        self.on_the_way[-1] = (command, reader, tag)
        self.reading = False
        if target["last"]:
            done["coin_done" if kind == Kind.COIN else "sample_done"] = 1
            self.spent = True
            self.ended += 1
        return True

    def answer(self, reader: Reader, value: int, tag: dict[str, int] | None = None) -> None:
        self.array.put([{"value": value}])
        self.outstanding += 1
        self.most = max(self.most, self.outstanding)
        where = Reader.SAMPLE if reader == Reader.COIN else reader
        self.readings[where].append({"tag": tag, "code": value} if tag else {"value": value})


def target_of(rng: random.Random, kind: Kind, last: int = 0) -> dict[str, int]:
    return {
        "kind": kind.value,
        "row": rng.randrange(RAW_ROW),
        "device": rng.randrange(16),
        "code": rng.randrange(1024),
        "last": last,
        "dac": rng.randrange(1024),
        "centre": rng.randrange(1024),
    }


def coin_targets(rng: random.Random) -> list[dict[str, int]]:
    kinds = [Kind.SELECT] * rng.randrange(2) + [Kind.RESET, Kind.COIN, Kind.COIN]
    return [target_of(rng, kind) for kind in kinds] + [target_of(rng, Kind.COIN, 1)]


def sample_targets(rng: random.Random) -> list[dict[str, int]]:
    walk = rng.choice((Kind.WALK, Kind.COLD))
    kinds = [Kind.SELECT, walk, walk, Kind.RESET, walk]
    return [target_of(rng, kind) for kind in kinds] + [target_of(rng, walk, 1)]


def access(rng: random.Random) -> dict[str, Any]:
    inputs = [rng.randrange(1, 256) for _ in range(CONFIG.tile_pairs)]
    row = rng.randrange(RAW_ROW)
    return request(Op.DOT, row) | {"tile": 0, "top": rng.randrange(2), "inputs": inputs}


def raw_request(rng: random.Random) -> dict[str, Any]:
    op = rng.choice((Op.FORM, Op.RESET, Op.SET, Op.READ, Op.READ))
    row = RAW_ROW + rng.randrange(RAW_ROW)
    unused = {"tile": 0, "top": 0, "inputs": [0] * CONFIG.tile_pairs}
    return request(op, row, rng.randrange(16), rng.randrange(1024)) | unused


@cocotb.test()
async def operations(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    stall, alone = case["stall"], case["alone"]
    rng = stimuli(5)
    edge = RisingEdge(dut.clk)
    shape, response = array_request(CONFIG), array_response(CONFIG)
    accesses = [] if alone else [access(rng) for _ in range(300)]
    raws = [] if alone else [raw_request(rng) for _ in range(60)]
    targets = Source(dut, "targets", device_target(CONFIG), (), stall, rng)
    dots = Source(dut, "dots", shape, accesses, 0.0 if stall else 0.5, rng)
    raw = Source(dut, "raw", shape, raws, 0.9, rng)
    # a slow array: tags fill the router's memory
    results = Source(dut, "results", response, (), 0.85 if stall else 0.0, rng)
    commands = Sink(dut, "commands", shape, stall, rng)
    sinks = {
        Reader.SAMPLE: Sink(dut, "read_backs", read_back(CONFIG), stall, rng),
        Reader.LIKELIHOOD: Sink(dut, "readings", response, stall, rng),
        Reader.RAW: Sink(dut, "raw_results", response, stall, rng),
    }
    watch = Watch(dut, results, rng)
    for name in ("hold_dots", "closed", "allow_coin", "allow_sample", "discard"):
        getattr(dut, name).value = 0
    await start_clock(dut)
    # the watch samples before the sources and sinks change anything
    bench = Clocked(dut, watch, targets, dots, raw, results, commands, *sinks.values()).start()

    async def interfere() -> None:
        while True:
            await edge
            if rng.random() < 0.05:
                dut.hold_dots.value = rng.randrange(2)
            if rng.random() < 0.05:
                dut.closed.value = int(rng.random() < 0.2)

    async def permit(kind: str) -> None:
        """Permit until the last device, and some clocks longer: nothing may follow."""
        before = watch.ended
        getattr(dut, f"allow_{kind}").value = 1
        await bench.until(lambda: watch.ended > before, 2000, f"the {kind}")
        for _ in range(rng.randrange(4)):
            await edge
        getattr(dut, f"allow_{kind}").value = 0
        for _ in range(1 + rng.randrange(3)):
            await edge

    async def discard() -> None:
        dut.discard.value = 1
        await bench.until(lambda: targets.done, 2000, "discarding")
        dut.discard.value = 0

    if not alone:
        cocotb.start_soon(interfere())
    ahead = False  # the next coin's targets wait already
    for _ in range(PROPOSALS):
        if not ahead:
            targets.put(coin_targets(rng))
        rounds = rng.choice((1, 1, 2))  # of the coin
        for _ in range(1, rounds):
            targets.put(coin_targets(rng))
        targets.put(sample_targets(rng))
        ahead = False
        for _ in range(rng.randrange(6)):
            await edge
        way = 1.0 if alone else rng.random()
        if way < 0.3:  # in the middle of a coin, often while an operation is offered
            dut.allow_coin.value = 1
            for _ in range(rng.randrange(12)):
                await edge
            await discard()
            dut.allow_coin.value = 0
            await edge
        elif way < 0.4:
            await discard()
        else:
            for _ in range(rounds):
                first = len(watch.transfers)
                await permit("coin")
                if alone:
                    times = watch.transfers[first:]
                    # RESET and three devices (a SELECT may have gone before)
                    assert times[-1] - times[-7] == 6, "two clocks per device, one per row"
            if way < 0.6:
                await discard()
            else:
                ahead = rng.random() < 0.5
                if ahead:
                    targets.put(coin_targets(rng))
                await permit("sample")
        assert targets.done or ahead
    await discard()
    await bench.until(lambda: dots.done and raw.done, 5000, "the rest")
    await bench.until(lambda: results.done and int(dut.empty.value), 3000, "the readings")
    for reader, sink in sinks.items():
        assert sink.items == watch.readings[reader]
    assert watch.sent == {"raw": [told(r) for r in raws], "dots": accesses} or alone
    assert watch.most == DEPTH or not stall
    assert alone or (watch.dropped > 30 and watch.held_up > 100)
    assert watch.stopped or not stall


def test_operations() -> None:
    choices = [(0.0, True), (0.0, False), (0.5, False)]
    cases = [{"stall": stall, "alone": alone} for stall, alone in choices]
    run_bench(ArrayPath(), __name__, cases)
