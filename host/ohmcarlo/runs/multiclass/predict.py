"""Predictions of a run of several classes with their uncertainty, from its folder alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.several_classes import BinaryProblem
from ...readable import count, first_few
from ..classes import BinaryPosterior, ClassPosterior, ClassUncertainty
from ..stored import MANIFEST, RESULT, intact, read_manifest, read_result, require_result_file
from ..supervised.predict import Predictor, probability_column, read_points

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
    """

    posterior: ClassPosterior
    feature_names: list[str]
    class_names: list[str]

    @classmethod
    def of_run(cls, path: Path) -> MulticlassPredictor:
        """Raises UsageError when the run is not complete, OhmcarloError when it is damaged."""
        read_result(path)
        with intact(path / MANIFEST):
            data = read_manifest(path)["data"]
            problems = tuple(BinaryProblem(k, tuple(others)) for k, others in data["problems"])
            names = list(data["feature_names"]), list(data["class_names"])
            method = str(data["method"])
        for number in range(len(problems)):
            require_result_file(path, f"{folder_of(number)}/{RESULT}")
        return cls(posterior_of(path, problems, method), *names)


@dataclass(frozen=True, eq=False)
class MulticlassPredictions:
    """Predicted classes for new data.

    Attributes
    ----------
    probability : float64 (n, classes)
        Posterior mean of the probabilities.
    uncertainty : ClassUncertainty
    class_names : list of str
    clipped : bool (n,)
        Answers that are extrapolated: a feature lies beyond what the run's inputs can represent.
    labels : int (n,) or None
        If the file had them.
    """

    probability: FloatArray
    uncertainty: ClassUncertainty
    class_names: list[str]
    clipped: NDArray[np.bool_]
    labels: NDArray[np.int64] | None = None

    @property
    def columns(self) -> dict[str, str]:
        """Columns of the table, in their order, and what each holds."""
        return {
            "row": "number of the case in the file, from 1",
            "class": "the most probable class",
            **{
                probability_column(name): f"probability of class {name}, the mean over the "
                "posterior"
                for name in self.class_names
            },
            "entropy": "entropy of these probabilities, nat: the total uncertainty",
            "aleatoric": "the part of it that more data would not reduce",
            "epistemic": "the part of it that more data would reduce: the mutual information of "
            "class and weights",
            "extrapolated": "true: an input lies beyond the range of the training data, where "
            "neither probabilities nor uncertainties can be trusted",
        }

    @property
    def header(self) -> list[str]:
        return list(self.columns)

    @property
    def answers(self) -> NDArray[np.int64]:
        return self.probability.argmax(axis=1)

    @property
    def accuracy(self) -> float | None:
        """Share of right answers, None without labels."""
        return None if self.labels is None else float((self.answers == self.labels).mean())

    def _cases(self) -> Iterator[list[Any]]:
        """The values of every case under ``header``."""
        parts = self.uncertainty
        for i, answer in enumerate(self.answers):
            shares = [float(p) for p in self.probability[i]]
            split = [float(part[i]) for part in (parts.total, parts.aleatoric, parts.epistemic)]
            yield [i + 1, self.class_names[answer], *shares, *split, bool(self.clipped[i])]

    def table(self) -> list[list[str]]:
        """Cells under ``header``, a row for every point."""
        return [
            [f"{row}", name, *(f"{value:.6f}" for value in values), str(beyond).lower()]
            for row, name, *values, beyond in self._cases()
        ]

    def notes(self) -> list[str]:
        """Lines of text: the meaning of the columns, accuracy, extrapolated rows."""
        notes = [f"{name}: {meaning}" for name, meaning in self.columns.items()]
        if self.accuracy is not None:
            notes.append(f"accuracy on these {len(self.probability)}: {self.accuracy:.1%}")
        if rows := [i for i, beyond in enumerate(self.clipped, start=1) if beyond]:
            notes.append(
                f"note: {count(len(rows), 'row')} beyond the range of the training data, where "
                f"the 8-bit inputs end ({first_few(rows)}): the answers are extrapolated"
            )
        return notes

    def values(self) -> dict[str, Any]:
        """Content of the JSON file."""
        return {
            "class_names": self.class_names,
            "columns": self.columns,
            "accuracy": self.accuracy,
            "extrapolated": int(self.clipped.sum()),
            "predictions": [dict(zip(self.header, case, strict=True)) for case in self._cases()],
        }


def predict_file(run: Path, data: Path) -> MulticlassPredictions:
    """Predictions for the rows of a CSV file, which is read as for two classes."""
    predictor = MulticlassPredictor.of_run(run)
    x, labels = read_points(data, predictor.feature_names, predictor.class_names)
    probability, uncertainty = predictor.posterior.predict(x)
    return MulticlassPredictions(
        probability=probability,
        uncertainty=uncertainty,
        class_names=predictor.class_names,
        clipped=predictor.posterior.extrapolated(x, probability),
        labels=labels,
    )
