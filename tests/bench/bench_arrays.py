"""Speed of chains over every kind of array: compiled loop beside single operations, in one run.

    python tests/bench/bench_arrays.py [--compile]

Times are CPU times, and the two ways alternate. ``--compile`` also measures, in new processes with
an empty cache, the first start of each kind.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from ohmcarlo.array import EmulatedArray, MeasuredArray, PhysicsArray, get_preset
from ohmcarlo.array.base import Array
from ohmcarlo.array.sweep import load_sweep
from ohmcarlo.golden import Controller, SamplerSettings, terms
from ohmcarlo.spec import Geometry, Points
from problems import SlowArray, wdbc_points

FAST_STEPS, SLOW_STEPS = 10_000, 400
ROUNDS = 5
Maker = Callable[[Geometry, int], Array]


def physics(preset: str, **constants: float) -> Maker:
    chosen = get_preset(preset).with_values(**constants)
    return lambda geometry, seed: PhysicsArray(geometry, chosen, seed)


def cells(geometry: Geometry, seed: int) -> MeasuredArray:
    sweep = load_sweep(files("ohmcarlo.measurements") / "example.csv")
    return MeasuredArray(sweep, geometry, seed)


CODES, ARRAY = {"dot_products": "codes"}, {"dot_products": "array"}
KINDS: dict[str, tuple[Maker, dict[str, Any]]] = {
    "emulated": (EmulatedArray, {}),
    "physics, dot products from codes": (physics("rram-1t1r"), CODES),
    "physics, dot products of the array": (physics("rram-1t1r"), ARRAY),
    "physics, 2 % read noise, from codes": (physics("relative-5pct", read_noise_rel=0.02), CODES),
    "physics, lines of 2 Ω, from codes": (physics("rram-1t1r", wire_ohm=2.0), CODES),
    "physics, lines of 2 Ω, of the array": (physics("rram-1t1r", wire_ohm=2.0), ARRAY),
    "measured cells": (cells, {}),
}


def started(kind: str, points: Points, compiled: bool) -> Controller:
    """A chain whose order table is settled."""
    make, settings = KINDS[kind]
    array = make(Geometry(), 1)
    registers = SamplerSettings(**settings).registers(
        array.geometry, points.features, array.sigma_us
    )
    emulated = isinstance(array, EmulatedArray)
    made = Controller(registers, SlowArray(array) if emulated and not compiled else array, points)
    if not compiled:
        made._physical = None
    made.start()
    made.run(100)
    order = np.argsort(terms(registers, points, made.state.codes[0]), kind="stable")
    made.set_order(order.astype(np.int32))
    return made


def seconds_per_step(made: Controller, steps: int) -> float:
    start = time.process_time()
    made.run(steps)
    return (time.process_time() - start) / steps


def compare(points: Points) -> None:
    print(f"{len(points)} points × {points.features} weights, one chain, {ROUNDS} rounds")
    for kind in KINDS:
        chains = [started(kind, points, compiled) for compiled in (True, False)]
        times: list[tuple[float, float]] = []
        for _ in range(ROUNDS):
            fast = seconds_per_step(chains[0], FAST_STEPS)
            times.append((fast, seconds_per_step(chains[1], SLOW_STEPS)))
        fast, slow = (median(column) for column in zip(*times, strict=True))
        ratio = median(b / a for a, b in times)
        print(
            f"  {kind:36s} {fast * 1e6:6.1f} µs/step {1 / fast:8,.0f} steps/s;  "
            f"single operations {slow * 1e6:6.1f} µs/step, {ratio:5.1f} ×"
        )


def first_start(kind: str) -> float:
    """CPU seconds of a first start and ten steps in a new process with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, "--start", kind],
            env=os.environ | {"XDG_CACHE_HOME": folder},
            capture_output=True,
            text=True,
            check=True,
        )
    return float(done.stdout)


def start_once(kind: str) -> None:
    points, begin = wdbc_points(), time.process_time()
    started(kind, points, True).run(10)
    print(time.process_time() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--start", choices=list(KINDS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.start:
        start_once(options.start)
        return
    compare(wdbc_points())
    if options.compile:
        print("first start, nothing compiled before, CPU time")
        for kind in KINDS:
            print(f"  {kind:36s} {first_start(kind):5.1f} s")


if __name__ == "__main__":
    main()
