"""Quality against labels bought."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...pictures.canvas import new_panels
from ...pictures.style import BLUE, GREEN, GREY, ORANGE
from ..base import Cell
from .curves import DOUBT, ENTROPY, PLAIN, RANDOM
from .problems import TITLES, rounds
from .tables import Z_95, curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

COLOURS = {DOUBT: ORANGE, RANDOM: BLUE, ENTROPY: GREEN, PLAIN: GREY}
PANELS = {
    "accuracy": "accuracy on held-out cases (%)",
    "balanced_accuracy": "balanced accuracy (%)",
    "positive": "share of the rarer class among the labels (%)",
}
TICKS = (4, 10, 20, 50, 100, 200)


def picture(found: dict[str, dict[str, list[Cell]]]) -> Picture:
    """Mean curves with 95 % intervals of the mean; a row of panels per pool."""
    figure, axes = new_panels(len(found), len(PANELS), size=(13.0, 4.2 * len(found)))
    for row, (task, cells) in zip(axes, found.items(), strict=True):
        for ax, (quality, label) in zip(row, PANELS.items(), strict=True):
            _draw(ax, cells, quality)
            ax.set_ylabel(label)
        row[0].set_title(TITLES[task], loc="left", fontsize=10)
    axes[0, 0].legend(fontsize=8, frameon=False)
    return figure


def _draw(ax: Axes, cells: dict[str, list[Cell]], quality: str) -> None:
    labels = rounds()
    lowest = []
    for strategy, own in cells.items():
        values = 100 * curves(own, quality)
        mean = values.mean(axis=0)
        error = Z_95 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
        ax.plot(labels, mean, color=COLOURS[strategy], lw=1.6, label=strategy)
        ax.fill_between(labels, mean - error, mean + error, color=COLOURS[strategy], alpha=0.18)
        lowest.append(mean[labels.index(10) :].min())
    ax.set_xscale("log")
    ax.set_xticks(TICKS, [str(n) for n in TICKS])
    ax.minorticks_off()
    ax.set_xlabel("labels bought")
    if quality != "positive":
        ax.set_ylim(bottom=min(lowest) - 2)
    ax.grid(lw=0.3)
