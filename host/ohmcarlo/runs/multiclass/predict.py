"""Predictions of a run of several classes with their uncertainty, from its folder alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...datasets.several_classes import BinaryProblem
from ...progress import phase
from ..classes import BinaryPosterior, ClassPosterior, ClassUncertainty
from ..predictions import ClassTable
from ..stored import MANIFEST, RESULT, intact, read_manifest, read_result, require_result_file
from ..supervised.predict import Predictor, read_points

FloatArray = NDArray[np.float64]


def folder_of(number: int) -> str:
    """Name of the folder of a binary problem inside the folder of the run."""
    return f"problem-{number + 1}"


def posterior_of(path: Path, problems: tuple[BinaryProblem, ...], method: str) -> ClassPosterior:
    """The joint posterior of the complete runs of all problems in ``path``."""
    parts = []
    for number in range(len(problems)):
        found = Predictor.of_run(path / folder_of(number))
        parts.append(BinaryPosterior(found.encoder, found.registers, found.codes, found.counts))
    return ClassPosterior(problems, method, parts)


@dataclass(frozen=True, eq=False)
class MulticlassPredictor:
    """The posterior of a run, for predictions.

    Attributes
    ----------
    posterior : ClassPosterior
    feature_names, class_names : list of str
    label : str or None
        Name of the label column in the training data.
    """

    posterior: ClassPosterior
    feature_names: list[str]
    class_names: list[str]
    label: str | None

    @classmethod
    def of_run(cls, path: Path) -> MulticlassPredictor:
        """Raises UsageError when the run is not complete, OhmcarloError when it is damaged."""
        read_result(path)
        with intact(path / MANIFEST):
            data = read_manifest(path)["data"]
            problems = tuple(BinaryProblem(k, tuple(others)) for k, others in data["problems"])
            names = list(data["feature_names"]), list(data["class_names"])
            method, label = str(data["method"]), data.get("label")
        for number in range(len(problems)):
            require_result_file(path, f"{folder_of(number)}/{RESULT}")
        return cls(posterior_of(path, problems, method), *names, label)


@dataclass(frozen=True, eq=False)
class MulticlassPredictions(ClassTable):
    """Predicted classes for new data.

    Attributes
    ----------
    probability : float64 (n, classes)
        Posterior mean of the probabilities.
    uncertainty : ClassUncertainty
    class_names : list of str
    extrapolated : bool (n,)
        A feature lies beyond what the run's inputs can represent.
    data : str
        What was recognised in the file.
    labels : int (n,) or None
        If the file had them.
    """

    AFFECTED: ClassVar = "the answers"

    probability: FloatArray
    uncertainty: ClassUncertainty
    class_names: list[str]
    extrapolated: NDArray[np.bool_]
    data: str
    labels: NDArray[np.int64] | None = None

    @property
    def columns(self) -> dict[str, str]:
        return {
            "row": "number of the case in the file, from 1",
            "class": "the most probable class",
            **self.probability_columns(),
            "entropy": "entropy of these probabilities, nat: the total uncertainty",
            "aleatoric": "the part of it that more data would not reduce",
            "epistemic": "the part of it that more data would reduce: the mutual information of "
            "class and weights",
            "extrapolated": "true: an input lies beyond the range of the training data, where "
            "neither probabilities nor uncertainties can be trusted",
        }

    @property
    def answers(self) -> NDArray[np.int64]:
        return self.probability.argmax(axis=1)

    def cases(self) -> Iterator[list[Any]]:
        parts = self.uncertainty
        for i, answer in enumerate(self.answers):
            shares = [float(p) for p in self.probability[i]]
            split = [float(part[i]) for part in (parts.total, parts.aleatoric, parts.epistemic)]
            yield [i + 1, self.class_names[answer], *shares, *split, bool(self.extrapolated[i])]


def predict_file(run: Path, data: Path) -> MulticlassPredictions:
    """Predictions for the rows of a CSV file, which is read as for two classes."""
    predictor = MulticlassPredictor.of_run(run)
    found, labels = read_points(
        data, predictor.feature_names, predictor.class_names, predictor.label
    )
    with phase("predicting the cases"):
        probability, uncertainty = predictor.posterior.predict(found.x)
    return MulticlassPredictions(
        probability=probability,
        uncertainty=uncertainty,
        class_names=predictor.class_names,
        extrapolated=predictor.posterior.extrapolated(found.x, probability),
        data=found.summary(labels is not None),
        labels=labels,
    )
