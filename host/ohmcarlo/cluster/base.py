"""The base class of clusters: stored results come first, the others in order of completion."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Self

from ..progress import current_observer, phase
from . import sources
from .cells import Cell, Failure, Outcome
from .encoding import unpack
from .store import CellStore
from .work import Reply

log = logging.getLogger(__name__)
UNIT = "cells"
Computed = tuple[str, Cell, Reply]
"""Digest of a cell, the cell, and what came back."""


class Cluster(ABC):
    """Computes cells. It is a context manager, which ends what it started."""

    @property
    @abstractmethod
    def running(self) -> int:
        """Cells that are computed at the moment, about."""

    @abstractmethod
    def close(self) -> None:
        """End the processes that this object started."""

    @abstractmethod
    def _computed(self, cells: Sequence[tuple[str, Cell]], sources: str) -> Iterator[Computed]:
        """Digest, cell and reply of each, in order of completion."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self,
        cells: Iterable[Cell],
        store: CellStore,
        *,
        retry_failed: bool = False,
        what: str = "cells",
    ) -> Generator[Outcome | Failure]:
        """The result of each distinct cell: stored ones first, then in order of completion.

        Close it to cancel what is left, before the next run begins.

        Parameters
        ----------
        cells : iterable of Cell
        store : CellStore
            Results are stored before they are yielded. Cells that it holds are not computed.
        retry_failed : bool
            Compute stored failures again.
        what : str
            Names the work beside its progress; empty: no progress is shown.

        Raises
        ------
        OhmcarloError
            The store cannot be written, or no worker can be reached. What is finished is stored.
        """
        digest_of_sources = sources.sources_digest()
        wanted = {cell.digest(digest_of_sources): cell for cell in cells}
        missing = []
        with phase("looking for finished cells") if what else nullcontext():
            for digest, cell in wanted.items():
                found: Outcome | Failure | None = store.outcome(cell, digest)
                if found is None and not retry_failed:
                    found = store.failure(cell, digest)
                if found is None:
                    missing.append((digest, cell))
                else:
                    yield found
        if missing:
            done = len(wanted) - len(missing)
            with _shown(what, done, len(wanted)) as shown:
                for digest, cell, reply in self._computed(missing, digest_of_sources):
                    done += 1
                    shown(done, self.running)
                    yield _kept(store, digest, cell, reply)


def _kept(store: CellStore, digest: str, cell: Cell, reply: Reply) -> Outcome | Failure:
    """Store a reply."""
    if reply.packed:
        store.write(digest, reply.packed)
        content = unpack(reply.packed)
        return Outcome(cell, digest, content["values"], content["seconds"])
    failure = Failure(cell, digest, reply.message, reply.kind, reply.details)
    log.debug("cell %s: %s\n%s", digest, failure.message, failure.details)
    store.write_failure(failure)
    return failure


@contextmanager
def _shown(what: str, first: int, total: int) -> Iterator[Callable[[int, int], None]]:
    """Show how many cells are done and how many run."""
    observer = current_observer()
    if not what:
        yield lambda done, running: None
        return
    observer.begin(first, total, what, UNIT)

    def show(done: int, running: int) -> None:
        observer.advance(done)
        observer.rename(f"{what} ({running} running)" if running else what)

    try:
        yield show
    finally:
        observer.end()
