"""A live view beside a run: the server is a process of its own, so that it does not slow the
sampler down."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from ..cluster.programs import own_paths, python_program
from ..errors import UsageError
from .browser import open_quietly
from .server import address_of, listen, require_server, serve, step_back
from .view import RunView

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


class Beside:
    """The server of a run that this process is about to make, until ``close``.

    It ends with this process, however that ends.

    Parameters
    ----------
    path : Path
        Folder of the run, which need not exist yet.
    port : int or None
        As in ``listen``.
    browser : bool
        Open the page.
    """

    def __init__(self, path: Path, port: int | None, browser: bool) -> None:
        if os.name != "posix":
            raise UsageError(f"--live needs a POSIX system: call `ohmcarlo watch {path}`")
        require_server()
        with listen(port) as listening:
            self.address = address_of(listening)
            self._process = subprocess.Popen(
                python_program(__name__, path.absolute(), listening.fileno()),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[listening.fileno()],
                process_group=0,  # Ctrl-C is for the run; a new session would void its niceness
                env=os.environ | own_paths() | ONE_THREAD,
            )
        if browser:
            open_quietly(self.address)

    def wait(self) -> None:
        """Wait until the server ends, or until KeyboardInterrupt."""
        self._process.wait()

    def close(self) -> None:
        """Tell the server to end. It may take some seconds more to send the last page."""
        assert self._process.stdin is not None
        self._process.stdin.close()


def main(path: str, descriptor: str) -> None:
    """Serve the run in ``path`` at an open socket until standard input closes."""
    import socket

    step_back()

    def ready(server: Any) -> None:
        def until_closed() -> None:
            sys.stdin.buffer.read()
            server.should_exit = True

        threading.Thread(target=until_closed, daemon=True).start()

    serve(RunView(Path(path)), socket.socket(fileno=int(descriptor)), ready, finish=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
