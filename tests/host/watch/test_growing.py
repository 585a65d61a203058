"""A run folder that grows, is resumed, damaged or replaced, as the live view reads it."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grown_run import BLOCK, CONFIG, Grown
from ohmcarlo.runs.folder import RunFolder, chunk_path, is_worked_on
from ohmcarlo.runs.stored import read_trace
from ohmcarlo.runs.supervised.predict import Predictor
from ohmcarlo.watch import growing, thinned
from ohmcarlo.watch.growing import GrowingRun
from ohmcarlo.watch.thinned import JointChains

SECONDS = 60.0


def chunks_of(path: Path) -> list[Path]:
    return sorted(path.glob("chunk-*.npz"))


@pytest.fixture
def folder(grown: Grown, tmp_path: Path) -> Path:
    """A folder that begins as the early one."""
    return Path(shutil.copytree(grown.early, tmp_path / "run"))


def grow(folder: Path, later: Path) -> None:
    """Give the folder the files of a later moment."""
    for file in later.iterdir():
        shutil.copy2(file, folder / file.name)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the chunks that are read."""
    found: list[str] = []
    read = growing.read_linked

    def counted(path: Path) -> object:
        found.append(path.name)
        return read(path)

    monkeypatch.setattr(growing, "read_linked", counted)
    return found


def test_each_chunk_is_read_once(grown: Grown, folder: Path, reads: list[str]) -> None:
    run = GrowingRun(folder)
    assert run.look(SECONDS)
    assert run.chains.steps >= BLOCK
    first = [name for name in reads if name.startswith("chunk")]
    assert first == [path.name for path in chunks_of(grown.early)]
    assert not run.look(SECONDS)
    grow(folder, grown.late)
    assert run.look(SECONDS)
    names = [name for name in reads if name.startswith("chunk")]
    assert names == [path.name for path in chunks_of(grown.late)]
    assert not run.problem and not run.behind


def test_a_long_run_is_read_in_parts(grown: Grown, folder: Path) -> None:
    grow(folder, grown.late)
    run = GrowingRun(folder)
    run.look(0.0)
    assert run.behind and run.chains.steps == 0
    run.look(SECONDS)
    assert not run.behind and run.chains.steps >= 450


@pytest.mark.parametrize("most", [1000, 20])
def test_what_is_kept_is_the_trace(
    most: int, grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expected values are those of the complete run: its trace, and its weights."""
    monkeypatch.setattr(thinned, "MOST", most)
    run = GrowingRun(grown.late)
    run.look(SECONDS)
    trace, chains = read_trace(grown.complete), run.chains
    every = chains.every
    assert every == (1 if most == 1000 else 16)
    expected = trace.log_posterior_nat()[:, every - 1 :: every]
    levels = chains.log_posterior()
    assert levels.shape == (CONFIG.chains, chains.steps // every)
    assert np.array_equal(levels, expected[:, : levels.shape[1]])
    codes = chains.codes()
    assert codes is not None and codes.shape[1] > 0.9 * levels.shape[1]
    drawn = trace.codes[trace.draws()][:, every - 1 :: every]
    assert np.array_equal(codes, drawn[:, : codes.shape[1]])
    accepted = trace.accepted_by_chain()[:, : chains.steps].mean(axis=1)
    assert chains.acceptance() == pytest.approx(accepted)


def test_weights_follow_from_the_note(grown: Grown) -> None:
    run = GrowingRun(grown.late)
    run.look(SECONDS)
    assert run.note is not None
    predictor = Predictor.of_run(grown.complete)
    expected = np.repeat(run.note.weights.weights(predictor.codes), predictor.counts, axis=0)
    assert np.allclose(expected, predictor.weights(), atol=1e-9)
    assert list(run.note.weights.names) == predictor.weight_names
    assert run.note.values["steps"] == CONFIG.steps
    assert [stage.steps for stage in run.record.stages]


def test_a_chunk_that_resume_writes_again(grown: Grown, folder: Path, reads: list[str]) -> None:
    grow(folder, grown.late)
    run = GrowingRun(folder)
    run.look(SECONDS)
    steps = run.chains.steps
    for path in chunks_of(folder)[2:]:
        path.unlink()
    assert run.look(SECONDS)
    assert 0 < run.chains.steps < steps
    for path in chunks_of(grown.late)[2:]:
        shutil.copy(path, folder / path.name)
    run.look(SECONDS)
    assert run.chains.steps == steps
    assert np.array_equal(
        run.chains.log_posterior(), read_trace(grown.complete).log_posterior_nat()[:, :steps]
    )


def test_boards_at_different_distances_show_the_same_steps() -> None:
    """The values are the numbers of the steps, which begin with 1."""

    def board(every: int, steps: int) -> Any:
        kept = np.arange(every, steps + 1, every, dtype=np.float64)
        return SimpleNamespace(every=every, steps=steps, log_posterior=lambda: kept[None])

    joint = JointChains([board(1, 9), board(2, 13), board(4, 22)])
    assert (joint.every, joint.steps) == (4, 9)
    assert joint.log_posterior().tolist() == [[4.0, 8.0]] * 3


def test_a_damaged_chunk(grown: Grown, folder: Path) -> None:
    """The steps before it are shown, and a sentence names it; mended, it is read."""
    grow(folder, grown.late)
    whole = chunk_path(folder, 1).read_bytes()
    chunk_path(folder, 1).write_bytes(whole[:-100])
    run = GrowingRun(folder)
    run.look(SECONDS)
    assert "chunk-000001.npz is damaged" in run.problem
    first = run.chains.steps
    assert not run.look(SECONDS)
    chunk_path(folder, 1).write_bytes(whole)
    run.look(SECONDS)
    assert run.chains.steps > first and not run.problem


def test_a_chunk_of_another_place(grown: Grown, folder: Path) -> None:
    grow(folder, grown.late)
    shutil.copy(chunk_path(grown.late, 4), chunk_path(folder, 2))
    run = GrowingRun(folder)
    run.look(SECONDS)
    assert "does not follow the file before it" in run.problem


def test_a_folder_that_vanishes(folder: Path) -> None:
    run = GrowingRun(folder)
    run.look(SECONDS)
    shutil.rmtree(folder)
    assert run.look(SECONDS)
    assert run.manifest == {} and run.chains.steps == 0


def test_looking_keeps_nobody_out(folder: Path) -> None:
    """A writer is seen, and never refused, however often somebody looks."""
    assert is_worked_on(folder) is False
    with RunFolder.open(folder):
        assert is_worked_on(folder) is True
        assert is_worked_on(folder) is True
    assert is_worked_on(folder) is False
    assert is_worked_on(folder / "none") is None


def test_a_complete_run_has_no_notes(grown: Grown) -> None:
    names = {path.name for path in grown.complete.iterdir()}
    assert not names & {"progress.json", "chain.npz"}
    assert {"progress.json", "chain.npz"} <= {path.name for path in grown.late.iterdir()}
