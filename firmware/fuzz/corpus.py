"""Writes the fuzzers' initial inputs from ``ohmcarlo.spec.link``; the bytes are reproducible.

    .venv/bin/python firmware/fuzz/corpus.py            renew firmware/fuzz/corpus

The layout of an input is that of the code that consumes it: ``fuzz_wire.c``, ``fuzz_messages.c``.
"""

from __future__ import annotations

import struct
from pathlib import Path

from ohmcarlo.spec.link import FIELDS, MAX_PAYLOAD, WINDOWS, Command, Kind, Message

HERE = Path(__file__).parent / "corpus"

# -- fuzz_wire -----------------------------------------------------------------------------------
RAW, FRAME, IN_SESSION, BROKEN, POLL = 0, 1, 2, 3, 4
OPEN_FIRST = b"\x01"


def raw(data: bytes) -> bytes:
    return bytes([RAW | POLL]) + struct.pack("<H", len(data)) + data


def in_session(kind: Kind, sequence: int, acknowledgement: int, payload: bytes = b"") -> bytes:
    header = bytes([IN_SESSION | POLL, kind, sequence, acknowledgement])
    return header + struct.pack("<H", len(payload)) + payload


def any_frame(version: int, session: int, kind: Kind, payload: bytes = b"") -> bytes:
    header = bytes([FRAME | POLL, version, session, kind, 0, 0])
    return header + struct.pack("<H", len(payload)) + payload


def broken(kind: Kind, payload: bytes, place: int, error: int) -> bytes:
    header = bytes([BROKEN | POLL, 0, 1, kind, 0, 0])
    return header + struct.pack("<H", len(payload)) + payload + struct.pack("<HB", place, error)


def message(kind: Message, body: bytes = b"", number: int = 1) -> bytes:
    return struct.pack("<BBH", kind, 0, number) + body


def wire_inputs() -> dict[str, bytes]:
    echo = message(Message.ECHO, b"echo\0\0echo")
    long = message(Message.ECHO, bytes(range(1, 256)) * 2)[: MAX_PAYLOAD - 1]
    openings = any_frame(0, 2, Kind.OPEN, struct.pack("<I", 5000))
    return {
        "noise": b"\0" + raw(bytes(range(256))) + raw(b"\0\0\xff\0") + raw(b"\x05abc\0"),
        "endless": b"\0" + raw(b"\xff" * 478) + raw(b"\xff" * 478) + raw(b"\0"),
        "echo": OPEN_FIRST + in_session(Kind.DATA, 0, 0, echo) + in_session(Kind.ACK, 1, 1),
        "longest": OPEN_FIRST + in_session(Kind.DATA, 0, 0, long) + in_session(Kind.NACK, 1, 0),
        "again": OPEN_FIRST + 2 * in_session(Kind.DATA, 0, 0, echo),
        "gap": OPEN_FIRST + in_session(Kind.DATA, 2, 0, echo) + in_session(Kind.DATA, 0, 0, echo),
        "poll": OPEN_FIRST + in_session(Kind.POLL, 0, 0) + in_session(Kind.POLL, 0, 9),
        "window": OPEN_FIRST + b"".join(in_session(Kind.DATA, n, 0, echo) for n in range(10)),
        "sessions": OPEN_FIRST + openings + any_frame(0, 3, Kind.DATA, echo) + openings,
        "version": OPEN_FIRST + any_frame(0xFF, 1, Kind.OPEN, bytes(4)),
        "broken": OPEN_FIRST + broken(Kind.DATA, echo, 7, 1) + in_session(Kind.DATA, 0, 0, echo),
        "short": OPEN_FIRST + in_session(Kind.DATA, 0, 0, b"\1") + in_session(Kind.DATA, 1, 0),
    }


# -- fuzz_messages -------------------------------------------------------------------------------
PLAIN, WITH_ACK, AT_ONCE = 0, 8, 7
FAULT, ALARM, HANG, UNHANG, ACK, RESTART, SETTLE = range(0xF8, 0xFF)
OTHER_BODY = 0x80


def small(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else b"\x80" + struct.pack("<I", value)


def ask(kind: Message, body: bytes = b"", how: int = WITH_ACK) -> bytes:
    return bytes([how, kind - 1]) + body


def command(which: Command, argument: int = 0) -> bytes:
    return ask(Message.COMMAND, bytes([which]) + small(argument))


def write(*items: tuple[str, int]) -> bytes:
    body = b"".join(bytes([FIELDS.index(name)]) + small(value) for name, value in items)
    return ask(Message.WRITE, bytes([len(items) - 1]) + body)


def operate(*items: tuple[int, int, int, int]) -> bytes:
    body = b"".join(
        bytes([op, row, device]) + struct.pack("<H", dac) for op, row, device, dac in items
    )
    return ask(Message.OPERATE, bytes([len(items) - 1]) + body)


def window(name: str, first: int = 0) -> bytes:
    return bytes([WINDOWS.index(name)]) + small(first)


def message_inputs() -> dict[str, bytes]:
    model = write(("model.features.value", 5), ("model.region_groups.value", 8),
                  ("model.options.record_steps", 1), ("model.points.value", 9))  # fmt: skip
    start, run = command(Command.START), command(Command.RUN, 40)
    external = write(("model.options.external", 1), ("model.options.record_steps", 1))
    fields = bytes([7, *range(40, 48)])
    weights = struct.pack("<5HBII", 1025, 1026, 1200, 1300, 1024, 2, 7, 0)
    policy = struct.pack("<II", 7, 0) + small(99) + b"\2"
    return {
        "train": model + start + run + command(Command.FLUSH) + command(Command.PREDICT),
        "halt": model + start + command(Command.RUN, 255) + command(Command.HALT),
        "external": external + start + command(Command.RUN, 3) + 3 * command(Command.EXTERNAL, 5),
        "early": run + command(Command.FLUSH) + command(Command.PREDICT),
        "bad-model": write(("model.features.value", 99)) + start,
        "alarm": model + start + bytes([ALARM]) + run + start + run,
        "fault": start + run + bytes([FAULT]) + run + command(Command.RESET_STATE) + start,
        "hang": bytes([HANG]) + operate((3, 1, 1, 99), (4, 1, 1, 0)) + command(Command.RESET_STATE),
        "operate": operate((1, 0, 0, 5), (2, 1, 0, 0), (3, 2, 3, 77), (4, 2, 3, 0)),
        "outside": operate((3, 65, 0, 0)) + operate((3, 0, 33, 0)) + operate((5, 0, 0, 0)),
        "dac": operate((3, 0, 0, 0x1000)) + operate((4, 63, 31, 0)),
        "read-row": ask(Message.READ_ROW, b"\1\0\x20") + ask(Message.READ_ROW, b"\1\1\x20"),
        "load": ask(Message.LOAD, window("state_held", 2) + b"\1" + bytes(8))
        + ask(Message.UNLOAD, window("state_held", 2) + b"\2"),
        "windows": b"".join(ask(Message.LOAD, window(w, 127) + b"\0" + bytes(4)) for w in WINDOWS),
        "read": ask(Message.READ, fields) + ask(Message.READ, b"\0\x5f"),
        "busy": start + command(Command.RUN, 255) + operate((3, 0, 0, 1)) + model + start,
        "started": model + start + bytes([SETTLE]) + write(("model.points.value", 7)) + model,
        "episode": ask(Message.EPISODE, weights) + ask(Message.EPISODE, weights),
        "policy": external + ask(Message.POLICY, policy) + start + command(Command.RUN, 3),
        "triage": model + start + command(Command.TRIAGE) + ask(Message.ANSWERS, b"\0\1")
        + command(Command.TRIAGE, 99) + ask(Message.ANSWERS, b"\1\1") + bytes([SETTLE, FAULT]),
        "restart": model + start + command(Command.RUN, 255) + bytes([RESTART]) + start,
        "settle": model + start + command(Command.RUN, 255) + bytes([SETTLE]) + run,
        "other": b"".join(bytes([AT_ONCE, OTHER_BODY | n, n, *range(n)]) for n in range(10)),
    }  # fmt: skip


def inputs() -> dict[str, bytes]:
    """Path below ``corpus`` → content."""
    found = {f"fuzz_wire/{name}": data for name, data in wire_inputs().items()}
    return found | {f"fuzz_messages/{name}": data for name, data in message_inputs().items()}


def main() -> None:
    for name, data in inputs().items():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()
