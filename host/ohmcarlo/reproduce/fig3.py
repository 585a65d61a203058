"""Figure 3, the chain on 16,384 devices: the order of rows, and the multiplicity of each."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..array.emulated import EmulatedArray
from ..diagnostics import accuracy
from ..pictures.canvas import new_canvas
from ..pictures.chains import draw_wear
from ..pictures.style import BLUE, GREY, ORANGE
from ..runs.config import TrainConfig
from ..runs.supervised.experiment import SupervisedExperiment, build_supervised
from ..spec import CODE_LSB_US, LOGLIK_FRAC
from .base import Bench, Cell, Figure, Goal, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

TASK = "breast-cancer"
KERNELS = ("published", "corrected")
SHOWN_SEED = 0
SHOWN_KERNEL = "published"
DEVICES = 16_384
MAX_STEPS = 20_000
WINDOW = 100  # steps over which the acceptance is averaged
SCATTER = 4_000  # devices drawn


class Filled(NamedTuple):
    """A chain that ended because every row holds a sample.

    Steps are (n,), rows that hold samples (m,), in the order in which they were accepted.
    """

    experiment: SupervisedExperiment
    accepted: NDArray[np.bool_]
    log_posterior: NDArray[np.float64]  # nat
    before: NDArray[np.int32]  # (n, devices) codes of the current sample
    proposed: NDArray[np.int32]  # (n, devices) codes of the proposal
    rows: NDArray[np.int32]
    multiplicity: NDArray[np.int64]
    conductance: NDArray[np.float64]  # (m, devices) µS, read at the end
    probability: NDArray[np.float64]  # of the held-out points, from the rows alone


def fill(kernel: str, seed: int) -> Filled:
    """The paper's procedure: random walk from row to row until no free row is left.

    Rows are not freed (``stream`` off), so that the array holds every sample with its counter at
    the end. Steps are made one by one, to record all proposals, including rejected ones.
    """
    config = TrainConfig(task=TASK, kernel=kernel, seed=seed)
    with closing(build_supervised(config)) as experiment:
        board = experiment.setup.board
        array: EmulatedArray = board.array  # type: ignore[attr-defined]
        board.configure(replace(experiment.setup.registers, stream=False), experiment.setup.points)
        board.start()
        used = 2 * experiment.setup.registers.features
        current = board.current()[0][0].astype(np.int32)
        accepted, log_posterior, before, proposed, rows = [], [], [], [], []
        wear = array.ledger.wear[:, 0].copy()
        start = int(np.flatnonzero(wear)[0])  # only the first sample has programmed device 0
        for _ in range(MAX_STEPS):
            block = board.run(1)
            if not len(block.accepted):
                break
            row = int(np.argmax(array.ledger.wear[:, 0] - wear))
            wear[row] = array.ledger.wear[row, 0]
            codes = array.state.codes[row, :used].copy()
            before.append(current)
            proposed.append(codes)
            accepted.append(bool(block.accepted[0]))
            log_posterior.append(int(block.log_posterior[0]))
            if accepted[-1]:
                current = codes
                rows.append(row)
            if block.status != "running":
                break
        held_rows, multiplicity, held = board.controller.held_samples()  # type: ignore[attr-defined]
        probability, _ = board.predict(experiment.test_points)
        order = np.array([start, *rows], np.int32)
        place = np.searchsorted(held_rows, order)
        return Filled(
            experiment,
            np.array(accepted),
            np.array(log_posterior) / 2.0**LOGLIK_FRAC,
            np.array(before),
            np.array(proposed),
            order,
            multiplicity[place],
            held[place] * CODE_LSB_US,
            probability,
        )


def filled_cell(kernel: str, seed: int) -> Cell:
    """The result of a filled array."""
    run = fill(kernel, seed)
    step = run.proposed / np.maximum(run.before, 1) - 1
    wear = run.experiment.setup.board.ledger.wear[:, : run.before.shape[1]]
    return {
        "steps": len(run.accepted),
        "samples": len(run.rows),
        "acceptance_rate": float(run.accepted.mean()),
        "multiplicity_mean": float(run.multiplicity.mean()),
        "multiplicity_max": int(run.multiplicity.max()),
        "step_rel_sd": float(step.std()),
        "step_rel_mean": float(step.mean()),
        "wear_mean": float(wear.mean()),
        "wear_max": int(wear.max()),
        "accuracy": accuracy(run.experiment.test_labels, run.probability),
        "baseline": run.experiment.baseline()["accuracy"],
    }


def make(bench: Bench) -> Figure:
    seeds = range(bench.seeds)
    jobs = [{"kernel": k, "seed": s} for k in KERNELS for s in seeds]
    cells = iter(bench.map("breast-cancer: arrays filled", filled_cell, jobs))
    found = {kernel: [next(cells) for _ in seeds] for kernel in KERNELS}
    run = fill(SHOWN_KERNEL, SHOWN_SEED)
    devices = run.experiment.setup.registers.geometry.devices
    return Figure(
        title=f"The chain on {devices:,} devices ({bench.seeds} seeds; shown: seed {SHOWN_SEED})",
        tables=[
            Table(f"{kernel} kernel, random walk, until the array is full", _rows(found[kernel]))
            for kernel in KERNELS
        ],
        pictures={"fig3": _picture(run)},
        values={
            "task": TASK,
            "shown": {"kernel": SHOWN_KERNEL, "seed": SHOWN_SEED},
            "cells": found,
            "shown_rows": run.rows,
            "shown_multiplicity": run.multiplicity,
            "shown_log_posterior": np.round(run.log_posterior, 3),
        },
        notes=[
            "Array: 256 rows × 32 pairs × 2 devices. WDBC, 15 features and the bias use 16 pairs "
            "of a row, the coin four. An accepted proposal keeps its row, with a counter; the row "
            "of a rejected one goes to the end of the queue of free rows. The run ends when "
            "fewer than two rows are free; no sample leaves the array. Wear is therefore uneven: "
            "the last free rows take every rejected proposal.",
            "Under the published kernel conductances drift to the lower end of the window: a "
            "spread that grows with g makes low states harder to leave, and g⁺ + g⁻ has no prior.",
            "Accuracy: from the rows and their counters alone, including those before burn-in.",
        ],
    )


def _rows(cells: list[Cell]) -> list[Goal]:
    def values(key: str) -> list[float]:
        return [float(c[key]) for c in cells]

    return [
        Goal("steps until the array is full", values("steps")),
        Goal("samples held", values("samples")),
        Goal("acceptance", values("acceptance_rate"), "%"),
        Goal("counter of a row, mean", values("multiplicity_mean"), "steps"),
        Goal("counter of a row, largest", values("multiplicity_max"), "steps"),
        Goal("spread of a proposal around its row (set: 5 % of g)", values("step_rel_sd"), "%"),
        Goal("mean of a proposal, relative to its row", values("step_rel_mean"), "%"),
        Goal("SET pulses a device in use, mean", values("wear_mean")),
        Goal("SET pulses a device in use, largest", values("wear_max")),
        Goal("accuracy of the array alone", values("accuracy"), "%", "96.3 % (tissue)"),
        Goal("logistic regression: accuracy", values("baseline"), "%"),
    ]


# -- picture -----------------------------------------------------------------------------------


def _picture(run: Filled) -> Picture:
    figure = new_canvas((14.0, 9.4))
    axes: dict[Any, Axes] = figure.subplot_mosaic(
        [
            ["map", "map", "counter", "lp", "lp"],
            ["map", "map", "counter", "acceptance", "acceptance"],
            ["scatter", "scatter", "histogram", "wear", "wear"],
        ],
        height_ratios=[1, 1, 1.1],
    )
    _draw_map(axes["map"], run)
    _draw_counters(axes["counter"], run)
    _draw_log_posterior(axes["lp"], run)
    _draw_acceptance(axes["acceptance"], run)
    _draw_proposals(axes["scatter"], run)
    _draw_histogram(axes["histogram"], run)
    draw_wear(axes["wear"], run.experiment.setup.board.ledger.wear)
    for ax in axes.values():
        ax.title.set_fontsize(10)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_map(ax: Axes, run: Filled) -> None:
    image = ax.imshow(run.conductance, aspect="auto", cmap="viridis", interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, location="left").set_label("conductance (µS)")
    ax.set(xlabel="device of the row (g⁺, g⁻ of weight 1, 2, …; the bias last)", ylabel="sample")
    ax.set_title(f"Content of the array: {len(run.rows)} rows in the order of acceptance")


def _draw_counters(ax: Axes, run: Filled) -> None:
    ax.barh(np.arange(len(run.rows)), run.multiplicity, height=1.0, color=BLUE, lw=0)
    ax.set(xlabel="steps", ylim=(len(run.rows) - 0.5, -0.5), yticks=[])
    ax.set_title("Counter of each row")


def _draw_log_posterior(ax: Axes, run: Filled) -> None:
    steps = np.arange(1, len(run.accepted) + 1)
    ax.plot(steps, run.log_posterior, color=BLUE, lw=0.8)
    settled = run.log_posterior[len(steps) // 4 :]
    low, high = settled.min(), settled.max()
    ax.set_ylim(low - 1.5 * (high - low), high + 0.2 * (high - low))
    ax.set(ylabel="log-posterior (nat)", xlim=(0, len(steps)))
    ax.set_title(f"Current sample: from {run.log_posterior[0]:.0f} nat upwards, then it stays")


def _draw_acceptance(ax: Axes, run: Filled) -> None:
    window = min(WINDOW, len(run.accepted))
    rate = np.convolve(run.accepted, np.ones(window) / window, mode="valid")
    steps = np.arange(window, len(run.accepted) + 1)
    ax.plot(steps, 100 * rate, color=BLUE, lw=1)
    ax.axhline(100 * run.accepted.mean(), color=GREY, lw=0.8, ls="--")
    ax.set(xlabel="step", ylabel="accepted (%)", xlim=(0, len(run.accepted)), ylim=(0, None))
    ax.set_title(f"Acceptance over the last {window} steps (dashed: all)")


def _draw_proposals(ax: Axes, run: Filled) -> None:
    old, new = run.before * CODE_LSB_US, run.proposed * CODE_LSB_US
    rng = np.random.default_rng(0)
    for accepted, colour, label in ((False, GREY, "rejected"), (True, ORANGE, "accepted")):
        rows = np.flatnonzero(run.accepted == accepted)
        x, y = old[rows].ravel(), new[rows].ravel()
        some = rng.choice(len(x), min(SCATTER // 2, len(x)), replace=False)
        ax.scatter(x[some], y[some], s=3, color=colour, alpha=0.5, lw=0, label=label)
    low, high = float(old.min()), float(old.max())
    line = np.array([low, high])
    ax.plot(line, line, color="black", lw=0.8)
    for sign in (-2, 2):
        ax.plot(line, line * (1 + sign * 0.05), color="black", lw=0.6, ls="--")
    ax.set(xlabel="g of row n (µS)", ylabel="g of row n + 1, as programmed (µS)")
    ax.set_title("Proposals around the current row (dashed: ±2 σ, σ = 5 % of g)")
    ax.legend(fontsize=8, markerscale=3, loc="upper left")


def _draw_histogram(ax: Axes, run: Filled) -> None:
    top = int(run.multiplicity.max())
    ax.hist(run.multiplicity, [n + 0.5 for n in range(top + 1)], color=BLUE)
    rate = run.accepted.mean()
    n = np.arange(1, top + 1)
    ax.plot(n, len(run.rows) * rate * (1 - rate) ** (n - 1), color=ORANGE, lw=1.2, marker=".", ms=3)
    ax.set(xlabel="counter (steps)", ylabel="rows", yscale="log", ylim=(0.5, None))
    ax.set_title("Counters (orange: if all\nsamples were equally easy to leave)")
