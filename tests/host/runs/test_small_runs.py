"""Runs on a board without a processor: its shape, its trace, an interrupted run, its memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.boards import BoardLost
from ohmcarlo.boards.link import ports
from ohmcarlo.datasets import load
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.runs import chain_run, stored
from ohmcarlo.runs.chain_run import Silence
from ohmcarlo.runs.characterize import DeviceOutputs, characterize_array
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.defaults import complete
from ohmcarlo.runs.train import Outputs, resume_run, train_run
from ohmcarlo.selftest.chain import run_selftest
from ohmcarlo.tasks import get_task
from small_board import SHAPE, SmallBoardPort

OPEN: dict[str, Any] = {
    "kernel": "corrected", "rho": None, "whiten": None, "rows": None, "pairs": None,
    "entropy_pairs": None, "access_bits": None, "chains": None, "steps": None, "hidden": None,
    "wide_every": None, "backend": "small:here", "train_points": 60,
}  # fmt: skip
STEPS = 130  # the points are sorted after 100
BLOCKS_BEFORE_THE_LOSS = 6
BLOCK = 30  # steps, so that the loss is after the points were sorted


class Plugged(SmallBoardPort):
    """A board that is unplugged after so many runs."""

    life = 1 << 30

    def __init__(self, name: str, timeout_s: float) -> None:
        super().__init__()
        opened.append(self)

    def run(self) -> None:
        super().run()
        self.unplugged = self.commands.count("run") >= self.life


opened: list[SmallBoardPort] = []


@pytest.fixture(autouse=True)
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stand-in at every port; each is closed after a test."""
    monkeypatch.setattr(ports, "SerialPort", Plugged)
    opened.clear()
    yield
    assert all(port.closed for port in opened)


def config(**changes: Any) -> TrainConfig:
    return complete(get_task("toy2d"), OPEN | {"whiten": True, "steps": STEPS} | changes).config


def trace_of(folder: Path) -> dict[str, np.ndarray]:
    return stored.read_trace(folder).arrays()


def require_equal(one: Path, other: Path) -> None:
    found, wanted = trace_of(one), trace_of(other)
    differ = [name for name in wanted if not np.array_equal(found[name], wanted[name])]
    assert not differ
    assert 0 < wanted["accepted"].sum() < len(wanted["accepted"])


# -- defaults --------------------------------------------------------------------------------------


def test_the_shape_is_that_of_the_board() -> None:
    completed = complete(get_task("toy2d"), OPEN)
    found = completed.config
    assert (found.rows, found.pairs, found.entropy_pairs, found.access_bits) == (
        SHAPE.rows, SHAPE.pairs, SHAPE.entropy_pairs, 1,
    )  # fmt: skip
    assert found.chains == 1 and found.wide_every == 0 and found.adapt
    assert "1 chain without wide steps" in completed.notes[0]
    other = complete(get_task("toy2d"), OPEN | {"backend": "model"}).config
    assert (other.rows, other.access_bits, other.chains) == (256, 8, 4)
    assert other.wide_every is None


@pytest.mark.parametrize(
    ("task", "changes", "said"),
    [
        ("cartpole", {}, "cannot learn a policy"),
        ("toy2d", {"hidden": 3}, "no hidden units, not 3"),
        ("toy2d", {"chains": 4}, "one chain, not 4"),
        ("toy2d", {"wide_every": 10}, "no wide steps"),
        ("toy2d", {"access_bits": 8}, "one bit of an input, not 8"),
    ],
)
def test_requests_that_no_such_board_can_meet(task: str, changes: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        complete(get_task(task), OPEN | changes)
    assert all(port.commands == [] or "run" not in port.commands for port in opened)


def test_it_is_not_characterized() -> None:
    with pytest.raises(UsageError, match="no single operations"):
        characterize_array(
            "emulator", None, "small:here", 16, 8, 0, DeviceOutputs(), lambda text: None
        )
    assert not opened


# -- points ----------------------------------------------------------------------------------------


def test_some_of_the_training_points() -> None:
    data = load("breast-cancer")
    train, test = data.split(3)
    some, held_out = data.split(3, 57)
    assert np.array_equal(held_out, test) and set(some) <= set(train)
    assert len(some) == 57 and np.array_equal(some, np.sort(some))
    assert np.array_equal(some, data.split(3, 57)[0])
    assert not np.array_equal(some, data.split(4, 57)[0])
    share = data.y[train].mean()
    assert abs(data.y[some].mean() - share) < 1 / 57
    assert np.array_equal(data.split(3, len(train))[0], train)
    for count in (1, len(train) + 1):
        with pytest.raises(UsageError, match=f"choose 2 to {len(train)}"):
            data.split(3, count)


def test_a_memory_that_is_too_small_names_the_number_that_fits() -> None:
    """The number in the message is enough, and one more is not."""
    with pytest.raises(UsageError, match=r"103 data points .* room for 64; use --train-points 61"):
        train_run(config(train_points=None), Outputs(), Silence())
    assert all("start" not in port.commands for port in opened)
    with pytest.raises(UsageError, match="65 data points"):
        train_run(config(train_points=62, steps=2), Outputs(), Silence())
    assert train_run(config(train_points=61, steps=2), Outputs(), Silence())["train_points"] == 61


# -- runs ------------------------------------------------------------------------------------------


def test_its_trace_is_the_models(tmp_path: Path) -> None:
    made = config()
    values = train_run(made, Outputs(tmp_path / "small"), Silence())
    wanted = train_run(replace(made, backend="model"), Outputs(tmp_path / "model"), Silence())
    require_equal(tmp_path / "small", tmp_path / "model")
    for name in ("accesses", "pulses", "wear", "entropy", "accuracy", "energy_joules"):
        assert values[name] == wanted[name], name


@pytest.mark.verify
def test_it_adapts_as_the_model(tmp_path: Path) -> None:
    made = config(whiten=None, steps=50)
    assert made.adapt
    train_run(made, Outputs(tmp_path / "small"), Silence())
    train_run(replace(made, backend="model"), Outputs(tmp_path / "model"), Silence())
    require_equal(tmp_path / "small", tmp_path / "model")


def test_a_run_on_a_board_that_was_unplugged_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a new board by making the steps again, and on the model."""
    made = config()
    monkeypatch.setattr(chain_run, "MAX_BLOCK", BLOCK)
    monkeypatch.setattr(Plugged, "life", BLOCKS_BEFORE_THE_LOSS)
    for name in ("small", "model"):
        outputs = Outputs(tmp_path / name, checkpoint_seconds=0)
        with pytest.raises(BoardLost, match=r"check its cable; .*ohmcarlo resume"):
            train_run(made, outputs, Silence())
    monkeypatch.setattr(Plugged, "life", 1 << 30)
    resume_run(Outputs(tmp_path / "small"), Silence())
    assert opened[-1].commands.count("emulator_restart") > 1, "it begins at the first pulse again"
    resume_run(Outputs(tmp_path / "model"), Silence(), "model")
    train_run(replace(made, backend="model"), Outputs(tmp_path / "whole"), Silence())
    require_equal(tmp_path / "small", tmp_path / "whole")
    require_equal(tmp_path / "model", tmp_path / "whole")


def test_noise_ends_a_run_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bit of a sample: the run stops before anything wrong is kept, and can be resumed."""
    damage = SmallBoardPort._record

    def noisy(self: SmallBoardPort, codes: Any, *others: int) -> None:
        damage(self, np.where(np.arange(len(codes)) == 1, codes ^ 4, codes), *others)

    made = config()
    monkeypatch.setattr(SmallBoardPort, "_record", noisy)
    with pytest.raises(OhmcarloError, match=r"not the golden model's .* no checksum.* resume it"):
        train_run(made, Outputs(tmp_path / "run"), Silence())
    monkeypatch.setattr(SmallBoardPort, "_record", damage)
    resume_run(Outputs(tmp_path / "run"), Silence())
    train_run(replace(made, backend="model"), Outputs(tmp_path / "whole"), Silence())
    require_equal(tmp_path / "run", tmp_path / "whole")


@pytest.mark.verify
def test_the_selftest_of_a_good_board() -> None:
    checks = list(run_selftest("small:here", "emulator", None, 0, lambda text: None))
    assert len(checks) == 6 and all(check.passed for check in checks), checks


def test_the_selftest_of_a_board_with_other_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain of a board whose array has another law fails, by name."""
    nodes = SmallBoardPort.nodes

    def wider(self: SmallBoardPort, name: str) -> np.ndarray:
        return nodes(self, name) + (40 if name == "sigma" else 0)

    monkeypatch.setattr(SmallBoardPort, "nodes", wider)
    checks = run_selftest("small:here", "emulator", None, 0, lambda text: None)
    found = {check.name: check for check in checks}
    assert found["link"].passed and not found["chain"].passed
    assert "not the golden model's" in found["chain"].detail
