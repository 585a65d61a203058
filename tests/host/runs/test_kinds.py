"""Kinds of runs: one protocol through which commands build, show and use a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ohmcarlo import tasks
from ohmcarlo.cli.app import main
from ohmcarlo.cli.exit_codes import BAD_USE, DONE
from ohmcarlo.errors import UsageError
from ohmcarlo.pictures.canvas import new_figure
from ohmcarlo.runs.kind import Predictions
from ohmcarlo.runs.kinds import KINDS, kind_of
from ohmcarlo.runs.rows import Rows
from ohmcarlo.runs.supervised.kind import SupervisedKind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALL = ["--paper", "--rows", "64", "--pairs", "16", "--steps", "20"]


class MadeUp(SupervisedKind):
    """A kind that trains like a supervised run and shows its result in its own way."""

    name = "made-up"
    result_keys = ("task", "accuracy")

    def title(self, values: Mapping[str, Any]) -> str:
        return "made-up"

    def rows(self, values: Mapping[str, Any]) -> Rows:
        return [("made-up row", f"{values['accuracy']:.0%}")]

    def warnings(self, values: Mapping[str, Any]) -> list[str]:
        return ["a made-up warning"]

    def figures(self, path: Path, values: Mapping[str, Any]) -> dict[str, Figure]:
        return {"made-up": new_figure()[0]}

    def predict(self, path: Path, data: Path) -> Predictions:
        raise UsageError("a made-up kind makes no predictions")


def test_every_task_has_a_kind() -> None:
    for name, task in tasks.TASKS.items():
        assert kind_of(name).name == task.kind
    assert kind_of("own.csv").name == tasks.SUPERVISED
    with pytest.raises(UsageError, match="no-such-task"):
        kind_of("no-such-task")


def test_commands_use_the_protocol_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A new kind and a task of it: train, resume, report and predict follow."""
    monkeypatch.setitem(KINDS, MadeUp.name, MadeUp())
    changed = replace(tasks.TASKS["toy2d"], kind=MadeUp.name)
    monkeypatch.setitem(tasks.TASKS, "toy2d", changed)
    run = str(tmp_path / "run")
    for arguments in (["train", "toy2d", *SMALL, "--out", run], ["resume", run], ["report", run]):
        assert main(arguments) == DONE
        out, _ = capfd.readouterr()
        for text in ("toy2d · made-up", "made-up row", "a made-up warning"):
            assert text in out, arguments
        assert "accuracy on held-out data" not in out
    assert [p.name for p in (tmp_path / "run" / "report").iterdir()] == ["made-up.png"]
    assert main(["predict", run, "data.csv"]) == BAD_USE
    assert "made-up kind makes no predictions" in capfd.readouterr().err
