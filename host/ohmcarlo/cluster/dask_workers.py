"""Computes cells on the workers of a Dask scheduler."""

from __future__ import annotations

import logging
import queue
import tempfile
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from ..errors import OhmcarloError, UsageError
from ..imports import without_collection
from ..progress import current_observer
from .base import Cluster, Computed
from .cells import DIED, Cell
from .versions import check_workers, other_sources
from .work import Reply, compute

SECONDS_TO_ANSWER = 5.0
EVERY_S = 0.5
"""Between two looks at the connection while cells run."""
AHEAD = 2
"""Cells that a worker has at hand, the one that it computes included."""
DEATHS = 2
"""Local processes that die before a cell is set aside, and before it is a failure afterwards."""
OFF = logging.CRITICAL + 1
Job = tuple[str, Cell]


class DaskCluster(Cluster):
    """Computes cells on the workers that a client of Dask reaches.

    A cell whose workers died may be innocent: it waited behind another. It is computed alone after
    all others; it is a failure if workers die again.

    Parameters
    ----------
    client : distributed.Client
    resources : ExitStack
        Closed with this object.
    address : str
        Names the scheduler in messages; empty for processes of this computer.
    """

    def __init__(self, client: Any, resources: ExitStack, address: str = "") -> None:
        self._client, self._resources, self._address = client, resources, address
        self._flying: dict[Any, Job] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @property
    def workers(self) -> int:
        """Threads of the workers that the scheduler knows."""
        return int(self._client.scheduler_info(n_workers=0)["total_threads"])

    @property
    def running(self) -> int:
        return min(len(self._flying), self._threads)

    def close(self) -> None:
        self._resources.close()

    def _computed(self, cells: Sequence[Job], sources: str) -> Iterator[Computed]:
        suspects: list[Job] = []
        try:
            for job, reply in self._replies(cells, sources, alone=False):
                if reply.kind == DIED:
                    suspects.append(job)
                else:
                    yield *job, reply
            for suspect in suspects:
                for job, reply in self._replies([suspect], sources, alone=True):
                    yield *job, reply
        finally:
            self._cancel()

    def _replies(
        self, jobs: Sequence[Job], sources: str, alone: bool
    ) -> Iterator[tuple[Job, Reply]]:
        """Keep every worker busy; yield what comes back."""
        waiting = deque(jobs)
        while waiting or self._flying:
            self._threads = self.workers
            room = 1 if alone else max(AHEAD * self._threads, 1)
            while waiting and len(self._flying) < room:
                self._submit(waiting.popleft(), sources)
            future = self._next()
            job = self._flying.pop(future)
            yield job, self._reply(future)

    def _submit(self, job: Job, sources: str) -> None:
        digest, cell = job
        future = self._client.submit(
            compute,
            cell.function,
            cell.canonical,
            digest,
            sources,
            key=f"cell-{digest[:16]}-{uuid.uuid4().hex[:8]}",
        )
        self._flying[future] = job
        future.add_done_callback(self._done.put)

    def _next(self) -> Any:
        """The next future that is done; raises OhmcarloError when the scheduler is gone."""
        while True:
            with suppress(queue.Empty):
                return self._done.get(timeout=EVERY_S)
            if self._client.status != "running":
                raise self._gone()

    def _gone(self) -> OhmcarloError:
        return OhmcarloError(
            f"the scheduler {self._address} has gone; finished cells are stored: start it again, "
            "and repeat the command"
        )

    def _reply(self, future: Any) -> Reply:
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        try:
            reply: Reply = future.result()
        except KilledWorker as error:
            return Reply(kind=DIED, message=_deaths(error.allowed_failures + 1))
        except FutureCancelledError as error:
            raise self._gone() from error
        except ImportError as error:
            raise UsageError(
                f"a worker of {self._address} lacks a package: {error}; install ohmcarlo there"
            ) from error
        if reply.sources:
            raise other_sources(self._address)
        return reply

    def _cancel(self) -> None:
        with suppress(Exception):
            self._client.cancel(list(self._flying))
        self._flying.clear()
        self._done = queue.SimpleQueue()


def _deaths(count: int) -> str:
    return f"the process that computed it died {count} times, each time on another worker"


def _distributed() -> Any:
    try:
        with without_collection():
            import distributed
    except ImportError as error:
        raise UsageError(
            "several processes and clusters need Dask: pip install 'ohmcarlo[sweep]'"
        ) from error
    return distributed


def local(count: int) -> DaskCluster:
    """``count`` processes on this computer, with one thread each."""
    distributed = _distributed()
    import dask

    with ExitStack() as resources:
        folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="ohmcarlo-"))
        settings = {
            "distributed.scheduler.allowed-failures": DEATHS - 1,
            "distributed.worker.profile.enabled": False,
        }
        with dask.config.set(settings):
            cluster = distributed.LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                worker_dashboard_address=None,
                memory_limit=0,
                silence_logs=OFF,
                local_directory=folder,
                preload=["ohmcarlo.cluster.local_worker"],
            )
            resources.callback(cluster.close)
            client = distributed.Client(cluster, set_as_default=False)
            resources.callback(client.close)
        return DaskCluster(client, resources.pop_all())


def connected(address: str) -> DaskCluster:
    """The workers of the scheduler at ``address``."""
    distributed = _distributed()
    if "://" not in address:
        raise UsageError(f"{address} is no address of a scheduler: write tcp://host:8786")
    with ExitStack() as resources:
        try:
            client = distributed.Client(
                address, timeout=SECONDS_TO_ANSWER, set_as_default=False, name="ohmcarlo"
            )
        except (OSError, ValueError) as error:
            raise OhmcarloError(
                f"no scheduler of Dask answers at {address}: start one with `dask scheduler`, "
                "or leave out --scheduler"
            ) from error
        resources.callback(client.close)
        check_workers(client, address)
        found = DaskCluster(client, resources.pop_all(), address)
    if not found.workers:
        current_observer().say(f"{address} has no workers yet: start some with `dask worker`")
    return found
