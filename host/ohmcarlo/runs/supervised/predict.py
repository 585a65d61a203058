"""Predictions of a supervised run with their uncertainty, from its folder alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...datasets import Encoder
from ...datasets.label_column import known_classes
from ...golden import Registers, SamplerSettings, predict
from ...spec import Geometry
from ..agreement import samples_of
from ..predictions import ClassTable, NewData, open_points, predicted_at_once
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
from .experiment import labels_of, standardised_weights
from .result import RESULT_KEYS, check_evaluation

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Predictor:
    """The posterior of a run, for predictions.

    Attributes
    ----------
    encoder : Encoder
    registers : Registers
        Of the run's model; prediction needs neither its array nor its data.
    codes, counts : uint16 (n, devices), int64 (n,)
        Samples after burn-in, and for how many steps each was current.
    feature_names, class_names, weight_names : list of str
        Columns of the data before encoding; classes 0 and 1; what ``weights`` holds.
    label : str or None
        Name of the label column in the training data.
    evaluation : dict
        ``inputs``, ``labels``, ``probability``, ``variance`` of the held-out points; ``wear``.
    """

    encoder: Encoder
    registers: Registers
    codes: NDArray[np.uint16]
    counts: NDArray[np.int64]
    feature_names: list[str]
    class_names: list[str]
    weight_names: list[str]
    label: str | None
    evaluation: dict[str, NDArray[Any]]

    @classmethod
    def of_run(cls, path: Path) -> Predictor:
        """Raises UsageError when the run is not complete, OhmcarloError when it is damaged."""
        result, manifest = read_result(path, RESULT_KEYS), read_manifest(path)
        trace, encoder = read_trace(path), stored_encoder(path, Encoder.from_dict)
        with intact(path / RESULT):
            registers = prediction_registers(result)
            codes, counts = samples_of(registers, trace, left_out(result))
        with intact(path / MANIFEST):
            return cls(
                encoder=encoder,
                registers=registers,
                codes=codes,
                counts=counts,
                feature_names=list(manifest["data"]["feature_names"]),
                class_names=list(manifest["data"]["class_names"]),
                weight_names=list(manifest["weight_names"]),
                label=manifest["data"].get("label"),
                evaluation=read_evaluation(path, check_evaluation),
            )

    def predict(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of P(class 1): x float64 (n, features) as in the data, (n,) each."""
        parts = [
            predict(self.registers, self.encoder.encode(x[part]), self.codes, self.counts)
            for part in predicted_at_once(len(x), len(self.codes), "rows")
        ]
        mean, variance = zip(*parts, strict=True)
        return np.concatenate(mean), np.concatenate(variance)

    def clipped(self, x: FloatArray) -> NDArray[np.bool_]:
        """Points with a feature beyond the machine's 8-bit inputs, which are cut off there: x
        float64 (n, features) → bool (n,). Neither probability nor spread shows it."""
        return self.encoder.saturates(x)

    def weights(self) -> FloatArray:
        """Weights of the standardised features after burn-in, float64 (steps, weights)."""
        labels = labels_of(self.registers, self.codes, self.counts)
        samples = standardised_weights(self.registers, self.encoder, self.codes, labels)
        return np.repeat(samples, self.counts, axis=0)

    def of_single_samples(self, x: FloatArray, samples: int, seed: int) -> FloatArray:
        """P(class 1) under single samples, which are drawn by multiplicity: float64 (samples, n)
        for x float64 (n, features)."""
        share = self.counts / self.counts.sum()
        drawn = np.random.default_rng(seed).choice(len(share), samples, p=share)
        points, once = self.encoder.encode(x), np.ones(1, np.int64)
        return np.stack([predict(self.registers, points, self.codes[[i]], once)[0] for i in drawn])


def prediction_registers(result: dict[str, Any]) -> Registers:
    """Registers for the logits of a run; settings of the chain itself have default values."""
    shape = result["geometry"]
    geometry = Geometry(
        rows=shape["rows"],
        pairs=shape["pairs"],
        entropy_pairs=shape["entropy_pairs"],
        row_group=shape["row_group"],
    )
    settings = SamplerSettings(gamma_us=result["gamma_us"], hidden=result["hidden"])
    return settings.registers(geometry, result["features"] + 1, lambda g: 0.05 * g)


@dataclass(frozen=True, eq=False)
class ClassPredictions(ClassTable):
    """Predicted classes for new data.

    Attributes
    ----------
    probability, spread : float64 (n,)
        Posterior mean and standard deviation of P(class 1).
    class_names : list of str
        Of class 0 and class 1.
    extrapolated : bool (n,)
        A feature lies beyond what the run's inputs can represent.
    data : str
        What was recognised in the file.
    labels : int (n,) or None
        If the file had them.
    """

    AFFECTED: ClassVar = "probability and spread"

    probability: FloatArray
    spread: FloatArray
    class_names: list[str]
    extrapolated: NDArray[np.bool_]
    data: str
    labels: NDArray[np.int64] | None = None

    @property
    def columns(self) -> dict[str, str]:
        return {
            "row": "number of the case in the file, from 1",
            "class": "the more probable class",
            **self.probability_columns(),
            "spread": "standard deviation of that probability over the posterior: the epistemic "
            "uncertainty",
            "extrapolated": "true: an input lies beyond the range of the training data, where "
            "neither probability nor spread can be trusted",
        }

    @property
    def answers(self) -> NDArray[np.int64]:
        return (self.probability >= 0.5).astype(np.int64)

    def cases(self) -> Iterator[tuple[int, str, float, float, float, bool]]:
        for i, answer in enumerate(self.answers):
            p = float(self.probability[i])
            name, spread = self.class_names[answer], float(self.spread[i])
            yield i + 1, name, 1 - p, p, spread, bool(self.extrapolated[i])


def predict_file(run: Path, data: Path) -> ClassPredictions:
    """Predictions for the rows of a CSV file.

    The run's features are found by the names in the first line, in any order. A label column is
    optional. It has the name of the run's label or one of the names that ``load_csv`` expects, or
    it is the only other column and holds nothing but the run's classes. Raises UsageError, which
    names line and column, for a cell that cannot be used.
    """
    predictor = Predictor.of_run(run)
    found, labels = read_points(
        data, predictor.feature_names, predictor.class_names, predictor.label
    )
    probability, variance = predictor.predict(found.x)
    return ClassPredictions(
        probability=probability,
        spread=np.sqrt(variance),
        class_names=predictor.class_names,
        extrapolated=predictor.clipped(found.x),
        data=found.summary(labels is not None),
        labels=labels,
    )


def read_points(
    path: Path, features: list[str], classes: list[str], label: str | None
) -> tuple[NewData, NDArray[np.int64] | None]:
    """The columns ``features`` of a file, and labels if there are any."""
    found = open_points(path, features, label)
    return found, _labels(found, features, classes)


def _labels(data: NewData, features: list[str], classes: list[str]) -> NDArray[np.int64] | None:
    table, column = data.table, data.label
    if column is not None:
        found = known_classes(table, column, classes)
        if None in found:
            row = found.index(None)
            raise table.error(
                row, column, f"label {table.cell(row, column)!r} is none of {', '.join(classes)}"
            )
        return np.array(found, np.int64)
    others = [c for c, name in enumerate(table.header) if name not in features]
    if len(others) == 1 and None not in (found := known_classes(table, others[0], classes)):
        return np.array(found, np.int64)
    return None
