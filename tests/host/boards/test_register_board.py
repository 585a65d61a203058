"""The board over registers: a model of the core whose addresses come from the hardware's map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards import ENTROPY_ALARM, BoardLost, HardwareBoard, ModelBoard
from ohmcarlo.boards.controller import OPERATION, Refused
from ohmcarlo.boards.memory.image import controller_image
from ohmcarlo.boards.registers.controller import RegisterController
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.golden import EntropyAlarm, EpisodeLikelihood, Registers, SamplerSettings, Thresholds
from ohmcarlo.selftest.board import BOARD_CHECKS
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.spec.cartpole import POLICY_INPUTS
from ohmcarlo.spec.link import Command, Operation, Reason, Status
from ohmcarlo_hdl.config import CoreConfig
from register_model import CLOCK_HZ, RegisterModel

GEOMETRY = Geometry(rows=64, pairs=16)
CONFIG = CoreConfig(
    GEOMETRY, max_points=256, max_group_rows=1, max_regions=1, device_calibration=False
)
SEED, STEPS, POINTS, FEATURES = 3, 60, 150, 9


def chain(features: int = FEATURES) -> Registers:
    settings = SamplerSettings(
        rho=0.95, gamma_us=12.0, tau_us=20.0, sigma_p=float(np.inf), retries=1
    )
    return settings.registers(GEOMETRY, features, lambda g: 0.05 * g)


def data(points: int = POINTS, features: int = FEATURES) -> Points:
    rng = np.random.default_rng(7)
    return Points(
        rng.integers(-60, 61, (points, features)).astype(np.int8),
        rng.integers(0, 2, points).astype(np.uint8),
        rng.integers(-999, 999, points).astype(np.int16),
    )


class Clock:
    """A second passes between two looks at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def model() -> RegisterModel:
    return RegisterModel(CONFIG, EmulatedArray(GEOMETRY, SEED))


def board_of(model: RegisterModel) -> HardwareBoard:
    controller = RegisterController(model, model.name, 30.0, Clock())
    return HardwareBoard(controller, EmulatedArray(GEOMETRY, SEED), "mmio:bench")


@pytest.fixture
def board(model: RegisterModel) -> HardwareBoard:
    return board_of(model)


def started(board: HardwareBoard, model: RegisterModel) -> HardwareBoard:
    board.configure(chain(), data())
    model.begin(chain(), data())
    board.start()
    return board


# -- a chain -----------------------------------------------------------------------------------


def played(board: Any) -> dict[str, Any]:
    board.start()
    blocks = [board.run(STEPS) for _ in range(2)]
    codes, multiplicity, log_posterior = board.current()
    mean, variance = board.predict(data(300))
    found = board.triage(data(40), Thresholds.of(margin=0.2, variance=0.01))
    return {
        **{f"{n} {i}": getattr(b, n) for i, b in enumerate(blocks) for n in vars(blocks[0])},
        "current": codes,
        "multiplicity": multiplicity,
        "log-posterior": log_posterior,
        "mean": mean,
        "variance": variance,
        "answers": found.answers,
        "doubtful": found.doubtful,
        "samples": found.samples,
        "sums": found.sums,
    }


def test_a_chain_is_that_of_the_model(board: HardwareBoard, model: RegisterModel) -> None:
    """Decisions, samples, predictions and triage; the records do not fit the ring at once."""
    board.configure(chain(), data())
    model.begin(chain(), data())
    found = played(board)
    golden = ModelBoard(EmulatedArray(GEOMETRY, SEED))
    golden.configure(chain(), data())
    wanted = played(golden)
    assert [n for n in wanted if not np.array_equal(found[n], wanted[n])] == []
    assert 0 < wanted["accepted 0"].sum() < STEPS and 0 < wanted["doubtful"].sum() < 40
    assert model.get("records.taken.value") > 4 * model.map.window("records_ring").words
    assert model.missed == []
    state, other = board.state_dict(), golden.state_dict()
    for name in ("controller.codes", "controller.held", "controller.order"):
        np.testing.assert_array_equal(state[name], other[name], name)


def test_what_is_loaded(board: HardwareBoard, model: RegisterModel) -> None:
    """Fields and windows at the addresses of the hardware's register map."""
    board.configure(chain(), data())
    image = controller_image(chain(), data(), board.array, GEOMETRY)
    assert {name: model.get(name) for name in image.fields} == image.fields
    for name, words in image.windows.items():
        np.testing.assert_array_equal(model.window(name, len(words)), words, name)
    assert board.remote.read(list(image.fields)) == image.fields
    assert model.missed == []


def test_identity(board: HardwareBoard) -> None:
    found = board.identify()
    assert found["backend"] == "mmio:bench" and found["clock_hz"] == CLOCK_HZ == board.clock_hz
    assert "firmware_version" not in found and not found["simulated"]


def test_counters_have_64_bits(model: RegisterModel) -> None:
    model.put("counters.clocks.lo.value", 0x80000007)
    model.put("counters.clocks.hi.value", 3)
    board = board_of(model)
    assert board.clock_cycles() == board.board_clocks == 3 * 2**32 + 0x80000007


def test_policies_are_judged_on_the_host(board: HardwareBoard, model: RegisterModel) -> None:
    """Log-likelihoods from episodes, for each proposal in time."""
    judge = EpisodeLikelihood(seed=5, episodes=3)
    nothing = Points.of(np.zeros((0, POLICY_INPUTS), np.int8))
    registers = chain(POLICY_INPUTS)
    board.configure(registers, nothing, judge)
    model.begin(registers, nothing, judge)
    board.start()
    found = board.run(25)
    golden = ModelBoard(EmulatedArray(GEOMETRY, SEED))
    golden.configure(registers, nothing, judge)
    golden.start()
    wanted = golden.run(25)
    assert model.given == [] and 0 < wanted.accepted.sum() < 25
    np.testing.assert_array_equal(found.accepted, wanted.accepted)
    np.testing.assert_array_equal(found.log_posterior, wanted.log_posterior)


def test_the_checks_of_the_self_test(board: HardwareBoard, model: RegisterModel) -> None:
    for name, check in BOARD_CHECKS.items():
        if name == "devices":  # the emulator of the core starts anew
            model.array = EmulatedArray(GEOMETRY, 1, d2d_rel=0.02, stuck=0.05)
        passed, detail = check(board, 1)
        assert passed, (name, detail)
    assert model.missed == []


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_of, status",
    [
        (lambda c: c.write({"model.colour.value": 1}), Status.UNKNOWN_NAME),
        (lambda c: c.write({"status.state.busy": 1}), Status.UNKNOWN_NAME),
        (lambda c: c.write({"proposal.rho.value": 512}), Status.OUT_OF_RANGE),
        (lambda c: c.write({"model.features.value": 3}), Status.STARTED),
        (lambda c: c.read(["ip.magic.value"]), Status.UNKNOWN_NAME),
        (lambda c: c.load("points", np.zeros(9999, np.uint32)), Status.OUT_OF_RANGE),
        (lambda c: c.load("calibration", np.zeros(1, np.uint32)), Status.UNKNOWN_NAME),
        (lambda c: c.unload("order", 1), Status.UNKNOWN_NAME),
        (lambda c: c.unload("dac", 500, 100), Status.OUT_OF_RANGE),
        (lambda c: c.operate(operation(7, 0)), Status.UNKNOWN_NAME),
        (lambda c: c.operate(operation(Operation.SET, 64)), Status.OUT_OF_RANGE),
        (lambda c: c.read_rows([64], 0, 1), Status.OUT_OF_RANGE),
        (lambda c: c.command(Command.EXTERNAL, 1), Status.NOT_STARTED),
        (lambda c: c.command(Command.RUN, 1), Status.UNKNOWN_NAME),
        (lambda c: c.execute(Command.HALT), Status.UNKNOWN_NAME),
    ],
)
def test_refused(
    board: HardwareBoard, model: RegisterModel, request_of: Any, status: Status
) -> None:
    """As the firmware refuses them, and nothing is written."""
    started(board, model)
    before = dict(model.words)
    with pytest.raises(Refused) as error:
        request_of(board.remote)
    assert error.value.status == status and model.words == before and model.missed == []


def operation(code: int, row: int) -> np.ndarray:
    items = np.zeros(1, OPERATION)
    items["operation"], items["row"] = code, row
    return items


def test_refused_in_other_states(board: HardwareBoard, model: RegisterModel) -> None:
    board.configure(chain(), data())
    for change, status in (
        ({}, Status.NOT_STARTED),
        ({"model.region_groups.value": 3}, Status.OUT_OF_RANGE),
        ({"status.state.fault": 1}, Status.FAULT),
        ({"status.state.busy": 1}, Status.BUSY),
        ({"status.state.alarm": 1, "status.state.started": 1}, Status.NOT_STARTED),
    ):
        before = dict(model.words)
        for name, value in change.items():
            model.put(name, value)
        with pytest.raises(Refused) as error:
            board.remote.execute(Command.RUN, 1)
        assert error.value.status == status, change
        model.words = before


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, value, said",
    [
        (
            "id.magic.value",
            0xFFFFFFFF,
            "no ohmcarlo controller (magic 0xffffffff instead of 0x4f48",
        ),
        ("id.map_hash.value", 0x1234, "has register map 00001234, this version of ohmcarlo has"),
        ("id.version.minor", 77, "the controller of the board at the model has version 0.77.0"),
        (
            "ip.magic.value",
            0,
            "no registers of an IP core (magic 0x00000000 instead of 0x4f484d49)",
        ),
        ("id.rows.value", 0, "reports impossible sizes"),
    ],
)
def test_another_core(model: RegisterModel, name: str, value: int, said: str) -> None:
    model.put(name, value)
    with pytest.raises(OhmcarloError) as error:
        board_of(model)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_an_access_without_a_register(board: HardwareBoard, model: RegisterModel) -> None:
    model.miss(0x7FC)
    with pytest.raises(OhmcarloError, match="an access to the controller at the model found no"):
        board.configure(chain(), data())
    board.configure(chain(), data())  # the flag was cleared


def test_no_progress(board: HardwareBoard, model: RegisterModel) -> None:
    started(board, model)
    model.hung = True
    with pytest.raises(BoardLost, match=r"no progress for 30 s and was switched off.*resume the"):
        board.run(10)
    assert model.get("status.state.fault")


def test_a_bitstream_that_was_replaced(board: HardwareBoard, model: RegisterModel) -> None:
    started(board, model)
    model.hung = True
    model.put("id.magic.value", 0)
    with pytest.raises(BoardLost, match=r"is gone .magic 0x00000000.*load its bitstream again"):
        board.run(10)


def test_a_fault_within_a_record(board: HardwareBoard, model: RegisterModel) -> None:
    started(board, model)
    model.fault_after = 33
    with pytest.raises(OhmcarloError, match=r"the sequencer of the model has stopped .off. and"):
        board.run(50)


@pytest.mark.parametrize("new_program", [False, True])
def test_a_chain_after_a_fault_within_a_record(
    board: HardwareBoard, model: RegisterModel, new_program: bool
) -> None:
    """The rest of the cut record arrives with the next reset of the state; no chain has it."""
    started(board, model)
    model.fault_after = 33
    with pytest.raises(OhmcarloError, match="has stopped"):
        board.run(50)
    assert model.cut
    again = started(board_of(model) if new_program else board, model)
    assert not model.cut
    golden = ModelBoard(EmulatedArray(GEOMETRY, SEED))
    golden.configure(chain(), data())
    golden.start()
    found, wanted = again.run(20), golden.run(20)
    np.testing.assert_array_equal(found.accepted, wanted.accepted)
    np.testing.assert_array_equal(found.codes, wanted.codes)


def test_ctrl_c_in_a_run_halts_it(
    board: HardwareBoard, model: RegisterModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(board, model)
    board.run(3)

    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("ohmcarlo.boards.registers.records.Ring.poll", interrupt)
    with pytest.raises(KeyboardInterrupt):
        board.run(50)
    assert model.halts == 0
    board.close()
    assert model.halts == 1


def test_an_end_without_a_command_halts_nothing(board: HardwareBoard, model: RegisterModel) -> None:
    started(board, model)
    board.run(3)
    board.close()
    assert model.halts == 0


def test_a_bus_error_of_an_earlier_program(model: RegisterModel) -> None:
    model.miss(0x7FC)
    assert board_of(model).identification["clock_hz"] == CLOCK_HZ


def test_an_alarm_ends_the_block(board: HardwareBoard, model: RegisterModel) -> None:
    started(board, model)
    model.reason = Reason.ENTROPY_ALARM
    assert board.run(5).status == ENTROPY_ALARM
    model.put("status.state.alarm", 1)
    with pytest.raises(EntropyAlarm, match="the coin failed its start-up health test"):
        board.start()


def test_what_an_earlier_program_left(model: RegisterModel) -> None:
    """A running command is halted, and its records are dropped."""
    started(board_of(model), model)
    model.put("control.steps.value", 30)
    model.do_run()
    model.pump()
    assert model.get("status.state.busy")
    again = board_of(model)
    assert not model.get("status.state.busy") and len(again.remote.take_records()) == 0
    assert model.get("records.taken.value") == model.get("records.received.value")
