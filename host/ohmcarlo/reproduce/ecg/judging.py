"""Evaluation of a model on the beats of unseen patients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import diagnostics
from ...datasets import GroupSplit, ecg
from ..base import Cell
from .models import FloatArray, answers, measures

VALIDATION_FOLDS, VALIDATION_SEEDS = 5, 3
VALIDATION_SEED = 7  # of the folds
UNSEEN = ("S", "F")
MIN_UNSEEN = 10  # beats of an unseen class, for a patient's own area
TRUTHS = ("N", "V", "S", "F")
GRID = 101  # points of the curves
SCORE_BINS = 40
FALSE_POSITIVE = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, GRID)])
REJECTED = np.linspace(0.0, 0.2, GRID)


def ventricular_share() -> float:
    """Share of V among the N and V beats of the training patients: the prior for a new patient. The
    training on 200 and 200 beats assumes one half."""
    table = ecg.beat_table()
    classes = table.classes[table.among(ecg.training_records(), "NV")]
    return float((classes == "V").mean())


def expecting(p: FloatArray, share: float) -> FloatArray:
    """Probabilities learnt with half of the beats V, corrected for a prior ``share`` of V."""
    with np.errstate(divide="ignore", invalid="ignore"):  # probability 1 has infinite odds
        odds = p / (1 - p) * share / (1 - share)
        return np.where(np.isinf(odds), 1.0, odds / (1 + odds))


def unseen_auroc(classes: NDArray[np.str_], unsure: FloatArray) -> dict[str, float]:
    """Area under the ROC curve of detecting unseen beats (S, F, both) among N and V beats by
    ``unsure``; 1/2 is chance."""
    known = np.isin(classes, ["N", "V"])
    groups = {"S": ["S"], "F": ["F"], "S and F": ["S", "F"]}
    found = {}
    for name, members in groups.items():
        unseen = np.isin(classes, members)
        among = known | unseen
        found[name] = _area(unseen[among], unsure[among])
    return found


def within_patients(
    classes: NDArray[np.str_], records: NDArray[np.int64], unsure: FloatArray
) -> dict[str, float]:
    """Mean over patients of the area within each patient with at least MIN_UNSEEN such beats."""
    found = {}
    for name in UNSEEN:
        areas = []
        for record in np.unique(records):
            own = records == record
            if (classes[own] == name).sum() >= MIN_UNSEEN:
                chosen = own & np.isin(classes, ["N", "V", name])
                areas.append(_area(classes[chosen] == name, unsure[chosen]))
        found[name] = float(np.mean(areas))
    return found


def _area(positive: NDArray[np.bool_], score: FloatArray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(positive, score))


def quality(y: NDArray[np.bool_], p: FloatArray, share: float) -> dict[str, float]:
    """Quality of predictions for N (y False) and V (y True) beats, decided at 1/2 of the balanced
    training; log loss and calibration error also for the prior ``share`` of V."""
    predicted = p >= 0.5
    real = expecting(p, share)
    return {
        "balanced_accuracy": diagnostics.balanced_accuracy(y, p),
        "accuracy": diagnostics.accuracy(y, p),
        "sensitivity": float(predicted[y].mean()),
        "specificity": float((~predicted[~y]).mean()),
        "ppv": float(y[predicted].mean()),
        "ppv_shifted": float(y[real >= 0.5].mean()),
        "sensitivity_shifted": float((real >= 0.5)[y].mean()),
        "auc": _area(y, p),
        "log_loss": diagnostics.log_loss(y, p),
        "ece": diagnostics.ece(y, p),
        "log_loss_shifted": diagnostics.log_loss(y, real),
        "ece_shifted": diagnostics.ece(y, real),
    }


def curves(y: NDArray[np.bool_], p: FloatArray, unsure: FloatArray, share: float) -> dict[str, Any]:
    """Curves of the pictures for N and V beats."""
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(y, p)
    real = expecting(p, share)
    bins = np.minimum((real * diagnostics.ECE_BINS).astype(int), diagnostics.ECE_BINS - 1)
    right = ((p >= 0.5) == y)[np.argsort(unsure, kind="stable")]
    kept = np.maximum(1, np.rint(len(y) * (1 - REJECTED))).astype(int)
    return {
        "true_positive": np.interp(FALSE_POSITIVE, false, true).tolist(),
        "reliability": [
            np.bincount(bins, weights, diagnostics.ECE_BINS).tolist()
            for weights in (np.ones(len(y)), real, y.astype(float))
        ],
        "accuracy_kept": (np.cumsum(right)[kept - 1] / kept).tolist(),
    }


def judge(name: str, seed: int, strip: tuple[int, int, int]) -> Cell:
    """A cell: model ``name`` learns 400 beats and predicts every beat of DS2.

    ``strip`` is the record and the samples of the beats whose predictions the picture shows.
    """
    table, data = ecg.beat_table(), ecg.ventricular()
    train, _ = data.split(seed)
    tested = table.among(ecg.DS2, "".join(TRUTHS))
    classes = table.classes[tested]
    given = answers(name, data.x[train], data.y[train], table.x[tested], seed)
    known = np.isin(classes, ["N", "V"])
    y, p, share = classes[known] == "V", given.probability[known], ventricular_share()
    record, first, last = strip
    shown = (table.records == record) & (table.samples >= first) & (table.samples < last)
    found: Cell = {
        "model": name,
        "seed": seed,
        **quality(y, p, share),
        "chain": given.chain,
        "unseen": {m: unseen_auroc(classes, given.unsure(m)) for m in measures(name)},
        "within": {
            m: within_patients(classes, table.records[tested], given.unsure(m))
            for m in measures(name)
        },
        "strip": {
            "probability": given.probability[shown[tested]].tolist(),
            "spread": np.sqrt(given.variance[shown[tested]]).tolist(),
        },
        "curves": {},
        "scores": {},
    }
    for measure in measures(name):
        unsure = given.unsure(measure)
        found["curves"][measure] = curves(y, p, unsure[known], share)
        rank = np.searchsorted(np.sort(unsure[known]), unsure) / known.sum()
        found["scores"][measure] = {
            c: np.histogram(rank[classes == c], SCORE_BINS, (0, 1))[0].tolist() for c in TRUTHS
        }
    return found


def validate(name: str, seed: int) -> Cell:
    """A cell: detection of S and F beats by each measure in patients of DS1, who are left out of
    the training in turn (in groups of four)."""
    table, data = ecg.beat_table(), ecg.ventricular()
    patients = np.array(ecg.training_records())
    order = np.random.default_rng(VALIDATION_SEED).permutation(patients)
    split = data.own_split
    assert split is not None
    classes, unsure = [], {measure: [] for measure in measures(name)}  # type: ignore[var-annotated]
    for out in np.array_split(order, VALIDATION_FOLDS):
        inner = GroupSplit(
            split.groups,
            np.isin(split.groups, np.setdiff1d(patients, out)),
            np.isin(split.groups, out),
            split.per_class,
        )
        train, _ = inner.rows(data.y, seed)
        tested = table.among([int(r) for r in out], "".join(TRUTHS))
        given = answers(name, data.x[train], data.y[train], table.x[tested], seed)
        classes.append(table.classes[tested])
        for measure in unsure:
            unsure[measure].append(given.unsure(measure))
    truth = np.concatenate(classes)
    return {
        "model": name,
        "seed": seed,
        "unseen": {m: unseen_auroc(truth, np.concatenate(u)) for m, u in unsure.items()},
    }
