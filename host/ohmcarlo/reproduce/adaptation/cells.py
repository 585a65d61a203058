"""One training half: chains around the computer's fit, and chains that adapted."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runs.adaptation.record import Record
from ...runs.adaptation.schedule import IDEAL, Schedule, Stage
from ...runs.adaptation.stages import Stages
from ...runs.supervised.experiment import prepare
from ...tasks import Task
from ..base import Cell
from ..sampled import Sampled, sample_posterior
from .sets import SETS

STEPS = 10_000
FITTED, FAIR, ADAPTED = "fitted", "fitted, proposal of the adapted chain", "adapted"
GOING_ON = Stage(rho=0.9, steps=10, kept=1.0)
FOR_EVER = 60
"""Stages that the control samples from."""
KEPT = ("ess_min_per_1000_steps", "rhat_max", "acceptance_rate", "verdict", "rho", "gamma_us")


def compare(name: str, seed: int) -> Cell:
    """A cell: the three ways on one training half, one array seed."""
    chosen = SETS[name]
    x, y = chosen.half(seed)

    def run(**changes: Any) -> Sampled:
        return sample_posterior(
            chosen.config(name, seed, steps=STEPS, **changes), chosen.title, x, y
        )

    adapted = run(adapt=True)
    record, proposal = adapted.setup.adaptation, adapted.setup.config
    assert record is not None
    fair = run(rho=proposal.rho, gamma=proposal.gamma)
    found = {FITTED: run(rho=chosen.fitted_rho), FAIR: fair, ADAPTED: adapted}
    return {
        "name": name,
        "seed": seed,
        "steps": record.steps,
        "stages": len(record.stages),
        "expected_ess": None if record.proposal is None else record.proposal.ess_per_1000_steps,
        **{way: _summary(sampled) for way, sampled in found.items()},
    }


def _summary(sampled: Sampled) -> Cell:
    return {**sampled.moments(), **{name: sampled.values[name] for name in KEPT}}


def control(name: str, seed: int) -> Cell:
    """An array that never stops adapting: stages of 10 steps, each from a new centre.

    Its samples are compared with those of the chain around the fit, as in ``against``.
    """
    chosen = SETS[name]
    x, y = chosen.half(seed)
    fitted = sample_posterior(chosen.config(name, seed, steps=STEPS), chosen.title, x, y)
    config = chosen.config(name, seed, adapt=True)
    setup, _ = prepare(config, Task(name=name, dataset="", description=chosen.title), x, y)
    draws = []
    with closing(setup):
        stages = Stages(setup, Record())
        stages.schedule = Schedule(IDEAL.search, (*IDEAL.refine[:2], *[GOING_ON] * FOR_EVER))
        while (stage := stages.next_stage()) is not None:
            stages.run(stages.load())
            if stage is GOING_ON:
                draws.append(stages.record.stages[-1].samples)
    wrong = np.concatenate(draws)
    truth = fitted.moments()
    shift = (wrong.mean(axis=0) - truth["mean"]) / truth["sd"]
    ratio = wrong.std(axis=0) / truth["sd"]
    return {"shift": float(np.sqrt((shift**2).mean())), "spread": float(np.median(ratio))}


def shifts(cell: Cell) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of the adapted chain minus those of the fitted one, in standard deviations (m,); and
    their Monte Carlo error."""
    ours, theirs = cell[ADAPTED], cell[FITTED]
    sd = np.array(theirs["sd"])
    moved = (np.array(ours["mean"]) - theirs["mean"]) / sd
    return moved, np.sqrt(1 / np.array(ours["ess"]) + 1 / np.array(theirs["ess"]))
