"""Speed-up by a second process: 64 trainings computed by one process, and by two.

    python tests/bench/bench_cluster.py [--cells 64] [--rounds 3] [--steps 100000]

Each round computes all cells in this process, without Dask, and then with two processes of Dask,
into new folders; the order alternates. Each process uses one thread. The ratio of the times of a
round is the speed-up. The processes have started and loaded their machine code before. The last
lines are the cost of the distribution: cells without work.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median

from threadpoolctl import threadpool_limits

from ohmcarlo.cluster.base import Cluster
from ohmcarlo.cluster.cells import Cell, Outcome, name_of
from ohmcarlo.cluster.engine import open_cluster
from ohmcarlo.cluster.store import CellStore
from ohmcarlo.reproduce.chains import chain_cell
from ohmcarlo.threads import limit_threads

GOAL = 1.8
EMPTY_CELLS = 300


def trainings(count: int, steps: int) -> list[Cell]:
    """Trainings of one task, which differ in their seeds alone."""
    name = name_of(chain_cell)
    return [Cell(name, {"task": "toy2d", "seed": s, "steps": steps}) for s in range(count)]


def seconds(cluster: Cluster, cells: list[Cell]) -> tuple[float, float]:
    """Time of all cells in a new folder, and the sum of the times of their functions, s."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        found = list(cluster.run(cells, CellStore(Path(folder)), what=""))
        took = time.perf_counter() - began
    inside = [f.seconds for f in found if isinstance(f, Outcome)]
    assert len(inside) == len(cells)
    return took, sum(inside)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100_000)
    arguments = parser.parse_args()
    cells, ratios = trainings(arguments.cells, arguments.steps), []
    limit_threads(1)
    with threadpool_limits(1), open_cluster(workers=1) as one, open_cluster(workers=2) as two:
        for warm in (one, two, two):
            seconds(warm, cells[:4])
        for number in range(arguments.rounds):
            order = (one, two) if number % 2 else (two, one)
            times = {cluster: seconds(cluster, cells) for cluster in order}
            alone, (both, inside) = times[one][0], times[two]
            ratios.append(alone / both)
            print(
                f"  round {number + 1}: {alone:.2f} s with one process, {both:.2f} s with two, "
                f"which computed {inside / both / 2:.0%} of this time; {alone / len(cells):.2f} s "
                "a cell",
                flush=True,
            )
        empty = [Cell("builtins:dict", {"number": n}) for n in range(EMPTY_CELLS)]
        before, (took, _) = time.process_time(), seconds(two, empty)
        here = (time.process_time() - before) / EMPTY_CELLS
        print(
            f"  a cell without work: {1e3 * took / EMPTY_CELLS:.1f} ms, of which this process "
            f"computes {1e3 * here:.1f} ms"
        )
    print(
        f"{len(cells)} trainings, two processes over one: median {median(ratios):.2f} (goal "
        f">= {GOAL}), {min(ratios):.2f} to {max(ratios):.2f}; load average {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
