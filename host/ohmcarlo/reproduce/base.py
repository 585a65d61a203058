"""The parts of a figure, and the bench that computes its cells on every core."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..datasets import load
from ..errors import UsageError
from ..tasks import get_task

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

PACKAGE = Path(__file__).parents[1]
Cell = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """A line of a figure's table.

    Attributes
    ----------
    quantity : str
        The measured quantity and its subject.
    ours : sequence of float
        One value a seed (or a single one).
    unit : str
        "%" shows fractions as per cent.
    published : str
        Value of the paper; empty if there is none.
    wanted : str
        The goal in words (">= 96.3 %"), empty: none.
    met : bool or None
        Whether ``ours`` meets the goal; None without a goal.
    interval : (float, float) or None
        95 % interval of a single value.
    """

    quantity: str
    ours: Sequence[float]
    unit: str = ""
    published: str = ""
    wanted: str = ""
    met: bool | None = None
    interval: tuple[float, float] | None = None

    @property
    def mean(self) -> float:
        return float(np.mean(self.ours))

    @property
    def sd(self) -> float | None:
        """Standard deviation over the seeds, None for a single value."""
        return float(np.std(self.ours, ddof=1)) if len(self.ours) > 1 else None

    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "quantity": self.quantity,
            "mean": self.mean,
            "sd": self.sd,
            "n": len(self.ours),
            "unit": self.unit,
            "published": self.published,
            "wanted": self.wanted,
            "met": self.met,
            "interval_95": self.interval,
        }


@dataclass(frozen=True)
class Table:
    """Goals under a title."""

    title: str
    rows: list[Goal]


@dataclass(frozen=True, eq=False)
class Figure:
    """The result of a figure's module.

    Attributes
    ----------
    title : str
        A sentence that describes the figure.
    tables : list of Table
    pictures : dict
        Name of the file (without suffix) → matplotlib figure. The first is the figure itself.
    values : dict
        Every number behind pictures and tables, for the JSON: seeds, settings, one entry a cell.
    files : dict
        Name → bytes of other files: videos, CSV files.
    notes : list of str
        Facts that a reader needs to judge the numbers.
    """

    title: str
    tables: list[Table]
    pictures: dict[str, Picture]
    values: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Watcher(Protocol):
    """Shows the progress of the work."""

    def say(self, text: str) -> None: ...

    def track(self, cells: Iterable[Any], total: int, what: str) -> Iterable[Any]:
        """Yield the results, and show how many of ``total`` are finished."""
        ...


@cache
def sources_digest() -> str:
    """Digest of every source of the package, so that results of other sources are not reused."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(PACKAGE)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def require_data(tasks: Iterable[str]) -> None:
    """Raise UsageError, which names the source, when the data of a task are missing.

    A figure calls it first, so that the error comes before any computation.
    """
    for task in tasks:
        load(get_task(task).dataset)


def _computed(function: Callable[..., Cell], cell: Cell, sources: str) -> Cell:
    """The result of a cell. ``sources`` is part of the key of the store."""
    return function(**cell)


class Bench:
    """Computes cells on every core, and stores their results.

    Parameters
    ----------
    folder : Path
        Store of finished cells, from which an interrupted run resumes.
    seeds : int
        Splits or seeds that averages are taken over.
    jobs : int
        Processes.
    watcher : Watcher
    """

    def __init__(self, folder: Path, seeds: int, jobs: int, watcher: Watcher) -> None:
        """Raises UsageError, which names what to install, without joblib."""
        try:
            from joblib import Memory
        except ImportError as error:
            raise UsageError("figures need joblib: pip install 'ohmcarlo[reproduce]'") from error

        self.seeds, self.jobs, self.watcher = seeds, jobs, watcher
        self._memory = Memory(folder, verbose=0)

    def say(self, text: str) -> None:
        self.watcher.say(text)

    def map(self, what: str, function: Callable[..., Cell], cells: Sequence[Cell]) -> list[Cell]:
        """``function(**cell)`` of every cell, in their order.

        ``function`` belongs to a module (no closure). A cell holds JSON values, including its seed;
        the result must depend on nothing else. ``what`` is shown beside the progress.
        """
        from joblib import Parallel, delayed

        compute = self._memory.cache(_computed)
        sources = sources_digest()
        work = (delayed(compute)(function, cell, sources) for cell in cells)
        done = Parallel(n_jobs=self.jobs, return_as="generator")(work)
        return list(self.watcher.track(done, len(cells), what))
