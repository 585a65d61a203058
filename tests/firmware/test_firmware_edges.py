"""Promises of the firmware at their edges: order, patience, rings, clock, faults, ends of records.

``test_mutants.py`` plants a bug for each of them and requires that its test fails.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import pytest
from cobs import cobs

from link_client import CLOCKS, PATIENCE, SESSION, Client, Frame, frame, frames
from native_board import SET, NativeBoard
from ohmcarlo.golden import EpisodeLikelihood
from ohmcarlo.spec.link import (
    COMMAND_FORMAT,
    FIELDS,
    FINISHED_FORMAT,
    HEADER_BYTES,
    MAX_BODY,
    MAX_WIRE,
    OPERATION_FORMAT,
    POLICY_FORMAT,
    READ_ROW_FORMAT,
    RECORDS_FORMAT,
    SAMPLE_HEADER_WORDS,
    WINDOW,
    WRITE_FORMAT,
    Command,
    FaultCause,
    Kind,
    Message,
    Status,
)
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.regs.map import board_map, register_map

pytestmark = pytest.mark.parametrize("board", [False], indirect=True, ids=["native"])

STEP_CLOCKS = 160  # of the native board
SHORT = 20_000  # clocks that a small frame and its answer need
LAYOUT = register_map(CoreConfig(), emulator=True)
RING = board_map().window("tx").words
WATCHDOG = board_map()["id.watchdog_clocks"].fields[0].reset
SET_ONE = struct.pack(OPERATION_FORMAT, SET, 0, 3, 4, 100)
REJECTED = 1 << 31  # the least log-likelihood


def sequences(found: list[Frame]) -> list[int]:
    return [item.sequence for item in found if item.kind == Kind.DATA]


def nacks(found: list[Frame]) -> list[int]:
    return [item.acknowledgement for item in found if item.kind == Kind.NACK]


def prepare(client: Client, **fields: int) -> None:
    """Start a chain, and acknowledge everything."""
    assert client.command(Command.RESET_STATE) == Status.OK
    assert client.write(**{"model__features": 5, "model__region_groups": 8} | fields) == Status.OK
    assert client.command(Command.START) == Status.OK
    client.acknowledge()


def echo(client: Client, wire_bytes: int) -> bytes:
    """A request whose answer has that many bytes on the wire."""
    content = wire_bytes - 3 - int(wire_bytes > 254 + 3)
    return client.data(Message.ECHO, b"x" * (content - HEADER_BYTES - 4 - 4))


# -- frames ----------------------------------------------------------------------------------------


def test_a_frame_begins_with_a_zero(client: Client) -> None:
    """Noise that the host has received before is thus not part of it."""
    client.board.write(client.frame(Kind.POLL) + client.data(Message.ECHO, b"x"))
    client.board.poll(CLOCKS)
    noise = b"noise" + client.board.read()
    assert len([part for part in noise.split(b"\0") if part]) == 3
    assert noise.count(b"\0") == 4


def test_a_frame_without_its_last_byte(client: Client) -> None:
    """A header that lacks a byte is damaged, although its checksum is right."""
    client.data(Message.ECHO)
    for kind in (Kind.DATA, Kind.POLL, Kind.NACK):
        header = struct.pack("<BBHHB", 1, kind, SESSION, 0, 0)
        wire = cobs.encode(header + struct.pack("<I", zlib.crc32(header)))
        answer = client.exchange(b"\0" + wire + b"\0")
        assert [f.kind for f in answer] in ([Kind.NACK], []), kind
        other = struct.pack("<BBHHB", 1, kind, SESSION + 1, 0, 0)
        wire = cobs.encode(other + struct.pack("<I", zlib.crc32(other)))
        assert client.exchange(b"\0" + wire + b"\0") == []


def test_frames_at_the_end_of_the_ring(client: Client) -> None:
    """Frames lie at every place relative to the end of the receive ring."""
    for n in range(3 * RING // MAX_WIRE):
        body = bytes(1 + (n + i) % 255 for i in range(MAX_BODY - n % 50))
        assert client.request(Message.ECHO, body) == (Status.OK, body)


def test_a_frame_is_sent_if_it_fits_into_the_ring(client: Client) -> None:
    """Nobody reads the line. The longest frame is sent if the ring has exactly the room for it, and
    waits if a byte is missing."""
    for missing in (0, 1):
        client.exchange()
        fill(client, RING - MAX_WIRE + missing)
        client.board.write(echo(client, MAX_WIRE))
        client.board.poll(CLOCKS)
        first = client.board.read(RING)
        assert len(first) == (RING - MAX_WIRE + 1 if missing else RING)
        rest = client.exchange()
        assert len(sequences(rest)) == missing
        client.got = client.sent
        client.acknowledge()


def fill(client: Client, count: int) -> None:
    """Let the board write ``count`` bytes that nobody reads: the longest answers, then two others.

    Each request acknowledges the answers before it, so that the window is never full.
    """
    sizes = [MAX_WIRE] * (count // MAX_WIRE - 1)
    rest = count - sum(sizes)
    sizes += [rest - 300, 300]
    for size in sizes:
        client.board.write(echo(client, size))
        client.board.poll(CLOCKS)
        client.got = client.sent  # acknowledged by the next request


# -- order -----------------------------------------------------------------------------------------


def test_goes_back_for_each_missing_message(client: Client) -> None:
    """NACK, ACK, NACK: the second NACK names another message, so the board goes back again. A
    repeated NACK of the same message has no effect."""
    client.exchange(b"".join(client.data(Message.ECHO, bytes([n])) for n in range(6)))
    assert sequences(client.exchange(client.frame(Kind.NACK))) == [0, 1, 2, 3, 4, 5]
    assert sequences(client.exchange(2 * client.frame(Kind.NACK))) == []
    client.got = 2
    assert sequences(client.exchange(client.frame(Kind.ACK))) == []
    assert sequences(client.exchange(client.frame(Kind.NACK))) == [2, 3, 4, 5]
    client.got = 5
    assert sequences(client.exchange(client.frame(Kind.NACK))) == [5]


def test_an_acknowledgement_behind_the_cursor(client: Client) -> None:
    """The board was told to go back, and has no room to send. Messages that are acknowledged
    meanwhile are not sent again."""
    for _ in range(WINDOW):
        client.board.write(echo(client, MAX_WIRE))
    client.board.poll(CLOCKS)
    client.board.write(client.frame(Kind.NACK))
    client.board.poll(SHORT)
    client.got = 3
    client.board.write(client.frame(Kind.ACK))
    client.board.poll(SHORT)
    assert sequences(frames(client.board.read())) == list(range(WINDOW))
    assert sequences(client.exchange()) == list(range(3, WINDOW))


def test_an_old_acknowledgement(client: Client) -> None:
    """A frame with an acknowledgement that is older than the last one is accepted."""
    for _ in range(3):
        client.messages(client.data(Message.ECHO))
    client.exchange(client.frame(Kind.ACK))
    client.got = 1
    late = client.data(Message.OPERATE, SET_ONE)
    assert sequences(client.exchange(late)) == [3]
    assert client.board.pulses(SET, 3, 4) == 1


def test_one_nack_for_a_gap(client: Client) -> None:
    """Later messages and damaged frames cause one NACK, until the missing message has arrived. The
    next gap causes another one."""
    for first in (0, 4):
        wires = [client.data(Message.ECHO) for _ in range(4)]
        asked: list[int] = []
        for wire in (wires[1], wires[2], b"\0damaged\0", wires[3]):
            asked += nacks(client.exchange(wire))
        assert asked == [first]
        assert len(client.messages(b"".join(wires))) == 4


# -- patience --------------------------------------------------------------------------------------


def test_patience_counts_from_the_last_acknowledgement(client: Client) -> None:
    for n in range(3):
        client.board.write(client.data(Message.ECHO, bytes([n])))
    assert sequences(client.exchange(clocks=SHORT)) == [0, 1, 2]
    assert sequences(client.exchange(clocks=PATIENCE * 8 // 10)) == []
    client.got = 1
    assert sequences(client.exchange(client.frame(Kind.ACK), SHORT)) == []
    assert sequences(client.exchange(clocks=PATIENCE * 8 // 10)) == []
    assert sequences(client.exchange(clocks=PATIENCE * 3 // 10)) == [1, 2]


def test_patience_does_not_count_while_bytes_wait(client: Client) -> None:
    """Nobody reads the line: the message is still there, and it is not sent again."""
    client.board.write(client.data(Message.ECHO, b"x"))
    client.board.poll(3 * PATIENCE)
    assert sequences(frames(client.board.read())) == [0]
    assert sequences(client.exchange(clocks=PATIENCE + SHORT)) == [0]


# -- room ------------------------------------------------------------------------------------------


def test_records_leave_room_for_two_messages(client: Client) -> None:
    """A host that acknowledges nothing receives all records but two of a window. Two requests are
    answered; a third one waits."""
    prepare(client, model__options__record_steps=1)
    client.exchange(client.frame(Kind.ACK))
    run = client.data(Message.COMMAND, struct.pack(COMMAND_FORMAT, Command.RUN, 100_000))
    found = client.exchange(run, 10 * CLOCKS)
    types = [f.message[0] for f in found if f.kind == Kind.DATA]
    assert types == [Message.RESPONSE] + [Message.RECORDS] * (WINDOW - 3)
    for answered in (1, 1, 0):
        assert len(sequences(client.exchange(client.data(Message.ECHO)))) == answered


# -- ends ------------------------------------------------------------------------------------------


def test_records_arrive_before_the_end_of_their_command(client: Client) -> None:
    """The last words reach the ring up to 96 clocks after the controller is idle. Everything before
    them is acknowledged, so that nothing else delays FINISHED."""
    prepare(client, model__options__record_steps=1)
    client.board.slow(SHORT)
    run = struct.pack(COMMAND_FORMAT, Command.RUN, 2)
    for late in range(0, 97, 4):
        client.board.delay_records(SHORT + STEP_CLOCKS + late)
        found = client.messages(client.data(Message.COMMAND, run), SHORT // 4)
        while found[-1][0] != Message.FINISHED:
            found += client.acknowledge(SHORT // 4)
        words = [len(message[3]) for message in found if message[0] == Message.RECORDS]
        assert len(words) >= 2, late
        assert client.acknowledge() == [] == client.acknowledge(), late


def test_a_proposal_is_judged_when_its_record_is_complete(client: Client) -> None:
    """The board computes the log-likelihood of each proposal from its record.

    The record reaches the ring 80 clocks after the controller waits. Expected values come from the
    golden model.
    """
    client.board.delay_records(80)
    client.board.slow(SHORT)
    prepare(client, model__options__external=1)
    judge = EpisodeLikelihood(seed=5, first=0, scale=1 << 16, episodes=10)
    policy = struct.pack(POLICY_FORMAT, judge.seed, judge.first, judge.scale, judge.episodes)
    assert client.request(Message.POLICY, policy)[0] == Status.OK
    run = client.data(Message.COMMAND, struct.pack(COMMAND_FORMAT, Command.RUN, 8))
    found, given = client.messages(run, SHORT // 8), {}
    while Message.FINISHED not in [message[0] for message in found]:
        found += client.acknowledge(SHORT // 8)
        done = client.board.peek(LAYOUT["status.steps_done"].address)
        given.setdefault(done, client.board.peek(LAYOUT["control.external_loglik"].address))
    expected = [judge(codes) for codes in proposals(found)]
    assert len(expected) == 8 and len(set(expected)) > 4
    assert [given[done] for done in range(1, 9)] == expected


def proposals(found: list[tuple[int, int, int, bytes]]) -> list[list[int]]:
    """Codes of the proposals in the RECORDS of a model with 5 features."""
    data = b"".join(
        m[3][struct.calcsize(RECORDS_FORMAT) :] for m in found if m[0] == Message.RECORDS
    )
    words = struct.unpack(f"<{len(data) // 4}I", data)
    size = 1 + SAMPLE_HEADER_WORDS + 5
    pairs = [words[i + size - 5 : i + size] for i in range(0, len(words), size)]
    return [[code for pair in record for code in (pair & 0x3FF, pair >> 16)] for record in pairs]


def clocks_of_identification(client: Client) -> int:
    return client.open()["clocks"]


def clocks_of_finished(client: Client) -> int:
    client.open()
    prepare(client)
    run = client.data(Message.COMMAND, struct.pack(COMMAND_FORMAT, Command.RUN, 3))
    found = client.messages(run)
    while found[-1][0] != Message.FINISHED:
        found += client.acknowledge()
    return struct.unpack(FINISHED_FORMAT, found[-1][3])[-1]


@pytest.mark.parametrize("clocks_of", [clocks_of_identification, clocks_of_finished])
def test_clock_at_32_bits(board: NativeBoard, clocks_of: Callable[[Client], int]) -> None:
    """The lower half of the clock overflows exactly when it is read."""
    board.reset()
    clocks = clocks_of(Client(board))
    assert 0 < clocks <= board.clocks
    board.reset()
    board.advance((1 << 32) - clocks)
    assert clocks_of(Client(board)) == 1 << 32


def test_a_proposal_is_turned_down_when_the_session_ends(client: Client) -> None:
    prepare(client, model__options__external=1)
    assert client.command(Command.RUN, 2) == Status.OK
    client.acknowledge()
    assert client.read("status.state.waiting_external") == [1]
    client.session += 1
    client.open()
    assert client.read("status.state.busy", "status.state.fault") == [0, 0]
    assert client.board.peek(LAYOUT["control.external_loglik"].address) == REJECTED


def test_an_array_that_never_answers_does_not_prevent_a_session(client: Client) -> None:
    prepare(client)
    client.board.freeze()
    client.command(Command.RUN, 1000)
    opening = frame(Kind.OPEN, client.session + 1, payload=struct.pack("<I", PATIENCE))
    client.board.write(opening)
    client.board.poll(3 * 50_000_000)
    assert [f.kind for f in frames(client.board.read())][-1:] == [Kind.OPENED]


# -- faults ----------------------------------------------------------------------------------------


def test_a_fault_in_mid_operation(client: Client) -> None:
    """The sequencer stops in the course of an operation: the answer is FAULT, and no later
    operation is executed."""
    operations = b"".join(struct.pack(OPERATION_FORMAT, SET, 0, row, 4, 100) for row in (1, 2, 3))
    rows = struct.pack(READ_ROW_FORMAT, 0, 0, 8)
    for request, body in ((Message.OPERATE, operations), (Message.READ_ROW, rows)):
        for last in (1, 2, 3):
            client.board.break_at(last)
            assert client.request(request, body) == (Status.FAULT, b""), last
            cause = client.read("status.state.fault_cause")
            assert cause == [FaultCause.SPURIOUS_RESPONSE]
            assert client.command(Command.RESET_STATE) == Status.OK
    assert [client.board.pulses(SET, row, 4) for row in (1, 2, 3)] == [3, 2, 1]


# -- sizes -----------------------------------------------------------------------------------------
LARGEST = {"points": 1024, "features": 28, "hidden": 0, "regions": 1, "region_groups": 256,
           "rows_per_region": 256, "min_free": 2, "retries": 1}  # fmt: skip
"""For the reference array: 256 rows, 28 pairs beside those of the coin."""


def test_largest_models(client: Client) -> None:
    for values in (
        LARGEST,
        LARGEST | {"regions": 4, "rows_per_region": 64, "region_groups": 64},
        LARGEST | {"hidden": 7, "region_groups": 32},
        LARGEST | {"hidden": 7, "region_groups": 4, "rows_per_region": 32},
        LARGEST | {"region_groups": 4, "rows_per_region": 4},
    ):
        assert client.command(Command.RESET_STATE) == Status.OK
        items = [(FIELDS.index(f"model.{name}.value"), value) for name, value in values.items()]
        body = b"".join(struct.pack(WRITE_FORMAT, *item) for item in items)
        assert client.request(Message.WRITE, body)[0] == Status.OK
        assert client.command(Command.START) == Status.OK, values
        client.acknowledge()


def test_model_of_a_started_chain(client: Client) -> None:
    prepare(client)
    assert client.write(model__retries=2) == Status.STARTED
    assert client.write(model__points=2) == Status.OK


# -- the watchdog ----------------------------------------------------------------------------------


def test_the_watchdog_is_kicked(client: Client) -> None:
    """By every poll, and by every operation of a long request. The model of the board reports a
    watchdog that is not kicked in time."""
    for _ in range(3):
        client.board.advance(WATCHDOG // 2, watched=True)
        assert client.exchange(client.frame(Kind.POLL))
    client.board.slow(1 << 24)  # longest time of the sequencer's watchdog
    assert client.request(Message.OPERATE, 6 * SET_ONE)[0] == Status.OK
    assert client.board.unsafe == 0, client.board.unsafe_reason
