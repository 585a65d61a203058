"""The choice of a cluster: this process, processes of this computer, or workers of Dask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import UsageError
from ..threads import cores
from .base import Cluster, Computed
from .cells import Cell
from .work import compute


class InThisProcess(Cluster):
    """Computes one cell after the other, without Dask."""

    running = 1

    def close(self) -> None: ...

    def _computed(self, cells: Sequence[tuple[str, Cell]], sources: str) -> Iterator[Computed]:
        for digest, cell in cells:
            yield digest, cell, compute(cell.function, cell.canonical, digest, sources)


def open_cluster(*, scheduler: str | None = None, workers: int | None = None) -> Cluster:
    """The cluster that computes cells; use it as a context manager.

    Parameters
    ----------
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:port``. Its workers compute.
    workers : int, optional
        Processes on this computer, by default one for each core that this process may use. One
        process is this one.

    Raises
    ------
    UsageError
        Dask is not installed, or the workers of the scheduler have other versions.
    OhmcarloError
        No scheduler answers.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from ohmcarlo.cluster.store import CellStore
    >>> store = CellStore(Path(tempfile.mkdtemp()))
    >>> with open_cluster(workers=1) as cluster:
    ...     done = list(cluster.run([Cell("builtins:dict", {"x": 3})], store))
    >>> done[0].values
    {'x': 3}
    """
    if scheduler is not None and workers is not None:
        raise UsageError("--scheduler computes on the workers of its cluster: leave out --workers")
    if workers is not None and workers < 1:
        raise UsageError(f"{workers} processes: choose 1 or more")
    count = workers or cores()
    if scheduler is None and count == 1:
        return InThisProcess()
    from .dask_workers import connected, local

    return connected(scheduler) if scheduler is not None else local(count)
