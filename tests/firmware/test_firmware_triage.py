"""TRIAGE: the processor answers points, and sends the host its doubtful ones only."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from test_firmware import Stream, started, stream, window

from board_ports import NativePort
from link_client import Client
from native_board import NativeBoard
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards import SerialBoard
from ohmcarlo.golden import SamplerSettings, Thresholds, Triage, triage_of
from ohmcarlo.spec import PROB_FRAC, Geometry, Points
from ohmcarlo.spec.link import (
    ANSWERS_FORMAT,
    ANSWERS_RESULT_FORMAT,
    COMMAND_FORMAT,
    DOUBTFUL_FORMAT,
    MAX_BODY,
    PREDICTION_WORDS,
    Command,
    Kind,
    Message,
    Status,
)

ONE = 1 << PROB_FRAC
SAMPLES = 300  # in the array
PLACES = MAX_BODY // struct.calcsize(DOUBTFUL_FORMAT)


def sums_of(points: int, samples: int = SAMPLES) -> np.ndarray:
    """Sums of predictions that could be: means from 0 to 1, variances from 0 to mean (1 - mean)."""
    rng = np.random.default_rng(points)
    mean = rng.beta(0.3, 0.3, points)
    square = mean**2 + rng.beta(0.3, 3.0, points) * mean * (1 - mean)
    return np.rint(np.stack([mean, square], axis=1) * samples * ONE).astype(np.int64)


def prepared(client: Client, sums: np.ndarray, samples: int = SAMPLES) -> None:
    """A started chain of two regions whose rows hold ``samples``, and ``sums`` for its points."""
    started(client, model__points=len(sums), model__regions=2, model__rows_per_region=128)
    client.board.predict_as(sums)
    held = [0] * 256
    held[0], held[7], held[128 + 3] = 5, samples - 27, 11
    held[8] = held[127] = 999  # rows of no group
    assert client.request(Message.LOAD, window("state_held", 0, held[:110]))[0] == Status.OK
    assert client.request(Message.LOAD, window("state_held", 110, held[110:200]))[0] == Status.OK
    regions = [0] * 32
    regions[5], regions[8 + 5] = 4, 7  # multiplicities of the current samples
    assert client.request(Message.LOAD, window("state_regions", 0, regions))[0] == Status.OK


def triaged(client: Client, limits: Thresholds, points: int) -> Triage:
    """A whole triage, by the messages of the link."""
    body = struct.pack(COMMAND_FORMAT, Command.TRIAGE, limits.argument)
    messages = client.messages(client.data(Message.COMMAND, body))
    assert messages[0][:2] == (Message.RESPONSE, Status.OK)
    sent: list[tuple[int, ...]] = []
    finished = False
    for _ in range(500):
        for kind, _, _, content in messages:
            assert not finished and kind != Message.RECORDS
            if kind == Message.DOUBTFUL:
                assert 0 < len(content) <= MAX_BODY
                sent += struct.iter_unpack(DOUBTFUL_FORMAT, content)
            finished = kind == Message.FINISHED
        if finished:
            break
        messages = client.acknowledge()
    assert finished
    words = -(-points // 32)
    status, answer = client.request(Message.ANSWERS, struct.pack(ANSWERS_FORMAT, 0, words))
    assert status == Status.OK
    samples, done, positive, count = struct.unpack_from(ANSWERS_RESULT_FORMAT, answer)
    bits = np.frombuffer(answer[struct.calcsize(ANSWERS_RESULT_FORMAT) :], np.uint8)
    answers = np.unpackbits(bits, bitorder="little").astype(bool)
    assert len(answers) == 32 * words and not answers[points:].any()
    assert (done, positive, count) == (points, answers.sum(), len(sent))
    doubtful = np.zeros(points, bool)
    doubtful[[place for place, *_ in sent]] = True
    assert [place for place, *_ in sent] == np.flatnonzero(doubtful).tolist()
    return Triage(answers[:points], doubtful, samples, np.array([s[1:] for s in sent], np.int64))


def require_equal(found: Triage, wanted: Triage) -> None:
    assert found.samples == wanted.samples
    assert np.array_equal(found.answers, wanted.answers)
    assert np.array_equal(found.doubtful, wanted.doubtful)
    assert np.array_equal(found.sums.reshape(-1, 2), wanted.sums)


@pytest.mark.parametrize(
    ("points", "samples"),
    [(1, 300), (33, 300), (1024, 300), (96, 65_535), (96, 65_536), (96, 900_001)],
)
def test_the_decisions_are_those_of_the_model(client: Client, points: int, samples: int) -> None:
    sums = sums_of(points, samples)
    prepared(client, sums, samples)
    limits = Thresholds.of(margin=0.2, variance=0.02)
    wanted = triage_of(sums, samples, limits)
    assert points == 1 or 0.2 < wanted.doubtful.mean() < 0.8
    require_equal(triaged(client, limits, points), wanted)


def test_doubts_at_their_thresholds(client: Client) -> None:
    """A doubt that equals its threshold wakes the host, one unit less does not."""
    margin, variance = 3000, 2000
    half = SAMPLES * ONE // 2
    spread = SAMPLES * (ONE // 4 + variance)  # mean 1/2, variance as above
    sums = np.array([
        (SAMPLES * margin, 0), (SAMPLES * margin - 1, 0), (SAMPLES * (ONE - margin), 0),
        (SAMPLES * (ONE - margin) + 1, 0),
    ])  # fmt: skip
    prepared(client, sums)
    found = triaged(client, Thresholds(margin=margin), 4)
    assert found.doubtful.tolist() == [True, False, True, False]
    assert found.answers.tolist() == [False, False, True, True]
    prepared(client, np.array([(half, spread), (half, spread - 1), (half - 1, spread)]))
    found = triaged(client, Thresholds(variance=variance), 3)
    assert found.doubtful.tolist() == [True, False, True]
    assert found.answers.tolist() == [True, True, False]


@pytest.mark.parametrize("limits", [Thresholds(), Thresholds(0), Thresholds(variance=0)])
def test_extreme_thresholds(client: Client, limits: Thresholds) -> None:
    sums = sums_of(100)
    sums[:3] = [(0, 0), (SAMPLES * ONE, SAMPLES * ONE), (SAMPLES * ONE // 2, SAMPLES * ONE // 2)]
    prepared(client, sums)
    found = triaged(client, limits, 100)
    assert found.doubtful.all() if 0 in (limits.margin, limits.variance) else not found.sums.size


def test_a_host_that_does_not_acknowledge_stops_the_triage(client: Client) -> None:
    """Doubtful points leave room for two messages; no point is lost. Afterwards, the records of the
    stream continue behind the words of the triage."""
    sums = sums_of(1000)
    prepared(client, sums)
    before = stream(client, Command.FLUSH)
    body = struct.pack(COMMAND_FORMAT, Command.TRIAGE, Thresholds(0).argument)
    acknowledged = client.got
    first = client.messages(client.data(Message.COMMAND, body))
    unread, client.got = client.got, acknowledged
    client.exchange(clocks=3_000_000)
    answer = client.exchange(client.data(Message.ECHO, b"there is room for an answer"))
    assert (Message.RESPONSE, Status.OK) in [f.message[:2] for f in answer if f.kind == Kind.DATA]
    client.got = unread
    points = sum(len(m[3]) for m in first if m[0] == Message.DOUBTFUL)
    finished = False
    for _ in range(500):
        found = client.acknowledge()
        points += sum(len(m[3]) for m in found if m[0] == Message.DOUBTFUL)
        finished = any(m[0] == Message.FINISHED for m in found)
        if finished:
            break
    assert finished and points == 1000 * struct.calcsize(DOUBTFUL_FORMAT)
    after = stream(client, Command.FLUSH)
    gap = (1 + PREDICTION_WORDS) * len(sums)
    assert after.first == before.first + len(before.words) + gap


def test_refusals(client: Client) -> None:
    ask = struct.pack(ANSWERS_FORMAT, 0, 1)
    client.write(model__points=3)
    assert client.command(Command.TRIAGE) == Status.NOT_STARTED
    assert client.request(Message.ANSWERS, ask)[0] == Status.OUT_OF_RANGE  # there are none yet
    prepared(client, sums_of(40))
    for body, status in (
        (b"", Status.MALFORMED), (ask + b"\0", Status.MALFORMED),
        (struct.pack(ANSWERS_FORMAT, 0, 116), Status.MALFORMED),
    ):  # fmt: skip
        assert client.request(Message.ANSWERS, body)[0] == status
    triaged(client, Thresholds(0), 40)
    for first, words, status in (
        (0, 2, Status.OK), (2, 0, Status.OK), (0, 3, Status.OUT_OF_RANGE),
        (2, 1, Status.OUT_OF_RANGE), (0xFFFFFFFF, 2, Status.OUT_OF_RANGE),
    ):  # fmt: skip
        body = struct.pack(ANSWERS_FORMAT, first, words)
        assert client.request(Message.ANSWERS, body)[0] == status, (first, words)
    client.board.slow(1_000_000)
    assert client.command(Command.TRIAGE) == Status.OK
    assert client.request(Message.ANSWERS, struct.pack(ANSWERS_FORMAT, 0, 0))[0] == Status.BUSY
    assert client.command(Command.TRIAGE) == Status.BUSY
    client.board.slow(0)
    client.write(model__points=0)
    Stream(client, client.acknowledge(4_000_000))
    assert client.write(model__points=0) == Status.OK
    assert client.command(Command.TRIAGE) == Status.OUT_OF_RANGE


def test_a_fault_and_a_new_session_end_a_triage(client: Client) -> None:
    prepared(client, sums_of(900))
    client.board.slow(2000)
    assert client.command(Command.TRIAGE, Thresholds().argument) == Status.OK
    client.acknowledge(50_000)
    client.board.fault()
    assert Stream(client, []).finished[2:4] == (1, 3)
    client.board.slow(0)
    prepared(client, sums_of(900))
    assert client.command(Command.TRIAGE) == Status.OK
    client.open()
    assert client.request(Message.ANSWERS, struct.pack(ANSWERS_FORMAT, 0, 0)) == (
        Status.OK, bytes(struct.calcsize(ANSWERS_RESULT_FORMAT)))  # fmt: skip
    prepared(client, sums_of(40))
    require_equal(triaged(client, Thresholds(), 40), triage_of(sums_of(40), SAMPLES, Thresholds()))


@pytest.mark.parametrize("board", [True], indirect=True, ids=["image"])
@pytest.mark.hdl
def test_clocks_of_a_point(board: NativeBoard) -> None:
    """The image on a memory without wait states needs the clocks that firmware/README.md states,
    within a tenth: those of a point, and in addition those of a doubtful one."""
    plain, sent = (
        (clocks_of(board, 600, limits) - clocks_of(board, 100, limits)) / 500
        for limits in (Thresholds(), Thresholds(0))
    )
    assert plain == pytest.approx(1000, rel=0.1)
    assert sent - plain == pytest.approx(1700, rel=0.1)


def clocks_of(board: NativeBoard, points: int, limits: Thresholds) -> int:
    """Clocks of a triage, from its request to FINISHED."""
    board.reset()
    client = Client(board)
    client.open()
    prepared(client, sums_of(points))
    began = board.clocks
    body = struct.pack(COMMAND_FORMAT, Command.TRIAGE, limits.argument)
    messages = client.messages(client.data(Message.COMMAND, body), 1000)
    while not any(kind == Message.FINISHED for kind, *_ in messages):
        messages = client.messages(client.frame(Kind.ACK) if messages else b"", 1000)
    return board.clocks - began


def test_the_host_takes_a_batch_in_parts(board: NativeBoard) -> None:
    """2,500 points on a board with room for 1,024, then further work of the chain."""
    port = NativePort(board)
    serial = SerialBoard(port, EmulatedArray(Geometry(), 3), "serial:port", port.clock, check=False)
    registers = SamplerSettings().registers(Geometry(regions=2), 9, lambda g: 0.05 * g)
    rng = np.random.default_rng(1)
    points = Points.of(rng.integers(-128, 128, (2500, 9)).astype(np.int8))
    serial.configure(registers, Points.of(points.inputs[:40]))
    serial.start()
    serial.remote.load("state_held", np.full(256, 3, np.uint32))
    sums = sums_of(1024, 3 * 256)
    board.predict_as(sums)
    limits = Thresholds.of(margin=0.2, variance=0.02)
    serial.current()  # words of the stream, so that a gap would be noticed
    found = serial.triage(points, limits)
    whole = np.concatenate([sums, sums, sums[:452]])
    require_equal(found, triage_of(whole, found.samples, limits))
    assert found.samples == serial._held().sum() >= 3 * 256
    assert serial.remote.read_one("model.points.value") == 40
    serial.current()
