"""The host with a board that has a real array: no parameter of a device is loaded or assumed.

The board is the native one, built for a controller with a Phy. Its devices take a quarter of their
DAC code.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from board_ports import NativePort
from native_board import NativeBoard, opened
from ohmcarlo import boards
from ohmcarlo.array import Die, EmulatedArray, PhysicsArray, get_preset
from ohmcarlo.array.base import Array
from ohmcarlo.boards import SerialBoard, check_backend
from ohmcarlo.errors import UsageError
from ohmcarlo.golden import Registers
from ohmcarlo.runs.arrays import open_array
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.supervised.experiment import build_supervised
from ohmcarlo.selftest import board as board_checks
from ohmcarlo.selftest import chain as checks
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.spec.daughterboard import FULL_SCALE_V, RAILS_V
from ohmcarlo.spec.link import DIE_FIELDS, FIELDS, WINDOWS, WRITE_FORMAT, Command, Message
from ohmcarlo_hdl.array.phy.parts import PhyConfig
from ohmcarlo_hdl.config import CoreConfig

GEOMETRY = Geometry(rows=32, pairs=16, access_bits=1)
CONFIG = CoreConfig(GEOMETRY, max_group_rows=1, max_regions=1, phy=PhyConfig(50_000_000))
PRESET, BACKEND = "rram-1t1r", "serial:port"
EMULATED = [FIELDS.index(name) for name in FIELDS if name.startswith("emulator.")]


@pytest.fixture
def native() -> Iterator[NativeBoard]:
    with opened(CONFIG) as board:
        yield board


@pytest.fixture
def port(native: NativeBoard) -> NativePort:
    return NativePort(native)


def die() -> Die:
    return Die(GEOMETRY, get_preset(PRESET))


def board_at(port: NativePort, array: Array) -> SerialBoard:
    return SerialBoard(port, array, BACKEND, port.clock, check=False)


def chain() -> tuple[Registers, Points]:
    """Registers and points of a small logistic regression."""
    config = TrainConfig(task="toy2d", array="physics", rows=32, pairs=16, trim=False)
    made = build_supervised(config)
    return replace(made.setup.registers, geometry=GEOMETRY), made.setup.points


def test_a_die_is_no_emulator(port: NativePort) -> None:
    """The host sends nothing but OPEN to a board with a die that is used as an emulator."""
    with pytest.raises(UsageError, match=r"native board has a die .*: use --array phy here"):
        board_at(port, EmulatedArray(GEOMETRY))
    assert port.closed


def test_no_die(port: NativePort) -> None:
    with opened() as emulated, pytest.raises(UsageError, match="has no die: use --array emulator"):
        board_at(NativePort(emulated), die())
    with pytest.raises(UsageError, match="emulated array or a die, not 'physics'"):
        board_at(port, PhysicsArray(GEOMETRY))


def test_it_says_so(port: NativePort) -> None:
    board = board_at(port, die())
    assert board.layout.phy and not board.layout.emulator
    assert board.identify()["array"] == "phy" and not board.pseudo_random


def test_nothing_is_injected(port: NativePort, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run loads, saves and counts without a parameter of a device and without a restart of a
    model."""
    board = board_at(port, die())
    written: list[int] = []
    send = board.link.requests

    def requests(messages: Iterable[tuple[Message, bytes]]) -> Iterator[bytes]:
        for message, body in (kept := list(messages)):
            if message == Message.WRITE:
                written.extend(n for n, _ in struct.iter_unpack(WRITE_FORMAT, body))
            assert message != Message.COMMAND or body[0] != Command.EMULATOR_RESTART
            if message == Message.LOAD:
                assert WINDOWS[body[0]] not in ("median", "sigma", "state_codes")
        return send(kept)

    monkeypatch.setattr(board.link, "requests", requests)
    registers, points = chain()
    board.configure(registers, points)
    board.start()
    assert len(board.run(5).accepted) == 5
    state = board.state_dict()
    assert written and not set(written) & set(EMULATED)
    with pytest.raises(UsageError, match="cannot be taken up again"):
        board.load_state_dict(state)


def test_a_reload_gives_no_pulse(port: NativePort, native: NativeBoard) -> None:
    """The devices of a die keep their state, and the emulator is not addressed."""
    board = board_at(port, die())
    registers, points = chain()
    board.configure(registers, points)
    board.start()
    board.run(5)
    given, commands = pulses(native), []
    command = board.remote.command
    board.remote.command = lambda c, a=0: (commands.append(c), command(c, a))[1]  # type: ignore[method-assign]
    counts = board.ledger.counts
    board.reload(replace(registers, rho=200), points)
    assert pulses(native) == given and Command.EMULATOR_RESTART not in commands
    assert np.array_equal(board.ledger.counts, counts)
    assert board.remote.read_one("proposal.rho.value") == 200
    board.start()
    assert len(board.run(5).accepted) == 5 and native.unsafe == 0


def pulses(native: NativeBoard) -> list[int]:
    devices = range(GEOMETRY.row_devices)
    return [
        native.pulses(operation, row, device)
        for operation in (1, 2, 3, 4)
        for row in range(GEOMETRY.rows)
        for device in devices
    ]


def test_operations_are_the_boards(port: NativePort, native: NativeBoard) -> None:
    array = board_at(port, die()).raw_array()
    array.reset(3)
    devices = np.array([1, 4], np.int32)
    assert array.program(3, devices, np.array([400, 800], np.int32)).tolist() == [100, 200]
    assert native.pulses(3, 3, 4) == 1
    assert array.name == "phy" and array.ledger.set == 2


def test_here_it_answers_for_no_device() -> None:
    array = open_array("phy", None, Geometry(rows=32, pairs=16), 0).array
    assert array.geometry.access_bits == 1  # its lines are on or off
    devices = np.zeros(1, np.int32)
    for operation in (
        lambda: array.reset(0),
        lambda: array.program(0, devices, devices),
        lambda: array.read(0, devices),
        lambda: array.dot(0, np.zeros((1, 12), np.int8)),
        array.state_dict,
        lambda: array.load_state_dict({}),
    ):
        with pytest.raises(UsageError, match="behind a board"):
            operation()


def test_rails_can_be_set(port: NativePort) -> None:
    """After a reset the rails have the voltages of the specification. The FORM rail is off until it
    is set."""
    board = board_at(port, die())
    rails = [name for name in DIE_FIELDS if name.startswith("rails.")]
    found = board.remote.read(rails)
    for name, code in found.items():
        volts = RAILS_V[name.split(".")[1]]
        assert code * FULL_SCALE_V / 4096 == pytest.approx(volts, abs=0.001), name
    assert found["rails.bit_line_form.value"] == 0
    board.remote.write({"rails.bit_line_form.value": 3000})
    assert board.remote.read(rails) == found | {"rails.bit_line_form.value": 3000}


@pytest.mark.parametrize("backend", ["model", "rtl"])
def test_a_die_is_behind_a_board(backend: str) -> None:
    with pytest.raises(UsageError, match="name its port, --backend serial:PORT"):
        check_backend(backend, "phy")
    check_backend(BACKEND, "phy")


@pytest.fixture
def at_port(port: NativePort, monkeypatch: pytest.MonkeyPatch) -> NativePort:
    """A board with a die can be opened at any serial port."""
    for module in (boards, checks, board_checks):
        monkeypatch.setattr(module, "open_hardware", lambda name, array, *_: board_at(port, array))
    return port


def test_selftest(at_port: NativePort, native: NativeBoard) -> None:
    """The self-test covers link, memory and every register, including the rails, and gives no
    pulse."""
    found = {c.name: c for c in checks.run_selftest(BACKEND, "phy", None, 0, print)}
    assert list(found) == ["link", "memory", "registers", "generator"]
    assert all(c.passed for c in found.values()), found
    fields = int(found["registers"].detail.split(" of ")[1].split()[0])
    assert fields == FIELDS.index("row.select.value") + 1 + len(DIE_FIELDS)
    assert not any(native.pulses(op, row) for op in (1, 2, 3, 4) for row in range(32))
    with pytest.raises(UsageError, match="use --array phy here"):
        list(checks.run_selftest(BACKEND, "emulator", None, 0, print))


def test_training_measures_the_die(at_port: NativePort, native: NativeBoard) -> None:
    """The trim is learnt from pulses on the board and is loaded for the chain."""
    config = TrainConfig(task="toy2d", array="phy", backend=BACKEND, rows=32, pairs=16)
    with pytest.raises(UsageError, match="too little for a fair coin"):
        build_supervised(config)
    native.vary()
    experiment = build_supervised(config)
    assert experiment.setup.trimmed and experiment.setup.registers.geometry == GEOMETRY
    assert native.pulses(3, 7, 0) > 10 and native.unsafe == 0
    assert experiment.setup.board.ledger.set > 1000
