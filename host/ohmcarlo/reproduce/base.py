"""The parts of a figure, and the bench that computes its cells on every core."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from ..cluster import sources
from ..cluster.base import Cluster
from ..cluster.cells import REFUSED, Failure, name_of
from ..cluster.cells import Cell as Work
from ..cluster.engine import open_cluster
from ..cluster.store import CellStore
from ..datasets import load
from ..errors import OhmcarloError, UsageError
from ..files import json_ready
from ..tasks import get_task

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

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


def require_data(tasks: Iterable[str]) -> None:
    """Raise UsageError, which names the source, when the data of a task are missing.

    A figure calls it first, so that the error comes before any computation.
    """
    for task in tasks:
        load(get_task(task).dataset)


class Bench:
    """Computes cells on every core or on a cluster, and stores their results.

    Use it as a context, which ends its processes. They start with the first cells.

    Parameters
    ----------
    folder : Path
        Store of finished cells, from which an interrupted run resumes.
    seeds : int
        Splits or seeds that averages are taken over.
    workers : int or None
        Processes of this computer; None with a scheduler.
    watcher : Watcher
    scheduler : str or None
        Address of a scheduler of Dask, whose workers compute.
    """

    def __init__(
        self,
        folder: Path,
        seeds: int,
        workers: int | None,
        watcher: Watcher,
        scheduler: str | None = None,
    ) -> None:
        self.seeds, self.watcher = seeds, watcher
        self._folder, self._workers, self._scheduler = folder, workers, scheduler
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def say(self, text: str) -> None:
        self.watcher.say(text)

    @cached_property
    def _cluster(self) -> Cluster:
        opened = open_cluster(scheduler=self._scheduler, workers=self._workers)
        return self._resources.enter_context(opened)

    def map(self, what: str, function: Callable[..., Cell], cells: Sequence[Cell]) -> list[Cell]:
        """``function(**cell)`` of every cell, in their order.

        ``function`` belongs to a module (no closure). A cell holds JSON values, including its seed;
        the result must depend on nothing else. It holds JSON values, tuples and arrays. ``what`` is
        shown beside the progress. Raises OhmcarloError at the first cell that fails, UsageError
        if the cell did.
        """
        name, digest = name_of(function), sources.sources_digest()
        work = [Work(name, json_ready(cell)) for cell in cells]
        wanted = [cell.digest(digest) for cell in work]
        store, found = CellStore(self._folder), dict[str, Cell]()
        with closing(self._cluster.run(work, store, retry_failed=True, what="")) as done:
            for result in self.watcher.track(done, len(set(wanted)), what):
                if isinstance(result, Failure):
                    kind = UsageError if result.kind == REFUSED else OhmcarloError
                    raise kind(f"{what}: {result.message}{store.note(result)}")
                found[result.digest] = result.values
        return [found[key] for key in wanted]
