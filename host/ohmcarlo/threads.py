"""The number of threads of a computation, and work that several threads share.

Compiled functions release Python's global lock, so threads of one process use several cores. No
result depends on the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Lock

from .errors import UsageError

VARIABLE = "OHMCARLO_THREADS"
MOST_THREADS = 64
PIECES = 4  # of a range for each thread: threads that are faster take more of them
QUOTA = Path("/sys/fs/cgroup/cpu.max")

_limit: int | None = None
_helpers: ThreadPoolExecutor | None = None
_making = Lock()


def limit_threads(number: int | None) -> None:
    """Let each computation of this process use at most ``number`` threads, from now on.

    A program with a process for each core, such as a worker of a cluster, passes 1. None returns to
    the default: the number in the environment variable ``OHMCARLO_THREADS``, or every core that
    this process may use.

    Raises UsageError for a number below 1.

    Examples
    --------
    >>> from ohmcarlo.threads import limit_threads, threads
    >>> limit_threads(1)
    >>> threads()
    1
    >>> limit_threads(None)
    """
    global _limit
    if number is not None and number < 1:
        raise UsageError(f"threads = {number}: choose 1 or more")
    _limit = number


def threads() -> int:
    """Threads that a computation may use: the limit of this process, or what the environment
    variable holds, or else the cores that this process may use; at most ``MOST_THREADS``.

    Raises UsageError if the environment variable holds no whole number from 1.
    """
    if _limit is not None:
        return min(_limit, MOST_THREADS)
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return min(cores(), MOST_THREADS)
    if not wanted.isdecimal() or int(wanted) < 1:
        raise UsageError(f"{VARIABLE} is {wanted!r}: set a whole number from 1, or unset it")
    return min(int(wanted), MOST_THREADS)


def cores() -> int:
    """Cores that this process may use: its affinity, and the quota of its control group."""
    known = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        known = len(os.sched_getaffinity(0))
    try:
        quota = cores_of_quota(QUOTA.read_text())
    except (OSError, ValueError):
        quota = None
    return known if quota is None else min(known, quota)


def cores_of_quota(text: str) -> int | None:
    """Cores that the content of a control group's ``cpu.max`` allows; None without a limit.

    >>> cores_of_quota("150000 100000"), cores_of_quota("max 100000")
    (2, None)
    """
    quota, period = text.split()
    return None if quota == "max" else max(1, -(-int(quota) // int(period)))


def share(work: Callable[[], None], number: int) -> None:
    """Call ``work`` in this thread and, at the same time, in up to ``number`` - 1 others.

    Each call takes pieces of the work until none is left. Returns, or raises what a call raised,
    when all calls have ended. The thread of the caller alone can do all of the work: other threads
    that are busy delay nothing.
    """
    others: list[Future[None]] = []
    try:
        for _ in range(number - 1):
            others.append(_pool().submit(work))
        work()
    finally:
        errors = _ends([call for call in others if not call.cancel()])
    if errors:
        raise errors[0]


def share_range(count: int, work: Callable[[slice], None], number: int) -> None:
    """Call ``work`` with slices that cover ``range(count)``, in up to ``number`` threads.

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.threads import share_range
    >>> squares = np.arange(5)
    >>> share_range(5, lambda part: squares[part].__imul__(squares[part]), 2)
    >>> squares.tolist()
    [0, 1, 4, 9, 16]
    """
    pieces = 1 if number == 1 else PIECES * number
    left = [slice(i * count // pieces, (i + 1) * count // pieces) for i in range(pieces)]

    def take() -> None:
        while True:
            try:
                part = left.pop()
            except IndexError:
                return
            work(part)

    share(take, number)


def _ends(calls: list[Future[None]]) -> list[BaseException]:
    """Wait for calls that have begun, also after Ctrl-C; returns their exceptions."""
    interrupts: list[BaseException] = []
    for call in calls:
        while not call.done():
            try:
                wait([call])
            except KeyboardInterrupt as interrupt:
                interrupts.append(interrupt)
    found = [call.exception() for call in calls]
    return interrupts + [error for error in found if error is not None]


def _pool() -> ThreadPoolExecutor:
    global _helpers
    with _making:
        if _helpers is None:
            _helpers = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="ohmcarlo")
        return _helpers


def _forget_helpers() -> None:
    """A process that was forked has none of the threads."""
    global _helpers, _making
    _helpers, _making = None, Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_helpers)
