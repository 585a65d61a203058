"""MIT-BIH: the five AAMI classes of a heart beat, with different patients for training and test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import ecg
from .base import Dataset


def five_classes() -> Dataset:
    """All beats with their AAMI class. A class with fewer beats in DS1 than the training set takes
    gives all: Q, the unknown beats, has 8."""
    table = ecg.beat_table()
    return replace(
        ecg.ventricular(),
        name="ecg-aami",
        x=table.x,
        y=np.array([ecg.CLASSES.index(c) for c in table.classes], np.int64),
        class_names=tuple(ecg.CLASS_NAMES[c] for c in ecg.CLASSES),
        description="MIT-BIH: which of the five AAMI classes is a heart beat? rhythm and shape",
        own_split=replace(ecg.patient_split(table.records), fewer=True),
    )
