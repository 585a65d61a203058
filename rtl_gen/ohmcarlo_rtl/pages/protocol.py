"""The tables of ``firmware/PROTOCOL.md``, from ``ohmcarlo.spec.link``."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

from ohmcarlo.spec import link

from ..firmware.spec_headers import ENUMERATIONS, LAYOUTS, offsets
from ..sources import REPOSITORY
from .markers import markdown_table

PAGE = REPOSITORY / "firmware" / "PROTOCOL.md"
COLUMNS = 4
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


def _numbered(names: tuple[str, ...]) -> str:
    items = [f"{number} `{name}`" for number, name in enumerate(names)]
    height = -(-len(items) // COLUMNS)
    rows = []
    for row in range(height):
        cells = [items[i] if i < len(items) else "" for i in range(row, height * COLUMNS, height)]
        rows.append(tuple(cells))
    return markdown_table(("",) * COLUMNS, rows)


def _sizes() -> str:
    names = {
        "PROTOCOL_VERSION": "version of this protocol",
        "MAX_PAYLOAD": "bytes of a payload, at most",
        "MAX_WIRE": "bytes of a frame on the wire, at most, its zeros included",
        "WINDOW": "messages under way in each direction, at most",
        "MIN_PATIENCE": "clocks, least time until messages are sent again",
        "MAX_PATIENCE": "clocks, longest",
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
        "fields": _numbered(link.FIELDS),
        "windows": _numbered(link.WINDOWS),
    }
