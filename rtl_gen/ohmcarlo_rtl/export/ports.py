"""The ports of a core, in interfaces, and the table of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from amaranth.lib.wiring import In

from ohmcarlo_hdl.ip.ports import APB4, AXI4_LITE, BUSES, NATIVE, WISHBONE, BusKind, Port
from ohmcarlo_hdl.regs.bus import Bus

from ..markdown import markdown_table

STREAM_OUT, STREAM_IN = "stream out", "stream in"
"""Kinds of interfaces, beside the buses."""
NAMES: Mapping[str, str] = {AXI4_LITE: "s_axi", APB4: "s_apb", WISHBONE: "wb", NATIVE: "bus"}
"""Bus → name of its interface."""
TITLES: Mapping[str, str] = {
    AXI4_LITE: "AXI4-Lite (ARM IHI 0022), a subordinate with 32-bit data",
    APB4: "APB4 (ARM IHI 0024), a completer with 32-bit data",
    WISHBONE: "Wishbone B4, a slave with 32-bit data, word addresses, classic and pipelined cycles",
    NATIVE: "Register bus: one access a clock, no wait states",
    STREAM_OUT: "AXI4-Stream (ARM IHI 0051), a transmitter",
    STREAM_IN: "AXI4-Stream (ARM IHI 0051), a receiver",
}
OF_GROUP = {"records": ("m_axis_records", STREAM_OUT), "data": ("s_axis_data", STREAM_IN)}
INTERRUPT_PORT = "irq"
LATENCY = "`LATENCY`"
"""Stands for the latency of the register bus in the meaning of a port."""


@dataclass(frozen=True)
class Interface:
    """Ports that belong together.

    ``kind`` is a bus, or one of the kinds above. ``ports``: name of a signal in the specification
    → its port.
    """

    name: str
    kind: str
    ports: Mapping[str, Port]


@dataclass(frozen=True)
class CorePorts:
    """All ports of a core, in the order of its Verilog module."""

    bus: str
    ports: tuple[Port, ...]

    def __iter__(self) -> Iterator[Port]:
        return iter(self.ports)

    @property
    def protocol(self) -> BusKind:
        """Names of clock and reset, and the level of the reset."""
        return BUSES[self.bus]

    @property
    def slave(self) -> Interface:
        """The interface of the bus."""
        return Interface(NAMES[self.bus], self.bus, self._of("bus"))

    @property
    def streams(self) -> list[Interface]:
        """The AXI4-Streams."""
        return [Interface(*OF_GROUP[g], self._of(g)) for g in OF_GROUP if self._of(g)]

    @property
    def signals(self) -> list[Port]:
        """Ports that are neither clock, reset, bus, stream nor interrupt."""
        return [
            port
            for port in self.ports
            if port.group in ("system", "array") and port.name != INTERRUPT_PORT
        ]

    @property
    def array(self) -> list[Port]:
        """Ports of the array."""
        return [port for port in self.ports if port.group == "array"]

    @property
    def addr_width(self) -> int:
        """Bits of an address of the bus."""
        names = ("awaddr", "paddr", "adr", "addr")
        return next(p.width for name, p in self.slave.ports.items() if name in names)

    @property
    def address_bytes(self) -> int:
        """Bytes of the address space that the core decodes."""
        return 1 << (self.addr_width + (0 if self.protocol.byte_addresses else 2))

    def _of(self, group: str) -> dict[str, Port]:
        return {port.path[0]: port for port in self.ports if port.group == group}


def is_input(port: Port) -> bool:
    """Whether the core reads the port."""
    return port.flow is In


def direction(port: Port) -> str:
    """The direction of a port, of the core."""
    return "in" if is_input(port) else "out"


def with_latency(port: Port) -> Port:
    """The port, with the latency of the register bus as a number in its meaning."""
    return replace(port, meaning=port.meaning.replace(LATENCY, str(Bus.LATENCY)))


def bits(port: Port) -> str:
    """The range of a port in Verilog; empty for one bit."""
    return f"[{port.width - 1}:0]" if port.width > 1 else ""


def port_page(title: str, module: str, ports: CorePorts) -> str:
    """The page of the ports: a table for each interface."""
    groups = [
        ("Clock and reset", [port for port in ports if port.group == "clock"]),
        (TITLES[ports.bus], list(ports.slave.ports.values())),
        *((f"{s.name}: {TITLES[s.kind]}", list(s.ports.values())) for s in ports.streams),
        ("Interrupt and state", [port for port in ports if port.group == "system"]),
        ("Array", ports.array),
    ]
    parts = [f"# Ports of {module}\n\n{title}. Directions are those of the core.\n"]
    for name, members in groups:
        if members:
            rows = [(f"`{p.name}`", direction(p), str(p.width), p.meaning) for p in members]
            parts.append(f"## {name}\n\n{markdown_table(HEAD, rows)}\n")
    return "\n".join(parts)


HEAD = ("port", "direction", "bits", "meaning")
