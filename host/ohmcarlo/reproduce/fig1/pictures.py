"""The pictures of the figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...pictures.canvas import new_canvas
from ...pictures.style import BLUE, GREY, PURPLE
from ..base import Cell
from ..chains import column
from .methods import FAMILIES, IN_ARRAY, IN_SOFTWARE, SOFTWARE, Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

# Entry of a cell for each quantity, and its label.
VALUE = {"error": "accuracy", "log_loss": "log_loss"}
LABEL = {
    "error": "errors on held-out cases (%, log scale; less is better)",
    "log_loss": "log loss on held-out cases (nat, log scale; less is better)",
}


def draw(
    found: dict[str, dict[str, list[Cell]]],
    software: dict[str, dict[str, list[Cell]]],
    quantity: str,
    tasks: Mapping[str, str],
    kinds: Mapping[str, Kind],
) -> Picture:
    """A panel per task; ``tasks``: name → title, ``kinds``: array → its devices."""
    figure = new_canvas((14.0, 8.4))
    parts = figure.add_gridspec(2, 1, height_ratios=[1, 4.2])
    head, body = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
    _draw_header(head.subplots(1, len(FAMILIES)))
    axes = body.subplots(1, len(tasks), squeeze=False)[0]
    for i, (ax, (task, title)) in enumerate(zip(axes, tasks.items(), strict=True)):
        ours = {kind: found[kind][task] for kind in kinds}
        _draw_task(ax, ours, software[task], quantity, kinds, names=i == 0)
        ax.set_title(title)
    handles, labels = axes[0].get_legend_handles_labels()
    body.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    return figure


def _draw_task(
    ax: Axes,
    found: dict[str, list[Cell]],
    software: dict[str, list[Cell]],
    quantity: str,
    kinds: Mapping[str, Kind],
    names: bool,
) -> None:
    """One line per strategy, one colour per kind of device; points are splits."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    places, place = {}, 0.0
    for _, members in FAMILIES:
        for name in members:
            places[name] = place
            place += 1
        place += 0.35
    for i, (kind, info) in enumerate(kinds.items()):
        for name in IN_ARRAY:
            values = _shown(column(found[kind], VALUE[quantity], name), quantity)
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
    ax.grid(axis="x", lw=0.3)
    ax.spines[["top", "right"]].set_visible(False)


def _shown(values: list[float], quantity: str) -> NDArray[np.float64]:
    """Errors in per cent, at least 0.05 because the scale is logarithmic."""
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
    """A drawing of each family."""
    texts = (
        "row n + 1 is a noisy copy of row n,\naccepted or rejected: the rows are samples",
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
