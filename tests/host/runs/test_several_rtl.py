"""Several simulated boards: the run of as many models, also after one of them was killed."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.boards import BoardLost
from ohmcarlo.boards.link import ports
from ohmcarlo.boards.link.ports import SimulatedPort
from ohmcarlo.progress import Silence
from ohmcarlo.runs import chain_run, stored
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.train import Outputs, resume_run, train_run

pytestmark = [
    pytest.mark.hdl,
    pytest.mark.verify,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs pseudo-terminals"),
]
RTL = TrainConfig("breast-cancer", backend="rtl,rtl", steps=150, chains=4, whiten=True, rho=0.8)
MODEL = replace(RTL, backend="model,model")


class Kills(Silence):
    """Kills the second simulated board after so many steps."""

    def __init__(self, boards: list[SimulatedPort], after: int) -> None:
        self.boards, self.after = boards, after

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        if steps >= self.after:
            os.kill(self.boards[1].process.pid, signal.SIGKILL)
            self.after = 1 << 30


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[SimulatedPort]:
    """The simulated boards that a test started, in order."""
    found: list[SimulatedPort] = []
    begin = SimulatedPort.__init__

    def note(self: SimulatedPort, program: Path, *others: float) -> None:
        begin(self, program, *others)
        found.append(self)

    monkeypatch.setattr(ports.SimulatedPort, "__init__", note)
    return found


def require_equal(one: Path, other: Path) -> None:
    found, wanted = (stored.read_trace(folder).arrays() for folder in (one, other))
    differ = [name for name in wanted if not np.array_equal(found[name], wanted[name])]
    assert not differ
    assert 0 < wanted["accepted"].sum() < len(wanted["accepted"])


@pytest.mark.parametrize("changes", [{}, {"adapt": True, "rho": None, "steps": 60}])
def test_their_trace_is_the_models(
    changes: dict[str, Any], tmp_path: Path, started: list[SimulatedPort]
) -> None:
    values = train_run(replace(RTL, **changes), Outputs(tmp_path / "rtl"), Silence())
    train_run(replace(MODEL, **changes), Outputs(tmp_path / "model"), Silence())
    require_equal(tmp_path / "rtl", tmp_path / "model")
    clocks = [board["clock_cycles"] for board in values["boards"]]
    assert values["clock_cycles"] == max(clocks) and min(clocks) > 0
    assert all(port.process.poll() is not None for port in started)


@pytest.mark.parametrize("backend", [None, "rtl", "model,rtl"])
def test_one_is_killed(
    backend: str | None,
    tmp_path: Path,
    started: list[SimulatedPort],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other one goes on to its last step. The run continues on two boards, on one in turns,
    or on a model and a board."""
    train_run(MODEL, Outputs(tmp_path / "model"), Silence())
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 20)
    run = tmp_path / "run"
    with pytest.raises(
        BoardLost, match=r"^board 1, rtl \(chains 2, 3\): .*signal 9.*150 \(board 0"
    ):
        train_run(RTL, Outputs(run, checkpoint_seconds=0.0), Kills(started, 60))
    resume_run(Outputs(run), Silence(), backend)
    require_equal(run, tmp_path / "model")
    assert all(port.process.poll() is not None for port in started)
