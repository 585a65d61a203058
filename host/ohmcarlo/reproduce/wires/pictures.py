"""The picture of the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...pictures.canvas import new_panels
from ...pictures.style import BLUE, GREEN, GREY, ORANGE, PURPLE
from ..base import Cell
from .cells import ARRAY, CALIBRATED, CODES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY)
STYLES = {ARRAY: "-", CALIBRATED: "--"}
MARKS = {ARRAY: ("o", BLUE), CALIBRATED: ("s", ORANGE), CODES: ("^", GREEN)}


def draw(costs: Sequence[Cell], sampled: Sequence[Cell]) -> Picture:
    """Predicted and sampled spreads against the resistance of a cell, and the rows in reach."""
    figure, ((left, middle, right),) = new_panels(1, 3, (15.0, 4.6))
    _predicted(left, costs)
    _sampled(middle, sampled)
    _reach(right, costs)
    return figure


def _predicted(ax: Axes, costs: Sequence[Cell]) -> None:
    """Spread against ohm by number of pairs: rows make no difference."""
    for colour, pairs in zip(COLOURS, dict.fromkeys(c["pairs"] for c in costs), strict=False):
        of = {c["ohm"]: c for c in costs if c["pairs"] == pairs}
        for way, style in STYLES.items():
            label = f"{pairs} pairs, {way}"
            ax.plot(
                list(of), [c["spread"][way] for c in of.values()], style, color=colour, label=label
            )
    ax.axhspan(0.9, 1.1, color="#eeeeee", zorder=0)
    ax.set(xlabel="Ω per cell", ylabel="widest spread, ratio to the posterior", yscale="log")
    ax.set_title("Predicted, all inputs used (grey: trusted)")
    ax.legend(fontsize=8, frameon=False)


def _sampled(ax: Axes, sampled: Sequence[Cell]) -> None:
    """Mean spread of runs against NUTS; filled: the larger array."""
    problems = list(dict.fromkeys(c["problem"] for c in sampled))
    for cell in sampled:
        mark, colour = MARKS[cell["way"]]
        face = colour if cell["problem"] == problems[-1] else "white"
        ax.plot(cell["ohm"], cell["spread"], mark, mec=colour, mfc=face, ms=5)
    for way, (mark, colour) in MARKS.items():
        ax.plot([], [], mark, color=colour, label=way)
    ax.axhline(1, color=GREY, lw=1)
    names = {c["problem"]: f"{c['problem']} on {c['rows']} × {c['pairs']}" for c in sampled}
    ax.set(xlabel="Ω per cell", ylabel="mean spread, ratio to NUTS")
    ax.set_title(f"Sampled (filled: {names[problems[-1]]})" if problems else "Sampled")
    ax.legend(fontsize=8, frameon=False)


def _reach(ax: Axes, costs: Sequence[Cell]) -> None:
    """Rows whose devices can be read at the centre, with and without selectors."""
    sizes = dict.fromkeys((c["rows"], c["pairs"]) for c in costs)
    for colour, (rows, pairs) in zip(COLOURS, sizes, strict=False):
        of = {c["ohm"]: c for c in costs if (c["rows"], c["pairs"]) == (rows, pairs)}
        for name, style in (("reach", "-"), ("passive_reach", ":")):
            label = f"{rows} × {pairs}" if name == "reach" else None
            share = [100 * c[name] for c in of.values()]
            ax.plot(list(of), share, style, color=colour, label=label)
    ax.set(xlabel="Ω per cell", ylabel="rows in reach (%)")
    ax.set_title("Solid: with selectors; dotted: passive array")
    ax.legend(fontsize=8, frameon=False)
