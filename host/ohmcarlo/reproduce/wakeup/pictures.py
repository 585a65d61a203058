"""The picture of the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...pictures.canvas import new_panels
from ...pictures.style import BLUE, GREEN, GREY, ORANGE, PURPLE
from ..base import Cell
from .cells import MARGIN, ONCE, RECALIBRATED, VARIANCE
from .costs import beat_energy
from .sweep import at_rate, random_at
from .tables import BETWEEN, CHOSEN_RATE, FRESH, LAST, WORN, chosen, differences, select

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

RATES = np.linspace(0.0, 0.15, 61)
AGES = (FRESH, *BETWEEN, WORN, LAST)


def main_picture(cells: Sequence[Cell], rival: Sequence[Cell]) -> Picture:
    figure, axes = new_panels(2, 2, (12.0, 8.4))
    (ideal, host), (energy, ages) = axes
    draw_rates(ideal, cells, rival, "ideal")
    draw_rates(host, cells, rival, "host")
    ideal.set_title("A host that is always right")
    host.set_title("A larger model as host")
    draw_energy(energy, select(cells, FRESH))
    draw_ages(ages, cells)
    return figure


def draw_rates(ax: Axes, cells: Sequence[Cell], rival: Sequence[Cell], kind: str) -> None:
    """Mean accuracy over the seeds against the wake-up rate."""
    name = f"accuracy.{kind}"
    fresh, worn = select(cells, FRESH), select(cells, WORN)
    once = select(cells, WORN, ONCE)
    for found, measure, colour, dashes, label in (
        (fresh, MARGIN, BLUE, "-", "array, margin"),
        (fresh, VARIANCE, GREEN, "-", "array, variance"),
        (worn, MARGIN, PURPLE, "--", "array, margin, 10⁷ cycles"),
        (once, MARGIN, PURPLE, ":", "the same, trimmed once"),
        (rival, MARGIN, ORANGE, "-", "logistic regression, margin"),
    ):
        mean = np.mean([[at_rate(c[measure], name, r) for r in RATES] for c in found], axis=0)
        ax.plot(100 * RATES, 100 * mean, color=colour, ls=dashes, lw=1.6, label=label)
    chance = np.mean([[random_at(c[MARGIN], name, r) for r in RATES] for c in fresh], axis=0)
    ax.plot(100 * RATES, 100 * chance, color=GREY, lw=1.2, ls="--", label="array, random beats")
    ax.set(xlabel="N and V beats that wake the host (%)", ylabel="accuracy (%)")
    ax.legend(fontsize=8, frameon=False, loc="center right")


def draw_energy(ax: Axes, fresh: Sequence[Cell]) -> None:
    """Energy of a beat against the wake-up rate, by part."""
    spent = [beat_energy(c["counts"], c["geometry"]) for c in fresh]
    parts = ("array", "processor", "wakeup")
    array, processor, wakeup = (float(np.mean([getattr(s, p) for s in spent])) for p in parts)
    rates = np.geomspace(1e-4, 1.0, 100)
    ax.plot(100 * rates, array + processor + rates * wakeup, color="black", lw=2, label="together")
    ax.plot(100 * rates, rates * wakeup, color=ORANGE, lw=1.4, label="wake-ups (assumed: radio)")
    ax.axhline(processor, color=BLUE, lw=1.4, label="processor of the board")
    ax.axhline(array, color=GREEN, lw=1.4, label="array, converters, controller")
    ax.set(xscale="log", yscale="log", xlabel="beats that wake the host (%)")
    ax.set(ylabel="energy of a beat (µJ)", title="Energy of a beat")
    ax.legend(fontsize=8, frameon=False, loc="upper left")


def draw_ages(ax: Axes, cells: Sequence[Cell]) -> None:
    """Wake-up rate and errors with one threshold over the life of the devices: the mean of the
    fresh devices, plus the mean change on the same seeds with its standard error."""
    fresh = select(cells, FRESH)
    places = chosen(fresh)
    curves = (
        ("woken", BLUE, 0.0, "beats that wake the host"),
        ("accuracy.ideal", GREEN, 1.0, "errors left, ideal host"),
        ("accuracy.host", PURPLE, 1.0, "errors left, larger model"),
    )
    for trim, dashes in ((RECALIBRATED, "-"), (ONCE, ":")):
        ages = [age for age in AGES if select(cells, age, trim)]
        for name, colour, whole, label in curves:
            start = float(np.mean([c[MARGIN][name][places[c["seed"]]] for c in fresh]))
            changes = [differences(fresh, select(cells, a, trim), places, name) for a in ages]
            ax.errorbar(
                [AGES.index(age) for age in ages],
                [100 * abs(whole - start - np.mean(change)) for change in changes],
                yerr=[100 * np.std(change, ddof=1) / np.sqrt(len(change)) for change in changes],
                color=colour, ls=dashes, marker="o", ms=4, capsize=3,
                label=label if trim == RECALIBRATED else None,
            )  # fmt: skip
    labels = ["fresh" if a == FRESH else f"$10^{{{np.log10(a):.0f}}}$" for a in AGES]
    ax.set_xticks(range(len(AGES)), labels)
    ax.set(xlabel="endurance cycles before the training (dotted: trimmed once)", ylabel="%")
    ax.set_ylim(0, None)
    ax.set_title(f"One threshold: {CHOSEN_RATE:.0%} wake-ups on the training patients, fresh")
    ax.legend(fontsize=8, frameon=False)
