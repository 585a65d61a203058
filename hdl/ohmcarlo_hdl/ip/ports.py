"""The ports of the IP core: flat names, as in Verilog, with direction, width and meaning.

The names of a bus and of a stream are those of its specification; their meanings come from the
documentation of its signature.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from amaranth import Shape
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Flow, In, Out

from ohmcarlo.errors import UsageError

from ..array.phy.pins import PINS, pins_signature
from ..array.sequencer import PULSES
from ..buses.access import BYTE_BITS
from ..buses.apb4 import Apb4, Apb4Bridge
from ..buses.axi4_lite import Axi4Lite, Axi4LiteBridge
from ..buses.axi4_stream import Axi4Stream
from ..buses.wishbone import Wishbone, WishboneBridge
from ..config import CoreConfig
from ..core.core import array_ports
from ..regs.bus import Bus
from ..regs.map import register_map
from .packets import KIND_BITS

NATIVE, AXI4_LITE, APB4, WISHBONE = "native", "axi4-lite", "apb4", "wishbone"
EMULATOR, PORTS, PHY = "emulator", "ports", "phy"
ARRAYS = (EMULATOR, PORTS, PHY)
"""Arrays of the core: emulated, connected to streams, or on a daughterboard."""


@dataclass(frozen=True)
class BusKind:
    """A bus in front of the registers.

    Attributes
    ----------
    code : int
        Value of the register ``ip.bus``.
    clock, reset : str
        Names of the clock and of the reset, which is synchronous.
    active_low : bool
        Level of the reset.
    prefix : str
        Beginning of the names of the bus.
    signature : type
        The ports of the bus, from the bits of an address.
    byte_addresses : bool
        Addresses are those of bytes, not of words.
    bridge : component, optional
        From the bus to the register bus.
    side : str
        Port of the bridge towards the bus.
    """

    code: int
    clock: str
    reset: str
    active_low: bool
    prefix: str
    signature: Any
    byte_addresses: bool = True
    bridge: Any = None
    side: str = ""

    @property
    def module(self) -> str:
        """Name of the Verilog module of a core with this bus."""
        name = next(name for name, kind in BUSES.items() if kind is self)
        return f"ohmcarlo_{name.replace('-', '_')}"


BUSES: Mapping[str, BusKind] = {
    NATIVE: BusKind(0, "clk", "rst", False, "bus_", Bus, False),
    AXI4_LITE: BusKind(1, "aclk", "aresetn", True, "s_axi_", Axi4Lite, True, Axi4LiteBridge, "axi"),
    APB4: BusKind(2, "pclk", "presetn", True, "", Apb4, True, Apb4Bridge, "apb"),
    WISHBONE: BusKind(3, "clk_i", "rst_i", False, "wb_", Wishbone, False, WishboneBridge, "wb"),
}
"""Buses of the core, by name."""


@dataclass(frozen=True)
class Port:
    """A port of the core.

    Attributes
    ----------
    name : str
        Its name in Verilog.
    flow : Flow
        ``In`` or ``Out``, as seen from the core.
    width : int
        Bits.
    group : str
        "clock", "bus", "records", "data", "system" or "array".
    meaning : str
    path : tuple of str
        Its place in the block that it is connected to; empty for ``clock`` and ``system``.
    """

    name: str
    flow: Flow
    width: int
    group: str
    meaning: str
    path: tuple[str, ...] = ()


SYSTEM = (
    Port("irq", Out, 1, "system", "Interrupt: an enabled cause is set."),
    Port("off", In, 1, "system", "Emergency stop: the array is off while it is high."),
    Port("busy", Out, 1, "system", "A command has not ended, or the array is active."),
)
ARRAY_MEANINGS = {
    "requests_op": "Operation: 1 FORM, 2 RESET, 3 SET, 4 READ, 5 DOT, 6 SELECT.",
    "requests_row": "Row.",
    "requests_device": "Device of FORM, SET and READ: twice the pair, plus one for g⁻.",
    "requests_dac": "DAC code of FORM and SET.",
    "requests_tile": "Tile of pairs of a DOT.",
    "requests_top": "The inputs of a DOT contain the sign bits.",
    "requests_inputs": "Inputs of a DOT, the first pair of the tile in the lowest bits.",
    "requests_valid": "An operation is offered; it stays until it is taken.",
    "requests_ready": "The operation is taken.",
    "responses_value": "Reading of a READ or a DOT, signed, in the order of the requests.",
    "responses_valid": "A reading is offered; it must stay until it is taken.",
    "responses_ready": "The reading is taken.",
    **{f"lines_{name}": f"Enable of {name.upper()} pulses." for name in PULSES},
    "lines_row": "Row of the pulse.",
    "lines_device": "Device of the pulse.",
    "lines_dac": "DAC code of the pulse.",
    "hold": "The driver of the array must switch it off: fault, emergency stop, restart.",
    "restart": "All but registers and tables is reset: drop the readings that you still owe.",
}


def ports_of(config: CoreConfig, bus: str, array: str, streams: bool) -> list[Port]:
    """The ports of a core, in the order of its Verilog module.

    >>> from ohmcarlo_hdl.config import COMPACT
    >>> [p.name for p in ports_of(COMPACT, "apb4", "emulator", streams=False)][:4]
    ['pclk', 'presetn', 'paddr', 'pprot']
    """
    return [
        *_bus_ports(config, bus),
        *(_stream_ports() if streams else []),
        *SYSTEM,
        *_array_ports(config, array),
    ]


def checked(config: CoreConfig, bus: str, array: str) -> None:
    """Raise UsageError if there is no such core."""
    for what, value, known in (("bus", bus, tuple(BUSES)), ("array", array, ARRAYS)):
        if value not in known:
            raise UsageError(f"{what} {value!r} is unknown: choose among {', '.join(known)}")
    if config.bit_serial:
        raise UsageError(
            "a bit-serial controller has no bus for other designs: use CoreConfig, not "
            "BitSerialConfig"
        )
    if (array == PHY) != (config.phy is not None):
        raise UsageError(
            f"array {array!r} and phy = {config.phy}: set phy for the array 'phy', and only for it"
        )


def addr_width(config: CoreConfig) -> int:
    """Bits of a word address of the core."""
    return register_map(config, ip=True).addr_width


def meanings(signature: type) -> dict[str, str]:
    """Port → meaning, from the section ``Attributes`` of a class."""
    section = inspect.getdoc(signature) or ""
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in section.partition("\nAttributes\n----------\n")[2].splitlines():
        if line.startswith(" "):
            for name in names:
                found[name].append(line.strip().replace("``", "`"))
        elif " : " in line:
            names = line.partition(" : ")[0].split(", ")
            found |= {name: [] for name in names}
    return {name: " ".join(lines) for name, lines in found.items()}


def _bus_ports(config: CoreConfig, bus: str) -> list[Port]:
    kind = BUSES[bus]
    level = "active low" if kind.active_low else "active high"
    text = meanings(kind.signature)
    ports = [
        Port(kind.clock, In, 1, "clock", "Clock of all ports; rising edge."),
        Port(kind.reset, In, 1, "clock", f"Reset, synchronous, {level}."),
    ]
    width = addr_width(config) + (BYTE_BITS if kind.byte_addresses else 0)
    for name, member in kind.signature(width).flip().members.items():
        flat = _wishbone(name, member.flow) if bus == WISHBONE else name
        bits = Shape.cast(member.shape).width
        ports.append(Port(kind.prefix + flat, member.flow, bits, "bus", text[name], (name,)))
    return ports


def _wishbone(name: str, flow: Flow) -> str:
    """ADR_I, DAT_O, …: a name of the specification has the direction as its end."""
    return f"{name.partition('_')[0]}_{'i' if flow is In else 'o'}"


def _stream_ports() -> list[Port]:
    text = meanings(Axi4Stream)
    text["tdest"] = "Kind of the record: 1 step, 2 sample, 3 prediction."
    return [
        Port(f"{prefix}_{name}", member.flow, Shape.cast(member.shape).width, group, text[name],
             (name,))
        for prefix, group, signature in (
            ("m_axis_records", "records", Axi4Stream(KIND_BITS)),
            ("s_axis_data", "data", Axi4Stream().flip()),
        )
        for name, member in signature.members.items()
    ]  # fmt: skip


def _array_ports(config: CoreConfig, array: str) -> list[Port]:
    if array == PHY:
        flows = pins_signature().members
        return [
            Port(p.name, flows[p.name].flow, p.width, "array", f"{p.drives} ({p.part}).", (p.name,))
            for p in PINS
        ]
    if array == EMULATOR:
        return []
    found = []
    for name, member in (array_ports(config) | {"restart": Out(1)}).items():
        for path, flow, width in _leaves((name,), member):
            flat = "_".join(part for part in path if part != "payload")
            found.append(Port(flat, flow, width, "array", ARRAY_MEANINGS[flat], path))
    return found


def _leaves(path: tuple[str, ...], member: wiring.Member) -> Iterator[tuple[Any, Flow, int]]:
    """The ports within a member, and the fields of their structs: path, direction, width."""
    if not member.is_port:
        for name, inner in member.signature.members.items():
            yield from _leaves((*path, name), inner)
    elif isinstance(member.shape, data.StructLayout):
        for name, field in member.shape:
            yield (*path, name), member.flow, field.width
    else:
        yield path, member.flow, Shape.cast(member.shape).width
