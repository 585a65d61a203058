"""The tables of ``firmware/PROTOCOL.md``, from ``ohmcarlo.spec.link`` and the register map."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

from systemrdl.node import FieldNode, MemNode, RegNode

from ohmcarlo.spec import link
from ohmcarlo_hdl.array.phy.parts import PhyConfig
from ohmcarlo_hdl.config import REFERENCE, CoreConfig
from ohmcarlo_hdl.regs.map import SOURCE, compile_rdl, register_map

from ..firmware.spec_headers import ENUMERATIONS, LAYOUTS, offsets
from ..markdown import markdown_table
from ..sources import REPOSITORY

PAGE = REPOSITORY / "firmware" / "PROTOCOL.md"
WITH_PHY = replace(REFERENCE, phy=PhyConfig(50_000_000))
EXAMPLE_SESSION, EXAMPLE_PATIENCE = 0x1234, 50_000_000


def _comments(name: str) -> dict[str, str]:
    """Member → the comment of its line in spec/link.py."""
    text = Path(link.__file__).read_text(encoding="utf-8")
    body = text.split(f"class {name}(IntEnum):")[1].split("\n\n\n")[0]
    return dict(re.findall(r"^    (\w+) = \d+(?:  # (.*))?$", body, re.M))


def _enumeration(name: str) -> str:
    members = next(e for e in ENUMERATIONS if e.__name__ == name)
    comments = _comments(name)
    return markdown_table(
        ("code", "name", "meaning"),
        [(str(int(m)), m.name, comments[m.name].replace("|", "\\|")) for m in members],
    )


def _codes(name: str) -> str:
    members = next(e for e in ENUMERATIONS if e.__name__ == name)
    return ", ".join(f"{int(m)} {m.name}" for m in members)


def _formats() -> str:
    sizes = {"B": "u8", "H": "u16", "h": "i16", "I": "u32", "Q": "u64"}
    rows = []
    for name, members in LAYOUTS.items():
        packed = getattr(link, f"{name}_FORMAT")
        codes = [
            code
            for count, code in re.findall(r"(\d*)([a-zA-Z])", packed[1:])
            if code != "x"
            for _ in range(int(count or 1))
        ]
        parts = ", ".join(
            f"{place}: {sizes[code]} {member}"
            for place, code, member in zip(offsets(packed), codes, members, strict=True)
        )
        rows.append((name, str(struct.calcsize(packed)), parts))
    return markdown_table(("format", "bytes", "offset: type member"), rows)


def _plain(text: str) -> str:
    """A description of the register map in one line of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def _described(node: FieldNode) -> str:
    """Name of the register and description of the field."""
    register = node.parent
    group = register.parent
    if group.get_property("snapshot", default=False):
        half = "bits 31:0, latch the others" if register.inst_name == "lo" else "bits 63:32"
        return _plain(f"{group.get_property('name')}: {half}")
    text = node.get_property("desc", default="") or register.get_property("desc", default="")
    return _plain(f"{register.get_property('name')}: {text}")


def _descriptions(config: CoreConfig) -> dict[str, str]:
    """Path of a field → its description."""
    top = compile_rdl(config, emulator=True)
    nodes = (node for node in top.descendants(unroll=True) if isinstance(node, FieldNode))
    return {node.get_path().partition(".")[2]: _described(node) for node in nodes}


def _fields() -> str:
    described = _descriptions(WITH_PHY)
    layouts = [register_map(config, emulator=True) for config in (REFERENCE, WITH_PHY)]
    rows = []
    for number, path in enumerate(link.FIELDS):
        register, _, name = path.rpartition(".")
        there = [r for layout in layouts for r in layout.registers if r.name == register]
        field = next(f for f in there[0].fields if f.name == name)
        needs = "" if len(there) == len(layouts) else "phy"
        bits = f"{field.width}{', signed' if field.signed else ''}"
        reset = str(field.reset) if "w" in field.sw and not needs else ""
        rows.append((str(number), f"`{path}`", bits, field.sw, reset, needs, described[path]))
    head = ("number", "field", "bits", "access", "power-up", "needs", "content")
    return markdown_table(head, rows)


PARAMETERS = {
    "ROWS": "rows",
    "MAX_POINTS": "max_points",
    "MAX_REGIONS": "max_regions",
    "MAX_GROUP_ROWS": "max_group_rows",
    "ENTROPY_PAIRS": "entropy_pairs",
}
"""Parameters of the register map → members of the identification."""


def _formula(expression: str) -> str:
    """Words of a window: ``mementries`` of the register map, in the terms of the page."""
    for parameter, member in PARAMETERS.items():
        expression = re.sub(rf"\b{parameter}\b", member, expression)
    for written, said in (
        ("<< (DEVICE_BITS - 1)", "× p"),
        ("<< DEVICE_BITS", "× 2p"),
        ("POINT_WORDS", "w"),
        ("*", "×"),
    ):
        expression = expression.replace(written, said)
    return re.sub(r"[()]", "", expression)


def _windows() -> str:
    source = SOURCE.read_text(encoding="utf-8")
    sized = re.findall(r"mementries = ([^;]+);[^}]*\} (\w+)(?: @ \w+)?;", source)
    sizes = {name: words for words, name in sized}
    layout = register_map(REFERENCE, emulator=True)
    bare = {w.name for w in register_map(replace(REFERENCE, device_calibration=False)).windows}
    top = compile_rdl(REFERENCE, emulator=True)
    nodes = {node.inst_name: node for node in top.children() if isinstance(node, MemNode)}
    rows = []
    for number, name in enumerate(link.WINDOWS):
        window = layout.window(name)
        title, text = (nodes[name].get_property(key) for key in ("name", "desc"))
        rows.append(
            (
                str(number),
                f"`{name}`",
                _formula(sizes[name]) if name in sizes else str(window.words),
                window.sw,
                "" if name in bare else "device_calibration",
                _plain(f"{title}: {text}"),
            )
        )
    return markdown_table(("number", "window", "words", "access", "needs", "content"), rows)


def _features() -> str:
    node = next(
        node
        for node in compile_rdl(REFERENCE, emulator=True).descendants()
        if isinstance(node, RegNode) and node.get_path().endswith("id.features")
    )
    rows = [(str(f.low), f.inst_name, _plain(f.get_property("desc"))) for f in node.fields()]
    return markdown_table(("bit", "name", "meaning"), rows)


def _sizes() -> str:
    names = {
        "PROTOCOL_VERSION": "version of this protocol",
        "MAX_PAYLOAD": "bytes of a payload, at most",
        "MAX_WIRE": "bytes of a frame on the wire, at most, its zeros included",
        "WINDOW": "messages under way in each direction, at most",
        "MIN_PATIENCE": "clocks, least time until messages are sent again",
        "MAX_PATIENCE": "clocks, longest",
        "BAUD": "bits a second of a board with a clock of its own",
    }
    rows = [(name, str(getattr(link, name)), text) for name, text in names.items()]
    return markdown_table(("number", "value", "meaning"), rows)


def _stuffed(content: bytes) -> bytes:
    """COBS encoding of less than 254 bytes, between its zeros."""
    parts = content.split(b"\0")
    return b"\0" + b"".join(bytes([len(part) + 1]) + part for part in parts) + b"\0"


def example() -> dict[str, bytes]:
    """The parts of a host's OPEN and of its first message."""
    opening = struct.pack(
        link.HEADER_FORMAT, link.PROTOCOL_VERSION, link.Kind.OPEN, EXAMPLE_SESSION, 0, 0
    )
    message = struct.pack(link.MESSAGE_FORMAT, link.Message.ECHO, 0, 7) + b"ohm\0carlo"
    data = struct.pack(
        link.HEADER_FORMAT, link.PROTOCOL_VERSION, link.Kind.DATA, EXAMPLE_SESSION, 0, 0
    )
    steps: dict[str, bytes] = {}
    for name, header, payload in (
        ("OPEN", opening, struct.pack(link.OPEN_FORMAT, EXAMPLE_PATIENCE)),
        ("ECHO", data, message),
    ):
        content = header + payload
        checksum = struct.pack(link.CRC_FORMAT, zlib.crc32(content))
        steps |= {
            f"{name} header": header,
            f"{name} payload": payload,
            f"{name} CRC": checksum,
            f"{name} wire": _stuffed(content + checksum),
        }
    return steps


def _example() -> str:
    lines = [f"{name:<13} {content.hex(' ')}" for name, content in example().items()]
    return "```\n" + "\n".join(lines) + "\n```"


def tables() -> dict[str, str]:
    """Name of a table in the page → its text."""
    return {
        "numbers": _sizes(),
        "example": _example(),
        "kinds": _enumeration("Kind"),
        "formats": _formats(),
        "messages": _enumeration("Message"),
        "statuses": _enumeration("Status"),
        "commands": _enumeration("Command"),
        "reasons": _codes("Reason"),
        "causes": _codes("FaultCause"),
        "operations": _enumeration("Operation"),
        "features": _features(),
        "fields": _fields(),
        "windows": _windows(),
    }
