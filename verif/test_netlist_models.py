"""The simulation models of cells in ``verif/netlist``."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

import cocotb
import pytest
from amaranth import Module
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from cocotb.triggers import RisingEdge, Timer

from verif.harness import Packer, building, run_bench, start_clock, stimuli
from verif.harness.model import SOURCE
from verif.netlist import ECP5, FLOWS, GATEMATE, GOWIN, ICE40, Netlist
from verif.netlist.flows import MODELS, included

CLOCKS = 1500


@dataclass(frozen=True)
class Shape:
    """A memory with a read port and perhaps a write port.

    ``granularity``: bits of an enable, 0 for one enable; ``transparent``: a read returns the word
    that is written in the same clock; ``one_address``: both ports have the address of the read
    port.
    """

    depth: int
    width: int
    granularity: int = 0
    transparent: bool = False
    one_address: bool = False
    writable: bool = True

    @property
    def enables(self) -> int:
        return self.width // self.granularity if self.granularity else 1

    @property
    def granule(self) -> int:
        return self.granularity or self.width

    def contents(self) -> list[int]:
        rng = random.Random(repr(self))
        return [rng.getrandbits(self.width) for _ in range(self.depth)]


# every width of an ECP5 memory, and shapes that need logic around one
SHAPES = (
    Shape(16384, 1),
    Shape(8192, 2),
    Shape(4096, 4),
    Shape(2048, 9),
    Shape(1024, 18, granularity=9),
    Shape(512, 36, granularity=9, transparent=True),
    Shape(1024, 18, one_address=True),
    Shape(1024, 18, granularity=9, transparent=True, one_address=True),
    Shape(2048, 8, one_address=True),
    Shape(4096, 4, transparent=True, one_address=True),
    Shape(300, 40, writable=False),
    Shape(600, 25),
)
WIDTHS = {1, 2, 4, 9, 18, 36}
ARRAY = data.ArrayLayout(5, 3)
PORTS = ("read_addr", "read_en", "write_addr", "write_en", "write_data")


class Memories(wiring.Component):
    """One memory of each shape, with numbered ports; and an array that is reversed one clock later.

    Yosys's mapper takes no array as a port: see ``verif/netlist/flows.py``.
    """

    def __init__(self) -> None:
        ports: dict[str, Any] = {"array": In(ARRAY), "turned": Out(ARRAY)}
        for i, shape in enumerate(SHAPES):
            ports |= {
                f"read_addr{i}": In(range(shape.depth)),
                f"read_en{i}": In(1),
                f"read_data{i}": Out(shape.width),
                f"write_addr{i}": In(range(shape.depth)),
                f"write_en{i}": In(shape.enables),
                f"write_data{i}": In(shape.width),
            }
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for i in range(ARRAY.length):
            m.d.sync += self.turned[i].eq(self.array[ARRAY.length - 1 - i])
        for i, shape in enumerate(SHAPES):

            def port(name: str, i: int = i) -> Any:
                return getattr(self, f"{name}{i}")

            memory = Memory(shape=shape.width, depth=shape.depth, init=shape.contents())
            m.submodules[f"memory{i}"] = memory
            writes = []
            if shape.writable:
                write = memory.write_port(granularity=shape.granularity or None)
                address = port("read_addr" if shape.one_address else "write_addr")
                m.d.comb += [
                    write.addr.eq(address),
                    write.en.eq(port("write_en")),
                    write.data.eq(port("write_data")),
                ]
                writes = [write]
            read = memory.read_port(transparent_for=writes if shape.transparent else ())
            m.d.comb += [
                read.addr.eq(port("read_addr")),
                read.en.eq(port("read_en")),
                port("read_data").eq(read.data),
            ]
        return m


class Twin:
    """The behaviour of an Amaranth memory."""

    def __init__(self, shape: Shape, rng: random.Random) -> None:
        self.shape, self.rng = shape, rng
        self.words = shape.contents()
        self.found: int | None = None  # not known before the first read
        self.near = [0, shape.depth - 1, *(rng.randrange(shape.depth) for _ in range(4))]

    def stimulus(self) -> dict[str, int]:
        shape, rng = self.shape, self.rng
        address = rng.choice(self.near) if rng.random() < 0.7 else rng.randrange(shape.depth)
        other = address if rng.random() < 0.4 else rng.choice(self.near)
        return {
            "read_addr": address,
            "read_en": int(rng.random() < 0.8),
            "write_addr": other,
            "write_en": rng.getrandbits(shape.enables) if shape.writable else 0,
            "write_data": rng.getrandbits(shape.width),
        }

    def clock(self, s: dict[str, int]) -> None:
        shape = self.shape
        before = self.words[s["read_addr"]]
        granule = (1 << shape.granule) - 1
        enabled = (i for i in range(shape.enables) if s["write_en"] >> i & 1)
        mask = sum(granule << shape.granule * i for i in enabled)
        target = s["read_addr" if shape.one_address else "write_addr"]
        self.words[target] = self.words[target] & ~mask | s["write_data"] & mask
        if s["read_en"]:
            self.found = self.words[s["read_addr"]] if shape.transparent else before


@cocotb.test()
async def remember(dut) -> None:  # type: ignore[no-untyped-def]
    rng = stimuli(9)
    twins = [Twin(shape, rng) for shape in SHAPES]
    for i in range(len(SHAPES)):
        for name in PORTS:
            getattr(dut, f"{name}{i}").value = 0
    packer, turned = Packer(ARRAY), [0] * ARRAY.length
    dut.array.value = 0
    await start_clock(dut)
    edge = RisingEdge(dut.clk)
    await edge
    for clock in range(CLOCKS):
        array = [rng.getrandbits(5) for _ in range(ARRAY.length)]
        dut.array.value = packer.pack(array)
        drawn = [twin.stimulus() for twin in twins]
        for i, stimulus in enumerate(drawn):
            for name, value in stimulus.items():
                getattr(dut, f"{name}{i}").value = value
        await edge
        # this edge samples the result of the one before
        assert packer.unpack(int(dut.turned.value)) == turned
        turned = array[::-1]
        for i, twin in enumerate(twins):
            found = int(getattr(dut, f"read_data{i}").value)
            assert twin.found in (None, found), (clock, SHAPES[i], hex(found))
            twin.clock(drawn[i])


# our models; the others are those of Yosys (iCE40, GateMate) and of Amaranth
TARGETS = {
    "ecp5": Netlist(ECP5),
    "gowin": Netlist(GOWIN),
    "ice40": Netlist(ICE40),
    "gatemate": Netlist(GATEMATE),
    "source": SOURCE,
}


@pytest.mark.verify
@pytest.mark.parametrize("name", TARGETS)
def test_memories(name: str) -> None:
    """The twin equals Amaranth's memory, and the memory of each family equals the twin."""
    target = TARGETS[name]
    with building(target):
        run_bench(Memories(), __name__, testcase="remember")


@pytest.mark.verify
def test_every_width_of_an_ecp5_memory_is_met() -> None:
    text = ECP5.netlist(Memories())
    widths = {int(w) for w in re.findall(r"\.DATA_WIDTH_[AB]\(32'd(\d+)\)", text)}
    assert widths == WIDTHS
    assert set(re.findall(r'\.WRITEMODE_A\("(\w+)"\)', text)) == {"READBEFOREWRITE", "WRITETHROUGH"}


@pytest.mark.verify
def test_the_models_of_gowin_memories_are_met() -> None:
    text = GOWIN.netlist(Memories())
    assert set(re.findall(r"^  (SP|SPX9|SDPB|SDPX9B|DPB|DPX9B|pROM\w*) #", text, re.M)) == set(
        GOWIN.own
    )
    widths = {int(w) for w in re.findall(r"\.BIT_WIDTH(?:_[01])?\(\d*'?s?d?(\d+)\)", text)}
    assert widths == {1, 2, 4, 9, 18, 36}


TABLES = [1 << bit for bit in range(16)] + [0x6996, 0xCAFE, 0x0001, 0xFFFF]
INPUTS = {"ice40": ("I0", "I1", "I2", "I3"), "ecp5": ("A", "B", "C", "D")}
OUTPUT = {"ice40": "O", "ecp5": "Z"}


def module_of(text: str, name: str, new: str) -> str:
    """The text of a module, under a new name."""
    found = re.search(rf"^module {name}\b(.*?^endmodule)", text, re.M | re.S)
    assert found is not None
    return f"module {new}{found[1]}\n"


def side_by_side() -> str:
    """Every table in Yosys's models and in those of ``verif/netlist``."""
    ours = (MODELS / "lut.v").read_text()
    text, ports, lines = "", [], ["input clk; input [3:0] in;"]
    for flow in FLOWS.values():
        theirs = included(flow.cells)
        text += theirs.split("module ")[0]  # the macros of its ports
        pins = ", ".join(f".{pin}(in[{i}])" for i, pin in enumerate(INPUTS[flow.name]))
        for source, name in ((theirs, f"theirs_{flow.name}"), (ours, f"ours_{flow.name}")):
            text += module_of(source, flow.lut, name)
            ports.append(name)
            lines.append(f"output [{len(TABLES) - 1}:0] {name};")
            for i, table in enumerate(TABLES):
                out = f".{OUTPUT[flow.name]}({name}[{i}])"
                lines.append(
                    f"{name} #(.{flow.init}(16'h{table:04x})) c_{name}{i} ({pins}, {out});"
                )
    header = f"module dut(clk, in, {', '.join(ports)});"
    return "\n".join([text, header, *lines, "endmodule", ""])


@cocotb.test()
async def look_up(dut) -> None:  # type: ignore[no-untyped-def]
    for index in range(16):
        getattr(dut, "in").value = index
        await Timer(1, "ns")
        expected = sum((table >> index & 1) << i for i, table in enumerate(TABLES))
        for flow in FLOWS:
            for whose in ("theirs", "ours"):
                assert int(getattr(dut, f"{whose}_{flow}").value) == expected, (whose, flow, index)


def test_lookup_tables() -> None:
    run_bench("lookup_tables", __name__, testcase="look_up", verilog_text=side_by_side())
