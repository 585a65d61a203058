"""The result of a run of several classes: accuracy on held-out data, and all problems together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import diagnostics
from ...diagnostics import wilson_interval
from ...files import json_ready
from ..classes import DRAWS, ClassUncertainty
from ..stored import check_points, read_result
from ..summary import COMPLETE
from ..verdict import judge_all
from .experiment import MulticlassExperiment
from .predict import folder_of, posterior_of

FloatArray = NDArray[np.float64]
Labels = NDArray[np.integer[Any]]
SHARED = (  # equal in all problems
    "backend", "array", "preset", "kernel", "wide_every", "whiten", "adapt", "trimmed", "geometry",
    "dot_products", "chains",
)  # fmt: skip
RESULT_KEYS = (  # read by tables, warnings and pictures
    "task", "class_names", "multi_class", "train_points", "test_points", "accuracy",
    "accuracy_interval_95", "balanced_accuracy", "log_loss", "ece", "confusion", "per_class",
    "aleatoric_mean", "epistemic_mean", "baseline", "problems", "verdict", "verdict_reasons",
    "energy_joules", "energy", "entropy", "wall_seconds", "trimmed", "array",
)  # fmt: skip
EVALUATION = {"probability": 2, "total": 1, "aleatoric": 1, "labels": 1}  # dimensions


@dataclass(frozen=True, eq=False)
class MulticlassResult:
    """A finished run.

    Attributes
    ----------
    values : dict
        Content of the JSON file.
    probability : float64 (held-out points, classes)
    uncertainty : ClassUncertainty
    labels : int (held-out points,)
    """

    values: dict[str, Any]
    probability: FloatArray
    uncertainty: ClassUncertainty
    labels: Labels

    def evaluation(self) -> dict[str, NDArray[Any]]:
        """The arrays that the pictures of a report need."""
        return {
            "probability": self.probability,
            "total": self.uncertainty.total,
            "aleatoric": self.uncertainty.aleatoric,
            "labels": self.labels,
        }


def check_evaluation(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise KeyError or ValueError unless ``arrays`` are those of an ``evaluation``."""
    check_points(arrays, EVALUATION)


def evaluate_multiclass(experiment: MulticlassExperiment, path: Path) -> MulticlassResult:
    """The result of the complete runs of all problems in ``path``."""
    dataset, test = experiment.dataset, experiment.test
    posterior = posterior_of(path, experiment.problems, experiment.method)
    probability, uncertainty = posterior.predict(dataset.x[test])
    labels = dataset.y[test].astype(np.int64)
    problems = [
        {
            "class": experiment.name_of(k),
            "against": [dataset.class_names[c] for c in problem.others],
            "folder": folder_of(k),
            "array_seed": experiment.config_of(k).array_seed,
            **read_result(path / folder_of(k)),
        }
        for k, problem in enumerate(experiment.problems)
    ]
    values = {
        "task": experiment.config.task,
        "kind": experiment.config.kind,
        "multi_class": experiment.method,
        "class_names": list(dataset.class_names),
        "data": dataset.origin(),
        "seed": experiment.config.seed,
        **{name: problems[0][name] for name in SHARED},
        "train_points": len(experiment.train),
        "test_points": len(test),
        "draws": DRAWS,
        **quality(labels, probability, dataset.class_names),
        "aleatoric_mean": float(uncertainty.aleatoric.mean()),
        "epistemic_mean": float(uncertainty.epistemic.mean()),
        "baseline": multinomial(experiment),
        **together(problems),
        "problems": problems,
    }
    by_class = {f"class {problem['class']}": problem for problem in problems}
    ready: dict[str, Any] = json_ready(values)
    return MulticlassResult(ready | judge_all(by_class).to_dict(), probability, uncertainty, labels)


def quality(labels: Labels, probability: FloatArray, names: Sequence[str]) -> dict[str, Any]:
    """Measures of predictions: labels (n,), probabilities of the classes (n, classes).

    ``ece`` is the calibration error of the answer: |share of right answers - mean probability of
    the answer|, averaged over bins of that probability (Guo et al. 2017, arXiv:1706.04599).
    """
    from sklearn import metrics

    known = np.arange(len(names))
    answers = probability.argmax(axis=1)
    right = answers == labels
    columns = metrics.precision_recall_fscore_support(
        labels, answers, labels=known, zero_division=0.0
    )
    return {
        "accuracy": float(right.mean()),
        "accuracy_interval_95": wilson_interval(float(right.mean()), len(labels)),
        "balanced_accuracy": float(metrics.balanced_accuracy_score(labels, answers)),
        "log_loss": float(metrics.log_loss(labels, probability, labels=known)),
        "ece": diagnostics.ece(right.astype(np.int64), probability.max(axis=1)),
        "confusion": metrics.confusion_matrix(labels, answers, labels=known).tolist(),
        "per_class": {
            name: {
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(f1),
                "support": int(support),
            }
            for name, precision, recall, f1, support in zip(names, *columns, strict=True)
        },
    }


def multinomial(experiment: MulticlassExperiment) -> dict[str, float]:
    """scikit-learn's multinomial logistic regression on the same halves, with all features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    dataset, train, test = experiment.dataset, experiment.train, experiment.test
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
    model.fit(dataset.x[train], dataset.y[train])
    found = quality(dataset.y[test], model.predict_proba(dataset.x[test]), dataset.class_names)
    return {name: found[name] for name in ("accuracy", "balanced_accuracy", "log_loss", "ece")}


def together(problems: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Cost and state of all problems: their sums, and the worst coin."""

    def each(name: str) -> list[Any]:
        return [problem[name] for problem in problems]

    coins = each("entropy")
    links = [problem.get("link") for problem in problems]
    return {
        "rho": min(each("rho")),
        "steps": min(each("steps")),
        "acceptance_rate": float(np.mean(each("acceptance_rate"))),
        "accesses": sum(each("accesses")),
        "accesses_without_early_reject": sum(each("accesses_without_early_reject")),
        "pulses": summed(each("pulses")),
        "wear": {
            "mean": float(np.mean([wear["mean"] for wear in each("wear")])),
            "max": max(wear["max"] for wear in each("wear")),
        },
        "energy_joules": sum(each("energy_joules")),
        "energy": summed(each("energy")),
        "wall_seconds": sum(each("wall_seconds")),
        "clock_cycles": None if None in each("clock_cycles") else sum(each("clock_cycles")),
        "clock_hz": each("clock_hz")[0],
        "entropy": {
            "min_entropy": min(coin["min_entropy"] for coin in coins),
            "tested_min_entropy": min(coin["tested_min_entropy"] for coin in coins),
            "fold": max(coin["fold"] for coin in coins),
            "alarms": sum(coin["alarms"] for coin in coins),
            "raw_bits": sum(coin["raw_bits"] for coin in coins),
            "pseudo_random": all(coin["pseudo_random"] for coin in coins),
        },
        "link": None if None in links else summed(links),
        "status": next((s for s in each("status") if s != COMPLETE), COMPLETE),
    }


def summed(trees: Sequence[Any]) -> Any:
    """Equal trees of numbers, added leaf by leaf; text must be equal."""
    first = trees[0]
    if isinstance(first, Mapping):
        return {name: summed([tree[name] for tree in trees]) for name in first}
    if isinstance(first, (int, float)) and not isinstance(first, bool):
        return sum(trees)
    return first
