"""The result of a run that learnt a policy: returns in training and test, diagnostics, cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...boards import Block
from ...golden.policy import Policy
from ...spec import CODE_LSB_US
from ...spec.cartpole import EPISODE_STEPS, INPUT_NAMES, beta
from ..stored import check_dimensions
from ..summary import (
    ChainResult,
    burn_in_of,
    chain_of,
    cost_of,
    judged,
    mixing,
    request_of,
    state_of,
)
from ..thinning import LongBlock, totals_of
from ..trace import Trace
from .experiment import PolicyExperiment
from .gymnasium_episodes import TEST_EPISODES, gymnasium_returns

RULE = "mean weights of the samples after burn-in, each as often as it was current"
RESULT_KEYS = (  # read by tables, warnings and pictures
    "task", "backend", "array", "preset", "kernel", "rho", "wide_every", "gamma_us", "trimmed",
    "seed", "geometry", "chains", "steps", "burn_in", "accepted", "acceptance_rate", "samples",
    "training", "policy", "test", "wear", "energy_joules", "energy", "wall_seconds", "ess_min",
    "rhat_max", "entropy", "retired_rows", "status",
)  # fmt: skip
EVALUATION = {"returns": 2, "played": 1, "tested": 1, "wear": 2}  # dimensions


@dataclass(frozen=True, eq=False)
class PolicyResult(ChainResult):
    """A finished run; the fields of ``ChainResult``, and:

    Attributes
    ----------
    policy : Policy
    returns : int64 (samples, episodes)
        Steps that each sample's training episodes lasted.
    played : int64 (steps of all chains,)
        Training episodes so far, all chains together, after each step.
    tested : int64 (test episodes,)
        Returns in Gymnasium.
    """

    EVALUATION: ClassVar = EVALUATION

    policy: Policy
    returns: NDArray[np.int64]
    played: NDArray[np.int64]
    tested: NDArray[np.int64]


def check_evaluation(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise KeyError or ValueError unless ``arrays`` are those of an ``evaluation``."""
    check_dimensions(arrays, EVALUATION)


def evaluate_policy(
    experiment: PolicyExperiment, streamed: Block, sampling_seconds: float
) -> PolicyResult:
    """The result of a run whose last step is made."""
    setup, episodes = experiment.setup, experiment.episodes
    trace = Trace.of(streamed, setup.board.current())
    burn_in = burn_in_of(trace)
    policy = Policy.of(*trace.after(burn_in))
    returns = np.array([episodes.steps(codes) for codes in trace.codes])
    # a proposal outside the valid window is rejected without an episode
    valid = streamed.proposals if isinstance(streamed, LongBlock) else streamed.valid
    played = episodes.episodes * (trace.chains + np.cumsum(valid, dtype=np.int64))
    tested = gymnasium_returns(policy, setup.config.seed)
    draws = setup.registers.weights(trace.codes).astype(np.float32)[trace.draws()]
    means = returns.mean(axis=1)[trace.draws()]
    values = {
        **request_of(setup),
        **chain_of(trace, burn_in),
        "training": {
            "episodes": episodes.episodes * (trace.chains + totals_of(streamed).valid),
            "episodes_of_a_policy": episodes.episodes,
            "beta": beta,
            "first_return": float(means[:, 0].mean()),
            "mean_return_after_burn_in": float(means[:, burn_in:].mean()),
            "episodes_to_full_return": _episodes_to_full_return(played, trace, means),
        },
        "policy": {
            "rule": RULE,
            "weights_us": dict(zip(INPUT_NAMES, policy.mean * CODE_LSB_US, strict=True)),
        },
        "test": {"episodes": TEST_EPISODES, **summary_of(tested)},
        **cost_of(setup, sampling_seconds),
        **mixing(draws[:, burn_in:], trace, burn_in),
        **state_of(setup, streamed),
    }
    return PolicyResult(
        values=judged(values),
        trace=trace,
        burn_in=burn_in,
        policy=policy,
        returns=returns,
        played=played,
        tested=tested,
        wear=setup.board.ledger.wear.copy(),
        draws=draws,
        weight_names=list(INPUT_NAMES),
    )


def summary_of(tested: NDArray[np.int64]) -> dict[str, Any]:
    """Mean, spread and range of returns in Gymnasium."""
    return {
        "mean_return": float(tested.mean()),
        "sd": float(tested.std(ddof=1)),
        "least": int(tested.min()),
        "full": float((tested == EPISODE_STEPS).mean()),
    }


def _episodes_to_full_return(
    played: NDArray[np.int64], trace: Trace, means: NDArray[np.float64]
) -> int | None:
    """Training episodes before a chain's first policy that never fell; None without one."""
    for step in range(len(played)):
        if means[trace.chain[step], step // trace.chains] == EPISODE_STEPS:
            return int(played[step])
    return None
