"""Tools that run as separate processes and end with the call that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from ohmcarlo.errors import OhmcarloError

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended."""
_thread = threading.local()


class ToolFailed(OhmcarloError):
    """A tool that ended with an error; ``printed``: its whole output."""

    def __init__(self, message: str, printed: str) -> None:
        super().__init__(message)
        self.printed = printed


class _Running:
    """The processes that the threads of one pool have started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[str]] = set()
        self._ended = False

    def add(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            self._processes.add(process)
            if self._ended:
                process.kill()

    def remove(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            self._processes.discard(process)

    def end(self) -> None:
        with self._lock:
            self._ended = True
            for process in self._processes:
                process.kill()


@contextmanager
def side_by_side(workers: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads, one per processor by default.

    A block that raises (Ctrl-C is raised in the main thread) drops the jobs that wait and ends the
    tools that ``run`` has started in the pool's threads.
    """
    running = _Running()

    def begin() -> None:
        _thread.running = running

    with ThreadPoolExecutor(workers or os.cpu_count(), initializer=begin) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            running.end()
            raise


def run(
    command: Sequence[str | Path],
    folder: Path,
    *,
    stdin: int = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = lambda line: None,
) -> tuple[int, str]:
    """Run a tool in ``folder``; return its exit code and its output.

    ``on_line`` gets each line, without its end, as soon as it is printed. An exception (Ctrl-C,
    or one of ``on_line``) ends the tool. Raises OhmcarloError when it does not start.
    """
    words = [str(word) for word in command]
    try:
        process = subprocess.Popen(
            words,
            cwd=folder,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | dict(environment or {}),
        )
    except OSError as error:
        raise OhmcarloError(f"{words[0]} does not start: {error.strerror}") from error
    running: _Running | None = getattr(_thread, "running", None)
    if running is not None:
        running.add(process)
    printed = []
    try:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                printed.append(line)
                on_line(line.rstrip())
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        if running is not None:
            running.remove(process)
    return code, "".join(printed)


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise KeyboardInterrupt within the block, so that it is cleaned up.

    A library in C may replace that exception by one of its own: the SystemRDL parser raises a
    TypeError. KeyboardInterrupt leaves the block also then. A signal that this process ignores
    stays ignored. Outside the main thread, the block has no effect, because Python handles signals
    only there.
    """
    came = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    except Exception:
        if came:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before.items():
            with suppress(TypeError):  # None: the handler was not installed from Python
                signal.signal(number, handler)
