"""What line resistance costs: predicted for sizes of arrays, and sampled."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...posterior_error import TRUSTED_SPREAD
from ..base import Bench, Cell, Figure, Goal, Table
from ..exactness.problems import PROBLEMS
from .cells import ARRAY, CALIBRATED, CODES, PRESET, SAMPLED_PRESET, WAYS, cost, sample
from .pictures import draw

SIZES = ((64, 16), (128, 32), (256, 32), (512, 32), (128, 64))
OHMS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
SAMPLED = (("ill-conditioned", 64, 16), ("digits", 256, 32))
SAMPLED_OHMS = (1.0, 2.0, 5.0, 10.0)
SEEDS = 2
WANTED = 0.05
"""Goal of a corrected spread, |ratio - 1|."""


def make(bench: Bench) -> Figure:
    """Predictions for every size, and posteriors on two of them."""
    costs = bench.map(
        "cost of lines",
        cost,
        [{"rows": n, "pairs": p, "ohm": ohm} for n, p in SIZES for ohm in OHMS],
    )
    sampled = bench.map(
        "posteriors against NUTS",
        sample,
        [
            {"problem": q, "rows": n, "pairs": p, "ohm": ohm, "way": way, "seed": seed}
            for q, n, p in SAMPLED
            for ohm, ways in [(0.0, (ARRAY,)), *((o, tuple(WAYS)) for o in SAMPLED_OHMS)]
            for way in ways
            for seed in range(min(bench.seeds, SEEDS))
        ],
    )
    return Figure(
        title="Line resistance: the cost of an array's size, and its correction",
        tables=[predictions(costs), reaches(costs), comparison(sampled)],
        pictures={"wires": draw(costs, sampled)},
        values={"costs": costs, "sampled": sampled},
        notes=[
            "1T1R array, resistance per cell on bit lines and source lines, one amplifier per row "
            "beside pair 0 (docs/design.md#line-resistance).",
            f"Predictions: preset {PRESET}, whitened posterior, all inputs of a row used, worst "
            "weight. They depend on the pairs, and not on the rows.",
            "Rows in reach: all devices of a row can be read at the centre of the range. Passive: "
            "without selectors, all source lines held at virtual ground, all devices at the centre "
            "(scipy.sparse solves the network).",
            f"Sampled: preset {SAMPLED_PRESET}, so that lines are the only imperfection; mean over "
            "the weights.",
        ],
    )


def _size(cell: Cell) -> str:
    return f"{cell['rows']} × {cell['pairs']}, {cell['ohm']:g} Ω"


def predictions(costs: list[Cell]) -> Table:
    """Shift of the worst mean and ratio of the worst spread, uncorrected and corrected."""
    rows = []
    for cell in costs:
        for way in (ARRAY, CALIBRATED):
            spread, corrected = cell["spread"][way], way == CALIBRATED
            rows.append(Goal(f"shift (sd), {_size(cell)}, {way}", [cell["shift"][way]]))
            rows.append(
                Goal(
                    f"ratio of spreads, {_size(cell)}, {way}",
                    [spread],
                    wanted=f"within {TRUSTED_SPREAD:g} of 1" if corrected else "",
                    met=abs(spread - 1) <= TRUSTED_SPREAD if corrected else None,
                )
            )
    return Table("Predicted for dot products of the array", rows)


def reaches(costs: list[Cell]) -> Table:
    """Rows that can be used, with and without selectors."""
    rows = []
    for cell in costs:
        subject = _size(cell)
        rows.append(Goal(f"rows in reach, {subject}", [cell["reach"]], "%"))
        rows.append(Goal(f"rows in reach, {subject}, passive", [cell["passive_reach"]], "%"))
        far = f"current of the farthest device, {subject}, passive"
        rows.append(Goal(far, [cell["passive"]], "%"))
    return Table("Rows in reach", rows)


def comparison(sampled: list[Cell]) -> Table:
    """Seeds together: measured shifts and spreads beside the prediction of the run."""
    rows: list[Goal] = []
    keys = dict.fromkeys((c["problem"], c["ohm"], c["way"]) for c in sampled)
    for problem, ohm, way in keys:
        cells = [c for c in sampled if (c["problem"], c["ohm"], c["way"]) == (problem, ohm, way)]
        spread = float(np.mean([c["spread"] for c in cells]))
        floor = float(np.mean([c["floor"] for c in cells]))
        subject = f"{PROBLEMS[problem].title} on {_size(cells[0])}, {way}"
        rows.append(Goal(f"rms shift (sd), {subject}{_said(cells)}", [c["shift"] for c in cells]))
        corrected = way in (CALIBRATED, CODES)
        rows.append(
            Goal(
                f"mean ratio of spreads, {subject} (Monte Carlo {floor:.2f})",
                [c["spread"] for c in cells],
                wanted=f"within {WANTED:g} of 1" if corrected else "",
                met=abs(spread - 1) <= WANTED if corrected else None,
            )
        )
    return Table("Sampled, against NUTS", rows)


def _said(cells: list[Cell]) -> str:
    """The prediction of the runs, in brackets."""
    predicted: list[dict[str, Any]] = [c["predicted"] for c in cells if c["predicted"]]
    if not predicted:
        return ""
    rms = np.mean([p["mean_sd_rms"] for p in predicted])
    spread = np.mean([p["spread"] for p in predicted])
    return f" (predicted rms {rms:.2f}, worst spread × {spread:.2f})"
