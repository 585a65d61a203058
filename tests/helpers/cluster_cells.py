"""Functions of cells for tests of ``ohmcarlo.cluster``, and a program that computes cells."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ohmcarlo.errors import Interrupted, UsageError
from ohmcarlo.threads import threads


def square(
    x: int, log: str = "", gate: str = "", seconds: float = 0.0, begun: str = ""
) -> dict[str, Any]:
    """The square. It makes the file ``begun``, waits for the file ``gate`` and for a time; then it
    adds a line to ``log``."""
    if begun:
        Path(begun).touch()
    while gate and not Path(gate).exists():
        time.sleep(0.01)
    time.sleep(seconds)
    if log:
        with Path(log).open("a") as file:
            file.write(f"{x}\n")
    return {"square": x * x, "row": np.arange(x), "process": os.getpid(), "threads": threads()}


def name_scheduler() -> dict[str, Any]:
    """What a library that knows Dask computes with, and locks files through."""
    from dask.base import get_scheduler

    found = get_scheduler()
    return {"scheduler": getattr(found, "__module__", str(found))}


def refuse(x: int) -> dict[str, Any]:
    raise UsageError(f"{x} features do not fit into 32 pairs: use fewer")


def stop(x: int) -> dict[str, Any]:
    raise Interrupted(f"interrupted at {x}")


def break_down(x: int) -> dict[str, Any]:
    raise ZeroDivisionError(f"first line {x}\nsecond line")


def store_nothing(x: int) -> dict[str, Any]:
    return {"x": {x}}


def die(log: str, times: int = 1000) -> dict[str, Any]:
    """Kill the own process, so many times."""
    with Path(log).open("a") as file:
        file.write(f"{os.getpid()}\n")
    if len(Path(log).read_text().split()) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"died": times}


def work(x: int, cpu_seconds: float, sleep: float = 0.0) -> dict[str, Any]:
    """Compute for a CPU time; equal work whatever else the computer does."""
    time.sleep(sleep)
    end = time.thread_time() + cpu_seconds
    while time.thread_time() < end:
        sum(range(1000))
    return {"x": x}


def main() -> int:
    """``cluster_cells STORE CELLS [--scheduler A | --workers N]``: compute cells, given as JSON."""
    from ohmcarlo.cli.app import complain
    from ohmcarlo.cli.logs import messages
    from ohmcarlo.cli.progress import Display
    from ohmcarlo.cluster.cells import Cell, Failure
    from ohmcarlo.cluster.engine import open_cluster
    from ohmcarlo.cluster.store import CellStore
    from ohmcarlo.errors import OhmcarloError

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    folder, cells, option, value = sys.argv[1:]
    chosen: Any = {"scheduler": value} if option == "--scheduler" else {"workers": int(value)}
    work = [Cell(f"cluster_cells:{name}", arguments) for name, arguments in json.loads(cells)]
    try:
        with messages(), Display(), open_cluster(**chosen) as cluster:
            print("up", flush=True)
            for found in cluster.run(work, CellStore(Path(folder))):
                failed = isinstance(found, Failure)
                print(found.message if failed else "done", flush=True)  # type: ignore[union-attr]
    except OhmcarloError as error:
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
