"""The ports, addresses and registers in ``docs/integration.md``."""

from __future__ import annotations

from collections.abc import Iterable

from systemrdl.node import FieldNode, RegfileNode, RegNode

from ohmcarlo_hdl.config import REFERENCE
from ohmcarlo_hdl.ip.ports import AXI4_LITE, BUSES, EMULATOR, PORTS, Port, ports_of
from ohmcarlo_hdl.regs.map import IP_GROUPS, IP_WINDOWS, compile_rdl, register_map

from ..export.ports import bits, direction, with_latency
from ..markdown import markdown_table
from ..sources import REPOSITORY

PAGE = REPOSITORY / "docs" / "integration.md"
PORT_HEAD = ("port", "direction", "meaning")


def tables() -> dict[str, str]:
    """The tables of the page, by name."""
    ports = {bus: ports_of(REFERENCE, bus, EMULATOR, streams=True) for bus in BUSES}
    array = [p for p in ports_of(REFERENCE, AXI4_LITE, PORTS, streams=False) if p.group == "array"]
    made = {
        f"ports_{bus.replace('-', '_')}": _ports(p for p in ports[bus] if p.group in BUS_GROUPS)
        for bus in BUSES
    }
    others = (p for p in ports[AXI4_LITE] if p.group not in BUS_GROUPS)
    return made | {
        "modules": _modules(),
        "ports_common": _ports(others),
        "ports_array": _ports(array),
        "addresses": _addresses(),
        "ip_registers": _registers(),
    }


BUS_GROUPS = ("clock", "bus")


def _modules() -> str:
    rows = [
        (f"`{name}`", f"`{kind.module}`", f"`{kind.clock}`", _reset(kind.reset, kind.active_low),
         "bytes" if kind.byte_addresses else "words")
        for name, kind in BUSES.items()
    ]  # fmt: skip
    return markdown_table(("`--bus`", "module", "clock", "reset", "addresses count"), rows)


def _reset(name: str, active_low: bool) -> str:
    return f"`{name}`, active {'low' if active_low else 'high'}"


def _ports(ports: Iterable[Port]) -> str:
    rows = [(_name(p), direction(p), p.meaning) for p in map(with_latency, ports)]
    return markdown_table(PORT_HEAD, rows)


def _name(port: Port) -> str:
    return f"`{port.name}` {bits(port)}".rstrip()


def _addresses() -> str:
    """Groups and windows of the reference configuration, in the order of their addresses."""
    layout = register_map(REFERENCE, emulator=True, ip=True)
    top = compile_rdl(REFERENCE, emulator=True, ip=True)
    names = {node.inst_name: node.get_property("name") for node in top.children()}
    first: dict[str, int] = {}
    for register in layout.registers:
        first.setdefault(register.name.partition(".")[0], register.address)
    rows = [(address, group, names[group], "") for group, address in first.items()]
    rows += [(w.address, w.name, names[w.name], f"{w.words:,}") for w in layout.windows]
    own = (*IP_GROUPS, *IP_WINDOWS)
    return markdown_table(
        ("byte address", "group or window", "content", "words"),
        [
            (f"`{address:#07x}`", f"`{name}`" + (" (IP core)" if name in own else ""), text, words)
            for address, name, text, words in sorted(rows)
        ],
    )


def _registers() -> str:
    """Every register that the IP core adds to those of the controller."""
    top = compile_rdl(REFERENCE, emulator=True, ip=True)
    rows = []
    for group in top.children():
        if isinstance(group, RegfileNode) and group.inst_name in IP_GROUPS:
            rows += [row for register in group.registers() for row in _fields(group, register)]
    return markdown_table(("byte address", "field", "bits", "access", "meaning"), rows)


def _fields(group: RegfileNode, register: RegNode) -> list[tuple[str, ...]]:
    place = f"`{register.absolute_address:#05x}`"
    path = f"{group.inst_name}.{register.inst_name}"
    return [
        (place, f"`{path}.{field.inst_name}`", _range(field), field.get_property("sw").name,
         _text(register, field))
        for field in register.fields()
    ]  # fmt: skip


def _range(field: FieldNode) -> str:
    return f"{field.high}:{field.low}" if field.width > 1 else str(field.low)


def _text(register: RegNode, field: FieldNode) -> str:
    text = field.get_property("desc") or register.get_property("desc") or ""
    return " ".join(text.split())
