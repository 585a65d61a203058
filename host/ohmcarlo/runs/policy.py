"""A policy of cartpole as the array holds it, and how good it is in Gymnasium's CartPole-v1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UsageError
from ..golden.cartpole import policy_weights
from ..spec import cartpole as spec

if TYPE_CHECKING:
    import gymnasium

Float = NDArray[np.float64]
ENVIRONMENT = "CartPole-v1"
TEST_EPISODES = 100
TEST_SEED = 1_000_000
"""Added to a run's seed: start states that no training has seen (another generator, too)."""


def encode(states: ArrayLike) -> Float:
    """The array's inputs: float (n, 4) position m, speed m/s, angle rad, rate rad/s → (n, 5)
    integers within ± ``INPUT_MAX``, the bias last. As ``golden.cartpole.inputs``, for floats."""
    states = np.atleast_2d(np.asarray(states, np.float64))
    scaled = np.floor(states * INPUT_FACTORS + 0.5)
    bias = np.full((len(states), 1), float(spec.INPUT_BIAS))
    return np.concatenate([np.clip(scaled, -spec.INPUT_MAX, spec.INPUT_MAX), bias], axis=1)


INPUT_FACTORS = np.array(
    [spec.INPUT_X, spec.INPUT_SPEED, spec.INPUT_ANGLE, spec.INPUT_RATE]
) / float(1 << spec.INPUT_FRAC)


@dataclass(frozen=True, eq=False)
class Policy:
    """Samples of the posterior, which act together: the mean of their dot products decides.

    A row of the array with the mean weights gives the same answer.

    Attributes
    ----------
    weights : float64 (samples, 5)
        g⁺ - g⁻ in codes, the bias last.
    counts : int64 (samples,)
        Steps that each was current.
    """

    weights: Float
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, codes: NDArray[Any], counts: NDArray[np.int64]) -> Policy:
        """Of samples: codes (n, 10)."""
        return cls(policy_weights(codes).astype(np.float64), counts)

    @property
    def mean(self) -> Float:
        """Mean weights, (5,), in codes."""
        return np.asarray(np.average(self.weights, axis=0, weights=self.counts))

    def pushes_right(self, states: ArrayLike) -> NDArray[np.bool_]:
        """Action in each of (n, 4) states, in SI units."""
        return np.asarray(encode(states) @ self.mean > 0)

    def agreement(self, states: ArrayLike) -> Float:
        """Share of the samples that would push to the right, float64 (n,): (n, 4) states."""
        votes = encode(states) @ self.weights.T > 0
        return np.asarray(votes @ self.counts / self.counts.sum())


def environment(**options: Any) -> gymnasium.Env[Any, Any]:
    """Gymnasium's CartPole-v1; UsageError, with what to install, where it is missing."""
    try:
        import gymnasium
    except ImportError as error:
        raise UsageError(
            "cartpole is tested in Gymnasium: pip install 'ohmcarlo[reproduce]'"
        ) from error
    return gymnasium.make(ENVIRONMENT, **options)


def episode(policy: Policy, world: gymnasium.Env[Any, Any], seed: int) -> Float:
    """States of one Gymnasium episode that begins as ``seed`` says, (steps + 1, 4)."""
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
