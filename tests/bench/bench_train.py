"""Where a training run spends its processor time, from the command line to the last file.

    python tests/bench/bench_train.py [--rows 4] [--cold]

Every row is ``ohmcarlo train TASK --out RUN`` in a process of its own, with its defaults. Its times
are processor seconds, so that other work on the computer changes them little. ``--cold`` adds the
first run of a machine, which compiles the sampler.
"""

from __future__ import annotations

import argparse
import builtins
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ohmcarlo.progress import SAMPLING, Silence

IMPORTS, CODE, OTHER = "imports", "machine code", "other"
COLUMNS = {
    IMPORTS: (),
    CODE: ("compiling",),
    "data, array": ("preparing", "reading", "characterising"),
    "encode": ("encoding",),
    "adapt": ("adaptation",),
    "sample": (SAMPLING,),
    "evaluate": ("evaluating", "predicting"),
    "write": ("writing",),
    OTHER: (),
}
"""Columns of the table, and the words with which their phases begin."""
TASKS = ("breast-cancer", "toy2d", "diabetes", "wine", "cartpole", "ecg", "10,000", "100,000")
FEATURES = 15


class Times(Silence):
    """An observer that gives the processor time to what began last."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._open = [OTHER]
        self._since = 0.0  # the process began then

    def push(self, column: str) -> None:
        self._account()
        self._open.append(column)

    def end(self) -> None:
        self._account()
        self._open.pop()

    def wait(self, text: str) -> None:
        self.push(self._column(text))

    def begin(self, steps: int, total: int, what: str = SAMPLING, unit: str = "") -> None:
        self.push(self._column(what))

    def rename(self, text: str, steps: int = 0, total: int = 0, unit: str = "") -> None:
        self._account()
        self._open[-1] = self._column(text)

    def finish(self) -> dict[str, float]:
        """Processor seconds of each column."""
        self._account()
        return {column: self.spent[column] for column in COLUMNS}

    def _account(self) -> None:
        now = time.process_time()
        self.spent[self._open[-1]] += now - self._since
        self._since = now

    def _column(self, text: str) -> str:
        words = text.rpartition(": ")[2]  # after the name of one of several problems
        for column, beginnings in COLUMNS.items():
            if words.startswith(beginnings or "\0"):
                return column
        return self._open[-1]


def timed_run(arguments: list[str]) -> dict[str, float]:
    """Run the command line in this process; processor seconds of each column."""
    times = Times()
    builtins.__import__ = _during(times, IMPORTS, builtins.__import__)
    from numba.core import caching, event

    from ohmcarlo.cli import app
    from ohmcarlo.progress import observed_by

    class Compilations(event.Listener):
        def on_start(self, _: Any) -> None:
            times.push(CODE)

        def on_end(self, _: Any) -> None:
            times.end()

    event.register("numba:compile", Compilations())
    load = caching.Cache.load_overload
    caching.Cache.load_overload = _during(times, CODE, load)

    @contextmanager
    def display() -> Iterator[None]:
        with observed_by(times):
            yield

    app.Display = display  # type: ignore[misc, assignment]
    if app.main(arguments):
        raise SystemExit(f"ohmcarlo {' '.join(arguments)} failed")
    return times.finish()


def _during(times: Times, column: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        times.push(column)
        try:
            return function(*arguments, **options)
        finally:
            times.end()

    return call


def table_of(rows: int, path: Path) -> Path:
    """A table of two classes with normally distributed features."""
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows, FEATURES))
    label = x @ rng.normal(size=FEATURES) + rng.logistic(size=rows) > 0
    names = [f"x{i}" for i in range(FEATURES)] + ["label"]
    np.savetxt(path, np.column_stack([x, label]), "%.5g", ",", header=",".join(names), comments="")
    return path


def measure(task: str, base: Path, code: Path) -> dict[str, float] | None:
    """The times of one run; None where it has no data. ``code``: folder of machine code."""
    name = task
    if task[0].isdigit():
        path = base / f"{task.replace(',', '')}.csv"
        name = str(path if path.exists() else table_of(int(task.replace(",", "")), path))
    with tempfile.TemporaryDirectory(dir=base) as folder:
        run = subprocess.run(
            [sys.executable, __file__, "--one", name, "--out", f"{folder}/run"],
            env={**os.environ, "NUMBA_CACHE_DIR": str(code)},
            capture_output=True,
            text=True,
        )
    if run.returncode:
        print(f"{task}: {run.stderr.strip().splitlines()[-1]}")
        return None
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def show(task: str, found: dict[str, float]) -> None:
    cells = [f"{found[column]:.2f}" for column in COLUMNS]
    print(f"| {task} | {' | '.join(cells)} | {sum(found.values()):.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=len(TASKS), help="only the first rows")
    parser.add_argument("--cold", action="store_true", help="also without machine code")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(timed_run(["--quiet", "train", chosen.one, "--out", chosen.out])))
        return
    print("CPU time of `ohmcarlo train TASK --out RUN`, s")
    print(f"| task | {' | '.join(COLUMNS)} | all |\n|{'---|' * (len(COLUMNS) + 2)}")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        code = base / "code"
        for task in TASKS[: chosen.rows]:
            first = measure(task, base, base / f"cold-{task}" if chosen.cold else code)
            if chosen.cold and first is not None:
                show(f"{task}, first run", first)
            measure(task, base, code)  # compile what no other row has compiled
            if (found := measure(task, base, code)) is not None:
                show(task, found)


if __name__ == "__main__":
    main()
