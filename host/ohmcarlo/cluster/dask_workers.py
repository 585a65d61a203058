"""Computes cells on the workers of a Dask scheduler."""

from __future__ import annotations

import logging
import math
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from ..errors import OhmcarloError, UsageError
from ..imports import without_collection
from ..progress import current_observer
from .base import Cluster, Computed
from .cells import DIED, Cell
from .local import processes
from .reach import require_scheduler
from .versions import check_workers, other_sources
from .work import Reply, compute_on_worker

EVERY_S = 0.5
"""Between two looks at the connection, and at the number of workers, while cells run."""
AHEAD = 2
"""Cells that a worker has at hand, the one that it computes included."""
OFF = logging.CRITICAL + 1
Job = tuple[str, Cell]


class DaskCluster(Cluster):
    """Computes cells on the workers that a client of Dask reaches.

    A cell whose workers died is not always the cause: it may have waited behind another cell. It is
    therefore computed alone after all others, and is a failure if workers die again.

    Parameters
    ----------
    connect : callable
        Makes a ``distributed.Client``, and registers in an ``ExitStack`` what ends with it. It is
        called once, by ``start``.
    address : str
        Names the scheduler in messages; empty for processes of this computer.
    """

    def __init__(self, connect: Callable[[ExitStack], Any], address: str = "") -> None:
        self._connect, self._resources, self._address = connect, ExitStack(), address
        self._flying: dict[Any, Job] = {}
        self._threads, self._said = 0, False
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def start(self) -> None:
        """Connect, unless that is done. Cells that are missing do so, too."""
        _ = self._client

    @cached_property
    def _client(self) -> Any:
        with ExitStack() as opening:
            client = self._connect(opening)
            self._resources.enter_context(opening.pop_all())
        return client

    @property
    def workers(self) -> int:
        """Threads of all workers of the scheduler; OhmcarloError when it is gone."""
        try:
            return int(self._client.scheduler_info(n_workers=0)["total_threads"])
        except (OSError, RuntimeError, AttributeError) as error:
            raise self._gone() from error

    @property
    def running(self) -> int:
        return min(len(self._flying), self._threads)

    def close(self) -> None:
        self._resources.close()

    def _computed(self, cells: Sequence[Job], sources: str) -> Iterator[Computed]:
        self.start()
        suspects: list[Job] = []
        flying = self._flying = {}  # a run that was left ends later, and takes only its own away
        self._done = queue.SimpleQueue()
        try:
            for job, reply in self._replies(cells, sources):
                if reply.kind == DIED:
                    suspects.append(job)
                else:
                    yield *job, reply
            for suspect in suspects:
                for job, reply in self._replies([suspect], sources):
                    yield *job, reply
        finally:
            self._cancel(flying)

    def _replies(self, jobs: Sequence[Job], sources: str) -> Iterator[tuple[Job, Reply]]:
        """Keep every worker busy; yield what comes back."""
        waiting, counted = deque(jobs), -math.inf
        while waiting or self._flying:
            if time.monotonic() - counted > EVERY_S:
                self._threads, counted = self.workers, time.monotonic()
            room = max(AHEAD * self._threads, 1)
            while waiting and len(self._flying) < room:
                self._submit(waiting.popleft(), sources)
            future = self._next()
            if future is not None:  # otherwise there may be more workers than before
                job = self._flying.pop(future)
                yield job, self._reply(future)

    def _submit(self, job: Job, sources: str) -> None:
        digest, cell = job
        key = f"cell-{digest[:16]}-{uuid.uuid4().hex[:8]}"
        arguments = (cell.function, cell.canonical, digest, sources)
        try:
            future = self._client.submit(compute_on_worker, *arguments, key=key)
        except (OSError, RuntimeError) as error:
            raise self._gone() from error
        self._flying[future] = job
        future.add_done_callback(self._done.put)

    def _next(self) -> Any | None:
        """The next future that is done, or None after a while; raises OhmcarloError when the
        scheduler is gone."""
        with suppress(queue.Empty):
            return self._done.get(timeout=EVERY_S)
        if self._client.status != "running":
            raise self._gone()
        if self._address and not self.workers:
            self._say_empty()
        return None

    def _say_empty(self) -> None:
        if not self._said:
            current_observer().say(
                f"{self._address} has no workers: start some with `dask worker {self._address} "
                "--nthreads 1`; this command then continues"
            )
        self._said = True

    def _gone(self) -> OhmcarloError:
        if self._address:
            return OhmcarloError(
                f"the scheduler {self._address} has gone; finished cells are stored: start it "
                "again, and repeat the command"
            )
        return OhmcarloError(
            "the processes of this computer have gone; finished cells are stored: repeat the "
            "command"
        )

    def _reply(self, future: Any) -> Reply:
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        try:
            reply: Reply = future.result()
        except KilledWorker as error:
            return Reply(kind=DIED, message=_deaths(error.allowed_failures + 1))
        except (FutureCancelledError, OSError) as error:
            raise self._gone() from error
        except (ImportError, AttributeError) as error:  # a worker that came later
            raise UsageError(
                f"a worker of {self._address} cannot compute cells: {error}; install there the "
                "version of ohmcarlo that is here, and start it again"
            ) from error
        if reply.sources:
            raise other_sources(self._address)
        return reply

    def _cancel(self, flying: dict[Any, Job]) -> None:
        with suppress(Exception):
            self._client.cancel(list(flying))
        flying.clear()


def _deaths(count: int) -> str:
    return f"{count} workers died, one after the other, while they computed this cell alone"


NEEDED = "several processes and clusters need Dask: pip install 'ohmcarlo[sweep]'"


def _distributed() -> Any:
    try:
        with without_collection():
            import distributed
            import distributed.client
    except ImportError as error:
        raise UsageError(NEEDED) from error
    for name in ("distributed", "distributed.client", "distributed.core", "tornado.application"):
        logging.getLogger(name).setLevel(OFF)  # its events are messages of this module
    return distributed


def local(count: int) -> DaskCluster:
    """``count`` processes on this computer, with one thread each. They start with the first cell
    that is not stored. Raises UsageError without Dask."""
    if find_spec("distributed") is None:
        raise UsageError(NEEDED)

    def connect(resources: ExitStack) -> Any:
        starting = resources.enter_context(processes(count))
        _distributed()  # is imported while they start
        return _client(starting.address(), resources)

    return DaskCluster(connect)


def connected(address: str) -> DaskCluster:
    """The workers of the scheduler at ``address``, which must answer."""

    def connect(resources: ExitStack) -> Any:
        _distributed()
        require_scheduler(address)
        client = _client(address, resources)
        check_workers(client, address)
        return client

    cluster = DaskCluster(connect, address)
    cluster.start()
    return cluster


def _client(address: str, resources: ExitStack) -> Any:
    """A client of the scheduler at ``address``, which ``resources`` closes."""
    try:
        client = _distributed().Client(address, set_as_default=False, name="ohmcarlo")
    except OSError as error:
        raise OhmcarloError(f"the scheduler {address} has gone: repeat the command") from error
    resources.callback(client.close)
    return client
