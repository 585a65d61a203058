"""Figure 6: a policy for cartpole, found by sampling.

Every proposal of a run is evaluated on the same four episodes: 299 steps and the first sample make
1,200 training episodes. The tested policy has the mean weights of the samples after burn-in. This
rule was chosen on seeds from 100 on, which are not reported. The settings are those of
``ohmcarlo train cartpole`` on every array.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..array.emulated import EmulatedArray
from ..array.physics import PhysicsArray
from ..errors import UsageError
from ..golden.policy import Policy
from ..pictures.canvas import new_canvas
from ..pictures.policy import draw_action_map, draw_learning, draw_policy_weights, draw_returns
from ..runs.arrays import recorded_cells
from ..runs.config import TrainConfig
from ..runs.policy.gymnasium_episodes import environment, episode, gymnasium_returns
from ..runs.trace import Trace
from ..runs.train import train_policy
from ..spec.cartpole import EPISODE_STEPS
from ..tasks import CARTPOLE, get_task
from .base import Bench, Cell, Figure, Goal, Table
from .cartpole_video import testing_video, training_video

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

EMULATOR, PHYSICS, MEASURED = "emulated array", "physics model", "50 recorded cells"
GOAL, GOAL_SHARE, GOAL_EPISODES = 475.0, 0.95, 1200
SHOWN_SEED = 0  # of the runs in the map and in the videos


def run(name: str, array: str, seed: int) -> Cell:
    """One training and its test; ``name`` is the name of ``array`` in the table."""
    config = TrainConfig(CARTPOLE, array=array, seed=seed, steps=get_task(CARTPOLE).steps)
    with warnings.catch_warnings():
        # the physics model warns once per run about devices outside their sourced range
        warnings.simplefilter("ignore")
        result = train_policy(config)
    trace, values = result.trace, result.values
    return {
        "array": name,
        "seed": seed,
        "played": result.played.tolist(),
        "returns": result.returns.mean(axis=1)[trace.draws()[0]].tolist(),
        "sample": trace.draws()[0].tolist(),
        "weights": result.policy.weights.astype(int).tolist(),
        "counts": result.policy.counts.tolist(),
        "codes": trace.codes.tolist() if seed == SHOWN_SEED else [],
        "tested": result.tested.tolist(),
        "untaught": gymnasium_returns(_first(trace), seed).tolist(),
        **{
            key: values[key] for key in ("training", "test", "policy", "acceptance_rate", "burn_in")
        },
        **{key: values[key] for key in ("gamma_us", "trimmed", "energy_joules", "pulses")},
        "retired_rows": len(values["retired_rows"]),
        "status": values["status"],
    }


def _first(trace: Trace) -> Policy:
    """The first sample, before any training."""
    return Policy.of(trace.codes[:1], np.ones(1, np.int64))


def make(bench: Bench) -> Figure:
    """Twenty trainings on each array, their pictures and two videos."""
    environment().close()
    arrays, notes = {EMULATOR: EmulatedArray.name, PHYSICS: PhysicsArray.name}, []
    try:
        arrays[MEASURED] = recorded_cells()
    except UsageError as error:
        notes.append(f"without recorded cells: {error}")
    cells = [
        {"name": name, "array": array, "seed": seed}
        for name, array in arrays.items()
        for seed in range(bench.seeds)
    ]
    found = bench.map("cartpole", run, cells)
    by_array = {name: [c for c in found if c["array"] == name] for name in arrays}
    bench.say("videos ...")
    shown = by_array[EMULATOR][SHOWN_SEED]
    return Figure(
        title="Cartpole: a policy found by sampling, 1,200 training episodes",
        tables=[_table(name, cells) for name, cells in by_array.items()],
        pictures={"fig6": _picture(by_array), "actions": _map_picture(by_array)},
        values={"cells": [_kept(c) for c in found], "goal": GOAL, "seeds": bench.seeds},
        files={"training.gif": training_video(shown), "testing.gif": testing_video(shown)},
        notes=[
            "Training: fixed-point episodes, the same four start states in every step of a run. "
            "Test: Gymnasium's CartPole-v1 in floating point, 100 other start states.",
            f"Tested policy: {found[0]['policy']['rule']}. Actions are computed from the codes "
            "that were read back, with 8-bit inputs, as in an ideal access to the row.",
            "Arrays whose devices differ are characterised and trimmed first. Gamma follows the "
            "spread of the devices; rho is 1 throughout.",
            "Only the direction of a sample's weights matters: most of their posterior comes from "
            "the prior, of which 300 steps contain few effective samples.",
            *notes,
        ],
    )


def _kept(cell: Cell) -> Cell:
    """A cell without the entries that only the pictures need."""
    return {k: v for k, v in cell.items() if k not in ("codes", "sample", "weights", "counts")}


def _table(name: str, cells: list[Cell]) -> Table:
    returns = [c["test"]["mean_return"] for c in cells]
    episodes = [c["training"]["episodes"] for c in cells]
    good = sum(r >= GOAL for r in returns)
    first = [c["training"]["episodes_to_full_return"] for c in cells]
    enough = int(np.ceil(GOAL_SHARE * len(cells)))
    rows = [
        Goal("mean return over 100 Gymnasium episodes", returns),
        Goal(
            "the same of the first sample, before training",
            [float(np.mean(c["untaught"])) for c in cells],
        ),
        Goal(
            f"seeds with a mean return of {GOAL:.0f} or more",
            [good],
            wanted=f">= {enough} of {len(cells)}",
            met=good >= enough,
        ),
        Goal(
            "training episodes",
            episodes,
            wanted=f"<= {GOAL_EPISODES:,}",
            met=max(episodes) <= GOAL_EPISODES,
        ),
        Goal("worst of all test episodes, steps", [c["test"]["least"] for c in cells]),
        Goal(
            f"training episodes until a sample lasts {EPISODE_STEPS} steps",
            [e for e in first if e is not None] or [np.nan],
        ),
        Goal("return in training after burn-in", _training(cells, "mean_return_after_burn_in")),
        Goal("acceptance", [c["acceptance_rate"] for c in cells], unit="%"),
    ]
    return Table(f"Cartpole, {name}, {len(cells)} seeds", rows)


def _training(cells: list[Cell], key: str) -> list[float]:
    return [c["training"][key] for c in cells]


def policy_of(cell: Cell) -> Policy:
    return Policy(np.array(cell["weights"], float), np.array(cell["counts"], np.int64))


def _learning(cells: list[Cell]) -> tuple[list[NDArray[np.int64]], list[NDArray[np.float64]]]:
    return [np.array(c["played"]) for c in cells], [np.array(c["returns"]) for c in cells]


def _picture(by_array: dict[str, list[Cell]]) -> Picture:
    cells = by_array[EMULATOR]
    figure = new_canvas((12.0, 8.4))
    axes = figure.subplots(2, 2)
    (learning, weights), (actions, tested) = axes
    draw_learning(learning, *_learning(cells))
    learning.set_title("Learning: return of the current sample")
    draw_policy_weights(weights, [policy_of(c) for c in cells])
    weights.set_title(f"Posterior of the weights, {len(cells)} seeds (5 to 95 %, median)")
    shown = policy_of(cells[SHOWN_SEED])
    image = draw_action_map(actions, shown, _test_path(shown, SHOWN_SEED))
    figure.colorbar(image, ax=actions).set_label("samples that push to the right")
    actions.set_title("Actions of the policy of one run (green: a test episode)")
    learnt, untaught = (
        [np.concatenate([c[key] for c in cs]) for cs in by_array.values()]
        for key in ("tested", "untaught")
    )
    draw_returns(tested, learnt, [*by_array], untaught)
    tested.set_title(f"Test in Gymnasium: {len(cells)} policies, 100 episodes each")
    for ax in (learning, weights, tested):
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def _map_picture(by_array: dict[str, list[Cell]]) -> Picture:
    """Learning curves and action maps on every array."""
    figure = new_canvas((4.2 * len(by_array), 7.0))
    axes = figure.subplots(2, len(by_array), squeeze=False)
    for column, (name, cells) in enumerate(by_array.items()):
        top, bottom = axes[0, column], axes[1, column]
        draw_learning(top, *_learning(cells))
        top.set_title(name)
        top.spines[["top", "right"]].set_visible(False)
        shown = policy_of(cells[SHOWN_SEED])
        image = draw_action_map(bottom, shown, _test_path(shown, SHOWN_SEED))
        if column:
            top.set_ylabel("")
            bottom.set_ylabel("")
    figure.colorbar(image, ax=list(axes[1])).set_label("samples that push to the right")
    return figure


def _test_path(policy: Policy, seed: int) -> NDArray[np.float64]:
    """States of one Gymnasium episode, (steps + 1, 4)."""
    return episode(policy, environment(), seed)
