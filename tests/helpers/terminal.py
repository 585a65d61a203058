"""A pseudo-terminal, as a user has in front of them."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Sequence


class Terminal:
    """A program in the foreground of a pseudo-terminal.

    Attributes
    ----------
    master : int
        File descriptor of what the user types.
    seen : str
        Everything that the terminal has shown.
    before, after : list
        Attributes of the terminal before the program, and after ``close``.
    """

    def __init__(self, command: Sequence[str], **environment: str) -> None:
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)

        def take_terminal() -> None:
            # a shell that began the tests in the background has them ignore interrupts
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=take_terminal,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "100"} | environment,
        )
        self._slave = slave
        self.seen = ""

    def type(self, text: str) -> None:
        """What the user types."""
        os.write(self.master, text.encode())

    def until(self, text: str, seconds: float = 60) -> None:
        """Read until the terminal has shown ``text``."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            self._read(0.5)

    def _read(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            self.seen += os.read(self.master, 1 << 16).decode()

    def close(self) -> int:
        """Exit code; ``seen`` is then complete."""
        code = self.process.wait(60)
        self._read(0.2)
        self.after = termios.tcgetattr(self._slave)
        os.close(self.master)
        os.close(self._slave)
        return code
