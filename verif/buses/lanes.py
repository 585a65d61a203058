"""The hardware of the bench: each bridge with a register bank of its own, and a reset of its own.

Inputs and outputs of a bus are one port each, so that a driver costs one read and one write of the
simulator per clock.
"""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, ResetInserter, Shape, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo_hdl.buses.access import BYTE_BITS
from ohmcarlo_hdl.buses.apb4 import Apb4, Apb4Bridge
from ohmcarlo_hdl.buses.axi4_lite import Axi4Lite, Axi4LiteBridge
from ohmcarlo_hdl.buses.wishbone import Wishbone, WishboneBridge
from ohmcarlo_hdl.regs.bank import RegisterBank
from ohmcarlo_hdl.regs.map import board_map

MAP = board_map()
BUSES = {
    "axi": Axi4Lite(MAP.addr_width + BYTE_BITS),
    "apb": Apb4(MAP.addr_width + BYTE_BITS),
    "wb": Wishbone(MAP.addr_width),
}
"""By the name of the port of the bus."""
HARDWARE = {
    "uart_received": 0x1234_5678, "uart_lost": 0x9ABC_DEF0, "uart_sent": 0x0F1E_2D3C,
    "records_received": 0x5A69_7887, "crc_value": 0xC3D2_E1F0, "watchdog_restarts": 0x1122_3344,
    "timer_clocks": 0xFEDC_BA98_7654_3210,
}  # fmt: skip
"""Values of the registers that the hardware drives."""
READABLE = ("rx", "records_ring")
"""Windows that are read; window ``tx`` is written."""
COUNT_BITS = 24


def stored(window: str, place: Any) -> Any:
    """The word that a readable window holds at ``place``: an int, or bits of the hardware."""
    salt = 1 + READABLE.index(window)
    if isinstance(place, int):
        return place | ((~place ^ salt) & 0x7FFF) << 16
    return Cat(place, Const(0, 16 - len(place)), ~Cat(place, Const(0, 15 - len(place))) ^ salt)


def bus_layout(name: str, flow: Any) -> data.StructLayout:
    """The signals of a bus that the manager drives (Out), or receives (In)."""
    members = BUSES[name].members.items()
    return data.StructLayout({n: Shape.cast(m.shape) for n, m in members if m.flow is flow})


class Lane(wiring.Component):
    """A bridge and its registers.

    ``i``, ``o``: signals of the bus. ``writes``, ``reads``: strobes of the register bus; ``bytes``:
    pulses of crc.byte.strobe; ``stored``, ``sum``: words that arrived in the window tx, and the sum
    of their words and places. All count from reset.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        bridges = {"axi": Axi4LiteBridge, "apb": Apb4Bridge, "wb": WishboneBridge}
        self.bridge = bridges[name](MAP.addr_width)  # the classes of this moment, mutants or not
        super().__init__(
            {
                "i": In(bus_layout(name, Out)),
                "o": Out(bus_layout(name, In)),
                "writes": Out(COUNT_BITS),
                "reads": Out(COUNT_BITS),
                "bytes": Out(COUNT_BITS),
                "stored": Out(COUNT_BITS),
                "sum": Out(32),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.bridge = bridge = self.bridge
        m.submodules.bank = bank = RegisterBank(MAP)
        wiring.connect(m, bridge.bus, bank.bus)
        port = getattr(bridge, self.name)
        m.d.comb += [getattr(port, name).eq(self.i[name]) for name, _ in bus_layout(self.name, Out)]
        m.d.comb += [self.o[name].eq(getattr(port, name)) for name, _ in bus_layout(self.name, In)]
        m.d.comb += [getattr(bank, name).eq(value) for name, value in HARDWARE.items()]
        for name in READABLE:
            window = getattr(bank, f"access_{name}")
            m.d.sync += window.r_data.eq(stored(name, window.r_addr))
        tx = bank.load_tx
        m.d.sync += [
            self.writes.eq(self.writes + bridge.bus.w_stb),
            self.reads.eq(self.reads + bridge.bus.r_stb),
            self.bytes.eq(self.bytes + bank.crc_byte.strobe),
        ]
        with m.If(tx.stb):
            m.d.sync += [self.stored.eq(self.stored + 1), self.sum.eq(self.sum + tx.data + tx.addr)]
        return m


class Lanes(wiring.Component):
    """A lane for each bus, with its ports under the name of the bus; ``<bus>_reset`` resets it."""

    def __init__(self) -> None:
        self.lanes = {name: Lane(name) for name in BUSES}
        ports: dict[str, Any] = {}
        for name, lane in self.lanes.items():
            ports[f"{name}_reset"] = In(1)
            ports |= {f"{name}_{port}": member for port, member in lane.signature.members.items()}
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name, lane in self.lanes.items():
            m.submodules[name] = ResetInserter(getattr(self, f"{name}_reset"))(lane)
            for port, member in lane.signature.members.items():
                outer, inner = getattr(self, f"{name}_{port}"), getattr(lane, port)
                ends = (inner, outer) if member.flow is In else (outer, inner)
                m.d.comb += Value.cast(ends[0]).eq(Value.cast(ends[1]))
        return m
