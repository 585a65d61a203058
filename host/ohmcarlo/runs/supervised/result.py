"""The result of a supervised run: accuracy on held-out data, diagnostics, cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ... import diagnostics
from ...boards import Block
from ...diagnostics import certain_first, wilson_interval
from ...golden import predict
from ..accesses import learning_costs
from ..agreement import prediction_agreement, samples_of
from ..predictions import predicted_at_once
from ..stored import check_points
from ..summary import (
    ChainResult,
    attributes_of,
    burn_in_of,
    chain_of,
    judged,
    mixing,
    request_of,
    state_of,
)
from ..trace import Trace
from .experiment import SupervisedExperiment, labels_of
from .learnt import LearntData

if TYPE_CHECKING:
    import xarray

REFERRED = 0.1  # share of the least certain cases that are left to a person
RESULT_KEYS = (  # read by tables, warnings and pictures
    "task", "backend", "array", "preset", "kernel", "rho", "wide_every", "whiten", "gamma_us",
    "trimmed", "seed", "geometry", "features", "hidden", "train_points", "test_points", "chains",
    "steps", "burn_in", "accepted", "acceptance_rate", "samples", "accuracy",
    "accuracy_interval_95", "balanced_accuracy", "log_loss", "ece", "referral", "baseline",
    "accesses", "accesses_without_early_reject", "wear", "energy_joules", "energy", "wall_seconds",
    "ess_min", "ess_min_per_1000_steps", "rhat_max", "entropy", "retired_rows", "status",
)  # fmt: skip
EVALUATION = {"probability": 1, "variance": 1, "inputs": 2, "labels": 1, "wear": 2}  # dimensions


@dataclass(frozen=True, eq=False)
class SupervisedResult(ChainResult):
    """A finished run; the fields of ``ChainResult``, and:

    Attributes
    ----------
    probability, variance : float64 (held-out points,)
        Posterior mean and variance (epistemic) of the probability of class 1.
    inputs, labels : float64 (held-out points, features), int (held-out points,)
        The held-out points before encoding.
    digests : dict
        SHA-256 of data, encoder, registers and points, by name.
    learnt : LearntData
        The training points, for the log-likelihoods of the posterior file.
    """

    EVALUATION: ClassVar = EVALUATION

    probability: NDArray[np.float64]
    variance: NDArray[np.float64]
    inputs: NDArray[np.float64]
    labels: NDArray[np.integer[Any]]
    digests: dict[str, str]
    learnt: LearntData

    def inference_data(self) -> xarray.DataTree:
        return self.learnt.inference_data(
            self.trace,
            self.draws,
            self.burn_in,
            self.weight_names,
            {**attributes_of(self.values), "sha256": self.digests},
        )


def check_evaluation(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise KeyError or ValueError unless ``arrays`` are those of an ``evaluation``."""
    check_points(arrays, EVALUATION)


def evaluate_supervised(
    experiment: SupervisedExperiment, streamed: Block, sampling_seconds: float
) -> SupervisedResult:
    """The result of a run whose last step is made."""
    setup = experiment.setup
    trace = Trace.of(streamed, setup.board.current())
    burn_in = burn_in_of(trace)
    codes, counts = samples_of(setup.registers, trace, burn_in)
    probability, variance = _predicted(experiment, codes, counts)
    labels = labels_of(setup.registers, codes, counts)
    weights = experiment.weights(trace.codes, labels).astype(np.float32)
    draws = weights[trace.draws()]
    values = {
        **request_of(setup),
        **_model(experiment),
        **chain_of(trace, burn_in),
        **quality(experiment.test_labels, probability, variance),
        "baseline": experiment.baseline(),
        **learning_costs(setup, streamed, sampling_seconds),
        **mixing(draws[:, burn_in:], trace, burn_in),
        **_predictions(experiment, trace, burn_in),
        **state_of(setup, streamed),
    }
    return SupervisedResult(
        values=judged(values),
        trace=trace,
        burn_in=burn_in,
        probability=probability,
        variance=variance,
        inputs=experiment.test_inputs,
        labels=experiment.test_labels,
        wear=setup.board.ledger.wear.copy(),
        draws=draws,
        weight_names=experiment.weight_names,
        digests=experiment.digests(),
        learnt=experiment.learnt(),
    )


def _predicted(
    experiment: SupervisedExperiment, codes: NDArray[np.uint16], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of P(class 1) at the held-out points, (n,) each."""
    mean, variance = np.empty((2, len(experiment.test_points)))
    for part in predicted_at_once(len(mean), len(codes)):
        points = experiment.test_points.part(part)
        mean[part], variance[part] = predict(experiment.setup.registers, points, codes, counts)
    return mean, variance


def _model(experiment: SupervisedExperiment) -> dict[str, Any]:
    registers = experiment.setup.registers
    return {
        "whiten": experiment.setup.config.whiten,
        "sigma_p": experiment.encoder.widths(),
        "sigma_p_choice": experiment.setup.config.sigma_p_choice,
        "adapt": experiment.setup.config.adapt,
        "features": registers.features - 1,
        "hidden": registers.hidden,
        "data": experiment.dataset.origin() if experiment.setup.config.problem is None else None,
        "train_points": len(experiment.train),
        "test_points": len(experiment.test_labels),
    }


def _predictions(experiment: SupervisedExperiment, trace: Trace, burn_in: int) -> dict[str, Any]:
    """Whether the chains of a network agree on its predictions; nothing for a logistic model."""
    setup = experiment.setup
    if not setup.registers.hidden:
        return {}
    return prediction_agreement(setup.registers, setup.points, trace, burn_in)


def quality(
    labels: NDArray[np.integer[Any]],
    probability: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> dict[str, Any]:
    """Measures of predictions: labels 0/1 (n,), mean and variance of P(1), (n,) each."""
    right = (probability >= 0.5) == (labels == 1)
    certain = certain_first(probability, variance)[: max(1, round((1 - REFERRED) * len(labels)))]
    return {
        "accuracy": diagnostics.accuracy(labels, probability),
        "accuracy_interval_95": wilson_interval(float(right.mean()), len(labels)),
        "balanced_accuracy": diagnostics.balanced_accuracy(labels, probability),
        "log_loss": diagnostics.log_loss(labels, probability),
        "ece": diagnostics.ece(labels, probability),
        "referral": {
            "fraction": REFERRED,
            "points": len(labels) - len(certain),
            "accuracy": float(right[certain].mean()),
            "errors": int((~right).sum()),
            "errors_kept": int((~right[certain]).sum()),
        },
        "epistemic_sd_mean": float(np.sqrt(variance).mean()),
    }
