"""Figure 4, the two-dimensional set: boundary, samples, uncertainty, and the exact posterior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..datasets import Encoder
from ..diagnostics import ess
from ..pictures.canvas import new_canvas, new_figure
from ..pictures.predictions import draw_referral, draw_reliability
from ..pictures.style import BLUE, GREY, ORANGE, PURPLE
from ..pictures.surface import Surface
from ..runs.config import TrainConfig
from ..runs.supervised.experiment import SupervisedExperiment
from ..runs.supervised.result import SupervisedResult
from ..spec import FEATURE_FRAC
from ..tasks import get_task
from .base import Bench, Cell, Figure, Goal, Table
from .chains import WHITENED, finished, pooled, predictions, predictor_of
from .grid import NODES, REACH_SD, GridPosterior, grid_posterior

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

TASK = "toy2d"
STEPS = 30_000
SHOWN_SEED = 0
BINS = 40
KERNELS: dict[str, dict[str, Any]] = {
    "corrected, whitened, ρ 0.8": {**WHITENED},
    "corrected, random walk": {},
    "published, random walk": {"kernel": "published"},
}
COLOUR = dict(zip(KERNELS, (BLUE, PURPLE, ORANGE), strict=True))
EXACT = "corrected, whitened, ρ 0.8"
MEAN_GOAL, SPREAD_GOAL = 0.10, 0.06
"""Standard deviations; a fraction. tests/host/golden/test_exactness.py asserts both on WDBC."""


def exactness_cell(seed: int, options: dict[str, Any], steps: int) -> Cell:
    """A chain compared with the sum over the grid, on the same quantised training half."""
    config = TrainConfig(task=TASK, seed=seed, steps=steps, **options)
    with finished(config) as (experiment, result):
        exact = exact_posterior(experiment)
        draws = weight_draws(experiment, result)
        probability, variance = result.probability, result.variance
        return {
            **compare(draws, exact),
            "accuracy": result.values["accuracy"],
            "baseline": result.values["baseline"]["accuracy"],
            "ece": result.values["ece"],
            "log_loss": result.values["log_loss"],
            "acceptance_rate": result.values["acceptance_rate"],
            "predictions": predictions(experiment.test, result.labels, probability, variance),
        }


def exact_posterior(experiment: SupervisedExperiment, first: int = 0) -> GridPosterior:
    """The exact posterior of the training half, standardised and quantised to int8.

    ``first``: index of the weight that is placed before the others.
    """
    x, y = experiment.dataset.x[experiment.train], experiment.dataset.y[experiment.train]
    inputs = Encoder.fit(x, y, scaled=False).encode(x).inputs / 2.0**FEATURE_FRAC
    order = [first, *(i for i in range(inputs.shape[1]) if i != first)]
    return grid_posterior(inputs[:, order], y, get_task(TASK).sigma_p)


def weight_draws(experiment: SupervisedExperiment, result: SupervisedResult) -> NDArray[np.float64]:
    """Weights of the standardised features after burn-in, (steps, weights)."""
    codes, counts = result.trace.after(result.burn_in)
    return np.repeat(experiment.weights(codes), counts, axis=0)


def compare(draws: NDArray[np.float64], exact: GridPosterior) -> Cell:
    """Means and spreads of draws (steps, m) compared with the exact ones."""
    offsets = (draws.mean(axis=0) - exact.mean) / exact.sd
    ratios = draws.std(axis=0) / exact.sd
    return {
        "mean_error_max": float(np.abs(offsets).max()),
        "spread_ratio": ratios.tolist(),
        "spread_ratio_mean": float(ratios.mean()),
        "spread_error_max": float(np.abs(ratios - 1).max()),
        "ess_min": float(ess(draws[None]).min()),
    }


def make(bench: Bench) -> Figure:
    seeds = range(bench.seeds)
    jobs = [{"seed": s, "options": o, "steps": STEPS} for o in KERNELS.values() for s in seeds]
    cells = iter(bench.map("toy2d: chains and grid", exactness_cell, jobs))
    found = {name: [next(cells) for _ in seeds] for name in KERNELS}
    shown, reliability, referral = _drawings(found[EXACT])
    return Figure(
        title=f"The two-dimensional set: predictions and their uncertainty ({bench.seeds} seeds)",
        tables=[
            Table(f"{name}: against the exact posterior", _rows(name, found)) for name in found
        ],
        pictures={
            "fig4": shown,
            "exactness": _exactness(found),
            "reliability": reliability,
            "referral": referral,
        },
        values={
            "kernels": KERNELS,
            "steps": STEPS,
            "cells": {
                name: [{k: v for k, v in c.items() if k != "predictions"} for c in of_kernel]
                for name, of_kernel in found.items()
            },
        },
        notes=[
            f"Every seed: a random half of toy2d, an emulated array, chains of {STEPS:,} steps.",
            "Exact: the three-weight posterior of the same quantised half, summed over a grid of "
            f"{NODES}³ points within ±{REACH_SD:g} standard deviations. Worst weight of each seed; "
            "a chain with n effective samples misses a mean by 1/√n standard deviations by chance.",
        ],
    )


def _rows(name: str, found: dict[str, list[Cell]]) -> list[Goal]:
    def values(key: str) -> list[float]:
        return [float(c[key]) for c in found[name]]

    error, spread = values("mean_error_max"), values("spread_error_max")
    exact = name == EXACT
    return [
        Goal(
            "largest difference of a mean",
            error,
            "sd",
            wanted=f"<= {MEAN_GOAL:g} sd" if exact else "",
            met=float(np.mean(error)) <= MEAN_GOAL if exact else None,
        ),
        Goal("ratio of the spreads, mean of the weights", values("spread_ratio_mean")),
        Goal(
            "largest difference of a spread",
            spread,
            "%",
            wanted=f"<= {SPREAD_GOAL:.0%}" if exact else "",
            met=float(np.mean(spread)) <= SPREAD_GOAL if exact else None,
        ),
        Goal("effective samples, worst weight", values("ess_min")),
        Goal("acceptance", values("acceptance_rate"), "%"),
        Goal("accuracy on held-out points", values("accuracy"), "%"),
        Goal("logistic regression: accuracy", values("baseline"), "%"),
        Goal("log loss", values("log_loss"), "nat"),
        Goal("ECE, mean of the halves", values("ece")),
    ]


# -- pictures ----------------------------------------------------------------------------------


def _drawings(cells: Sequence[Cell]) -> tuple[Picture, Picture, Picture]:
    figure = new_canvas((17.0, 7.0))
    axes: dict[Any, Axes] = figure.subplot_mosaic(
        [["boundary", "total", "aleatoric", "epistemic"], ["boundary", 0, 1, 2]],
        width_ratios=[2.1, 1, 1, 1],
    )
    draws = {}
    for name, options in KERNELS.items():
        config = TrainConfig(task=TASK, seed=SHOWN_SEED, steps=STEPS, **options)
        with finished(config) as (experiment, result):
            draws[name] = weight_draws(experiment, result)
            if name == EXACT:
                inputs, labels = experiment.test_inputs, experiment.test_labels
                surface = Surface.of(predictor_of(experiment, result), inputs)
                names = experiment.weight_names
                exact = [exact_posterior(experiment, first) for first in range(len(names))]
                positive = experiment.dataset.class_names[1]
    surface.draw_boundary(axes["boundary"], inputs, labels)
    three = np.array([axes[name] for name in ("total", "aleatoric", "epistemic")])
    surface.draw_uncertainty(three, inputs, labels)
    for i, name in enumerate(names):
        _draw_marginal(axes[i], i, name, draws, exact[i])
    axes[0].legend(fontsize=7, loc="upper left")
    together, repeats = pooled(cells)
    reliability, ax = new_figure()
    draw_reliability(ax, together["label"], together["probability"], positive, repeats)
    referral, ax = new_figure()
    draw_referral(ax, together["label"], together["probability"], together["variance"])
    return figure, reliability, referral


def _draw_marginal(
    ax: Axes, index: int, name: str, draws: dict[str, NDArray[np.float64]], exact: GridPosterior
) -> None:
    """One weight: its marginal on the grid, and those of the chains."""
    values, density = exact.first_marginal()
    mean, sd = exact.mean[0], exact.sd[0]
    edges = np.linspace(mean - 4 * sd, mean + 4 * sd, BINS + 1)
    ax.fill_between(values, density, color=GREY, alpha=0.35, lw=0, label="exact (grid)")
    for kernel, of_kernel in draws.items():
        ax.hist(
            of_kernel[:, index],
            list(edges),
            density=True,
            histtype="step",
            color=COLOUR[kernel],
            lw=1.3,
            label=kernel,
        )
    ax.set(xlabel=f"weight of {name}", yticks=[], ylabel="density" if index == 0 else "")
    ax.set(xlim=(edges[0], edges[-1]), ylim=(0, (1.55 if index == 0 else 1.25) * density.max()))


def _exactness(found: dict[str, list[Cell]]) -> Picture:
    figure = new_canvas((9.0, 4.0))
    left, right = figure.subplots(1, 2)
    rng = np.random.default_rng(0)
    for place, (name, cells) in enumerate(found.items()):
        errors = np.array([c["mean_error_max"] for c in cells])
        ratios = np.array([c["spread_ratio"] for c in cells])
        jitter = rng.uniform(-0.2, 0.2, len(cells))
        left.scatter(place + jitter, errors, s=14, color=COLOUR[name], alpha=0.7, lw=0)
        left.hlines(errors.mean(), place - 0.3, place + 0.3, color=COLOUR[name], lw=2)
        each = np.repeat(jitter, ratios.shape[1])
        right.scatter(place + each, ratios.ravel(), s=10, color=COLOUR[name], alpha=0.6, lw=0)
        right.hlines(ratios.mean(), place - 0.3, place + 0.3, color=COLOUR[name], lw=2)
    right.axhline(1.0, color=GREY, lw=0.8, ls="--")
    left.axhline(MEAN_GOAL, color=GREY, lw=0.8, ls="--")
    left.set(ylabel="largest difference of a mean (exact sd)", ylim=(0, None))
    right.set(ylabel="spread of a weight / exact")
    for ax in (left, right):
        labels = [name.replace(", ", "\n", 1) for name in found]
        ax.set_xticks(range(len(found)), labels, fontsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        "Error against the exact posterior: one point per seed (right: per weight)", fontsize=11
    )
    return figure
