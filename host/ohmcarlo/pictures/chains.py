"""Pictures of chains and of the array that held them: log-posterior, weights, wear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..diagnostics import RHAT_LIMIT
from .style import BLUE, COLOURS, GREY, plain_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_CHAINS = 4
MANY_WEIGHTS = 24  # more need a tall picture


def draw_log_posterior(
    ax: Axes, lp: NDArray[np.float64], burn_in: int, rhat: float | None, every: int = 1
) -> None:
    """Log-posterior of every chain's current sample: lp float64 (chains, steps), nat.

    The first ``burn_in`` of its steps are left out; ``every`` is their distance in the chain.
    """
    steps = every * np.arange(1, lp.shape[1] + 1)
    for chain, values in enumerate(lp[:MAX_CHAINS]):
        colour = COLOURS[chain % len(COLOURS)]
        ax.plot(steps, values, lw=0.7, color=colour, label=f"chain {chain}")
    if burn_in:
        ax.axvspan(0, every * burn_in, color=GREY, alpha=0.15, lw=0, label="left out (burn-in)")
    # the first steps may rise by hundreds of nat, so the axis shows the settled range
    settled = lp[:, burn_in:]
    low, high = np.quantile(settled, [0.001, 1.0])
    ax.set_ylim(low - 0.3 * (high - low + 1), high + 0.15 * (high - low + 1))
    ax.set(xlabel="step", ylabel="log-posterior (nat, unnormalised)", xlim=(0, steps[-1]))
    judged = "too few steps for an R-hat" if rhat is None else f"worst split R-hat {rhat:.3f}"
    ax.set_title(f"Log-posterior of the chains ({judged}; should be below {RHAT_LIMIT})")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), fontsize=8, ncols=5, frameon=False)


def draw_weights(ax: Axes, names: list[str], weights: NDArray[np.float64], caution: str) -> None:
    """Posterior of the weights: float64 (draws, weights); ``caution`` is empty if it is settled."""
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
    ax.set_title(f"Posterior of the weights ({caution or 'grey: the sign is not certain'})")


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
    ax.set(xlabel="device of the row (right end: entropy devices; grey: not in use)", ylabel="row")
    ax.set_title(f"Wear: pulses per device in use, {spread}")
