"""Figure 1, strategies for training an array: sampling, gradient descent, transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ..array.emulated import EmulatedArray
from ..array.measured import MeasuredArray
from ..array.physics import PhysicsArray
from ..datasets import Encoder
from ..datasets.whitening import laplace
from ..pictures.canvas import new_canvas
from ..pictures.style import BLUE, GREEN, GREY, ORANGE, PURPLE
from ..runs.arrays import recorded_cells
from ..runs.config import TrainConfig
from ..runs.supervised.experiment import SupervisedExperiment
from ..runs.supervised.result import quality
from ..spec import FEATURE_FRAC
from ..tasks import get_task
from .base import Bench, Cell, Figure, Goal, Table, require_data
from .chains import HELD, WHITENED, column
from .lean import lean_run
from .networks import READINGS, devices_holding, hidden_units, network_cell
from .strategies import (
    LARGEST_WEIGHT,
    MOVES_US,
    RATES,
    VERIFY_TOLERANCE_US,
    VERIFY_TRIES,
    Model,
    Synapses,
    descend,
    descend_by_sign,
    transfer,
    transfer_samples,
    tuned,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

TASKS = {
    "toy2d": "two features",
    "breast-cancer": "WDBC, 15 features",
    "breast-cancer-original": "original, 9 grades",
}
ROWS, PAIRS = 128, 32
STEPS = 1000


class Kind(NamedTuple):
    """Devices that the strategies are tried on."""

    title: str
    colour: str
    share: float  # of the seeds: arrays that are driven pulse by pulse take ten times as long


KINDS = {
    EmulatedArray.name: Kind("σ = 5 % of g, all alike", BLUE, 1.0),
    PhysicsArray.name: Kind("device model rram-1t1r", ORANGE, 0.5),
    MeasuredArray.name: Kind("50 recorded cells", GREEN, 0.5),
}

PUBLISHED = "sampling in the array, as published"
CORRECTED = "sampling in the array, corrected, ρ 0.8"
ONE_ROW = "gradient descent, one row"
ALL_ROWS = "gradient descent, mean of all rows"
BY_SIGN = "sign updates over a threshold, all rows"
COPY = "transfer, one row, open loop"
COPIES = "transfer, mean of all rows, open loop"
VERIFIED = "transfer, one row, program-verify"
DRAWS = "transfer of a Laplace draw a row"
NETWORK = "software network, equal memory"
SOFTWARE = "software, logistic regression"
IN_ARRAY = (PUBLISHED, CORRECTED, ONE_ROW, ALL_ROWS, BY_SIGN, COPY, COPIES, VERIFIED, DRAWS)
IN_SOFTWARE = (NETWORK, SOFTWARE)
FAMILIES = (
    ("sampled in the array", (PUBLISHED, CORRECTED)),
    ("gradient descent in the array", (ONE_ROW, ALL_ROWS, BY_SIGN)),
    ("trained in software, transferred", (COPY, COPIES, VERIFIED, DRAWS)),
    ("software only", IN_SOFTWARE),
)


def array_cell(task: str, seed: int, array: str) -> Cell:
    """Every strategy in an array, on one split; ``array`` as ``--array`` names it."""
    options: dict[str, Any] = {
        "task": task,
        "seed": seed,
        "array": array,
        "rows": ROWS,
        "pairs": PAIRS,
        "steps": STEPS,
    }
    found: Cell = {}
    with lean_run(TrainConfig(kernel="published", **options)) as run:
        found[PUBLISHED] = _held(run.experiment)
    with lean_run(TrainConfig(**options, **WHITENED)) as run:
        found[CORRECTED] = _held(run.experiment)
        found |= _others(run.experiment, task, seed)
    return found


def _held(experiment: SupervisedExperiment) -> Cell:
    """What the samples in the rows say alone."""
    return _judged(experiment, experiment.setup.board.predict(experiment.test_points)[0])


def _judged(experiment: SupervisedExperiment, probability: NDArray[np.float64]) -> Cell:
    values = quality(experiment.test_labels, probability, np.zeros_like(probability))
    return {name: values[name] for name in HELD}


def _others(experiment: SupervisedExperiment, task: str, seed: int) -> Cell:
    """Gradient descent and transfer, in the array that the chain has just left."""
    x, y = experiment.dataset.x[experiment.train], experiment.dataset.y[experiment.train]
    encoder = Encoder.fit(x, y, features=len(experiment.encoder.columns))
    inputs, held_out = encoder.encode(x).inputs, encoder.encode(experiment.test_inputs).inputs
    model = Model(inputs / 2.0**FEATURE_FRAC, y, get_task(task).sigma_p)
    synapses = Synapses(
        experiment.setup.board.array,  # type: ignore[attr-defined]
        experiment.setup.registers.calibration,
        (experiment.setup.settings.lo_us, experiment.setup.settings.hi_us),
        encoder.inputs,
    )
    every, one = synapses.rows, synapses.rows[:1]
    pulses = STEPS * len(synapses.devices)
    trained = synapses.gamma_us(LARGEST_WEIGHT)
    found: Cell = {}

    def judge(rows: NDArray[np.intp], gamma: float, sampled: bool = False) -> Cell:
        logits = synapses.logits(list(rows), held_out, gamma)
        mean = expit(logits).mean(axis=0) if sampled else expit(logits.mean(axis=0))
        return _judged(experiment, mean)

    for name, descent, choices, rows in (
        (ONE_ROW, descend, RATES, one),
        (ALL_ROWS, descend, RATES, every),
        (BY_SIGN, descend_by_sign, MOVES_US, every),
    ):
        _, chosen = tuned(descent, choices, synapses, model, rows, pulses, seed)
        found[name] = judge(rows, trained) | {"chosen": chosen}
    mode, _ = laplace(model.x, model.y, model.sigma_p)
    found[COPY] = judge(one, transfer(synapses, mode, one))
    found[COPIES] = judge(every, transfer(synapses, mode, every))
    found[VERIFIED] = judge(one, transfer(synapses, mode, one, verify=True))
    found[DRAWS] = judge(every, transfer_samples(synapses, model, every, seed), sampled=True)
    return found


def make(bench: Bench) -> Figure:
    require_data(TASKS)
    arrays = {kind: recorded_cells() if kind == MeasuredArray.name else kind for kind in KINDS}
    found: dict[str, dict[str, list[Cell]]] = {}
    for kind, info in KINDS.items():
        seeds = range(max(2, round(info.share * bench.seeds)))
        jobs = [{"task": t, "seed": s, "array": arrays[kind]} for t in TASKS for s in seeds]
        cells = iter(bench.map(info.title, array_cell, jobs))
        found[kind] = {task: [next(cells) for _ in seeds] for task in TASKS}
    software = _software(bench)
    return Figure(
        title="Strategies for training an array, on equal memory",
        tables=[_table(task, found, software[task]) for task in TASKS],
        pictures={
            "fig1": _picture(found, software, "error"),
            "log-loss": _picture(found, software, "log_loss"),
        },
        values={
            "cells": found,
            "software": software,
            "steps": STEPS,
            "rows": ROWS,
            "pairs": PAIRS,
        },
        notes=_notes(found),
    )


def _software(bench: Bench) -> dict[str, dict[str, list[Cell]]]:
    seeds = range(bench.seeds)
    found: dict[str, dict[str, list[Cell]]] = {}
    for task in TASKS:
        features = _features(task)
        parameters = READINGS[0].parameters(devices_holding(ROWS, features))
        hidden = {NETWORK: hidden_units(parameters, features), SOFTWARE: 0}
        jobs = [
            {"task": task, "seed": s, "hidden": h, "features": features, "tuned": False}
            for h in hidden.values()
            for s in seeds
        ]
        cells = iter(bench.map(f"{task}: software", network_cell, jobs))
        found[task] = {
            name: [{k: v for k, v in next(cells).items() if k in HELD} for _ in seeds]
            for name in hidden
        }
    return found


def _features(task: str) -> int:
    """Features of a task that the rows of the array take."""
    known = get_task(task)
    features = known.features or known.all_features
    assert features is not None  # of the three tasks above
    return features


def _table(
    task: str, found: dict[str, dict[str, list[Cell]]], software: dict[str, list[Cell]]
) -> Table:
    rows = []
    for name in IN_ARRAY:
        for kind in KINDS:
            cells = found[kind][task]
            label = f"{name}; {kind}"
            rows.append(Goal(f"{label}: accuracy", column(cells, "accuracy", name), "%"))
            rows.append(Goal(f"{label}: log loss", column(cells, "log_loss", name), "nat"))
    for name in IN_SOFTWARE:
        rows.append(Goal(f"{name}: accuracy", column(software[name], "accuracy"), "%"))
        rows.append(Goal(f"{name}: log loss", column(software[name], "log_loss"), "nat"))
    network = float(np.mean(column(software[NETWORK], "accuracy")))
    best = column(found[EmulatedArray.name][task], "accuracy", CORRECTED)
    rows.append(
        Goal(
            "sampling (corrected, emulator) - network of equal memory: accuracy",
            [b - n for b, n in zip(best, column(software[NETWORK], "accuracy"), strict=True)],
            "%",
            "better, in all cases",
            "> 0",
            float(np.mean(best)) > network,
        )
    )
    return Table(TASKS[task], rows)


def _notes(found: dict[str, dict[str, list[Cell]]]) -> list[str]:
    n = {kind: len(found[kind]["toy2d"]) for kind in KINDS}
    return [
        f"Every strategy in an array has the same {ROWS} rows × {PAIRS} pairs, calibration "
        "(trims, bad rows) and window. Seeds: "
        + ", ".join(f"{kind} {count}" for kind, count in n.items())
        + " (the last two take ten times as long); software: as the emulator.",
        f"Sampling: {STEPS:,} steps; predictions from the samples that are in the rows at the end, "
        "nothing that was streamed out.",
        f"Gradient descent: full batches, the same prior, the SET pulses of {STEPS:,} proposals; "
        "an update programs all devices anew with the array's own spread. Learning rate "
        f"{', '.join(f'{r:g}' for r in RATES)}, or move of a sign update "
        f"{', '.join(f'{m:g}' for m in MOVES_US)} µS, chosen on 30 % of the training half; the "
        "trials' pulses are not counted.",
        "Transfer: the mode of the same posterior, found in software, window used to the full; "
        f"program-verify: up to {VERIFY_TRIES} more SETs until within {VERIFY_TOLERANCE_US:g} µS.",
        "Network: one hidden layer, a parameter for every device that holds samples, "
        "scikit-learn's defaults; logistic regression likewise.",
    ]


# What a picture shows of a cell, and how it calls it.
VALUE = {"error": "accuracy", "log_loss": "log_loss"}
LABEL = {
    "error": "errors on held-out cases (%, log scale; less is better)",
    "log_loss": "log loss on held-out cases (nat, log scale; less is better)",
}

# -- pictures ----------------------------------------------------------------------------------


def _picture(
    found: dict[str, dict[str, list[Cell]]],
    software: dict[str, dict[str, list[Cell]]],
    quantity: str,
) -> Picture:
    figure = new_canvas((14.0, 8.4))
    parts = figure.add_gridspec(2, 1, height_ratios=[1, 4.2])
    head, body = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
    _draw_header(head.subplots(1, len(FAMILIES)))
    axes = body.subplots(1, len(TASKS), squeeze=False)[0]
    for i, (ax, task) in enumerate(zip(axes, TASKS, strict=True)):
        _draw_task(ax, task, found, software[task], quantity, names=i == 0)
    handles, labels = axes[0].get_legend_handles_labels()
    body.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    return figure


def _draw_task(
    ax: Axes,
    task: str,
    found: dict[str, dict[str, list[Cell]]],
    software: dict[str, list[Cell]],
    quantity: str,
    names: bool,
) -> None:
    """A line a strategy, a colour a kind of device; points are splits."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    places, place = {}, 0.0
    for _, members in FAMILIES:
        for name in members:
            places[name] = place
            place += 1
        place += 0.35
    for i, (kind, info) in enumerate(KINDS.items()):
        for name in IN_ARRAY:
            values = _shown(column(found[kind][task], VALUE[quantity], name), quantity)
            _draw_values(ax, values, places[name] + 0.26 * (i - 1), info.colour, info.title, name)
    for name in IN_SOFTWARE:
        values = _shown(column(software[name], VALUE[quantity]), quantity)
        _draw_values(ax, values, places[name], PURPLE, "software", name)
    reference = _shown(column(software[SOFTWARE], VALUE[quantity]), quantity)
    ax.axvline(float(reference.mean()), color=GREY, lw=0.8, ls="--")
    ax.set_yticks(list(places.values()), list(places) if names else [""] * len(places), fontsize=9)
    ax.set_ylim(place - 0.6, -0.7)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(LABEL[quantity])
    ax.set_title(TASKS[task])
    ax.grid(axis="x", lw=0.3)
    ax.spines[["top", "right"]].set_visible(False)


def _shown(values: list[float], quantity: str) -> NDArray[np.float64]:
    """Errors in per cent (at least half a case in a thousand: the scale is logarithmic)."""
    found = np.array(values)
    return np.maximum(100 * (1 - found), 0.05) if quantity == "error" else found


def _draw_values(
    ax: Axes, values: NDArray[np.float64], place: float, colour: str, title: str, name: str
) -> None:
    rng = np.random.default_rng(0)
    jitter = rng.uniform(-0.09, 0.09, len(values))
    ax.scatter(values, place + jitter, s=7, color=colour, alpha=0.35, lw=0)
    label = title if name in (IN_ARRAY[0], IN_SOFTWARE[0]) else None
    mean, sd = values.mean(), values.std(ddof=1)
    low = min(sd, 0.9 * mean)  # the scale has no zero
    ax.errorbar(mean, place, xerr=[[low], [sd]], fmt="o", color=colour, capsize=2, ms=4, lw=1,
                label=label)  # fmt: skip


def _draw_header(axes: NDArray[Any]) -> None:
    """What each family does, as a drawing."""
    texts = (
        "row n + 1 is a noisy copy of row n;\nkept or taken again: the rows are the posterior",
        "read, move down the slope,\nprogram again: noise at every step",
        "one result of a computer,\nprogrammed into every row",
        "as many parameters\nas devices hold samples",
    )
    for i, (ax, (title, _), text) in enumerate(zip(axes, FAMILIES, texts, strict=True)):
        ax.set(xlim=(0, 10), ylim=(0, 6))
        ax.axis("off")
        ax.set_title(title, fontsize=11)
        ax.text(5.0, -0.3, text, ha="center", va="top", fontsize=8)
        (_draw_sampling, _draw_descent, _draw_transfer, _draw_network)[i](ax)


def _cells_of_rows(ax: Axes, rows: NDArray[np.float64], left: float = 2.6) -> None:
    height, width = 1.1, 0.75
    for r, values in enumerate(rows):
        for c, value in enumerate(values):
            shade = str(round(1 - float(np.clip(value, 0.05, 0.95)), 3))
            ax.fill_between(
                [left + c * width, left + (c + 0.88) * width],
                4.6 - r * 1.35,
                4.6 - r * 1.35 + height,
                color=shade,
                lw=0,
            )


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.6})


def _draw_sampling(ax: Axes) -> None:
    rng = np.random.default_rng(3)
    walk = np.clip(0.5 + np.cumsum(rng.normal(0, 0.14, (4, 6)), axis=0), 0, 1)
    _cells_of_rows(ax, walk)
    for r in range(3):
        _arrow(ax, (2.2, 5.1 - 1.35 * r), (2.2, 3.9 - 1.35 * r), BLUE)
    for r, count in enumerate((3, 1, 5, 2)):
        ax.text(7.5, 5.1 - 1.35 * r, f"× {count}", va="center", fontsize=9, color=BLUE)


def _draw_descent(ax: Axes) -> None:
    w = np.linspace(0.6, 7.0, 60)
    ax.plot(w, 0.8 + 0.42 * (w - 4.6) ** 2 / 1.6, color=GREY, lw=1.2)
    path = np.array([1.0, 2.2, 3.4, 3.9, 5.2, 4.4])
    ax.plot(path, 0.8 + 0.42 * (path - 4.6) ** 2 / 1.6, color=BLUE, marker="o", ms=4, lw=1)
    ax.text(7.3, 3.0, "SET σ", fontsize=9, color=BLUE)


def _draw_transfer(ax: Axes) -> None:
    rng = np.random.default_rng(5)
    w = rng.uniform(0.1, 0.9, 6)
    _cells_of_rows(ax, np.clip(w + rng.normal(0, 0.06, (4, 6)), 0, 1), left=4.6)
    ax.text(1.6, 3.2, "w", fontsize=16, ha="center", va="center", color=BLUE)
    for r in range(4):
        _arrow(ax, (2.2, 3.2), (4.4, 5.1 - 1.35 * r), BLUE)


def _draw_network(ax: Axes) -> None:
    inputs, hidden = np.linspace(1.2, 5.0, 4), np.linspace(0.5, 5.7, 6)
    for y in inputs:
        for h in hidden:
            ax.plot([2.5, 5.0], [y, h], color=GREY, lw=0.4)
    for h in hidden:
        ax.plot([5.0, 7.5], [h, 3.1], color=GREY, lw=0.4)
    for x, ys in ((2.5, inputs), (5.0, hidden), (7.5, [3.1])):
        ax.scatter([x] * len(ys), ys, s=36, color=PURPLE, zorder=3)
