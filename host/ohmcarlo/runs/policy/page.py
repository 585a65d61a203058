"""The HTML page of a run that learnt a policy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...golden.cartpole import policy_weights
from ...golden.policy import Policy
from ...pages.charts import curve, histogram, intervals
from ...pages.charts_plane import plane
from ...pages.content import Chart, Headline, HtmlPage, Section, Table, Tone
from ...pages.layers import Axis, Layers
from ...pages.series import thinned
from ...pictures.policy import ANGLE_LIMIT_DEG, RATE_LIMIT
from ...spec import CODE_LSB_US
from ...spec.cartpole import EPISODE_STEPS, INPUT_NAMES
from ..sections.chains import Chains, chains_section
from ..sections.marks import caution, marked, sentence
from ..sections.marks import mark as mark_of
from ..sections.page import numbers_section, shared_sections, title_of
from ..stored import read_evaluation, read_trace
from ..summary import left_out
from ..trace import Trace
from ..verdict import Verdict, judge
from .gymnasium_episodes import TEST_SEED, environment, episode
from .result import check_evaluation
from .rows import policy_rows, policy_warnings

FloatArray = NDArray[np.float64]
MODEL = "a linear policy, sampled"
SOLVED = 475.0
"""Mean return from which on CartPole-v1 is solved: its ``reward_threshold`` in Gymnasium."""
GRID = 60  # places of each axis of a plane
MOST_DRAWS = 20_000  # of the weights
INTERVAL_S = 0.02  # of a step
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def policy_page(path: Path, values: Mapping[str, Any]) -> HtmlPage:
    """The page of the complete run in ``path``, whose result has the ``values``."""
    found, trace = read_evaluation(path, check_evaluation), read_trace(path)
    burn_in, judgement = left_out(values), judge(values)
    policy = Policy.of(*trace.after(burn_in))
    sections = (
        numbers_section(policy_rows(values), [], judgement),
        _learning(values, found, trace),
        _tests(values, found["tested"]),
        _weights(values, policy, judgement.verdict),
        _actions(policy, int(values["seed"]), judgement.verdict),
        chains_section(_chains_of(trace, burn_in)),
        *shared_sections(path, values, found["wear"]),
    )
    return HtmlPage(
        title=title_of(values, MODEL),
        subtitle=str(path),
        headline=headline_of(values),
        sections=sections,
    )


def headline_of(values: Mapping[str, Any]) -> Headline:
    """Whether the policy balances the pole. The run is a search, so that its test counts, and not
    the agreement of its chains."""
    test, training = values["test"], values["training"]
    solved = test["mean_return"] >= SOLVED
    first = training["episodes_to_full_return"]
    sentences = [
        f"The policy balances the pole for {test['mean_return']:.0f} of {EPISODE_STEPS} steps on "
        f"average, over {test['episodes']} episodes that it was not trained on. In "
        f"{test['full']:.0%} of them, the pole did not fall.",
        f"It learnt from {training['episodes']:,} episodes"
        + (
            f". The first policy whose pole never fell appeared after {first:,} of them."
            if first
            else "."
        ),
        *(sentence(text) for text in policy_warnings(values)),
    ]
    if not values["accepted"]:
        return Headline(Tone.BAD, "not learnt", tuple(sentences))
    if solved:
        return Headline(Tone.GOOD, "solved", tuple(sentences))
    if first:  # otherwise, a warning has the advice
        sentences.append("Increase --steps, or try another --seed.")
    return Headline(Tone.CAUTION, "not solved", tuple(sentences))


# -- learning and test ---------------------------------------------------------------------------


def _learning(
    values: Mapping[str, Any], found: Mapping[str, NDArray[Any]], trace: Trace
) -> Section:
    """Return of the current sample of each chain over the training episodes."""
    means = found["returns"].mean(axis=1)[trace.draws()]
    labels = [f"chain {c}" for c in range(trace.chains)]
    y = Axis("return of the current sample (steps)", domain=(0, 1.04 * EPISODE_STEPS))
    layers = Layers(Axis("training episodes, all chains together"), y, labels)
    layers.limit(y=float(EPISODE_STEPS))
    rows = []
    for c, label in enumerate(labels):
        played = found["played"][trace.chain == c][: trace.steps]
        places, kept = thinned(means[c])
        layers.curve(label, played[places], kept, steps=True)
        rows.append((label, f"{means[c][0]:.1f}", f"{means[c].max():.1f}", f"{means[c][-1]:.1f}"))
    training = values["training"]
    return Section(
        "learning",
        "Learning",
        sentences=(
            f"Each proposal plays {training['episodes_of_a_policy']} episodes with the same start "
            "states, and the chain keeps or rejects it by its return.",
        ),
        charts=(
            layers.chart(
                "return-over-episodes",
                "Return in training",
                f"The mean return is {training['first_return']:.1f} steps at first and "
                f"{training['mean_return_after_burn_in']:.1f} after the burn-in. The dashed line "
                f"is the length of an episode in which the pole does not fall ({EPISODE_STEPS} "
                "steps).",
                Table(("", "first", "highest", "last"), tuple(rows)),
            ),
        ),
    )


def _tests(values: Mapping[str, Any], tested: NDArray[np.int64]) -> Section:
    test = values["test"]
    return Section(
        "test",
        "Test",
        sentences=(
            f"The policy plays {test['episodes']} episodes of Gymnasium's CartPole-v1 with start "
            "states that differ from those of the training.",
        ),
        charts=(
            histogram(
                "returns-in-test",
                "Returns of the test episodes",
                f"The mean is {test['mean_return']:.1f} ± {test['sd']:.1f} steps, the lowest "
                f"{test['least']}. In {test['full']:.0%} of the episodes, the pole did not fall.",
                {"test episodes": tested},
                axis="steps until the pole falls (500: it does not)",
                bins=np.linspace(0, EPISODE_STEPS, 26),
                y_axis="episodes",
            ),
        ),
    )


# -- the policy ----------------------------------------------------------------------------------


def _weights(values: Mapping[str, Any], policy: Policy, verdict: Verdict) -> Section:
    """Intervals of the weights' directions, and the weights that act."""
    length = np.maximum(np.linalg.norm(policy.weights, axis=1, keepdims=True), 1e-9)
    every = np.repeat(policy.weights / length, policy.counts, axis=0)
    draws = every[np.unique(np.linspace(0, len(every) - 1, MOST_DRAWS).astype(int))]
    low, inner_low, middle, inner_high, high = np.quantile(draws, QUANTILES, axis=0)
    largest = int(np.abs(middle).argmax())
    weights = values["policy"]["weights_us"]
    return Section(
        "weights",
        "Weights of the policy",
        sentences=(
            *caution(verdict, "the intervals", weights=True),
            "The policy pushes the cart to the right if the weighted sum of its state is positive, "
            "so only the direction of the weight vector matters. The chart shows samples scaled "
            "to length 1. The table shows the mean weights, which the policy uses.",
        ),
        charts=(
            intervals(
                "policy-weights",
                marked("Direction of the weights, 50 % and 90 %", mark_of(verdict, weights=True)),
                f"The largest weight is that of {INPUT_NAMES[largest]}: {middle[largest]:.2f} "
                f"(90 % interval {low[largest]:.2f} to {high[largest]:.2f}).",
                list(INPUT_NAMES),
                low,
                middle,
                high,
                axis="weight (samples of length 1)",
                inner=(inner_low, inner_high),
                what="90 % interval",
            ),
        ),
        tables=(
            Table(
                ("input", "mean weight (µS)"),
                tuple((name, f"{weight:+.2f}") for name, weight in weights.items()),
                f"Rule: {values['policy']['rule']}.",
            ),
        ),
    )


def _actions(policy: Policy, seed: int, verdict: Verdict) -> Section:
    """Actions over the state, and the states of one episode."""
    angle = np.linspace(-ANGLE_LIMIT_DEG, ANGLE_LIMIT_DEG, GRID)
    rate = np.linspace(-RATE_LIMIT, RATE_LIMIT, GRID)
    grid = np.zeros((GRID, GRID, 4))
    grid[..., 2], grid[..., 3] = np.deg2rad(angle), rate[:, None]
    states = grid.reshape(-1, 4)
    share = policy.agreement(states).reshape(GRID, GRID)
    right = policy.pushes_right(states).reshape(GRID, GRID)
    played, sentences, charts = _episode(policy, seed)
    points = {} if played is None else {
        "states of one episode": np.stack([np.rad2deg(played[:, 2]), played[:, 3]], axis=1)
    }  # fmt: skip
    sure = float(((share < 0.05) | (share > 0.95)).mean())
    actions = plane(
        "actions",
        marked("Actions: share of the samples that push to the right", mark_of(verdict)),
        f"The cart is at rest at the centre. In {sure:.0%} of these states, 95 % of the samples "
        "agree on the action. The dotted line is the decision boundary of the mean weights.",
        (angle, rate),
        share,
        axis="share that pushes to the right",
        names=("angle of the pole (degrees)", "angular speed (rad/s)"),
        points=points,
        line=_boundary(angle, rate, right),
        scheme="purpleorange",
    )
    return Section("actions-of-the-policy", "What the policy does", sentences, [],
                   (actions, *charts))  # fmt: skip


def _boundary(x: FloatArray, y: FloatArray, right: NDArray[np.bool_]) -> FloatArray:
    """Places (n, 2) between neighbours of the grid with different actions."""
    j, i = np.nonzero(right[:, :-1] != right[:, 1:])
    across = np.stack([(x[i] + x[i + 1]) / 2, y[j]], axis=1)
    j, i = np.nonzero(right[:-1] != right[1:])
    return np.concatenate([across, np.stack([x[i], (y[j] + y[j + 1]) / 2], axis=1)])


def _episode(
    policy: Policy, seed: int
) -> tuple[FloatArray | None, tuple[str, ...], tuple[Chart, ...]]:
    """States (steps + 1, 4) of one episode, sentences and charts about it; None without
    Gymnasium."""
    try:
        world = environment()
    except UsageError as error:
        return None, (f"The states of an episode are not shown: {error}.",), ()
    states = episode(policy, world, TEST_SEED + seed)
    world.close()
    time = INTERVAL_S * np.arange(len(states))
    position, angle = states[:, 0], np.rad2deg(states[:, 2])
    charts = tuple(
        curve(name, title, f"The {what} stays between {v.min():.2f} and {v.max():.2f} {unit}.",
              time, {what: v}, x_axis="time (s)", y_axis=f"{what} ({unit})")
        for name, title, what, v, unit in (
            ("cart-position", "Position of the cart", "position", position, "m"),
            ("pole-angle", "Angle of the pole", "angle", angle, "degrees"),
        )
    )  # fmt: skip
    steps = len(states) - 1
    text = f"In one episode in Gymnasium, the pole stayed up for {steps} of {EPISODE_STEPS} steps."
    return states, (text,), charts


def _chains_of(trace: Trace, burn_in: int) -> Chains:
    weights = (CODE_LSB_US * policy_weights(trace.codes)).astype(np.float32)
    draws = weights[trace.draws()[:, burn_in:]]
    return Chains(list(INPUT_NAMES), draws, trace.log_posterior_nat(), burn_in, trace.every)
