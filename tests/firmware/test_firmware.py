"""Messages of the firmware: the effect of each, and refusals before any effect."""

from __future__ import annotations

import random
import struct

import pytest

from link_client import PATIENCE, Client, frames
from native_board import FORM, READ, RESET, SET, NativeBoard, opened
from ohmcarlo.spec import DAC_MAX, Geometry
from ohmcarlo.spec.link import (
    COMMAND_FORMAT,
    FIELDS,
    FINISHED_FORMAT,
    MAX_BODY,
    MESSAGE_FORMAT,
    OPERATION_FORMAT,
    READ_ROW_FORMAT,
    RECORD_KIND_SHIFT,
    RECORD_PREDICTION,
    RECORD_SAMPLE,
    RECORD_STEP,
    RECORDS_FORMAT,
    SAMPLE_CURRENT_BIT,
    SAMPLE_HEADER_WORDS,
    SAMPLE_PROPOSAL_BIT,
    SAMPLE_WORDS_BITS,
    STEP_ACCEPTED_SHIFT,
    WINDOW_FORMAT,
    WINDOWS,
    WRITE_FORMAT,
    Command,
    FaultCause,
    Kind,
    Message,
    Status,
)
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.regs.map import register_map

CONFIG = CoreConfig()
LAYOUT = register_map(CONFIG, emulator=True)
ROWS, DEVICES = CONFIG.geometry.rows, 2 * CONFIG.geometry.pairs
SMALL = CoreConfig(
    Geometry(rows=64, pairs=16), max_points=256, max_group_rows=1, max_regions=1,
    device_calibration=False,
)  # fmt: skip
REASON_ALARM, REASON_FAULT, REASON_DONE = 2, 3, 4


def write(*items: tuple[int, int]) -> bytes:
    return b"".join(struct.pack(WRITE_FORMAT, *item) for item in items)


def operations(*items: tuple[int, int, int, int]) -> bytes:
    return b"".join(struct.pack(OPERATION_FORMAT, op, 0, *rest) for op, *rest in items)


def window(name: str, first: int, words: list[int]) -> bytes:
    head = struct.pack(WINDOW_FORMAT, WINDOWS.index(name), first)
    return head + struct.pack(f"<{len(words)}I", *words)


def unload(name: str, first: int, words: int) -> bytes:
    return struct.pack(WINDOW_FORMAT, WINDOWS.index(name), first) + struct.pack("<H", words)


def field(path: str) -> tuple[int, int, int]:
    """Address, lowest bit and width, from the register map."""
    register, _, name = path.rpartition(".")
    found = next(f for f in LAYOUT[register].fields if f.name == name)
    return LAYOUT[register].address, found.low, found.width


def writable(path: str) -> bool:
    register, _, name = path.rpartition(".")
    return any("w" in f.sw for f in LAYOUT[register].fields if f.name == name)


class Stream:
    """Output of a command: words of the record stream, and FINISHED."""

    def __init__(self, client: Client, first: list[tuple[int, int, int, bytes]]) -> None:
        self.words: list[int] = []
        self.finished: tuple[int, ...] = ()
        messages = first
        for _ in range(2000):
            for kind, status, number, body in messages:
                assert status == 0 and (number == 0 or kind == Message.RESPONSE)
                if kind == Message.RECORDS:
                    assert not self.finished, "records come before FINISHED"
                    (place,) = struct.unpack_from(RECORDS_FORMAT, body)
                    self.first = place if not self.words else self.first
                    assert place == self.first + len(self.words), "numbered without a gap"
                    self.words += struct.unpack_from(f"<{(len(body) - 4) // 4}I", body, 4)
                elif kind == Message.FINISHED:
                    self.finished = struct.unpack(FINISHED_FORMAT, body)
            if self.finished:
                break
            messages = client.acknowledge()
        assert self.finished

    def records(self) -> list[tuple[int, list[int]]]:
        """Kind and words of each record."""
        found, at = [], 0
        while at < len(self.words):
            kind = self.words[at] >> RECORD_KIND_SHIFT
            more = {
                RECORD_STEP: 2 * (self.words[at] >> STEP_ACCEPTED_SHIFT & 1),
                RECORD_SAMPLE: self.words[at] & (1 << SAMPLE_WORDS_BITS) - 1,
                RECORD_PREDICTION: 4,
            }[kind]
            found.append((kind, self.words[at : at + more + 1]))
            at += more + 1
        assert at == len(self.words)
        return found


def started(client: Client, **fields: int) -> None:
    assert client.command(Command.RESET_STATE) == Status.OK
    assert client.write(model__features=5, model__region_groups=8, **fields) == Status.OK
    assert stream(client, Command.START).words == []


def stream(client: Client, command: Command, argument: int = 0) -> Stream:
    messages = client.messages(
        client.data(Message.COMMAND, struct.pack(COMMAND_FORMAT, command, argument))
    )
    assert messages[0][:2] == (Message.RESPONSE, Status.OK)
    return Stream(client, messages)


# -- identification ------------------------------------------------------------------------------
def test_identification(board: NativeBoard) -> None:
    found = Client(board).open()
    assert (found["rows"], found["pairs"], found["max_points"]) == (256, 32, 1024)
    assert found["magic"] == 0x4F484D43 and found["simulated"] == 1
    assert found["map_hash"] == int(LAYOUT.hash[:8], 16)


@pytest.mark.parametrize("which", ["controller", "board"])
def test_another_register_map(client: Client, which: str) -> None:
    """The board reports both hashes and answers nothing but ECHO."""
    client.board.mismatch(**{which: True})
    client.session = 9
    found = client.open()
    built, there = ("firmware_map_hash", "map_hash") if which == "controller" else (
        "firmware_board_hash", "board_hash")  # fmt: skip
    assert found[built] != found[there]
    assert client.request(Message.ECHO, b"x") == (Status.OK, b"x")
    for kind in Message:
        if kind != Message.ECHO and kind < Message.RESPONSE:
            assert client.request(kind, bytes(8))[0] == Status.MISMATCH
    client.board.mismatch()


# -- fields --------------------------------------------------------------------------------------
def test_every_field(client: Client) -> None:
    """A field that is written alone changes only its own bits and is read back. Its largest value
    is accepted, and one more is refused."""
    for number, path in enumerate(FIELDS):
        if path.startswith("rails."):  # this board has no real array
            assert client.request(Message.WRITE, write((number, 0)))[0] == Status.UNKNOWN_NAME
            body = struct.pack("<H", number)
            assert client.request(Message.READ, body) == (Status.UNKNOWN_NAME, b"")
            continue
        address, low, width = field(path)
        top = (1 << width) - 1
        body = write((number, top))
        if not writable(path):
            assert client.request(Message.WRITE, body)[0] == Status.UNKNOWN_NAME, path
            client.read(path)
            continue
        before = client.board.peek(address)
        assert client.request(Message.WRITE, body)[0] == Status.OK, path
        assert client.board.peek(address) == before | top << low
        assert client.read(path) == [top]
        if width < 32:
            assert client.request(Message.WRITE, write((number, top + 1)))[0] == Status.OUT_OF_RANGE
        assert client.request(Message.WRITE, write((number, 0)))[0] == Status.OK
        assert client.board.peek(address) == before & ~(top << low)
        client.request(Message.WRITE, write((number, before >> low & top)))


def test_write_is_whole_or_not_at_all(client: Client) -> None:
    points = FIELDS.index("model.points.value")
    good = (points, 7)
    for bad, status in (
        ((len(FIELDS), 0), Status.UNKNOWN_NAME),
        ((FIELDS.index("status.state.busy"), 0), Status.UNKNOWN_NAME),
        ((FIELDS.index("proposal.rho.value"), 512), Status.OUT_OF_RANGE),
    ):
        assert client.request(Message.WRITE, write(good, bad)) == (status, b"")
        assert client.read("model.points.value") == [0]
    for body in (b"", write(good)[:-1], write(good) + b"\0"):
        assert client.request(Message.WRITE, body)[0] == Status.MALFORMED
    assert client.request(Message.WRITE, write(*[good] * (MAX_BODY // 8)))[0] == Status.OK


def test_read_refusals(client: Client) -> None:
    number = struct.pack("<H", 0)
    most = MAX_BODY // 4
    assert len(client.request(Message.READ, number * most)[1]) == 4 * most
    for body in (b"", number + b"\0", number * (most + 1)):
        assert client.request(Message.READ, body)[0] == Status.MALFORMED
    bad = number + struct.pack("<H", len(FIELDS))
    assert client.request(Message.READ, bad) == (Status.UNKNOWN_NAME, b"")


def test_counters_are_read_whole(client: Client) -> None:
    client.request(Message.OPERATE, operations((SET, 0, 0, 1), (READ, 0, 0, 0)))
    for name, count in (("set", 1), ("read", 1), ("form", 0)):
        assert client.read(f"counters.{name}.lo.value", f"counters.{name}.hi.value") == [count, 0]


# -- windows -------------------------------------------------------------------------------------
def test_every_window(client: Client) -> None:
    """The first and the last word are loaded, and unloaded if the map makes the window readable."""
    for name in WINDOWS:
        place = LAYOUT.window(name)
        for first in (0, place.words - 1):
            word = hash((name, first)) & 0xFFFFFFFF
            assert client.request(Message.LOAD, window(name, first, [word]))[0] == Status.OK
            assert client.board.peek(place.address + 4 * first) == word
            answer = client.request(Message.UNLOAD, unload(name, first, 1))
            expected = (Status.OK, struct.pack("<I", word)) if place.readable else (
                Status.UNKNOWN_NAME, b"")  # fmt: skip
            assert answer == expected, name


def test_long_loads(client: Client) -> None:
    rng = random.Random(4)
    words = [rng.randrange(1 << 32) for _ in range(256)]
    most = (MAX_BODY - struct.calcsize(WINDOW_FORMAT)) // 4
    for first in range(0, 256, most):
        part = words[first : first + most]
        assert client.request(Message.LOAD, window("state_wear", first, part))[0] == Status.OK
    found: list[int] = []
    for first in range(0, 256, 64):
        status, body = client.request(Message.UNLOAD, unload("state_wear", first, 64))
        assert status == Status.OK
        found += struct.unpack("<64I", body)
    assert found == words


def test_window_refusals(client: Client) -> None:
    last = LAYOUT.window("order").words - 1
    unknown = struct.pack(WINDOW_FORMAT, len(WINDOWS), 0)
    for body, status in (
        (window("order", 0, [])[:-1], Status.MALFORMED),
        (window("order", 0, []), Status.MALFORMED),
        (window("order", 0, [1]) + b"\0", Status.MALFORMED),
        (unknown + bytes(4), Status.UNKNOWN_NAME),
        (window("order", last + 1, [1]), Status.OUT_OF_RANGE),
        (window("order", last, [1, 2]), Status.OUT_OF_RANGE),
        (window("order", 0xFFFFFFFF, [1, 2]), Status.OUT_OF_RANGE),
    ):
        assert client.request(Message.LOAD, body) == (status, b"")
    for body, status in (
        (unload("state_held", 0, 1)[:-1], Status.MALFORMED),
        (unknown + bytes(2), Status.UNKNOWN_NAME),
        (unload("order", 0, 1), Status.UNKNOWN_NAME),
        (unload("state_held", 0, 0), Status.OUT_OF_RANGE),
        (unload("state_held", 0, MAX_BODY // 4 + 1), Status.OUT_OF_RANGE),
        (unload("state_held", 255, 2), Status.OUT_OF_RANGE),
        (unload("state_held", 0xFFFFFFFF, 2), Status.OUT_OF_RANGE),
    ):
        assert client.request(Message.UNLOAD, body) == (status, b"")


def test_window_that_a_controller_lacks() -> None:
    with opened(SMALL) as board:
        client = Client(board)
        client.open()
        assert client.request(Message.LOAD, window("calibration", 0, [1]))[0] == Status.UNKNOWN_NAME
        assert board.unsafe == 0


# -- operations ----------------------------------------------------------------------------------
def test_operations(client: Client) -> None:
    """Each operation reaches its device once. A READ returns its code. A RESET acts on the whole
    row."""
    rng = random.Random(5)
    cells = [(rng.randrange(ROWS), rng.randrange(DEVICES)) for _ in range(40)]
    for row, device in cells:
        dac = rng.randrange(DAC_MAX + 1)
        body = operations((FORM, row, device, 9), (SET, row, device, dac), (READ, row, device, 0))
        before = client.board.pulses(SET, row, device)
        assert client.request(Message.OPERATE, body) == (Status.OK, struct.pack("<H", dac >> 2))
        assert client.board.pulses(SET, row, device) == before + 1
        row_codes = client.request(Message.READ_ROW, struct.pack(READ_ROW_FORMAT, row, 0, DEVICES))
        assert struct.unpack(f"<{DEVICES}H", row_codes[1])[device] == dac >> 2
        client.request(Message.OPERATE, operations((RESET, row, 0, 0)))
        assert client.request(Message.OPERATE, operations((READ, row, device, 0)))[1] == b"\x08\0"
    assert client.board.pulses(RESET, cells[0][0]) >= 1


def test_operation_refusals(client: Client) -> None:
    """The first of two operations is not executed if the second is invalid."""
    good = (SET, 1, 1, 1)
    for bad, status in (
        ((0, 0, 0, 0), Status.UNKNOWN_NAME),
        ((5, 0, 0, 0), Status.UNKNOWN_NAME),
        ((SET, ROWS, 0, 0), Status.OUT_OF_RANGE),
        ((SET, 0, DEVICES, 0), Status.OUT_OF_RANGE),
        ((SET, 0, 0, DAC_MAX + 1), Status.OUT_OF_RANGE),
    ):
        assert client.request(Message.OPERATE, operations(good, bad)) == (status, b"")
    for body in (b"", operations(good)[:-1], operations(good) + b"\0"):
        assert client.request(Message.OPERATE, body)[0] == Status.MALFORMED
    assert client.board.pulses(SET, 1, 1) == 0
    for row, first, devices in ((ROWS, 0, 1), (0, 0, 0), (0, DEVICES, 1), (0, 1, DEVICES),
                                (0, 0xFFFF, 0xFFFF), (0, 0, 0xFFFF)):  # fmt: skip
        body = struct.pack(READ_ROW_FORMAT, row, first, devices)
        assert client.request(Message.READ_ROW, body)[0] == Status.OUT_OF_RANGE
    assert client.request(Message.READ_ROW, bytes(5))[0] == Status.MALFORMED


def test_stopped_sequencer(client: Client) -> None:
    client.board.fault()
    for kind, body in ((Message.OPERATE, operations((SET, 1, 1, 1))),
                       (Message.READ_ROW, struct.pack(READ_ROW_FORMAT, 0, 0, 4)),
                       (Message.COMMAND, struct.pack(COMMAND_FORMAT, 1, 0))):  # fmt: skip
        assert client.request(kind, body) == (Status.FAULT, b"")
    assert client.read("status.state.fault", "status.state.fault_cause") == [1, 3]
    assert client.command(Command.RESET_STATE) == Status.OK
    assert client.request(Message.OPERATE, operations((SET, 1, 1, 1)))[0] == Status.OK


def test_array_that_never_answers(client: Client) -> None:
    """The wait ends, all enables are off, and the link continues."""
    body = operations((SET, 1, 1, 40), (READ, 1, 1, 0), (READ, 1, 1, 0), (SET, 2, 2, 2))
    client.board.hang(3)
    assert client.request(Message.OPERATE, body) == (Status.FAULT, b"")
    assert (client.board.pulses(SET, 1, 1), client.board.pulses(SET, 2, 2)) == (1, 0)
    client.board.hang(0)
    client.command(Command.RESET_STATE)
    client.board.hang()
    assert client.request(Message.OPERATE, operations((SET, 1, 1, 1), (SET, 2, 2, 2))) == (
        Status.FAULT, b"")  # fmt: skip
    assert client.board.pulses(SET, 2, 2) == 0
    assert client.read("status.state.fault") == [1]
    client.board.hang(0)
    client.command(Command.RESET_STATE)
    assert client.request(Message.OPERATE, operations((SET, 2, 2, 2)))[0] == Status.OK


# -- commands ------------------------------------------------------------------------------------
def test_training(client: Client) -> None:
    """After START, RUN, FLUSH and PREDICT every record arrives whole, before FINISHED."""
    started(client, model__options__record_steps=1, model__points=9, model__regions=2,
            model__rows_per_region=128)  # fmt: skip
    run = stream(client, Command.RUN, 500)
    kinds = [kind for kind, _ in run.records()]
    samples = [words for kind, words in run.records() if kind == RECORD_SAMPLE]
    accepted = sum(len(w) == 3 for k, w in run.records() if k == RECORD_STEP)
    assert kinds.count(RECORD_STEP) == 500 and len(samples) == accepted > 50
    assert all(len(words) == 1 + SAMPLE_HEADER_WORDS + 5 for words in samples)
    reason, alarm, fault, cause, steps, clocks = run.finished
    assert (reason, alarm, fault, cause, steps) == (REASON_DONE, 0, 0, 0, 500)
    assert 0 < clocks <= client.board.clocks
    flush = stream(client, Command.FLUSH)
    assert [words[1] for _, words in flush.records()] == [1 << SAMPLE_CURRENT_BIT,
                                                          1 | 1 << SAMPLE_CURRENT_BIT]  # fmt: skip
    assert flush.first == run.first + len(run.words)
    predict = stream(client, Command.PREDICT)
    assert [kind for kind, _ in predict.records()] == [RECORD_PREDICTION] * 9


def test_flow_control_of_records(client: Client) -> None:
    """A host that acknowledges nothing stops the chain. No record is lost."""
    started(client, model__options__record_steps=1)
    run = struct.pack(COMMAND_FORMAT, Command.RUN, 5000)
    acknowledged = client.got
    first = client.messages(client.data(Message.COMMAND, run))
    unread, client.got = client.got, acknowledged
    client.exchange(clocks=3_000_000)
    steps_done = LAYOUT["status.steps_done"].address
    before = client.board.peek(steps_done)
    client.exchange(clocks=1_000_000)
    assert 0 < before == client.board.peek(steps_done) < 5000
    answer = client.exchange(client.data(Message.ECHO, b"there is room for an answer"))
    messages = [f.message for f in answer if f.kind == Kind.DATA]
    assert (Message.RESPONSE, Status.OK, client.number) in [m[:3] for m in messages]
    client.got = unread
    found = Stream(client, first)
    assert found.finished[4] == 5000
    assert [kind for kind, _ in found.records()].count(RECORD_STEP) == 5000


def test_halt(client: Client) -> None:
    started(client)
    client.command(Command.RUN, 1_000_000)
    assert client.command(Command.HALT) == Status.OK
    found = Stream(client, [])
    assert found.finished[0] == REASON_DONE and found.finished[4] < 1000


def test_busy(client: Client) -> None:
    """During a long command, array, settings and state cannot be changed."""
    started(client)
    client.command(Command.RUN, 1_000_000)
    for kind, body in (
        (Message.WRITE, write((0, 1))),
        (Message.LOAD, window("order", 0, [1])),
        (Message.UNLOAD, unload("state_held", 0, 1)),
        (Message.OPERATE, operations((SET, 1, 1, 1))),
        (Message.READ_ROW, struct.pack(READ_ROW_FORMAT, 0, 0, 4)),
        *((Message.COMMAND, struct.pack(COMMAND_FORMAT, command, 0)) for command in (
            Command.START, Command.RUN, Command.FLUSH, Command.EMULATOR_RESTART,
            Command.RESET_STATE)),
    ):  # fmt: skip
        assert client.request(kind, body) == (Status.BUSY, b""), kind
    assert client.read("status.state.busy") == [1]
    assert client.request(Message.ECHO, b"x")[0] == Status.OK


def test_not_started(client: Client) -> None:
    client.write(model__points=3)
    commands = (Command.RUN, Command.FLUSH, Command.PREDICT, Command.TRIAGE)
    assert {client.command(command) for command in commands} == {Status.NOT_STARTED}
    started(client)
    client.board.alarm()
    assert {client.command(command) for command in commands} == {Status.NOT_STARTED}
    started(client)
    assert client.command(Command.RUN, 3) == Status.OK


def test_alarm_and_fault_in_a_run(client: Client) -> None:
    for happen, reason in ((client.board.alarm, REASON_ALARM), (client.board.fault, REASON_FAULT)):
        started(client)
        client.command(Command.RUN, 1_000_000)
        happen()
        found = Stream(client, [])
        assert found.finished[0] == reason
    assert found.finished[2:4] == (1, 3)


def test_model_must_fit(client: Client) -> None:
    """A model that does not fit into the array is never started."""
    fitting = {"model.points.value": 9, "model.features.value": 5, "model.hidden.value": 0,
               "model.regions.value": 1, "model.region_groups.value": 8,
               "model.rows_per_region.value": ROWS, "model.min_free.value": 2,
               "model.retries.value": 3}  # fmt: skip
    for name, bad in (("points", 1025), ("features", 0), ("features", 29), ("hidden", 8),
                      ("regions", 0), ("regions", 5), ("regions", 2), ("region_groups", 3),
                      ("region_groups", 257), ("rows_per_region", 257), ("min_free", 1),
                      ("retries", 0)):  # fmt: skip
        values = fitting | {f"model.{name}.value": bad}
        client.request(Message.WRITE, write(*((FIELDS.index(k), v) for k, v in values.items())))
        for command in (Command.START, Command.RUN, Command.FLUSH, Command.PREDICT):
            assert client.command(command) == Status.OUT_OF_RANGE, (name, bad)
    client.request(Message.WRITE, write(*((FIELDS.index(k), v) for k, v in fitting.items())))
    assert stream(client, Command.START).words == []
    assert client.command(Command.PREDICT) == Status.OK


def test_model_of_a_started_chain_is_fixed(client: Client) -> None:
    """After START, only the number of points can be changed, until RESET_STATE."""
    fixed = [p for p in FIELDS if p.startswith("model.") and p != "model.points.value"]
    assert len(fixed) >= 14
    started(client)
    for path in fixed:
        before = client.read(path)
        points = (FIELDS.index("model.points.value"), 17)
        item = (FIELDS.index(path), 1 - before[0] & 1)
        assert client.request(Message.WRITE, write(points, item)) == (Status.STARTED, b""), path
        assert client.read(path, "model.points.value") == [*before, 0]
    assert client.write(model__points=9, proposal__rho=200) == Status.OK
    assert client.command(Command.RUN, 3) == Status.OK
    assert Stream(client, []).finished[4] == 3
    assert client.command(Command.RESET_STATE) == Status.OK
    assert client.write(model__features=7, model__options__hastings=0) == Status.OK
    assert client.read("model.features.value", "model.options.hastings") == [7, 0]


@pytest.mark.parametrize("board", [False], indirect=True, ids=["native"])
@pytest.mark.parametrize("command", [Command.START, Command.RUN])
def test_a_new_session_although_the_array_does_not_answer(client: Client, command: Command) -> None:
    """Without the watchdog of the sequencer, a command cannot be ended. In a new session everything
    is switched off, within three seconds of a board with 50 MHz."""
    started(client)
    client.board.freeze()
    assert client.command(command, 1000) == Status.OK
    client.session = 9
    began = client.board.clocks
    client.board.write(client.frame(Kind.OPEN, 0, struct.pack("<I", PATIENCE)))
    while not (answer := frames(client.board.read())):
        client.board.poll()
        assert client.board.clocks - began < 3 * 50_000_000
    assert answer[-1].kind == Kind.OPENED and answer[-1].session == 9
    client.sent = client.got = 0
    assert client.read("status.state.busy", "status.state.fault_cause") == [0, FaultCause.OFF]
    client.board.freeze(False)
    started(client)
    assert client.command(Command.RUN, 3) == Status.OK


def test_prediction_without_points(client: Client) -> None:
    started(client)
    assert client.command(Command.PREDICT) == Status.OUT_OF_RANGE


def test_external(client: Client) -> None:
    """The proposal is streamed as a record. The chain continues with the log-likelihood from the
    host."""
    started(client, model__options__external=1, model__options__record_steps=1)
    assert client.command(Command.EXTERNAL, 1) == Status.NOT_STARTED
    client.command(Command.RUN, 2)
    words: list[int] = []
    for loglik in (5, -5 & 0xFFFFFFFF):
        for _ in range(3):
            for kind, _, _, body in client.acknowledge():
                if kind == Message.RECORDS:
                    words += struct.unpack_from(f"<{(len(body) - 4) // 4}I", body, 4)
        assert words[-9] & 1 << SAMPLE_PROPOSAL_BIT
        assert client.read("status.state.waiting_external") == [1]
        assert client.command(Command.EXTERNAL, loglik) == Status.OK
    assert Stream(client, []).finished[4] == 2


def test_off(client: Client) -> None:
    started(client)
    client.command(Command.RUN, 1_000_000)
    assert client.command(Command.OFF) == Status.OK
    assert Stream(client, []).finished[2:4] == (1, 1)


def test_unknown_commands(client: Client) -> None:
    for number in (0, max(Command) + 1, 0xFFFF):
        body = struct.pack(COMMAND_FORMAT, number, 0)
        assert client.request(Message.COMMAND, body) == (Status.UNKNOWN_NAME, b"")
    assert client.request(Message.COMMAND, bytes(7))[0] == Status.MALFORMED
    assert client.command(Command.CLEAR_FAULT) == Status.OK
    assert client.command(Command.EMULATOR_RESTART) == Status.OK


def test_unknown_messages(client: Client) -> None:
    for kind in (0, Message.POLICY + 1, Message.RESPONSE, Message.RECORDS, 255):
        assert client.request(kind, bytes(8)) == (Status.MALFORMED, b"")
    for length in range(struct.calcsize(MESSAGE_FORMAT)):
        wire = client.frame(Kind.DATA, payload=bytes(length))
        client.sent += 1
        assert client.messages(wire)[0] == (Message.RESPONSE, Status.MALFORMED, 0, b"")
