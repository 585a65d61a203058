"""The whole simulated board: hardware, firmware, link and host give the chain of the model."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array.characterize.evaluation import characterize
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards import Block, BoardLost, SerialBoard
from ohmcarlo.boards.link import ports
from ohmcarlo.boards.link.ports import SimulatedPort
from ohmcarlo.golden import Thresholds, predict
from ohmcarlo.reproduce.wakeup.costs import Costs
from ohmcarlo.runs import chain_run, folder, stored
from ohmcarlo.runs.chain_run import Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.sections.array import geometry_of
from ohmcarlo.runs.sections.state import HeldRows, read_state
from ohmcarlo.runs.supervised.experiment import build_supervised
from ohmcarlo.runs.train import Outputs, resume_run, train_regression, train_run
from ohmcarlo.selftest import chain as checks
from ohmcarlo.spec import Geometry, Points

pytestmark = [
    pytest.mark.hdl,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs pseudo-terminals"),
]

RTL = TrainConfig("breast-cancer", backend="rtl", steps=1000, whiten=True, rho=0.8)
MODEL = replace(RTL, backend="model")
TIMELESS = (
    "accepted", "samples", "accuracy", "accesses", "accesses_without_early_reject", "entropy",
    "retired_rows", "geometry", "ess_min", "status",
)  # fmt: skip


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[SimulatedPort]]:
    """The simulated boards that a test started; all must have ended after it."""
    found: list[SimulatedPort] = []
    begin = SimulatedPort.__init__

    def note(self: SimulatedPort, program: Path, *others: float) -> None:
        begin(self, program, *others)
        found.append(self)

    monkeypatch.setattr(ports.SimulatedPort, "__init__", note)
    yield found
    assert found and all(port.process.poll() is not None for port in found)


def trace_of(folder: Path) -> dict[str, np.ndarray]:
    return stored.read_trace(folder).arrays()


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> list[str]:
    return [name for name in a if not np.array_equal(a[name], b[name])]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "run"
    train_run(MODEL, Outputs(folder), Silence())
    return folder


@pytest.mark.verify
def test_an_array_that_adapts(tmp_path: Path, started: list[SimulatedPort]) -> None:
    """Every stage and the chain after them are bit-identical, and so are the coordinates."""
    adapting = replace(RTL, rho=None, adapt=True, chains=4, steps=100)
    found = train_run(adapting, Outputs(tmp_path / "rtl"), Silence())
    wanted = train_run(replace(adapting, backend="model"), Outputs(tmp_path / "model"), Silence())
    assert not (differ := same(trace_of(tmp_path / "rtl"), trace_of(tmp_path / "model"))), differ
    assert {n: found[n] for n in TIMELESS} == {n: wanted[n] for n in TIMELESS}
    assert found["encoder"] == wanted["encoder"]
    assert found["adaptation"]["stages"] == wanted["adaptation"]["stages"]
    assert found["adaptation"]["pulses"]["set"] == wanted["adaptation"]["pulses"]["set"]


def test_a_thousand_steps(
    model: Path,
    tmp_path: Path,
    started: list[SimulatedPort],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Decisions, log-posteriors, codes and multiplicities are bit-identical to those of the
    model."""
    monkeypatch.setattr(chain_run, "LAST_SAVING_S", np.inf)  # the machine may be busy
    found = train_run(RTL, Outputs(tmp_path / "run"), Silence())
    assert not (differ := same(trace_of(tmp_path / "run"), trace_of(model))), differ
    wanted = stored.read_result(model)
    assert {n: found[n] for n in TIMELESS} == {n: wanted[n] for n in TIMELESS}
    for kind in ("set", "read", "reset"):
        assert found["pulses"][kind] == wanted["pulses"][kind]
    # accesses under way when a proposal is rejected are wasted
    assert wanted["pulses"]["dot"] <= found["pulses"]["dot"] < 1.1 * wanted["pulses"]["dot"]
    assert found["energy_joules"] == pytest.approx(wanted["energy_joules"], rel=0.05)
    assert found["clock_cycles"] > found["pulses"]["dot"] and found["clock_hz"] > 1e6
    assert wanted["clock_cycles"] is None
    board = stored.read_manifest(tmp_path / "run")["board"]
    assert board["backend"] == "rtl" and board["simulated"] and len(board["design_hash"]) == 8
    # what pages show: the link, and the samples in the rows
    assert wanted["link"] is None and found["link"]["frames_received"] > 0
    assert found["link"]["damaged"] == 0
    held, known = (
        HeldRows.of(read_state(path).arrays, geometry_of(found))
        for path in (tmp_path / "run", model)
    )
    assert held.use == known.use
    assert np.array_equal(held.conductance, known.conductance, equal_nan=True)


def test_a_chain_of_numbers(started: list[SimulatedPort]) -> None:
    """Regression: every point is quadratic and carries its label in its offset. The board gives the
    trace of the model, and the host the same draws of weights and noise from it."""
    config = replace(RTL, task="diabetes", steps=30)
    hardware, golden = (
        train_regression(replace(config, backend=backend)) for backend in ("rtl", "model")
    )
    assert not (differ := same(hardware.trace.arrays(), golden.trace.arrays())), differ
    assert np.array_equal(hardware.draws, golden.draws)
    assert hardware.values["rmse"] == golden.values["rmse"]
    assert 5 < hardware.values["accepted"] < 28


@pytest.mark.verify
def test_numbers_are_adapted_to_alike(started: list[SimulatedPort]) -> None:
    """All stages of an adaptation to numbers, then the chain: the trace of the model."""
    config = replace(RTL, task="diabetes", steps=50, adapt=True, rho=None)
    hardware, golden = (
        train_regression(replace(config, backend=backend)) for backend in ("rtl", "model")
    )
    assert not (differ := same(hardware.trace.arrays(), golden.trace.arrays())), differ
    stages = [found.values["adaptation"]["stages"] for found in (hardware, golden)]
    assert stages[0] == stages[1] and len(stages[0]) >= 4
    assert np.array_equal(hardware.draws, golden.draws)


class Kills(Silence):
    """Ends the running board after this number of steps, as a crash does."""

    def __init__(self, boards: list[SimulatedPort], after: int) -> None:
        self.boards, self.after = boards, after

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        if steps >= self.after:
            os.kill(self.boards[-1].process.pid, signal.SIGKILL)
            self.after = 1 << 30


def test_killed_in_mid_run_and_resumed(
    tmp_path: Path, started: list[SimulatedPort], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After kill -9 of the board, twice, the run continues from the last checkpoint, bit for
    bit."""
    short = replace(RTL, steps=300)
    train_run(replace(short, backend="model"), Outputs(tmp_path / "model"), Silence())
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 40)
    run = tmp_path / "run"
    outputs = Outputs(run, checkpoint_seconds=0.0)
    with pytest.raises(BoardLost, match=r"board ended by signal 9.*ohmcarlo resume") as lost:
        train_run(short, outputs, Kills(started, 90))
    assert "\n" not in str(lost.value)
    first = folder.RunFolder(run)
    checkpoint = first.checkpoint()
    first.close()
    assert checkpoint is not None and 0 < checkpoint.steps < short.steps
    with pytest.raises(BoardLost, match="ohmcarlo resume"):
        resume_run(outputs, Kills(started, 200))
    resume_run(outputs, Silence())
    assert len(started) == 3
    assert not (differ := same(trace_of(run), trace_of(tmp_path / "model"))), differ


@pytest.mark.verify
def test_two_seconds_are_lost_at_most(
    tmp_path: Path, started: list[SimulatedPort], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream is on disk after every period of work (by default two seconds, here less, for fast
    machines), although the state is not read. The model takes the run over, and ends with its own
    trace."""
    period = 0.2
    monkeypatch.setattr(chain_run, "FIRST_SAVING_S", 1e9)
    short = replace(RTL, steps=1000)
    train_run(replace(short, backend="model"), Outputs(tmp_path / "model"), Silence())
    run = tmp_path / "run"
    work, blocks = list[float](), list[float]()
    save, run_block = folder.RunFolder.save, chain_run.ChainRun._run_block

    def note(self: folder.RunFolder, chunk: Block | None, **fields: Any) -> None:
        work.append(fields["seconds"])
        save(self, chunk, **fields)

    def note_block(self: chain_run.ChainRun, total: int) -> None:
        if not work:
            work.append(self.seconds)  # of the start
        run_block(self, total)
        blocks.append(self.seconds)

    monkeypatch.setattr(folder.RunFolder, "save", note)
    monkeypatch.setattr(chain_run.ChainRun, "_run_block", note_block)
    with pytest.raises(BoardLost, match="ohmcarlo resume"):
        train_run(short, Outputs(run, checkpoint_seconds=period), Kills(started, 700))
    assert len(work) > 2
    for saved, next_saved in pairwise(work):  # a block under way is not interrupted
        assert max((end for end in blocks if end < next_saved), default=saved) < saved + period
    with folder.RunFolder(run) as held:
        checkpoint = held.checkpoint()
    assert checkpoint is not None and 0 == checkpoint.state_steps < checkpoint.steps < 1000
    assert checkpoint.counters["board.counters"].any()
    found = resume_run(Outputs(run), Silence(), "model")
    assert found["backend"] == "model"
    assert not (differ := same(trace_of(run), trace_of(tmp_path / "model"))), differ


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"hidden": 2, "features": 4, "whiten": False, "rho": 0.98}, id="network"),
        pytest.param(
            {"hidden": 2, "features": 4, "whiten": False, "rho": None},
            id="network-random-walk",
            marks=pytest.mark.verify,
        ),
        pytest.param(
            {"hidden": 2, "features": 4, "whiten": False, "rho": 0.9, "pilot": True},
            id="network-pilot",
            marks=pytest.mark.verify,
        ),
        pytest.param({"chains": 3, "preset": "rram-1t1r", "kernel": "published"}, id="preset"),
        pytest.param(
            {"chains": 2, "preset": "relative-5pct,c2c_rel=0.005", "wide_every": 4},
            id="folded",
            marks=pytest.mark.verify,
        ),
    ],
)
def test_other_chains(
    changes: dict[str, object], tmp_path: Path, started: list[SimulatedPort]
) -> None:
    """Networks in row groups, and several chains on trimmed devices, some of them stuck."""
    config = TrainConfig(**(RTL.to_dict() | {"steps": 120} | changes))
    train_run(config, Outputs(tmp_path / "rtl"), Silence())
    train_run(replace(config, backend="model"), Outputs(tmp_path / "model"), Silence())
    differ = same(trace_of(tmp_path / "rtl"), trace_of(tmp_path / "model"))
    assert not differ, differ


def test_a_checkpoint_goes_from_the_model_to_the_board_and_back(
    started: list[SimulatedPort],
) -> None:
    """The chain continues in both directions."""
    with closing(build_supervised(MODEL)) as golden, closing(build_supervised(RTL)) as hardware:
        golden.setup.board.start()
        golden.setup.board.run(60)
        hardware.setup.board.load_state_dict(golden.setup.board.state_dict())
        blocks = [golden.setup.board.run(60), hardware.setup.board.run(60)]
        assert np.array_equal(blocks[0].log_posterior, blocks[1].log_posterior)
        golden.setup.board.load_state_dict(hardware.setup.board.state_dict())
        blocks = [golden.setup.board.run(60), hardware.setup.board.run(60)]
        assert np.array_equal(blocks[0].log_posterior, blocks[1].log_posterior)
        assert np.array_equal(blocks[0].codes, blocks[1].codes)


def test_prediction_in_the_array(started: list[SimulatedPort]) -> None:
    """Means and variances over the samples in the array equal those of the golden model, and so do
    the answers and the doubts of the processor."""
    four = (replace(config, chains=4) for config in (MODEL, RTL))
    golden, hardware = (build_supervised(config) for config in four)
    with closing(golden), closing(hardware):
        for experiment in (golden, hardware):
            experiment.setup.board.start()
            experiment.setup.board.run(150)  # rows are freed and used again
        answers = [e.setup.board.predict(e.test_points) for e in (golden, hardware)]
        assert np.array_equal(answers[0], answers[1])
        decide = Thresholds.of(margin=0.1, variance=0.01)
        wanted, found = (e.setup.board.triage(e.test_points, decide) for e in (golden, hardware))
        assert 0 < wanted.doubtful.sum() < len(wanted.doubtful)
        for name in ("answers", "doubtful", "samples", "sums"):
            assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
        codes, multiplicity, _ = hardware.setup.board.current()
        alone = predict(hardware.setup.registers, hardware.test_points, codes, multiplicity)
        assert not np.array_equal(answers[1], alone), "it is more than the current sample's"
        # a checkpoint holds the content of the rows without a read of them
        state = hardware.setup.board.state_dict()
        assert isinstance(hardware.setup.board, SerialBoard)
        rows = np.flatnonzero(state["controller.held"]).tolist()
        assert len(rows) > 30
        used = 2 * hardware.setup.registers.features
        read = hardware.setup.board.remote.read_rows(rows, 0, used)
        assert np.array_equal(read, state["array.codes"][rows, :used])
        hardware.setup.board.configure(hardware.setup.registers, hardware.setup.points)
        hardware.setup.board.load_state_dict(state)
        assert np.array_equal(hardware.setup.board.predict(hardware.test_points), answers[0])


@pytest.mark.verify
def test_clocks_of_a_triage(started: list[SimulatedPort]) -> None:
    """A point takes the clocks that the energy of a beat assumes, or those of its prediction, six
    for each row with a sample; a doubtful one those of its transmission, too.

    The board's clock runs on while it waits for the host's acknowledgements, which can only add
    clocks: the least of five differences counts.
    """
    with closing(build_supervised(replace(RTL, chains=4))) as hardware:
        board, points = hardware.setup.board, hardware.test_points
        assert isinstance(board, SerialBoard)
        board.start()
        board.run(150)
        plain, sent = (
            min(clocks_of_a_point(board, points, limits) for _ in range(5))
            for limits in (Thresholds(), Thresholds(0))
        )
        costs, rows = Costs(), len(board._held())
    assert plain == pytest.approx(max(costs.point_clocks.value, 6 * rows), rel=0.25)
    assert costs.doubtful_clocks.low < sent - plain < costs.doubtful_clocks.high


def clocks_of_a_point(board: SerialBoard, points: Points, limits: Thresholds) -> float:
    """Clocks of the board for each of 200 points more."""
    clocks = []
    for count in (85, 285):
        board._load_points(Points.of(points.inputs[:count]))
        board.current()
        before = board.board_clocks
        board._triage_part(count, limits)
        clocks.append(board.board_clocks - before)
    return (clocks[1] - clocks[0]) / 200


def test_selftest(started: list[SimulatedPort]) -> None:
    found = list(checks.run_selftest("rtl", "emulator", None, 5, print))
    assert [check.name for check in found] == [
        "link", "memory", "registers", "devices", "generator", "chain", "coin",
        "early rejection", "checkpoint",
    ]  # fmt: skip
    assert all(check.passed for check in found), found


def test_characterisation_sees_the_same_array(started: list[SimulatedPort]) -> None:
    """Row by row, the codes equal those of the emulated array in this process, and so do the
    results."""
    array = EmulatedArray(Geometry(), 8, d2d_rel=0.02, stuck=0.01)
    port = SimulatedPort(ports.build_simulated(array.geometry, print))
    with closing(SerialBoard(port, array, "rtl")) as board:
        behind = board.raw_array()
        options = {"rows": [3, 200], "devices": [0, 1, 31, 63], "cycles": 4}
        found, wanted = (characterize(a, **options) for a in (behind, array))
    for name in ("trim_offset", "trim_gain", "dead", "dac", "mean_us"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name


def predicted(config: TrainConfig, copies: int = 1) -> tuple[np.ndarray, ...]:
    """Mean and variance of every test point, ``copies`` times, from the samples in the array, and
    the log-posteriors of the steps that follow."""
    with closing(build_supervised(config)) as experiment:
        chain_run.ChainRun(experiment.setup).run()
        board, points = experiment.setup.board, experiment.test_points
        many = Points(
            np.tile(points.inputs, (copies, 1)),
            np.tile(points.labels, copies),
            np.tile(points.offsets, copies),
        )
        found = board.predict(many)
        assert len(found[0]) == len(points) * copies
        return *found, board.run(5).log_posterior


@pytest.mark.verify
def test_predictions_of_more_points_than_the_memory(started: list[SimulatedPort]) -> None:
    short = replace(RTL, steps=40)
    model, rtl = (predicted(replace(short, backend=b), copies=5) for b in ("model", "rtl"))
    assert all(np.array_equal(a, b) for a, b in zip(model, rtl, strict=True))


@pytest.mark.verify
@pytest.mark.data("mitdb")
def test_predictions_of_all_beats(started: list[SimulatedPort]) -> None:
    """47,480 beats in 47 parts. They take the simulated board some 360 million clocks."""
    ecg = TrainConfig("ecg", backend="rtl", steps=60, whiten=True, rho=0.8)
    model, rtl = (predicted(replace(ecg, backend=b)) for b in ("model", "rtl"))
    assert len(rtl[0]) == 47_480
    assert all(np.array_equal(a, b) for a, b in zip(model, rtl, strict=True))
