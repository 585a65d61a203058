"""The result of a regression run: errors on held-out data, intervals, diagnostics, cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...boards import Block
from ..accesses import learning_costs
from ..stored import check_points
from ..summary import (
    ChainResult,
    attributes_of,
    burn_in_of,
    chain_of,
    judged,
    request_of,
    state_of,
)
from ..trace import Trace
from .experiment import RegressionExperiment
from .learnt import LearntNumbers
from .posterior import JointPosterior, mixing_of
from .scores import interval, scores_of_draws

if TYPE_CHECKING:
    import xarray

INTERVAL = 0.95
"""Probability of the intervals of predictions, and of the noise."""
RESULT_KEYS = (  # read by tables, warnings, pictures and predictions
    "task", "backend", "array", "preset", "kernel", "rho", "wide_every", "whiten", "gamma_us",
    "trimmed", "seed", "geometry", "features", "train_points", "test_points", "chains", "steps",
    "burn_in", "accepted", "acceptance_rate", "samples", "rmse", "r2", "crps", "coverage", "noise",
    "sigma_p", "baseline", "accesses", "accesses_without_early_reject", "wear", "energy_joules",
    "energy", "wall_seconds", "ess_min", "ess_min_per_1000_steps", "rhat_max", "entropy",
    "retired_rows", "status",
)  # fmt: skip
EVALUATION = {  # dimensions
    "prediction": 1, "low": 1, "high": 1, "spread": 1, "inputs": 2, "labels": 1, "wear": 2,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class RegressionResult(ChainResult):
    """A finished run; the fields of ``ChainResult``, and for the held-out points:

    Attributes
    ----------
    prediction, low, high : float64 (points,)
        Mean of the prediction, and its 95 % interval.
    spread : float64 (points,)
        Standard deviation of the mean (epistemic).
    inputs, labels : float64 (points, features), float64 (points,)
        The points before encoding.
    joint : JointPosterior
        Draws of weights and noise, step by step.
    learnt : LearntNumbers
        The training points, for the log-likelihoods of the posterior file.
    digests : dict
        SHA-256 of data, encoder, registers and points, by name.
    """

    EVALUATION: ClassVar = EVALUATION

    prediction: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    spread: NDArray[np.float64]
    inputs: NDArray[np.float64]
    labels: NDArray[np.float64]
    joint: JointPosterior
    learnt: LearntNumbers
    digests: dict[str, str]

    def inference_data(self) -> xarray.DataTree:
        attributes = {**attributes_of(self.values), "sha256": self.digests}
        return self.learnt.inference_data(self.joint, self.trace, self.weight_names, attributes)


def check_evaluation(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise KeyError or ValueError unless ``arrays`` are those of an ``evaluation``."""
    check_points(arrays, EVALUATION)


def evaluate_regression(
    experiment: RegressionExperiment, streamed: Block, sampling_seconds: float
) -> RegressionResult:
    """The result of a run whose last step is made."""
    setup, encoder = experiment.setup, experiment.encoder
    trace = Trace.of(streamed, setup.board.current())
    burn_in = burn_in_of(trace)
    data, seed = experiment.dataset, setup.config.seed
    x, y = data.x[experiment.train], data.y[experiment.train]
    posterior = JointPosterior.learnt(setup.registers, encoder, trace, burn_in, x, y, seed)
    x, y = data.x[experiment.test], data.y[experiment.test]
    prediction, drawn = posterior.predict(x), posterior.predictive_draws(x)
    low, high = interval(drawn, INTERVAL)
    spread, _ = posterior.spreads(x)
    draws = posterior.weights.astype(np.float32)
    values = {
        **request_of(setup),
        "whiten": setup.config.whiten,
        "adapt": setup.config.adapt,
        "features": len(encoder.columns),
        "data": experiment.dataset.origin(),
        "train_points": len(experiment.train),
        "test_points": len(experiment.test),
        **chain_of(trace, burn_in),
        **scores_of_draws(y, prediction, drawn),
        "noise": noise_of(posterior),
        "sigma_p": encoder.widths(),
        "baseline": experiment.baseline(),
        **learning_costs(setup, streamed, sampling_seconds),
        **mixing_of(posterior, setup.registers, trace),
        **state_of(setup, streamed),
    }
    return RegressionResult(
        values=judged(values),
        trace=trace,
        burn_in=burn_in,
        prediction=prediction,
        low=low,
        high=high,
        spread=spread,
        inputs=x,
        labels=y,
        joint=posterior,
        learnt=LearntNumbers(
            data.x[experiment.train],
            data.y[experiment.train],
            experiment.train + 1,
            data.feature_names,
        ),
        digests=experiment.inputs(),
        wear=setup.board.ledger.wear.copy(),
        draws=draws,
        weight_names=experiment.weight_names,
    )


def noise_of(posterior: JointPosterior) -> dict[str, Any]:
    """The noise in units of the label, and its posterior (s² in standard deviations of the label)
    for ``predict``."""
    scale, found = posterior.encoder.label_scale, posterior.noise_posterior
    low, median, high = found.quantiles(np.array([(1 - INTERVAL) / 2, 0.5, (1 + INTERVAL) / 2]))
    return {
        "median": scale * float(median),
        "interval_95": [scale * float(low), scale * float(high)],
        "assumed": scale * posterior.encoder.noise,
        "shape": found.shape,
        "scale": found.scale,
    }
