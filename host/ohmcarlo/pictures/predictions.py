"""Pictures of predictions on held-out data: reliability, and accuracy after referral."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..diagnostics import certain_first, wilson_interval
from .style import BLUE, GREY, ORANGE, plain_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Z_90 = 1.645
BINS = 10


def draw_reliability(
    ax: Axes,
    labels: NDArray[np.integer[Any]],
    probability: NDArray[np.float64],
    positive: str,
    repeats: float = 1.0,
) -> None:
    """Share of class 1 over the predicted probability, with 90 % intervals of the share.

    ``repeats``: predictions per case. Predictions of one case are not independent, so that the
    intervals are computed from the number of cases.
    """
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    ax.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls="--", label="perfectly calibrated")
    centres, shares, errors, sizes = [], [], [], []
    for b in range(BINS):
        inside = bins == b
        n = int(inside.sum())
        if not n:
            continue
        share = float(labels[inside].mean())
        low, high = wilson_interval(share, max(1, round(n / repeats)), Z_90)
        centres.append(float(probability[inside].mean()))
        shares.append(share)
        errors.append((share - low, high - share))
        sizes.append(n)
    ax.errorbar(centres, shares, yerr=np.array(errors).T, fmt="o", color=BLUE, capsize=3, lw=1)
    for x, y, n in zip(centres, shares, sizes, strict=True):
        ax.annotate(f"{n}", (x, y), textcoords="offset points", xytext=(5, 5), fontsize=7)
    ax.set(
        xlabel=f"predicted probability of {plain_name(positive)}",
        ylabel=f"share that is {plain_name(positive)}",
        xlim=(-0.02, 1.02),
    )
    ax.set_ylim(-0.04, 1.08)
    ax.set_title("Calibration (numbers: held-out cases; bars: 90 % intervals)")
    ax.legend(loc="upper left", fontsize=8)


def draw_referral(
    ax: Axes,
    labels: NDArray[np.integer[Any]],
    probability: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> None:
    """Accuracy on the cases that are answered, over the share that is left to a person."""
    right = (probability >= 0.5) == (labels == 1)
    n = len(right)
    kept = np.arange(n, max(1, n // 2) - 1, -1)
    referred = 1 - kept / n
    by_spread = np.cumsum(right[certain_first(probability, variance)])
    by_probability = np.cumsum(right[np.argsort(-np.abs(probability - 0.5), kind="stable")])
    at_random = np.full(len(kept), right.mean())
    ax.step(referred, by_spread[kept - 1] / kept, color=BLUE, label="by posterior spread")
    ax.step(
        referred,
        by_probability[kept - 1] / kept,
        color=ORANGE,
        ls="--",
        label="by probability alone",
    )
    ax.plot(referred, at_random, color=GREY, lw=0.8, ls=":", label="cases chosen at random")
    _label_referral(ax)


def draw_left_out(
    ax: Axes, right: NDArray[np.bool_], uncertainties: Mapping[str, NDArray[np.float64]]
) -> None:
    """Accuracy on the cases that are answered, over the share that is left to a person; a line for
    each way to choose the least certain: right (n,), uncertainties by name, (n,) each."""
    n = len(right)
    kept = np.arange(n, max(1, n // 2) - 1, -1)
    styles = zip(uncertainties.items(), (BLUE, ORANGE, GREY), ("-", "--", "-."), strict=True)
    for (name, uncertainty), colour, line in styles:
        sure = np.cumsum(right[np.argsort(uncertainty, kind="stable")])
        ax.step(1 - kept / n, sure[kept - 1] / kept, color=colour, ls=line, label=name)
    ax.axhline(float(right.mean()), color=GREY, lw=0.8, ls=":", label="cases chosen at random")
    _label_referral(ax)


def _label_referral(ax: Axes) -> None:
    """Axes, title and legend of a picture of accuracy over the share of cases left to a person."""
    from matplotlib.ticker import PercentFormatter

    ax.set(
        xlabel="share of cases that a person decides, the least certain first",
        ylabel="accuracy on the rest",
    )
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    ax.set_title("Accuracy without the least certain held-out cases")
    ax.legend(loc="best", fontsize=8)


def draw_confusion(ax: Axes, table: NDArray[np.integer[Any]], names: Sequence[str]) -> None:
    """Held-out cases by true class (row) and answer (column); colours are shares of a row."""
    sizes = table.sum(axis=1, keepdims=True)
    shares = table / np.maximum(sizes, 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(table > 0):
        colour = "white" if shares[row, column] > 0.5 else "black"
        ax.text(column, row, f"{table[row, column]}", ha="center", va="center", color=colour)
    ticks = np.arange(len(names))
    plain = [plain_name(name) for name in names]
    longest = max(len(name) for name in plain)
    ax.set_xticks(ticks, plain, rotation=30 if longest > 3 else 0)
    ax.set_yticks(ticks, plain)
    ax.set(xlabel="answer", ylabel="true class")
    ax.set_title("Held-out cases by class and answer (colour: share of the class)")
