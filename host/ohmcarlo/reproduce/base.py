"""What a figure is made of, and the bench that computes its cells on every core."""

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
        What was measured, and on what.
    ours : sequence of float
        One value a seed (or a single one).
    unit : str
        "%" shows fractions as per cent.
    published : str
        What the paper says; empty: nothing that could be cited.
    wanted : str
        The goal in words (">= 96.3 %"), empty: none.
    met : bool or None
        Whether ``ours`` keeps it; None: there is no goal.
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
    """What a figure's module gives back.

    Attributes
    ----------
    title : str
        A sentence that says what is seen.
    tables : list of Table
    pictures : dict
        Name of the file (without suffix) → matplotlib figure. The first is the figure itself.
    values : dict
        Every number behind pictures and tables, for the JSON: seeds, settings, one entry a cell.
    files : dict
        Name → bytes of what else is written: videos, CSV files.
    notes : list of str
        What a reader must know to judge the numbers.
    """

    title: str
    tables: list[Table]
    pictures: dict[str, Picture]
    values: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Watcher(Protocol):
    """Who watches the work."""

    def say(self, text: str) -> None: ...

    def track(self, cells: Iterable[Any], total: int, what: str) -> Iterable[Any]:
        """Hands the results on, and shows how many of ``total`` there are."""
        ...


@cache
def sources_digest() -> str:
    """Of every source of the package: results of other code are not taken for this one's."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(PACKAGE)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def require_data(tasks: Iterable[str]) -> None:
    """UsageError, which says where to get it, when the data of a task are not here.

    For the beginning of a figure: an error should not wait until the tasks before are computed.
    """
    for task in tasks:
        load(get_task(task).dataset)


def _computed(function: Callable[..., Cell], cell: Cell, sources: str) -> Cell:
    """A cell's result. ``sources`` is for the store alone."""
    return function(**cell)


class Bench:
    """Computes cells, on every core, and remembers them.

    Parameters
    ----------
    folder : Path
        Where finished cells are kept: an interrupted run goes on there.
    seeds : int
        Splits or seeds that averages are taken over.
    jobs : int
        Processes.
    watcher : Watcher
    """

    def __init__(self, folder: Path, seeds: int, jobs: int, watcher: Watcher) -> None:
        """Raises UsageError, saying what to install, without joblib."""
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

        ``function`` is one of a module (not a closure); a cell holds what JSON could hold, and its
        seed: the result must depend on nothing else. ``what`` is shown beside the progress.
        """
        from joblib import Parallel, delayed

        compute = self._memory.cache(_computed)
        sources = sources_digest()
        work = (delayed(compute)(function, cell, sources) for cell in cells)
        done = Parallel(n_jobs=self.jobs, return_as="generator")(work)
        return list(self.watcher.track(done, len(cells), what))
