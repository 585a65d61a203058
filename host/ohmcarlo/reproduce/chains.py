"""A chain of a supervised task and its quality on held-out data, as cells of a figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..diagnostics import ess
from ..golden import predict
from ..runs.chain_run import ChainRun
from ..runs.config import TrainConfig
from ..runs.supervised.experiment import SupervisedExperiment, build_supervised
from ..runs.supervised.predict import Predictor
from ..runs.supervised.result import SupervisedResult, evaluate_supervised, quality
from .base import Cell
from .lean import lean_run

HELD = ("accuracy", "balanced_accuracy", "log_loss", "ece")
WHITENED: dict[str, Any] = {"whiten": True, "rho": 0.8}


@contextmanager
def finished(config: TrainConfig) -> Iterator[tuple[SupervisedExperiment, SupervisedResult]]:
    """A chain after its last step; its board still holds the last samples."""
    with closing(build_supervised(config)) as experiment:
        run = ChainRun(experiment.setup)
        run.run()
        yield experiment, evaluate_supervised(experiment, run.streamed(), run.seconds)


def chain_cell(**options: Any) -> Cell:
    """Train with ``TrainConfig(**options)``.

    Top-level numbers are those of ``ohmcarlo train``: every sample after burn-in counts, including
    those that were streamed out. ``held`` is the quality from the samples in the rows of the array
    at the end.
    """
    with lean_run(TrainConfig(**options)) as run:
        experiment, labels = run.experiment, run.experiment.test_labels
        codes, counts = run.trace.after(run.burn_in)
        mean, variance = predict(experiment.setup.registers, experiment.test_points, codes, counts)
        judged = quality(labels, mean, variance)
        held = quality(labels, *experiment.setup.board.predict(experiment.test_points))
        draws = np.repeat(experiment.weights(codes), counts, axis=0)[None]
        return {
            **{name: judged[name] for name in HELD},
            "acceptance_rate": run.acceptance,
            "ess_min_per_1000_steps": 1000 * float(ess(draws).min()) / draws.shape[1],
            "features": experiment.setup.registers.features - 1,
            "held": {name: held[name] for name in HELD},
            "predictions": predictions(experiment.test, labels, mean, variance),
        }


def predictions(
    cases: NDArray[np.int64],
    labels: NDArray[np.integer[Any]],
    probability: NDArray[np.float64],
    variance: NDArray[np.float64] | None = None,
) -> dict[str, list[float]]:
    """Held-out predictions as JSON holds them; ``cases`` (n,) are rows of the data set."""
    spread = np.zeros_like(probability) if variance is None else variance
    return {
        "case": cases.tolist(),
        "label": labels.tolist(),
        "probability": [round(float(p), 6) for p in probability],
        "variance": [round(float(v), 9) for v in spread],
    }


def pooled(cells: Sequence[Cell]) -> tuple[dict[str, NDArray[Any]], float]:
    """Predictions of all splits, concatenated; and the mean number of predictions per case.

    A case is held out in about half of the splits. Its predictions are not independent, so that an
    interval must not be narrower than for as many points as there are cases.
    """
    names = ("case", "label", "probability", "variance")
    together = {n: np.concatenate([c["predictions"][n] for c in cells]) for n in names}
    return together, len(together["case"]) / len(np.unique(together["case"]))


def column(cells: Sequence[Cell], name: str, inner: str | None = None) -> list[float]:
    """One value of every cell."""
    return [float((cell[inner] if inner else cell)[name]) for cell in cells]


def predictor_of(experiment: SupervisedExperiment, result: SupervisedResult) -> Predictor:
    """The predictor of a run that is still in memory."""
    codes, counts = result.trace.after(result.burn_in)
    return Predictor(
        encoder=experiment.encoder,
        registers=experiment.setup.registers,
        codes=codes,
        counts=counts,
        feature_names=list(experiment.dataset.feature_names),
        class_names=list(experiment.dataset.class_names),
        weight_names=experiment.weight_names,
        label=None,
        evaluation=result.evaluation(),
    )
