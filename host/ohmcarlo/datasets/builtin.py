"""Data sets known by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import aami, ecg
from .base import Dataset
from .fetch import WBC, find

WBC_FEATURES = (
    "clump thickness",
    "uniformity of cell size",
    "uniformity of cell shape",
    "marginal adhesion",
    "single epithelial cell size",
    "bare nuclei",
    "bland chromatin",
    "normal nucleoli",
    "mitoses",
)
WBC_MALIGNANT = 4  # class column: 2 benign, 4 malignant
WBC_MISSING = "?"
TOY_SEED = 2021
TOY_POINTS = 200
NUMBER_POINTS = 800
JOINTS = 8
ARM_TARGET = (0.0, 0.8)
ARM_NOISE = 0.05


def wdbc() -> Dataset:
    """Breast Cancer Wisconsin (Diagnostic), 569 × 30, from scikit-learn; 1 is malignant."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    return Dataset(
        name="breast-cancer",
        x=np.ascontiguousarray(bunch.data, np.float64),
        y=(1 - bunch.target).astype(np.int64),  # scikit-learn calls benign 1
        feature_names=tuple(str(name) for name in bunch.feature_names),
        class_names=("benign", "malignant"),
        description="WDBC: is a breast mass malignant? 30 measurements of cell nuclei",
        source="Wolberg, Street, Mangasarian 1993; doi 10.24432/C5DW2B, CC BY 4.0; "
        "the copy inside scikit-learn",
    )


def wbc_original() -> Dataset:
    """Breast Cancer Wisconsin (Original), the 683 complete rows of 699, 9 grades; 1 is malignant.

    Raises UsageError with advice if the file is not on this machine.
    """
    lines = find(WBC).read_text(encoding="ascii").split()
    cells = [line.split(",") for line in lines]
    table = np.array([row for row in cells if WBC_MISSING not in row], np.int64)
    return Dataset(
        name=WBC,
        x=table[:, 1:10].astype(np.float64),  # column 0 is the patient
        y=(table[:, 10] == WBC_MALIGNANT).astype(np.int64),
        feature_names=WBC_FEATURES,
        class_names=("benign", "malignant"),
        description="WBC: is a breast mass malignant? 9 grades (1 to 10) given by a pathologist",
        source="Wolberg, Mangasarian 1990; doi 10.24432/C5HP4Z, CC BY 4.0",
    )


def iris() -> Dataset:
    """Fisher's irises, 150 × 4, three species, from scikit-learn."""
    from sklearn.datasets import load_iris

    return _of_classes(
        load_iris(),
        name="iris",
        description="Which of three species is an iris? four lengths of its flower",
        source="Fisher 1936; doi 10.24432/C56C76, CC BY 4.0; the copy inside scikit-learn",
    )


def wine() -> Dataset:
    """Wines of one region, 178 × 13, three cultivars, from scikit-learn."""
    from sklearn.datasets import load_wine

    return _of_classes(
        load_wine(),
        name="wine",
        description="From which of three grapes is a wine? 13 chemical measurements",
        source="Aeberhard, Forina 1991; doi 10.24432/C5PC7J, CC BY 4.0; the copy inside "
        "scikit-learn",
    )


def digits() -> Dataset:
    """Handwritten digits, 1,797 × 64, ten classes, from scikit-learn."""
    from sklearn.datasets import load_digits

    return _of_classes(
        load_digits(),
        name="digits",
        description="Which digit is it? 8 × 8 pixels of handwriting",
        source="Alpaydin, Kaynak 1998; doi 10.24432/C50P49, CC BY 4.0; the test part, the copy "
        "inside scikit-learn",
    )


def _of_classes(bunch: Any, name: str, description: str, source: str) -> Dataset:
    """A data set of scikit-learn with its classes in their own order."""
    return Dataset(
        name=name,
        x=np.ascontiguousarray(bunch.data, np.float64),
        y=bunch.target.astype(np.int64),
        feature_names=tuple(str(feature) for feature in bunch.feature_names),
        class_names=tuple(str(label) for label in bunch.target_names),
        description=description,
        source=source,
    )


def toy2d() -> Dataset:
    """Two parallel elongated clouds of 100 points each. The classes overlap in the middle. Beyond
    the ends there are no data, so that a model must be uncertain there."""
    rng = np.random.default_rng(TOY_SEED)
    y = np.arange(TOY_POINTS, dtype=np.int64) % 2
    along = rng.uniform(-1.5, 1.5, TOY_POINTS)
    # without points in the middle third, the boundary there is uncertain
    along += np.where(along >= 0, 0.75, -0.75)
    across = rng.normal(0.0, 0.7, TOY_POINTS) + np.where(y == 1, 0.8, -0.8)
    x = np.stack([0.8 * along + 0.6 * across, -0.6 * along + 0.8 * across], axis=1)
    return Dataset(
        name="toy2d",
        x=x,
        y=y,
        feature_names=("x1", "x2"),
        class_names=("blue", "orange"),
        description="Two features, two overlapping classes with a gap: to look at uncertainty",
        source="made here from a fixed seed",
    )


def diabetes() -> Dataset:
    """Diabetes progression, 442 × 10, from scikit-learn; the features are not scaled."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    return Dataset(
        name="diabetes",
        x=np.ascontiguousarray(bunch.data, np.float64),
        y=np.ascontiguousarray(bunch.target, np.float64),
        feature_names=tuple(str(name) for name in bunch.feature_names),
        class_names=(),
        description="Progression of diabetes one year after ten measurements of 442 patients",
        source="Efron, Hastie, Johnstone, Tibshirani 2004, doi 10.1214/009053604000000067; "
        "the copy inside scikit-learn",
    )


def friedman1() -> Dataset:
    """Friedman's first function (1991) of 10 features, of which 5 matter; noise 1."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(NUMBER_POINTS, 10, noise=1.0, random_state=TOY_SEED)
    return Dataset(
        name="friedman1",
        x=x,
        y=y,
        feature_names=tuple(f"x{i}" for i in range(1, 11)),
        class_names=(),
        description="Friedman's function: 10 sin(πx₁x₂) + 20(x₃ - ½)² + 10x₄ + 5x₅ and noise",
        source="scikit-learn's make_friedman1, from a fixed seed",
    )


def robot_arm() -> Dataset:
    """Distance of the end of a planar arm with eight joints from a point, and noise.

    It is made like kin8nm of the DELVE family (8 inputs, nonlinear, medium noise).
    """
    rng = np.random.default_rng(TOY_SEED)
    joints = rng.uniform(-np.pi / 2, np.pi / 2, (NUMBER_POINTS, JOINTS))
    angles = np.cumsum(joints, axis=1)
    ends = np.stack([np.cos(angles).mean(axis=1), np.sin(angles).mean(axis=1)], axis=1)
    distance = np.hypot(*(ends - ARM_TARGET).T)
    return Dataset(
        name="robot-arm",
        x=joints,
        y=distance + rng.normal(0, ARM_NOISE, NUMBER_POINTS),
        feature_names=tuple(f"joint {i}" for i in range(1, JOINTS + 1)),
        class_names=(),
        description="Distance of the end of an arm with eight joints from a point, and noise",
        source="made here from a fixed seed, after kin8nm of the DELVE family",
    )


BUILTIN: dict[str, Callable[[], Dataset]] = {
    "toy2d": toy2d,
    "breast-cancer": wdbc,
    WBC: wbc_original,
    "ecg": ecg.ventricular,
    "diabetes": diabetes,
    "friedman1": friedman1,
    "robot-arm": robot_arm,
    "iris": iris,
    "wine": wine,
    "digits": digits,
    "ecg-aami": aami.five_classes,
}
