"""Frames of the serial link, and their bytes on the wire."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from cobs import cobs

from ...spec.link import (
    CRC_BYTES,
    CRC_FORMAT,
    HEADER_BYTES,
    HEADER_FORMAT,
    MAX_FRAME,
    MAX_PAYLOAD,
    MAX_WIRE,
    PROTOCOL_VERSION,
)

DELIMITER = b"\0"


@dataclass(frozen=True)
class Frame:
    """One frame: header and payload.

    Attributes
    ----------
    kind : int
        A ``spec.link.Kind``, if the sender uses the kinds of this version.
    session, sequence, acknowledgement : int
        16 bits each. The acknowledgement is the number of the next frame that is expected.
    payload : bytes
    version : int
        Protocol version of the sender.
    """

    kind: int
    session: int
    sequence: int
    acknowledgement: int
    payload: bytes = b""
    version: int = PROTOCOL_VERSION

    def encode(self) -> bytes:
        """The bytes on the wire, with a delimiter at either end.

        The first one ends noise that arrived on the idle line.
        """
        if len(self.payload) > MAX_PAYLOAD:
            raise ValueError(f"a payload of {len(self.payload)} bytes: at most {MAX_PAYLOAD}")
        header = struct.pack(
            HEADER_FORMAT,
            self.version,
            self.kind,
            self.session,
            self.sequence,
            self.acknowledgement,
        )
        content = header + self.payload
        checksum = struct.pack(CRC_FORMAT, zlib.crc32(content))
        return DELIMITER + cobs.encode(content + checksum) + DELIMITER


def decode(wire: bytes) -> Frame | None:
    """The frame in the bytes between two delimiters, or None if they are damaged."""
    try:
        content = cobs.decode(wire)
    except cobs.DecodeError:
        return None
    if not HEADER_BYTES + CRC_BYTES <= len(content) <= MAX_FRAME:
        return None
    body, checksum = content[:-CRC_BYTES], content[-CRC_BYTES:]
    if struct.pack(CRC_FORMAT, zlib.crc32(body)) != checksum:
        return None
    version, kind, session, sequence, acknowledgement = struct.unpack_from(HEADER_FORMAT, body)
    return Frame(kind, session, sequence, acknowledgement, body[HEADER_BYTES:], version)


class Decoder:
    """Cuts received bytes into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame | None]:
        """The frames that ``data`` completes, in order. None stands for a damaged frame."""
        *wires, rest = (self._rest + data).split(DELIMITER)
        # without this limit, the rest would grow without bound after a lost delimiter
        self._rest = rest[-MAX_WIRE:]
        return [decode(wire) for wire in wires if wire]
