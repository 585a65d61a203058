"""The pictures of a sweep: response curves of one parameter each, and maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..pages.charts_response import LIGHT_FROM
from ..pages.content import LegendEntry
from ..pages.series import legend
from ..pictures.canvas import new_canvas, new_panels
from ..pictures.style import GREY, plain_name
from .curves import (
    Line,
    Plane,
    Quantity,
    Response,
    are_numbers,
    is_log,
    planes,
    responses,
    shown_name,
    shown_value,
)
from .table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

PANEL = (4.6, 3.4)  # inches
COLUMNS = 3
MARKS = "os^Dv"
FOOT = 0.03
"""Height of the marks of failed cells of each curve, share of the axis."""
FAILED_LABEL = "runs failed"
LETTER = 0.022
"""Width of a letter of a label, share of the axis."""
CUT = 1.0
"""Ends of intervals are shown up to so many times the range of the means beyond it."""


def pictures_of(table: Table) -> dict[str, Figure]:
    """A picture of every parameter, and one of every map, by the name of its file."""
    found = {
        file_name(one.parameter): draw_response(one)
        for one in responses(table.rows, table.swept, table.reference)
    }
    for place, plane in enumerate(planes(table.rows, table.swept, table.reference)):
        pair = f"{file_name(plane.y)}-{file_name(plane.x)}"
        name = pair if pair not in found else f"{pair}-{place}"
        found[name] = draw_plane(plane)
    return found


def file_name(parameter: str) -> str:
    """The name of a parameter in that of a file."""
    return shown_name(parameter).replace("_", "-").replace(".", "-")


def draw_response(
    found: Response, quantities: Sequence[Quantity] | None = None, columns: int = COLUMNS
) -> Figure:
    """A panel for each quantity, with a curve for each setting of the other parameters."""
    shown = found.quantities() if quantities is None else list(quantities)
    columns = max(1, min(columns, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    figure, axes = new_panels(rows, columns, (PANEL[0] * columns, PANEL[1] * rows + 0.4))
    for ax, quantity in zip(axes.flat, shown, strict=False):
        _panel(ax, found, quantity)
    for ax in axes.flat[len(shown) :]:
        ax.remove()
    if (len(found.lines) > 1 or found.failed) and shown:
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8
        )
    return figure


def _panel(ax: Axes, found: Response, quantity: Quantity) -> None:
    values = found.values
    numeric = are_numbers(values)
    places = {shown_value(v): (float(v) if numeric else i) for i, v in enumerate(values)}
    entries = legend([line.label for line in found.lines])
    for k, (line, entry) in enumerate(zip(found.lines, entries, strict=True)):
        _curve(ax, line, quantity, places, entry, k)
        if not numeric:  # names have no order that a line could follow
            ax.lines[-1].set_linestyle("none")
    _mark_failed(ax, found, places, entries)
    if quantity.limit is not None:
        label = f"limit {quantity.limit:g}"
        ax.axhline(quantity.limit, color=GREY, lw=1.2, ls=":", zorder=0, label=label)
    if quantity.log:
        ax.set_yscale("log")
    else:
        _cut(ax, found, quantity)
    if numeric and is_log(values):
        ax.set_xscale("log")
        ax.minorticks_off()
    if len(values) <= 9 or not numeric:
        at, labels = np.array(list(places.values())), [plain_name(label) for label in places]
        if numeric:
            labels = _apart(labels, np.log(at) if is_log(values) else at)
        ax.set_xticks(at, labels)
        ax.tick_params(axis="x", labelrotation=0 if numeric else 20, labelsize=8)
    ax.set(xlabel=plain_name(shown_name(found.parameter)), ylabel=quantity.axis)


def _apart(labels: Sequence[str], places: NDArray[np.float64]) -> list[str]:
    """The labels of an axis without those that would overlap the one before; places rise."""
    kept, last = [], -math.inf
    for label, place in zip(labels, places, strict=True):
        room = place - last >= LETTER * len(label) * (places[-1] - places[0])
        kept.append(label if room else "")
        last = place if room else last
    return kept


def _curve(
    ax: Axes,
    line: Line,
    quantity: Quantity,
    places: Mapping[str, float],
    entry: LegendEntry,
    k: int,
) -> None:
    known = [
        (places[shown_value(level.value)], level.estimates[quantity.name])
        for level in line.levels
        if math.isfinite(level.estimates[quantity.name].middle)
    ]
    x = [place for place, _ in known]
    middle = np.array([e.middle for _, e in known])
    ends = np.array([[e.low, e.high] for _, e in known]).reshape(-1, 2)
    bars = np.abs(np.nan_to_num(ends.T - middle))
    ax.errorbar(x, middle, yerr=bars, fmt="none", ecolor=entry.colour, capsize=2)
    (curve,) = ax.plot(
        x, middle, MARKS[k % len(MARKS)], ls="-", color=entry.colour, ms=4, lw=1.4,
        label=plain_name(line.label),
    )  # fmt: skip
    if entry.dash:
        curve.set_dashes(entry.dash)


def _mark_failed(
    ax: Axes, found: Response, places: Mapping[str, float], entries: Sequence[LegendEntry]
) -> None:
    """A cross at the foot of every level of which cells failed, in the colour of its curve."""
    label = FAILED_LABEL
    for k, (line, entry) in enumerate(zip(found.lines, entries, strict=True)):
        x = [places[shown_value(level.value)] for level in line.levels if level.failed]
        if x:
            ax.plot(
                x, [(k + 1) * FOOT] * len(x), "x", color=entry.colour, ms=6,
                transform=ax.get_xaxis_transform(), label=label,
            )  # fmt: skip
            label = ""


def _cut(ax: Axes, found: Response, quantity: Quantity) -> None:
    """Limit the axis where an interval is much longer than the range of the means."""
    means = [level.estimates[quantity.name].middle for line in found.lines for level in line.levels]
    means = [value for value in means if math.isfinite(value)]
    means += [] if quantity.limit is None else [quantity.limit]
    if not means:
        return
    room = CUT * ((max(means) - min(means)) or abs(max(means)) or 1.0)
    low, high = ax.get_ylim()
    low, high = max(low, min(means) - room), min(high, max(means) + room)
    ax.set_ylim(0 if min(means) >= 0 and low < 0.3 * high else low, high)


def draw_plane(plane: Plane) -> Figure:
    """A field for each combination of levels, with its number."""
    columns, rows = len(plane.x_values), len(plane.y_values)
    figure = new_canvas((2.2 + 0.75 * columns, 1.6 + 0.5 * rows))
    ax = figure.add_subplot()
    grid = np.full((rows, columns), np.nan)
    for at, estimate in plane.estimates.items():
        grid[at] = estimate.middle
    image = ax.imshow(grid, origin="lower", aspect="auto", cmap="viridis")
    middle = LIGHT_FROM * np.nanmax(grid) + (1 - LIGHT_FROM) * np.nanmin(grid)
    for (i, j), value in np.ndenumerate(grid):
        if math.isfinite(value):
            colour = "black" if value > middle else "white"
            mark = " ×" if (i, j) in plane.failed else ""
            ax.text(j, i, f"{value:.3g}{mark}", ha="center", va="center", color=colour, fontsize=8)
    ax.set_xticks(range(columns), [plain_name(shown_value(v)) for v in plane.x_values])
    ax.set_yticks(range(rows), [plain_name(shown_value(v)) for v in plane.y_values])
    ax.set(xlabel=plain_name(shown_name(plane.x)), ylabel=plain_name(shown_name(plane.y)))
    ax.set_facecolor(GREY)
    if plane.label:
        ax.set_title(plain_name(plane.label), fontsize=9)
    figure.colorbar(image, label=plane.quantity.axis)
    return figure
