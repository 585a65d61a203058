"""The number of threads, and work that they share."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ohmcarlo import threads as module
from ohmcarlo.errors import UsageError
from ohmcarlo.threads import cores_of_quota, limit_threads, share, threads


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(module.VARIABLE, raising=False)
    limit_threads(None)
    yield
    limit_threads(None)


def test_limit_before_variable_before_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3, 5}, raising=False)
    assert threads() == 3
    module.QUOTA.write_text("150000 100000\n")
    assert threads() == 2
    module.QUOTA.write_text("max 100000\n")
    assert threads() == 3
    module.QUOTA.write_text("of another kind\n")
    assert threads() == 3
    monkeypatch.setenv(module.VARIABLE, "5")
    assert threads() == 5
    limit_threads(1)
    assert threads() == 1
    limit_threads(10_000)
    assert threads() == module.MOST_THREADS


def test_quotas() -> None:
    assert [cores_of_quota(f"{q} 100000") for q in (1, 100000, 100001, "max")] == [1, 1, 2, None]


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5", " "])
def test_wrong_numbers(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.VARIABLE, wrong)
    with pytest.raises(UsageError, match=f"OHMCARLO_THREADS is {wrong!r}: set a whole number"):
        threads()
    with pytest.raises(UsageError, match="threads = 0: choose 1 or more"):
        limit_threads(0)


def test_threads_work_at_the_same_time() -> None:
    together = threading.Barrier(3)
    share(lambda: together.wait(60) and None, 3)


def test_a_busy_thread_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller does all of the work while no other thread is free."""
    pool, free = module.ThreadPoolExecutor(1), threading.Event()
    monkeypatch.setattr(module, "_helpers", pool)
    pool.submit(free.wait, 60)
    places: list[str] = []
    share(lambda: places.append(threading.current_thread().name), 2)
    free.set()
    pool.shutdown()
    assert places == [threading.main_thread().name]


@pytest.mark.parametrize("caller_fails", [True, False])
def test_an_error_comes_after_all_calls_ended(caller_fails: bool) -> None:
    """Also that of the caller, whose own call ends first."""
    ended: list[str] = []
    together = threading.Barrier(2)

    def work() -> None:
        together.wait(60)
        thread = threading.current_thread()
        if (thread is threading.main_thread()) == caller_fails:
            raise ValueError("one of the calls")
        time.sleep(0.05)
        ended.append(thread.name)

    with pytest.raises(ValueError, match="one of the calls"):
        share(work, 2)
    assert len(ended) == 1


def test_ctrl_c_comes_after_all_calls_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It arrives while the caller waits for another thread."""
    ended: list[str] = []
    together, interrupted, wait = threading.Barrier(2), threading.Event(), module.wait

    def ctrl_c(calls: Any) -> None:
        monkeypatch.setattr(module, "wait", wait)
        interrupted.set()
        raise KeyboardInterrupt

    def work() -> None:
        together.wait(60)
        if threading.current_thread() is not threading.main_thread():
            interrupted.wait(60)
            time.sleep(0.05)
            ended.append("the other")

    monkeypatch.setattr(module, "wait", ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        share(work, 2)
    assert ended == ["the other"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_starts_its_own_threads() -> None:
    together = threading.Barrier(2)
    share(lambda: together.wait(60) and None, 2)
    child = os.fork()
    if not child:
        try:
            again = threading.Barrier(2)
            share(lambda: again.wait(60) and None, 2)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
