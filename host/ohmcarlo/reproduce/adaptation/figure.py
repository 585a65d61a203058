"""Effective samples, steps and posterior of arrays that adapt themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...diagnostics import ESS_LIMIT
from ...errors import UsageError
from ...runs.adaptation.schedule import MOST_STEPS
from ...runs.verdict import Verdict
from ..base import Bench, Cell, Figure, Goal, Table
from .cells import ADAPTED, FAIR, FITTED, FOR_EVER, STEPS, compare, control, shifts
from .pictures import draw
from .sets import LEAST, SETS

SHARE, WORST = 0.9, 1 / 3
"""Effective samples: least share of those around the fit, and of the worst seed in the median."""
MEANS, SPREADS = 0.05, 0.05
"""Largest difference of the means (sd) beyond Monte Carlo error, and of the spreads (relative)."""
CONTROL, CONTROL_SEEDS = "wdbc-15", 3
WAYS = (FITTED, FAIR, ADAPTED)


def make(bench: Bench) -> Figure:
    """Every set whose data are on this machine, ``bench.seeds`` training halves each."""
    names, notes = _present()
    seeds = range(bench.seeds)
    done = bench.map(
        "adaptation", compare, [{"name": n, "seed": seed} for n in names for seed in seeds]
    )
    found = {n: [c for c in done if c["name"] == n] for n in names}
    wrong = bench.map(
        "control", control, [{"name": CONTROL, "seed": seed} for seed in seeds[:CONTROL_SEEDS]]
    )
    return Figure(
        title=f"An array that adapts itself: {bench.seeds} training halves, 4 × {STEPS:,} steps",
        tables=[*(table_of(name, cells) for name, cells in found.items()), control_table(wrong)],
        pictures={"adaptation": draw(found)},
        values={
            "sets": {name: summary(cells) for name, cells in found.items()},
            "cells": done,
            "control": wrong,
        },
        notes=[
            "ESS: effective samples per 1,000 steps of the worst-mixing weight. A seed chooses the "
            "training half (ecg: patients) and the array; a set without a split of its own is "
            "halved at random, with equal shares of the classes.",
            "Fitted: around a Laplace fit on the computer, as `train --whiten`. The second row has "
            "rho and gamma of the adapted chain.",
            "Means, spreads: of the adapted chain against the fitted one. Beyond Monte Carlo: root "
            "of the mean square over weights and seeds, less that of the Monte Carlo errors.",
            f"Steps are those of every chain; the four chains of a run take four times as many. "
            f"Settled: the verdict of a run, which needs {ESS_LIMIT} effective samples.",
            *notes,
        ],
    )


def _present() -> tuple[list[str], list[str]]:
    """Sets whose data are on this machine, and notes about the others."""
    present, notes = [], []
    for name, chosen in SETS.items():
        try:
            chosen.half(0)
        except UsageError as error:
            notes.append(f"left out: {chosen.title}: {error}")
        else:
            present.append(name)
    return present, notes


def summary(cells: list[Cell]) -> dict[str, Any]:
    """The numbers of one set over its seeds."""
    ess = {way: np.array([c[way]["ess_min_per_1000_steps"] for c in cells]) for way in WAYS}
    steps = [c["steps"] for c in cells]
    moved, error = (np.concatenate(v) for v in zip(*map(shifts, cells), strict=True))
    ratios = [np.array(c[ADAPTED]["sd"]) / c[FITTED]["sd"] for c in cells]
    total, chance = float((moved**2).mean()), float((error**2).mean())
    worst = int(ess[ADAPTED].argmin())
    return {
        "ess": {way: float(np.median(values)) for way, values in ess.items()},
        "ess_worst": float(ess[ADAPTED][worst]),
        "worst_seed": cells[worst]["seed"],
        "worst_fitted": float(ess[FITTED].min()),
        "steps": float(np.median(steps)),
        "steps_most": max(steps),
        "means_sd": float(np.sqrt(total)),
        "monte_carlo_sd": float(np.sqrt(chance)),
        "means_beyond_sd": float(np.sqrt(max(0.0, total - chance))),
        "spreads": float(np.exp(np.log(np.concatenate(ratios)).mean())),
        "settled": {
            way: float(np.mean([c[way]["verdict"] == Verdict.SETTLED for c in cells]))
            for way in (FITTED, ADAPTED)
        },
    }


def table_of(name: str, cells: list[Cell]) -> Table:
    """The lines of one set."""
    v, hard = summary(cells), SETS[name].hard
    ours, share = v["ess"][ADAPTED], SHARE * v["ess"][FITTED]
    third = WORST * ours
    least = max(share, LEAST.get(name, 0.0))
    fit = f"around the fit, worst seed {v['worst_fitted']:.1f}"
    rows = [
        Goal(f"ESS, {FITTED}, median of the seeds", [v["ess"][FITTED]]),
        Goal(f"ESS, {FAIR}, median", [v["ess"][FAIR]]),
        _least(f"ESS, {ADAPTED}, median", ours, least),
        _least(f"ESS, {ADAPTED}, worst seed ({v['worst_seed']}; {fit})", v["ess_worst"], third),
        Goal("steps of the adaptation, median", [v["steps"]]),
        _most("steps of the adaptation, most", v["steps_most"], MOST_STEPS, hard=False),
        Goal("steps of the adaptation, all four chains, median", [4 * v["steps"]]),
        Goal("means, difference from the fitted chain (sd rms)", [v["means_sd"]]),
        Goal("means, Monte Carlo error of that (sd rms)", [v["monte_carlo_sd"]]),
        _most("means, beyond Monte Carlo (sd rms)", v["means_beyond_sd"], MEANS, hard),
        Goal("spreads, ratio to the fitted chain, mean", [v["spreads"]]),
        _most("spreads, off by", abs(v["spreads"] - 1), SPREADS, hard),
        Goal("settled, fitted", [v["settled"][FITTED]], "%"),
        Goal("settled, adapted", [v["settled"][ADAPTED]], "%"),
    ]
    return Table(SETS[name].title, rows)


def _least(name: str, value: float, least: float) -> Goal:
    return Goal(name, [value], wanted=f">= {least:.1f}", met=value >= least)


def _most(name: str, value: float, most: float, hard: bool) -> Goal:
    if hard:
        return Goal(name, [value])
    return Goal(name, [value], wanted=f"<= {most:g}", met=value <= most)


def control_table(cells: list[Cell]) -> Table:
    """An array that never stops adapting: its posterior must be wrong."""
    shift, spread = ([c[name] for c in cells] for name in ("shift", "spread"))
    caught = min(shift) > MEANS and all(abs(s - 1) > SPREADS for s in spread)
    rows = [
        Goal("means, difference from the fitted chain (sd rms)", shift, wanted=f"> {MEANS}"),
        Goal("spreads, ratio to the fitted chain, median", spread, wanted="not 1"),
        Goal("caught in all seeds", [float(caught)], "%", wanted="100 %", met=caught),
    ]
    return Table(f"Control, {SETS[CONTROL].title}: {FOR_EVER} stages of 10 steps, sampled", rows)
