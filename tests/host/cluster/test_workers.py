"""Processes of this computer and workers of a scheduler: shares, deaths, absence, interrupts."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cluster_cells
from ohmcarlo.cluster import dask_workers, local_host
from ohmcarlo.cluster.base import Cluster
from ohmcarlo.cluster.cells import DIED, Cell, Failure, Outcome
from ohmcarlo.cluster.dask_workers import DaskCluster
from ohmcarlo.cluster.encoding import pack
from ohmcarlo.cluster.engine import open_cluster
from ohmcarlo.cluster.reach import require_scheduler
from ohmcarlo.cluster.store import CellStore
from ohmcarlo.cluster.versions import check_workers
from ohmcarlo.cluster.work import Reply, content_of
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.progress import Silence, observed_by
from ohmcarlo.reproduce.base import Bench

HELPERS = Path(cluster_cells.__file__).parent
PATIENCE_S = 60.0
HEAD = {"address": "tcp://head:8786", "port": "--port 8786", "workers": "--nworkers 16"}
"""What the commands of docs/sweeps.md have in place of a test's addresses and numbers."""


class Shown(Silence):
    """The calls of an observer that count."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, int, str, str]] = []
        self.counts: list[int] = []
        self.words: list[str] = []

    def begin(self, steps: int, total: int, what: str = "", unit: str = "") -> None:
        self.begun.append((steps, total, what, unit))

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        self.counts.append(steps)

    def rename(self, text: str, steps: int = 0, total: int = 0, unit: str = "") -> None:
        self.words.append(text)


@pytest.fixture(scope="module")
def local() -> Iterator[Cluster]:
    """Two processes of this computer, for all tests of this file that leave them alive."""
    with open_cluster(workers=2) as made:
        yield made


def squares(numbers: range, **arguments: Any) -> list[Cell]:
    return [Cell("cluster_cells:square", {"x": x, **arguments}) for x in numbers]


def eventually(condition: Callable[[], Any]) -> Any:
    """The first true value of a condition."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


# -- processes of this computer --------------------------------------------------------------------


def test_two_processes_share_the_cells(local: Cluster, tmp_path: Path) -> None:
    """The progress counts what was stored before apart, so that it is no speed."""
    work, store, shown = squares(range(12), seconds=0.02), CellStore(tmp_path), Shown()
    list(local.run(work[:2], store))
    with observed_by(shown):
        found = list(local.run(work, store, what="squares"))
    values = {f.cell.arguments["x"]: f.values for f in found if isinstance(f, Outcome)}
    assert {x: v["square"] for x, v in values.items()} == {x: x * x for x in range(12)}
    assert values[3]["row"].tolist() == [0, 1, 2]
    processes = {v["process"] for v in values.values()}
    assert len(processes) == 2 and os.getpid() not in processes
    assert {v["threads"] for v in values.values()} == {1}
    assert shown.begun == [(2, 12, "squares", "cells")] and shown.counts == [*range(3, 13)]
    assert shown.words[0] == "squares (2 running)" and shown.words[-1] == "squares"


def test_libraries_in_a_cell_do_not_compute_on_its_cluster(local: Cluster, tmp_path: Path) -> None:
    """xarray would lock a file through the scheduler, which fails for a file in memory."""
    (found,) = local.run([Cell("cluster_cells:name_scheduler", {})], CellStore(tmp_path))
    assert isinstance(found, Outcome)
    assert found.values == {"scheduler": "dask.local"}


def test_an_error_of_a_cell_crosses_the_processes_as_one_line(
    local: Cluster, tmp_path: Path
) -> None:
    names = ("refuse", "break_down")
    work = [Cell(f"cluster_cells:{name}", {"x": 33}) for name in names]
    found = list(local.run([*work, *squares(range(2))], CellStore(tmp_path)))
    messages = {f.message for f in found if isinstance(f, Failure)}
    assert messages == {
        "33 features do not fit into 32 pairs: use fewer",
        "ZeroDivisionError: first line 33 second line",
    }
    assert sum(isinstance(f, Outcome) for f in found) == 2


def test_few_cells_are_in_flight(
    local: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many cells there are, each worker has two at hand."""
    most: list[int] = []
    submit = dask_workers.DaskCluster._submit

    def counted(self: Any, *arguments: Any) -> None:
        submit(self, *arguments)
        most.append(len(self._flying))

    monkeypatch.setattr(dask_workers.DaskCluster, "_submit", counted)
    assert len(list(local.run(squares(range(30)), CellStore(tmp_path)))) == 30
    assert max(most) == 4


class Scripted:
    """A client of Dask. Its scheduler has one worker at first, and ``later`` ones after two looks;
    after 50 looks it has gone. All futures are done when ``wait_for`` of them were submitted."""

    def __init__(self, later: int = 1, wait_for: int = 1000) -> None:
        self.later, self.wait_for, self.looks = later, wait_for, 0
        self.submitted: list[tuple[Future[Reply], Cell, str]] = []
        self.cancelled: list[Future[Reply]] = []

    def scheduler_info(self, n_workers: int) -> dict[str, int]:
        self.looks += 1
        return {"total_threads": self.later if self.looks > 2 else 1}

    @property
    def status(self) -> str:
        return "running" if self.looks < 50 else "closed"

    def submit(self, function: Any, name: str, arguments: str, digest: str, *_: str, key: str):
        future: Future[Reply] = Future()
        self.submitted.append((future, Cell(name, json.loads(arguments)), digest))
        if len(self.submitted) == self.wait_for:
            for done, cell, each in self.submitted:
                done.set_result(Reply(pack(content_of(cell, each, {}, 0.1))))
        return future

    def cancel(self, futures: list[Future[Reply]]) -> None:
        self.cancelled += futures


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_workers, "EVERY_S", 0.001)


@pytest.mark.usefixtures("impatient")
def test_workers_that_come_later_have_cells_at_once(tmp_path: Path) -> None:
    """Also while no cell ends: those of a queueing system come one after the other."""
    client = Scripted(later=3, wait_for=3 * dask_workers.AHEAD)
    with DaskCluster(lambda resources: client, "tcp://head:8786") as made:
        found = list(made.run(squares(range(6)), CellStore(tmp_path)))
    assert len(found) == 6


@pytest.mark.usefixtures("impatient")
def test_a_scheduler_that_goes_is_one_line(tmp_path: Path) -> None:
    client = Scripted()
    with (
        DaskCluster(lambda resources: client, "tcp://head:8786") as made,
        pytest.raises(OhmcarloError, match=r"tcp://head:8786 has gone; finished cells are stored"),
    ):
        list(made.run(squares(range(6)), CellStore(tmp_path)))


def test_cells_of_a_run_that_is_left_are_cancelled(tmp_path: Path) -> None:
    client = Scripted(wait_for=dask_workers.AHEAD)
    with DaskCluster(lambda resources: client) as made:
        left = made.run(squares(range(6)), CellStore(tmp_path))
        next(left)
        next(left)  # a third cell is at hand
        left.close()
    assert client.cancelled == [client.submitted[2][0]]


def test_a_run_that_is_left_takes_nothing_from_the_next(local: Cluster, tmp_path: Path) -> None:
    store = CellStore(tmp_path)
    left = local.run(squares(range(6), seconds=0.02), store)
    next(left)
    following = local.run(squares(range(10, 20), seconds=0.02), store)
    first = next(following)
    left.close()
    assert len({f.digest for f in (first, *following)}) == 10


def test_a_figure_computes_its_cells_on_processes(
    local: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``Bench.map`` keeps the order; a failed cell ends it with its line."""

    class Quiet:
        def say(self, text: str) -> None: ...

        def track(self, cells: Any, total: int, what: str) -> Any:
            return cells

    monkeypatch.setattr("ohmcarlo.reproduce.base.open_cluster", lambda **_: local)
    bench = Bench(tmp_path, 2, 2, Quiet())
    cells = [{"x": x, "seconds": 0.05 * (x == 0)} for x in (0, 1, 2, 1)]
    found = bench.map("squares", cluster_cells.square, cells)
    assert [f["square"] for f in found] == [0, 1, 4, 1]
    with pytest.raises(UsageError, match=r"^refused: 33 features do not fit .*: use fewer$"):
        bench.map("refused", cluster_cells.refuse, [{"x": 33}])
    with pytest.raises(OhmcarloError, match=r"ZeroDivisionError.*details in .*\.failed") as caught:
        bench.map("broken", cluster_cells.break_down, [{"x": 33}])
    assert not isinstance(caught.value, UsageError)  # another exit code


def test_a_cell_whose_worker_is_killed_is_computed_by_another(
    local: Cluster, tmp_path: Path
) -> None:
    once = str(tmp_path / "once")
    work = [Cell("cluster_cells:die", {"log": once, "times": 1})]
    work += squares(range(6), log=str(tmp_path / "log"), seconds=0.1)
    found = list(local.run(work, CellStore(tmp_path / "cells")))
    assert len(found) == 7 and all(isinstance(f, Outcome) for f in found)
    assert len(set(Path(once).read_text().split())) == 2


@pytest.mark.verify
def test_a_cell_that_kills_its_workers_is_a_failure_and_the_others_are_done(
    local: Cluster, tmp_path: Path
) -> None:
    always = str(tmp_path / "always")
    work = [Cell("cluster_cells:die", {"log": always}), *squares(range(6), seconds=0.1)]
    found = list(local.run(work, CellStore(tmp_path / "cells")))
    (failed,) = [f for f in found if isinstance(f, Failure)]
    assert failed.kind == DIED and failed.cell.arguments["log"] == always
    assert failed.message.startswith("2 workers died, one after the other")
    assert len(found) == 7
    assert len(set(Path(always).read_text().split())) == 4  # twice among others, twice alone
    stored = CellStore(tmp_path / "cells").failure(failed.cell, failed.digest)
    assert stored is not None and stored.message == failed.message


# -- programs ------------------------------------------------------------------------------------


@contextmanager
def program(*command: str, path: str = "", **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A program in a session of its own, which is killed at the end."""
    paths = os.pathsep.join([path, str(HELPERS), *filter(None, sys.path)])
    made = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": paths},
        **options,
    )
    try:
        yield made
    finally:
        if made.poll() is None:
            os.killpg(made.pid, signal.SIGKILL)
        made.communicate()


def computing(folder: Path, work: list[Any], *option: str) -> Any:
    """``cluster_cells`` on ``work``; by default with two processes."""
    option = option or ("--workers", "2")
    return program(sys.executable, "-m", "cluster_cells", str(folder), json.dumps(work), *option)


def told(errors: str) -> list[str]:
    """Lines of standard error without those of the progress, which depend on the load."""
    return [line for line in errors.splitlines() if not re.search(r"…$|^cells[ :(]", line)]


def state_of(folder: Path) -> tuple[list[int], set[Path]]:
    """Processes of local hosts whose files are below ``folder``, and these folders."""
    made = set(folder.glob("ohmcarlo-*"))
    alive = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (entry / "environ").read_bytes()
            if f"TMPDIR={folder}".encode() in words.split(b"\0"):
                alive.append(int(entry.name))
    return alive, made


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of the programs that a test starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def gated(folder: Path, count: int) -> list[Any]:
    """Squares that wait for files ``gateN`` and write a log."""
    return [
        ["square", {"x": x, "gate": str(folder / f"gate{x}"), "log": str(folder / "log")}]
        for x in range(count)
    ]


@pytest.mark.verify
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_sweep_that_is_killed_and_resumed_computes_nothing_twice(
    workers: str, tmp_path: Path, temporary: Path
) -> None:
    """kill -9 ends the processes and removes their files, too."""
    work, cells = gated(tmp_path, 6), tmp_path / "cells"
    for x in range(3):
        (tmp_path / f"gate{x}").touch()
    with computing(cells, work, "--workers", workers) as first:
        eventually(lambda: len(list(cells.glob("*.cell"))) == 3)
        first.kill()
        _, errors = first.communicate()
    assert told(errors) == []
    eventually(lambda: state_of(temporary) == ([], set()))
    for x in range(3, 6):
        (tmp_path / f"gate{x}").touch()
    with computing(cells, work, "--workers", workers) as second:
        printed, errors = second.communicate(timeout=PATIENCE_S)
    assert printed.split() == ["up", *["done"] * 6] and told(errors) == []
    assert sorted((tmp_path / "log").read_text().split()) == [str(x) for x in range(6)]
    eventually(lambda: state_of(temporary) == ([], set()))


@pytest.mark.verify
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_is_one_line(workers: str, tmp_path: Path, temporary: Path) -> None:
    """Ctrl-C reaches every process of the terminal's group. What is finished is kept."""
    work, cells = gated(tmp_path, 4), tmp_path / "cells"
    (tmp_path / "gate0").touch()
    with computing(cells, work, "--workers", workers) as made:
        assert made.stdout is not None
        assert [made.stdout.readline() for _ in range(2)] == ["up\n", "done\n"]
        os.killpg(made.pid, signal.SIGINT)
        printed, errors = made.communicate(timeout=PATIENCE_S)
    assert told(errors) == ["ohmcarlo: interrupted"] and made.returncode == 130
    assert printed == "" and len(list(cells.iterdir())) == 1
    eventually(lambda: state_of(temporary) == ([], set()))


@pytest.mark.verify
def test_processes_that_are_killed_are_one_line(tmp_path: Path, temporary: Path) -> None:
    """The process that holds the workers is killed: finished cells are kept."""
    work, cells = gated(tmp_path, 4), tmp_path / "cells"
    (tmp_path / "gate0").touch()
    with computing(cells, work) as made:
        eventually(lambda: list(cells.glob("*.cell")))
        for process in state_of(temporary)[0]:
            if process != made.pid:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        _, errors = made.communicate(timeout=PATIENCE_S)
    assert told(errors) == [
        "ohmcarlo: the processes of this computer have gone; finished cells are stored: repeat "
        "the command"
    ]
    assert len(list(cells.iterdir())) == 1


def test_processes_that_do_not_start_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ohmcarlo.cluster.local.PROGRAM", "no_such_module")
    message = r"did not start: .*No module named no_such_module"
    with open_cluster(workers=2) as made, pytest.raises(OhmcarloError, match=message):
        list(made.run(squares(range(3)), CellStore(tmp_path)))


def test_finished_cells_start_no_process(
    local: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CellStore(tmp_path)
    list(local.run(squares(range(3)), store))
    monkeypatch.setattr("ohmcarlo.cluster.local.PROGRAM", "no_such_module")
    with open_cluster(workers=2) as made:
        assert len(list(made.run(squares(range(3)), store))) == 3


# -- a scheduler ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://127.0.0.1:1", r"\(Connection refused\): start one with `dask scheduler`"),
        ("tcp://no-such-host.invalid:8786", r"\(.*[Nn]ame.*\): start one"),
        ("localhost:8786", "write tcp://HOST:PORT"),
        ("tcp://localhost", "write tcp://HOST:PORT"),
        ("tcp://localhost:port", "write tcp://HOST:PORT"),
        ("http://localhost:80", "write tcp://HOST:PORT"),
    ],
)
def test_an_absent_scheduler_is_one_line(address: str, message: str) -> None:
    with pytest.raises(OhmcarloError, match=message) as caught:
        open_cluster(scheduler=address)
    assert address in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_scheduler_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ohmcarlo.cluster.reach.SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(OhmcarloError, match="does not answer as Dask does"):
            open_cluster(scheduler=f"tcp://{address}")
        monkeypatch.setattr("ohmcarlo.cluster.reach.SECONDS", PATIENCE_S)
        with pytest.raises(UsageError, match="no certificates for tls"):
            open_cluster(scheduler=f"tls://{address}")


def test_a_worker_is_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is easily taken for that of its scheduler."""
    monkeypatch.setattr("ohmcarlo.cluster.reach._identity", lambda address: {"type": "Worker"})
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(UsageError, match="is a worker: write the address of its scheduler"):
            require_scheduler(address)


def client_of(worker: dict[str, Any], threads: int = 1) -> Any:
    """A client that knows one worker with these versions."""

    def known(python: str, **packages: str | None) -> dict[str, Any]:
        return {"host": {"python": python}, "packages": packages}

    ours = {"python": "3.11.7.final.0", "distributed": "2026.8.0", "ohmcarlo": "0.1.0"}
    versions = {"client": known(**ours), "workers": {"tcp://w:1": known(**{**ours, **worker})}}
    return SimpleNamespace(
        get_versions=lambda packages: versions,
        scheduler_info=lambda n_workers: {"workers": {"tcp://w:1": {"nthreads": threads}}},
    )


@pytest.mark.parametrize(
    ("worker", "message"),
    [
        ({"python": "3.13.1.final.0"}, "has Python 3.13, this computer has Python 3.11"),
        ({"distributed": "2025.7.0"}, "has distributed 2025.7.0, this computer has distributed 2"),
        ({"ohmcarlo": "0.0.9"}, "has ohmcarlo 0.0.9, this computer has ohmcarlo 0.1.0"),
        ({"ohmcarlo": None}, "has no ohmcarlo, this computer has ohmcarlo 0.1.0"),
    ],
)
def test_other_versions_on_a_worker_are_one_line(worker: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=rf"worker tcp://w:1 of tcp://s:1 {message}"):
        check_workers(client_of(worker), "tcp://s:1")
    check_workers(client_of({"python": "3.11.9.final.0"}), "tcp://s:1")


def test_a_worker_with_several_threads_is_one_line() -> None:
    with pytest.raises(UsageError, match="has 4 threads: start it with --nthreads 1 --nworkers 4"):
        check_workers(client_of({}, threads=4), "tcp://s:1")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def documented(command: str, **replaced: str) -> list[str]:
    """A command of docs/sweeps.md with other addresses and numbers."""
    page = (Path(__file__).parents[3] / "docs" / "sweeps.md").read_text(encoding="utf-8")
    (line,) = [text.strip() for text in page.splitlines() if text.startswith(f"    {command}")]
    for old, new in replaced.items():
        assert HEAD[old] in line
        line = line.replace(HEAD[old], new)
    name, *arguments = line.split()
    return [str(Path(sys.executable).parent / name), *arguments]


@contextmanager
def scheduler_by_hand(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A scheduler, started with the command of docs/sweeps.md."""
    port = free_port()
    command = documented("dask scheduler", port=f"--port {port}")
    with program(*command, "--host", "127.0.0.1", cwd=folder) as made:
        yield f"tcp://127.0.0.1:{port}", made


def workers_by_hand(address: str, folder: Path, path: str = "") -> Any:
    """Two workers, started with the command of docs/sweeps.md."""
    command = documented("dask worker", address=address, workers="--nworkers 2")
    return program(*command, cwd=folder, path=path)


def listening(address: str) -> bool:
    host, port = address.removeprefix("tcp://").split(":")
    with suppress(OSError):
        socket.create_connection((host, int(port))).close()
        return True
    return False


def test_local_workers_keep_their_memory() -> None:
    """Their environment has thresholds above those of Dask, and still one thread for BLAS."""
    import dask
    import distributed  # noqa: F401  its defaults

    key = "distributed.nanny.pre-spawn-environ"
    usual = dict(dask.config.get(key))
    with dask.config.set(local_host.SETTINGS):
        ours = dict(dask.config.get(key))
    assert ours["MALLOC_TRIM_THRESHOLD_"] > 100 * usual["MALLOC_TRIM_THRESHOLD_"]
    assert ours["MALLOC_MMAP_THRESHOLD_"] > 1 << 20
    assert ours["OPENBLAS_NUM_THREADS"] == usual["OPENBLAS_NUM_THREADS"] == 1


async def reached_from_a_notebook(address: str) -> None:
    """A loop of asyncio runs in its thread."""
    require_scheduler(address)


@pytest.mark.verify
def test_a_cluster_by_hand(tmp_path: Path) -> None:
    """Workers may come later; a cell that kills workers and a scheduler that is killed are lines.

    The scheduler has the settings of Dask: a cell may kill four workers, and four more alone.
    """
    cells, log = tmp_path / "cells", tmp_path / "log"
    work = [["square", {"x": x, "log": str(log)}] for x in range(8)]
    with scheduler_by_hand(tmp_path) as (address, scheduler):
        eventually(lambda: listening(address))
        asyncio.run(reached_from_a_notebook(address))
        option = ("--scheduler", address)
        with computing(cells, work, *option) as early:
            assert early.stdout is not None and early.stdout.readline() == "up\n"
            assert early.stderr is not None
            while f"has no workers: start some with `dask worker {address}" not in (
                line := early.stderr.readline()
            ):
                assert line, "the program has ended"
            with workers_by_hand(address, tmp_path):
                printed, _ = early.communicate(timeout=PATIENCE_S)
                assert printed.split() == ["done"] * 8
                with computing(cells, [["die", {"log": str(log)}], *work], *option) as killing:
                    printed, errors = killing.communicate(timeout=2 * PATIENCE_S)
                assert "4 workers died, one after the other" in printed
                assert printed.count("done") == 8
                begun = tmp_path / "begun"
                work = [["square", {"x": 1, "gate": "never", "begun": str(begun)}]]
                with computing(cells, work, *option) as left:
                    eventually(begun.exists)
                    scheduler.kill()
                    _, errors = left.communicate(timeout=PATIENCE_S)
                assert errors.splitlines()[-1] == (
                    f"ohmcarlo: the scheduler {address} has gone; finished cells are stored: "
                    "start it again, and repeat the command"
                )
                assert left.returncode == 1


@pytest.mark.verify
def test_workers_with_other_sources_are_one_line(tmp_path: Path) -> None:
    """Also those that come after the check of the versions."""
    import shutil

    import ohmcarlo

    package = Path(ohmcarlo.__file__).parent
    shutil.copytree(package, tmp_path / "other" / "ohmcarlo")
    with (tmp_path / "other" / "ohmcarlo" / "readable.py").open("a") as file:
        file.write("# changed\n")
    work = [["square", {"x": 1}]]
    with scheduler_by_hand(tmp_path) as (address, _):
        eventually(lambda: listening(address))
        with (
            workers_by_hand(address, tmp_path, str(tmp_path / "other")),
            computing(tmp_path / "cells", work, "--scheduler", address) as made,
        ):
            _, errors = made.communicate(timeout=PATIENCE_S)
    assert "has other sources of ohmcarlo than this computer" in errors.splitlines()[-1]
    assert made.returncode == 2 and not list((tmp_path / "cells").iterdir())
