"""Starts and ends the processes of this computer."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..errors import OhmcarloError
from ..files import explain
from ..progress import phase
from .programs import own_paths, python_program

PROGRAM = "ohmcarlo.cluster.local_host"


@contextmanager
def processes(count: int) -> Iterator[Starting]:
    """Start ``count`` workers with one thread each; they end with the block."""
    with _folder() as folder, (folder / "log").open("wb") as log:
        host = subprocess.Popen(
            python_program(PROGRAM, count, folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | own_paths(),
            start_new_session=True,
        )
        try:
            yield Starting(host, folder / "log")
        finally:
            if hasattr(os, "killpg"):  # elsewhere it ends its workers when its input is closed
                with suppress(OSError):
                    os.killpg(host.pid, signal.SIGKILL)
            host.communicate()


class Starting:
    """Processes that have been started and will have an address."""

    def __init__(self, host: subprocess.Popen[bytes], log: Path) -> None:
        self._host, self._log = host, log

    def address(self) -> str:
        """Address of the scheduler; waits for it. OhmcarloError if it ends before."""
        answer: IO[bytes] = self._host.stdout  # type: ignore[assignment]
        with phase("starting the processes"):
            line = answer.readline().decode().strip()
        if not line:
            words = self._log.read_text(errors="replace").split("\n")
            last = next((word.strip() for word in reversed(words) if word.strip()), "no reason")
            raise OhmcarloError(f"the processes of this computer did not start: {last}")
        return line


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder for the files of Dask."""
    try:
        made = tempfile.TemporaryDirectory(prefix="ohmcarlo-", ignore_cleanup_errors=True)
    except OSError as error:
        raise OhmcarloError(
            f"{explain(error, Path(tempfile.gettempdir()))}: free some space, or let TMPDIR name "
            "another folder"
        ) from error
    with made as name:
        yield Path(name)
