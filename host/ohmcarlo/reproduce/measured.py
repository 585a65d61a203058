"""The supervised tasks on recorded real cells: every SET is a measurement, without a model.

Fifty cells of a 1T1R chip, twenty repeats at each word-line voltage (``ohmcarlo data fetch
rram-set-sweep``). The trim is learnt on one half of each cell's repeats, the chain runs on the
other half. The emulated array and logistic regression on the same points are shown for comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..pictures.canvas import new_figure
from ..pictures.style import BLUE, GREEN, GREY, ORANGE
from ..runs.arrays import recorded_cells
from ..runs.config import TrainConfig
from ..runs.train import train
from .base import Bench, Cell, Figure, Goal, Table, require_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

TASKS = {
    "toy2d": "two features",
    "breast-cancer": "WDBC",
    "breast-cancer-original": "tissue, original",
    "ecg": "ECG, unseen patients",
}
WHITENED: dict[str, Any] = {"whiten": True, "steps": 2000}
EMULATED, TRIMMED, UNTRIMMED = "emulator", "real cells, trimmed", "real cells, untrimmed"
ARRAYS: dict[str, dict[str, Any]] = {
    EMULATED: {},
    TRIMMED: {"measured": True, "trim": True},
    UNTRIMMED: {"measured": True, "trim": False},
}
SOFTWARE = "logistic regression"
COLOURS = {EMULATED: BLUE, TRIMMED: ORANGE, UNTRIMMED: GREEN, SOFTWARE: GREY}
KEPT = (
    "accuracy", "balanced_accuracy", "log_loss", "ece", "acceptance_rate",
    "ess_min_per_1000_steps", "rhat_max", "epistemic_sd_mean", "baseline",
)  # fmt: skip


def learn(task: str, array: str, seed: int) -> Cell:
    """A cell: one training, as by ``ohmcarlo train``."""
    options = dict(ARRAYS[array])
    if options.pop("measured", False):
        options["array"] = recorded_cells()
    values = train(TrainConfig(task, seed=seed, **WHITENED, **options)).values
    return {"task": task, "array": array, "seed": seed, **{name: values[name] for name in KEPT}}


def make(bench: Bench) -> Figure:
    """Every task on every array, over the seeds."""
    require_data(TASKS)
    recorded_cells()
    cells = bench.map(
        "four tasks, real cells and emulated ones",
        learn,
        [
            {"task": task, "array": array, "seed": seed}
            for array in (UNTRIMMED, TRIMMED, EMULATED)
            for task in TASKS
            for seed in range(bench.seeds)
        ],
    )
    by_case = {
        (task, array): [c for c in cells if (c["task"], c["array"]) == (task, array)]
        for task in TASKS
        for array in ARRAYS
    }
    return Figure(
        title="The supervised tasks on 50 recorded real cells",
        tables=[accuracy_table(by_case), chain_table(by_case)],
        pictures={"measured": draw(by_case)},
        values={"settings": WHITENED, "cells": cells},
        notes=[
            "A SET on real cells is one of the values of the cell at that voltage; the trim uses "
            "the other half of the repeats. No model of a device is involved.",
            "All runs use --whiten with the default proposal of the array (runs/setup.py).",
            "Equal seeds give equal training points. 'Beside ...' is the paired difference.",
            "One straight line per device does not fit all cells, and their spreads differ by a "
            "factor of two: the posterior on real cells is not exact, whatever its accuracy.",
        ],
    )


def accuracy_table(by_case: dict[tuple[str, str], list[Cell]]) -> Table:
    rows = []
    for task, title in TASKS.items():
        theirs = by_case[task, EMULATED]
        software = [c["baseline"]["balanced_accuracy"] for c in theirs]
        for array in ARRAYS:
            ours = [c["balanced_accuracy"] for c in by_case[task, array]]
            rows.append(Goal(f"balanced accuracy, {title}, {array}", ours, "%"))
        rows.append(Goal(f"balanced accuracy, {title}, {SOFTWARE}", software, "%"))
        for array in (TRIMMED, UNTRIMMED):
            cells = by_case[task, array]
            apart = [c["balanced_accuracy"] - s for c, s in zip(cells, software, strict=True)]
            rows.append(Goal(f"{title}, {array}, beside {SOFTWARE}", apart, "%"))
    return Table("Held-out data", rows)


def chain_table(by_case: dict[tuple[str, str], list[Cell]]) -> Table:
    titles = {
        "acceptance_rate": ("acceptance", "%"),
        "ess_min_per_1000_steps": ("effective samples per 1,000 steps, worst weight", ""),
        "log_loss": ("log loss", "nat"),
        "ece": ("ECE", ""),
        "epistemic_sd_mean": ("mean posterior spread of a probability", ""),
    }
    return Table(
        "Chain and calibration",
        [
            Goal(f"{title}, {TASKS[task]}, {array}", [c[key] for c in cells], unit)
            for key, (title, unit) in titles.items()
            for (task, array), cells in by_case.items()
        ],
    )


def draw(by_case: dict[tuple[str, str], list[Cell]]) -> Picture:
    """Accuracy, calibration and mixing, task by task."""
    figure, first = new_figure()
    first.remove()
    figure.set_size_inches(13.5, 5.0)
    panels: Any = figure.subplots(1, 3, width_ratios=[1.5, 1, 1])
    draw_dots(panels[0], by_case, "balanced_accuracy", 100.0, with_software=True)
    panels[0].set(xlabel="balanced accuracy on held-out data (%)")
    panels[0].set_title("Accuracy on real cells: one dot a seed, mean ± sd")
    draw_dots(panels[1], by_case, "ece", 1.0)
    panels[1].set(xlabel="expected calibration error", yticklabels=[])
    panels[1].set_title("Calibration")
    draw_dots(panels[2], by_case, "ess_min_per_1000_steps", 1.0)
    panels[2].set(xlabel="effective samples per 1,000 steps", xscale="log", yticklabels=[])
    panels[2].set_title("Mixing, worst weight")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_dots(
    ax: Axes,
    by_case: dict[tuple[str, str], list[Cell]],
    key: str,
    scale: float,
    with_software: bool = False,
) -> None:
    """A line a task and array: every seed, and the mean with its standard deviation."""
    rng = np.random.default_rng(0)
    names = [*ARRAYS, *([SOFTWARE] if with_software else [])]
    for row, task in enumerate(TASKS):
        for place, name in enumerate(names):
            if name == SOFTWARE:
                values = [c["baseline"][key] for c in by_case[task, EMULATED]]
            else:
                values = [c[key] for c in by_case[task, name]]
            shown = scale * np.array(values, float)
            at = row + 0.2 * (place - (len(names) - 1) / 2)
            jitter = at + rng.uniform(-0.05, 0.05, len(shown))
            ax.plot(shown, jitter, "o", color=COLOURS[name], alpha=0.35, ms=3.5, mew=0)
            ax.errorbar(
                shown.mean(),
                at,
                xerr=shown.std(ddof=1),
                fmt="D",
                color=COLOURS[name],
                mec="black",
                mew=0.6,
                ms=5,
                capsize=3,
                label=name if row == 0 else None,
            )
        if row:
            ax.axhline(row - 0.5, color="#d9d9d9", lw=0.8)
    ax.set_yticks(range(len(TASKS)), list(TASKS.values()))
    ax.set_ylim(len(TASKS) - 0.5, -0.5)
    ax.spines[["top", "right"]].set_visible(False)
