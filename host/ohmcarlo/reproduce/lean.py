"""A finished chain with the few numbers that figures of devices need, without a posterior file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import diagnostics
from ..boards import Block
from ..golden import predict
from ..runs.chain_run import ChainRun
from ..runs.config import TrainConfig
from ..runs.summary import burn_in_of
from ..runs.supervised.experiment import SupervisedExperiment, build_supervised
from ..runs.trace import Trace


@dataclass(frozen=True, eq=False)
class Run:
    """A chain after its last step.

    Attributes
    ----------
    experiment : SupervisedExperiment
    block : Block
        All blocks of the chain.
    trace : Trace
    burn_in : int
        Steps that are left out.
    cpu_seconds : float
        Of this process, for the chain alone.
    """

    experiment: SupervisedExperiment
    block: Block
    trace: Trace
    burn_in: int
    cpu_seconds: float

    @property
    def accuracy(self) -> float:
        """On the held-out half."""
        codes, counts = self.trace.after(self.burn_in)
        experiment = self.experiment
        probability, _ = predict(experiment.setup.registers, experiment.test_points, codes, counts)
        return float(diagnostics.accuracy(experiment.test_labels, probability))

    @property
    def acceptance(self) -> float:
        return float(self.trace.accepted.mean())

    def weight_sd(self) -> NDArray[np.float64]:
        """Posterior standard deviation of every weight, float64 (weights,)."""
        codes, counts = self.trace.after(self.burn_in)
        weights = self.experiment.weights(codes)
        mean = np.average(weights, axis=0, weights=counts)
        return np.asarray(np.sqrt(np.average((weights - mean) ** 2, axis=0, weights=counts)))


@contextmanager
def lean_run(config: TrainConfig) -> Iterator[Run]:
    """Train as ``ohmcarlo train`` does; its board lives as long as the context."""
    with warnings.catch_warnings():
        # the physics model warns once per run about devices outside their sourced range
        warnings.simplefilter("ignore")
        with closing(build_supervised(config)) as experiment:
            run = ChainRun(experiment.setup)
            run.run()
            block = run.streamed()
            trace = Trace.of(block, experiment.setup.board.current())
            yield Run(experiment, block, trace, burn_in_of(trace), run.cpu_seconds)
