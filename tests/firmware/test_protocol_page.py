"""A client that was written from ``firmware/PROTOCOL.md`` alone brings up a board.

``PageClient`` takes every code, number, format, field and window from the tables of the page. It
imports nothing of the project. The memory of its board and its records are those that the project's
own host gives.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cobs import cobs

from board_ports import NativePort
from native_board import NativeBoard, opened
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards.link.remote import RemoteController
from ohmcarlo.boards.records.decode import Records
from ohmcarlo.boards.serial_board import SerialBoard
from ohmcarlo.golden import SamplerSettings
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.spec.link import Command, Operation
from ohmcarlo_hdl.array.interface import Op
from ohmcarlo_hdl.config import REFERENCE
from ohmcarlo_hdl.regs.map import register_map

PAGE = Path(__file__).parents[2] / "firmware" / "PROTOCOL.md"
REFERENCE_FILES = Path(__file__).parents[2] / "rtl_gen" / "reference"
STEPS = 20
INPUTS = ((3, -5, 127, 32), (-128, 7, 0, 32), (1, 2, 3, 32), (9, -9, 4, 32), (0, 0, 50, 32))
LABELS, OFFSETS = (0, 1, 1, 0, 1), (0, -3, 500, 0, 7)
FEATURES = 4

# -- the client: the page, struct, zlib and a COBS library -----------------------------------------
Row = dict[str, str]
LETTERS = {"u8": "B", "i16": "h", "u16": "H", "u32": "I", "u64": "Q"}


def table(name: str) -> list[Row]:
    """Rows of a table of the page, by the names of its columns."""
    text = re.search(rf"<!-- table {name} -->\n(.*?)\n<!-- end -->", PAGE.read_text("utf-8"), re.S)
    assert text is not None, name
    lines = [re.split(r" (?<!\\)\| ", line[2:-2]) for line in text[1].splitlines()]
    head, _, *rows = lines
    return [dict(zip(head, (cell.strip(" `") for cell in row), strict=True)) for row in rows]


def codes(name: str) -> dict[str, int]:
    return {row["name"]: int(row["code"]) for row in table(name)}


def numbered(name: str, column: str) -> dict[str, int]:
    return {row[column]: int(row["number"]) for row in table(name)}


class Format:
    """A row of the table of formats: members at offsets, zeros between them."""

    def __init__(self, row: Row) -> None:
        self.size, self.members = int(row["bytes"]), []
        for place, kind, member in re.findall(r"(\d+): (\w+) (\w+)", row["offset: type member"]):
            self.members.append((member, "<" + LETTERS[kind], int(place)))

    def pack(self, **values: int) -> bytes:
        data = bytearray(self.size)
        for member, letter, place in self.members:
            struct.pack_into(letter, data, place, values.get(member, 0))
        return bytes(data)

    def unpack(self, data: bytes) -> dict[str, int]:
        return {m: struct.unpack_from(letter, data, at)[0] for m, letter, at in self.members}


class PageClient:
    """``write`` and ``read`` move bytes; ``read`` waits a little."""

    def __init__(self, write: Callable[[bytes], None], read: Callable[[], bytes]) -> None:
        self.write, self.read = write, read
        self.numbers = {row["number"]: int(row["value"]) for row in table("numbers")}
        self.formats = {row["format"]: Format(row) for row in table("formats")}
        self.kinds, self.types = codes("kinds"), codes("messages")
        self.statuses, self.commands = codes("statuses"), codes("commands")
        self.fields, self.windows = numbered("fields", "field"), numbered("windows", "window")
        self.session, self.rest, self.request_number = 4711, b"", 0
        self.sent = self.expected = 0
        self.messages: list[bytes] = []
        self.words: list[int] = []

    # frames
    def send(self, kind: str, sequence: int, payload: bytes = b"") -> None:
        header = self.formats["HEADER"].pack(
            version=self.numbers["PROTOCOL_VERSION"],
            kind=self.kinds[kind],
            session=self.session,
            sequence=sequence,
            acknowledgement=self.expected,
        )
        content = header + payload
        coded = cobs.encode(content + struct.pack("<I", zlib.crc32(content)))
        self.write(b"\0" + coded + b"\0")

    def receive(self) -> Iterator[tuple[dict[str, int], bytes]]:
        *pieces, self.rest = (self.rest + self.read()).split(b"\0")
        for piece in filter(None, pieces):
            content = cobs.decode(piece)
            body, checksum = content[:-4], content[-4:]
            assert struct.pack("<I", zlib.crc32(body)) == checksum
            size = self.formats["HEADER"].size
            yield self.formats["HEADER"].unpack(body), body[size:]

    # sessions and messages
    def open(self, patience: int) -> dict[str, int]:
        self.send("OPEN", 0, self.formats["OPEN"].pack(patience=patience))
        while True:
            for header, payload in self.receive():
                if header["kind"] == self.kinds["OPENED"]:
                    return self.formats["IDENTIFICATION"].unpack(payload)

    def wait(self) -> None:
        """Take the messages that arrive, and acknowledge them."""
        for header, payload in self.receive():
            if header["kind"] == self.kinds["DATA"] and header["sequence"] == self.expected:
                self.expected = (self.expected + 1) % 65536
                self.take(payload)
        self.send("ACK", self.sent)

    def take(self, message: bytes) -> None:
        size = self.formats["MESSAGE"].size
        if self.formats["MESSAGE"].unpack(message)["type"] == self.types["RECORDS"]:
            words = message[size + self.formats["RECORDS"].size :]
            self.words += struct.unpack(f"<{len(words) // 4}I", words)
        else:
            self.messages.append(message)

    def next(self, kind: str) -> tuple[dict[str, int], bytes]:
        """The next message of that type."""
        while True:
            for index, message in enumerate(self.messages):
                head = self.formats["MESSAGE"].unpack(message)
                if head["type"] == self.types[kind]:
                    del self.messages[index]
                    return head, message[self.formats["MESSAGE"].size :]
            self.wait()

    def request(self, kind: str, body: bytes) -> bytes:
        self.request_number += 1
        head = self.formats["MESSAGE"].pack(type=self.types[kind], request=self.request_number)
        self.send("DATA", self.sent, head + body)
        self.sent = (self.sent + 1) % 65536
        answer, content = self.next("RESPONSE")
        assert answer["request"] == self.request_number
        assert answer["status"] == self.statuses["OK"], (kind, answer)
        return content

    # requests
    def set(self, **fields: int) -> None:
        pack = self.formats["WRITE"].pack
        for name, value in fields.items():
            self.request("WRITE", pack(field=self.fields[name.replace("__", ".")], value=value))

    def get(self, name: str) -> int:
        body = struct.pack("<H", self.fields[name])
        return struct.unpack("<I", self.request("READ", body))[0]

    def load(self, window: str, words: list[int]) -> None:
        for first in range(0, len(words), 117):
            part = words[first : first + 117]
            head = self.formats["WINDOW"].pack(window=self.windows[window], first=first)
            self.request("LOAD", head + struct.pack(f"<{len(part)}I", *part))

    def command(self, name: str, argument: int = 0) -> None:
        pack = self.formats["COMMAND"].pack
        self.request("COMMAND", pack(command=self.commands[name], argument=argument))

    def execute(self, name: str, argument: int = 0) -> dict[str, int]:
        """A command that takes time, to its end."""
        self.command(name, argument)
        return self.formats["FINISHED"].unpack(self.next("FINISHED")[1])

    # bring-up, in the order of the page
    def bring_up(self, settings: dict[str, int], tables: dict[str, list[int]]) -> dict[str, int]:
        found = self.open(4_000_000)
        assert found["protocol_version"] == 1 and found["magic"] == 0x4F484D43
        assert found["firmware_map_hash"] == found["map_hash"] == found["id_map_hash"]
        self.command("RESET_STATE")
        emulator = {name for name in settings if name.startswith("emulator")}
        self.set(**{n: v for n, v in settings.items() if n not in emulator})
        w = 1
        while w < 1 + -(-(found["pairs"] - found["entropy_pairs"]) // 4):
            w *= 2
        points: list[int] = []
        for inputs, label, offset in zip(INPUTS, LABELS, OFFSETS, strict=True):
            words = [offset & 0xFFFF | label << 16] + [0] * (w - 1)
            for j, value in enumerate(inputs):
                words[1 + j // 4] |= (value & 0xFF) << 8 * (j % 4)
            points += words
        for window in ("dac", "inv_sigma", "log_sigma"):
            self.load(window, tables[window])
        self.load("bad_rows", [0] * found["rows"])
        self.load("points", points)
        self.load("order", list(range(len(INPUTS))))
        if found["features"] >> feature("emulator") & 1:
            self.set(**{n: settings[n] for n in emulator})
            for window in ("median", "sigma"):
                self.load(window, tables[window])
        self.load("state_wear", [0] * found["rows"])
        for command in ("CLEAR_FAULT", "RESET_STATE", "EMULATOR_RESTART"):
            self.command(command)
        while self.get("status.state.emulator_idle") == 0:
            pass
        ended = self.execute("START")
        assert ended["alarm"] == 0 and ended["fault"] == 0
        return found

    def decoded(self) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Steps (points, region, accepted, valid, log-likelihood and -prior of an accepted one) and
        samples (region, current, multiplicity, log-likelihood, log-prior, codes)."""
        steps: list[tuple[int, ...]] = []
        samples: list[tuple[int, ...]] = []
        words = iter(self.words)
        for word in words:
            if word >> 28 == 1:
                accepted = word >> 23 & 1
                more = [signed(next(words)) for _ in range(2 * accepted)]
                bits = (word & 0x1FFFF, word >> 17 & 0x3F, accepted, word >> 24 & 1)
                steps.append((*bits, *more))
            elif word >> 28 == 2:
                head, multiplicity, *rest = [next(words) for _ in range(word & 0xFFFFFF)]
                pairs = [code for pair in rest[2:] for code in (pair & 0x3FF, pair >> 16 & 0x3FF)]
                values = (signed(rest[0]), signed(rest[1]), *pairs)
                samples.append((head & 0xFF, head >> 8 & 1, multiplicity, *values))
        self.words.clear()
        return steps, samples


def signed(word: int) -> int:
    return word - (word >> 31 << 32)


def feature(name: str) -> int:
    """Bit of a feature."""
    return next(int(row["bit"]) for row in table("features") if row["name"] == name)


# -- the host of the project ----------------------------------------------------------------------


def host_board(native: NativeBoard) -> SerialBoard:
    """A board that the project's host has brought up with the same model."""
    port = NativePort(native)
    board = SerialBoard(port, EmulatedArray(Geometry(), 3), "serial:port", port.clock, check=False)
    points = Points(
        np.array(INPUTS, np.int8), np.array(LABELS, np.uint8), np.array(OFFSETS, np.int16)
    )
    settings = SamplerSettings()
    chain = settings.registers(Geometry(), FEATURES, lambda g: 0.05 * g, None)
    board.configure(chain, points)
    return board


def settings_of(board: NativeBoard) -> dict[str, int]:
    """Values of the fields that a host writes, as they are in the registers of a board."""
    layout, found = register_map(REFERENCE, emulator=True), {}
    for row in table("fields"):
        group = row["field"].partition(".")[0]
        if "w" in row["access"] and group in ("model", "proposal", "entropy", "emulator"):
            register, _, name = row["field"].rpartition(".")
            place = next(f for f in layout[register].fields if f.name == name)
            word = board.peek(layout[register].address)
            found[row["field"]] = word >> place.low & ((1 << place.width) - 1)
    return found


def memory_of(board: NativeBoard) -> dict[str, list[int]]:
    layout = register_map(REFERENCE, emulator=True)
    return {w.name: [board.peek(w.address + 4 * i) for i in range(w.words)] for w in layout.windows}


@pytest.fixture
def other() -> Iterator[NativeBoard]:
    with opened() as board:
        yield board


def client_of(board: NativeBoard) -> PageClient:
    def read() -> bytes:
        board.poll(20_000)
        return board.read()

    return PageClient(board.write, read)


def test_a_client_of_the_page_brings_up_a_board(other: NativeBoard) -> None:
    """Settings and memory of the board, steps and samples of a run are those of the host."""
    host = host_board(other)
    settings, memory = settings_of(other), memory_of(other)
    tables = {n: memory[n] for n in ("dac", "inv_sigma", "log_sigma", "median", "sigma")}
    with opened() as board:
        client = client_of(board)
        found = client.bring_up(settings, tables)
        assert (found["rows"], found["pairs"]) == (256, 32)
        assert settings_of(board) == settings
        assert memory_of(board) == memory
        ended = client.execute("RUN", STEPS)
        assert ended["steps_done"] == STEPS and ended["reason"] == reason("DONE")
        steps, samples = client.decoded()
        client.execute("FLUSH")
        current = client.decoded()[1]
        assert board.unsafe == 0, board.unsafe_reason
    host.start()
    remote: RemoteController = host.remote
    assert remote.execute(Command.RUN, STEPS).steps_done == STEPS
    records = Records(host.link.take_records())
    assert_same_steps(steps, records)
    assert_same_samples(samples, records)
    remote.execute(Command.FLUSH)
    assert_same_samples(current, Records(host.link.take_records()))
    assert len(steps) == STEPS and len(samples) >= 2 and len(current) == 1


def assert_same_steps(steps: list[tuple[int, ...]], records: Records) -> None:
    theirs = records.steps()
    assert [bool(s[2]) for s in steps] == theirs.accepted.tolist()
    assert [bool(s[3]) for s in steps] == theirs.valid.tolist()
    assert [s[0] for s in steps] == theirs.points.tolist()


def assert_same_samples(samples: list[tuple[int, ...]], records: Records) -> None:
    theirs: Any = records.samples(2 * FEATURES)
    assert [s[0] for s in samples] == theirs.region.tolist()
    assert [s[2] for s in samples] == theirs.multiplicity.tolist()
    assert [s[3] + s[4] for s in samples] == theirs.log_posterior.tolist()
    assert [list(s[5:]) for s in samples] == theirs.codes.tolist()


def reason(name: str) -> int:
    text = re.search(r"<!-- table reasons -->\n(.*?)\n<!-- end -->", PAGE.read_text("utf-8"), re.S)
    assert text is not None
    return next(int(n) for n, found in re.findall(r"(\d+) (\w+)", text[1]) if found == name)


def test_tables_of_the_default_array_are_in_files(other: NativeBoard) -> None:
    """The page names them; a client can load them as they are."""
    host_board(other)
    memory = memory_of(other)
    for window in ("dac", "median", "sigma"):
        lines = (REFERENCE_FILES / f"{window}.hex").read_text().split()
        assert [int(line, 16) for line in lines] == memory[window]


def test_a_wrong_page_is_noticed(other: NativeBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: two windows change their numbers."""
    host_board(other)
    settings, memory = settings_of(other), memory_of(other)
    with opened() as board:
        client = client_of(board)
        client.windows["dac"], client.windows["median"] = 3, 0
        client.bring_up(settings, {n: memory[n] for n in memory})
        assert memory_of(board) != memory


def test_operations_of_the_page() -> None:
    found = codes("operations")
    assert found == {op.name: op.value for op in Op if op.name in Operation.__members__}
    assert list(found) == ["FORM", "RESET", "SET", "READ"]
