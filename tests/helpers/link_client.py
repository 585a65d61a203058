"""A bare host for tests of the firmware: it sends and receives single frames and enforces no
rule."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from cobs import cobs

from native_board import NativeBoard
from ohmcarlo.spec.link import (
    COMMAND_FORMAT,
    FIELDS,
    HEADER_BYTES,
    HEADER_FORMAT,
    IDENTIFICATION,
    IDENTIFICATION_FORMAT,
    MAX_FRAME,
    MESSAGE_BYTES,
    MESSAGE_FORMAT,
    PROTOCOL_VERSION,
    WRITE_FORMAT,
    Command,
    Kind,
    Message,
    Status,
)

Content = tuple[int, int, int, bytes]
"""Of a message: type, status, request number, body."""
SESSION = 0x1234
PATIENCE = 4_000_000
CLOCKS = 400_000  # of an exchange: the board completes all its work


def frame(
    kind: int,
    session: int = SESSION,
    sequence: int = 0,
    acknowledgement: int = 0,
    payload: bytes = b"",
    version: int = PROTOCOL_VERSION,
) -> bytes:
    """Bytes on the wire."""
    header = struct.pack(HEADER_FORMAT, version, kind, session, sequence, acknowledgement)
    content = header + payload
    return b"\0" + cobs.encode(content + struct.pack("<I", zlib.crc32(content))) + b"\0"


@dataclass(frozen=True)
class Frame:
    version: int
    kind: int
    session: int
    sequence: int
    acknowledgement: int
    payload: bytes

    @property
    def message(self) -> Content:
        """Type, status, request number, body."""
        assert self.kind == Kind.DATA
        return *struct.unpack(MESSAGE_FORMAT, self.payload[:MESSAGE_BYTES]), self.payload[4:]


def frames(wire: bytes) -> list[Frame]:
    """Whole frames, each with a right checksum and of a permitted length."""
    found = []
    assert not wire or (wire.startswith(b"\0") and wire.endswith(b"\0"))
    for part in filter(None, wire.split(b"\0")):
        content = cobs.decode(part)
        assert len(content) <= MAX_FRAME
        assert content[-4:] == struct.pack("<I", zlib.crc32(content[:-4]))
        header = struct.unpack(HEADER_FORMAT, content[:HEADER_BYTES])
        found.append(Frame(*header, content[HEADER_BYTES:-4]))
    return found


class Client:
    """One session; ``sent`` and ``got`` count messages."""

    def __init__(self, board: NativeBoard, session: int = SESSION) -> None:
        self.board, self.session = board, session
        self.sent = self.got = 0
        self.number = 0

    def exchange(self, wire: bytes = b"", clocks: int = CLOCKS) -> list[Frame]:
        self.board.write(wire)
        self.board.poll(clocks)
        return frames(self.board.read())

    def open(self, patience: int = PATIENCE) -> dict[str, int]:
        """The identification."""
        answer = self.exchange(self.frame(Kind.OPEN, payload=struct.pack("<I", patience)))
        assert [f.kind for f in answer] == [Kind.OPENED]
        assert answer[0].session == self.session
        self.sent = self.got = 0
        values = struct.unpack(IDENTIFICATION_FORMAT, answer[0].payload)
        return dict(zip(IDENTIFICATION, values, strict=True))

    def frame(self, kind: int, sequence: int | None = None, payload: bytes = b"") -> bytes:
        number = self.sent if sequence is None else sequence
        return frame(kind, self.session, number, self.got, payload)

    def data(self, kind: int, body: bytes = b"") -> bytes:
        """The next message, as a frame."""
        self.number = (self.number + 1) & 0xFFFF
        payload = struct.pack(MESSAGE_FORMAT, kind, 0, self.number) + body
        made = self.frame(Kind.DATA, payload=payload)
        self.sent = (self.sent + 1) & 0xFFFF
        return made

    def messages(self, wire: bytes = b"", clocks: int = CLOCKS) -> list[Content]:
        """Messages that arrive, in order; the next frame acknowledges them."""
        found = []
        for item in self.exchange(wire, clocks):
            if item.kind == Kind.DATA and item.sequence == self.got:
                self.got = (self.got + 1) & 0xFFFF
                found.append(item.message)
        return found

    def request(self, kind: int, body: bytes = b"") -> tuple[Status, bytes]:
        """Status and body of the answer to one request."""
        found = self.messages(self.data(kind, body))
        for _ in range(100):
            answers = [m for m in found if m[0] == Message.RESPONSE]
            if answers:
                break
            found = self.messages()
        assert len(answers) == 1 and answers[0][2] == self.number
        return Status(answers[0][1]), answers[0][3]

    def acknowledge(self, clocks: int = CLOCKS) -> list[Content]:
        return self.messages(self.frame(Kind.ACK), clocks)

    def command(self, command: Command, argument: int = 0) -> Status:
        return self.request(Message.COMMAND, struct.pack(COMMAND_FORMAT, command, argument))[0]

    def write(self, **fields: int) -> Status:
        """Fields with ``__`` for the dot; ``.value`` may be left out."""
        paths = {name.replace("__", "."): value for name, value in fields.items()}
        items = [
            (FIELDS.index(path if path in FIELDS else f"{path}.value"), value)
            for path, value in paths.items()
        ]
        body = b"".join(struct.pack(WRITE_FORMAT, *item) for item in items)
        return self.request(Message.WRITE, body)[0]

    def read(self, *names: str) -> list[int]:
        body = b"".join(struct.pack("<H", FIELDS.index(name)) for name in names)
        status, values = self.request(Message.READ, body)
        assert status == Status.OK
        return list(struct.unpack(f"<{len(names)}I", values))
