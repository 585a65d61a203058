"""Cells: an array that learns beats and triages those of unseen patients; a rival in software."""

from __future__ import annotations

import warnings
from contextlib import closing
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets import ecg
from ...datasets.beats import FEATURES
from ...golden import Thresholds, Triage, judge
from ...runs.chain_run import ChainRun
from ...runs.config import TrainConfig
from ...runs.supervised.experiment import prepare
from ...spec import PROB_FRAC
from ...tasks import get_task
from ..base import Cell
from ..ecg.models import PLAIN, SOFTWARE_MODELS, TASK, software
from .sweep import THRESHOLDS, Beats, Flags, sweep

PRESET = "rram-1t1r"
STEPS = 2000
SETTINGS: dict[str, Any] = {
    "whiten": True,
    "adapt": True,  # without a fit on the computer
    "rho": 0.8,
    "steps": STEPS,
    "preset": PRESET,
}
RECALIBRATED, ONCE = "recalibrated", "trimmed once"
MARGIN, VARIANCE = "margin", "variance"
TESTED = "NVSF"


@cache
def unseen_beats() -> tuple[NDArray[np.float64], Beats]:
    """Inputs and classes of the beats of unseen patients, and what the host answers."""
    table = ecg.beat_table()
    tested = table.among(ecg.DS2, TESTED)
    x = table.x[tested]
    return x, Beats(table.classes[tested], host_answers(x))


def host_answers(x: NDArray[np.float64]) -> Flags:
    """A larger model: 200 randomised trees, trained on every N and V beat of the training patients.

    On these patients, left out in turn, its balanced accuracy is the best of four: 99.1 %, boosted
    trees 97.7 %, an MLP of 32 units 98.7 %, the mean of the three 98.8 %.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    table = ecg.beat_table()
    learnt = table.among(ecg.training_records(), "NV")
    model = ExtraTreesClassifier(
        200, min_samples_leaf=20, class_weight="balanced", random_state=0, n_jobs=1
    )
    model.fit(table.x[learnt], table.classes[learnt] == "V")
    return np.asarray(model.predict_proba(x)[:, 1] >= 0.5)


def other_beats(seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Inputs and classes of the beats that are learnt, and inputs of the other N and V beats of the
    same patients, on which a threshold can be chosen."""
    data = ecg.ventricular()
    learnt, _ = data.split(seed)
    split = data.own_split
    assert split is not None
    rest = split.train.copy()
    rest[learnt] = False
    return data.x[learnt], data.y[learnt], data.x[rest]


def doubts(triage: Triage, measure: str, threshold: int) -> Flags:
    """Points of a triage of every point that another threshold would leave doubtful."""
    return judge(triage.sums, triage.samples, Thresholds(**{measure: threshold}))[1]


def array_cell(cycles: float, trim: str, seed: int, **options: Any) -> Cell:
    """An array after ``cycles`` learns 400 beats and triages every beat of the unseen patients."""
    x, beats = unseen_beats()
    learnt, classes, rest = other_beats(seed)
    name = f"physics:{cycles:g}" + ("" if trim == RECALIBRATED else "@0")
    config = TrainConfig(TASK, array=name, seed=seed, **{**SETTINGS, **options})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # devices outside the range of the sources
        setup, encoder = prepare(config, get_task(TASK), learnt, classes, FEATURES)
        with closing(setup):
            run = ChainRun(setup)
            run.run()
            encoder = run.setup.encoder or encoder
            board = run.setup.board
            before = board.ledger.counts.copy()
            every = board.triage(encoder.encode(x), Thresholds(0, 0))
            counts = board.ledger.counts - before
            others = board.triage(encoder.encode(rest), Thresholds(0, 0))
            geometry = board.geometry
    return {
        "cycles": cycles,
        "trim": trim,
        "seed": seed,
        "acceptance": float(run.streamed().accepted.mean()),
        "samples": every.samples,
        "counts": (counts / len(x)).tolist(),
        "geometry": asdict(geometry),
        MARGIN: results(beats, every, others, MARGIN),
        VARIANCE: results(beats, every, others, VARIANCE),
    }


def results(beats: Beats, every: Triage, others: Triage, measure: str) -> dict[str, list[float]]:
    """The sweep of one doubt, and the shares of the training patients' other beats that wake."""
    found = sweep(beats, every.answers, lambda threshold: doubts(every, measure, threshold))
    found["woken_before"] = [float(doubts(others, measure, t).mean()) for t in THRESHOLDS]
    return found


def software_cell(seed: int) -> Cell:
    """Logistic regression without a posterior, on the same beats; its doubt is its margin."""
    x, beats = unseen_beats()
    learnt, classes, _ = other_beats(seed)
    p = software(SOFTWARE_MODELS[PLAIN], learnt, classes, x, seed).probability
    margin = np.minimum(p, 1 - p) * (1 << PROB_FRAC)
    return {"seed": seed, MARGIN: sweep(beats, p >= 0.5, lambda threshold: margin >= threshold)}
