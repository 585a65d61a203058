"""Pictures of devices: programming, spread, shape, memory, noise, age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..array.characterize.estimates import Estimate, Estimates
from .canvas import new_panels
from .style import BLUE, GREEN, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXIS = {"µS": "target (µS)", "V": "gate voltage (V)"}


def values_of(estimates: Sequence[Estimate]) -> tuple[Any, Any, Any]:
    """Values and the lengths of their error bars, 0 without an interval."""
    v = np.array([e.value for e in estimates])
    low = np.array([e.value if e.low is None else e.low for e in estimates])
    high = np.array([e.value if e.high is None else e.high for e in estimates])
    return v, np.maximum(v - low, 0), np.maximum(high - v, 0)


def draw_programming(ax: Axes, found: Estimates, colour: str = BLUE, name: str = "") -> None:
    """Conductance over the programming level, with c2c and d2d bands of ± 1 σ."""
    mean, sigma, d2d = (values_of(e)[0] for e in (found.mean_us, found.sigma_us, found.d2d_us))
    x = found.levels
    both = np.hypot(sigma, d2d)
    ax.fill_between(x, mean - both, mean + both, color=colour, alpha=0.13, lw=0,
                    label=f"{name}± 1 σ, cycles and devices")  # fmt: skip
    ax.fill_between(x, mean - sigma, mean + sigma, color=colour, alpha=0.25, lw=0,
                    label=f"{name}± 1 σ, cycle to cycle")  # fmt: skip
    ax.plot(x, mean, color=colour, lw=1.6, label=f"{name}mean")
    ax.set(xlabel=AXIS[found.unit], ylabel="conductance (µS)", title="Programming")


def draw_sigma(
    ax: Axes, found: Estimates, colour: str = BLUE, name: str = "", line: bool = True
) -> None:
    """Both spreads over the conductance, with intervals, and the fitted law."""
    g = values_of(found.mean_us)[0]
    some = slice(None, None, 1 + len(g) // 12)  # more bars would overlap
    for estimates, marker, label in (
        (found.sigma_us, "o", "cycle to cycle"),
        (found.d2d_us, "^", "device to device"),
    ):
        v, below, above = (part[some] for part in values_of(estimates))
        ax.errorbar(g[some], v, yerr=[below, above], fmt=marker, ms=4, lw=0.9, capsize=2,
                    color=colour, mfc=colour if marker == "o" else "white",
                    label=f"{name}{label}")  # fmt: skip
    if line:
        a, b = (found.constants[k].value for k in ("c2c_intercept_us", "c2c_slope"))
        x = np.linspace(g.min(), g.max(), 50)
        ax.plot(x, a - b * x, color=colour, lw=1, label=f"{name}{a:.2f} - {b:.3f} g")
    ax.set(xlabel="conductance g (µS)", ylabel="σ (µS)", title="Spread")
    ax.set_ylim(0, None)


def draw_correlation(ax: Axes, found: Estimates, colour: str = BLUE, name: str = "") -> None:
    """Correlation of a device's deviations over the lag, measured and fitted."""
    ax.fill_between(found.lags, found.correlation_low, found.correlation_high, color=colour,
                    alpha=0.2, lw=0)  # fmt: skip
    ax.plot(found.lags, found.correlation, "o", ms=3.5, color=colour, label=f"{name}measured")
    share, memory = found.constants["slow_share"], found.constants.get("memory")
    if memory is not None:  # the cycles are enough to determine it
        ax.plot(found.lags, found.correlation_model, color=colour, lw=1.2,
                label=f"{name}fit {share.value:.3f} exp(-lag/{memory.value:.0f}), "
                      "means taken off")  # fmt: skip
    ax.axhline(0, color="black", lw=0.6)
    ax.set(xlabel="lag (pulses of a device)", ylabel="correlation", title="Memory of a device")


def draw_read_noise(ax: Axes, found: Estimates, colour: str = BLUE, name: str = "") -> None:
    """Noise of one read over the conductance, % of g."""
    g = values_of(found.mean_us)[0]
    v, below, above = (100 * part for part in values_of(found.read_noise))
    ax.errorbar(g, v, yerr=[below, above], fmt="o", ms=4, capsize=2, color=colour, label=name)
    ax.set(xlabel="conductance g (µS)", ylabel="σ of a read (% of g)", title="Read noise")
    ax.set_ylim(0, max(0.1, 1.6 * float(np.max(v + above))))


def draw_quantiles(ax: Axes, shapes: Mapping[str, Mapping[str, ArrayLike]]) -> None:
    """Quantiles of standardised deviations against a normal distribution's.

    ``shapes``: name → {"normal": quantiles, "g": of g, "ln g": of its logarithm}.
    """
    for (name, shape), colour in zip(shapes.items(), (ORANGE, BLUE), strict=False):
        normal = np.asarray(shape["normal"])
        for key, marker in (("g", "o"), ("ln g", "x")):
            ax.plot(normal, np.asarray(shape[key]), marker, ms=4, color=colour, mfc="none",
                    label=f"{name}, {key}")  # fmt: skip
    ax.plot([-3, 3], [-3, 3], color=GREY, lw=1, ls="--")
    ax.set(xlabel="quantile of a normal distribution", ylabel="measured quantile", title="Shape")
    ax.set(xlim=(-3.2, 3.2), ylim=(-4.6, 3.4))


def draw_ages(ax: Axes, ages: Sequence[Mapping[str, Any]]) -> None:
    """Median, spread and stuck share over the cycles, relative to the first age."""
    x = np.arange(len(ages))
    for key, colour, label in (
        ("median_gain", BLUE, "median"),
        ("sigma_gain", ORANGE, "cycle-to-cycle σ"),
    ):
        v, low, high = (np.array([a[key][i] for a in ages]) for i in range(3))
        ax.errorbar(x, v, yerr=[np.maximum(v - low, 0), np.maximum(high - v, 0)], fmt="o-", ms=4,
                    capsize=3, color=colour, label=f"{label}, × fresh")  # fmt: skip
    stuck = np.array([100 * a["stuck"][0] for a in ages])
    ax.plot(x, stuck, "s:", ms=4, color=GREEN, label="stuck devices (%)")
    ax.set_xticks(x, [age_label(a["cycles"]) for a in ages])
    ax.set(xlabel="endurance cycles", title="Age", ylim=(0, None))


def age_label(cycles: float) -> str:
    """``fresh``, or a power of ten."""
    return "fresh" if not cycles else f"$10^{{{np.log10(cycles):.0f}}}$"


def characterization_pictures(
    found: Estimates, ages: Sequence[Mapping[str, Any]]
) -> dict[str, Figure]:
    """All panels for one array, in one picture."""
    draws = [draw_programming, draw_sigma, draw_correlation]
    draws += [draw_read_noise] if found.read_noise else []
    panels = len(draws) + bool(ages)
    columns = min(3, panels)
    rows = -(-panels // columns)
    figure, axes = new_panels(rows, columns, (4.6 * columns, 3.8 * rows))
    flat = list(axes.flat)
    for ax, draw in zip(flat, draws, strict=False):
        draw(ax, found)
    if ages:
        draw_ages(flat[len(draws)], ages)
    for ax in flat[panels:]:
        ax.remove()
    for ax in flat[:panels]:
        if ax.get_legend_handles_labels()[0]:
            ax.legend(fontsize=7, frameon=False)
    return {"characterization": figure}
