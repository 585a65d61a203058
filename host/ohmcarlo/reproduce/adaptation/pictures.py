"""The picture of adaptation: effective samples and steps, a row a set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ...pictures.canvas import new_panels
from ...pictures.style import BLUE, GREY, ORANGE
from ...runs.adaptation.schedule import MOST_STEPS
from ..base import Cell
from .cells import ADAPTED, FAIR, FITTED
from .sets import SETS

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

COLOURS = {FITTED: GREY, FAIR: ORANGE, ADAPTED: BLUE}


def draw(found: Mapping[str, list[Cell]]) -> Picture:
    """One dot a seed."""
    figure, axes = new_panels(1, 2, (12.0, 1.6 + 0.5 * len(found)))
    left, right = axes[0]
    rows = np.arange(len(found))
    for row, cells in enumerate(found.values()):
        for place, (way, colour) in enumerate(COLOURS.items()):
            values = [c[way]["ess_min_per_1000_steps"] for c in cells]
            at = np.full(len(values), row + 0.22 * (place - 1))
            left.scatter(values, at, s=9, color=colour, alpha=0.6, label=None if row else way)
        right.scatter([c["steps"] for c in cells], np.full(len(cells), row), s=9, color=BLUE)
    left.set_xscale("log")
    left.set_yticks(rows, [SETS[name].title for name in found])
    left.set(xlabel="effective samples per 1,000 steps, worst weight")
    right.axvline(MOST_STEPS, color=GREY, ls="--", lw=1)
    right.set_yticks(rows, [""] * len(rows))
    right.set(xlabel="steps of the adaptation, every chain")
    right.set_xlim(left=0)
    for ax in (left, right):
        ax.set_ylim(len(found) - 0.5, -0.5)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure
