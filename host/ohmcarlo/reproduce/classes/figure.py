"""More than two classes: stick-breaking and one against the rest, against scikit-learn.

Every seed is another split. The same rows are learnt by the array with both likelihoods, and by
scikit-learn's multinomial logistic regression with an equal width of the prior.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...datasets.several_classes import MULTI_CLASS, ONE_VS_REST, STICK_BREAKING
from ...pictures.canvas import new_panels
from ...pictures.style import BLUE, GREY, ORANGE
from ..base import Bench, Cell, Figure, Goal, Table
from .cells import DRAWS, MULTINOMIAL, STEPS, split

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

TASKS = ("iris", "wine", "digits", "ecg-aami")
METHODS = (*MULTI_CLASS, MULTINOMIAL)
MEASURES = {
    "accuracy": ("accuracy", "%"),
    "balanced_accuracy": ("balanced accuracy", "%"),
    "log_loss": ("log loss", "nat"),
    "ece": ("calibration error", ""),
}
NAMES = {
    STICK_BREAKING: "stick-breaking, array",
    ONE_VS_REST: "one against the rest, array",
    MULTINOMIAL: "multinomial, scikit-learn",
}
COLOURS = {STICK_BREAKING: BLUE, ONE_VS_REST: ORANGE, MULTINOMIAL: GREY}
Found = dict[tuple[str, str], list[Cell]]


def make(bench: Bench) -> Figure:
    """Every task and method, ``bench.seeds`` splits."""
    keys = [(task, method) for task in TASKS for method in METHODS]
    cells = [
        {"task": task, "method": method, "seed": seed}
        for task, method in keys
        for seed in range(bench.seeds)
    ]
    done = bench.map("several classes", split, cells)
    found = {key: done[i * bench.seeds : (i + 1) * bench.seeds] for i, key in enumerate(keys)}
    return Figure(
        title="More than two classes: the posterior of a K-class model, from binary chains",
        tables=[task_table(task, found) for task in TASKS],
        pictures={"classes": _picture(found)},
        values={"cells": done, "steps": STEPS, "draws": DRAWS, "seeds": bench.seeds},
        notes=[
            "Stick-breaking samples the posterior of one K-class model exactly: P(class k) = q_k "
            "times the part of the stick that the classes before k leave. One against the rest "
            "samples K separate logistic models exactly; their normalised probabilities belong to "
            "no joint model.",
            f"Array: one chain of {STEPS:,} steps for each binary problem, {DRAWS} joint draws, "
            "width of the prior and features as the task has them (digits: 20 pixels for each "
            "problem). scikit-learn: all features, C the square of that width.",
            "Calibration error: of the probability of the answer, in ten bins.",
            "ecg-aami: every split draws other training beats; the held-out beats are the same.",
        ],
    )


def task_table(task: str, found: Found) -> Table:
    """Every measure of one task; a pair of likelihoods is compared split by split."""
    rows = [
        Goal(f"{name}, {NAMES[method]}", _column(found[task, method], key), unit)
        for key, (name, unit) in MEASURES.items()
        for method in METHODS
    ]
    for key in ("log_loss", "ece"):
        name, unit = MEASURES[key]
        pairs = np.subtract(
            _column(found[task, STICK_BREAKING], key), _column(found[task, ONE_VS_REST], key)
        )
        rows.append(Goal(f"{name}, stick-breaking less one against the rest", pairs.tolist(), unit))
    for method in MULTI_CLASS:
        for part in ("aleatoric", "epistemic"):
            cells = found[task, method]
            rows.append(Goal(f"{part} uncertainty, {NAMES[method]}", _column(cells, part), "nat"))
    return Table(task, rows)


def _column(cells: list[Cell], name: str) -> list[float]:
    return [float(cell[name]) for cell in cells]


def _picture(found: Found) -> Picture:
    """A panel for each measure: mean and standard deviation over the splits."""
    shown = ("accuracy", "log_loss", "ece")
    figure, axes = new_panels(1, len(shown), (13.0, 4.2))
    places = np.arange(len(TASKS))
    for ax, key in zip(axes[0], shown, strict=True):
        for shift, method in zip((-0.2, 0.0, 0.2), METHODS, strict=True):
            values = [_column(found[task, method], key) for task in TASKS]
            ax.errorbar(
                places + shift,
                [np.mean(v) for v in values],
                [np.std(v, ddof=1) for v in values],
                fmt="o",
                color=COLOURS[method],
                capsize=3,
                label=NAMES[method],
            )
        name, unit = MEASURES[key]
        ax.set_xticks(places, TASKS)
        ax.set_title(f"{name} ({unit})" if unit == "nat" else name)
    axes[0][0].legend(loc="lower left", fontsize=8)
    return figure
