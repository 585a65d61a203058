"""Sweeps that are stopped: killed, interrupted, on a full disk. Nothing finished is lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ohmcarlo.cluster.encoding import unpack

pytestmark = [pytest.mark.verify, pytest.mark.slow]
CELLS = 24
FILE = f"""\
seeds = {CELLS}
draws = 20
[base]
task = "toy2d"
rows = 64
chains = 2
steps = 30000
whiten = true
rho = 0.8
"""
PATIENCE_S = 300.0
COMMAND = [sys.executable, "-m", "ohmcarlo.cli.app", "sweep", "study.toml"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "study.toml").write_text(FILE)
    return tmp_path


def finished(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every finished cell: neither stays if it is written again."""
    found = (folder / "study" / "cells").glob("*.cell")
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}


def wait_for(cells: int, folder: Path, process: subprocess.Popen) -> None:
    """Wait for so many finished cells; an event of the file system, not a fixed time."""
    end = time.monotonic() + PATIENCE_S
    while len(finished(folder)) < cells:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "no cells"
        time.sleep(0.02)


def complete(folder: Path, workers: int) -> str:
    command = [*COMMAND, "--workers", str(workers)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def started(folder: Path, workers: int) -> subprocess.Popen:
    """The real command, in a process group of its own."""
    return subprocess.Popen(
        [*COMMAND, "--workers", str(workers)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_sweep_computes_nothing_twice(folder: Path, workers: int) -> None:
    process = started(folder, workers)
    wait_for(CELLS // 3, folder, process)
    process.kill()
    process.communicate()
    before = finished(folder)
    assert CELLS // 3 <= len(before) < CELLS
    assert f"{CELLS} of {CELLS} finished" in complete(folder, workers)
    after = finished(folder)
    assert len(after) == CELLS
    assert after.items() >= before.items()


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupted_sweep_names_the_command_that_goes_on(folder: Path) -> None:
    process = started(folder, 1)
    wait_for(2, folder, process)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, err
    last = err.splitlines()[-1]
    assert last.startswith("ohmcarlo: interrupted; ")
    assert last.endswith("`ohmcarlo sweep study.toml --workers 1` continues it")
    assert "Traceback" not in err
    assert not list((folder / "study" / "cells").glob("*.failed"))
    before = finished(folder)
    complete(folder, 1)
    assert finished(folder).items() >= before.items()


def test_every_worker_computes_the_same(folder: Path) -> None:
    """All content of a cell but its times is the same, whichever process computed it."""

    def contents(workers: int) -> dict[str, bytes]:
        complete(folder, workers)
        found = {}
        for path in (folder / "study" / "cells").glob("*.cell"):
            content = unpack(path.read_bytes())
            row = content["values"]["row"]
            del content["seconds"], row["sampling_seconds"]
            content["values"]["weights"] = content["values"]["weights"].tobytes()
            content["values"]["log_posterior"] = content["values"]["log_posterior"].tobytes()
            found[path.name] = repr(content).encode()
            path.unlink()
        return found

    (folder / "study.toml").write_text(FILE.replace("30000", "400"))
    one, two = contents(1), contents(2)
    assert len(one) == CELLS
    assert one == two


def limit_of(size: int) -> Callable[[], None]:
    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limited


def test_a_full_disk_is_one_line_and_loses_nothing(folder: Path) -> None:
    """A file that does not fit stands for a full disk: first a cell, then the posteriors."""
    (folder / "study.toml").write_text(FILE.replace("30000", "400"))
    complete(folder, 1)
    before = finished(folder)
    posteriors = (folder / "study" / "posteriors.nc").stat().st_size
    largest = max(path.stat().st_size for path in (folder / "study" / "cells").iterdir())
    table = (folder / "study" / "table.parquet").stat().st_size
    assert max(largest, table) < posteriors - 1
    for size, text in ((posteriors - 1, "posteriors.nc"), (largest // 2, ".cell")):
        if text == ".cell":
            name = next(iter(before))
            (folder / "study" / "cells" / name).unlink()
        done = subprocess.run(
            [*COMMAND, "--workers", "1"],
            cwd=folder,
            capture_output=True,
            text=True,
            preexec_fn=limit_of(size),
        )
        assert done.returncode == 1, done.stderr
        last = done.stderr.splitlines()[-1]
        assert last.startswith("ohmcarlo: ") and text in last and "Traceback" not in done.stderr
        assert "free some space" in last
    assert f"{CELLS} of {CELLS} finished" in complete(folder, 1)
    after = finished(folder)
    assert {k: v for k, v in after.items() if k != name} == {
        k: v for k, v in before.items() if k != name
    }
