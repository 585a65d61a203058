"""Runs on the simulated board without a processor: the trace of the model, a killed program."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.boards import BoardLost
from ohmcarlo.boards.link.ports import SimulatedPort
from ohmcarlo.boards.small.client import BitSerialClient
from ohmcarlo.runs import stored
from ohmcarlo.runs.chain_run import Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.train import Outputs, resume_run, train_run
from ohmcarlo.selftest.chain import run_selftest

pytestmark = [
    pytest.mark.hdl,
    pytest.mark.verify,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs pseudo-terminals"),
]
SORTED = 100  # steps, after which the points are sorted; the loss comes later
SMALL = TrainConfig(
    "toy2d", backend="small:rtl", rows=16, pairs=8, entropy_pairs=1, access_bits=1, wide_every=0,
    whiten=True, train_points=60, steps=120,
)  # fmt: skip


def require_equal(one: Path, other: Path) -> None:
    found, wanted = (stored.read_trace(folder).arrays() for folder in (one, other))
    differ = [name for name in wanted if not np.array_equal(found[name], wanted[name])]
    assert not differ
    assert 0 < wanted["accepted"].sum() < len(wanted["accepted"])


def test_the_simulated_board_makes_the_models_chain(tmp_path: Path) -> None:
    """It adapts, too."""
    made = replace(SMALL, adapt=True)
    train_run(made, Outputs(tmp_path / "small"), Silence())
    train_run(replace(made, backend="model"), Outputs(tmp_path / "model"), Silence())
    require_equal(tmp_path / "small", tmp_path / "model")


def test_a_simulated_board_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, made = BitSerialClient.run, 0

    def mortal(self: BitSerialClient, steps: int) -> Any:
        nonlocal made
        made += steps
        port = self.line.port
        assert isinstance(port, SimulatedPort)
        if made > SORTED:
            port.process.send_signal(signal.SIGKILL)
        return run(self, steps)

    monkeypatch.setattr(BitSerialClient, "run", mortal)
    with pytest.raises(BoardLost, match=r"ended by signal 9.*ohmcarlo resume"):
        train_run(SMALL, Outputs(tmp_path / "run", checkpoint_seconds=0), Silence())
    monkeypatch.setattr(BitSerialClient, "run", run)
    resume_run(Outputs(tmp_path / "run"), Silence())
    train_run(replace(SMALL, backend="model"), Outputs(tmp_path / "whole"), Silence())
    require_equal(tmp_path / "run", tmp_path / "whole")


def test_the_selftest_of_a_simulated_board() -> None:
    checks = list(run_selftest("small:rtl", "emulator", None, 0, lambda text: None))
    names = ["link", "generator", "chain", "coin", "early rejection", "checkpoint"]
    assert [check.name for check in checks] == names
    assert all(check.passed for check in checks), checks
