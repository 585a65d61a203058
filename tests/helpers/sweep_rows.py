"""Rows of a sweep with a known response, for tests of its curves, pages and pictures."""

from typing import Any

import numpy as np

from ohmcarlo.sweeps.table import FAILED, FINISHED, MISSING, Row, Table

SWEPT = ("task", "rows", "preset.slow_share", "kernel", "seed")
REFERENCE: Row = {"task": "toy2d", "rows": 256, "preset.slow_share": 0.25, "kernel": "corrected"}
SEEDS = 4


def error_of(setting: Row) -> float:
    """The posterior error of a setting beyond chance."""
    return float(0.02 + setting["preset.slow_share"] * 16 / np.sqrt(setting["rows"]))


def row_of(seed: int, status: str = FINISHED, **changes: Any) -> Row:
    """A cell; its error of the means has a Monte Carlo part, and differs from seed to seed."""
    setting = {**REFERENCE, **changes}
    found: Row = {**setting, "seed": seed, "status": status, "seconds": 2.0, "message": None}
    if status != FINISHED:
        return {**found, "message": "33 features in 32 pairs: use --pairs 40"}
    beyond, chance = error_of(setting) * (1 + 0.1 * (seed - 1.5)), 0.03
    return {
        **found,
        "error_sd": float(np.hypot(beyond, chance)),
        "monte_carlo_sd": chance,
        "spread_error": 0.01,
        "accuracy": 0.9 + 0.01 * seed,
        "acceptance": 0.4,
        "ess_per_1000_steps": 50.0 * 2.0**seed,
        "energy_per_sample_joules": 1e-7,
        "settled": beyond < 0.1,
    }


def example_table() -> Table:
    """Single changes for two tasks, a grid, a failed level and a missing one."""
    points: list[tuple[str, Row]] = []
    for task in ("toy2d", "breast-cancer"):
        points += [(FINISHED, {"task": task, "rows": rows}) for rows in (64, 256, 1024)]
        points += [(FINISHED, {"task": task, "preset.slow_share": s}) for s in (0.0, 0.5, 1.0)]
        points += [(FAILED, {"task": task, "rows": 16}), (MISSING, {"task": task, "rows": 4096})]
    points.append((FINISHED, {"kernel": "published"}))
    points += [
        (FINISHED, {"rows": rows, "preset.slow_share": share})
        for rows in (64, 1024)
        for share in (0.0, 1.0)
    ]
    rows = [row_of(seed, status, **p) for status, p in points for seed in range(SEEDS)]
    return Table("example", SWEPT, dict(REFERENCE), rows)
