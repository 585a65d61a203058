"""Episodes of a policy in Gymnasium's CartPole-v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...golden.policy import Float, Policy, encode

if TYPE_CHECKING:
    import gymnasium

ENVIRONMENT = "CartPole-v1"
TEST_EPISODES = 100
TEST_SEED = 1_000_000
"""Added to a run's seed: start states that differ from those of the training (another generator,
too)."""


def environment(**options: Any) -> gymnasium.Env[Any, Any]:
    """Gymnasium's CartPole-v1; UsageError, which names what to install, if it is missing."""
    try:
        import gymnasium
    except ImportError as error:
        raise UsageError(
            "cartpole is tested in Gymnasium: pip install 'ohmcarlo[reproduce]'"
        ) from error
    return gymnasium.make(ENVIRONMENT, **options)


def episode(policy: Policy, world: gymnasium.Env[Any, Any], seed: int) -> Float:
    """States of one Gymnasium episode with the start state of ``seed``, (steps + 1, 4)."""
    weights = policy.mean
    state, _ = world.reset(seed=seed)
    states = [state]
    over = False
    while not over:
        right = int(encode(state)[0] @ weights > 0)
        state, _, fallen, long_enough, _ = world.step(right)
        states.append(state)
        over = fallen or long_enough
    return np.array(states, np.float64)


def gymnasium_returns(
    policy: Policy, seed: int, episodes: int = TEST_EPISODES
) -> NDArray[np.int64]:
    """Return of each of ``episodes`` Gymnasium episodes: int64 (episodes,), at most 500."""
    world = environment()
    seeds = np.random.SeedSequence(TEST_SEED + seed).generate_state(episodes)
    return np.array([len(episode(policy, world, int(s))) - 1 for s in seeds], np.int64)
