"""The episodes and board of a run that learns a policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...boards import Say, silent
from ...errors import UsageError
from ...golden import EpisodeLikelihood
from ...spec import Points
from ...spec.cartpole import INPUT_NAMES, POLICY_INPUTS
from ...tasks import get_task
from ..config import TrainConfig
from ..digests import digest_of
from ..live_notes import WeightMap
from ..provenance import DATA, chain_inputs, origin_of
from ..setup import ChainSetup, set_up_chain
from .gymnasium_episodes import environment

DATA_OPTIONS = ("whiten", "features", "hidden")


@dataclass(frozen=True, eq=False)
class PolicyExperiment:
    """The inputs of a run; equal configurations give equal ones.

    Attributes
    ----------
    setup : ChainSetup
    episodes : EpisodeLikelihood
        Computes the log-likelihood of a proposal.
    """

    setup: ChainSetup
    episodes: EpisodeLikelihood

    def close(self) -> None:
        """Release the board."""
        self.setup.close()

    def after(self, setup: ChainSetup) -> PolicyExperiment:
        """The experiment itself: a policy has no adaptation."""
        return self

    def weight_map(self, setup: ChainSetup) -> WeightMap:
        """How the weights of the policy follow from the codes of a chain."""
        return WeightMap.of(
            setup.registers.weights,
            setup.registers.sample_devices,
            INPUT_NAMES,
        )

    def inputs(self) -> dict[str, str]:
        """SHA-256 of all inputs, by name; the episodes take the place of the data."""
        return {DATA: digest_of(self.episodes), **chain_inputs(self.setup)}

    def manifest(self) -> dict[str, Any]:
        """The part of the manifest that identifies configuration and episodes."""
        return {
            **origin_of(self.setup),
            "inputs": self.inputs(),
            "data": {"episodes": vars(self.episodes)},
            "weight_names": list(INPUT_NAMES),
        }

    def description(self) -> list[str]:
        """Lines of text that describe the run."""
        config, per_policy = self.setup.config, self.episodes.episodes
        return [
            f"{config.task}: {per_policy} episodes a policy, the same start states for all; "
            f"{per_policy * (config.steps + 1):,} episodes a chain",
            self.setup.describe_array(),
        ]


def no_points() -> Points:
    """The empty data memory."""
    return Points.of(np.zeros((0, POLICY_INPUTS), np.int8))


def build_policy(config: TrainConfig, say: Say = silent) -> PolicyExperiment:
    """Open and calibrate the array; its board evaluates proposals by their episodes.

    Close the result after use. Raises UsageError for a request that cannot be met, OhmcarloError
    when the board cannot be reached.
    """
    task = get_task(config.task)
    for name in DATA_OPTIONS:
        if getattr(config, name):
            raise UsageError(f"{task.name} learns from no data: leave out --{name}")
    environment().close()  # a missing Gymnasium is an error before the run, not after it
    geometry = config.geometry()
    geometry.require_features(POLICY_INPUTS, chosen=False)
    episodes = EpisodeLikelihood(config.seed)
    setup = set_up_chain(config, task, geometry, no_points(), say, episodes=episodes)
    return PolicyExperiment(setup, episodes)
