"""The posteriors that all samplers of the comparison draw from.

Each is that of a logistic regression on standardised features and a constant input of 1, with the
prior N(0, σ_p²) on every weight. An array samples it on inputs of 8 bits in coordinates of its own.
The other samplers get the same rows and columns as floating-point numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ohmcarlo.datasets import load
from ohmcarlo.datasets.encode import Encoder
from ohmcarlo.errors import UsageError
from ohmcarlo.reproduce.exactness.problems import PROBLEMS, standardised
from ohmcarlo.spec.room import FULL_ROOM

SEED = 0  # of the split and of synthetic data
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Problem:
    """A posterior.

    Attributes
    ----------
    name, title : str
    x : float64 (n, d)
        Features that the array keeps, in units of the data.
    y : int64 (n,)
        0/1.
    options : mapping
        Fields of ``TrainConfig`` without which the model does not fit the array.
    steps, draws : int
        Of each chain: of an array, and of the other samplers.
    sigma_p : float
    """

    name: str
    title: str
    x: Floats
    y: NDArray[np.int64]
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    steps: int = 10_000
    draws: int = 5_000
    sigma_p: float = 1.0

    @property
    def inputs(self) -> Floats:
        """Standardised features with a constant input as the last column: (n, d + 1)."""
        return standardised(self.x)

    @property
    def fits_the_board(self) -> bool:
        """Whether the ULX3S holds the model and its points, those of the prior included."""
        room = len(self.x) + self.x.shape[1] + 1 <= FULL_ROOM.max_points
        return room and "pairs" not in self.options


def toy() -> Problem:
    x, y = _half("toy2d", None)
    return Problem("toy2d", "`toy2d`, 3 weights", x, y)


def wdbc() -> Problem:
    x, y = _half("breast-cancer", 15)
    return Problem("wdbc", "WDBC, 16 weights", x, y)


def wdbc_all() -> Problem:
    x, y = _half("breast-cancer", 30)
    return Problem("wdbc-30", "WDBC, 31 weights", x, y, {"rows": 128, "pairs": 64})


def german() -> Problem:
    x, y = PROBLEMS["german"].data()
    return Problem("german", "German credit, 25 weights", x[::2], y[::2])


def synthetic() -> Problem:
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((10_000, 10))
    y = x @ np.linspace(-1, 1, 10) + rng.logistic(size=len(x)) > 0
    return Problem(
        "synthetic", "synthetic, 11 weights", x, y.astype(np.int64), steps=2_000, draws=1_000
    )


MAKERS = {
    "toy2d": toy, "wdbc": wdbc, "wdbc-30": wdbc_all, "german": german, "synthetic": synthetic,
}  # fmt: skip


def available(names: list[str]) -> tuple[list[Problem], list[str]]:
    """The problems of these names, and lines about those whose data are missing."""
    found, missing = [], []
    for name in names:
        try:
            found.append(MAKERS[name]())
        except UsageError as error:
            missing.append(f"{name} is left out: {error}")
    return found, missing


def _half(task: str, features: int | None) -> tuple[Floats, NDArray[np.int64]]:
    """The training half of a data set and the columns that ``train`` keeps."""
    data = load(task)
    rows, _ = data.split(SEED)
    x, y = data.x[rows], data.y[rows].astype(np.int64)
    if features is not None and features < x.shape[1]:
        x = x[:, list(Encoder.fit(x, y, features=features).columns)]
    return x, y
