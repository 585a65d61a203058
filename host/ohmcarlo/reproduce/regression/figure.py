"""Regression against scikit-learn's BayesianRidge, and against the closed form of the posterior."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ...datasets.fetch import SWEEP, find
from ...errors import UsageError
from ...pictures.canvas import new_panels
from ...pictures.style import BLUE, GREY, ORANGE
from ...posterior_error import TRUSTED_SD
from ...runs.arrays import MEASURED
from ..base import Bench, Cell, Figure, Goal, Table
from .cells import SETS, STEPS, split
from .orders import ORDERS, reads

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

AS_GOOD = 1.01  # times the error of BayesianRidge
MEANS, SPREADS = 0.03, 0.05  # standard deviations; relative
RHOS = (0.8, 0.6)
ARRAY_SEEDS = 2
"""Splits on arrays whose devices differ; these runs take half a minute each."""
WAYS = {"adapted": None, "around the fit": True}


def make(bench: Bench) -> Figure:
    """Every set, ``bench.seeds`` splits, with and without the computer's fit."""
    keys = [(name, way) for name in SETS for way in WAYS]
    cells = [
        {"name": name, "seed": seed, "whiten": WAYS[way]}
        for name, way in keys
        for seed in range(bench.seeds)
    ]
    done = bench.map("regression", split, cells)
    others = other_arrays(bench)
    ordered = bench.map("orders", reads, [{"name": SETS[0], "rho": rho} for rho in RHOS])
    found = {key: done[i * bench.seeds : (i + 1) * bench.seeds] for i, key in enumerate(keys)}
    return Figure(
        title="Numbers with intervals: as good as BayesianRidge, with the exact posterior",
        tables=[
            *(table_of(f"{name}, {way}", runs) for (name, way), runs in found.items()),
            *(
                table_of(f"{SETS[0]}, adapted, {name}", runs, TRUSTED_SD)
                for name, runs in others.items()
            ),
            *(_orders(rho, cell) for rho, cell in zip(RHOS, ordered, strict=True)),
        ],
        pictures={"regression": _picture(found)},
        values={
            "cells": {f"{name}, {way}": runs for (name, way), runs in found.items()},
            "arrays": others,
            "orders": dict(zip(map(str, RHOS), ordered, strict=True)),
            "seeds": bench.seeds,
            "steps": STEPS,
        },
        notes=[
            "RMSE, CRPS: in units of the label. Coverage: share of the held-out labels in their "
            "interval. BayesianRidge of scikit-learn has the same halves and features.",
            "Means and spreads: of the draws of all weights against Student's distribution, the "
            "closed form of the same model. The effective samples explain an error of the means "
            "of 1/sqrt(ESS).",
            "Reads: array accesses that early rejection leaves.",
        ],
    )


def other_arrays(bench: Bench) -> dict[str, list[Cell]]:
    """The first data set on arrays whose devices differ: the physics model, and recorded cells if
    their data are on this machine."""
    arrays = {"physics": "physics"}
    try:
        arrays["recorded cells"] = f"{MEASURED}{find(SWEEP)}"
    except UsageError as error:
        bench.say(f"without recorded cells: {error}")
    found = {}
    for name, array in arrays.items():
        cells = [
            {"name": SETS[0], "seed": seed, "whiten": None, "array": array}
            for seed in range(ARRAY_SEEDS)
        ]
        found[name] = bench.map(f"regression, {name}", split, cells)
    return found


def _orders(rho: float, cell: Cell) -> Table:
    """Points that a step reads."""
    rows = [Goal(f"points read, order: {name}", [cell[name]], "%") for name in ORDERS]
    acceptance = Goal("acceptance", [cell["acceptance"]], "%")
    return Table(f"{SETS[0]}: early rejection of steps with rho {rho:g}", [*rows, acceptance])


def table_of(title: str, runs: list[Cell], exact: float = MEANS) -> Table:
    """The lines of one data set; ``exact`` is the largest error of the means."""

    def line(name: str, value: Callable[[Cell], float], unit: str = "") -> Goal:
        return Goal(name, [value(run) for run in runs], unit)

    rmse = [run["array"]["rmse"] / run["ridge"]["rmse"] for run in runs]
    crps = [run["array"]["crps"] / run["ridge"]["crps"] for run in runs]
    means = float(np.sqrt(np.mean([run["mean_sd_rms"] ** 2 for run in runs])))
    low, high = min(r["spread_low"] for r in runs), max(r["spread_high"] for r in runs)
    rows = [
        line("RMSE", lambda run: run["array"]["rmse"]),
        line("RMSE, BayesianRidge", lambda run: run["ridge"]["rmse"]),
        as_good("RMSE, ratio", rmse),
        line("R²", lambda run: run["array"]["r2"]),
        line("R², BayesianRidge", lambda run: run["ridge"]["r2"]),
        line("CRPS", lambda run: run["array"]["crps"]),
        line("CRPS, BayesianRidge", lambda run: run["ridge"]["crps"]),
        as_good("CRPS, ratio", crps),
        *(
            line(f"coverage of {level} %{other}", _coverage(source, level), "%")
            for level in ("50", "90", "95")
            for source, other in (("array", ""), ("ridge", ", BayesianRidge"))
        ),
        limited("means, rms over weights and splits (sd)", means, exact),
        Goal("spreads, smallest ratio", [low], "", "", f">= {1 - SPREADS}", low >= 1 - SPREADS),
        limited("spreads, largest ratio", high, 1 + SPREADS),
        line("noise, ratio of the medians", lambda run: run["noise"]),
        line("width of the prior (noise)", lambda run: run["sigma_p"]),
        line("effective samples per 1,000 steps", lambda run: run["ess"]),
        line("reads", lambda run: run["reads"], "%"),
        line("settled", lambda run: float(run["verdict"] == "settled"), "%"),
    ]
    return Table(title, rows)


def _coverage(source: str, level: str) -> Callable[[Cell], float]:
    return lambda run: float(run[source]["coverage"][level])


def limited(name: str, value: float, limit: float) -> Goal:
    """A single value that must not exceed its limit."""
    return Goal(name, [value], "", "", f"<= {limit}", value <= limit)


def as_good(name: str, ratios: list[float]) -> Goal:
    """A ratio to BayesianRidge, whose mean must not exceed ``AS_GOOD``."""
    met = float(np.mean(ratios)) <= AS_GOOD
    return Goal(name, ratios, "", "", f"<= {AS_GOOD}", met)


def _picture(found: dict[tuple[str, str], list[Cell]]) -> Picture:
    figure, axes = new_panels(1, 2, (11.0, 4.4))
    error, covered = axes[0]
    rows = np.arange(len(found))[::-1]
    names = [f"{name}, {way}" for name, way in found]
    for row, runs in zip(rows, found.values(), strict=True):
        ratios = [run["array"]["crps"] / run["ridge"]["crps"] for run in runs]
        error.scatter(ratios, np.full(len(ratios), row), color=BLUE, s=10, alpha=0.6)
    error.axvline(1, color=GREY, lw=0.8)
    error.set_yticks(rows, names)
    error.set(xlabel="CRPS of the array / CRPS of BayesianRidge (one point a split)")
    levels = ("50", "90", "95")
    for source, colour, shift in (("array", BLUE, 0.1), ("ridge", ORANGE, -0.1)):
        means = np.array(
            [
                [np.mean([run[source]["coverage"][level] for run in runs]) for level in levels]
                for runs in found.values()
            ]
        )
        at = np.repeat(rows + shift, len(levels))
        label = "array" if source == "array" else "BayesianRidge"
        covered.scatter(means.ravel(), at, color=colour, s=14, label=label)
    for level in levels:
        covered.axvline(int(level) / 100, color=GREY, lw=0.8, ls="--")
    covered.set_yticks(rows, [""] * len(rows))
    covered.set(xlabel="share of held-out labels in the intervals of 50, 90 and 95 %")
    covered.legend(loc="center", fontsize=8)
    return figure
