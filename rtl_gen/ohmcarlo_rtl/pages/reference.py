# amaranth: UnusedElaboratable=no
"""The ports, latencies and payloads in ``rtl_gen/reference/README.md``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from amaranth import Shape
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Member, Signature

from ohmcarlo_hdl.config import REFERENCE, CoreConfig
from ohmcarlo_hdl.core.core import ControllerPorts, Core
from ohmcarlo_hdl.regs.bus import Bus

from ..markdown import markdown_table
from ..sources import REPOSITORY

PAGE = REPOSITORY / "rtl_gen" / "reference" / "README.md"
HEAD = ("port", "direction", "meaning")
BUS = {
    ("addr",): "word address: byte address of the register map / 4",
    ("w_stb", "w_data"): "a clock with `w_stb` high writes",
    ("r_stb", "r_data"): "a clock with `r_stb` high reads; `r_data` is the word "
    f"{Bus.LATENCY} clocks later",
    ("error",): f"high {Bus.LATENCY} clocks after a strobe if no register or window can be "
    "written or read there",
}
MEANING = {
    "samples": "sample records, below",
    "step_records": "one word per step, if `model.options.record_steps` is set",
    "predictions": "one word per data point after the command `predict`: Σ m p and Σ m p² over the "
    "samples, m the multiplicity and p with 16 fraction bits",
    "raw_bits": "raw symbols of the coin, without back-pressure",
    "off": "emergency stop while it is high, as the command `off`",
    "busy": "a command is being executed; while it is low, only `bus` and `off` change the state",
    "sample_pairs": "device pairs of a sample record",
    "executing": "`status.state.busy`, and the clock of every command, even if it is refused",
    "fault": "`status.state.fault`",
    "alarm": "`status.state.alarm`",
    "requests": "operations for the array; pair 0 of a tile is the lowest of `inputs`",
    "responses": "signed: a code for each READ, Σ inputs · (code⁺ - code⁻) for each DOT, in order",
    "lines": "enables of the pulses, with the widths and guards of the sequencer registers",
    "hold": "the driver of a real array must switch the array off: fault, emergency stop, restart",
    "restart": "all but registers and tables is reset; an array must drop outstanding responses",
    "emulator": "registers of an emulator, for the ports of the same names of `ohmcarlo_emulator`; "
    "`emulator__present` is the value of `id.features.emulator`",
}


def tables(config: CoreConfig = REFERENCE) -> dict[str, str]:
    """The tables of the page, by name."""
    common = ControllerPorts(config).members
    core = Core(config, emulator=True).signature.members
    more = {name: member for name, member in core.items() if name not in common}
    return {
        "common_ports": markdown_table(HEAD, _rows(common.items())),
        "core_ports": markdown_table(HEAD, _rows(more.items())),
    }


def _rows(members: Iterable[tuple[str, Member]]) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for name, member in members:
        if not member.is_port and isinstance(member.signature, Bus):
            rows += _bus(name, member.signature)
        else:
            rows.append((_port(name, member), _direction(member), MEANING[name]))
    return rows


def _bus(name: str, bus: Bus) -> list[tuple[str, str, str]]:
    rows = []
    for parts, meaning in BUS.items():
        ports = [f"`{name}__{part}`{_bits(bus.members[part].shape)}" for part in parts]
        flows = ["in" if bus.members[part].flow is In else "out" for part in parts]
        rows.append((", ".join(ports), ", ".join(dict.fromkeys(flows)), meaning))
    return rows


def _port(name: str, member: Member) -> str:
    if member.is_port:
        return f"`{name}`{_bits(member.shape)}{_fields(member.shape)}"
    if isinstance(member.signature, stream.Signature):
        shape = member.signature.members["payload"].shape
        return f"`{name}__*`{_bits(shape)}{_fields(shape)}"
    return f"`{name}__*`"


def _direction(member: Member) -> str:
    way = "in" if member.flow is In else "out"
    if member.is_port:
        return way
    if isinstance(member.signature, stream.Signature):
        return f"{way} stream"
    return _ways(member.signature)


def _ways(signature: Signature) -> str:
    flows = {m.flow for _, m in signature.members.items() if m.is_port}
    return "in, out" if len(flows) > 1 else "in" if flows == {In} else "out"


def _bits(shape: Any) -> str:
    width = Shape.cast(shape).width
    return "" if width == 1 and not isinstance(shape, data.Layout) else f" [{width - 1}:0]"


def _fields(shape: Any) -> str:
    """The fields of a struct, highest first, as in a Verilog concatenation."""
    if not isinstance(shape, data.StructLayout):
        return ""
    names = [f"{name} {_range(field)}" for name, field in shape]
    return f" = {{{', '.join(reversed(names))}}}" if len(names) > 1 else ""


def _range(field: data.Field) -> str:
    first = field.offset
    return f"[{first}]" if field.width == 1 else f"[{first + field.width - 1}:{first}]"
