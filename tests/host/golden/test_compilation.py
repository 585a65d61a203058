"""Compilation: the number of versions of each function, and the messages about it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from ohmcarlo import jit
from ohmcarlo.boards import ModelBoard
from ohmcarlo.jit import Compiled, before_compilation, compiled
from ohmcarlo.runs.chain_run import COMPILING, Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.train import train

# Every other compiled function has one version: one type of each argument for all runs.
# ``interpolate`` takes writable tables and constant ones.
VERSIONS = {"interpolate": 2}
ENTRIES = {"emulator_devices", "predict_sums", "run_emulated", "terms_of"}
MEASURING = {"_each_dac", "emulator_program", "emulator_reset"}
"""Entries of a measurement of the devices, which a run on devices that differ begins with."""
TRAININGS = (
    ("--whiten",),
    ("--chains", "2", "--kernel", "published", "--no-early-reject"),
    ("--preset", "rram-1t1r", "--no-trim"),
)
COUNTING = """
import gc, json, sys
from ohmcarlo.cli.app import main
from ohmcarlo.jit import Compiled

def versions(kind):
    found = [f for f in gc.get_objects() if isinstance(f, Compiled) and kind in vars(f)]
    found = [f for f in found if not f.inline]  # these have a version for each constant
    return {f.__name__: len(getattr(f, kind).signatures) for f in found}

print("first", file=sys.stderr)
assert main(["train", "toy2d", "--no-whiten", "--chains", "1", "--steps", "120"]) == 0
inner = versions("inner")
for options in json.loads(sys.argv[1]):
    print("next", file=sys.stderr)
    assert main(["train", "toy2d", "--no-whiten", "--chains", "1", "--steps", "120", *options]) == 0
print(json.dumps([inner, versions("inner"), versions("entry")]))
"""


def twice(number: int) -> int:
    return 2 * number


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache of machine code."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))


def announced(function: Compiled) -> int:
    """Number of compilations that two calls of ``function`` announce."""
    calls: list[None] = []
    with before_compilation(lambda: calls.append(None)):
        assert function(3) == 6
        assert function(4) == 8
    return len(calls)


@pytest.mark.usefixtures("fresh")
def test_one_process_at_a_time_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that start together wait for the first, and load what it compiled."""
    monkeypatch.setattr(jit, "cache_folder", lambda: str(tmp_path))
    done: list[int] = []
    with (tmp_path / jit.LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # another process compiles
        waiting = threading.Thread(target=lambda: done.append(announced(Compiled(twice))))
        waiting.start()
        waiting.join(0.5)
        assert not done and not list(tmp_path.rglob("*.nbc"))
    waiting.join(60)
    assert done == [1] and list(tmp_path.rglob("*.nbc"))


@pytest.mark.usefixtures("fresh")
def test_machine_code_from_disk_is_no_compilation() -> None:
    """Two objects of one function share the cache as two processes do."""
    assert announced(Compiled(twice)) == 1
    assert announced(Compiled(twice)) == 0


def spin(wanted: NDArray[np.int64], turns: NDArray[np.int64], most: int) -> bool:
    """Count turns until another thread wants an end; False: none did."""
    for turn in range(most):
        turns[0] = turn
        if wanted[0]:
            return True
    return False


@pytest.mark.usefixtures("fresh")
def test_other_threads_run_during_a_compiled_call() -> None:
    """A call ends because another thread, which waits for its first turns, wants that. A call that
    holds the lock of Python would make all of its turns, in about a minute."""
    function, ends = Compiled(spin), list[bool]()
    wanted, turns = np.zeros(1, np.int64), np.zeros(1, np.int64)
    function(wanted, turns, 1)
    called = threading.Thread(target=lambda: ends.append(function(wanted, turns, 1 << 36)))
    called.start()
    while not turns[0]:
        time.sleep(0.001)
    wanted[0] = 1
    called.join()
    assert ends == [True]


class Notes(Silence):
    """An observer that records the messages of a run in order."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def say(self, text: str) -> None:
        self.shown.append(text)

    def wait(self, text: str) -> None:
        self.shown.append(f"wait: {text}")

    def begin(self, steps: int, total: int, what: str = "sampling", unit: str = "steps") -> None:
        self.shown.append("begin")


def shown_by_a_run() -> list[str]:
    notes = Notes()
    train(TrainConfig("toy2d", steps=20), notes)
    start = next(i for i, text in enumerate(notes.shown) if text.startswith("array"))
    return notes.shown[start + 1 :]


def test_a_run_tells_that_it_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message comes before the compilation, and only if there is one."""
    shown_by_a_run()  # fills the cache
    assert shown_by_a_run() == ["begin"]
    start, fresh = ModelBoard.start, compiled(lambda number: number + 1)
    monkeypatch.setattr(fresh, "entry", numba.njit(fresh.py_func))
    monkeypatch.setattr(ModelBoard, "start", lambda board: (fresh(1), start(board))[1])
    assert shown_by_a_run() == [f"wait: {COMPILING}", "compiled the sampler in 0 s", "begin"]


@pytest.mark.slow
def test_one_version_of_every_function(tmp_path: Path) -> None:
    """A second type of an argument doubles the time of compilation."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COUNTING, json.dumps(TRAININGS)],
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path), "OHMCARLO_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    inner, later, entries = json.loads(done.stdout.splitlines()[-1])
    assert entries == dict.fromkeys(ENTRIES | MEASURING, 1)
    assert {name: n for name, n in inner.items() if n != 1} == {}
    assert "sum_of_points" in inner
    assert later == inner
    first, _, others = done.stderr.partition("next\n")
    assert first.index(COMPILING) < first.index("compiled the sampler in")
    assert COMPILING not in others
    assert "compiled" not in others
