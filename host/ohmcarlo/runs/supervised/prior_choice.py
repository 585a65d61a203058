"""The width of the prior that predicts best: short runs on a grid, compared by PSIS-LOO.

Every width of ``GRID`` is sampled for ``STEPS`` steps, and its expected log predictive density is
estimated by Pareto-smoothed leave-one-out cross-validation of the training points (Vehtari,
Gelman and Gabry 2017, doi 10.1007/s11222-016-9696-4). The narrowest width that predicts as well as
the best one is taken. The held-out half is not used.

The alternative is a conditional step on the host, σ_p² | w from its inverse gamma. It needs a
hyper-prior, which matters for models of few weights; and a chain whose coordinates depend on σ_p
must be encoded and loaded again after each such step, so that every step costs a chain. On a grid
the number of chains is fixed, and what a user gets is a table of predictive scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import diagnostics
from ...array.die import Die
from ...array.energy import energy
from ...boards import MODEL, Say
from ...datasets import Encoder
from ...errors import UsageError
from ...golden.registers import CORRECTED
from ...progress import tracked
from ...tasks import Task
from ..chain_run import ChainRun
from ..config import TrainConfig
from ..setup import ChainSetup
from ..summary import burn_in_of
from ..trace import Trace
from .learnt import LearntData

GRID = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Widths that are tried."""
STEPS = 2000
"""Steps of each chain. Four chains have 300 to 700 effective samples after burn-in. On WDBC with 16
weights, the score then varies by 0.1 to 0.3 nat (sd) from seed to seed up to sigma_p = 1, and by
1.5 nat at 5, where Pareto k is large."""
ALIKE = 0.5
"""Widths whose scores differ by less nat predict alike; the narrowest of them is taken, because its
score is the most reliable one, and its chain mixes best."""
EVERY = 3  # steps from one draw to the next: hardly less information, a third of the work
MATTERS = 0.01  # nat: a point with a smaller loss does not count where Pareto k is reported
Prepare = Callable[..., tuple[ChainSetup, Encoder]]


@dataclass(frozen=True)
class Candidate:
    """A width of the prior and its score.

    Attributes
    ----------
    sigma_p : float
    elpd : float
        Expected log predictive density of all training points together, nat.
    difference, difference_se : float
        Elpd below that of the best candidate, nat, and its standard error over the points.
    high_k : int
        Points whose estimate is unreliable: Pareto k above 0.7, and a loss that matters.
    ess_min : float
        Effective samples, worst weight.
    """

    sigma_p: float
    elpd: float
    difference: float
    difference_se: float
    high_k: int
    ess_min: float


@dataclass(frozen=True, eq=False)
class _Score:
    """What a short run gives: (n,) scores and Pareto k of the points, and its cost."""

    points: NDArray[np.float64]
    k: NDArray[np.float64]
    ess_min: float
    pulses: int
    joules: float


def with_chosen_width(
    config: TrainConfig,
    task: Task,
    x: NDArray[np.float64],
    y: NDArray[np.integer[Any]],
    feature_names: Sequence[str] | None,
    say: Say,
    prepare: Prepare,
) -> TrainConfig:
    """``config`` with the width that predicts x (n, d), y 0/1 (n,) best, and the table of scores.

    ``prepare`` sets a chain up. Raises UsageError if no width can be sampled.
    """
    say(f"choosing sigma_p by leave-one-out: {len(GRID)} short runs")
    scores: dict[float, _Score] = {}
    refused = ""
    for width in tracked(GRID, len(GRID), "choosing sigma_p", "widths"):
        try:
            setup, encoder = prepare(_short(config, width), task, x, y, feature_names)
        except UsageError as error:  # the data do not fit into int8 with so wide a prior
            refused = str(error)
            continue
        with closing(setup):
            scores[width] = _score(setup, x, encoder)
        say(f"sigma_p {width:g}: {scores[width].points.sum():.1f} nat")
    if not scores:
        raise UsageError(f"no sigma_p of {GRID[0]:g} to {GRID[-1]:g} can be sampled: {refused}")
    choice = choice_of(scores)
    return replace(config, sigma_p=choice["sigma_p"], sigma_p_choice=choice)


def _short(config: TrainConfig, width: float) -> TrainConfig:
    """A short run with this width, in the coordinates that mix best.

    The chain is the same on every board that can have its array, so the model makes it, except on
    a die.
    """
    own: dict[str, Any] = {}
    if not config.whiten:
        own = {"whiten": True, "rho": None, "wide_every": None, "gamma": None}
    backend = config.backend if config.array == Die.name else MODEL
    own |= {"kernel": CORRECTED, "more_steps": False}
    return replace(config, sigma_p=width, steps=STEPS, backend=backend, **own)


def _score(setup: ChainSetup, x: NDArray[np.float64], encoder: Encoder) -> _Score:
    run = ChainRun(setup)
    run.run()
    setup = run.setup
    trace = Trace.of(run.streamed(), setup.board.current())
    burn_in = burn_in_of(trace)
    draws = setup.registers.weights(trace.codes)[trace.draws()]
    learnt = LearntData.of_setup(setup, x, encoder)
    names = [*encoder.feature_names, "bias"]
    tree = learnt.inference_data(trace, draws, burn_in, names, {}, every=EVERY)
    points, k = diagnostics.loo(tree)
    ledger = setup.board.ledger
    return _Score(
        points=points,
        k=k,
        ess_min=float(diagnostics.ess(draws[:, burn_in:]).min()),
        pulses=int(ledger.set),
        joules=float(energy(ledger, setup.registers.geometry).total.joules),
    )


def choice_of(scores: Mapping[float, _Score]) -> dict[str, Any]:
    """The chosen width, every candidate, and the cost of the short runs, for JSON."""
    best = max(scores.values(), key=lambda score: float(score.points.sum()))
    candidates = [_candidate(width, score, best) for width, score in scores.items()]
    return {
        "sigma_p": min(c.sigma_p for c in candidates if c.difference <= ALIKE),
        "score": "elpd by PSIS-LOO, nat",
        "candidates": [asdict(candidate) for candidate in candidates],
        "set_pulses": sum(score.pulses for score in scores.values()),
        "energy_joules": sum(score.joules for score in scores.values()),
    }


def _candidate(width: float, score: _Score, best: _Score) -> Candidate:
    gaps = best.points - score.points
    unreliable = (score.k > diagnostics.PARETO_K_LIMIT) & (score.points < -MATTERS)
    return Candidate(
        sigma_p=width,
        elpd=float(score.points.sum()),
        difference=float(gaps.sum()),
        difference_se=float(np.sqrt(len(gaps)) * gaps.std()),
        high_k=int(unreliable.sum()),
        ess_min=score.ess_min,
    )
