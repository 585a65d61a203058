"""Posteriors that are difficult for an array, and their reference from NUTS.

Each problem is a Bayesian logistic regression on standardised features (mean 0, standard deviation
1 with divisor n) and a constant input of 1, with the prior N(0, σ_p²) on every weight. The
reference is a sample by NumPyro's NUTS in float64 (tests/reference/nuts_problems.py). It uses
neither an encoder nor an array.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets import load
from ...datasets.fetch import DATA_VARIABLE, WBC
from ...errors import UsageError

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
SEED = 19
GERMAN = Path("german-credit") / "german-credit-numeric.csv"
GOOD = 1
"""Class of a good credit in the German set, which is learnt as 1. The ground truth of inference-gym
learns a bad credit as 1; its means have the opposite signs."""
PIXELS = 20


@dataclass(frozen=True)
class Problem:
    """A data set with a prior.

    Attributes
    ----------
    name, title : str
    sigma_p : float
        Standard deviation of the prior of every weight.
    data : callable
        Returns x float64 (n, d) in units of the data and y 0/1 (n,). Raises UsageError when the
        data are not on this machine.
    """

    name: str
    title: str
    sigma_p: float
    data: Callable[[], tuple[Floats, Labels]]


@dataclass(frozen=True, eq=False)
class Reference:
    """A posterior from NUTS: mean, sd and Monte Carlo error of the mean (in sd), each (d + 1,).

    The bias is the last weight. ``digest`` identifies the data.
    """

    mean: Floats
    sd: Floats
    error: Floats
    digest: str


def standardised(x: Floats) -> Floats:
    """(n, d) → (n, d + 1): mean 0 and standard deviation 1 (divisor n), and a column of ones."""
    return np.column_stack([(x - x.mean(axis=0)) / x.std(axis=0), np.ones(len(x))])


def digest(x: Floats, y: Labels) -> str:
    """SHA-256 of the data, hexadecimal."""
    rounded = np.round(x, 9) + 0.0  # no negative zero
    return hashlib.sha256(rounded.tobytes() + y.astype(np.int64).tobytes()).hexdigest()


@cache
def _references() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("references.json").read_text(encoding="ascii")
    values: dict[str, Any] = json.loads(text)
    return values


def reference(problem: Problem) -> Reference:
    """The reference of a problem."""
    values = _references()["posteriors"][problem.name]
    return Reference(
        mean=np.array(values["mean"]),
        sd=np.array(values["sd"]),
        error=np.array(values["error"]),
        digest=values["data_sha256"],
    )


# -- data --------------------------------------------------------------------------------------


def _original() -> tuple[Floats, Labels]:
    data = load(WBC)
    return data.x, data.y.astype(np.int64)


def _german() -> tuple[Floats, Labels]:
    folder = os.environ.get(DATA_VARIABLE)
    path = Path(folder) / GERMAN if folder else None
    if path is None or not path.is_file():
        raise UsageError(
            f"German credit is not on this machine: put the numeric version of the Statlog set "
            f"(UCI) as {GERMAN} under the folder that {DATA_VARIABLE} names, columns A1 to A24 "
            "and class, comma-separated, with a header line"
        )
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return table[:, :-1], (table[:, -1] == GOOD).astype(np.int64)


def _wine() -> tuple[Floats, Labels]:
    from sklearn.datasets import load_wine

    x, y = load_wine(return_X_y=True)
    return x[y < 2], y[y < 2].astype(np.int64)


def _digits() -> tuple[Floats, Labels]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    kept = np.isin(y, (3, 8))
    x, y = x[kept], (y[kept] == 8).astype(np.int64)
    pixels = np.sort(np.argsort(-x.var(axis=0), kind="stable")[:PIXELS])
    return x[:, pixels], y


def _ill_conditioned() -> tuple[Floats, Labels]:
    """Eight features that follow two factors: correlations of 0.998."""
    rng = np.random.default_rng(SEED)
    factors = rng.normal(size=(300, 2))
    x = np.repeat(factors, 4, axis=1) + 0.05 * rng.normal(size=(300, 8))
    y = factors @ [1.5, -1.0] + rng.logistic(size=300) > 0
    return x, y.astype(np.int64)


def _separable() -> tuple[Floats, Labels]:
    """Two features and 100 points; a line separates the classes."""
    rng = np.random.default_rng(SEED)
    y = np.arange(100) % 2
    x = rng.normal(size=(100, 2)) + np.where(y[:, None] == 1, 2.5, -2.5)
    return x, y.astype(np.int64)


PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem("original", "original Wisconsin, 9 features, 683 points", 1.0, _original),
        Problem("german", "German credit, 24 features, 1,000 points", 1.0, _german),
        Problem("wine", "wine 0/1, 13 features, 130 points", 1.0, _wine),
        Problem("digits", "digits 3/8, 20 pixels, 357 points", 1.0, _digits),
        Problem("ill-conditioned", "correlations of 0.998, 8 features", 1.0, _ill_conditioned),
        Problem("separable", "separable classes, prior of width 1", 1.0, _separable),
        Problem("separable-wide", "separable classes, prior of width 5", 5.0, _separable),
    )
}
