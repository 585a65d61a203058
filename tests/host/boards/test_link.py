"""The link over a faulty line: no message is lost, and no command is executed twice."""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st
from systemrdl.node import RegNode

from board_ports import NativePort
from faults import BURSTS, FAULTS, FaultyPort, NoisyPort
from native_board import NativeBoard, opened
from ohmcarlo import boards
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards.base import BoardLost
from ohmcarlo.boards.link import ports, transport
from ohmcarlo.boards.link.frames import Decoder, Frame, decode
from ohmcarlo.boards.link.messages import Link, Refused
from ohmcarlo.boards.link.remote import OPERATION, READ, SET, RemoteController
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.spec import DAC_MAX, TARGET_FRAC, Geometry
from ohmcarlo.spec import link as spec
from ohmcarlo.spec.link import Command, Kind, Message, Status
from ohmcarlo_hdl.array import sequencer
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core import interface as step
from ohmcarlo_hdl.regs.map import compile_rdl

COMMANDS = 100_000
DEVICES = 64  # of a row of the native board
ROWS = 256

WORD16 = st.integers(0, 0xFFFF)
FRAMES = st.builds(
    Frame,
    kind=st.sampled_from(list(Kind)),
    session=WORD16,
    sequence=WORD16,
    acknowledgement=WORD16,
    payload=st.binary(max_size=spec.MAX_PAYLOAD),
)


# -- frames ----------------------------------------------------------------------------------------


def test_a_frame_on_the_wire() -> None:
    """The bytes are computed by hand, and the checksum from its definition."""
    wire = Frame(Kind.POLL, 0x0201, 0x0403, 0x0605).encode()
    body = bytes([1, 6, 1, 2, 3, 4, 5, 6])
    assert wire[0] == wire[-1] == 0 and wire[1] == 13  # twelve bytes without a zero
    assert wire[2:10] == body
    assert wire[10:14] == struct.pack("<I", crc32_bit_by_bit(body))


def crc32_bit_by_bit(data: bytes) -> int:
    """IEEE 802.3, reflected, from its definition."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def test_the_checksum_is_the_catalogued_one() -> None:
    assert crc32_bit_by_bit(b"123456789") == 0xCBF43926


@given(st.lists(FRAMES, max_size=5), st.lists(st.integers(0, 3000), max_size=8))
def test_frames_come_back_however_the_bytes_are_cut(frames: list[Frame], cuts: list[int]) -> None:
    wire = b"".join(frame.encode() for frame in frames)
    places = sorted({0, *(cut % (len(wire) + 1) for cut in cuts), len(wire)})
    decoder = Decoder()
    found = []
    for first, last in pairwise(places):
        found += decoder.feed(wire[first:last])
    assert found == frames


@given(FRAMES, st.data())
def test_a_flipped_bit_is_noticed(frame: Frame, data: st.DataObject) -> None:
    wire = bytearray(frame.encode())
    wire[data.draw(st.integers(1, len(wire) - 2))] ^= 1 << data.draw(st.integers(0, 7))
    assert all(found is None for found in Decoder().feed(bytes(wire)))


@given(st.binary(max_size=3000))
def test_noise_is_no_frame(noise: bytes) -> None:
    assert not any(Decoder().feed(noise + b"\0"))


@given(FRAMES)
def test_length_and_zeros(frame: Frame) -> None:
    wire = frame.encode()
    assert len(wire) <= spec.MAX_WIRE and wire[0] == 0 and wire.index(0, 1) == len(wire) - 1
    assert decode(wire[1:-1]) == frame


def test_a_payload_that_is_too_long() -> None:
    with pytest.raises(ValueError, match=f"at most {spec.MAX_PAYLOAD}"):
        Frame(Kind.DATA, 1, 0, 0, bytes(spec.MAX_PAYLOAD + 1)).encode()
    long = bytes(spec.MAX_FRAME)
    assert decode(cobs.encode(long + struct.pack("<I", crc32_bit_by_bit(long)))) is None


def test_without_delimiters_nothing_is_kept_for_ever() -> None:
    decoder = Decoder()
    for _ in range(100):
        decoder.feed(bytes([1]) * 1000)
    assert len(decoder._rest) <= spec.MAX_WIRE


# -- a faulty line ---------------------------------------------------------------------------------


@pytest.fixture
def board() -> Iterator[NativeBoard]:
    with opened() as board:
        yield board


def session(board: NativeBoard, probability: float = 0.0, seed: int = 1) -> tuple[Link, FaultyPort]:
    native = NativePort(board)
    port = FaultyPort(native, probability, seed)
    link = Link(port, native.clock)
    link.open()
    return link, port


def set_and_read(i: int) -> bytes:
    """One command: a SET of a device that depends on its number, and a READ of it."""
    operations = np.zeros(2, OPERATION)
    operations["operation"] = SET, READ
    operations["row"], operations["device"] = i % ROWS, i // ROWS % DEVICES
    operations["dac"][0] = i % (DAC_MAX + 1)
    return operations.tobytes()


def give_commands(link: Link, count: int) -> list[int]:
    """Send ``count`` commands with a full window under way; return the code in each answer."""
    answers = link.requests((Message.OPERATE, set_and_read(i)) for i in range(count))
    return [int.from_bytes(answer, "little") for answer in answers]


def expected_codes(count: int) -> list[int]:
    """Code of a device of the native board after a SET: the target."""
    return [i % (DAC_MAX + 1) >> TARGET_FRAC for i in range(count)]


def pulse_counts(board: NativeBoard) -> np.ndarray:
    return np.array([[board.pulses(SET, row, d) for d in range(DEVICES)] for row in range(ROWS)])


def expected_counts(count: int) -> np.ndarray:
    places = Counter((i % ROWS, i // ROWS % DEVICES) for i in range(count))
    return np.array([[places[row, d] for d in range(DEVICES)] for row in range(ROWS)])


@pytest.mark.parametrize("probability", [1e-3, 1e-2])
def test_a_hundred_thousand_commands(
    board: NativeBoard, probability: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """No command is lost or executed twice. Each answer belongs to its own request."""
    link, port = session(board, probability)
    began = time.perf_counter()
    codes = give_commands(link, COMMANDS)
    taken = time.perf_counter() - began
    assert codes == expected_codes(COMMANDS)
    assert np.array_equal(pulse_counts(board), expected_counts(COMMANDS))
    assert board.unsafe == 0, board.unsafe_reason
    assert min(port.done[fault] for fault in FAULTS) > COMMANDS * probability / 10
    assert link.counters.resent > COMMANDS * probability / 10
    with capsys.disabled():
        print(
            f"\n{COMMANDS:,} commands, {probability:g} of the frames spoilt: {taken:.1f} s, "
            f"{COMMANDS / taken:,.0f} a second; {dict(port.done)}; {link.counters.to_dict()}"
        )


def test_asking_again_is_not_sending_again(board: NativeBoard) -> None:
    """The control: a host that repeats a request under a new number programs devices twice."""
    link, port = session(board, 0.05)
    count = 300
    for i in range(count):
        resent = link.counters.resent
        link.request(Message.OPERATE, set_and_read(i))
        if link.counters.resent != resent:
            link.request(Message.OPERATE, set_and_read(i))
    assert port.done
    assert not np.array_equal(pulse_counts(board), expected_counts(count))


def test_patience_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment variable replaces the times of both kinds of boards."""
    given: dict[str, float] = {}

    def port(place: object, timeout_s: float) -> object:
        return place

    def board(port: object, array: object, backend: str, *, timeout_s: float) -> SimpleNamespace:
        given[backend] = timeout_s
        return SimpleNamespace()

    monkeypatch.setattr(ports, "SimulatedPort", port)
    monkeypatch.setattr(ports, "SerialPort", port)
    monkeypatch.setattr(ports, "build_simulated", lambda geometry, say: geometry)
    monkeypatch.setattr(boards, "SerialBoard", board)

    def patience() -> dict[str, float]:
        for backend in ("rtl", "serial:port"):
            boards.open_board(backend, EmulatedArray(Geometry()))
        return given

    monkeypatch.delenv(transport.TIMEOUT_VARIABLE, raising=False)
    assert patience() == {"rtl": 30, "serial:port": 5}
    monkeypatch.setenv("OHMCARLO_LINK_TIMEOUT", "0.5")
    assert patience() == {"rtl": 0.5, "serial:port": 0.5}
    for nonsense in ("soon", "0", "-1", "inf", "nan"):
        monkeypatch.setenv("OHMCARLO_LINK_TIMEOUT", nonsense)
        with pytest.raises(UsageError, match=r"OHMCARLO_LINK_TIMEOUT.*give a number of seconds"):
            patience()


# -- noise -----------------------------------------------------------------------------------------
BURSTS_A_SECOND = 5
SESSION_S = 60
SILENCE_S = 10


def noisy_session(board: NativeBoard, seed: int, kinds: tuple[str, ...] = BURSTS) -> NoisyPort:
    """Requests for a minute, on a line that is silent between them but for polls."""
    port = NoisyPort(board, 0, seed, kinds)
    link = Link(port, port.clock)
    link.open()
    port.bursts_a_second = BURSTS_A_SECOND
    for i in range(SESSION_S // SILENCE_S):
        until = port.now + SILENCE_S
        link._transport.until(lambda until=until: port.now > until)
        code = int.from_bytes(link.request(Message.OPERATE, set_and_read(i)), "little")
        assert code == expected_codes(i + 1)[i]
    assert np.array_equal(pulse_counts(board), expected_counts(SESSION_S // SILENCE_S))
    return port


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_on_an_idle_line(board: NativeBoard, seed: int) -> None:
    """Five bursts of noise a second end no session, and no command is lost or executed twice."""
    port = noisy_session(board, seed)
    assert port.now > SESSION_S
    assert min(port.done[kind] for kind in BURSTS) > SESSION_S
    assert board.unsafe == 0, board.unsafe_reason


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("end", ["host", "board"])
def test_noise_without_the_zero_before_a_frame(
    board: NativeBoard, end: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: one end sends frames without the zero before them. The noise joins the next
    frame, and the session is lost."""
    if end == "board":
        board.plant("NO_ZERO_BEFORE_A_FRAME")
    else:
        encode = Frame.encode
        monkeypatch.setattr(Frame, "encode", lambda frame: encode(frame)[1:])
    with pytest.raises(BoardLost, match="not answered for 5 s"):
        noisy_session(board, seed, ("random",))


# -- records ---------------------------------------------------------------------------------------


def run_steps(link: Link, steps: int) -> np.ndarray:
    """Records of a run of the native board, which derives them from the numbers of its steps."""
    remote = RemoteController(link)
    remote.write({"model.features.value": 9, "model.regions.value": 2, "model.points.value": 50})
    remote.write({"model.rows_per_region.value": 128, "model.region_groups.value": 128})
    remote.write({"model.options.record_steps": 1})
    remote.execute(Command.START)
    assert not len(link.take_records())
    assert remote.execute(Command.RUN, steps).steps_done == steps
    return link.take_records()


def test_every_record_once_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Records over a faulty line equal those over a good line, also for single steps between
    runs."""
    runs = []
    for probability in (0.0, 1e-3, 1e-2, 0.1):
        with opened() as board:
            link, port = session(board, probability)
            runs.append(run_steps(link, 30_000))
            assert bool(port.done) == (probability > 0)
            with capsys.disabled():
                print(f"\nrecords at {probability:g}: {link.counters.to_dict()}")
    for words in runs[1:]:
        assert np.array_equal(words, runs[0])
    assert len(runs[0]) > 30_000


def test_without_the_check_of_numbers_records_come_twice(
    board: NativeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a host that accepts every message."""
    take = transport.Transport._take_message

    def careless(self: transport.Transport, frame: Frame) -> None:
        if frame.sequence != self._expected:
            self._deliver(frame.payload)
        take(self, frame)

    monkeypatch.setattr(transport.Transport, "_take_message", careless)
    link, _ = session(board, 0.05)
    with pytest.raises(OhmcarloError, match="lost records"):
        run_steps(link, 20_000)


def test_a_gap_in_the_records_is_an_error(board: NativeBoard) -> None:
    link, _ = session(board)
    link._deliver(struct.pack("<BBHIII", Message.RECORDS, 0, 0, 7, 1, 2))
    link._deliver(struct.pack("<BBHII", Message.RECORDS, 0, 0, 9, 3))
    with pytest.raises(OhmcarloError, match=r"lost records: word 10 .* 11 came"):
        link._deliver(struct.pack("<BBHII", Message.RECORDS, 0, 0, 11, 3))


def test_record_numbers_wrap(board: NativeBoard) -> None:
    link, _ = session(board)
    link._deliver(struct.pack("<BBHII", Message.RECORDS, 0, 0, 0xFFFFFFFF, 1))
    link._deliver(struct.pack("<BBHII", Message.RECORDS, 0, 0, 0, 2))
    assert link.take_records().tolist() == [1, 2]


@pytest.mark.parametrize("ahead", [1, 7, 32767])
def test_a_frame_that_acknowledges_what_was_never_sent(board: NativeBoard, ahead: int) -> None:
    """Its message is not delivered; the right one is. An old acknowledgement is harmless."""
    link, _ = session(board)
    end = link._transport
    give_commands(link, 3)
    records = struct.pack("<BBHII", Message.RECORDS, 0, 0, 0, 1)
    expected, base = end._expected, end._base

    def arrives(acknowledgement: int) -> list[int]:
        acknowledgement %= transport.SEQUENCES
        end._take(Frame(Kind.DATA, end._session, expected, acknowledgement, records))
        return link.take_records().tolist()

    assert arrives(base + ahead) == []
    assert arrives(base - ahead) == [1]


# -- requests --------------------------------------------------------------------------------------


def test_a_refusal_says_why_and_the_session_goes_on(board: NativeBoard) -> None:
    link, _ = session(board)
    remote = RemoteController(link)
    with pytest.raises(Refused, match="OPERATE: a value does not fit") as refused:
        remote.operate(np.array([(SET, 0, ROWS, 0, 0)], OPERATION))
    assert refused.value.status == Status.OUT_OF_RANGE
    with pytest.raises(Refused, match="start"):
        remote.execute(Command.RUN, 1)
    with pytest.raises(Refused, match="has no such field"):
        remote.write({"status.state.busy": 1})
    assert remote.echo(b"still there") == b"still there"


def test_a_refusal_among_many_requests(board: NativeBoard) -> None:
    """Later requests are executed, and their answers are not taken for those of earlier ones."""
    link, _ = session(board)
    bad = np.array([(SET, 0, ROWS, 0, 0)], OPERATION).tobytes()
    wanted = [(Message.OPERATE, bad if i == 3 else set_and_read(i)) for i in range(10)]
    answers = []
    with pytest.raises(Refused):
        answers.extend(link.requests(wanted))
    assert link.request(Message.ECHO, b"x") == b"x"
    assert [board.pulses(SET, i, 0) for i in range(10)] == [1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    assert not link._answers and not link._abandoned


def test_many_requests_are_under_way_at_once(board: NativeBoard) -> None:
    """Requests do not wait for each answer: the window is used and never exceeded."""
    link, port = session(board)
    native = port.port
    assert isinstance(native, NativePort)
    native.written.clear()
    give_commands(link, 200)
    most, under_way = 0, 0
    for data in native.written:
        frame = decode(data[1:-1])
        assert frame is not None
        under_way = under_way + 1 if frame.kind == Kind.DATA else 0
        most = max(most, under_way)
    assert most == spec.WINDOW


# -- sessions --------------------------------------------------------------------------------------


def test_a_second_session_begins_afresh(board: NativeBoard) -> None:
    link, _ = session(board)
    give_commands(link, 20)
    again, _ = session(board)
    assert give_commands(again, 20) == expected_codes(20)
    with pytest.raises(BoardLost, match="restarted, or another program"):
        link.request(Message.ECHO, b"old")


def test_a_restarted_board_has_forgotten_the_session(board: NativeBoard) -> None:
    link, _ = session(board)
    board.restart()
    with pytest.raises(BoardLost, match="restarted"):
        link.request(Message.ECHO)


def test_a_dead_board_is_given_up_in_time(board: NativeBoard) -> None:
    native = NativePort(board)
    link = Link(native, native.clock)
    link.open()
    native.read = lambda timeout_s: Silence.read(native, timeout_s)  # type: ignore[method-assign]
    asked_at = native.now
    with pytest.raises(BoardLost, match=r"not answered for 5 s: check its power"):
        link.request(Message.ECHO)
    assert transport.LINK_TIMEOUT_S <= native.now - asked_at <= transport.LINK_TIMEOUT_S + 0.5


class Deaf(NativePort):
    """The board receives no message, only unnumbered frames."""

    def write(self, data: bytes) -> None:
        frames = [decode(wire) for wire in data.split(b"\0") if wire]
        kept = [frame.encode() for frame in frames if frame and frame.kind != Kind.DATA]
        super().write(b"".join(kept))


def test_a_board_that_takes_nothing_is_given_up(board: NativeBoard) -> None:
    port = Deaf(board)
    link = Link(port, port.clock)
    link.open()
    asked_at = port.now
    with pytest.raises(BoardLost, match="has accepted no message for 30 s: restart it"):
        link.request(Message.ECHO)
    assert port.now - asked_at <= 30 + 2


def test_an_answer_that_never_comes(board: NativeBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The board takes requests and never answers. The host gives up after a limit."""
    link, port = session(board)
    monkeypatch.setattr(link, "_deliver", lambda payload: None)
    link._transport._deliver = link._deliver
    link.answer_s = 8.0
    asked_at = port.port.now  # type: ignore[attr-defined]
    with pytest.raises(BoardLost, match="is connected but does not answer: restart it"):
        link.request(Message.ECHO)
    assert 8.0 <= port.port.now - asked_at < 9.0  # type: ignore[attr-defined]


class Silence(NativePort):
    """The board sends nothing."""

    def read(self, timeout_s: float) -> bytes:
        self.now += timeout_s
        return b""


class Noise(NativePort):
    """The board sends bytes that are not a frame."""

    def read(self, timeout_s: float) -> bytes:
        self.now += timeout_s
        return bytes([17, 4, 2, 0])


def test_a_patient_host(board: NativeBoard) -> None:
    native = NativePort(board)
    link = Link(native, native.clock, timeout_s=30)
    link.open()
    native.read = lambda timeout_s: Silence.read(native, timeout_s)  # type: ignore[method-assign]
    asked_at = native.now
    with pytest.raises(BoardLost, match=r"not answered for 30 s: .*OHMCARLO_LINK_TIMEOUT"):
        link.request(Message.ECHO)
    assert 30 <= native.now - asked_at <= 30.5 and link.answer_s == 180


@pytest.mark.parametrize(("kind", "said"), [(Silence, "no answer"), (Noise, "cannot be decoded")])
def test_nobody_there(board: NativeBoard, kind: type[NativePort], said: str) -> None:
    port = kind(board)
    with pytest.raises(BoardLost, match=said):
        Link(port, port.clock).open()
    assert port.now <= transport.LINK_TIMEOUT_S + 0.5


def test_a_busy_board_is_not_a_dead_one(board: NativeBoard) -> None:
    """The host polls a board that is silent during a long command."""
    link, port = session(board)
    remote = RemoteController(link)
    remote.execute(Command.START)
    began = port.port.now  # type: ignore[attr-defined]
    assert remote.execute(Command.RUN, 200_000).steps_done == 200_000
    assert port.port.now - began > transport.LINK_TIMEOUT_S  # type: ignore[attr-defined]


class OtherVersion(NativePort):
    """Its frames carry another version of the protocol."""

    def read(self, timeout_s: float) -> bytes:
        frames = [decode(wire) for wire in super().read(timeout_s).split(b"\0") if wire]
        return b"".join(replace(frame, version=9).encode() for frame in frames if frame)


def test_another_version_of_the_protocol(board: NativeBoard) -> None:
    port = OtherVersion(board)
    with pytest.raises(OhmcarloError, match=r"has version 9 .* ohmcarlo has 1"):
        Link(port, port.clock).open()


def test_the_reasons_are_those_of_the_register_map() -> None:
    """The enumerations of the link equal those of the register map and of the hardware."""
    state = register_map_enumerations()
    assert state["reason_e"] == {reason.name.lower(): reason.value for reason in spec.Reason}
    causes = {cause.name.lower(): cause.value for cause in spec.FaultCause}
    assert state["fault_cause_e"] == causes
    for ours, theirs in ((spec.Reason, step.Reason), (spec.FaultCause, sequencer.FaultCause)):
        assert {m.name: m.value for m in ours} == {m.name: m.value for m in theirs}


def register_map_enumerations() -> dict[str, dict[str, int]]:
    nodes = compile_rdl(CoreConfig()).descendants()
    fields = (field for node in nodes if isinstance(node, RegNode) for field in node.fields())
    encodings = (field.get_property("encode", default=None) for field in fields)
    return {e.type_name: {member.name: member.value for member in e} for e in encodings if e}
