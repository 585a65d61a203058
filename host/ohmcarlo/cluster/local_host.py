"""The program that holds the processes of this computer: a scheduler of Dask and its workers.

It runs in a session of its own, so that Ctrl-C of a terminal reaches only the process that started
it, and whatever Dask prints goes into a file. It ends when its standard input is closed, thus also
when the process that started it is killed.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys

MIB = 2**20
SETTINGS = {
    # a process that dies twice over a cell; ``dask_workers`` then tries that cell alone
    "distributed.scheduler.allowed-failures": 1,
    "distributed.worker.profile.enabled": False,
    # the next cell needs the memory of the last one again: where it goes back to the system, as
    # Dask wants it, a cell takes a tenth longer
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 128 * MIB,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 32 * MIB,
}


def main() -> None:
    """``local_host COUNT FOLDER``: prints the address of the scheduler, then waits."""
    count, folder = int(sys.argv[1]), sys.argv[2]
    answer = os.dup(1)
    os.dup2(2, 1)  # the workers inherit it
    import dask
    import distributed

    dask.config.set(SETTINGS)
    cluster = distributed.LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        worker_dashboard_address=None,
        memory_limit=0,
        silence_logs=logging.ERROR,
        local_directory=folder,
    )
    with os.fdopen(answer, "w") as stream:
        print(cluster.scheduler_address, file=stream, flush=True)
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    cluster.close()


if __name__ == "__main__":
    main()
