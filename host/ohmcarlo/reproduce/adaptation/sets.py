"""Data sets on which an array adapts itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets import load
from ...datasets.base import split_half
from ...runs.config import TrainConfig
from ...tasks import TASKS
from ..exactness.problems import PROBLEMS

WDBC, ECG = "breast-cancer", "ecg"
LEAST = {"wdbc-15": 50.0}
"""Effective samples per 1,000 steps that an adapted chain shall have, besides those of the fit."""


@dataclass(frozen=True)
class Set:
    """A data set, whose training half a seed chooses.

    Attributes
    ----------
    title : str
    data : str
        A data set, or a problem of ``exactness``.
    sigma_p : float
        Standard deviation of the prior of every weight.
    options : mapping
        Further fields of ``TrainConfig``.
    fitted_rho : float or None
        rho that ``train --whiten`` uses; None: the usual one.
    hard : bool
        The posterior is so far from normal, or its data so many, that no goal is set.
    """

    title: str
    data: str
    sigma_p: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)
    fitted_rho: float | None = None
    hard: bool = False

    def half(self, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Training half: x (n, d), y 0/1 (n,). UsageError without the data."""
        if self.data in PROBLEMS:
            x, y = PROBLEMS[self.data].data()
            rows, _ = split_half(y, seed)
            return x[rows], y[rows]
        data = load(self.data)
        rows, _ = data.split(seed)
        return data.x[rows], data.y[rows].astype(np.int64)

    def config(self, name: str, seed: int, **changes: Any) -> TrainConfig:
        """Four whitened chains."""
        options = {"chains": 4, "whiten": True, "sigma_p": self.sigma_p, **self.options}
        return TrainConfig(task=name, seed=seed, **options, **changes)


SETS = {
    "wdbc-15": Set("WDBC, 15 features", WDBC, options={"features": 15}),
    "wdbc-30": Set(
        "WDBC, 30 features", WDBC, options={"features": 30, "rows": 128, "pairs": 64}
    ),
    "german": Set("German credit, 24 features", "german"),
    "wine": Set("wine 0/1, 13 features", "wine"),
    "digits": Set("digits 3/8, 20 pixels", "digits"),
    "original": Set("original Wisconsin, 9 features", "original"),
    "ecg": Set(
        "ECG, 14 features, σ_p 0.6", ECG, sigma_p=float(TASKS[ECG].sigma_p),
        fitted_rho=TASKS[ECG].whitened_rho, hard=True,
    ),
    "wine-wide": Set("wine 0/1, σ_p 3", "wine", sigma_p=3.0, hard=True),
    "separable-wide": Set("separable classes, σ_p 5", "separable-wide", sigma_p=5.0, hard=True),
}  # fmt: skip
