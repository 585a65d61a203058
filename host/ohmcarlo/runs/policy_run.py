"""A run that learns a policy: what it works with, and what it amounts to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boards import RUNNING, Block, Say, silent
from ..errors import UsageError
from ..golden import EpisodeLikelihood
from ..spec import CODE_LSB_US, Geometry, Points
from ..spec.cartpole import EPISODE_STEPS, INPUT_NAMES, POLICY_INPUTS, beta
from ..tasks import get_task
from .config import TrainConfig
from .outcome import (
    COMPLETE,
    burn_in_of,
    chain_of,
    cost_of,
    mixing,
    plain,
    posterior_file,
    request_of,
)
from .policy import TEST_EPISODES, Policy, environment, gymnasium_returns
from .setup import Equipped, equip
from .trace import Trace

RULE = "mean weights of the samples after burn-in, each as often as it was current"
NO_DATA = ("whiten", "features", "hidden")


@dataclass(frozen=True, eq=False)
class PolicyExperiment(Equipped):
    """Everything a run works with; two built from equal configurations are equal.

    Attributes
    ----------
    judge : EpisodeLikelihood
    """

    judge: EpisodeLikelihood

    @property
    def points(self) -> Points:
        """There are none."""
        return no_points()

    def manifest(self) -> dict[str, Any]:
        """What a run folder says about how it was made."""
        return {
            **self.origin(),
            "data": {"sha256": "", "episodes": vars(self.judge)},
            "weight_names": list(INPUT_NAMES),
        }

    def require_same_data(self, manifest: dict[str, Any]) -> None:
        """Refuse to go on with a run whose episodes are not what they were."""
        if manifest["data"].get("episodes") != vars(self.judge):
            raise UsageError(
                f"the episodes of {self.config.task} are not those that this run began with: use "
                "the version of ohmcarlo that wrote it, or start a new run"
            )

    def description(self) -> list[str]:
        """What is about to happen, for a person."""
        return [
            f"{self.config.task}: {self.judge.episodes} episodes a policy, the same start states "
            f"for all; {self.judge.episodes * (self.config.steps + 1):,} episodes a chain",
            self.describe_array(),
        ]


@dataclass(frozen=True, eq=False)
class PolicyResult:
    """A finished run.

    Attributes
    ----------
    values : dict
        What goes into the JSON.
    trace : Trace
    burn_in : int
        Steps of every chain that are left out of the policy.
    policy : Policy
    returns : int64 (samples, episodes)
        Steps that each sample's training episodes lasted.
    played : int64 (steps of all chains,)
        Training episodes so far, all chains together, after each step.
    tested : int64 (test episodes,)
        Returns in Gymnasium.
    wear : int32 (rows, row_devices)
        SET pulses that each device has seen.
    posterior : bytes
        NetCDF file.
    """

    values: dict[str, Any]
    trace: Trace
    burn_in: int
    policy: Policy
    returns: NDArray[np.int64]
    played: NDArray[np.int64]
    tested: NDArray[np.int64]
    wear: NDArray[np.int32]
    posterior: bytes

    def evaluation(self) -> dict[str, NDArray[Any]]:
        """What the pictures of a report need beside the trace."""
        return {name: getattr(self, name) for name in ("returns", "played", "tested", "wear")}


def no_points() -> Points:
    return Points.of(np.zeros((0, POLICY_INPUTS), np.int8))


def build_policy(config: TrainConfig, say: Say = silent) -> PolicyExperiment:
    """Open and calibrate the array, and have its board judge proposals by their episodes.

    Close the result in the end. Raises UsageError for whatever cannot be done, OhmcarloError when
    the board cannot be reached.
    """
    task = get_task(config.task)
    for name in NO_DATA:
        if getattr(config, name):
            raise UsageError(f"{task.name} learns from no data: leave out --{name}")
    environment().close()  # whoever cannot test a policy hears of it now
    geometry = Geometry(
        rows=config.rows,
        pairs=config.pairs,
        entropy_pairs=config.entropy_pairs,
        regions=config.chains,
    )
    geometry.require_features(POLICY_INPUTS)
    judge = EpisodeLikelihood(config.seed)
    ready = equip(
        config,
        task,
        geometry,
        POLICY_INPUTS,
        lambda board, registers: board.configure(registers, no_points(), judge),
        say,
    )
    return PolicyExperiment(**vars(ready), judge=judge)


def evaluate_policy(
    experiment: PolicyExperiment, streamed: Block, sampling_seconds: float
) -> PolicyResult:
    """Everything there is to say about a run whose last step is made."""
    board, registers, config = experiment.board, experiment.registers, experiment.config
    trace = Trace.of(streamed, board.current())
    burn_in = burn_in_of(trace)
    policy = Policy.of(*trace.after(burn_in))
    returns = np.array([experiment.judge.steps(codes) for codes in trace.codes])
    # a proposal outside the valid window is turned down without an episode
    played = experiment.judge.episodes * (trace.chains + np.cumsum(streamed.valid))
    tested = gymnasium_returns(policy, config.seed)
    draws = registers.weights(trace.codes).astype(np.float32)[trace.draws()]
    means = returns.mean(axis=1)[trace.draws()]
    values = {
        **request_of(experiment),
        **chain_of(trace, burn_in),
        "training": {
            "episodes": int(played[-1]),
            "episodes_of_a_policy": experiment.judge.episodes,
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
        **cost_of(experiment, sampling_seconds),
        **mixing(draws[:, burn_in:]),
        "entropy": board.entropy() | {"pseudo_random": board.pseudo_random},
        "retired_rows": board.retired_rows(),
        "status": COMPLETE if streamed.status == RUNNING else streamed.status,
    }
    return PolicyResult(
        values=plain(values),
        trace=trace,
        burn_in=burn_in,
        policy=policy,
        returns=returns,
        played=played,
        tested=tested,
        wear=board.ledger.wear.copy(),
        posterior=posterior_file(trace, draws, burn_in, list(INPUT_NAMES)),
    )


def summary_of(tested: NDArray[np.int64]) -> dict[str, Any]:
    """Returns in Gymnasium, in short."""
    return {
        "mean_return": float(tested.mean()),
        "sd": float(tested.std(ddof=1)),
        "least": int(tested.min()),
        "full": float((tested == EPISODE_STEPS).mean()),
    }


def _episodes_to_full_return(
    played: NDArray[np.int64], trace: Trace, means: NDArray[np.float64]
) -> int | None:
    """Training episodes after which some chain's current policy never fell; None: not yet."""
    for step in range(len(played)):
        if means[trace.chain[step], step // trace.chains] == EPISODE_STEPS:
            return int(played[step])
    return None
