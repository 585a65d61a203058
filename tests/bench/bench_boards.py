"""Two boards against one with the same chains in all.

    python tests/bench/bench_boards.py [--backend model] [--pairs 7] [--steps 200000]
    python tests/bench/bench_boards.py --backend rtl --pairs 3 --steps 500

Each pair is one run of four chains on one board, and one of two chains on each of two boards. The
order alternates. A ratio is that of the times of one pair: above 1, two boards are faster. The time
is that from the start of the chains to the last step of the last board.
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from statistics import median

from ohmcarlo.runs.chain_run import ChainRun
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.kinds import SUPERVISED

CHAINS = 4


def measure(backend: str, steps: int) -> tuple[float, float]:
    """Wall-clock time and CPU time of the chains, s."""
    config = TrainConfig(
        "breast-cancer", backend=backend, chains=CHAINS, steps=steps, whiten=True, rho=0.8
    )
    began = [0.0, 0.0]

    def begin(_: object) -> None:
        began[:] = time.perf_counter(), time.process_time()

    with closing(SUPERVISED.build(config, lambda text: None)) as experiment:
        ChainRun(experiment.setup, before_sampling=begin).run()
        return time.perf_counter() - began[0], time.process_time() - began[1]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--backend", default="model")
    options.add_argument("--pairs", type=int, default=7)
    options.add_argument("--steps", type=int, default=200_000)
    chosen = options.parse_args()
    one, two = chosen.backend, f"{chosen.backend},{chosen.backend}"
    measure(two, 100)  # compiled, built
    found: list[dict[str, tuple[float, float]]] = []
    for pair in range(chosen.pairs):
        order = (one, two) if pair % 2 else (two, one)
        found.append({backend: measure(backend, chosen.steps) for backend in order})
    print(f"{CHAINS} chains of {chosen.steps:,} steps, {chosen.pairs} pairs, medians")
    for backend in (one, two):
        wall, cpu = (median(pair[backend][k] for pair in found) for k in (0, 1))
        print(f"{backend:>20}: {wall:8.2f} s of wall-clock time, {cpu:8.2f} s of CPU time")
    ratios = sorted(pair[one][0] / pair[two][0] for pair in found)
    print(f"one / two, wall-clock time: {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
