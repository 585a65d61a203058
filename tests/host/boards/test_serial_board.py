"""The host side of a board: rejected requests, decoded records, errors of a lost board."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from board_ports import NativePort
from native_board import NativeBoard, opened
from ohmcarlo import __version__
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.array.physics import PhysicsArray
from ohmcarlo.boards import ENTROPY_ALARM, BoardLost, ModelBoard, SerialBoard
from ohmcarlo.boards.integrity import BoardUpset
from ohmcarlo.boards.link.frames import Frame, decode
from ohmcarlo.boards.link.remote import READ, RESET, SET
from ohmcarlo.boards.link.transport import LINK_TIMEOUT_S
from ohmcarlo.boards.memory.image import TABLES, controller_image, data_image, emulator_image
from ohmcarlo.boards.records.decode import Records
from ohmcarlo.boards.records.tally import Tally
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.golden import Calibration, Registers, SamplerSettings
from ohmcarlo.selftest.board import BOARD_CHECKS, link_counts
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.spec.link import (
    FIELDS,
    IDENTIFICATION,
    IDENTIFICATION_FORMAT,
    OPERATION_FORMAT,
    WINDOWS,
    Kind,
)

FEATURES = 9


@pytest.fixture
def native() -> Iterator[NativeBoard]:
    with opened() as board:
        yield board


@pytest.fixture
def board(native: NativeBoard) -> SerialBoard:
    return board_at(NativePort(native))


def board_at(
    port: NativePort, geometry: Geometry | None = None, check: bool = False
) -> SerialBoard:
    array = EmulatedArray(geometry or Geometry(), 3)
    return SerialBoard(port, array, "serial:port", port.clock, check=check)


def points(count: int = 40, features: int = FEATURES) -> Points:
    rng = np.random.default_rng(4)
    return Points(
        rng.integers(-128, 128, (count, features)).astype(np.int8),
        rng.integers(0, 2, count).astype(np.uint8),
        rng.integers(-999, 999, count).astype(np.int16),
    )


def registers(
    geometry: Geometry | None = None, calibration: Calibration | None = None, hidden: int = 0
) -> Registers:
    settings = SamplerSettings(hidden=hidden)
    return settings.registers(
        geometry or Geometry(regions=2), FEATURES, lambda g: 0.05 * g, calibration
    )


# -- requests rejected before anything is sent -----------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": 128}, "rows = 128 here, 256 at the native board; use --rows 256"),
        ({"pairs": 16}, "pairs = 16 here, 32 at the native board; use --pairs 32"),
        ({"entropy_pairs": 2}, "entropy_pairs = 2 here, 4 at the native board"),
        ({"access_bits": 1}, "access_bits = 1 here, 8 at the native board"),
        ({"tile_pairs": 8}, "tile_pairs = 8 here, 32 at the native board"),
        ({"dot_bits": 8}, "dot_bits = 8 here, 0 at the native board"),
        ({"dot_bits": 8, "dot_shift": 2}, "dot_bits = 8 here"),
        ({"regions": 5}, "5 chains, the native board has room for 4: use --chains 4 or less"),
    ],
)
def test_another_geometry(board: SerialBoard, changes: dict[str, int], said: str) -> None:
    geometry = Geometry(**changes)
    board.array = EmulatedArray(geometry)
    refused_unsent(board, registers(geometry), points(), said)


def refused_unsent(board: SerialBoard, chain: Registers, data: Points, said: str) -> None:
    frames = board.link.counters.frames_sent
    with pytest.raises(UsageError) as error:
        board.configure(chain, data)
    assert said in str(error.value)
    assert board.link.counters.frames_sent == frames


def test_too_many_points(board: SerialBoard) -> None:
    said = "1025 data points (those of a whitened prior included) do not fit: the native board"
    refused_unsent(board, registers(), points(1025), said)
    board.configure(registers(), points(1024))


def test_a_network_that_is_too_large(board: SerialBoard) -> None:
    chain = registers(Geometry(row_group=9), hidden=8)
    said = "takes 9 rows, the native board has room for 8: use --hidden 7 or less"
    refused_unsent(board, chain, points(), said)


def test_other_inputs(board: SerialBoard) -> None:
    refused_unsent(board, registers(), points(features=8), "8 inputs, the registers are set for 9")


def test_trims_that_the_hardware_does_not_have(board: SerialBoard) -> None:
    board.layout = replace(board.layout, device_calibration=False)
    trims = Calibration(trim_offset=np.zeros((256, 64), np.int16))
    refused_unsent(board, registers(calibration=trims), points(), "use --no-trim")


def test_dot_products_that_the_hardware_does_not_have(board: SerialBoard) -> None:
    assert board.dot_products == ("array",)
    said = "without digital dot products: use --dot-products array, or a bitstream"
    refused_unsent(board, replace(registers(), digital=True), points(), said)
    said = "without repeated reads: use --repeats 1"
    refused_unsent(board, replace(registers(), log_repeats=1), points(), said)
    board.layout = replace(board.layout, digital=True, repeats=True)
    board.configure(replace(registers(), digital=True, log_repeats=2), points())


def test_another_array(native: NativeBoard) -> None:
    port = NativePort(native)
    with pytest.raises(UsageError, match="emulated array or a die, not 'physics'"):
        SerialBoard(port, PhysicsArray(Geometry()), "serial:port", port.clock)
    assert port.closed and not port.written


def test_an_order_that_is_none(board: SerialBoard) -> None:
    board.configure(registers(), points())
    with pytest.raises(UsageError, match="every point once"):
        board.set_order(np.zeros(40, np.int32))


def test_not_configured(board: SerialBoard) -> None:
    with pytest.raises(UsageError, match="configure"):
        board.run(1)


def test_not_started(board: SerialBoard) -> None:
    board.configure(registers(), points())
    with pytest.raises(OhmcarloError, match=r"start\(\) comes first"):
        board.run(1)


# -- versions --------------------------------------------------------------------------------------


class Tampered(NativePort):
    """Replace the identification that the board sent."""

    def __init__(self, board: NativeBoard, change: Callable[[bytes], bytes]) -> None:
        super().__init__(board)
        self.change = change

    def read(self, timeout_s: float) -> bytes:
        frames = [decode(wire) for wire in super().read(timeout_s).split(b"\0") if wire]
        return b"".join(self._tampered(frame).encode() for frame in frames if frame)

    def _tampered(self, frame: Frame) -> Frame:
        if frame.kind != Kind.OPENED:
            return frame
        return replace(frame, payload=self.change(frame.payload))


def with_field(name: str, value: int) -> Callable[[bytes], bytes]:
    def change(payload: bytes) -> bytes:
        values = list(struct.unpack(IDENTIFICATION_FORMAT, payload))
        values[IDENTIFICATION.index(name)] = value
        return struct.pack(IDENTIFICATION_FORMAT, *values)

    return change


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("protocol_version", 7, ["version 7", "ohmcarlo has 1"]),
        ("firmware_minor", 99, ["firmware", "version 0.99.0", f"ohmcarlo {__version__}"]),
        ("version", 0x010203, ["controller", "version 1.2.3", f"ohmcarlo {__version__}"]),
        ("magic", 0x12345678, ["0x12345678", "0x4f484d43"]),
        ("firmware_map_hash", 0xABCD, ["controller", "0000abcd", "build both"]),
        ("board_hash", 0xABCD, ["built for the board", "hardware has 0000abcd", "build both"]),
    ],
)
def test_versions_that_do_not_fit(
    native: NativeBoard, name: str, value: int, said: list[str]
) -> None:
    port = Tampered(native, with_field(name, value))
    with pytest.raises(OhmcarloError) as error:
        board_at(port)
    assert all(words in str(error.value) for words in said), error.value
    assert port.closed


def test_an_identification_of_another_length(native: NativeBoard) -> None:
    with pytest.raises(OhmcarloError, match="identifies itself in 3 bytes"):
        board_at(Tampered(native, lambda payload: payload[:3]))


def test_firmware_of_other_hardware(native: NativeBoard) -> None:
    native.mismatch(controller=True)
    with pytest.raises(OhmcarloError, match="built for the controller with register map"):
        board_at(NativePort(native))


def test_identity(board: SerialBoard) -> None:
    """The identity holds everything that the manifest of a run needs to know about a board."""
    found = board.identify()
    assert found["backend"] == "serial:port" and found["version"] == __version__
    assert found["rows"] == 256 and found["simulated"] and found["firmware_version"] == __version__
    assert board.clock_hz == found["clock_hz"] == 50_000_000


# -- loaded data -----------------------------------------------------------------------------------


def test_names_are_those_of_the_link() -> None:
    image = controller_image(registers(), points(), EmulatedArray(Geometry()), Geometry())
    emulator = emulator_image(EmulatedArray(Geometry()), 1 << 33)
    assert set(image.fields | emulator.fields) <= set(FIELDS)
    assert set(image.windows | emulator.windows) <= set(WINDOWS)
    assert emulator.fields["emulator.first_pulse_hi.value"] == 2


def test_a_point_in_memory() -> None:
    """A point is packed word by word as the register map describes."""
    one = Points(
        np.array([[1, -2, 3, -4, 5]], np.int8), np.array([2], np.uint8), np.array([-3], np.int16)
    )
    words = data_image(one, Geometry(pairs=9, entropy_pairs=4)).windows["points"]
    assert [f"{word:08x}" for word in words] == ["0002fffd", "fc03fe01", "00000005", "00000000"]


def test_the_board_holds_what_was_loaded(board: SerialBoard, native: NativeBoard) -> None:
    chain, data = registers(), points()
    board.configure(chain, data)
    image = controller_image(chain, data, board.array, Geometry())
    assert board.remote.read(list(image.fields)) == image.fields
    assert native.unsafe == 0, native.unsafe_reason


# -- records ---------------------------------------------------------------------------------------

WORD32 = st.integers(0, 0xFFFFFFFF)
STEP = st.fixed_dictionaries(
    {
        "kind": st.just("step"),
        "points": st.integers(0, (1 << 17) - 1),
        "region": st.integers(0, 63),
        "accepted": st.booleans(),
        "valid": st.booleans(),
        "loglik": WORD32,
        "prior": WORD32,
    }
)
SAMPLE = st.fixed_dictionaries(
    {
        "kind": st.just("sample"),
        "region": st.integers(0, 63),
        "current": st.booleans(),
        "multiplicity": st.integers(0, 0x7FFFFFFF),
        "loglik": WORD32,
        "prior": WORD32,
        "codes": st.lists(st.integers(0, 1023), min_size=6, max_size=6),
    }
)
PREDICTION = st.fixed_dictionaries(
    {
        "kind": st.just("prediction"),
        "sums": st.lists(st.integers(0, (1 << 63) - 1), min_size=2, max_size=2),
    }
)


def words_of(record: dict[str, Any]) -> list[int]:
    """A record as the register map describes it, bit by bit."""
    if record["kind"] == "step":
        flags = record["accepted"] << 23 | record["valid"] << 24
        head = 1 << 28 | record["points"] | record["region"] << 17 | flags
        return [head, *([record["loglik"], record["prior"]] if record["accepted"] else [])]
    if record["kind"] == "sample":
        head = record["region"] | record["current"] << 8
        codes = record["codes"]
        pairs = [codes[i] | codes[i + 1] << 16 for i in (0, 2, 4)]
        body = [head, record["multiplicity"], record["loglik"], record["prior"], *pairs]
        return [2 << 28 | len(body), *body]
    return [3 << 28, *(n >> shift & 0xFFFFFFFF for n in record["sums"] for shift in (0, 32))]


def signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


@given(st.lists(st.one_of(STEP, SAMPLE, PREDICTION), max_size=30))
def test_records_are_read_back(made: list[dict[str, Any]]) -> None:
    found = Records(np.array([w for r in made for w in words_of(r)], np.uint32))
    steps, samples = found.steps(), found.samples(6)
    by_kind = {k: [r for r in made if r["kind"] == k] for k in ("step", "sample", "prediction")}
    for name in ("accepted", "valid", "region", "points"):
        assert getattr(steps, name).tolist() == [r[name] for r in by_kind["step"]]
    totals = [signed(r["loglik"]) + signed(r["prior"]) for r in by_kind["step"]]
    accepted = [r["accepted"] for r in by_kind["step"]]
    assert steps.log_posterior.tolist() == [t * a for t, a in zip(totals, accepted, strict=True)]
    for name in ("current", "region", "multiplicity", "codes"):
        assert getattr(samples, name).tolist() == [r[name] for r in by_kind["sample"]]
    totals = [signed(r["loglik"]) + signed(r["prior"]) for r in by_kind["sample"]]
    assert samples.log_posterior.tolist() == totals
    assert found.predictions().tolist() == [r["sums"] for r in by_kind["prediction"]]


@pytest.mark.parametrize(
    "words", [[0], [4 << 28], [1 << 28, 5 << 28], [2 << 28 | 7, 1], [3 << 28, 0, 0, 0], [1 << 23]]
)
def test_words_that_are_no_records(words: list[int]) -> None:
    with pytest.raises(OhmcarloError, match="record stream cannot be read"):
        Records(np.array(words, np.uint32))


def test_samples_of_another_size() -> None:
    with pytest.raises(OhmcarloError, match="not 8 devices"):
        Records(np.array([2 << 28 | 7, *range(7)], np.uint32)).samples(8)


def test_log_posterior_follows_the_chains(
    board: SerialBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a rejected step the log-posterior is still that of the last sample, for each chain."""
    board.configure(registers(), points())
    board.start()
    streamed: list[int] = []
    take = board.link.take_records

    def listen() -> np.ndarray:
        words = take()
        streamed.extend(words.tolist())
        return words

    monkeypatch.setattr(board.link, "take_records", listen)
    blocks = [board.run(40), board.run(1), board.run(60)]
    assert [len(block.accepted) for block in blocks] == [80, 2, 120]
    found = np.concatenate([block.log_posterior for block in blocks])
    assert found.tolist() == word_by_word(streamed)
    assert len(set(found)) > 20


def word_by_word(words: list[int]) -> list[int]:
    """Log-posterior after each step, from the record stream; the native board begins with zeros."""
    current, found, at = {0: 0, 1: 0}, [], 0
    while at < len(words):
        head = words[at]
        if head >> 28 == 2:
            at += 1 + (head & 0xFFFFFF)
            continue
        region, accepted = head >> 17 & 63, head >> 23 & 1
        if accepted:
            current[region] = signed(words[at + 1]) + signed(words[at + 2])
        found.append(current[region])
        at += 1 + 2 * accepted
    return found


def test_current_samples(board: SerialBoard) -> None:
    board.configure(registers(), points())
    board.start()
    codes, multiplicity, log_posterior = board.current()
    assert codes.shape == (2, 2 * FEATURES) and len(multiplicity) == len(log_posterior) == 2


def test_predictions_come_in_parts_and_leave_the_data_alone(board: SerialBoard) -> None:
    board.configure(registers(), points())
    board.start()
    board.remote.load("state_held", np.ones(256, np.uint32))
    before = board.remote.read_one("model.points.value")
    mean, variance = board.predict(points(2500))
    assert len(mean) == len(variance) == 2500
    assert board.remote.read_one("model.points.value") == before == 40


# -- faults during a run ---------------------------------------------------------------------------


def test_a_fault_says_its_cause(board: SerialBoard, native: NativeBoard) -> None:
    board.configure(registers(), points())
    board.start()
    port = board.link.port
    assert isinstance(port, NativePort)
    looks = iter(range(1000))
    port.before_poll = lambda: native.fault(3) if next(looks) == 20 else None
    with pytest.raises(OhmcarloError, match=r"has stopped \(request timeout\)"):
        board.run(10_000)


def test_an_alarm_ends_the_block(board: SerialBoard, native: NativeBoard) -> None:
    board.configure(registers(), points())
    board.start()
    port = board.link.port
    assert isinstance(port, NativePort)
    looks = iter(range(1000))
    board.identification["simulated"] = 0  # all steps in one command
    port.before_poll = lambda: native.alarm() if next(looks) == 20 else None
    block = board.run(100_000)
    assert block.status == ENTROPY_ALARM and 0 < len(block.accepted) < 200_000


def test_a_board_that_dies_while_it_runs(board: SerialBoard, native: NativeBoard) -> None:
    board.configure(registers(), points())
    board.start()
    port = board.link.port
    assert isinstance(port, NativePort)
    died: list[float] = []

    def silent(timeout_s: float) -> bytes:
        died.append(port.now)
        port.now += timeout_s
        return b""

    reads = iter(range(1000))
    real = port.read
    port.read = lambda t: real(t) if next(reads) < 5 else silent(t)  # type: ignore[method-assign]
    with pytest.raises(BoardLost, match="not answered for 5 s"):
        board.run(100_000)
    assert port.now - died[0] < LINK_TIMEOUT_S + 0.5


# -- the array behind it ---------------------------------------------------------------------------


def test_raw_operations_in_their_order(board: SerialBoard, native: NativeBoard) -> None:
    """RESETs are sent together with the operations that follow, and before them."""
    array = board.raw_array()
    sent: list[tuple[int, ...]] = []
    operate = board.remote.operate
    board.remote.operate = lambda operations: (  # type: ignore[method-assign]
        sent.extend(struct.iter_unpack(OPERATION_FORMAT, operations.tobytes())),
        operate(operations),
    )[1]
    array.reset(5)
    devices, dac = np.array([7, 2], np.int32), np.array([400, 800], np.int32)
    assert array.program(5, devices, dac).tolist() == [100, 200]  # the native board: DAC / 4
    assert sent == [
        (RESET, 0, 5, 0, 0),
        (SET, 0, 5, 7, 400),
        (READ, 0, 5, 7, 0),
        (SET, 0, 5, 2, 800),
        (READ, 0, 5, 2, 0),
    ]
    assert array.read(5, np.array([2, 7, 0], np.int32)).tolist() == [200, 100, 8]
    assert native.pulses(RESET, 5) == native.pulses(SET, 5, 7) == 1
    assert (array.ledger.set, array.ledger.reset, array.ledger.read) == (2, 64, 5)
    inputs = np.zeros((1, 32), np.int8)
    inputs[0, 1], inputs[0, 3] = 2, 10
    assert array.dot(5, inputs).tolist() == [2 * (200 - 8) + 10 * (8 - 100)]
    with pytest.raises(UsageError, match="DAC codes"):
        array.program(5, devices, np.array([400, 4096], np.int32))


def test_an_array_of_another_shape_is_not_touched(native: NativeBoard) -> None:
    board = board_at(NativePort(native), Geometry(rows=64, pairs=16))
    with pytest.raises(UsageError, match="rows = 64 here, 256 at"):
        board.raw_array()


# -- ledger ----------------------------------------------------------------------------------------


def test_the_ledger_is_that_of_the_model() -> None:
    """Counts of the board are exact. Estimated sums and wear are close to the golden ledger."""
    chain, data = registers(Geometry(rows=64)), points()
    model = ModelBoard(EmulatedArray(Geometry(rows=64), 3))
    model.configure(chain, data)
    tally = Tally(EmulatedArray(Geometry(rows=64), 3), chain)
    model.start()
    for _ in range(4):
        tally.note(model.run(500).codes)
    golden = model.ledger
    counts = {
        "counters.form": 0,
        "counters.reset": golden.reset // chain.geometry.row_devices,
        "counters.set": golden.set,
        "counters.read": golden.read,
        "counters.dot": golden.dot,
        "counters.points": golden.dot,
    }
    found = tally.ledger(counts, golden.wear[:, 0].astype(np.uint32))
    for name in ("set", "reset", "read", "dot", "form", "dot_devices"):
        assert getattr(found, name) == getattr(golden, name)
    assert found.set_conductance_us == pytest.approx(golden.set_conductance_us, rel=0.03)
    assert found.dot_conductance_us == pytest.approx(golden.dot_conductance_us, rel=0.03)
    sampled, coin = slice(0, 2 * FEATURES), slice(56, 64)
    assert np.array_equal(found.wear[:, sampled], golden.wear[:, sampled])
    assert found.wear[:, coin].mean() == pytest.approx(golden.wear[:, coin].mean(), rel=0.05)


def test_digital_dot_products_follow_from_the_points() -> None:
    chain = replace(registers(Geometry(rows=64)), digital=True)
    found = Tally(EmulatedArray(Geometry(rows=64), 3), chain).ledger(
        dict.fromkeys((f"counters.{name}" for name in Tally.COUNTED), 0) | {"counters.points": 50},
        np.zeros(64, np.uint32),
    )
    assert (found.dot, found.digital, found.digital_macs) == (0, 50, 50 * FEATURES)


# -- bit flips -------------------------------------------------------------------------------------


def test_a_checkpoint_compares_the_tables(native: NativeBoard) -> None:
    """One wrong bit in any table ends the run; with the right words, it goes on."""
    board = board_at(NativePort(native), check=True)
    chain = registers()
    board.configure(chain, points())
    image = controller_image(chain, points(), board.array, board.layout.geometry)
    for place, name in enumerate(TABLES):
        words, at = image.windows[name], 170 * place + 1
        board.state_dict()
        board.remote.load(name, words[at : at + 1] ^ np.uint32(1 << 7 * place), at)
        with pytest.raises(BoardUpset, match=f"1 words of the window {name} .*word {at}\\)"):
            board.state_dict()
        board.remote.load(name, words[at : at + 1], at)
    board.state_dict()


# -- the self-test ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["link", "memory", "registers"])
def test_checks_of_a_sound_board(board: SerialBoard, name: str) -> None:
    assert BOARD_CHECKS[name](board, 1)[0], BOARD_CHECKS[name](board, 1)[1]
    counts = dict(link_counts(board))
    assert counts["damaged"] == "0" and counts["frames sent"] != "0"


def test_the_check_of_devices_tells_arrays_apart(board: SerialBoard) -> None:
    """The devices of the native board differ from those of the emulated array."""
    passed, detail = BOARD_CHECKS["devices"](board, 1)
    assert not passed and "differ" in detail


def test_the_check_of_memory_sees_a_stuck_bit(
    board: SerialBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    unload = board.remote.unload
    monkeypatch.setattr(board.remote, "unload", lambda *a: unload(*a) | np.uint32(1 << 9))
    assert not BOARD_CHECKS["memory"](board, 1)[0]


def test_the_check_of_registers_sees_a_bit_that_is_not_there(
    board: SerialBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = board.remote.write
    monkeypatch.setattr(
        board.remote, "write", lambda fields: write({n: v & ~4 for n, v in fields.items()})
    )
    passed, detail = BOARD_CHECKS["registers"](board, 1)
    assert not passed and "proposal.rho.value" in detail
