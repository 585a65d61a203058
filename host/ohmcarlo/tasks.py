"""Named tasks: a data set with the settings that were found to suit it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from .errors import UsageError


@dataclass(frozen=True)
class Task:
    """What to learn, and how.

    Attributes
    ----------
    dataset : str
        Name of a data set, or a CSV file.
    description : str
    features : int or None
        Features kept by chi-squared; None: all.
    rel : float
        Cycle-to-cycle spread of the emulated devices, fraction of the median.
    gamma_us, sigma_p : float
        µS per unit of weight at ``rel``; standard deviation of the weight prior.
    hidden : int
        Hidden units; 0: logistic regression.
    """

    dataset: str
    description: str
    features: int | None = None
    rel: float = 0.05
    gamma_us: float = 25.0
    sigma_p: float = 1.0
    hidden: int = 0


TASKS = {
    "toy2d": Task("toy2d", "two clouds in the plane: see what an uncertain boundary looks like"),
    "breast-cancer": Task(
        "breast-cancer",
        "malignant or benign tissue from 15 of 30 features of cell nuclei (WDBC, 569 cases)",
        features=15,
    ),
    "breast-cancer-original": Task(
        "breast-cancer-original",
        "malignant or benign from 9 graded features (Wolberg 1990, 683 complete cases)",
    ),
}


def get_task(name: str) -> Task:
    """The task of that name, or one for a CSV file; raises UsageError with what exists."""
    if name in TASKS:
        return TASKS[name]
    path = Path(name)
    if path.suffix.lower() == ".csv" or path.exists():
        return Task(name, f"the file {path.name}")
    close = difflib.get_close_matches(name, TASKS, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UsageError(
        f"no task {name!r}: {hint}choose {', '.join(TASKS)}, or name a CSV file with a label column"
    )
