"""Pictures of the devices of a measurement, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..array.characterize.estimates import Estimates
from ..array.characterize.population import Population
from ..array.read_noise import Law
from .devices import AXIS, draw_programming, values_of
from .style import BLUE, GREY, ORANGE, plain_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN_DEVICES, SHOWN_LEVELS = 60, 12
SMALLEST_BAR = 0.02
DECADES = (0.1, 1, 10, 100, 1000)
NARROW, WIDE = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500), 1e3
FEWEST_BINS, MOST_BINS = 6, 24
TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5)
FINE_TICKS = (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4)  # of a narrow distribution


def draw_set_law(ax: Axes, found: Estimates, devices: Population, level: str = "") -> None:
    """Means of single devices over the programming level, below median and bands.

    ``level`` names what was swept, as in ``word line``; empty: not known.
    """
    number = devices.mean_us.shape[1]
    for place in np.unique(np.linspace(0, number - 1, min(number, SHOWN_DEVICES)).astype(int)):
        ax.plot(devices.levels, devices.mean_us[:, place], color=GREY, lw=0.4, alpha=0.4)
    shown = min(number, SHOWN_DEVICES)
    ax.plot([], [], color=GREY, lw=0.8, label=f"means of {shown} of {number:,} devices")
    draw_programming(ax, found)
    axis = f"{level} ({found.unit})" if level else AXIS[found.unit]
    ax.set(title="SET law", xlabel=axis, ylim=(0, None))


def draw_spreads(ax: Axes, found: Estimates, laws: tuple[Law, Law] | None) -> None:
    """Both spreads over the conductance, with 95 % intervals, and the laws of the model."""
    g = np.array([e.value for e in found.mean_us])
    some = slice(None, None, 1 + len(g) // SHOWN_LEVELS)
    step = float(np.diff(g[some]).mean()) if len(g[some]) > 1 else 1.0
    for estimates, shift, marker, colour, name in (
        (found.sigma_us, -0.08 * step, "o", BLUE, "cycle to cycle"),
        (found.d2d_us, 0.08 * step, "^", ORANGE, "device to device"),
    ):
        v, below, above = (part[some] for part in values_of(estimates))
        ax.errorbar(g[some] + shift, v, yerr=[below, above], fmt=marker, ms=4.5, lw=1, capsize=2,
                    color=colour, label=name)  # fmt: skip
    x = np.linspace(g.min(), g.max(), 80)
    for law, style, colour in zip(laws or (), ("-", "--"), (BLUE, ORANGE), strict=False):
        ax.plot(x, law(x), style, color=colour, lw=1.1)
    if laws:
        ax.plot([], [], color=GREY, lw=1.1, label="lines: laws of the fitted model")
    ax.set(xlabel="conductance (µS)", ylabel="σ (µS)", title="Spread over conductance")
    ax.set_ylim(0, None)


def draw_kernels(ax: Axes, names: Sequence[str], of_limit: Sequence[float]) -> None:
    """The error of each kernel over its limit, as bars; ``names`` from the top."""
    place = np.arange(len(names))[::-1]
    shown = np.clip(of_limit, SMALLEST_BAR, None)
    colours = [BLUE if value <= 1 else ORANGE for value in of_limit]
    ax.barh(place, shown, left=0, height=0.55, color=colours)
    for y, value in zip(place, of_limit, strict=True):
        ax.text(max(value, SMALLEST_BAR) * 1.06, y, f"{value:.3g}", va="center", fontsize=9,
                bbox={"color": "white", "pad": 1.5})  # fmt: skip
    ax.axvline(1, color="black", lw=1, ls="--")
    ax.set_xscale("log")
    ax.set_xlim(SMALLEST_BAR / 2, max(2.0, 1.6 * max(shown)))
    ax.set_yticks(place, [plain_name(name) for name in names])
    ticks = [t for t in (0.01, 0.1, 1, 10, 100) if ax.get_xlim()[0] <= t <= ax.get_xlim()[1]]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.set(xlabel="error over its limit (left of the dashed line: carried)")


def draw_sigma_ratio(ax: Axes, devices: Population) -> None:
    """Distribution of σ over the devices, relative to the typical σ at the same conductance."""
    ratio = devices.sigma_ratio
    low, high = float(ratio.min()), float(ratio.max())
    number = int(np.clip(len(ratio) // 3, FEWEST_BINS, MOST_BINS))
    bins = np.geomspace(max(low, 0.02) / 1.05, max(high, 0.04) * 1.05, number + 1)
    ax.hist(ratio, bins=bins.tolist(), color=BLUE, alpha=0.7, label="devices")
    chance = devices.chance
    ax.axvspan(1 - chance, 1 + chance, color=ORANGE, alpha=0.25, lw=0,
               label="± 1 σ of chance, if all devices were alike")  # fmt: skip
    ax.set_xscale("log")
    marks = FINE_TICKS if bins[-1] < 2 * bins[0] else TICKS
    ticks = [t for t in marks if bins[0] <= t <= bins[-1]]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.set_xticks([], minor=True)
    ax.locator_params(axis="y", integer=True)
    ax.set(xlabel="cycle-to-cycle σ of a device / typical σ", ylabel="devices",
           title="Spread of single devices")  # fmt: skip


def draw_hrs(ax: Axes, devices: Population) -> None:
    """Cumulative distributions after RESET and after the lowest SET."""
    for values, colour, style, name in (
        (devices.hrs_us, ORANGE, "-", "after RESET"),
        (devices.mean_us[0], BLUE, "--", "after SET, lowest level (means of devices)"),
    ):
        known = np.sort(values[np.isfinite(values)])
        share = (np.arange(len(known)) + 0.5) / max(len(known), 1)
        ax.step(np.maximum(known, 0.05), 100 * share, where="mid", color=colour, ls=style, lw=1.5,
                label=name)  # fmt: skip
    ax.set_xscale("log")
    ax.set(xlabel="conductance (µS)", ylabel="devices and pulses below (%)",
           title="State after RESET", ylim=(0, 101))  # fmt: skip
    ax.set_yticks([0, 25, 50, 75, 100])
    low, high = ax.get_xlim()
    marks = DECADES if high > WIDE * low else NARROW
    ticks = [t for t in marks if low <= t <= high]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.xaxis.set_minor_formatter("")
