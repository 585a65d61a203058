"""Another model and other data in the same array: ``reload`` on every board."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from board_ports import NativePort
from native_board import NativeBoard, opened
from ohmcarlo.array.base import DOT, READ
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards import MODEL, RTL, Board, ModelBoard, SerialBoard, open_board
from ohmcarlo.boards.memory.image import LASTING
from ohmcarlo.boards.records.tally import Tally
from ohmcarlo.errors import UsageError
from ohmcarlo.golden import EpisodeLikelihood, Registers, SamplerSettings
from ohmcarlo.runs import setup
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.selftest.chain import check_chain
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.spec.link import Command
from ohmcarlo_hdl.config import REFERENCE
from ohmcarlo_hdl.regs.map import layout_of, register_map

FEATURES, REGIONS, STEPS = 9, 2, 40
GEOMETRY = Geometry(regions=REGIONS)
CODES = 2 * FEATURES
COIN_DEVICES, BITS_OF_A_COIN = 8, 24
STUCK = 0.002


@dataclass(frozen=True)
class Stage:
    """A chain: factor and scale of its proposals, and its data."""

    rho: float
    gamma_us: float
    points: int
    seed: int

    def registers(self) -> Registers:
        settings = SamplerSettings(
            rho=self.rho, gamma_us=self.gamma_us, tau_us=20.0, sigma_p=np.inf, retries=1
        )
        return settings.registers(GEOMETRY, FEATURES, lambda g: 0.05 * g)

    def data(self) -> Points:
        rng = np.random.default_rng(self.seed)
        return Points(
            rng.integers(-60, 61, (self.points, FEATURES)).astype(np.int8),
            rng.integers(0, 2, self.points).astype(np.uint8),
            rng.integers(-999, 999, self.points).astype(np.int16),
        )

    def order(self) -> np.ndarray:
        return np.random.default_rng(self.seed).permutation(self.points).astype(np.int32)


STAGES = (Stage(0.98, 25.0, 40, 1), Stage(0.9, 14.0, 57, 2), Stage(0.8, 11.5, 33, 3))


def emulated(stuck: float = STUCK) -> EmulatedArray:
    return EmulatedArray(GEOMETRY, 3, stuck=stuck)


def load(board: Board, stage: Stage, first: bool) -> None:
    (board.configure if first else board.reload)(stage.registers(), stage.data())


def play(board: Board, stage: Stage) -> dict[str, Any]:
    """The chain of a stage: half of its steps in another order of the points."""
    board.start()
    blocks = [board.run(STEPS)]
    board.set_order(stage.order())
    blocks.append(board.run(STEPS))
    before = board.ledger.counts.copy()
    mean, variance = board.predict(stage.data())
    after = board.ledger
    predicted = after.counts - before
    return {
        **{
            f"{name} {part}": getattr(block, name)
            for part, block in enumerate(blocks)
            for name in ("accepted", "log_posterior", "codes", "multiplicity", "points")
        },
        "current": board.current()[0],
        "mean": mean,
        "variance": variance,
        "retired": board.retired_rows(),
        "pulses": (after.set, after.read, after.reset),
        "predicted": (predicted[DOT], predicted[READ]),
        "raw_bits": board.entropy()["raw_bits"],
    }


def differing(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return [name for name in wanted if not np.array_equal(found[name], wanted[name])]


def stages_of(board: Board, stages: tuple[Stage, ...] = STAGES) -> Iterator[dict[str, Any]]:
    for number, stage in enumerate(stages):
        load(board, stage, first=not number)
        yield play(board, stage)


# -- the golden model ------------------------------------------------------------------------------


def by_hand(results: list[dict[str, Any]]) -> tuple[int, int, int, int]:
    """SETs, READs, devices reset and DOTs of stages without a stuck device.

    A round of a coin takes a RESET of a row, and a SET and a READ of each entropy device; it gives
    24 raw bits. A proposal, and a first sample, takes a SET and a READ of each device; a first
    sample a RESET, too. An evaluation of a point takes one access.
    """
    rounds = sum(r["raw_bits"] // BITS_OF_A_COIN for r in results)
    firsts = REGIONS * len(results)
    samples = 2 * STEPS * REGIONS * len(results) + firsts
    pulses = rounds * COIN_DEVICES + samples * CODES
    in_steps = sum(int(r[f"points {part}"].sum()) for r in results for part in (0, 1))
    held = [sum(int(r[f"accepted {part}"].sum()) for part in (0, 1)) + REGIONS for r in results]
    predicted = [n * stage.points for n, stage in zip(held, STAGES, strict=True)]
    assert [r["predicted"] for r in results] == [(n, 0) for n in predicted]
    dots = in_steps + sum(REGIONS * stage.points for stage in STAGES) + sum(predicted)
    return pulses, pulses, (rounds + firsts) * GEOMETRY.row_devices, dots


def counted(board: ModelBoard) -> tuple[int, int, int, int]:
    ledger = board.ledger
    return ledger.set, ledger.read, ledger.reset, ledger.dot


def test_the_ledger_over_stages() -> None:
    """Pulses, accesses and wear of all stages add up to a count made by hand."""
    board = ModelBoard(emulated(stuck=0.0))
    results = list(stages_of(board))
    assert counted(board) == by_hand(results)
    assert board.ledger.wear.sum() == board.ledger.set
    assert board.state_dict()["array.counter"] == board.ledger.set


class Forgets(ModelBoard):
    """A board whose reload restarts the pulses, or clears wear and counts."""

    what = ""

    def reload(self, registers: Registers, points: Points) -> None:
        super().reload(registers, points)
        if self.what == "pulses":
            self.array.state.counter[:] = 0  # type: ignore[attr-defined]
        elif self.what == "counts":
            self.ledger.counts[:] = 0
            self.ledger.wear[:] = 0


@pytest.mark.parametrize(("what", "found"), [("pulses", "codes 0"), ("counts", "pulses")])
def test_an_array_that_forgets_is_found(what: str, found: str) -> None:
    """The control: the comparison between boards finds either error in the second stage."""
    forgets = Forgets(emulated())
    forgets.what = what
    pairs = list(zip(stages_of(forgets), stages_of(ModelBoard(emulated())), strict=True))
    assert not differing(*pairs[0])
    assert found in differing(*pairs[1])


@pytest.mark.parametrize(
    ("what", "passes"),
    [pytest.param("nothing", True, marks=pytest.mark.verify), ("pulses", False)],
)
def test_the_selftest_finds_it(what: str, passes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(backend: str, array: EmulatedArray, say: object) -> ModelBoard:
        board = ModelBoard(array) if backend == MODEL else Forgets(array)
        if isinstance(board, Forgets):
            board.what = what
        return board

    monkeypatch.setattr(setup, "open_board", opened)
    config = TrainConfig(task="toy2d", backend=RTL, rows=64, pairs=16, whiten=True)
    passed, detail = check_chain(config)
    assert passed == passes, detail
    assert ("200 steps of two chains" if passes else "different from the model: ") in detail
    assert ("first differing step is step" in detail) is not passes


def test_rows_stay_out_of_service() -> None:
    """A row that left service in a stage is not programmed in the next one."""
    board = ModelBoard(emulated())
    load(board, STAGES[0], first=True)
    out = play(board, STAGES[0])["retired"]
    assert len(out) > 3
    worn = board.ledger.wear.copy()
    load(board, STAGES[1], first=False)
    assert board.retired_rows() == out
    assert set(out) <= set(play(board, STAGES[1])["retired"])
    assert np.array_equal(board.ledger.wear[out], worn[out]) and (board.ledger.wear > worn).any()


def test_a_region_without_rows() -> None:
    board = ModelBoard(emulated())
    load(board, STAGES[0], first=True)
    board.start()
    board.controller.state.bad[:126] = True
    with pytest.raises(UsageError, match="region 0 has 2 row groups without a bad row"):
        load(board, STAGES[1], first=False)


@pytest.mark.parametrize("started", [True, False], ids=["in mid-chain", "before the start"])
def test_a_state_after_a_reload(started: bool) -> None:
    """Another process goes on from it bit for bit, ledger and wear included."""
    boards = [ModelBoard(emulated()) for _ in range(2)]
    whole, again = boards
    list(stages_of(whole, STAGES[:2]))
    load(whole, STAGES[2], first=False)
    load(again, STAGES[0], first=True)
    load(again, STAGES[2], first=False)
    if started:
        whole.start()
        whole.run(STEPS)
    again.load_state_dict(whole.state_dict())
    assert again.retired_rows() == whole.retired_rows() != []
    if not started:
        for board in boards:
            board.start()
    assert_same_end(whole, again)


def bad_rows_of(state: dict[str, Any]) -> list[int]:
    return [GEOMETRY.group_row(int(group)) for group in np.flatnonzero(state["controller.bad"])]


def assert_same_end(whole: Board, again: Board) -> None:
    """Both go on alike, with equal ledgers."""
    found, wanted = (board.run(STEPS) for board in (again, whole))
    assert np.array_equal(found.log_posterior, wanted.log_posterior)
    assert np.array_equal(found.codes, wanted.codes)
    assert np.array_equal(again.ledger.counts, whole.ledger.counts)
    assert np.array_equal(again.ledger.wear, whole.ledger.wear)


# -- what is refused -------------------------------------------------------------------------------


@pytest.fixture
def native() -> Iterator[NativeBoard]:
    with opened() as board:
        yield board


@pytest.fixture
def board(native: NativeBoard) -> SerialBoard:
    port = NativePort(native)
    return SerialBoard(port, emulated(), "serial:port", port.clock, check=False)


FIRST = STAGES[0].registers()
FEWER = Points.of(np.zeros((5, FEATURES - 1), np.int8))
MANY = Points.of(np.zeros((1025, FEATURES), np.int8))


@pytest.mark.parametrize(
    ("change", "data", "said"),
    [
        ({"geometry": Geometry(regions=1)}, STAGES[1].data(), "regions = 1 here, 2 in the chain"),
        ({"geometry": Geometry(rows=128, regions=2)}, STAGES[1].data(), "use configure"),
        ({}, FEWER, "8 inputs, the registers are set for 9"),
        ({}, MANY, "1025 data points"),
    ],
)
def test_what_does_not_fit(
    board: SerialBoard, change: dict[str, Any], data: Points, said: str
) -> None:
    """A board is not touched by what does not fit, and the chain goes on."""
    board.configure(FIRST, STAGES[0].data())
    board.start()
    frames = board.link.counters.frames_sent
    with pytest.raises(UsageError) as error:
        board.reload(replace(FIRST, **change), data)
    assert said in str(error.value) and board.link.counters.frames_sent == frames
    assert len(board.run(2).accepted) == 4
    if data is not MANY:  # the model has room for any number
        model = ModelBoard(emulated())
        model.configure(FIRST, STAGES[0].data())
        with pytest.raises(UsageError, match=said):
            model.reload(replace(FIRST, **change), data)


@pytest.mark.parametrize("kind", [ModelBoard, None], ids=["model", "board"])
def test_chains_that_have_no_data(board: SerialBoard, kind: Callable[..., Board] | None) -> None:
    """Before configure(), and with a judge."""
    there: Board = board if kind is None else kind(emulated())
    with pytest.raises(UsageError, match=r"call configure\(\) first"):
        there.reload(FIRST, STAGES[1].data())
    chain = replace(FIRST, features=5)
    nothing = Points.of(np.zeros((0, 5), np.int8))
    there.configure(chain, nothing, EpisodeLikelihood(seed=1))
    with pytest.raises(UsageError, match="no data to reload"):
        there.reload(chain, nothing)


# -- the firmware ----------------------------------------------------------------------------------


def sent_by(board: SerialBoard, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Commands and windows that are sent from now on, in order."""
    sent: dict[str, list[str]] = {"commands": [], "windows": []}
    command, load_window = board.remote.command, board.remote.load

    def note_command(given: Command, argument: int = 0) -> None:
        sent["commands"].append(given.name)
        command(given, argument)

    def note_window(window: str, *others: Any) -> None:
        sent["windows"].append(window)
        load_window(window, *others)

    monkeypatch.setattr(board.remote, "command", note_command)
    monkeypatch.setattr(board.remote, "load", note_window)
    return sent


def test_what_is_sent(
    board: SerialBoard, native: NativeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator is not touched, tables that are there already are not sent, and the counters and
    the wear of the board go on. The board refuses nothing."""
    board.configure(FIRST, STAGES[0].data())
    board.start()
    board.run(STEPS)
    board.remote.load("state_wear", np.arange(256, dtype=np.uint32))
    clocks, before = board.clock_cycles(), board.ledger
    assert clocks > 0
    sent = sent_by(board, monkeypatch)
    board.reload(STAGES[1].registers(), STAGES[1].data())
    assert sent["commands"] == ["RESET_STATE", "RESET_STATE"]
    assert sorted(sent["windows"]) == ["order", "points", "state_counters"]
    assert board.clock_cycles() == clocks
    assert np.array_equal(board.ledger.counts, before.counts)
    assert np.array_equal(board.ledger.wear, before.wear)
    assert board.remote.read_one("model.points.value") == STAGES[1].points
    assert board.remote.read_one("proposal.rho.value") == STAGES[1].registers().rho
    board.start()
    assert len(board.run(STEPS).accepted) == STEPS * REGIONS
    assert board.clock_cycles() > clocks
    assert native.unsafe == 0, native.unsafe_reason


def test_rows_that_the_board_took_out_of_service(board: SerialBoard, native: NativeBoard) -> None:
    """They are in the map of bad rows of the next chain, whether it is started or not."""
    bad_rows = layout_of(register_map(REFERENCE, emulator=True))["windows"]["bad_rows"]
    board.configure(FIRST, STAGES[0].data())
    assert board.retired_rows() == []
    board.start()
    groups = np.zeros(256, np.uint32)
    groups[[7, 200]] = 1
    board.remote.load("state_groups", groups)
    for stage in (STAGES[1], STAGES[2]):
        board.reload(stage.registers(), stage.data())
        assert board.retired_rows() == [7, 200]
        assert [row for row in range(256) if native.peek(bad_rows + 4 * row)] == [7, 200]
    board.configure(FIRST, STAGES[0].data())
    assert board.retired_rows() == []
    assert native.peek(bad_rows + 4 * 7) == 0


def test_other_tables_are_sent(board: SerialBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    board.configure(FIRST, STAGES[0].data())
    sent = sent_by(board, monkeypatch)
    other = replace(FIRST, inv_sigma=FIRST.inv_sigma + 1)
    board.reload(other, STAGES[0].data())
    assert set(sent["windows"]) & set(LASTING) == {"inv_sigma"}


def test_predictions_of_the_points_in_memory(
    board: SerialBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The points of the chain are not sent again."""
    data = STAGES[0].data()
    board.configure(FIRST, data)
    board.start()
    sent = sent_by(board, monkeypatch)
    board.remote.load("state_held", np.ones(256, np.uint32))
    sent["windows"].clear()
    mean, _ = board.predict(data)
    assert len(mean) == len(data) and sent["windows"] == []
    board.predict(STAGES[1].data())
    assert sent["windows"] == ["points", "points"]


# -- the ledger of a board -------------------------------------------------------------------------


def counters(**values: int) -> dict[str, int]:
    return {f"counters.{n}": values.get(n, 0) for n in Tally.COUNTED}


def test_a_ledger_goes_on() -> None:
    """Counts before and after, digital dot products outside of steps, and the estimates that a
    checkpoint keeps."""
    chain = replace(FIRST, digital=True)
    tally = Tally(emulated(), chain)
    before = {"counts": np.arange(10), "wear": np.full((256, 64), 3, np.int32)}
    wear = np.zeros(256, np.uint32)
    wear[4] = 5
    tally.goes_on(before, counters(set=100, points=7), wear)
    assert np.array_equal(tally.ledger(counters(set=100, points=7), wear).counts, np.arange(10))
    wear[4] = 15
    tally.note_start(wear, [4])  # nine rounds of the start-up test, and a first sample
    tally.note_evaluated(20)
    tally.note(np.full((3, CODES), 500, np.uint16))
    wear[4] = 16
    found = tally.ledger(counters(set=150, points=17), wear)
    assert (found.set, found.digital) == (50, 8 + 30)
    assert set(found.wear[4, :CODES]) == {3 + 2} and set(found.wear[4, 56:]) == {3 + 9 + 1}
    assert set(found.wear[5]) == {3}
    state: dict[str, Any] = {
        "array.ledger.counts": found.counts,
        "array.ledger.wear": found.wear,
    }
    tally.put(state)
    other = Tally(emulated(), chain)
    other.check(state)
    other.take(state, counters(set=150, points=17), wear)
    later = counters(set=190, points=18)
    assert np.array_equal(other.ledger(later, wear).counts, tally.ledger(later, wear).counts)
    assert np.array_equal(other.ledger(later, wear).wear, found.wear)
    with pytest.raises(UsageError, match=r"board\.tally"):
        other.check({"board.tally": np.zeros(3, np.int64)})


# -- the hardware ----------------------------------------------------------------------------------

hardware_test = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs pseudo-terminals")


def simulated() -> SerialBoard:
    board = open_board(RTL, emulated(), print)
    assert isinstance(board, SerialBoard)
    return board


@pytest.mark.hdl
@hardware_test
def test_three_stages_on_the_hardware() -> None:
    """Chains, predictions, pulses and rows out of service are those of the model in every stage;
    the clocks go on. The control: pulses that begin again are found."""
    with closing(simulated()) as hardware:
        clocks = 0
        model = ModelBoard(emulated())
        for found, wanted in zip(stages_of(hardware), stages_of(model), strict=True):
            assert not differing(found, wanted)
            assert wanted["retired"] and wanted["predicted"][0]
            assert clocks < (clocks := hardware.clock_cycles())
            # accesses under way when a proposal is rejected are wasted
            ledger, golden = hardware.ledger, model.ledger
            assert golden.dot <= ledger.dot < 1.25 * golden.dot
            assert np.abs(ledger.wear - golden.wear).sum() < 0.01 * golden.wear.sum()
            for name in ("set_conductance_us", "dot_conductance_us"):
                assert getattr(ledger, name) / getattr(golden, name) == pytest.approx(
                    1.0, rel=0.25 if name.startswith("dot") else 0.01
                )
        load(hardware, STAGES[0], first=False)
        load(model, STAGES[0], first=False)
        hardware.remote.command(Command.EMULATOR_RESTART)
        assert "codes 0" in differing(play(hardware, STAGES[0]), play(model, STAGES[0]))


@pytest.mark.hdl
@pytest.mark.verify
@hardware_test
def test_states_after_a_reload_on_the_hardware() -> None:
    """Another process takes over a chain after a reload: board from board, model from board, and
    board from model. A board goes on with the same ledger, its estimates included."""
    with closing(simulated()) as whole, closing(simulated()) as again:
        list(stages_of(whole, STAGES[:2]))
        load(whole, STAGES[2], first=False)
        model = ModelBoard(emulated())
        for board in (again, model):
            load(board, STAGES[0], first=True)
            load(board, STAGES[2], first=False)
        before_start = whole.state_dict()
        whole.start()
        first_steps = whole.run(STEPS)
        state = whole.state_dict()
        for board in (again, model):
            board.load_state_dict(before_start)
            assert board.retired_rows() == bad_rows_of(before_start) != []
            board.start()
            made = board.run(STEPS)
            assert np.array_equal(made.log_posterior, first_steps.log_posterior)
            assert np.array_equal(made.codes, first_steps.codes)
        assert np.array_equal(again.ledger.counts, whole.ledger.counts)
        assert np.array_equal(again.ledger.wear, whole.ledger.wear)
        again.load_state_dict(state)
        assert again.clock_cycles() == whole.clock_cycles()
        assert_same_end(whole, again)
        model.load_state_dict(state)
        assert model.retired_rows() == bad_rows_of(state)
        assert np.array_equal(model.ledger.counts, state["array.ledger.counts"])
        model.run(STEPS)
        again.load_state_dict(model.state_dict())
        assert np.array_equal(again.ledger.counts, model.ledger.counts)
        assert np.array_equal(again.ledger.wear, model.ledger.wear)
        results = [b.run(STEPS).log_posterior for b in (whole, again, model)]
        assert np.array_equal(results[0], results[1])
        assert np.array_equal(results[0], results[2])
        load(model, STAGES[1], first=False)
        load(again, STAGES[1], first=False)
        assert not differing(play(again, STAGES[1]), play(model, STAGES[1]))
