"""From the stream of a board to averages: steps, burn-in, multiplicities, costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from chunks import Chunks
from ohmcarlo import diagnostics
from ohmcarlo.boards import Block
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.folder import RunFolder
from ohmcarlo.runs.stored import CHECKPOINT, MANIFEST_KEYS, PREVIOUS
from ohmcarlo.runs.supervised.experiment import build_supervised
from ohmcarlo.runs.supervised.result import SupervisedResult
from ohmcarlo.runs.trace import Trace
from ohmcarlo.runs.train import train

CONFIG = TrainConfig("toy2d", rows=64, pairs=16, chains=2, steps=120, seed=3)


def by_hand() -> Trace:
    """Two chains of five steps each.

    Chain 0 stays at its start (a) once and goes to b and c. Chain 1 leaves its start (d) at once.
    """
    accepted = [[0, 1, 0, 1, 0], [1, 0, 0, 0, 0]]
    samples = "a d b c e"
    codes = np.array([[ord(s)] for s in samples.split()], np.uint16)
    return Trace(
        accepted=np.array(accepted, bool).T.ravel(),
        log_posterior=np.arange(10),
        chain=np.tile([0, 1], 5).astype(np.uint8),
        codes=codes,
        multiplicity=np.array([2, 1, 2, 2, 5], np.int32),
        sample_chain=np.array([0, 1, 0, 0, 1], np.uint8),
    )


def test_steps_of_a_chain() -> None:
    """A chain's first sample counts its start as one step that was never made."""
    trace = by_hand()
    draws = trace.codes[trace.draws()][..., 0]
    assert ["".join(map(chr, row)) for row in draws] == ["abbcc", "eeeee"]
    assert (trace.chains, trace.steps) == (2, 5)
    assert trace.accepted_by_chain().sum(axis=1).tolist() == [2, 1]
    nat = trace.log_posterior_nat() * 65536
    assert nat.tolist() == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]


@pytest.mark.parametrize(
    ("burn_in", "samples"),
    [(0, {"a": 1, "b": 2, "c": 2, "e": 5}), (2, {"b": 1, "c": 2, "e": 3}), (4, {"c": 1, "e": 1})],
)
def test_after_burn_in(burn_in: int, samples: dict[str, int]) -> None:
    codes, counts = by_hand().after(burn_in)
    assert dict(zip(map(chr, codes[:, 0]), counts.tolist(), strict=True)) == samples


@pytest.fixture(scope="module")
def finished() -> tuple[Any, SupervisedResult, np.ndarray]:
    """An experiment, its result, and its weights step by step, (chains, steps, weights)."""
    experiment, result = build_supervised(CONFIG), train(CONFIG)
    trace = result.trace
    steps = []
    for chain in range(2):
        own = np.flatnonzero(trace.sample_chain == chain)
        decisions = trace.accepted[trace.chain == chain]
        steps.append(trace.codes[own[np.cumsum(decisions)]])
    return experiment, result, experiment.weights(np.array(steps))


def test_a_sample_changes_where_a_step_was_accepted(
    finished: tuple[Any, SupervisedResult, np.ndarray],
) -> None:
    experiment, result, weights = finished
    assert 0 < result.trace.accepted.sum() < 240
    assert np.array_equal(experiment.weights(result.trace.codes)[result.trace.draws()], weights)


def test_averages_leave_the_burn_in_out(finished: tuple[Any, SupervisedResult, np.ndarray]) -> None:
    """Probabilities, their variance and the effective sample size, computed from single steps."""
    experiment, result, weights = finished
    burn_in = result.values["burn_in"]
    assert 30 <= burn_in < 118, "a quarter, or more"
    x = experiment.test_points.inputs / 32.0

    def averages(kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = special.expit(kept.reshape(-1, x.shape[1]) @ x.T)
        return p.mean(axis=0), p.var(axis=0)

    mean, variance = averages(weights[:, burn_in:])
    assert result.probability == pytest.approx(mean, abs=1e-3)
    assert result.variance == pytest.approx(variance, abs=1e-3)
    assert np.abs(averages(weights)[0] - mean).max() > 3e-3, "the control: all steps"
    kept = weights[:, burn_in:].astype(np.float32)
    assert result.values["ess_min"] == pytest.approx(diagnostics.ess(kept).min(), rel=1e-6)
    assert result.values["rhat_max"] == pytest.approx(diagnostics.rhat(kept).max(), rel=1e-6)
    assert diagnostics.ess(weights.astype(np.float32)).min() != pytest.approx(
        diagnostics.ess(kept).min(), rel=0.01
    )


@pytest.mark.parametrize("hidden", [0, 2])
def test_accesses_are_those_of_the_ledger(hidden: int) -> None:
    """The count of the result and the accesses that early rejection saved, compared with the ledger
    of the array. The ledger also contains the first sample of each chain, which is evaluated to the
    end."""
    changes: dict[str, Any] = {"hidden": hidden, "steps": 40}
    early, full = (train(replace(CONFIG, early_reject=e, **changes)) for e in (True, False))
    points = early.values["train_points"]
    first = CONFIG.chains * points * (hidden + 1)
    for result in (early, full):
        assert result.values["pulses"]["dot"] == result.values["accesses"] + first
    assert full.values["accesses"] == full.values["accesses_without_early_reject"]
    assert early.values["accesses_without_early_reject"] == full.values["accesses"]
    assert early.values["accesses"] < full.values["accesses"]


def test_chunks_after_the_checkpoint_are_removed(tmp_path: Path) -> None:
    """A killed process may have written a chunk that no checkpoint counts. The chunk is not part of
    the run, and it must be removed because a resume may number chunks differently."""
    t = train(replace(CONFIG, steps=8)).trace
    retired = int(t.accepted.sum())
    block = Block(
        accepted=t.accepted,
        valid=np.ones(16, bool),
        log_posterior=t.log_posterior,
        chain=t.chain,
        points=np.ones(16, np.int32),
        codes=t.codes[:retired],
        multiplicity=t.multiplicity[:retired],
        sample_chain=t.sample_chain[:retired],
        sample_log_posterior=np.zeros(retired, np.int64),
        status="running",
    )
    run = tmp_path / "run"
    rest: dict[str, Any] = {"seconds": 0.0, "status": "running", "state_steps": 8, "counters": {}}
    with RunFolder.create(run, {name: {} for name in MANIFEST_KEYS}) as folder:
        folder.save(block, steps=8, state={"a": np.arange(3)}, **rest)
        folder.save(block, steps=16, state={}, **rest)
    assert sorted(p.name for p in run.glob("chunk-*")) == ["chunk-000000.npz", "chunk-000001.npz"]
    (run / PREVIOUS).replace(run / CHECKPOINT)
    with RunFolder.open(run) as folder:
        blocks = Chunks()
        found = folder.resume(print, blocks)
        assert found is not None and found.steps == 8 and found.state["a"].tolist() == [0, 1, 2]
        assert len(blocks) == 1 and np.array_equal(blocks[0].codes, block.codes)
        assert [p.name for p in run.glob("chunk-*")] == ["chunk-000000.npz"]
        folder.save(block, steps=16, state={}, **rest)
        again = folder.resume(print, blocks)
        assert again is not None and again.records == 32 and len(blocks) == 2
