"""A whitened posterior that an array has sampled, in the weights of the standardised features."""

from __future__ import annotations

import warnings
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..diagnostics import ess
from ..posterior_error import errors_to_dict
from ..runs.chain_run import ChainRun
from ..runs.config import TrainConfig
from ..runs.setup import ChainSetup
from ..runs.summary import burn_in_of, chain_of, judged, mixing, request_of
from ..runs.supervised.experiment import prepare, standardised_weights
from ..runs.trace import Trace
from ..tasks import Task
from .base import Cell

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sampled:
    """The draws of a run after burn-in, and the values of its result.

    Attributes
    ----------
    setup : ChainSetup
        Of the chain that has sampled; its board is closed.
    draws : float64 (chains, steps, weights)
    values : dict
        Mixing, predicted errors and verdict, as in the JSON of a run.
    """

    setup: ChainSetup
    draws: Floats
    values: dict[str, Any]

    def moments(self) -> Cell:
        """Means, standard deviations and effective samples of the weights, as JSON holds them."""
        flat = self.draws.reshape(-1, self.draws.shape[-1])
        return {
            "mean": flat.mean(axis=0).tolist(),
            "sd": flat.std(axis=0).tolist(),
            "ess": ess(self.draws).tolist(),
        }


def sample_posterior(
    config: TrainConfig, title: str, x: Floats, y: NDArray[np.integer[Any]]
) -> Sampled:
    """Sample the posterior of x (n, d) and y 0/1 (n,) with the settings of ``config``."""
    task = Task(name=config.task, dataset="", description=title)
    with warnings.catch_warnings():
        # the physics model warns once per run about devices outside their sourced range
        warnings.simplefilter("ignore")
        first, encoder = prepare(config, task, x, y)
        with closing(first):
            run = ChainRun(first)
            run.run()
            setup = run.setup
            trace = Trace.of(run.streamed(), setup.board.current())
            retired = setup.board.retired_rows()
    burn_in = burn_in_of(trace)
    used = encoder if setup.encoder is None else setup.encoder
    weights = standardised_weights(setup.registers, used, trace.codes)
    draws = weights[trace.draws()[:, burn_in:]]
    values = judged(
        {
            **request_of(setup),
            "whiten": config.whiten,
            **chain_of(trace, burn_in),
            **mixing(draws.astype(np.float32), trace, burn_in),
            "posterior_error": errors_to_dict(setup.errors),
            "retired_rows": retired,
        }
    )
    return Sampled(setup, draws, values)
