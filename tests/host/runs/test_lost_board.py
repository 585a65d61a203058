"""Training on boards that are lost during a run, or slow to read."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from ohmcarlo.array.base import Array
from ohmcarlo.boards import Block, BoardLost, ModelBoard
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.runs import chain_run, setup, stored
from ohmcarlo.runs.chain_run import Interrupted, Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.folder import RunFolder
from ohmcarlo.runs.sections.state import read_state
from ohmcarlo.runs.train import Outputs, resume_run, train, train_run

CONFIG = TrainConfig("breast-cancer", steps=600, rows=64, pairs=16, features=9, seed=2)
Opener = Callable[..., ModelBoard]


class Mortal(ModelBoard):
    """A board that is lost at the block that begins after ``life`` steps."""

    life = 1 << 30

    def run(self, steps: int) -> Block:
        if self.controller.steps >= self.life:
            raise BoardLost("the board has not answered for 5 s: check its power and its cable")
        return super().run(steps)


class Slow(ModelBoard):
    """A board whose state takes fifty times as long to read as a step."""

    now = 0.0
    asked = 0

    def run(self, steps: int) -> Block:
        Slow.now += 0.01 * steps
        return super().run(steps)

    def state_dict(self) -> dict[str, Any]:
        Slow.asked += 1
        Slow.now += 0.5
        return super().state_dict()


class Counted(ModelBoard):
    """A board that counts its open instances."""

    open = 0

    def __init__(self, array: Array) -> None:
        super().__init__(array)
        Counted.open += 1

    def close(self) -> None:
        Counted.open -= 1


@pytest.fixture
def boards(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[ModelBoard]], None]:
    """Make experiments use another class of boards."""

    def use(kind: type[ModelBoard]) -> None:
        monkeypatch.setattr(setup, "open_board", lambda backend, array, say: kind(array))

    return use


def begin_or_go_on(outputs: Outputs) -> None:
    assert outputs.folder is not None
    if outputs.folder.exists():
        resume_run(outputs, Silence())
    else:
        train_run(CONFIG, outputs, Silence())


def test_a_lost_board_costs_no_step(
    tmp_path: Path, boards: Callable[[type[ModelBoard]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is lost twice and resumed twice has the trace of an uninterrupted run. The message
    names the cause and the remedy."""
    train_run(CONFIG, Outputs(tmp_path / "whole"), Silence())
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 25)
    boards(Mortal)
    outputs = Outputs(tmp_path / "run", checkpoint_seconds=0.0)
    for life in (150, 410):
        monkeypatch.setattr(Mortal, "life", life)
        with pytest.raises(OhmcarloError) as lost:
            begin_or_go_on(outputs)
        assert lost.value.exit_code == 1
        text = str(lost.value)
        assert "not answered for 5 s" in text and f"ohmcarlo resume {tmp_path / 'run'}" in text
        assert "interrupted after" in text and "of 600 steps" in text
    monkeypatch.setattr(Mortal, "life", 1 << 30)
    begin_or_go_on(outputs)
    found, wanted = (stored.read_trace(tmp_path / n).arrays() for n in ("run", "whole"))
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_how_many_steps_are_kept(
    tmp_path: Path, boards: Callable[[type[ModelBoard]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    boards(Mortal)
    monkeypatch.setattr(Mortal, "life", 100)
    with pytest.raises(BoardLost, match=r"after \d+ of 600 steps; the first 0 are kept: .*resume"):
        train_run(CONFIG, Outputs(tmp_path / "run", checkpoint_seconds=1e9), Silence())
    with pytest.raises(BoardLost, match="with --out RUN"):
        train(CONFIG)


def test_a_slow_board_is_asked_for_its_state_less_often(
    tmp_path: Path, boards: Callable[[type[ModelBoard]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading the state takes at most a tenth of the time, without the last checkpoint, which holds
    the state after the last step."""
    boards(Slow)
    monkeypatch.setattr(setup, "MODEL", "another board")  # no warm-up, which reads the state
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 1)
    clock = SimpleNamespace(
        monotonic=lambda: Slow.now, perf_counter=lambda: Slow.now, process_time=lambda: Slow.now
    )
    monkeypatch.setattr(chain_run, "time", clock)
    config = TrainConfig(**(CONFIG.to_dict() | {"steps": 3000}))
    train_run(config, Outputs(tmp_path / "run", checkpoint_seconds=1.0), Silence())
    assert 5 <= Slow.asked <= 8  # 30 s of steps, one checkpoint every 5 s, and the last one
    state = read_state(tmp_path / "run")
    assert state.arrays and state.steps == 3000


def test_boards_are_let_go_of(
    tmp_path: Path, boards: Callable[[type[ModelBoard]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    boards(Counted)
    train(CONFIG)
    train_run(CONFIG, Outputs(tmp_path / "run"), Silence())
    assert Counted.open == 0
    monkeypatch.setattr(Counted, "run", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(CONFIG)
    monkeypatch.setattr(Counted, "configure", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(CONFIG)
    assert Counted.open == 0


# -- boards whose state takes time to read ---------------------------------------------------------


class NeverAsked(ModelBoard):
    """A board that gives its counters, and no state."""

    def state_dict(self) -> dict[str, Any]:
        raise AssertionError("the state was read")

    def counters(self) -> dict[str, Any]:
        return {"board.counters": np.arange(3)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        NeverAsked.loaded = state

    loaded: ClassVar[dict[str, Any]] = {}


class PressesCtrlC(Silence):
    def __init__(self, after: int) -> None:
        self.after = after

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        if steps >= self.after:
            signal.raise_signal(signal.SIGINT)


def same(a: Path, b: Path) -> bool:
    found, wanted = (stored.read_trace(path).arrays() for path in (a, b))
    return all(np.array_equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"chains": 3, "preset": "rram-1t1r"}, marks=pytest.mark.verify),
        pytest.param({"hidden": 2, "features": 4}, marks=pytest.mark.verify),
        pytest.param({"task": "cartpole"}, marks=pytest.mark.verify),
    ],
)
def test_a_board_that_is_never_asked_for_its_state(
    changes: dict[str, Any],
    tmp_path: Path,
    boards: Callable[[type[ModelBoard]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stream is kept, and the model makes the steps again, across the sorting of the points."""
    plain = {"task": "toy2d", "features": None, "steps": 260}
    config = TrainConfig(**(CONFIG.to_dict() | plain | changes))
    if config.task == "cartpole":
        config = replace(config, steps=12, rows=32)
    elif "features" in changes:
        config = replace(config, task="breast-cancer")
    wanted = train_run(config, Outputs(tmp_path / "whole"), Silence())
    monkeypatch.setattr(setup, "MODEL", "another board")  # no warm-up, which reads the state
    monkeypatch.setattr(chain_run, "MODEL", "another board")
    monkeypatch.setattr(chain_run, "FIRST_SAVING_S", 1e9)
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 3 if config.task == "cartpole" else 13)
    boards(NeverAsked)
    outputs = Outputs(tmp_path / "run", checkpoint_seconds=0.0)
    with pytest.raises(Interrupted, match="the checkpoint is kept"):
        train_run(config, outputs, PressesCtrlC(config.steps // 2))
    with pytest.raises(Interrupted):
        resume_run(outputs, PressesCtrlC(3 * config.steps // 4))
    found = resume_run(outputs, Silence())
    assert same(tmp_path / "run", tmp_path / "whole")
    differ = [name for name in wanted if found[name] != wanted[name]]
    assert differ == ["wall_seconds"]  # equal accesses: the order of the points is the same, too
    assert NeverAsked.loaded["board.counters"].tolist() == [0, 1, 2]


class Wrong(ModelBoard):
    """A board that streams one wrong decision."""

    def run(self, steps: int) -> Block:
        block = super().run(steps)
        if len(block.codes):
            block.codes[0, 0] ^= 1
        return block


def test_a_board_that_made_other_steps(
    tmp_path: Path, boards: Callable[[type[ModelBoard]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    boards(Wrong)
    monkeypatch.setattr(chain_run, "MODEL", "another board")
    with pytest.raises(Interrupted):
        train_run(CONFIG, Outputs(tmp_path / "run"), PressesCtrlC(100))
    with pytest.raises(OhmcarloError, match=r"other steps than the model \(codes\).*selftest"):
        resume_run(Outputs(tmp_path / "run"), Silence())


def test_a_board_loses_two_seconds(
    tmp_path: Path, boards: Callable[[type[ModelBoard]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slow its state is to read, the steps of at most two seconds are not on disk."""
    boards(Slow)
    monkeypatch.setattr(setup, "MODEL", "another board")
    monkeypatch.setattr(chain_run, "MODEL", "another board")
    clock = SimpleNamespace(
        monotonic=lambda: Slow.now, perf_counter=lambda: Slow.now, process_time=lambda: Slow.now
    )
    monkeypatch.setattr(chain_run, "time", clock)
    lost: list[float] = []
    saved = 0

    def note(self: RunFolder, chunk: Block, **fields: Any) -> None:
        nonlocal saved
        lost.append(0.01 * (fields["steps"] - saved))
        saved = fields["steps"]

    monkeypatch.setattr(RunFolder, "save", note)
    config = TrainConfig(**(CONFIG.to_dict() | {"steps": 2500}))
    train_run(config, Outputs(tmp_path / "run"), Silence())
    assert len(lost) >= 11 and max(lost) <= 2 + chain_run.BLOCK_SECONDS
