"""Chains in threads beside chains that take turns, in one run.

    python tests/bench/bench_threads.py

Every pair of runs makes the same steps, and the program ends with an error if a trace differs.
Times are medians over rounds in which both ways follow each other. Wall-clock time shows how
long a user waits; measure it on an idle computer. CPU time shows the cost of the threads.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from ohmcarlo.golden import Controller
from ohmcarlo.golden.controller import prediction_sums
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.threads import limit_threads, threads
from problems import controller, quantised, same_trace, trace, wdbc_points, xor_points

ROUNDS = 7
SECONDS = 0.4  # of a run in one thread, about
CHAINS = 4
FEATURES = 15
SAMPLES = 2000


def many_points(n: int) -> Points:
    """``n`` cases of a logistic model with as many features as WDBC has here."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, FEATURES))
    chance = 1 / (1 + np.exp(-x @ rng.standard_normal(FEATURES)))
    return Points.of(quantised(x), (rng.random(n) < chance).astype(np.uint8))


def problems() -> dict[str, tuple[Points, dict[str, Any]]]:
    alike = Geometry(regions=CHAINS)
    network = Geometry(512, 16, row_group=4, regions=CHAINS)
    wdbc = wdbc_points(FEATURES)
    return {
        f"WDBC, {len(wdbc)} points": (wdbc, {"geometry": alike}),
        "WDBC, 8 chains": (wdbc, {"geometry": Geometry(regions=8)}),
        "WDBC, 3 chains": (wdbc, {"geometry": Geometry(regions=3)}),
        "1 % of the devices stuck": (wdbc, {"geometry": alike, "array": {"stuck": 0.01}}),
        "10,000 points": (many_points(10_000), {"geometry": alike}),
        "network, 3 hidden units": (xor_points(), {"geometry": network, "hidden": 3}),
    }


def timed(made: Controller, steps: int, number: int) -> tuple[float, float, dict[str, np.ndarray]]:
    """Wall-clock time and CPU time, s, and the trace."""
    limit_threads(number)
    began, cpu = time.perf_counter(), time.process_time()
    found = trace(made, steps)
    return time.perf_counter() - began, time.process_time() - cpu, found


def compare(points: Points, case: dict[str, Any], number: int) -> tuple[float, float, float]:
    """Steps per second of all chains in turn; ratios of wall-clock time and of CPU time."""
    pair = [controller(points, **case) for _ in range(2)]
    steps = 50
    while (taken := timed(pair[0], steps, 1)[0]) < SECONDS / 4:
        timed(pair[1], steps, number)
        steps *= 2
    timed(pair[1], steps, number)
    steps = int(steps * SECONDS / taken)
    clock: list[list[float]] = [[], []]
    cpu: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        traces = []
        for i, threads_of_it in enumerate((1, number)):
            seconds, spent, found = timed(pair[i], steps, threads_of_it)
            clock[i].append(seconds)
            cpu[i].append(spent)
            traces.append(found)
        if not same_trace(*traces):
            raise SystemExit("the trace of chains in threads is another one")
    turns, ahead = (median(found) for found in clock)
    ratio = median(b / a for a, b in zip(*cpu, strict=True))
    regions = case["geometry"].regions
    return steps * regions / turns, turns / ahead, ratio


def compare_predictions(number: int) -> tuple[float, float]:
    """Ratios of wall-clock time and of CPU time of a prediction."""
    points = many_points(10_000)
    made = controller(points, Geometry(regions=CHAINS))
    codes = np.repeat(made.state.codes, SAMPLES // CHAINS, axis=0).astype(np.uint16)
    counts = np.ones(len(codes), np.int64)
    clock: list[list[float]] = [[], []]
    cpu: list[list[float]] = [[], []]
    for _ in range(ROUNDS + 1):
        for i, threads_of_it in enumerate((1, number)):
            limit_threads(threads_of_it)
            began, spent = time.perf_counter(), time.process_time()
            prediction_sums(made.registers, points, codes, counts)
            clock[i].append(time.perf_counter() - began)
            cpu[i].append(time.process_time() - spent)
    turns, ahead = (median(found[1:]) for found in clock)
    return turns / ahead, median(b / a for a, b in zip(cpu[0][1:], cpu[1][1:], strict=True))


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else threads()
    print(f"{number} threads, {CHAINS} chains unless a row names others, median of {ROUNDS} rounds")
    print(f"  {'':28s} {'steps/s, 1 thread':>18s} {'speed-up':>9s} {'CPU time':>9s}")
    for name, (points, case) in problems().items():
        rate, faster, cost = compare(points, case, number)
        print(f"  {name:28s} {rate:18,.0f} {faster:8.2f}× {cost:8.2f}×", flush=True)
    faster, cost = compare_predictions(number)
    print(f"  {'prediction, 10,000 points':28s} {'':18s} {faster:8.2f}× {cost:8.2f}×")


if __name__ == "__main__":
    main()
