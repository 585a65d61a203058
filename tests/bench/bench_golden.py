"""Speed of the golden model beside a plain NumPy Metropolis loop, in one run.

    python tests/bench/bench_golden.py

The NumPy loop does less work: it samples weights in float64, without devices, coin, queue or
ledger.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from ohmcarlo.golden import Controller, terms
from ohmcarlo.spec import Points
from problems import controller, wdbc_points

STEPS = 20_000
ROUNDS = 5


def numpy_metropolis(points: Points, steps: int, seed: int = 0) -> float:
    """Seconds per step of random-walk Metropolis on the same posterior, weights in float64."""
    rng = np.random.default_rng(seed)
    sign = np.where(points.labels == 1, 1.0, -1.0)
    x = points.inputs / 32.0 * sign[:, None]
    w = np.zeros(x.shape[1])
    log_posterior = -np.logaddexp(0, -(x @ w)).sum() - w @ w / 2
    noise = 0.3 * rng.standard_normal((steps, len(w)))
    coin = np.log(rng.random(steps))
    start = time.perf_counter()
    for i in range(steps):
        proposal = w + noise[i]
        candidate = -np.logaddexp(0, -(x @ proposal)).sum() - proposal @ proposal / 2
        if candidate - log_posterior >= coin[i]:
            w, log_posterior = proposal, candidate
    return (time.perf_counter() - start) / steps


def golden(early: bool, steps: int, slow: bool = False) -> float:
    """Seconds per step of the golden model after the order table settled."""
    points = wdbc_points()
    made: Controller = controller(points, early_reject=early, slow=True if slow else None)
    made.run(400)
    order = np.argsort(terms(made.registers, points, made.state.codes[0]), kind="stable")
    made.set_order(order.astype(np.int32))
    start = time.perf_counter()
    made.run(steps)
    return (time.perf_counter() - start) / steps


def main() -> None:
    points = wdbc_points()
    golden(True, 10), golden(True, 10, slow=True)  # compile
    rows: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        rows.setdefault("NumPy float64 Metropolis", []).append(numpy_metropolis(points, STEPS))
        rows.setdefault("golden, emulated array", []).append(golden(True, STEPS))
        rows.setdefault("golden, no early rejection", []).append(golden(False, STEPS))
        rows.setdefault("golden, any array", []).append(golden(True, STEPS // 10, slow=True))
    base = median(rows["NumPy float64 Metropolis"])
    print(f"{len(points)} points × {points.features} weights, median of {ROUNDS} rounds")
    for name, seconds in rows.items():
        s = median(seconds)
        print(
            f"  {name:28s} {s * 1e6:7.1f} µs/step {1 / s:9,.0f} steps/s   {base / s:5.2f} × NumPy"
        )


if __name__ == "__main__":
    main()
