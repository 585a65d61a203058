"""Accuracy and energy against wake-up rate: doubtful beats of MIT-BIH go to the host.

After Ballet et al. 2026, arXiv:2605.29533: the processor of the board answers each beat from the
samples in the array, and wakes the host for the beats that it doubts (command TRIAGE). Devices age
as in ``endurance``.
"""

from __future__ import annotations

from ...datasets import ecg
from ..base import Bench, Cell, Figure
from . import pictures
from .cells import MARGIN, ONCE, RECALIBRATED, SETTINGS, array_cell, software_cell
from .sweep import THRESHOLDS
from .tables import (
    BETWEEN,
    FRESH,
    LAST,
    WORN,
    age_table,
    energy_table,
    needed_table,
    notes,
    rate_table,
    select,
)

FEW = 3  # seeds at the ages between, and at 10⁸ cycles


def make(bench: Bench) -> Figure:
    """Twenty seeds fresh and at 1e7 cycles, a few at other ages."""
    bench.say("reading the beats of 44 records (half a minute the first time)")
    ecg.beat_table()
    few = min(FEW, bench.seeds)
    cells = bench.map("arrays that triage beats", array_cell, _cells(bench.seeds, few))
    rival = bench.map(
        "logistic regression", software_cell, [{"seed": seed} for seed in range(bench.seeds)]
    )
    fresh, worn = select(cells, FRESH), select(cells, WORN)
    return Figure(
        title="Doubtful beats wake the host: accuracy and energy against wake-up rate, MIT-BIH",
        tables=[
            rate_table("ideal", fresh, rival),
            rate_table("host", fresh, rival),
            needed_table(fresh, worn, rival),
            age_table(cells),
            energy_table(fresh),
        ],
        pictures={"wakeup": pictures.main_picture(cells, rival)},
        values={
            "settings": SETTINGS,
            "thresholds": THRESHOLDS,
            "doubt": MARGIN,
            "cells": cells,
            "logistic_regression": rival,
        },
        notes=notes(fresh, few),
    )


def _cells(seeds: int, few: int) -> list[Cell]:
    kinds = [(FRESH, RECALIBRATED, seeds), (WORN, RECALIBRATED, seeds), (WORN, ONCE, seeds)]
    kinds += [(cycles, RECALIBRATED, few) for cycles in (*BETWEEN, LAST)]
    kinds.append((LAST, ONCE, few))
    return [
        {"cycles": cycles, "trim": trim, "seed": seed}
        for cycles, trim, count in kinds
        for seed in range(count)
    ]
