"""Figure 1, strategies for training an array: sampling, gradient descent, transfer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ...array.emulated import EmulatedArray
from ...array.measured import MeasuredArray
from ...array.physics import PhysicsArray
from ...datasets import Encoder
from ...datasets.laplace import laplace
from ...pictures.style import BLUE, GREEN, ORANGE
from ...runs.arrays import recorded_cells
from ...runs.config import TrainConfig
from ...runs.supervised.experiment import SupervisedExperiment
from ...runs.supervised.result import quality
from ...spec import FEATURE_FRAC
from ...tasks import get_task
from ..base import Bench, Cell, Figure, Goal, Table, require_data
from ..chains import HELD, WHITENED, column
from ..lean import lean_run
from ..networks import READINGS, devices_holding, hidden_units, network_cell
from ..strategies import (
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
from .methods import (
    ALL_ROWS,
    BY_SIGN,
    COPIES,
    COPY,
    CORRECTED,
    DRAWS,
    IN_ARRAY,
    IN_SOFTWARE,
    NETWORK,
    ONE_ROW,
    PUBLISHED,
    SOFTWARE,
    VERIFIED,
    Kind,
)
from .pictures import draw

TASKS = {
    "toy2d": "two features",
    "breast-cancer": "WDBC, 15 features",
    "breast-cancer-original": "original, 9 grades",
}
ROWS, PAIRS = 128, 32
STEPS = 1000


KINDS = {
    EmulatedArray.name: Kind("σ = 5 % of g, all alike", BLUE, 1.0),
    PhysicsArray.name: Kind("device model rram-1t1r", ORANGE, 0.5),
    MeasuredArray.name: Kind("50 recorded cells", GREEN, 0.5),
}


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
    """Quality from the samples in the rows alone."""
    return _judged(experiment, experiment.setup.board.predict(experiment.test_points)[0])


def _judged(experiment: SupervisedExperiment, probability: NDArray[np.float64]) -> Cell:
    values = quality(experiment.test_labels, probability, np.zeros_like(probability))
    return {name: values[name] for name in HELD}


def _others(experiment: SupervisedExperiment, task: str, seed: int) -> Cell:
    """Gradient descent and transfer, in the array of the finished chain."""
    x, y = experiment.dataset.x[experiment.train], experiment.dataset.y[experiment.train]
    encoder = Encoder.fit(x, y, features=len(experiment.encoder.columns), scaled=False)
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
            "fig1": draw(found, software, "error", TASKS, KINDS),
            "log-loss": draw(found, software, "log_loss", TASKS, KINDS),
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
    """Features of a task in the rows of the array."""
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
        "without samples that were streamed out.",
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
