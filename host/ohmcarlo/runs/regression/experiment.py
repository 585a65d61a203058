"""The data, encoder and board of a regression run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...boards import Say, silent
from ...datasets import Dataset, load
from ...datasets.regression import RegressionEncoder
from ...errors import UsageError
from ...posterior_error import describe_error
from ...tasks import Task, get_task
from ..config import AUTO, TrainConfig
from ..digests import digest_of
from ..live_notes import WeightMap
from ..provenance import DATA, chain_inputs, origin_of
from ..room import require_room
from ..setup import ChainSetup, set_up_chain
from .learner import GaussianLearner
from .posterior import sampled_weights
from .scores import point_scores, scores_of_normal


@dataclass(frozen=True, eq=False)
class RegressionExperiment:
    """The inputs of a regression run; equal configurations give equal ones.

    Attributes
    ----------
    setup : ChainSetup
    encoder : RegressionEncoder
    dataset : Dataset
    train, test : int64 (n,)
        Rows of the data set in either half.
    """

    setup: ChainSetup
    encoder: RegressionEncoder
    dataset: Dataset
    train: NDArray[np.int64]
    test: NDArray[np.int64]

    def close(self) -> None:
        """Release the board."""
        self.setup.close()

    def after(self, setup: ChainSetup) -> RegressionExperiment:
        """The experiment with the set-up whose chain has sampled."""
        return replace(self, setup=setup, encoder=setup.encoder)

    def weight_map(self, setup: ChainSetup) -> WeightMap:
        """How the weights at the assumed noise follow from the codes of the sampling chain."""
        return WeightMap.of(
            lambda codes: sampled_weights(setup.registers, setup.encoder, codes),
            setup.registers.sample_devices,
            self.weight_names,
        )

    @property
    def weight_names(self) -> list[str]:
        """Names of the weights, in their order."""
        return [*self.encoder.feature_names, "bias"]

    def baseline(self) -> dict[str, Any]:
        """scikit-learn's BayesianRidge and Ridge on the same halves and features."""
        from sklearn.linear_model import BayesianRidge, Ridge

        x, y = self.dataset.x, self.dataset.y
        learnt, held_out = (self.encoder.standard(x[rows])[:, :-1] for rows in self.halves)
        bayesian = BayesianRidge().fit(learnt, y[self.train])
        mean, sd = bayesian.predict(held_out, return_std=True)
        ridge = Ridge().fit(learnt, y[self.train]).predict(held_out)
        return {
            "bayesian_ridge": scores_of_normal(y[self.test], mean, sd),
            "ridge": point_scores(y[self.test], ridge),
        }

    @property
    def halves(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """``train`` and ``test``."""
        return self.train, self.test

    def inputs(self) -> dict[str, str]:
        """SHA-256 of all inputs, by name."""
        d = self.dataset
        return {
            DATA: digest_of([d.x, d.y, d.feature_names], exact=True),
            "encoder": digest_of(self.encoder),
            **chain_inputs(self.setup),
        }

    def manifest(self) -> dict[str, Any]:
        """The part of the manifest that identifies configuration, data and encoder."""
        return {
            **origin_of(self.setup),
            "inputs": self.inputs(),
            "data": {
                "feature_names": list(self.dataset.feature_names),
                **self.dataset.origin(),
            },
            "encoder": self.encoder.to_dict(),
            "weight_names": self.weight_names,
        }

    def description(self) -> list[str]:
        """Lines of text that describe the run."""
        return [
            f"{self.setup.config.task}: {len(self.train)} points to learn from, "
            f"{len(self.test)} held out, {len(self.encoder.columns)} of "
            f"{self.dataset.x.shape[1]} features",
            f"data: {self.dataset.summary()}",
            *(describe_error(error) for error in self.setup.errors),
            *self.setup.cautions,
            self.setup.describe_array(),
        ]


def prepare_regression(
    config: TrainConfig,
    task: Task,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    feature_names: Sequence[str] | None = None,
    say: Say = silent,
) -> tuple[ChainSetup, RegressionEncoder]:
    """Encode x (n, d) and y (n,), open and calibrate the array, configure the board.

    Close the setup after use. Raises UsageError for a request that cannot be met, OhmcarloError
    when the board cannot be reached.
    """
    require_regression(config)
    geometry = config.geometry()
    features = config.features or task.features_for(geometry.max_features)
    require_room(geometry, x, features)
    encode = RegressionEncoder.start if config.adapt else RegressionEncoder.fit
    encoder = encode(
        x,
        y,
        feature_names=feature_names,
        features=features,
        sigma_p=None if config.sigma_p in (None, AUTO) else config.widths(task.sigma_p),
    )
    setup = set_up_chain(
        config,
        task,
        geometry,
        encoder.training_points(x, y),
        say,
        unit=encoder.spread,
        sigma_p=encoder.sigma,
        errors=() if config.adapt else (encoder.error,),
        learner=GaussianLearner(encoder, x, y) if config.adapt else None,
    )
    return replace(setup, encoder=encoder), encoder


def require_regression(config: TrainConfig) -> None:
    """Raise UsageError, with advice, for options that a linear model of numbers does not have."""
    if config.hidden:
        raise UsageError("numbers are predicted by a linear model: leave out --hidden")
    if not config.whiten or config.rho == 1:
        raise UsageError(
            "a random walk does not move in the posterior of a linear model: leave out "
            "--no-whiten, --paper, --kernel published and --rho 1"
        )


def build_regression(config: TrainConfig, say: Say = silent) -> RegressionExperiment:
    """Load and split the data, and ``prepare_regression`` the training half."""
    task = get_task(config.task)
    return learn_from(config, task, load(task.dataset, regression=True, **config.columns), say)


def learn_from(
    config: TrainConfig, task: Task, dataset: Dataset, say: Say = silent
) -> RegressionExperiment:
    """Split a data set, and ``prepare_regression`` the training half."""
    train, test = dataset.split(config.seed, config.train_points)
    setup, encoder = prepare_regression(
        config, task, dataset.x[train], dataset.y[train], dataset.feature_names, say
    )
    return RegressionExperiment(setup, encoder, dataset, train, test)
