"""Long runs: bounded memory, steps at equal distances, and results that every verb can use."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ohmcarlo.boards import Block, silent
from ohmcarlo.progress import Silence
from ohmcarlo.runs import thinning
from ohmcarlo.runs.chain_run import ChainRun
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.dies.expectation import Expectation, Rows, expect
from ohmcarlo.runs.folder import RunFolder
from ohmcarlo.runs.kinds import SUPERVISED, kind_of
from ohmcarlo.runs.outputs import Outputs
from ohmcarlo.runs.pulses.listing import list_pulses
from ohmcarlo.runs.stored import read_result, read_trace
from ohmcarlo.runs.thinning import Draws, distance_of, totals_of
from ohmcarlo.runs.trace import Long, Trace
from ohmcarlo.runs.train import resume_run, train_run
from ohmcarlo.tasks import get_task

CHAINS, STEPS = 4, 2001
CONFIG = TrainConfig(
    "toy2d", rows=64, pairs=8, chains=CHAINS, steps=STEPS, whiten=True, rho=0.8, wide_every=10
)


def few(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Keep at most so many steps of all chains."""
    monkeypatch.setattr(thinning, "MOST_DRAWS", most)


def made(config: TrainConfig = CONFIG) -> tuple[Block, Trace]:
    """What a run streams, and its trace."""
    with closing(SUPERVISED.build(config, silent)) as experiment:
        run = ChainRun(experiment.setup)
        run.run()
        return run.streamed(), Trace.of(run.streamed(), experiment.setup.board.current())


@contextmanager
def kept_run(path: Path) -> Iterator[tuple[ChainRun, RunFolder]]:
    """A run that writes a checkpoint after every block."""
    with (
        closing(SUPERVISED.build(CONFIG, silent)) as experiment,
        RunFolder.create(path, experiment.manifest()) as folder,
    ):
        yield ChainRun(experiment.setup, folder, checkpoint_seconds=0.0), folder


@pytest.fixture(scope="module")
def whole() -> tuple[Block, Trace]:
    """All steps."""
    return made()


def differences(whole: Trace, long: Trace, first: int) -> list[str]:
    """In which respects ``long`` is not every step of ``whole`` at its distance from ``first``."""
    at = np.arange(first, whole.steps, long.every)
    pairs: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
        "codes": (whole.codes[whole.draws()[:, at]], long.codes[long.draws()]),
        "levels": (whole.log_posterior_nat()[:, at], long.log_posterior_nat()),
        "decisions": (whole.accepted_by_chain()[:, at], long.accepted_by_chain()),
    }
    return [name for name, (ours, theirs) in pairs.items() if not np.array_equal(ours, theirs)]


@pytest.mark.parametrize("most", [8000, 4001, 1000, 100])
def test_a_long_trace_is_every_so_many_steps(
    whole: tuple[Block, Trace], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """The control, the steps before those, differs."""
    few(monkeypatch, most)
    streamed, long = made()
    assert len(long.accepted) <= most
    assert long.every == distance_of(STEPS, CHAINS, 3) > 1
    assert differences(whole[1], long, long.every - 1) == []
    assert differences(whole[1], long, long.every - 2) == ["codes", "levels", "decisions"]
    assert totals_of(streamed) == totals_of(whole[0])
    assert long.acceptance_rate == whole[1].acceptance_rate


def test_sums_between_steps_hold_every_step(
    whole: tuple[Block, Trace], monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, 1000)
    long = made()[1]
    assert long.long is not None
    length = long.steps * long.every
    accepted = whole[1].accepted_by_chain()[:, :length].reshape(CHAINS, long.steps, long.every)
    moves = np.stack([long.long.moves[long.chain == c][: long.steps] for c in range(CHAINS)])
    np.testing.assert_array_equal(moves, accepted.sum(axis=2))
    assert long.stays(0)[0] == whole[1].stays(0)[0]  # the longest stay ended, and is kept
    assert long.stays(0)[1] == pytest.approx(whole[1].stays(0)[1], rel=0.01)


def test_a_stay_that_does_not_end_is_a_stay() -> None:
    """The second of two chains does not move from step 9 on. The control moves at the end."""

    def longest(last: int) -> int:
        moves = np.array([[1, 1, 2, 1, 1], [2, 1, 0, 0, last]], np.int32)
        stays = np.where(moves, 3, 0).astype(np.int32).T.ravel()
        levels, chain = np.zeros(10, np.int64), np.tile(np.arange(2, dtype=np.uint8), 5)
        codes, once = np.zeros((2, 2), np.uint16), np.array([6, 6], np.int32)
        known = Long(4, 40, int(moves.sum()), stays, moves.T.ravel())
        return Trace(levels > 0, levels, chain, codes, once, chain[:2], known).stays(0)[0]

    assert longest(0) == 12 and longest(1) == 3


def test_a_long_reference_run_of_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its numbers are those of all steps. The effective samples of the draws are a lower bound."""

    def expected() -> Expectation:
        return expect(replace(CONFIG, steps=1000), Rows(3, 64, CHAINS, 3), True, Silence())

    full = expected()
    few(monkeypatch, 2000)
    long = expected()
    assert (long.steps, long.acceptance) == (full.steps, full.acceptance)
    assert 0.3 < long.ess_per_1000_steps.value / full.ess_per_1000_steps.value < 1.2


@pytest.mark.parametrize("most", [10_000, 4001, 300])
def test_blocks_of_any_length_give_the_same_draws(
    whole: tuple[Block, Trace], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    few(monkeypatch, most)
    rng = np.random.default_rng(most)
    expected = Draws(CHAINS)
    expected.add(whole[0])
    for _ in range(8):
        cut = Draws(CHAINS)
        for begin, end in _parts(rng, len(whole[0].accepted)):
            cut.add(_cut(whole[0], begin, end))
        for name, array in vars(expected.block()).items():
            np.testing.assert_array_equal(array, vars(cut.block())[name], err_msg=name)


@pytest.mark.parametrize("most", [8000, 3000, 500])
def test_chains_of_several_boards_keep_the_same_steps(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """With 3,000 and 500, those of each board are thinned before they are merged."""
    config = replace(CONFIG, backend="model,model")
    whole, trace = made(config)
    few(monkeypatch, most)
    streamed, long = made(config)
    assert len(long.accepted) <= most
    assert long.every == distance_of(STEPS, CHAINS, 3)
    assert differences(trace, long, long.every - 1) == []
    assert totals_of(streamed) == totals_of(whole)
    np.testing.assert_array_equal(long.chain[:8], [0, 1, 2, 3] * 2)


def _parts(rng: np.random.Generator, length: int) -> list[tuple[int, int]]:
    """Random parts of 0 to ``length``; a part may end between two chains."""
    ends = [0, *np.unique(rng.integers(1, length, 40)).tolist(), length]
    return list(pairwise(ends))


def _cut(block: Block, begin: int, end: int) -> Block:
    retired = np.concatenate([[0], np.cumsum(block.accepted)])
    steps, samples = slice(begin, end), slice(retired[begin], retired[end])
    arrays = {
        name: array[samples if name in thinning.PER_SAMPLE else steps]
        for name, array in vars(block).items()
        if name != "status"
    }
    return Block(**arrays, status=block.status)


def test_memory_does_not_grow_with_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control, which keeps all blocks, grows."""
    few(monkeypatch, 2000)

    def peak(steps: int, most: int | None = None) -> int:
        if most is not None:
            few(monkeypatch, most)
        with closing(SUPERVISED.build(CONFIG, silent)) as experiment:
            board = experiment.setup.board
            board.start()
            draws = Draws(CHAINS)
            draws.add(board.run(1000))
            tracemalloc.start()
            for _ in range(steps // 1000):
                draws.add(board.run(1000))
            draws.block()
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return found

    short = peak(4000)
    assert peak(16_000) < 1.3 * short
    assert peak(16_000, most=10**6) > 2.5 * short


def test_blocks_on_disk_are_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, 1000)
    held = []
    with kept_run(tmp_path / "run") as (run, folder):
        save = folder.save
        monkeypatch.setattr(
            folder, "save", lambda chunk, **o: (held.append(len(run._fresh)), save(chunk, **o))
        )
        run.run()
    assert len(held) > 3
    assert max(held) == 1
    assert run._fresh == []


def test_a_resumed_long_run_is_the_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, 1000)
    files = Outputs(folder=tmp_path / "run", checkpoint_seconds=0.0)
    values = train_run(CONFIG, files, Silence())
    trace = read_trace(tmp_path / "run")
    for name in ("result.json", "trace.npz", "posterior.nc", "evaluation.npz"):
        (tmp_path / "run" / name).unlink()
    again = resume_run(files, Silence())
    unequal = {n for n in values if values[n] != again[n]}
    assert unequal <= {"wall_seconds"}
    for name, array in trace.arrays().items():
        np.testing.assert_array_equal(array, read_trace(tmp_path / "run").arrays()[name])


def test_the_last_chunks_hold_the_last_steps(tmp_path: Path) -> None:
    with kept_run(tmp_path / "run") as (run, folder):
        run.run()
        whole, last = run.streamed(), folder.last_steps(8)
        assert 8 <= len(last.accepted) < len(whole.accepted)
        np.testing.assert_array_equal(last.codes, whole.codes[-len(last.codes) :])
        for name, array in vars(whole).items():
            np.testing.assert_array_equal(vars(folder.last_steps(10**9))[name], array)


def test_the_result_of_a_long_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = train_run(CONFIG, Outputs(folder=tmp_path / "full"), Silence())
    few(monkeypatch, 1000)
    lines: list[str] = []
    observer = Silence()
    monkeypatch.setattr(observer, "say", lines.append, raising=False)
    values = train_run(CONFIG, Outputs(folder=tmp_path / "long"), observer)
    every = values["draws_every"]
    assert every == distance_of(STEPS, CHAINS, 3) == 8
    assert any("the result keeps one step in 8 of each chain" in line for line in lines)
    assert "draws_every" not in full
    exact = (
        "steps",
        "accepted",
        "acceptance_rate",
        "samples",
        "accesses",
        "pulses",
        "longest_stay",
    )
    assert {n: values[n] for n in exact} == {n: full[n] for n in exact}
    assert values["burn_in"] % every == 0
    assert values["ess_min"] <= 1000
    assert abs(values["accuracy"] - full["accuracy"]) < 0.05
    assert read_result(tmp_path / "long") == values
    assert "one step in 8 kept" in str(SUPERVISED.rows(values))
    _numbers_of_draws(tmp_path / "long", values)


def _numbers_of_draws(path: Path, values: dict[str, Any]) -> None:
    """The draws of the posterior file have the numbers of their steps."""
    import xarray

    with xarray.open_datatree(path / "posterior.nc", engine="h5netcdf") as tree:
        numbers = tree["posterior"]["draw"].to_numpy()
        assert tree.attrs["draws_every"] == values["draws_every"]
    assert numbers[0] == values["burn_in"] + values["draws_every"] - 1
    assert numbers[-1] == STEPS // values["draws_every"] * values["draws_every"] - 1


@pytest.mark.verify
@pytest.mark.parametrize("task", ["toy2d", "diabetes", "cartpole"])
def test_a_long_run_is_shown_and_used_as_any_other(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, 100)
    path = tmp_path / "run"
    if task == "cartpole":
        config = TrainConfig(task, steps=250)
    else:
        config = replace(CONFIG, task=task, pairs=16, kind=get_task(task).kind)
    kind = kind_of(task, None)
    values = train_run(config, Outputs(folder=path), Silence())
    assert values["draws_every"] > 1
    page = kind.page(path, values)
    shown = next(section for section in page.sections if section.name == "chains")
    assert f"One step in {values['draws_every']} is used here." in shown.sentences[0]
    assert f"{values['burn_in']:,} steps of each chain are left out" in shown.sentences[0]
    (axes,) = kind.figures(path, values)["log-posterior"].axes[:1]
    assert axes.get_xlim()[1] > values["steps"] - values["draws_every"]
    list_pulses(path, tmp_path / "pulses.csv", Silence())
    assert (tmp_path / "pulses.csv").stat().st_size > 1000
