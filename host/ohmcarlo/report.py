"""Pictures of a finished run, from the files in its folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import OhmcarloError, UsageError
from .prediction import Predictor
from .results import RHAT_LIMIT, certain_first, wilson_interval
from .runs import atomic, explain, read_result, read_trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .trace import Trace

MAX_CHAINS = 4
# Okabe and Ito's colours, which colour-blind people tell apart, and grey
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a8a8a"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
Z_90 = 1.645
BINS = 10
GRID = 120


def write_report(path: Path, folder: Path | None = None) -> tuple[dict[str, Any], list[Path]]:
    """Draw a run's pictures into ``folder`` (default: ``report`` in the run).

    Returns the run's result and the pictures' paths. Raises UsageError when the run is not
    complete, OhmcarloError when a picture cannot be written.
    """
    values, trace = read_result(path), read_trace(path)
    predictor = Predictor.of_run(path)
    figures = draw_figures(values, trace, predictor)
    folder = path / "report" if folder is None else folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OhmcarloError(f"{explain(error, folder)}: choose another --plots") from error
    pictures = []
    for name, figure in figures.items():
        picture = folder / f"{name}.png"
        with atomic(picture) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": "ohmcarlo"})
        pictures.append(picture)
    return values, pictures


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
    if held_out["inputs"].shape[1] == 2:
        drawings["boundary"] = lambda ax: draw_boundary(ax, predictor, held_out["inputs"], labels)
    figures = {}
    for name, draw in drawings.items():
        figures[name], ax = new_figure(tall=name == "weights" and len(predictor.weight_names) > 24)
        draw(ax)
    return figures


def new_figure(tall: bool = False) -> tuple[Figure, Axes]:
    """An empty picture, twice as high if ``tall``; no display is needed, pyplot is left alone."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("pictures need matplotlib: pip install 'ohmcarlo[report]'") from error
    figure = Figure(figsize=(7.0, 8.8 if tall else 4.4), dpi=140, layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax


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
    ax.set_yticks(rows, [_plain(name) for name in names], fontsize=8 if len(names) <= 20 else 6)
    ax.set(xlabel="weight (standardised features): median, 50 % and 90 % interval")
    caution = "grey: the sign is not certain" if settled else "DO NOT TRUST: chains not settled"
    ax.set_title(f"What each feature counts for ({caution})")


def draw_reliability(
    ax: Axes, labels: NDArray[np.integer[Any]], probability: NDArray[np.float64], positive: str
) -> None:
    """Share of class 1 over the predicted probability, with 90 % intervals of the share."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    ax.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls="--", label="perfectly calibrated")
    centres, shares, errors, sizes = [], [], [], []
    for b in range(BINS):
        inside = bins == b
        n = int(inside.sum())
        if not n:
            continue
        share = float(labels[inside].mean())
        low, high = wilson_interval(share, n, Z_90)
        centres.append(float(probability[inside].mean()))
        shares.append(share)
        errors.append((share - low, high - share))
        sizes.append(n)
    ax.errorbar(centres, shares, yerr=np.array(errors).T, fmt="o", color=BLUE, capsize=3, lw=1)
    for x, y, n in zip(centres, shares, sizes, strict=True):
        ax.annotate(f"{n}", (x, y), textcoords="offset points", xytext=(5, 5), fontsize=7)
    ax.set(
        xlabel=f"predicted probability of {_plain(positive)}",
        ylabel=f"share that is {_plain(positive)}",
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


def _plain(name: str) -> str:
    """A name as it is: a dollar sign would begin a formula."""
    return name.replace("$", r"\$")


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


def draw_boundary(
    ax: Axes,
    predictor: Predictor,
    inputs: NDArray[np.float64],
    labels: NDArray[np.integer[Any]],
) -> None:
    """Decision boundary of a two-feature model with its uncertainty; points are held-out."""
    positive = _plain(predictor.class_names[1])
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    margin = 0.15 * (high - low)
    axes = [np.linspace(low[i] - margin[i], high[i] + margin[i], GRID) for i in range(2)]
    grid = np.stack([g.ravel() for g in np.meshgrid(*axes)], axis=1)
    probability, variance = predictor.predict(grid)
    shape = (GRID, GRID)
    spread = np.sqrt(variance).reshape(shape)
    image = ax.contourf(*axes, spread, levels=12, cmap="Purples")
    ax.figure.colorbar(image, ax=ax).set_label("posterior spread of the probability")
    lines = ax.contour(
        *axes,
        probability.reshape(shape),
        levels=[0.1, 0.5, 0.9],
        colors="black",
        linewidths=[0.7, 1.6, 0.7],
        linestyles=["--", "-", "--"],
    )
    ax.clabel(lines, fontsize=7)
    for value, colour in ((0, BLUE), (1, ORANGE)):
        x, y = inputs[labels == value].T
        name = _plain(predictor.class_names[value])
        ax.scatter(x, y, s=9, color=colour, edgecolor="white", lw=0.3, label=name)
    first, second = (_plain(name) for name in predictor.feature_names)
    ax.set(xlabel=first, ylabel=second)
    ax.set_title(f"Probability of {positive} (lines) and where it is uncertain (colour)")
    ax.legend(loc="upper right", fontsize=8)
