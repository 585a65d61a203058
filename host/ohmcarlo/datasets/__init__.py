"""Data sets by name, or from a CSV file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .fetch import require
from .table import read_labelled, read_rows

__all__ = ["NAMES", "Dataset", "hardest_first", "load"]

ORIGINAL_FEATURES = (
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
TOY_POINTS = 200
TOY_SEED = 20210316


@dataclass(frozen=True, eq=False)
class Dataset:
    """Cases, real-valued features and two classes.

    Attributes
    ----------
    name : str
    x : float64 (n, d)
    y : int64 (n,)
        0 or 1; 1 is the class of interest.
    feature_names : tuple of str
    class_names : (str, str)
        Of 0 and 1.
    source : str
        Where it is from and under which licence.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.int64]
    feature_names: tuple[str, ...]
    class_names: tuple[str, str]
    source: str


def _wdbc() -> Dataset:
    from sklearn.datasets import load_breast_cancer

    data: Any = load_breast_cancer()
    return Dataset(
        "breast-cancer",
        np.asarray(data.data, np.float64),
        1 - np.asarray(data.target, np.int64),  # scikit-learn counts benign as 1
        tuple(str(n) for n in data.feature_names),
        ("benign", "malignant"),
        "Breast Cancer Wisconsin (Diagnostic), UCI, CC BY 4.0; shipped with scikit-learn",
    )


def _original() -> Dataset:
    path = require("breast-cancer-original") / "breast-cancer-wisconsin.data"
    rows = [row for _, row in read_rows(path) if "?" not in row]  # 16 cases lack bare nuclei
    table = np.array(rows, np.float64)
    return Dataset(
        "breast-cancer-original",
        table[:, 1:10],
        (table[:, 10] == 4).astype(np.int64),
        ORIGINAL_FEATURES,
        ("benign", "malignant"),
        "Breast Cancer Wisconsin (Original), UCI, CC BY 4.0, doi 10.24432/C5HP4Z; complete cases",
    )


def _toy() -> Dataset:
    """Two overlapping clouds, and an empty corner where nobody can know."""
    rng = np.random.default_rng(TOY_SEED)
    half = TOY_POINTS // 2
    left = rng.multivariate_normal([-1.0, -0.6], [[0.6, -0.3], [-0.3, 0.6]], half)
    right = rng.multivariate_normal([1.0, 0.6], [[0.6, -0.3], [-0.3, 0.6]], half)
    return Dataset(
        "toy2d",
        np.concatenate([left, right]),
        np.repeat(np.array([0, 1], np.int64), half),
        ("x", "y"),
        ("left", "right"),
        "generated",
    )


_LOADERS = {"breast-cancer": _wdbc, "breast-cancer-original": _original, "toy2d": _toy}
NAMES = tuple(_LOADERS)


def load(name: str) -> Dataset:
    """A data set by name (see NAMES), or from a CSV file with a label column.

    Raises UsageError when the name is unknown, or the file cannot be used (with line and column).
    """
    if name in _LOADERS:
        return _LOADERS[name]()
    path = Path(name)
    if path.suffix.lower() != ".csv" and not path.exists():
        raise UsageError(f"no data set {name!r}: choose {', '.join(NAMES)}, or name a CSV file")
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a CSV file")
    x, y, features, classes = read_labelled(path)
    return Dataset(path.stem, x, y, features, classes, f"file {path.name}")


def hardest_first(terms: NDArray[np.int64]) -> NDArray[np.int32]:
    """Order table: the points with the largest log-likelihood terms (most negative) first."""
    return np.argsort(terms, kind="stable").astype(np.int32)
