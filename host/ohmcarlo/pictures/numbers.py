"""Pictures of predicted numbers on held-out data: predictions with intervals, and residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .style import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]


def draw_predictions(
    ax: Axes, truth: FloatArray, mean: FloatArray, low: FloatArray, high: FloatArray
) -> None:
    """Predictions with their 95 % intervals over the true labels, (n,) each."""
    inside = (low <= truth) & (truth <= high)
    for chosen, colour, name in ((inside, BLUE, "inside"), (~inside, ORANGE, "outside")):
        ax.vlines(truth[chosen], low[chosen], high[chosen], color=colour, lw=0.6, alpha=0.5)
        label = f"label {name} the interval: {int(chosen.sum())}"
        ax.scatter(truth[chosen], mean[chosen], color=colour, s=10, zorder=3, label=label)
    ends = [float(truth.min()), float(truth.max())]
    ax.plot(ends, ends, color=GREY, lw=0.8, ls="--", label="prediction = label")
    ax.set(xlabel="label of a held-out case", ylabel="prediction, 95 % interval")
    ax.set_title(f"Predictions ({inside.mean():.1%} of the labels are inside)")
    ax.legend(loc="best", fontsize=8)


def draw_residuals(ax: Axes, mean: FloatArray, residual: FloatArray, noise: float) -> None:
    """Residuals over the predictions, (n,) each, beside the noise that the model found."""
    ax.axhspan(-noise, noise, color=GREY, alpha=0.15, lw=0, label="± noise of the model")
    ax.axhline(0, color=GREY, lw=0.8)
    ax.scatter(mean, residual, color=BLUE, s=10)
    within = float((np.abs(residual) <= noise).mean())
    ax.set(xlabel="prediction", ylabel="label - prediction")
    ax.set_title(f"Residuals ({within:.0%} within ± noise; 68 % if the noise is normal)")
    ax.legend(loc="best", fontsize=8)
