"""The firmware's link: sessions, order, acknowledgement, repetition, flow control, idleness."""

from __future__ import annotations

import random
import struct

import pytest

from link_client import CLOCKS, PATIENCE, SESSION, Client, Frame, frame, frames
from native_board import SET, NativeBoard
from ohmcarlo.spec.link import (
    COMMAND_FORMAT,
    MAX_BODY,
    MAX_FRAME,
    MIN_PATIENCE,
    OPERATION_FORMAT,
    PROTOCOL_VERSION,
    WINDOW,
    Command,
    Kind,
    Message,
    Status,
)

SHORT = 20_000  # clocks that a small frame and its answer need
SET_ONE = struct.pack(OPERATION_FORMAT, SET, 0, 3, 4, 100)
"""One programming pulse, which must never be executed twice."""


def kinds(found: list[Frame]) -> list[int]:
    return [item.kind for item in found]


# -- frames --------------------------------------------------------------------------------------
def test_any_length_and_content(client: Client) -> None:
    """Bodies of every length are returned, with zeros and long runs."""
    rng = random.Random(1)
    for length in range(MAX_BODY + 1):
        pick = rng.choice([b"\0", b"\1", b"\0\xff", bytes(range(256))])
        body = bytes(rng.choice(pick) for _ in range(length))
        assert client.request(Message.ECHO, body) == (Status.OK, body), length


def test_longest_runs(client: Client) -> None:
    """Runs around 254 bytes, the longest run of one code byte, with different successors."""
    for length in range(235, 265):
        for end in (b"", b"\0", b"\0\0", b"\0x"):
            body = bytes(1 + n % 255 for n in range(length)) + end
            assert client.request(Message.ECHO, body) == (Status.OK, body), length


def test_damaged_frames_are_not_executed(client: Client) -> None:
    """One byte is changed, lost or doubled. The pulse is not executed, and the next good frame
    is."""
    good = client.data(Message.OPERATE, SET_ONE)
    for place in range(1, len(good) - 1):  # without the zeros on either side
        for damaged in (
            good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :],
            good[:place] + good[place + 1 :],
            good[: place + 1] + good[place:],
        ):
            client.exchange(damaged)
    assert client.board.pulses(SET, 3, 4) == 0
    assert client.messages(good)[0][:2] == (Message.RESPONSE, Status.OK)
    assert client.board.pulses(SET, 3, 4) == 1


def test_too_long_a_frame(client: Client) -> None:
    """A frame that is too long is discarded. The next frame is read."""
    too_long = frame(Kind.DATA, payload=bytes(range(1, 255)) * 2)
    assert len(too_long) > MAX_FRAME
    endless = b"\xff" * 3000 + b"\0"
    assert client.exchange(too_long + endless)[0].kind == Kind.NACK
    assert client.request(Message.ECHO, b"x") == (Status.OK, b"x")


def test_bytes_in_any_portions(client: Client) -> None:
    """Frames are cut at any byte, with zeros between them."""
    rng = random.Random(2)
    wire = b"".join(b"\0" * rng.randrange(3) + client.data(Message.ECHO, b"abc") for _ in range(8))
    answers = []
    while wire:
        cut = rng.randrange(1, 9)
        answers += client.messages(wire[:cut])
        wire = wire[cut:]
    assert [m[2] for m in answers] == list(range(1, 9))


# -- sessions ------------------------------------------------------------------------------------
def test_silent_before_a_session(board: NativeBoard) -> None:
    board.poll()
    assert board.read() == b"" and board.idle


def test_unknown_session(board: NativeBoard) -> None:
    """A frame before any OPEN, or of another session, is rejected."""
    client = Client(board)
    message = frame(Kind.DATA, 77, payload=struct.pack("<BBH", Message.OPERATE, 0, 1) + SET_ONE)
    for _ in range(2):
        answer = client.exchange(message)
        assert kinds(answer) == [Kind.UNKNOWN] and answer[0].session == 77
        client.open()
    assert board.pulses(SET, 3, 4) == 0


def test_open_again_when_the_answer_was_lost(client: Client) -> None:
    first = client.open()
    assert first["firmware_map_hash"] == first["map_hash"] == first["id_map_hash"]
    assert client.request(Message.ECHO, b"1") == (Status.OK, b"1")


def test_open_begins_anew(client: Client) -> None:
    """After an OPEN, with the same number or another, sequence numbers begin at 0 and
    unacknowledged messages are dropped."""
    for session in (SESSION, 9, SESSION):
        client.exchange(client.data(Message.ECHO, b"never acknowledged"))
        client.session = session
        client.open()
        assert not [f for f in client.exchange(clocks=5 * PATIENCE) if f.kind == Kind.DATA]


def test_old_frames_are_never_executed(client: Client) -> None:
    old = client.data(Message.OPERATE, SET_ONE)
    client.session = 9
    client.open()
    assert kinds(client.exchange(old)) == [Kind.UNKNOWN]
    assert client.board.pulses(SET, 3, 4) == 0


def test_another_version(client: Client) -> None:
    """A host of another protocol version receives the version of the board. Nothing changes."""
    for kind in (Kind.OPEN, Kind.DATA, 99):
        answer = client.exchange(frame(kind, 5, payload=bytes(4), version=PROTOCOL_VERSION + 1))
        assert kinds(answer) == [Kind.UNKNOWN]
        assert answer[0].version == PROTOCOL_VERSION and answer[0].session == 5
    assert client.request(Message.ECHO) == (Status.OK, b"")


def test_open_while_a_chain_runs(client: Client) -> None:
    """OPEN ends the chain and drops its records. The controller is idle before the answer."""
    assert client.command(Command.START) == Status.OK
    client.acknowledge()
    assert client.command(Command.RUN, 1_000_000) == Status.OK
    client.session = 9
    client.board.write(client.frame(Kind.OPEN, 0, struct.pack("<I", PATIENCE)))
    client.board.poll(100_000)
    answer = frames(client.board.read())
    assert answer[-1].kind == Kind.OPENED and answer[-1].session == 9
    client.sent = client.got = 0
    assert client.read("status.state.busy") == [0]
    assert not [m for m in client.acknowledge() if m[0] != Message.RESPONSE]
    assert client.command(Command.RUN, 3) == Status.OK


def test_processor_restart(client: Client) -> None:
    """A restart ends the session. The next OPEN ends the chain."""
    client.command(Command.START)
    client.acknowledge()
    client.command(Command.RUN, 1_000_000)
    client.board.restart()
    assert kinds(client.exchange(client.frame(Kind.POLL)))[-1] == Kind.UNKNOWN
    client.open()
    assert client.read("status.state.busy") == [0]


# -- order ---------------------------------------------------------------------------------------
def test_duplicates_are_acknowledged_and_not_executed(client: Client) -> None:
    wire = client.data(Message.OPERATE, SET_ONE)
    client.messages(wire)
    for _ in range(3):
        answer = client.exchange(wire)
        assert kinds(answer) == [Kind.ACK] and answer[0].acknowledgement == 1
    assert client.board.pulses(SET, 3, 4) == 1


def test_a_gap_is_asked_for_once(client: Client) -> None:
    first, *later = [client.data(Message.OPERATE, SET_ONE) for _ in range(4)]
    answer = client.exchange(b"".join(later))
    assert kinds(answer) == [Kind.NACK] and answer[0].acknowledgement == 0
    assert client.board.pulses(SET, 3, 4) == 0
    assert len(client.messages(first + b"".join(later))) == 4
    assert client.board.pulses(SET, 3, 4) == 4


@pytest.mark.parametrize("board", [False], indirect=True, ids=["native"])
def test_sequence_numbers_wrap(client: Client) -> None:
    """Sequence numbers pass 65535 in both directions, with duplicates and gaps at that point."""
    rounds = 65536 + 40
    wire, answers = [], 0
    for n in range(rounds):
        wire.append(client.data(Message.ECHO))
        if len(wire) == WINDOW - 1 or n == rounds - 1:
            if n > 65500:
                client.exchange(wire[-1], SHORT)  # out of order
            answers += len(client.messages(b"".join(wire), SHORT))
            client.exchange(wire[0], SHORT)  # duplicate
            wire.clear()
    assert answers == rounds


def test_nonsense_acknowledgements(client: Client) -> None:
    """A frame that acknowledges messages that were never sent is ignored."""
    wire = client.data(Message.OPERATE, SET_ONE)
    client.got = 5
    bad = client.frame(Kind.DATA, 0, struct.pack("<BBH", Message.OPERATE, 0, 1) + SET_ONE)
    client.got = 0
    assert client.exchange(bad) == [] and client.board.pulses(SET, 3, 4) == 0
    assert len(client.messages(wire)) == 1


def test_an_acknowledgement_of_a_message_that_is_not_sent_yet(client: Client) -> None:
    """An answer waits, because nobody reads the line. A frame that acknowledges it is discarded."""
    for _ in range(WINDOW):
        client.board.write(client.data(Message.ECHO, bytes(range(1, 255))))
        client.board.poll(SHORT)
    for _ in range(WINDOW):
        client.got += 1
        client.board.write(client.data(Message.ECHO, bytes(range(1, 255))))
        client.board.poll(SHORT)
    client.got = 2 * WINDOW
    forged = client.data(Message.OPERATE, SET_ONE)
    client.board.write(forged)
    client.board.poll(SHORT)
    assert client.board.pulses(SET, 3, 4) == 0
    client.sent -= 1
    arrived = []
    while len(arrived) < 2 * WINDOW:
        arrived += [f.sequence for f in client.exchange(clocks=SHORT) if f.kind == Kind.DATA]
    assert arrived == list(range(2 * WINDOW))
    assert len(client.messages(client.data(Message.OPERATE, SET_ONE))) == 1
    assert client.board.pulses(SET, 3, 4) == 1


# -- retransmission ------------------------------------------------------------------------------
def test_sends_again_by_the_clock(client: Client) -> None:
    """A message is sent again after the time given in OPEN, not earlier, until it is
    acknowledged."""
    message = [f.message for f in client.exchange(client.data(Message.ECHO, b"x"), SHORT)]
    assert client.exchange(clocks=PATIENCE - 2 * SHORT) == []
    for _ in range(3):
        again = client.exchange(clocks=PATIENCE + SHORT)
        assert [f.message for f in again] == message
    client.got = 1
    assert client.acknowledge() == [] and client.exchange(clocks=10 * PATIENCE) == []


def test_patience_is_clipped(board: NativeBoard) -> None:
    client = Client(board)
    client.open(patience=0)
    client.exchange(client.data(Message.ECHO), 100)
    assert len(client.exchange(clocks=20 * MIN_PATIENCE)) <= 20


def test_goes_back_on_request(client: Client) -> None:
    """After a NACK the board sends again from the expected message: once, whatever the number of
    NACKs."""
    client.exchange(b"".join(client.data(Message.ECHO, bytes([n])) for n in range(5)))
    client.got = 2
    again = client.exchange(3 * client.frame(Kind.NACK))
    assert [f.sequence for f in again if f.kind == Kind.DATA] == [2, 3, 4]
    assert client.exchange(client.frame(Kind.NACK)) == []


def test_poll_is_answered_at_once(client: Client) -> None:
    answer = client.exchange(client.frame(Kind.POLL), SHORT)
    assert kinds(answer) == [Kind.ACK] and answer[0].acknowledgement == 0


def test_lossy_wire(board: NativeBoard) -> None:
    """A fifth of all frames is lost or damaged in both directions. Each pulse is executed once, and
    each answer arrives once, in order."""
    rng = random.Random(3)
    client, total = Client(board), 120
    client.open(patience=300_000)
    queue = [client.data(Message.OPERATE, SET_ONE) for _ in range(total)]
    done, answers = 0, []
    for _ in range(3000):
        window = [w for w in queue[done : done + WINDOW] if rng.random() > 0.2]
        noisy = b"".join(w if rng.random() > 0.1 else w[:-3] + b"\1\0" for w in window)
        client.board.write(noisy + client.frame(Kind.ACK, done))
        client.board.poll(100_000)
        for item in frames(client.board.read()):
            if rng.random() < 0.2:
                continue
            done = max(done, item.acknowledgement)
            if item.kind == Kind.DATA and item.sequence == client.got:
                answers.append(item.message[2])
                client.got += 1
        if len(answers) == total:
            break
    assert answers == list(range(1, total + 1))
    assert board.pulses(SET, 3, 4) == total


# -- flow control --------------------------------------------------------------------------------
def test_no_request_is_taken_without_room_for_its_answer(client: Client) -> None:
    """Unacknowledged answers fill the window. The next request waits until it is sent again."""
    requests = [client.data(Message.OPERATE, SET_ONE) for _ in range(WINDOW + 3)]
    answer = client.exchange(b"".join(requests[:WINDOW]))
    assert len([f for f in answer if f.kind == Kind.DATA]) == WINDOW
    late = b"".join(requests[WINDOW:])
    client.exchange(late)
    assert client.board.pulses(SET, 3, 4) == WINDOW
    client.got = WINDOW
    again = client.exchange(client.frame(Kind.ACK))
    assert again[0].kind == Kind.NACK and again[0].acknowledgement == WINDOW
    assert len(client.messages(late)) == 3
    assert client.board.pulses(SET, 3, 4) == WINDOW + 3


def test_never_more_than_a_window_under_way(client: Client) -> None:
    client.command(Command.START)
    client.acknowledge()
    run = client.data(Message.COMMAND, struct.pack(COMMAND_FORMAT, Command.RUN, 100_000))
    seen = {f.sequence for f in client.exchange(run, 20 * CLOCKS) if f.kind == Kind.DATA}
    assert min(seen) == client.got and max(seen) < client.got + WINDOW


# -- idleness ------------------------------------------------------------------------------------
def test_idle_only_when_nothing_is_to_do(client: Client) -> None:
    board = client.board
    board.poll()
    assert board.idle
    wire = client.data(Message.ECHO)
    board.write(wire)
    board.poll(SHORT)
    assert not board.idle  # its answer is waiting to be sent and acknowledged
    client.got += len([f for f in frames(board.read()) if f.kind == Kind.DATA])
    board.poll(SHORT)
    assert not board.idle
    client.acknowledge()
    client.acknowledge()
    assert board.idle
    client.command(Command.START)
    client.acknowledge()
    client.command(Command.RUN, 10_000)
    client.acknowledge(SHORT)
    assert not board.idle
