"""Register maps as plain data: ``ohmcarlo.rdl``, compiled for one controller or one board."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from amaranth import signed, unsigned
from amaranth.hdl import ShapeLike
from amaranth.lib import data
from amaranth.utils import bits_for
from systemrdl import RDLCompiler
from systemrdl.node import AddrmapNode, FieldNode, MemNode, RegfileNode, RegNode
from systemrdl.rdltypes import AccessType

import ohmcarlo

from ..config import CoreConfig

SOURCE = Path(__file__).with_name("ohmcarlo.rdl")
WORD_BYTES = 4
CONTROLLER, BOARD = "ohmcarlo", "ohmcarlo_board"
"""Names of the address maps in the source."""
IP_GROUPS = ("ip", "interrupt", "records", "data_in")
IP_WINDOWS = ("records_ring",)
"""Groups and windows of the core around a controller, within one page of addresses."""


@dataclass(frozen=True)
class Field:
    """Bits ``low`` to ``low + width - 1`` of a register.

    ``sw`` and ``hw``: access of software and hardware, as in SystemRDL ("r", "w", "rw", "na");
    ``pulse``: a written 1 lasts one clock; ``own``: the register bank drives the field.
    """

    name: str
    low: int
    width: int
    sw: str
    hw: str
    reset: int
    signed: bool
    pulse: bool
    own: bool

    @property
    def shape(self) -> ShapeLike:
        return signed(self.width) if self.signed else unsigned(self.width)


@dataclass(frozen=True)
class Register:
    """One 32-bit register at byte address ``address``.

    ``name`` is its path, "group.register". ``half`` is "lo" or "hi" in a 64-bit counter, whose
    two registers share one port; ``index`` counts the elements of an array, which share one too.
    """

    name: str
    port: str
    address: int
    fields: tuple[Field, ...]
    half: str = ""
    index: int = 0
    elements: int = 1

    @property
    def readable(self) -> bool:
        return any("r" in f.sw for f in self.fields)

    @property
    def writable(self) -> bool:
        return any("w" in f.sw for f in self.fields)

    @property
    def constant(self) -> bool:
        """Whether software reads a value that was fixed at elaboration."""
        return all(f.sw == "r" and f.hw == "na" and not f.own for f in self.fields)

    @property
    def shape(self) -> ShapeLike:
        """Shape of the port: the field itself where it is the only one and is called ``value``,
        a struct of the fields otherwise; without fields that the bank drives."""
        if self.half:
            return unsigned(64)
        fields = [f for f in self.fields if not f.own]
        shape: ShapeLike
        if [f.name for f in fields] == ["value"]:
            shape = fields[0].shape
        else:
            shape = data.StructLayout({f.name: f.shape for f in fields})
        return data.ArrayLayout(shape, self.elements) if self.elements > 1 else shape


@dataclass(frozen=True)
class MemoryWindow:
    """``words`` 32-bit words from byte address ``address`` on, aligned to their rounded size.

    ``sw``: access of software, "w", "r" or "rw".
    """

    name: str
    address: int
    words: int
    sw: str = "w"

    @property
    def readable(self) -> bool:
        return "r" in self.sw

    @property
    def writable(self) -> bool:
        return "w" in self.sw

    @property
    def port(self) -> str:
        """``load_…`` for a window that is only written, ``access_…`` for one that can be read."""
        return f"{'access' if self.readable else 'load'}_{self.name}"

    @property
    def addr_width(self) -> int:
        """Bits of a word's address within the window."""
        return bits_for(self.words - 1)


@dataclass(frozen=True)
class RegisterMap:
    """All registers and windows, in the order of their addresses.

    ``hash`` is the SHA-256 of the layout: everything in here but the values of constants.
    """

    registers: tuple[Register, ...]
    windows: tuple[MemoryWindow, ...]
    hash: str

    def __getitem__(self, name: str) -> Register:
        """A register by its path, "group.register"."""
        for register in self.registers:
            if register.name == name:
                return register
        raise KeyError(name)

    def window(self, name: str) -> MemoryWindow:
        for window in self.windows:
            if window.name == name:
                return window
        raise KeyError(name)

    @property
    def addr_width(self) -> int:
        """Bits of a word address that reaches everything."""
        last = max(w.address // WORD_BYTES + w.words - 1 for w in self.windows)
        return bits_for(last)

    def part(self, groups: Collection[str], windows: Collection[str]) -> RegisterMap:
        """The registers of some groups and some windows, at their addresses."""
        return RegisterMap(
            tuple(r for r in self.registers if r.name.partition(".")[0] in groups),
            tuple(w for w in self.windows if w.name in windows),
            self.hash,
        )


def layout_of(registers: RegisterMap) -> dict[str, Any]:
    """The layout that ``boards.bit_serial_board`` needs, fit for JSON."""
    return {
        "hash": int(registers.hash[:8], 16),
        "fields": {
            f"{register.name}.{field.name}": [register.address, field.low, field.width]
            for register in registers.registers
            for field in register.fields
        },
        "windows": {window.name: window.address for window in registers.windows},
    }


def parameters_of(config: CoreConfig, emulator: bool, ip: bool = False) -> dict[str, Any]:
    """The RDL's parameters for a controller (the map's own hash aside)."""
    g = config.geometry
    major, minor, patch = (int(part) for part in ohmcarlo.__version__.split(".")[:3])
    return {
        "ROWS": g.rows,
        "PAIRS": g.pairs,
        "ENTROPY_PAIRS": g.entropy_pairs,
        "ACCESS_BITS": config.access_bits,
        "TILE_PAIRS": config.tile_pairs,
        "DOT_BITS": g.dot_bits,
        "DOT_SHIFT": g.dot_shift,
        "MAX_POINTS": config.max_points,
        "MAX_STREAMED_POINTS": config.max_streamed_points,
        "MAX_GROUP_ROWS": config.max_group_rows,
        "MAX_REGIONS": config.max_regions,
        "DEVICE_CALIBRATION": config.device_calibration,
        "DIGITAL_DOTS": config.digital_dots,
        "REPEATS": config.repeats,
        "BIT_SERIAL": config.bit_serial,
        "IP": ip,
        "SETTINGS": AccessType.w if config.bit_serial else AccessType.rw,
        "POINT_WORDS": config.point_words,
        "DEVICE_BITS": config.device_bits,
        "EMULATOR": int(emulator),
        "VERSION": major << 16 | minor << 8 | patch,
        **phy_parameters(config),
    }


def phy_parameters(config: CoreConfig) -> dict[str, Any]:
    """Reset values of the registers of a real array; empty for an emulated array."""
    phy = config.phy
    if phy is None:
        return {}
    return {
        "PHY": True,
        **{name.upper(): code for name, code in phy.rail_codes().items()},
        **{f"{name.upper()}_WIDTH": width for name, width in phy.widths().items()},
        "GUARD": phy.guard(),
        "WATCHDOG": phy.watchdog(),
    }


def compile_rdl(config: CoreConfig, emulator: bool = False, ip: bool = False) -> AddrmapNode:
    """The elaborated SystemRDL of a controller, its own hash among the constants."""
    return _elaborate(*_hashed(CONTROLLER, parameters_of(config, emulator, ip)))


@cache
def register_map(config: CoreConfig, emulator: bool = False, ip: bool = False) -> RegisterMap:
    """The map of a controller; ``emulator``: whether the array is emulated beside it; ``ip``: with
    the registers of the core around it (``IP_GROUPS``, ``IP_WINDOWS``)."""
    return _map(CONTROLLER, parameters_of(config, emulator, ip))


def ip_map(config: CoreConfig) -> RegisterMap:
    """The registers that ``register_map(config, ip=True)`` has in addition."""
    return register_map(config, ip=True).part(IP_GROUPS, IP_WINDOWS)


def compile_board_rdl() -> AddrmapNode:
    """The elaborated SystemRDL of a board's own registers."""
    return _elaborate(*_hashed(BOARD, {}))


@cache
def board_map() -> RegisterMap:
    """The map of a board's own registers: link, records, clock."""
    return _map(BOARD, {})


def contents(
    top: str, parameters: dict[str, Any]
) -> tuple[tuple[Register, ...], tuple[MemoryWindow, ...]]:
    """Registers and windows of the address map ``top``, with these parameters of the source."""
    return _read(_elaborate(top, parameters))


def _map(top: str, parameters: dict[str, Any]) -> RegisterMap:
    top, hashed = _hashed(top, parameters)
    return RegisterMap(*_read(_elaborate(top, hashed)), _digest(top, parameters))


def _hashed(top: str, parameters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Arguments of ``_elaborate``, the map's own hash among the parameters.

    A controller has the same hash alone and within a core, whose map has a hash of its own.
    """
    alone = parameters | {"IP": False} if "IP" in parameters else parameters
    hashes = {"MAP_HASH": _word(_digest(top, alone))}
    if parameters.get("IP"):
        hashes["IP_MAP_HASH"] = _word(_digest(top, parameters))
    return top, parameters | hashes


def _word(digest: str) -> int:
    """The value of a register for a hash."""
    return int(digest[:8], 16)


def _digest(top: str, parameters: dict[str, Any]) -> str:
    return _digest_of(top, tuple(parameters.items()))


@cache
def _digest_of(top: str, parameters: tuple[tuple[str, Any], ...]) -> str:
    return _hash(*_read(_elaborate(top, dict(parameters))))


def _elaborate(top: str, parameters: dict[str, Any]) -> AddrmapNode:
    compiler = RDLCompiler()
    compiler.compile_file(str(SOURCE))
    return compiler.elaborate(top, parameters=parameters).top


def _read(top: AddrmapNode) -> tuple[tuple[Register, ...], tuple[MemoryWindow, ...]]:
    registers: list[Register] = []
    windows: list[MemoryWindow] = []
    for child in top.children(unroll=True):
        if isinstance(child, RegfileNode):
            registers += _registers(child)
        elif isinstance(child, MemNode):
            words = int(child.get_property("mementries"))
            sw = child.get_property("sw").name
            windows.append(MemoryWindow(child.inst_name, child.absolute_address, words, sw))
    return tuple(registers), tuple(windows)


def _registers(group: RegfileNode) -> list[Register]:
    found = []
    for child in group.children(unroll=True):
        if isinstance(child, RegfileNode):
            found += _registers(child)
        elif isinstance(child, RegNode):
            path = child.get_path().split(".")[1:]
            counter = bool(group.get_property("snapshot", default=False))
            port = path[:-1] if counter else [*path[:-1], child.inst_name]
            found.append(
                Register(
                    name=".".join(path),
                    port="_".join(port),
                    address=child.absolute_address,
                    fields=tuple(_field(f) for f in child.fields()),
                    half=child.inst_name if counter else "",
                    index=child.current_idx[0] if child.is_array else 0,
                    elements=child.array_dimensions[0] if child.is_array else 1,
                )
            )
    return found


def _field(node: FieldNode) -> Field:
    return Field(
        name=node.inst_name,
        low=node.low,
        width=node.width,
        sw=node.get_property("sw").name,
        hw=node.get_property("hw").name,
        reset=int(node.get_property("reset", default=0)),
        signed=bool(node.get_property("twos_complement", default=False)),
        pulse=bool(node.get_property("singlepulse")),
        own=bool(node.get_property("own", default=False)),
    )


def _hash(registers: tuple[Register, ...], windows: tuple[MemoryWindow, ...]) -> str:
    """SHA-256 of names, addresses, widths, access and resets, without values of constants."""
    layout = [asdict(r) for r in registers]
    for entry, register in zip(layout, registers, strict=True):
        if register.constant:
            for item in entry["fields"]:
                item["reset"] = None
    text = json.dumps([layout, [asdict(w) for w in windows]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
