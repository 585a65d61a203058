"""Runs on several boards: equal chains, boards that are lost, and those that take over."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo import boards
from ohmcarlo.array.base import Array
from ohmcarlo.boards import Block, BoardLost, ModelBoard
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.progress import Silence
from ohmcarlo.runs import chain_run, stored
from ohmcarlo.runs.chain_run import Interrupted
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.train import Outputs, resume_run, train, train_run

CONFIG = TrainConfig("toy2d", rows=64, pairs=8, steps=260, chains=4, seed=2, backend="model,model")
ADAPTED = TrainConfig(**(CONFIG.to_dict() | {"adapt": True, "whiten": True, "steps": 120}))
LOST = "the board has not answered for 5 s: check its power and its cable"


def same(a: Path, b: Path) -> bool:
    found, wanted = (stored.read_trace(path).arrays() for path in (a, b))
    return all(np.array_equal(found[name], wanted[name]) for name in wanted)


def changed(config: TrainConfig, **changes: Any) -> TrainConfig:
    return TrainConfig(**(config.to_dict() | changes))


class Port(ModelBoard):
    """A board at a serial port; one port may be lost after some steps of its chain."""

    life = 1 << 30
    mortal = "serial:B"
    delay = 0.0

    def __init__(self, name: str, array: Array) -> None:
        super().__init__(array)
        self.name = name

    def run(self, steps: int) -> Block:
        if self.name == self.mortal and self.controller.steps >= self.life:
            raise BoardLost(LOST)
        time.sleep(self.delay * (self.name == self.mortal))
        return super().run(steps)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Complete runs on the model, without and with an adaptation."""
    folder = tmp_path_factory.mktemp("whole")
    for adapts, config in {False: CONFIG, True: ADAPTED}.items():
        train_run(config, Outputs(folder / str(adapts)), Silence())
    return {adapts: folder / str(adapts) for adapts in (False, True)}


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> type[Port]:
    """Serial ports with boards, which run in blocks of a few steps."""

    def opens(name: str, array: Array, say: Any) -> ModelBoard:
        return Port(name, array) if name.startswith("serial:") else ModelBoard(array)

    monkeypatch.setattr(boards, "open_board", opens)
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 25)
    monkeypatch.setattr(Port, "life", 1 << 30)
    return Port


def test_the_first_board_has_the_chains_of_a_run_on_one_board() -> None:
    """The seed of the first array is that of the run. The second board has other chains."""
    ours = train(CONFIG).trace
    theirs = train(changed(CONFIG, backend="model", chains=2)).trace
    levels, wanted = ours.log_posterior_nat(), theirs.log_posterior_nat()
    assert np.array_equal(levels[:2], wanted)
    assert not np.array_equal(levels[2:], wanted)
    assert ours.chains == 4 and ours.steps == 260
    assert len(set(CONFIG.array_seeds)) == 2 and CONFIG.array_seeds[0] == CONFIG.array_seed


def test_speed_does_not_change_a_run(
    tmp_path: Path,
    whole: dict[bool, Path],
    ports: type[Port],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A board that is much slower than the other, and blocks of other lengths: the same trace,
    with an adaptation that needs the samples of both."""
    monkeypatch.setattr(ports, "delay", 0.02)
    both = changed(ADAPTED, backend="serial:A,serial:B")
    train_run(both, Outputs(tmp_path / "ports"), Silence())
    assert same(tmp_path / "ports", whole[True])


def lose(tmp_path: Path, ports: type[Port], monkeypatch: pytest.MonkeyPatch, life: int) -> str:
    """Begin a run whose second board is lost after so many steps; its message."""
    monkeypatch.setattr(ports, "life", life)
    outputs = Outputs(tmp_path / "run", checkpoint_seconds=0.0)
    with pytest.raises(BoardLost) as lost:
        train_run(changed(CONFIG, backend="serial:A,serial:B"), outputs, Silence())
    monkeypatch.setattr(ports, "life", 1 << 30)
    assert lost.value.exit_code == 1
    return str(lost.value)


@pytest.mark.parametrize("backend", [None, "serial:A", "serial:A,serial:C"])
def test_a_lost_board_costs_its_own_steps_only(
    backend: str | None,
    tmp_path: Path,
    whole: dict[bool, Path],
    ports: type[Port],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other board goes on to its last step. The run continues with both boards, on one of them
    alone, or with another one."""
    run = tmp_path / "run"
    text = lose(tmp_path, ports, monkeypatch, 100)
    assert text.startswith(f"board 1, serial:B (chains 2, 3): {LOST}; interrupted after 260 ")
    assert f"`ohmcarlo resume {run}` continues" in text
    assert f"`ohmcarlo resume {run} --backend serial:A`" in text
    kept = [int(np.load(run / f"board-{i}" / "checkpoint.npz")["steps"]) for i in range(2)]
    assert kept[0] == 260 and 0 < kept[1] < 260 and f"{kept[1]} (board 1) of 260" in text
    assert not (run / "result.json").exists()
    values = resume_run(Outputs(run), Silence(), backend)
    assert same(run, whole[False])
    assert values["chains"] == 4 and values["steps"] == 260
    assert [board["chains"] for board in values["boards"]] == [[0, 1], [2, 3]]
    energies = [board["energy_joules"] for board in values["boards"]]
    assert np.isclose(sum(energies), values["energy_joules"]) and min(energies) > 0


def test_a_lost_board_ends_a_run_that_is_not_kept(
    ports: type[Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "life", 100)
    with pytest.raises(BoardLost, match=r"serial:B.*nothing was kept: with --out RUN"):
        train(changed(CONFIG, backend="serial:A,serial:B"))


def test_a_board_that_is_lost_during_the_adaptation(
    tmp_path: Path,
    whole: dict[bool, Path],
    ports: type[Port],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All stages that are kept are those of both arrays; one board alone can go on, in turns."""
    run, config = tmp_path / "run", changed(ADAPTED, backend="serial:A,serial:B")
    monkeypatch.setattr(ports, "mortal", "serial:B")
    monkeypatch.setattr(ports, "life", 0)
    with pytest.raises(BoardLost, match=r"^board 1, serial:B: the board has not answered"):
        train_run(config, Outputs(run, checkpoint_seconds=0.0), Silence())
    resume_run(Outputs(run), Silence(), "serial:A")
    assert same(run, whole[True])


class PressesCtrlC(Silence):
    def advance(self, steps: int, acceptance: float | None = None) -> None:
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c(
    tmp_path: Path,
    whole: dict[bool, Path],
    ports: type[Port],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "delay", 0.05)
    outputs = Outputs(tmp_path / "run")
    with pytest.raises(Interrupted, match=r"\(board 1\) of 260 steps; the checkpoints are kept"):
        train_run(changed(CONFIG, backend="serial:A,serial:B"), outputs, PressesCtrlC())
    resume_run(outputs, Silence())
    assert same(tmp_path / "run", whole[False])


def test_files_of_two_boards_cannot_be_exchanged(
    tmp_path: Path, ports: type[Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(tmp_path, ports, monkeypatch, 100)
    first, second = (tmp_path / "run" / f"board-{i}" for i in range(2))
    first.rename(tmp_path / "away")
    second.rename(first)
    (tmp_path / "away").rename(second)
    with pytest.raises(OhmcarloError, match=rf"(exchanged|damaged).*resume {tmp_path / 'run'}`"):
        resume_run(Outputs(tmp_path / "run"), Silence())


def test_requests_that_cannot_be_met() -> None:
    with pytest.raises(UsageError, match=r"5 chains cannot be shared equally by 2 boards: .* 6"):
        changed(CONFIG, chains=5)
    with pytest.raises(UsageError, match="--array phy with 2 boards is not possible"):
        changed(CONFIG, backend="serial:A,serial:B", array="phy")
    with pytest.raises(UsageError, match="boards = 0: choose 1 or more"):
        changed(CONFIG, boards=0)
