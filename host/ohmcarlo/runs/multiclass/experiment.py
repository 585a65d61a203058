"""The data of a run of several classes, and its binary problems."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...boards import Say, silent
from ...datasets import Dataset, load
from ...datasets.several_classes import STICK_BREAKING, BinaryProblem, binary_problems
from ...errors import UsageError
from ...tasks import SUPERVISED, get_task
from ..config import TrainConfig
from ..digests import digest_of
from ..provenance import DATA, origin_of_request


@dataclass(frozen=True, eq=False)
class MulticlassExperiment:
    """The inputs of a run of several classes; equal configurations give equal ones.

    Attributes
    ----------
    config : TrainConfig
    dataset : Dataset
    train, test : int64 (n,)
        Rows of the data set in either half.
    problems : tuple of BinaryProblem
    """

    config: TrainConfig
    dataset: Dataset
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    problems: tuple[BinaryProblem, ...]

    def close(self) -> None:
        """There is no board: each problem opens its own."""

    @property
    def method(self) -> str:
        return self.config.multi_class or STICK_BREAKING

    def config_of(self, number: int) -> TrainConfig:
        """The configuration of the run of one problem."""
        return replace(self.config, kind=SUPERVISED, multi_class=self.method, problem=number)

    def name_of(self, number: int) -> str:
        """The class that a problem tells apart from others."""
        return self.dataset.class_names[self.problems[number].positive]

    def description(self) -> list[str]:
        """Lines of text that describe the run."""
        names = [self.name_of(k) for k in range(len(self.problems))]
        if self.method == STICK_BREAKING:
            (last,) = self.problems[-1].others
            order = ", ".join([*names, self.dataset.class_names[last]])
            method = f"stick-breaking in the order {order}, the easiest to separate first"
        else:
            method = "one class against the rest"
        return [
            f"{self.config.task}: {len(self.train)} points to learn from, {len(self.test)} held "
            f"out, {len(self.dataset.class_names)} classes",
            f"data: {self.dataset.summary()}",
            f"{len(self.problems)} binary problems, each in an array of its own: {method}",
        ]

    def inputs(self) -> dict[str, str]:
        """SHA-256 of all inputs, by name; each problem has further ones."""
        d = self.dataset
        return {
            DATA: digest_of([d.x, d.y, d.feature_names, d.class_names], exact=True),
            "problems": digest_of([list(self.problems), self.method]),
        }

    def manifest(self) -> dict[str, Any]:
        """The part of the manifest that identifies configuration, data and problems."""
        return {
            **origin_of_request(self.config),
            "inputs": self.inputs(),
            "data": {
                "feature_names": list(self.dataset.feature_names),
                "class_names": list(self.dataset.class_names),
                **self.dataset.origin(),
                "method": self.method,
                "problems": [[p.positive, list(p.others)] for p in self.problems],
            },
        }


def build_multiclass(config: TrainConfig, say: Say = silent) -> MulticlassExperiment:
    """Load and split the data; raises UsageError for data that cannot be used."""
    if config.hidden:
        raise UsageError(
            "a network tells two classes apart: leave out --hidden, or merge classes in the data"
        )
    dataset = load(get_task(config.task).dataset, regression=False, **config.columns)
    if len(dataset.class_names) < 3:
        raise UsageError(f"{config.task} has two classes: leave out --multi-class")
    train, test = dataset.split(config.seed, config.train_points)
    problems = binary_problems(
        dataset.x[train], dataset.y[train], config.multi_class or STICK_BREAKING
    )
    return MulticlassExperiment(config, dataset, train, test, problems)
