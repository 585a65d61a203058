"""Pictures of a finished run, from the files in its folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..runs.folder import (
    make_folder,
    read_policy_evaluation,
    read_result,
    read_trace,
    write_pictures,
)
from ..runs.outcome import RHAT_LIMIT, certain_first, wilson_interval
from ..runs.predict import Predictor
from .style import BLUE, COLOURS, GREEN, GREY, ORANGE, PURPLE, plain_name
from .surface import Surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..runs.trace import Trace

__all__ = [
    "BLUE", "COLOURS", "GREEN", "GREY", "ORANGE", "PURPLE", "draw_figures", "draw_log_posterior",
    "draw_referral", "draw_reliability", "draw_surface", "draw_wear", "draw_weights", "new_canvas",
    "new_figure", "new_panels", "write_report",
]  # fmt: skip

MAX_CHAINS = 4
Z_90 = 1.645
BINS = 10


def write_report(path: Path, folder: Path | None = None) -> tuple[dict[str, Any], list[Path]]:
    """Draw a run's pictures into ``folder`` (default: ``report`` in the run).

    Returns the run's result and the pictures' paths. Raises UsageError when the run is not
    complete, OhmcarloError when a picture cannot be written.
    """
    values, trace = read_result(path), read_trace(path)
    if "policy" in values:
        from .policy_report import draw_policy_figures

        figures = draw_policy_figures(values, trace, read_policy_evaluation(path))
    else:
        figures = draw_figures(values, trace, Predictor.of_run(path))
    folder = path / "report" if folder is None else folder
    make_folder(folder, "--plots")
    return values, write_pictures(folder, figures)


def draw_figures(values: dict[str, Any], trace: Trace, predictor: Predictor) -> dict[str, Figure]:
    """Every picture of a run, by name; nothing is written."""
    burn_in = int(values["burn_in"])
    held_out = predictor.evaluation
    labels, probability = held_out["labels"], held_out["probability"]
    positive = predictor.class_names[1]
    settled = values["rhat_max"] is not None and values["rhat_max"] <= RHAT_LIMIT
    drawings = {
        "log-posterior": lambda ax: draw_log_posterior(
            ax, trace.log_posterior_nat(), burn_in, values["rhat_max"]
        ),
        "weights": lambda ax: draw_weights(
            ax, predictor.weight_names, predictor.weights(), settled
        ),
        "reliability": lambda ax: draw_reliability(ax, labels, probability, positive),
        "referral": lambda ax: draw_referral(ax, labels, probability, held_out["variance"]),
        "wear": lambda ax: draw_wear(ax, held_out["wear"]),
    }
    figures = {}
    for name, draw in drawings.items():
        figures[name], ax = new_figure(tall=name == "weights" and len(predictor.weight_names) > 24)
        draw(ax)
    if held_out["inputs"].shape[1] == 2:
        figures |= draw_surface(predictor, held_out["inputs"], labels)
    return figures


def draw_surface(
    predictor: Predictor, inputs: NDArray[np.float64], labels: NDArray[np.integer[Any]]
) -> dict[str, Figure]:
    """What a model of two features says all over their plane, and where it does not know."""
    surface = Surface.of(predictor, inputs)
    boundary, ax = new_figure()
    surface.draw_boundary(ax, inputs, labels)
    uncertainty, axes = new_panels(1, 3, (13.0, 4.4))
    surface.draw_uncertainty(axes[0], inputs, labels)
    return {"boundary": boundary, "uncertainty": uncertainty}


def new_figure(tall: bool = False) -> tuple[Figure, Axes]:
    """An empty picture, twice as high if ``tall``."""
    figure = new_canvas((7.0, 8.8 if tall else 4.4))
    ax = figure.add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax


def new_panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, NDArray[Any]]:
    """Panels of one picture, ``size`` in inches: the axes are (rows, columns)."""
    figure = new_canvas(size)
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def new_canvas(size: tuple[float, float]) -> Figure:
    """A picture without panels, ``size`` in inches; no display is needed, pyplot is left alone.

    Raises UsageError, saying what to install, without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("pictures need matplotlib: pip install 'ohmcarlo[report]'") from error
    figure = Figure(figsize=size, dpi=140, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_log_posterior(ax: Axes, lp: NDArray[np.float64], burn_in: int, rhat: float | None) -> None:
    """Log-posterior of every chain's current sample: lp float64 (chains, steps), nat."""
    steps = np.arange(1, lp.shape[1] + 1)
    for chain, values in enumerate(lp[:MAX_CHAINS]):
        colour = COLOURS[chain % len(COLOURS)]
        ax.plot(steps, values, lw=0.7, color=colour, label=f"chain {chain}")
    if burn_in:
        ax.axvspan(0, burn_in, color=GREY, alpha=0.15, lw=0, label="left out (burn-in)")
    # the way up from the start may be hundreds of nat: show where the chain lives
    settled = lp[:, burn_in:]
    low, high = np.quantile(settled, [0.001, 1.0])
    ax.set_ylim(low - 0.3 * (high - low + 1), high + 0.15 * (high - low + 1))
    ax.set(xlabel="step", ylabel="log-posterior (nat, unnormalised)", xlim=(0, lp.shape[1]))
    judged = "too few steps for an R-hat" if rhat is None else f"worst split R-hat {rhat:.3f}"
    ax.set_title(f"Have the chains settled? ({judged}; should be below {RHAT_LIMIT})")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), fontsize=8, ncols=5, frameon=False)


def draw_weights(ax: Axes, names: list[str], weights: NDArray[np.float64], settled: bool) -> None:
    """Posterior of the weights: float64 (draws, weights); ``settled``: it may be believed."""
    low, middle, high = np.quantile(weights, [0.05, 0.5, 0.95], axis=0)
    inner_low, inner_high = np.quantile(weights, [0.25, 0.75], axis=0)
    rows = np.arange(len(names))[::-1]
    certain = (low > 0) | (high < 0)
    colours = [BLUE if c else GREY for c in certain]
    ax.hlines(rows, low, high, color=colours, lw=1.2)
    ax.hlines(rows, inner_low, inner_high, color=colours, lw=4)
    ax.scatter(middle, rows, color="white", edgecolor=colours, s=18, zorder=3)
    ax.axvline(0, color="black", lw=0.6)
    ax.set_yticks(rows, [plain_name(name) for name in names], fontsize=8 if len(names) <= 20 else 6)
    ax.set(xlabel="weight (standardised features): median, 50 % and 90 % interval")
    caution = "grey: the sign is not certain" if settled else "DO NOT TRUST: chains not settled"
    ax.set_title(f"What each feature counts for ({caution})")


def draw_reliability(
    ax: Axes,
    labels: NDArray[np.integer[Any]],
    probability: NDArray[np.float64],
    positive: str,
    repeats: float = 1.0,
) -> None:
    """Share of class 1 over the predicted probability, with 90 % intervals of the share.

    ``repeats``: how often a case is among the predictions; they then are not independent, and
    the intervals are those of so many times fewer.
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
    ax.set_title("Are the probabilities right? (numbers: held-out cases; bars: 90 % intervals)")
    ax.legend(loc="upper left", fontsize=8)


def draw_referral(
    ax: Axes,
    labels: NDArray[np.integer[Any]],
    probability: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> None:
    """Accuracy on what is answered over the share that is referred as too uncertain."""
    from matplotlib.ticker import PercentFormatter

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
    ax.set(
        xlabel="share of cases left to a person, the least certain first",
        ylabel="accuracy on the rest",
    )
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    ax.set_title("Does it know what it does not know? (held-out cases)")
    ax.legend(loc="best", fontsize=8)


def draw_wear(ax: Axes, wear: NDArray[np.int32]) -> None:
    """SET pulses of every device: int32 (rows, row_devices)."""
    unused = np.broadcast_to(wear.max(axis=0) == 0, wear.shape)
    shown = np.ma.masked_array(wear, unused)
    ax.set_facecolor("#e6e6e6")
    image = ax.imshow(shown, aspect="auto", cmap="viridis", interpolation="nearest", vmin=0)
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_label("SET pulses")
    used = wear[:, wear.max(axis=0) > 0]
    spread = f"{used.min():,} to {used.max():,}" if used.size else "none"
    ax.set(xlabel="device of the row (the coin's at the right end; grey: not in use)", ylabel="row")
    ax.set_title(f"Wear: pulses per device in use, {spread}")
