"""Energy of a training: counted operations times sourced constants, and the same in software.

The golden model counts operations on the emulated array. The number of steps is the least one,
from 1,000 on, whose accuracy stays within half a point of that of 4,000 steps. It was found on
seeds from 100 on, which are not reported.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import UsageError
from ...tasks import CARTPOLE, POLICY, get_task
from ..base import Bench, Cell, Figure, require_data
from .cells import CHOICES, KERNELS, SUPERVISED, WALK, cell, tuning_cell
from .pictures import bars, early_picture, ratio_picture, steps_picture
from .spent import Spent
from .tables import cost_table, software_table
from .tuning import LEAST_STEPS, TOLERANCE, steps_needed

TUNING_FROM, TUNING_SEEDS = 100, 10
EARLY_SEEDS = 2


def available() -> tuple[list[str], list[str]]:
    """Supervised tasks whose data are available, and the reasons for leaving out others."""
    names, notes = [], []
    for task in SUPERVISED:
        try:
            require_data([task])
            names.append(task)
        except UsageError as error:
            notes.append(f"without {task}: {error}")
    return names, notes


def make(bench: Bench) -> Figure:
    """Find the number of steps, count operations, price them."""
    tasks, notes = available()
    settings = [(task, kernel) for task in tasks for kernel in KERNELS]
    tuned = bench.map(
        "steps",
        tuning_cell,
        [
            {"task": t, "kernel": k, "seed": TUNING_FROM + i}
            for t, k in settings
            for i in range(min(TUNING_SEEDS, bench.seeds))
        ],
    )
    steps = {
        (t, k): steps_needed([c["accuracy"] for c in tuned if (c["task"], c["kernel"]) == (t, k)])
        for t, k in settings
    }
    settings.append((CARTPOLE, WALK))
    steps[CARTPOLE, WALK] = get_task(CARTPOLE).steps
    cells = bench.map("energy", cell, _cells(settings, steps, bench.seeds))
    groups = {s: [c for c in cells if (c["task"], c["kernel"]) == s] for s in settings}
    spent = {s: Spent(found) for s, found in groups.items()}
    tables = [cost_table(s, spent[s]) for s in settings]
    return Figure(
        title="Energy per training: the array, what dominates, and the same in software",
        tables=[*tables, software_table(spent)],
        pictures={
            "energy": bars(spent),
            "early": early_picture(spent),
            "ratios": ratio_picture(spent),
            "steps": steps_picture(tuned, steps),
        },
        values={
            "steps": {f"{t}, {k}": n for (t, k), n in steps.items()},
            "tuning": tuned,
            "cells": cells,
            "energy": {f"{t}, {k}": s.values() for (t, k), s in spent.items()},
        },
        notes=[
            "No energy is measured: operations are counted, and their energies are published or "
            "estimated (array/energy.py).",
            f"Number of steps: the least of {', '.join(map(str, CHOICES))} from which on the mean "
            f"accuracy over seeds {TUNING_FROM} to {TUNING_FROM + TUNING_SEEDS - 1} stays within "
            f"{TOLERANCE:.1%} of that after {CHOICES[-1]:,}, and never less than "
            f"{LEAST_STEPS:,}, because a posterior needs more steps than a class; "
            "cartpole: its 1,200 episodes.",
            "Ranges: 90 % of trainings priced with constants drawn between their bounds, each on "
            "its own, triangular over the logarithm.",
            "Whitened: the computer fits the mode first; that energy is not included.",
            "Cartpole: actions are computed from the codes that were read back, by the processor, "
            "which is not priced here. `if the array acted` prices an access per control step. A "
            "ratio of times is not given, because most time of the golden model is spent on the "
            "cart.",
            "CPU: time of one core (golden model, which also plays the devices; NumPy: the bare "
            "algorithm) at an assumed 10 W [4, 20]; operations at 0.5 nJ [0.05, 2]. Cortex-M4: 5 "
            "cycles [2.5, 10] an operation at 288 pJ [122, 300]. Random numbers not counted there. "
            "45 nm logic: 8-bit multipliers, weights and data in SRAM, a counter-based generator.",
            "The published factor of about 10⁵ (press coverage) does not name its CMOS reference. "
            "Against a processor, the ratio is mostly that of software to logic. Against logic "
            "made for the same algorithm, it is of order one.",
            *notes,
        ],
    )


def _cells(
    settings: Sequence[tuple[str, str]], steps: dict[tuple[str, str], int], seeds: int
) -> list[Cell]:
    out: list[Cell] = []
    for task, kernel in settings:
        base = {"task": task, "kernel": kernel, "steps": steps[task, kernel]}
        out += [base | {"seed": seed, "early": True} for seed in range(seeds)]
        if get_task(task).kind != POLICY:
            out += [base | {"seed": s, "early": False} for s in range(min(EARLY_SEEDS, seeds))]
    return out
