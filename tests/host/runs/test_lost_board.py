"""Training on boards that are lost during a run, or slow to read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array.base import Array
from ohmcarlo.boards import Block, BoardLost, ModelBoard
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.runs import chain_run, setup, stored
from ohmcarlo.runs.chain_run import Silence
from ohmcarlo.runs.config import TrainConfig
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
    """Reading the state takes at most a tenth of the time, without the last checkpoint."""
    boards(Slow)
    monkeypatch.setattr(setup, "MODEL", "another board")  # no warm-up, which reads the state
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 1)
    clock = SimpleNamespace(
        monotonic=lambda: Slow.now, perf_counter=lambda: Slow.now, process_time=lambda: Slow.now
    )
    monkeypatch.setattr(chain_run, "time", clock)
    config = TrainConfig(**(CONFIG.to_dict() | {"steps": 3000}))
    train_run(config, Outputs(tmp_path / "run", checkpoint_seconds=0.0), Silence())
    assert 5 <= Slow.asked <= 8  # 30 s of steps, one checkpoint every 5 s, and the last one


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
