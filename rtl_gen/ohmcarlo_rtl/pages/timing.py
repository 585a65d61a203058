# amaranth: UnusedElaboratable=no
"""The timing diagrams of ``docs/integration.md``: scenes of blocks of the hardware, simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from amaranth import Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ohmcarlo_hdl.array.interface import Op
from ohmcarlo_hdl.array.sequencer import Phase, Sequencer
from ohmcarlo_hdl.buses.apb4 import Apb4Bridge
from ohmcarlo_hdl.buses.axi4_lite import Axi4LiteBridge
from ohmcarlo_hdl.buses.axi4_stream import Axi4Stream, StreamTransmitter
from ohmcarlo_hdl.buses.wishbone import WishboneBridge
from ohmcarlo_hdl.config import COMPACT
from ohmcarlo_hdl.ip.packets import KIND_BITS, Packets
from ohmcarlo_hdl.regs.bank import RegisterBank
from ohmcarlo_hdl.regs.map import WORD_BYTES, register_map
from ohmcarlo_hdl.soc.records import RecordMerger

from ..sources import REPOSITORY
from .waves import Lane, Scene, svg, wave_json

FOLDER = REPOSITORY / "docs" / "pictures" / "timing"
GUARDS = {"set": (3, 2, 1), "read": (2, 1, 1), "dot": (2, 1, 1)}
"""Width, guard before and guard after of the pulses that are drawn, in clocks."""
LATENCY = 3
"""Clocks in which the array of the scenes answers."""


def code(operation: str) -> int:
    """Code of an operation of the array on its lines."""
    return int(Const.cast(getattr(Op, operation)).value)


class Array:
    """A sequencer with the timings of ``GUARDS``, and an array behind it that answers."""

    def __init__(self) -> None:
        self.sequencer = Sequencer(COMPACT)

    def commands(self, *commands: Mapping[str, int]) -> Callable[[Any], Any]:
        s = self.sequencer

        async def drive(ctx: Any) -> None:
            for line, timing in GUARDS.items():
                names = ("width", "guard_before", "guard_after")
                for name, clocks in zip(names, timing, strict=True):
                    ctx.set(s.settings[line][name], clocks)
            ctx.set(s.results.ready, 1)
            ctx.set(s.commands.valid, 1)
            for command in commands:
                for name, value in command.items():
                    ctx.set(s.commands.p[name], value)
                await ctx.tick().until(s.commands.ready)
            ctx.set(s.commands.valid, 0)

        return drive

    async def answers(self, ctx: Any) -> None:
        """Take every request at once; answer a READ or DOT ``LATENCY`` clocks later."""
        s = self.sequencer
        ctx.set(s.requests.ready, 1)
        due: dict[int, int] = {}
        readings, clock = iter((412, 398)), 0
        while True:
            ctx.set(s.responses.valid, clock in due)
            ctx.set(s.responses.p.value, due.get(clock, 0))
            _, _, valid, op = await ctx.tick().sample(s.requests.valid, s.requests.p.op)
            if valid and op in (code("READ"), code("DOT")):
                due[clock + LATENCY] = next(readings)
            clock += 1

    def lanes(self, *enables: str) -> list[tuple[str, Sequence[Lane]]]:
        s = self.sequencer
        requests = [
            Lane("valid", s.requests.valid),
            Lane("ready", s.requests.ready),
            Lane("op", s.requests.p.op, s.requests.valid, lambda op: Op(op).name),
            Lane("row", s.requests.p.row, s.requests.valid, str),
        ]
        busy = s.phase != Phase.IDLE
        lines = [
            Lane("row", s.lines.row, busy, str),
            Lane("device", s.lines.device, busy, str),
            Lane("dac", s.lines.dac, busy, str),
            *(Lane(name, s.lines[name]) for name in enables),
        ]
        responses = [
            Lane("valid", s.responses.valid),
            Lane("ready", s.responses.ready),
            Lane("value", s.responses.p.value, s.responses.valid, str),
        ]
        return [("requests", requests), ("lines", lines), ("responses", responses)]


def set_and_read() -> Scene:
    """A SET with its guards, and the READ of the same device."""
    array = Array()
    device = {"row": 5, "device": 2}
    drive = array.commands(
        {"op": code("SET"), "dac": 1952, **device}, {"op": code("READ"), "dac": 0, **device}
    )
    title = "SET (3 clocks, guards of 2 and 1), then READ (2 clocks, guards of 1)"
    return Scene(title, array.sequencer, [drive, array.answers], array.lanes("set", "read"), 16)


def two_dots() -> Scene:
    """Two accesses of one row."""
    array = Array()
    access = {"op": code("DOT"), "row": 5}
    drive = array.commands(access, access)
    title = "Two DOT accesses (2 clocks, guards of 1)"
    return Scene(title, array.sequencer, [drive, array.answers], array.lanes("dot"), 14)


class Registers(wiring.Component):
    """The registers of a controller behind a bridge, whose port is ``bus``."""

    def __init__(self, bridge: type[Any], port: str) -> None:
        self.bank = RegisterBank(register_map(COMPACT))
        self.bridge, self.port = bridge(self.bank.bus.signature.addr_width), port
        super().__init__({"bus": Out(self.bridge.signature.members[port].signature)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.bank, m.submodules.bridge = self.bank, self.bridge
        wiring.connect(m, self.bridge.bus, self.bank.bus)
        wiring.connect(m, wiring.flipped(self.bus), getattr(self.bridge, self.port))
        return m


def address(register: str) -> int:
    return register_map(COMPACT)[register].address


UNUSED = address("id.magic") + 0x3C
"""A byte address without a register."""


def axi4_lite() -> Scene:
    """A write, a read, and a read where there is no register."""
    registers = Registers(Axi4LiteBridge, "axi")
    axi = registers.bus

    async def drive(ctx: Any) -> None:
        await ctx.tick()
        for port, value in (
            ("awaddr", address("control.steps")),
            ("awvalid", 1),
            ("wdata", 200),
            ("wstrb", 0xF),
            ("wvalid", 1),
        ):
            ctx.set(getattr(axi, port), value)
        await ctx.tick().until(axi.awready)
        ctx.set(axi.awvalid, 0)
        ctx.set(axi.wvalid, 0)
        await take(ctx, axi.bvalid, axi.bready)
        for place in (address("control.steps"), UNUSED):
            ctx.set(axi.araddr, place)
            ctx.set(axi.arvalid, 1)
            await ctx.tick().until(axi.arready)
            ctx.set(axi.arvalid, 0)
            await take(ctx, axi.rvalid, axi.rready)

    write = [
        Lane("awaddr", axi.awaddr, axi.awvalid),
        Lane("awvalid", axi.awvalid),
        Lane("awready", axi.awready),
        Lane("wdata", axi.wdata, axi.wvalid, str),
        Lane("wvalid", axi.wvalid),
        Lane("wready", axi.wready),
        Lane("bresp", axi.bresp, axi.bvalid, response),
        Lane("bvalid", axi.bvalid),
        Lane("bready", axi.bready),
    ]
    read = [
        Lane("araddr", axi.araddr, axi.arvalid),
        Lane("arvalid", axi.arvalid),
        Lane("arready", axi.arready),
        Lane("rdata", axi.rdata, axi.rvalid, str),
        Lane("rresp", axi.rresp, axi.rvalid, response),
        Lane("rvalid", axi.rvalid),
        Lane("rready", axi.rready),
    ]
    title = "AXI4-Lite: write control.steps = 200, read it, read an address without a register"
    lanes = [("write", write), ("read", read)]
    return Scene(title, registers, [drive], lanes, 33, clock="aclk", hscale=1)


async def take(ctx: Any, valid: Any, ready: Any) -> None:
    """Take an answer one clock after it is offered."""
    await ctx.tick().until(valid)
    ctx.set(ready, 1)
    await ctx.tick()
    ctx.set(ready, 0)


def response(code: int) -> str:
    return {0: "OKAY", 2: "SLVERR"}[code]


def apb4() -> Scene:
    """A write, and a read where there is no register."""
    registers = Registers(Apb4Bridge, "apb")
    apb = registers.bus

    async def drive(ctx: Any) -> None:
        await ctx.tick()
        for write, place in ((1, address("control.steps")), (0, UNUSED)):
            for port, value in (
                ("psel", 1),
                ("pwrite", write),
                ("paddr", place),
                ("pwdata", 200),
                ("pstrb", 0xF * write),
            ):
                ctx.set(getattr(apb, port), value)
            await ctx.tick()
            ctx.set(apb.penable, 1)
            await ctx.tick().until(apb.pready)
            ctx.set(apb.penable, 0)
            ctx.set(apb.psel, 0)
            await ctx.tick()

    lanes = [
        Lane("paddr", apb.paddr, apb.psel),
        Lane("psel", apb.psel),
        Lane("penable", apb.penable),
        Lane("pwrite", apb.pwrite),
        Lane("pwdata", apb.pwdata, apb.psel & apb.pwrite, str),
        Lane("pready", apb.pready),
        Lane("prdata", apb.prdata, apb.pready & ~apb.pwrite, str),
        Lane("pslverr", apb.pslverr),
    ]
    title = "APB4: write control.steps = 200, read an address without a register"
    return Scene(title, registers, [drive], lanes, 22, clock="pclk", hscale=1)


def wishbone() -> Scene:
    """A write and a read in one cycle, and a read where there is no register."""
    registers = Registers(WishboneBridge, "wb")
    wb = registers.bus

    async def drive(ctx: Any) -> None:
        await ctx.tick()
        ctx.set(wb.cyc, 1)
        for write, place in (
            (1, address("control.steps")),
            (0, address("control.steps")),
            (0, UNUSED),
        ):
            for port, value in (
                ("stb", 1),
                ("we", write),
                ("adr", place // WORD_BYTES),
                ("dat_w", 200),
                ("sel", 0xF),
            ):
                ctx.set(getattr(wb, port), value)
            await ctx.tick().until(wb.ack | wb.err)
            ctx.set(wb.stb, 0)
            await ctx.tick()
        ctx.set(wb.cyc, 0)

    lanes = [
        Lane("cyc", wb.cyc),
        Lane("stb", wb.stb),
        Lane("we", wb.we),
        Lane("adr", wb.adr, wb.stb),
        Lane("dat_i", wb.dat_w, wb.stb & wb.we, str),
        Lane("ack", wb.ack),
        Lane("err", wb.err),
        Lane("dat_o", wb.dat_r, wb.ack & ~wb.we, str),
    ]
    title = "Wishbone B4: write control.steps = 200, read it, read an address without a register"
    return Scene(title, registers, [drive], lanes, 31, clock="clk_i", hscale=1)


class RecordPath(wiring.Component):
    """From the records of the controller to the AXI4-Stream port, as in ``IpCore``."""

    def __init__(self) -> None:
        self.merger, self.packets = RecordMerger(COMPACT), Packets()
        self.transmitter = StreamTransmitter(KIND_BITS)
        super().__init__({"axis": Out(Axi4Stream(KIND_BITS))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        merger, packets, transmitter = self.merger, self.packets, self.transmitter
        m.submodules += merger, packets, transmitter
        m.d.comb += [
            packets.words.valid.eq(merger.words.valid),
            packets.words.payload.word.eq(merger.words.payload),
            packets.words.payload.last.eq(merger.last),
            packets.words.payload.dest.eq(merger.kind),
            merger.words.ready.eq(packets.words.ready),
        ]
        wiring.connect(m, packets.packets, transmitter.words)
        wiring.connect(m, transmitter.axis, wiring.flipped(self.axis))
        return m


PAIRS = 2
"""Device pairs of the sample that is drawn."""
READY = (1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1)
"""What the receiver of the record does, clock by clock."""


def sample_record() -> Scene:
    """A sample of two pairs, to a receiver that is not always ready."""
    path = RecordPath()
    samples, axis = path.merger.samples, path.axis
    record = [0, 3, 0xFFF2_8000, 0xFFFD_4000, 0x019C_018E, 0x0151_01B0]

    async def drive(ctx: Any) -> None:
        ctx.set(path.merger.sample_pairs, PAIRS)
        ctx.set(samples.valid, 1)
        for number, word in enumerate(record):
            ctx.set(samples.payload.word, word)
            ctx.set(samples.payload.last, number == len(record) - 1)
            await ctx.tick().until(samples.ready)
        ctx.set(samples.valid, 0)

    async def take(ctx: Any) -> None:
        for ready in READY:
            ctx.set(axis.tready, ready)
            await ctx.tick()

    lanes = [
        Lane("tdata", axis.tdata, axis.tvalid, "{:08x}".format),
        Lane("tdest", axis.tdest, axis.tvalid, str),
        Lane("tlast", axis.tlast),
        Lane("tvalid", axis.tvalid),
        Lane("tready", axis.tready),
    ]
    title = "AXI4-Stream: the record of a sample with two pairs"
    return Scene(title, path, [drive, take], lanes, len(READY), clock="aclk")


SCENES: Mapping[str, Callable[[], Scene]] = {
    "axi4-lite": axi4_lite,
    "apb4": apb4,
    "wishbone": wishbone,
    "sample-record": sample_record,
    "set-and-read": set_and_read,
    "two-dots": two_dots,
}
"""Name of the picture → its scene."""


def files() -> dict[Path, str]:
    """Every picture, drawn anew."""
    return {FOLDER / f"{name}.svg": svg(wave_json(scene())) for name, scene in SCENES.items()}
