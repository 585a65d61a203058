"""A run does not depend on the number of threads: interrupted in one number, resumed in another."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chunks import Chunks
from ohmcarlo.cli.app import main
from ohmcarlo.golden import parallel
from ohmcarlo.golden.machine import STEPS
from ohmcarlo.golden.parallel import Chain
from ohmcarlo.runs import chain_run, stored
from ohmcarlo.runs.folder import Checkpoint, RunFolder
from ohmcarlo.threads import VARIABLE, limit_threads

ARGUMENTS = ["train", "toy2d", "--no-adapt", "--steps", "1500", "--seed", "3", "--quiet"]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs signals")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(parallel, "LEAST_WORK", 0)
    monkeypatch.setattr(chain_run, "MAX_BLOCK", 400)
    yield
    limit_threads(None)


def run(folder: Path, *options: object) -> int:
    return main([*ARGUMENTS, "--out", str(folder), *map(str, options)])


def checkpoint(folder: Path) -> Checkpoint:
    with RunFolder(folder) as held:
        found = held.resume(print, Chunks())
    assert found is not None
    return found


def contents(folder: Path) -> dict[str, np.ndarray]:
    """The trace of a run, and the state of its board after the last step."""
    return stored.read_trace(folder).arrays() | checkpoint(folder).state


@pytest.mark.parametrize("first, then", [(3, 1), (1, 2)])
def test_resumed_with_another_number_of_threads(
    first: int, then: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes during a block. The block ends, and its steps are kept."""
    assert run(tmp_path / "straight", "--threads", 1) == 0
    run_emulated, pressed = parallel.run_emulated, []

    def press(*arguments: Any) -> int:
        status = run_emulated(*arguments)
        in_main = threading.current_thread() is threading.main_thread()
        ahead = bool(arguments[-1].harvests)
        if in_main and ahead == (first > 1) and arguments[2].scalars[STEPS] > 1200 and not pressed:
            pressed.append(None)
            signal.raise_signal(signal.SIGINT)
        return status

    with monkeypatch.context() as patch:
        patch.setattr(parallel, "run_emulated", press)
        patch.setattr("ohmcarlo.golden.controller.run_emulated", press)
        assert run(tmp_path / "parts", "--threads", first) == 130
    assert pressed and 300 < checkpoint(tmp_path / "parts").steps < 1500
    advanced: list[None] = []
    advance = Chain.advance
    monkeypatch.setattr(Chain, "advance", lambda *a: (advanced.append(None), advance(*a))[1])
    assert main(["resume", str(tmp_path / "parts"), "--threads", str(then), "--quiet"]) == 0
    assert bool(advanced) == (then > 1)
    one, other = contents(tmp_path / "straight"), contents(tmp_path / "parts")
    assert one.keys() == other.keys()
    assert [name for name in one if not np.array_equal(one[name], other[name])] == []


def test_wrong_numbers_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line, before a folder is made."""
    assert run(tmp_path / "run", "--threads", 0) == 2
    assert "--threads" in capfd.readouterr().err
    monkeypatch.setenv(VARIABLE, "many")
    assert run(tmp_path / "run") == 2
    assert f"{VARIABLE} is 'many': set a whole number" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()
