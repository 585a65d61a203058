"""The pictures of the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...pictures.canvas import new_panels
from ...pictures.style import BLUE, GREEN, GREY, ORANGE, PURPLE
from ..base import Cell
from .cells import CHOICES, SUPERVISED, WALK, WHITE
from .spent import GROUPS, Spent, report_of
from .tables import GOAL_J, SOFTWARE, micro
from .tuning import TOLERANCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

COLOURS = ("#e69f00", ORANGE, PURPLE, "#56b4e9", BLUE, GREEN, GREY)


def _names(spent: dict[tuple[str, str], Spent]) -> list[str]:
    short = {"breast-cancer": "WDBC", "breast-cancer-original": "WBC (1990)"}
    return [f"{short.get(task, task)}\n{kernel}" for task, kernel in spent]


def bars(spent: dict[tuple[str, str], Spent]) -> Picture:
    """Left: energy on a logarithmic axis with its range; right: the shares, which add up."""
    figure, axes = new_panels(2, 1, (11.0, 8.2))
    top, bottom = axes[0][0], axes[1][0]
    x = np.arange(len(spent))
    for shift, part, colour, label in (
        (-0.2, "array", BLUE, "array + converter"),
        (0.2, "total", GREY, "with the digital part"),
    ):
        middle = np.array(micro([getattr(s.mean, part).joules for s in spent.values()]))
        bounds = np.array([micro(s.range(part)) for s in spent.values()]).T
        top.bar(x + shift, middle, 0.38, color=colour, label=label)
        errors = np.maximum([middle - bounds[0], bounds[1] - middle], 0)
        top.errorbar(x + shift, middle, yerr=errors, fmt="none", ecolor="black", capsize=3, lw=1)
        for a, b, h in zip(x + shift, middle, bounds[1], strict=True):
            text = f"{b:.2g}" if b < 100 else f"{b:.0f}"
            top.annotate(text, (a, max(b, h)), ha="center", va="bottom", fontsize=7.5,
                         xytext=(0, 2), textcoords="offset points")  # fmt: skip
    top.axhline(GOAL_J * 1e6, color=ORANGE, ls="--", lw=1)
    top.annotate("10 µJ", (x[-1] + 0.55, GOAL_J * 1e6), color=ORANGE, fontsize=8, va="bottom")
    top.set_yscale("log")
    top.set_ylabel("energy per training (µJ)")
    top.set_title("Energy per training at the reference constants; bars: 90 % over the constants")
    top.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    base = np.zeros(len(spent))
    for name, colour in zip(GROUPS, COLOURS, strict=True):
        share = np.array([100 * s.group(name) / s.mean.total.joules for s in spent.values()])
        bottom.bar(x, share, 0.62, bottom=base, color=colour, label=name, edgecolor="white", lw=0.5)
        for a, b, v in zip(x, base, share, strict=True):
            if v > 6:
                bottom.annotate(f"{v:.0f}", (a, b + v / 2), ha="center", va="center", fontsize=7.5)
        base += share
    bottom.set(ylabel="share (%)", ylim=(0, 100), title="What it is spent on")
    bottom.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    for ax in (top, bottom):
        ax.set_xticks(x, _names(spent), fontsize=7.5)
        ax.set_xlim(-0.6, len(x) - 0.1)
    return figure


def early_picture(spent: dict[tuple[str, str], Spent]) -> Picture:
    shown = {s: v for s, v in spent.items() if v.full}
    figure, axes = new_panels(1, 1, (9.0, 4.6))
    ax: Axes = axes[0][0]
    x = np.arange(len(shown))
    for shift, colour, label, pick in (
        (-0.2, GREY, "every point read", "full"),
        (0.2, BLUE, "early rejection", "runs"),
    ):
        seeds = [{c["seed"] for c in s.full} for s in shown.values()]
        values = [
            1e6 * np.mean([report_of(c).total.joules for c in getattr(s, pick) if c["seed"] in k])
            for s, k in zip(shown.values(), seeds, strict=True)
        ]
        ax.bar(x + shift, values, 0.38, color=colour, label=label)
    for a, s in zip(x, shown.values(), strict=True):
        full = 1e6 * np.mean([report_of(c).total.joules for c in s.full])
        ax.annotate(f"-{np.mean(s.saved()):.0%}", (a, full), ha="center", va="bottom", fontsize=9,
                    xytext=(0, 2), textcoords="offset points")  # fmt: skip
    ax.set_xticks(x, _names(shown), fontsize=7.5)
    ax.set(ylabel="energy per training (µJ)")
    ax.set_title("What early rejection saves: the same decisions, fewer reads")
    ax.legend(fontsize=8, frameon=False)
    return figure


def ratio_picture(spent: dict[tuple[str, str], Spent]) -> Picture:
    figure, axes = new_panels(1, 1, (9.0, 4.8))
    ax: Axes = axes[0][0]
    x = np.arange(len(spent))
    colours = (PURPLE, BLUE, "#56b4e9", GREEN, GREY)
    for i, ((kind, label), colour) in enumerate(zip(SOFTWARE.items(), colours, strict=True)):
        none = (np.nan, np.nan, np.nan)
        found = np.array([s.ratios().get(kind, none) for s in spent.values()])
        errors = [found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]]
        ax.errorbar(
            x + 0.15 * (i - 2), found[:, 0], yerr=errors, fmt="o", ms=5, color=colour,
            capsize=3, lw=1.4, label=label,
        )  # fmt: skip
    ax.axhline(1e5, color=ORANGE, ls="--", lw=1)
    ax.annotate("10⁵: press coverage of the paper", (-0.45, 1e5), color=ORANGE, fontsize=8,
                va="bottom")  # fmt: skip
    ax.axhline(1, color="black", lw=0.8)
    ax.set_yscale("log")
    ax.set_xticks(x, _names(spent), fontsize=7.5)
    ax.set(ylabel="energy, × that of the array with its digital part")
    ax.set_title("The same chain without an array (bars: every constant at its bounds)")
    ax.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    return figure


def steps_picture(tuned: Sequence[Cell], steps: dict[tuple[str, str], int]) -> Picture:
    figure, axes = new_panels(1, 1, (8.0, 4.4))
    ax: Axes = axes[0][0]
    tasks = [t for t in SUPERVISED if any(c["task"] == t for c in tuned)]
    for task, colour in zip(tasks, (BLUE, ORANGE, GREEN, PURPLE), strict=False):
        for kernel, style in ((WALK, "--"), (WHITE, "-")):
            found = [c["accuracy"] for c in tuned if (c["task"], c["kernel"]) == (task, kernel)]
            mean = 100 * np.mean(np.array(found), axis=0)
            mean -= mean[-1]
            ax.plot(CHOICES, mean, ls=style, color=colour, lw=1.4, label=f"{task}, {kernel}")
            chosen = CHOICES.index(steps[task, kernel])
            ax.plot(CHOICES[chosen], mean[chosen], "o", ms=8, mfc="white", color=colour)
    ax.set_xscale("log")
    ax.set_xticks(CHOICES, [f"{c:,}" for c in CHOICES])
    ax.minorticks_off()
    ax.set(xlabel="steps", ylabel=f"accuracy - that after {CHOICES[-1]:,} (points)")
    ax.axhspan(-100 * TOLERANCE, 100 * TOLERANCE, color=GREY, alpha=0.15, lw=0)
    ax.set_title("Steps that are needed (circles), on other seeds")
    ax.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
