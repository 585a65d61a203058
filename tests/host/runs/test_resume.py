"""A run that is killed at any moment and resumed has the trace of an uninterrupted run."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.runs import chain_run, stored
from ohmcarlo.runs.chain_run import Interrupted, Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.folder import RunFolder
from ohmcarlo.runs.train import Outputs, resume_run, train_run

BLOCK = 7  # steps between two checkpoints
CONFIG = TrainConfig("breast-cancer", steps=700, chains=2, rows=64, pairs=16, features=9, seed=11)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def files_of(folder: Path) -> dict[str, np.ndarray]:
    return stored.read_trace(folder).arrays()


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def begin_or_go_on(folder: Path) -> None:
    """The commands of a user: train, and resume when there is a run to resume.

    A checkpoint every few steps gives as many points of failure as possible.
    """
    chain_run.MAX_BLOCK = BLOCK
    outputs = Outputs(folder, checkpoint_seconds=0.0)
    if (folder / stored.MANIFEST).exists():
        resume_run(outputs, Silence())
    else:
        train_run(CONFIG, outputs, Silence())


def in_a_fork(folder: Path) -> multiprocessing.process.BaseProcess:
    """A process with everything imported and compiled, so that kills hit the run and not its
    imports."""
    process = multiprocessing.get_context("fork").Process(target=begin_or_go_on, args=(folder,))
    process.start()
    return process


def chunks_in(folder: Path) -> int:
    return len(list(folder.glob("chunk-*.npz")))


def sampled(folder: Path) -> bool:
    """Whether the checkpoint is the last one; the run then writes its results."""
    if not (folder / stored.CHECKPOINT).exists():
        return False
    with np.load(folder / stored.CHECKPOINT) as checkpoint:
        return int(checkpoint["steps"]) == CONFIG.steps


def wait_for_chunks(
    process: multiprocessing.process.BaseProcess, folder: Path, chunks: int
) -> bool:
    """Wait until the run has written this number of chunks or has ended; True if it writes its
    results."""
    looked = time.monotonic()
    while process.is_alive() and chunks_in(folder) < chunks:
        time.sleep(0.0005)
        if time.monotonic() - looked > 0.02:
            if sampled(folder):
                return True
            looked = time.monotonic()
    return False


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, np.ndarray], float]:
    """The trace of a run without intermediate checkpoints, and the time that a run with checkpoints
    takes after its last one."""
    base = tmp_path_factory.mktemp("uninterrupted")
    train_run(CONFIG, Outputs(base / "plain"), Silence())
    process = in_a_fork(base / "timed")
    wait_for_chunks(process, base / "timed", CONFIG.steps)
    began = time.monotonic()
    process.join()
    seconds = time.monotonic() - began
    reference = files_of(base / "plain")
    assert same(files_of(base / "timed"), reference), "checkpoints changed the chain"
    return reference, seconds


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [15, pytest.param(50, marks=pytest.mark.verify)])
def test_killed_many_times(
    wanted: int, uninterrupted: tuple[dict[str, np.ndarray], float], tmp_path: Path
) -> None:
    reference, seconds = uninterrupted
    rng = random.Random(2021)
    kills, landed, finished = 0, [], 0
    while kills < wanted:
        folder = tmp_path / f"run-{finished}"
        process = in_a_fork(folder)
        # kills are placed by the progress of the run, not by the clock, so that all machines hit
        # the same points
        at_results = wait_for_chunks(process, folder, chunks_in(folder) + rng.randrange(25))
        process.join(rng.uniform(0.0, 6 * seconds if at_results else 0.004))
        if process.is_alive():
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join()
            kills += 1
            landed.append(chunks_in(folder))
        else:
            assert process.exitcode == 0
        if (folder / stored.RESULT).exists():
            assert same(files_of(folder), reference), f"after {kills} kills"
            finished += 1
    folder = tmp_path / f"run-{finished}"
    begin_or_go_on(folder)
    assert same(files_of(folder), reference)
    assert len(set(landed)) > wanted // 5, "the kills did not hit different stages"


def test_a_different_seed_gives_a_different_trace(
    uninterrupted: tuple[dict[str, np.ndarray], float], tmp_path: Path
) -> None:
    """The control: traces of different seeds differ."""
    other = TrainConfig(**(CONFIG.to_dict() | {"seed": 12}))
    train_run(other, Outputs(tmp_path / "run"), Silence())
    assert not same(files_of(tmp_path / "run"), uninterrupted[0])


class PressesCtrlC(Silence):
    def advance(self, steps: int, acceptance: float | None = None) -> None:
        if steps >= 130:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"array": "physics"}, id="physics"),
        pytest.param({"array": "physics", "whiten": True, "trim": False}, id="untrimmed"),
        pytest.param({"hidden": 2, "features": 4}, id="network"),
        pytest.param({"preset": "rram-1t1r", "kernel": "published"}, id="preset"),
    ],
)
def test_every_kind_of_run_goes_on_bit_for_bit(changes: dict[str, object], tmp_path: Path) -> None:
    config = TrainConfig(**(CONFIG.to_dict() | {"steps": 180} | changes))
    whole = train_run(config, Outputs(tmp_path / "whole"), Silence())
    with pytest.raises(Interrupted):
        train_run(config, Outputs(tmp_path / "run"), PressesCtrlC())
    resumed = resume_run(Outputs(tmp_path / "run"), Silence())
    assert same(files_of(tmp_path / "run"), files_of(tmp_path / "whole"))
    timeless = [{k: v for k, v in r.items() if k != "wall_seconds"} for r in (whole, resumed)]
    assert timeless[0] == timeless[1]


def test_ctrl_c_keeps_a_checkpoint(
    uninterrupted: tuple[dict[str, np.ndarray], float], tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match="ohmcarlo resume"):
        train_run(CONFIG, Outputs(tmp_path / "run"), PressesCtrlC())
    assert signal.getsignal(signal.SIGINT) is before
    assert not (tmp_path / "run" / stored.RESULT).exists()
    resume_run(Outputs(tmp_path / "run"), Silence())
    assert same(files_of(tmp_path / "run"), uninterrupted[0])


def test_ctrl_c_on_the_command_line(tmp_path: Path) -> None:
    arguments = [
        "train",
        "toy2d",
        "--paper",
        "--steps",
        "100000000",
        "--out",
        str(tmp_path / "run"),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "ohmcarlo.cli.app", *arguments], stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "run" / stored.CHECKPOINT).exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "ohmcarlo resume" in err.splitlines()[-1]
    assert "Traceback" not in err


def test_resuming_a_complete_run_changes_nothing(tmp_path: Path) -> None:
    first = train_run(CONFIG, Outputs(tmp_path / "run"), Silence())
    trace_file = tmp_path / "again.npz"
    again = resume_run(Outputs(tmp_path / "run", trace=trace_file), Silence())
    assert again == first
    assert same(stored.read_arrays(trace_file), files_of(tmp_path / "run"))


def test_two_processes_cannot_share_a_run(tmp_path: Path) -> None:
    train_run(CONFIG, Outputs(tmp_path / "run"), Silence())
    (tmp_path / "run" / stored.RESULT).unlink()
    with (
        RunFolder.open(tmp_path / "run"),
        pytest.raises(OhmcarloError, match="another process"),
    ):
        resume_run(Outputs(tmp_path / "run"), Silence())


def test_changed_data_are_noticed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = np.c_[rng.normal(size=(40, 2)), np.arange(40) % 2]
    data = tmp_path / "data.csv"
    np.savetxt(data, table, delimiter=",", header="a,b,label", comments="")
    config = TrainConfig(str(data), steps=20, chains=1, rows=64, pairs=16)
    train_run(config, Outputs(tmp_path / "run"), Silence())
    (tmp_path / "run" / stored.RESULT).unlink()
    table[3, 1] += 1
    np.savetxt(data, table, delimiter=",", header="a,b,label", comments="")
    with pytest.raises(UsageError, match="data"):
        resume_run(Outputs(tmp_path / "run"), Silence())


@pytest.mark.parametrize("name", [stored.CHECKPOINT, "chunk-000000.npz", stored.MANIFEST])
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    train_run(CONFIG, Outputs(tmp_path / "run", checkpoint_seconds=np.inf), Silence())
    (tmp_path / "run" / stored.RESULT).unlink()
    path = tmp_path / "run" / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(OhmcarloError, match=name):
        resume_run(Outputs(tmp_path / "run"), Silence())


@pytest.mark.parametrize("name", [stored.CHECKPOINT, "chunk-000000.npz"])
@pytest.mark.parametrize("how", ["emptied of its arrays", "of other shapes"])
def test_a_damaged_file_costs_time_but_no_sample(name: str, how: str, tmp_path: Path) -> None:
    """The remedy in the message gives the same trace."""
    train_run(CONFIG, Outputs(tmp_path / "run", checkpoint_seconds=np.inf), Silence())
    wanted = (tmp_path / "run" / stored.TRACE).read_bytes()
    (tmp_path / "run" / stored.RESULT).unlink()
    path = tmp_path / "run" / name
    arrays = stored.read_arrays(path)
    changed = {k: v.ravel()[:3] if v.ndim else v for k, v in arrays.items()}
    stored.write_arrays(path, changed if how == "of other shapes" else {})
    checkpoint = tmp_path / "run" / stored.CHECKPOINT
    with pytest.raises(OhmcarloError, match=rf"{name} is damaged.*remove {checkpoint}"):
        resume_run(Outputs(tmp_path / "run"), Silence())
    checkpoint.unlink()
    resume_run(Outputs(tmp_path / "run"), Silence())
    assert (tmp_path / "run" / stored.TRACE).read_bytes() == wanted


def test_a_manifest_without_its_configuration(tmp_path: Path) -> None:
    train_run(CONFIG, Outputs(tmp_path / "run"), Silence())
    (tmp_path / "run" / stored.RESULT).unlink()
    stored.write_manifest(tmp_path / "run", {})
    with pytest.raises(OhmcarloError, match=r"config.*train again"):
        resume_run(Outputs(tmp_path / "run"), Silence())
