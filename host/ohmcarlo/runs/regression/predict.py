"""Predictions of a regression run with their uncertainty, from its folder alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...datasets.gaussian import NoisePosterior
from ...datasets.regression import RegressionEncoder
from ...progress import phase
from ..predictions import NewData, PredictionTable, open_points
from ..stored import (
    MANIFEST,
    RESULT,
    intact,
    read_evaluation,
    read_manifest,
    read_result,
    read_trace,
    stored_encoder,
)
from ..summary import left_out
from ..supervised.predict import prediction_registers
from .posterior import JointPosterior
from .result import INTERVAL, RESULT_KEYS, check_evaluation
from .scores import interval, point_scores

FloatArray = NDArray[np.float64]
COLUMNS = {
    "row": "number of the case in the file, from 1",
    "prediction": "mean of the predicted label",
    "low_95": "lower end of the 95 % interval of the label",
    "high_95": "upper end of the 95 % interval of the label",
    "spread": "standard deviation of the mean over the posterior: the epistemic uncertainty",
    "extrapolated": "true: the case lies farther out than all training data, where the model was "
    "never tested",
}


@dataclass(frozen=True, eq=False)
class RegressionPredictor:
    """The posterior of a run, for predictions.

    Attributes
    ----------
    posterior : JointPosterior
    feature_names, weight_names : list of str
        Columns of the data before encoding; what the weights are of.
    label : str or None
        Name of the label column in the training data.
    evaluation : dict
        The arrays of ``EVALUATION``.
    """

    posterior: JointPosterior
    feature_names: list[str]
    weight_names: list[str]
    label: str | None
    evaluation: dict[str, NDArray[Any]]

    @classmethod
    def of_run(cls, path: Path) -> RegressionPredictor:
        """Raises UsageError when the run is not complete, OhmcarloError when it is damaged."""
        result, manifest = read_result(path, RESULT_KEYS), read_manifest(path)
        trace, encoder = read_trace(path), stored_encoder(path, RegressionEncoder.from_dict)
        with intact(path / MANIFEST):
            feature_names = list(manifest["data"]["feature_names"])
            weight_names = list(manifest["weight_names"])
            label = manifest["data"].get("label")
        with intact(path / RESULT):
            noise = NoisePosterior(float(result["noise"]["shape"]), float(result["noise"]["scale"]))
            posterior = JointPosterior.of(
                prediction_registers(result | {"hidden": 0}),
                encoder,
                trace,
                left_out(result),
                noise,
                int(result["seed"]),
            )
        evaluation = read_evaluation(path, check_evaluation)
        return cls(posterior, feature_names, weight_names, label, evaluation)


@dataclass(frozen=True, eq=False)
class NumberPredictions(PredictionTable):
    """Predicted numbers for new data.

    Attributes
    ----------
    prediction, low, high, spread : float64 (n,)
        Mean, 95 % interval, and standard deviation of the mean.
    extrapolated : bool (n,)
    data : str
        What was recognised in the file.
    labels : float64 (n,) or None
        If the file had them.
    """

    NUMBER: ClassVar = ".6g"
    BEYOND: ClassVar = "farther out than the training data"
    AFFECTED: ClassVar = "the predictions"

    prediction: FloatArray
    low: FloatArray
    high: FloatArray
    spread: FloatArray
    extrapolated: NDArray[np.bool_]
    data: str
    labels: FloatArray | None = None

    @property
    def columns(self) -> dict[str, str]:
        return COLUMNS

    def cases(self) -> Iterator[tuple[int, float, float, float, float, bool]]:
        for i, mean in enumerate(self.prediction):
            low, high, spread = float(self.low[i]), float(self.high[i]), float(self.spread[i])
            yield i + 1, float(mean), low, high, spread, bool(self.extrapolated[i])

    def comparison(self) -> list[str]:
        if self.labels is None:
            return []
        found = self.scores()
        return [
            f"on these {len(self.labels)}: RMSE {found['rmse']:.4g}, R² {found['r2']:.3f}, "
            f"{found['covered']:.1%} within the 95 % interval"
        ]

    def scores(self) -> dict[str, float]:
        """Errors of the predictions; empty without labels."""
        if self.labels is None:
            return {}
        inside = (self.low <= self.labels) & (self.labels <= self.high)
        return {**point_scores(self.labels, self.prediction), "covered": float(inside.mean())}

    def summary(self) -> dict[str, Any]:
        return {"columns": COLUMNS, "scores": self.scores() or None}


def predict_numbers(run: Path, data: Path) -> NumberPredictions:
    """Predictions for the rows of a CSV file.

    The run's features are found by the names in the first line, in any order. A label column is
    optional; it has the name of the run's label or one of the names that ``load_csv`` expects.
    Raises UsageError, which names line and column, for a cell that cannot be used.
    """
    predictor = RegressionPredictor.of_run(run)
    found = open_points(data, predictor.feature_names, predictor.label)
    x, labels = found.x, _labels(found)
    posterior = predictor.posterior
    with phase("predicting the cases"):
        low, high = interval(posterior.predictive_draws(x), INTERVAL)
        spread, _ = posterior.spreads(x)
    return NumberPredictions(
        prediction=posterior.predict(x),
        low=low,
        high=high,
        spread=spread,
        extrapolated=posterior.encoder.extrapolates(x),
        data=found.summary(labels is not None),
        labels=labels,
    )


def _labels(data: NewData) -> FloatArray | None:
    return None if data.label is None else data.table.numbers([data.label])[:, 0]
