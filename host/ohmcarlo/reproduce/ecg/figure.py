"""Figure 5, heart arrhythmia: ventricular beats of unseen patients.

Every seed draws 400 beats of 21 patients (DS1) and makes an array; the test is on all normal and
ventricular beats of 22 other patients (DS2). Fusion and supraventricular beats are in neither; a
well-calibrated model is uncertain about them.

The measure of uncertainty is chosen on patients of DS1, each left out of the training in turn.
Features, width of the prior and settings of the models were chosen in the same way. S and F beats
of DS1 served for this choice only, never for training. The software models have the same beats and
features; the penalty of the reference MLP was chosen on DS1, too.
"""

from __future__ import annotations

import numpy as np

from ...datasets import ecg
from ..base import Bench, Cell, Figure
from . import pictures
from .five_classes import five_classes
from .judging import TRUTHS, VALIDATION_SEEDS, judge, validate, ventricular_share
from .models import (
    ARRAY_MODELS,
    ENTROPY,
    LOGISTIC,
    MEASURES,
    MLP,
    MODELS,
    NETWORK,
    PLAIN,
    RIVAL,
    SOFTWARE_MODELS,
    WIDE,
)
from .tables import accuracy_table, class_table, detail_table, notes, unseen_table

STRIP_S = 12.0  # of the electrocardiogram that is shown


def make(bench: Bench) -> Figure:
    """Train, choose the measure on DS1, test on DS2, and draw."""
    bench.say("reading the beats of 44 records (half a minute the first time)")
    ecg.beat_table()
    strip = telling_strip()
    seeds = range(bench.seeds)
    validated = bench.map(
        "choosing the measure of uncertainty on DS1",
        validate,
        [
            {"name": name, "seed": seed}
            for name in (LOGISTIC, NETWORK, PLAIN, MLP, RIVAL)
            for seed in range(VALIDATION_SEEDS)
        ],
    )
    measure = chosen_measure(validated)
    judged = bench.map(
        f"400 beats, {len(MODELS)} models",
        judge,
        [
            {"name": name, "seed": seed, "strip": list(strip)}
            for name in (WIDE, NETWORK, LOGISTIC, *SOFTWARE_MODELS)  # the slow ones first
            for seed in seeds
        ],
    )
    by_model = {name: [c for c in judged if c["model"] == name] for name in MODELS}
    used = {name: measure if name in ARRAY_MODELS else ENTROPY for name in MODELS}
    five = bench.map("five classes", five_classes, [{"seed": seed} for seed in seeds])
    return Figure(
        title="Figure 5, heart arrhythmia: ventricular beats of 22 unseen patients",
        tables=[
            accuracy_table(by_model),
            unseen_table(by_model, used, measure),
            detail_table(by_model, used),
            class_table(five),
        ],
        pictures={
            "ecg": pictures.main_picture(by_model, used, strip),
            "ecg-classes": pictures.confusions(five),
        },
        values={
            "settings": ARRAY_MODELS,
            "measure": measure,
            "share_of_v": ventricular_share(),
            "validated": validated,
            "judged": judged,
            "five_classes": five,
        },
        notes=notes(measure, by_model),
    )


def telling_strip() -> tuple[int, int, int]:
    """Record, first and last sample of the excerpt of DS2 that the picture shows.

    It has the most classes; of several, its share of unusual beats is nearest to one half. The
    choice is made before any training.
    """
    table = ecg.beat_table()
    best: tuple[tuple[float, float], tuple[int, int, int]] | None = None
    for record in ecg.DS2:
        own = table.records == record
        samples, classes = table.samples[own], table.classes[own]
        length = round(STRIP_S * ecg.RATE_HZ)
        for start in samples[20:-20:2] - ecg.RATE_HZ // 2:
            inside = classes[(samples >= start) & (samples < start + length)]
            rank = (len(set(inside) & set(TRUTHS)), -abs(float((inside != "N").mean()) - 0.5))
            if best is None or rank > best[0]:
                best = rank, (record, int(start), int(start) + length)
    assert best is not None
    return best[1]


def chosen_measure(validated: list[Cell]) -> str:
    """The measure with the largest mean area on DS1, over both array models and the seeds."""
    ours = [c for c in validated if c["model"] in ARRAY_MODELS]
    return max(MEASURES, key=lambda m: np.mean([c["unseen"][m]["S and F"] for c in ours]))
