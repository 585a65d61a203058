"""Pictures of a policy: learning, weights, actions, returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..golden.policy import Float, Policy
from ..spec.cartpole import EPISODE_STEPS, INPUT_NAMES
from .style import BLUE, GREEN, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

GRID = 161
ANGLE_LIMIT_DEG, RATE_LIMIT = 12.0, 3.0
DARK = "#222222"


def draw_learning(
    ax: Axes, episodes: Sequence[NDArray[np.int64]], returns: Sequence[Float]
) -> None:
    """Return of the current sample (n,) over training episodes (n,), one line per chain."""
    many = len(returns) > 1
    for x, y in zip(episodes, returns, strict=True):
        ax.step(
            x, y, where="post", color=BLUE, lw=0.8 if many else 1.2, alpha=0.35 if many else 1.0
        )
    if many:
        grid = np.arange(min(x[0] for x in episodes), max(x[-1] for x in episodes) + 1)
        # a run keeps its first value before its first step, and its last value after its last
        lines = [
            y[np.clip(np.searchsorted(x, grid, side="right") - 1, 0, None)]
            for x, y in zip(episodes, returns, strict=True)
        ]
        ax.plot(grid, np.median(lines, axis=0), color=ORANGE, lw=2.5, label="median")
        ax.plot([], [], color=BLUE, lw=0.8, label=f"each of {len(returns)} seeds")
        ax.legend(loc="lower right", fontsize=8, frameon=False)
    ax.axhline(EPISODE_STEPS, color=GREY, lw=0.8, ls=":")
    ax.set(xlabel="training episodes", ylabel="return of the current sample")
    ax.set_xlim(0, max(x[-1] for x in episodes))
    ax.set_ylim(0, 1.04 * EPISODE_STEPS)


def draw_policy_weights(ax: Axes, samples: Sequence[Policy]) -> None:
    """Posterior of the weights, 5 to 95 % and median, one line per run.

    Only the direction matters: each sample is scaled to length 1.
    """
    width = 0.7 / len(samples)
    for run, policy in enumerate(samples):
        length = np.maximum(np.linalg.norm(policy.weights, axis=1, keepdims=True), 1e-9)
        draws = np.repeat(policy.weights / length, policy.counts, axis=0)
        low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95], axis=0)
        at = np.arange(len(INPUT_NAMES)) + (run - (len(samples) - 1) / 2) * width
        thick = max(1.2, 6 / len(samples))
        ax.vlines(at, low, high, color=BLUE, lw=thick, alpha=0.75)
        ax.scatter(at, middle, s=7 if len(samples) > 1 else 22, color=ORANGE, zorder=3, lw=0)
    ax.axhline(0, color=DARK, lw=0.6)
    ax.set_xticks(range(len(INPUT_NAMES)), INPUT_NAMES)
    ax.tick_params(axis="x", length=0)
    ax.set(ylabel="weight (samples of length 1)")


def draw_action_map(ax: Axes, policy: Policy, path: Float | None = None) -> AxesImage:
    """Share of the samples that push to the right, over angle and angular speed, for a cart at rest
    in the middle. The line is the decision boundary of the mean; ``path``: states of an episode."""
    angles = np.linspace(-ANGLE_LIMIT_DEG, ANGLE_LIMIT_DEG, GRID)
    rates = np.linspace(-RATE_LIMIT, RATE_LIMIT, GRID)
    grid = np.zeros((GRID, GRID, 4))
    grid[..., 2], grid[..., 3] = np.deg2rad(angles), rates[:, None]
    states = grid.reshape(-1, 4)
    share = policy.agreement(states).reshape(GRID, GRID)
    image = ax.imshow(
        share,
        origin="lower",
        extent=(-ANGLE_LIMIT_DEG, ANGLE_LIMIT_DEG, -RATE_LIMIT, RATE_LIMIT),
        aspect="auto",
        cmap="PuOr_r",
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    decision = policy.pushes_right(states).reshape(GRID, GRID).astype(float)
    ax.contour(angles, rates, decision, levels=[0.5], colors=DARK, linewidths=1.6)
    if path is not None:
        ax.plot(np.rad2deg(path[:, 2]), path[:, 3], color=GREEN, lw=1.0)
    ax.set(xlabel="angle of the pole (degrees)", ylabel="angular speed (rad/s)")
    ax.set(xlim=(-ANGLE_LIMIT_DEG, ANGLE_LIMIT_DEG), ylim=(-RATE_LIMIT, RATE_LIMIT))
    return image


def draw_returns(
    ax: Axes,
    returns: Sequence[NDArray[np.int64]],
    names: Sequence[str],
    untaught: Sequence[NDArray[np.int64]] = (),
) -> None:
    """Returns of test episodes: a row of dots with its mean for each of ``names``, and below it
    those of policies before training."""
    rng = np.random.default_rng(0)  # spreads overlapping dots
    shift = 0.22 if untaught else 0.0
    for rows, offset, colour in ((returns, shift, BLUE), (untaught, -shift, GREY)):
        for row, values in enumerate(rows):
            at = len(returns) - 1 - row + offset
            height = at + rng.uniform(-0.16, 0.16, len(values))
            ax.scatter(values, height, s=6, color=colour, alpha=0.25, lw=0)
            ax.scatter(values.mean(), at, marker="|", s=260, color=ORANGE, lw=2.2, zorder=3)
    if untaught:
        for colour, label in ((BLUE, "after training"), (GREY, "first sample")):
            ax.scatter([], [], s=16, color=colour, label=label)
        ax.scatter([], [], marker="|", s=80, color=ORANGE, lw=2.2, label="mean")
        ax.legend(loc="upper left", fontsize=8, frameon=False, ncols=3)
        ax.set_ylim(-0.6, len(returns) - 0.25)
    ax.set_yticks(range(len(returns) - 1, -1, -1), names)
    ax.set(xlabel="steps until the pole falls (500: it does not)", xlim=(0, 1.03 * EPISODE_STEPS))
