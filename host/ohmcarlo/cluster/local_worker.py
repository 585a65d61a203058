"""Set-up of a worker process on this computer, which Dask calls by name when it preloads this."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

LOG = "worker.log"


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C to the process that owns the terminal, and write to a file beside the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    descriptor = os.open(
        Path(worker.local_directory) / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
    )
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
