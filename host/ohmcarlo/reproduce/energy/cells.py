"""Trainings whose operations are counted, as cells."""

from __future__ import annotations

import hashlib
import time
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import diagnostics
from ...golden import EpisodeLikelihood, predict
from ...runs.chain_run import ChainRun
from ...runs.config import TrainConfig
from ...runs.policy.experiment import build_policy, no_points
from ...spec import Geometry, Points
from ...tasks import POLICY, get_task
from ..base import Cell
from ..chains import WHITENED
from ..lean import Run, lean_run

WALK, WHITE = "random walk", "whitened"
KERNELS: dict[str, dict[str, Any]] = {WALK: {}, WHITE: WHITENED}
SUPERVISED = ("toy2d", "breast-cancer", "breast-cancer-original", "ecg")
CHOICES = (100, 250, 500, 1000, 2000, 4000)


def tuning_cell(task: str, kernel: str, seed: int) -> Cell:
    """Accuracy after each of CHOICES steps of one chain."""
    with lean_run(TrainConfig(task, seed=seed, steps=CHOICES[-1], **KERNELS[kernel])) as run:
        return {"task": task, "kernel": kernel, "seed": seed, "accuracy": _by_steps(run)}


def _by_steps(run: Run) -> list[float]:
    experiment, trace = run.experiment, run.trace
    draws, lp = trace.draws()[0], trace.log_posterior_nat()[0]
    out = []
    for steps in CHOICES:
        first = min(int(diagnostics.burn_in(lp[:steps])), steps - 2)
        counts = np.bincount(draws[first:steps], minlength=len(trace.codes))
        kept = np.flatnonzero(counts)
        probability, _ = predict(
            experiment.setup.registers,
            experiment.test_points,
            trace.codes[kept],
            counts[kept].astype(np.int32),
        )
        out.append(float(diagnostics.accuracy(experiment.test_labels, probability)))
    return out


def cell(task: str, kernel: str, steps: int, seed: int, early: bool = True) -> Cell:
    """Cost of a training: counts, decisions, time."""
    if get_task(task).kind == POLICY:
        return _policy_cell(task, steps, seed)
    config = TrainConfig(task, seed=seed, steps=steps, early_reject=early, **KERNELS[kernel])
    with lean_run(config) as run:
        board, registers = run.experiment.setup.board, run.experiment.setup.registers
        return {
            "task": task,
            "kernel": kernel,
            "steps": steps,
            "seed": seed,
            "early": early,
            "accuracy": run.accuracy,
            "acceptance": run.acceptance,
            "decisions": _digest(run.trace.accepted, run.trace.codes),
            "counts": board.ledger.counts.tolist(),
            "geometry": _geometry(registers.geometry),
            "cpu_seconds": run.cpu_seconds,
            "numpy_seconds": numpy_seconds(run.experiment.setup.points, steps, seed)
            if early and seed < 3
            else None,
            "points": len(run.experiment.setup.points),
            "weights": registers.features,
        }


def _digest(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _geometry(geometry: Geometry) -> dict[str, int]:
    names = ("rows", "pairs", "entropy_pairs", "row_group", "access_bits", "dot_bits")
    return {name: int(getattr(geometry, name)) for name in names}


class CountingJudge(EpisodeLikelihood):
    """The parent's likelihood, with a count of the steps of all episodes."""

    played: list[int]

    def __call__(self, codes: NDArray[Any]) -> int:
        total = int(self.steps(codes).sum())
        self.played.append(total)
        return self.of_steps(total)


def _policy_cell(task: str, steps: int, seed: int) -> Cell:

    config = TrainConfig(task, seed=seed, steps=steps)
    with closing(build_policy(config)) as experiment:
        judge = CountingJudge(**vars(experiment.episodes))
        object.__setattr__(judge, "played", [])
        experiment.setup.board.configure(experiment.setup.registers, no_points(), judge)
        run = ChainRun(experiment.setup)
        run.run()
        block, registers = run.streamed(), experiment.setup.registers
        # the first sample and every valid proposal were evaluated; earlier ones are the warm-up
        judged = judge.played[-(1 + int(block.valid.sum())) :]
        ledger = experiment.setup.board.ledger
        return {
            "task": task,
            "kernel": WALK,
            "steps": steps,
            "seed": seed,
            "early": True,
            "accuracy": float("nan"),
            "acceptance": float(block.accepted.mean()),
            "decisions": _digest(block.accepted, block.codes),
            "counts": ledger.counts.tolist(),
            "geometry": _geometry(registers.geometry),
            "cpu_seconds": run.cpu_seconds,
            "numpy_seconds": None,
            "control_steps": sum(judged),
            "points": 0,
            "weights": registers.features,
        }


def numpy_seconds(points: Points, steps: int, seed: int) -> float:
    """CPU time of plain random-walk Metropolis in NumPy, float64, on the same data."""
    rng = np.random.default_rng(seed)
    sign = np.where(points.labels == 1, 1.0, -1.0)
    x = points.inputs / 32.0 * sign[:, None]
    w = np.zeros(x.shape[1])
    current = -np.logaddexp(0, -(x @ w)).sum() - w @ w / 2
    began = time.process_time()
    for _ in range(steps):
        proposal = w + 0.3 * rng.standard_normal(len(w))
        candidate = -np.logaddexp(0, -(x @ proposal)).sum() - proposal @ proposal / 2
        if candidate - current >= np.log(rng.random()):
            w, current = proposal, candidate
    return time.process_time() - began
