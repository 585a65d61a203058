"""The sampled posterior against NUTS, problem by problem and array by array."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import OhmcarloError, UsageError
from ...runs.arrays import recorded_cells
from ...runs.config import TrainConfig
from ...runs.verdict import Verdict
from ..base import Bench, Cell, Figure, Goal, Table
from ..sampled import sample_posterior
from .pictures import draw
from .problems import PROBLEMS, Problem, digest, reference

EMULATOR, PHYSICS, MEASURED = "emulator", "rram-1t1r", "measured cells"
ARRAYS = {EMULATOR: "emulator", PHYSICS: "physics", MEASURED: ""}
"""Column → array of ``TrainConfig``; the recorded cells have a path of their own."""
WAYS = {"adapted": True, "around the computer's fit": False}
PICTURES = {"adapted": "exactness", "around the computer's fit": "exactness-fitted"}
CHAINS, STEPS, SEEDS = 4, 10_000, 3
WANTED_SD, WANTED_SPREAD = 0.05, 0.05
"""Goals: largest shift of a mean (sd), largest |ratio of spreads - 1|, beyond Monte Carlo error."""
KEPT = ("rhat_max", "acceptance_rate", "posterior_error", "verdict", "verdict_reasons")
"""Values of the runs that a cell keeps."""
FLOORS = 2.5
"""Monte Carlo errors that the worst of some 20 weights may be off by chance."""


def sample(problem: str, array: str, seed: int, adapt: bool = True) -> Cell:
    """A cell: one training on the whole data set with the default options.

    ``adapt``: the array finds its coordinates itself; otherwise the computer fits them.
    """
    chosen = PROBLEMS[problem]
    x, y = chosen.data()
    if digest(x, y) != reference(chosen).digest:
        raise OhmcarloError(f"the data of {chosen.title} are not those of the reference")
    config = TrainConfig(
        task=problem,
        array=ARRAYS[array] or recorded_cells(),
        whiten=True,
        adapt=adapt,
        chains=CHAINS,
        steps=STEPS,
        seed=seed,
        sigma_p=chosen.sigma_p,
    )
    found = sample_posterior(config, chosen.title, x, y)
    return {
        "problem": problem,
        "array": array,
        "adapt": adapt,
        "seed": seed,
        **found.moments(),
        **{name: found.values[name] for name in KEPT},
    }


def compared(problem: Problem, cells: list[Cell]) -> dict[str, Any]:
    """Seeds together against the reference: shifts in sd, ratios of spreads, Monte Carlo error."""
    truth = reference(problem)
    shift = (np.mean([c["mean"] for c in cells], axis=0) - truth.mean) / truth.sd
    ratio = np.sqrt(np.mean(np.square([c["sd"] for c in cells]), axis=0)) / truth.sd
    floor = np.sqrt(1 / np.sum([c["ess"] for c in cells], axis=0) + truth.error**2)
    worst = float(ratio[np.abs(np.log(ratio)).argmax()])
    predicted = [e for c in cells for e in c["posterior_error"].values()]
    noise = FLOORS * float(floor.max())
    return {
        "shift_max": float(np.abs(shift).max()),
        "shift_rms": float(np.sqrt(np.mean(shift**2))),
        "spread": worst,
        "floor": float(floor.max()),
        "predicted_sd": max((e["mean_sd"] for e in predicted), default=0.0),
        "settled": all(c["verdict"] == Verdict.SETTLED for c in cells),
        "within": bool(
            np.abs(shift).max() <= WANTED_SD + noise and abs(worst - 1) <= WANTED_SPREAD + noise
        ),
    }


def make(bench: Bench) -> Figure:
    """Every problem whose data are on this machine, on every array, in both ways."""
    present, notes = _present()
    seeds = min(bench.seeds, SEEDS)
    cells = bench.map(
        "posteriors against NUTS",
        sample,
        [
            {"problem": problem, "array": array, "seed": seed, "adapt": adapt}
            for array in _arrays(notes)
            for adapt in WAYS.values()
            for problem in present
            for seed in range(seeds)
        ],
    )
    results = {way: _results([c for c in cells if c["adapt"] is a]) for way, a in WAYS.items()}
    return Figure(
        title=f"The sampled posterior against NUTS: {CHAINS} × {STEPS:,} steps, {seeds} seeds",
        tables=[_table(way, found) for way, found in results.items()],
        pictures={PICTURES[way]: draw(found) for way, found in results.items()},
        values={
            "cells": cells,
            "compared": [
                {"way": way, "problem": problem, "array": array, **values}
                for way, found in results.items()
                for (problem, array), values in found.items()
            ],
        },
        notes=[
            "Shifts are in posterior standard deviations of the reference, worst weight. The "
            f"goal is {WANTED_SD} sd and {WANTED_SPREAD:.0%} of the spread, beyond "
            f"{FLOORS} Monte Carlo errors.",
            "Whole data sets, default options; the prior is that of the reference.",
            *notes,
        ],
    )


def _results(cells: list[Cell]) -> dict[tuple[str, str], dict[str, Any]]:
    """``compared`` by problem and array."""
    keys = dict.fromkeys((c["problem"], c["array"]) for c in cells)
    return {
        key: compared(PROBLEMS[key[0]], [c for c in cells if (c["problem"], c["array"]) == key])
        for key in keys
    }


def _present() -> tuple[list[str], list[str]]:
    """Problems whose data are on this machine, and notes about the others."""
    present, notes = [], []
    for name, problem in PROBLEMS.items():
        try:
            problem.data()
        except UsageError as error:
            notes.append(f"left out: {problem.title}: {error}")
        else:
            present.append(name)
    return present, notes


def _arrays(notes: list[str]) -> list[str]:
    """Arrays that can be opened; adds a note about the recorded cells if they are missing."""
    try:
        recorded_cells()
    except UsageError as error:
        notes.append(f"left out: {MEASURED}: {error}")
        return [EMULATOR, PHYSICS]
    return list(ARRAYS)


def _table(way: str, results: dict[tuple[str, str], dict[str, Any]]) -> Table:
    rows = []
    for (problem, array), values in results.items():
        subject = f"{PROBLEMS[problem].title}, {array}"
        said = "settled" if values["settled"] else "not called settled"
        rows.append(
            Goal(
                f"shift of the worst mean (sd), {subject} ({said}, Monte Carlo "
                f"{values['floor']:.3f})",
                [values["shift_max"]],
                wanted=f"<= {WANTED_SD}, or not called settled",
                met=values["within"] or not values["settled"],
            )
        )
        rows.append(Goal(f"root mean square of the shifts (sd), {subject}", [values["shift_rms"]]))
        rows.append(Goal(f"ratio of the worst spread, {subject}", [values["spread"]]))
    return Table(f"Against NUTS, {way}", rows)
