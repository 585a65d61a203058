"""The comparison with NUTS: its references, and whether it detects a wrong posterior."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from ohmcarlo.errors import OhmcarloError
from ohmcarlo.reproduce.exactness import figure
from ohmcarlo.reproduce.exactness.problems import PROBLEMS, Problem, digest, reference, standardised
from ohmcarlo.runs.verdict import Verdict

OPEN = ("wine", "digits", "ill-conditioned", "separable", "separable-wide")
"""Problems whose data need no download."""


def by_importance(problem: Problem, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of the posterior by importance sampling, without a Markov chain.

    The proposal is Student's t with 5 degrees of freedom around the mode, with 1.2 times the
    spread of the Laplace fit.
    """
    x, y = problem.data()
    features = standardised(x)
    w = np.zeros(features.shape[1])
    for _ in range(50):  # Newton's method
        p = expit(features @ w)
        hessian = (features.T * (p * (1 - p))) @ features + np.eye(len(w)) / problem.sigma_p**2
        w = w + np.linalg.solve(hessian, features.T @ (y - p) - w / problem.sigma_p**2)
    root = 1.2 * np.linalg.cholesky(np.linalg.inv(hessian))
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(draws, len(w))) / np.sqrt(rng.chisquare(5, size=(draws, 1)) / 5)
    sampled = w + z @ root.T
    logits = sampled @ features.T
    target = (logits * y - np.logaddexp(0, logits)).sum(axis=1)
    target -= (sampled**2).sum(axis=1) / 2 / problem.sigma_p**2
    proposal = -(5 + len(w)) / 2 * np.log1p((z**2).sum(axis=1) / 5)
    weight = np.exp(target - proposal - (target - proposal).max())
    weight /= weight.sum()
    mean = weight @ sampled
    return mean, np.sqrt(weight @ (sampled - mean) ** 2)


@pytest.mark.stats
@pytest.mark.parametrize("name", ["ill-conditioned", "separable", "separable-wide"])
def test_reference(name: str) -> None:
    """NUTS agrees with importance sampling; a prior that is 1.2 times as wide does not."""
    problem = PROBLEMS[name]
    truth = reference(problem)
    mean, sd = by_importance(problem, 40_000, seed=5)
    assert (np.abs(mean - truth.mean) / truth.sd).max() < 0.05
    assert np.abs(sd / truth.sd - 1).max() < 0.03
    wrong, _ = by_importance(replace(problem, sigma_p=1.2 * problem.sigma_p), 40_000, seed=5)
    assert (np.abs(wrong - truth.mean) / truth.sd).max() > 0.1


@pytest.mark.parametrize("name", OPEN)
def test_data(name: str) -> None:
    """The data are those of the reference, on every machine."""
    problem = PROBLEMS[name]
    assert digest(*problem.data()) == reference(problem).digest


def cell(problem: Problem, shift: float, ratio: float, **changes: Any) -> dict[str, Any]:
    """A cell whose posterior is off by ``shift`` sd, with ``ratio`` times the spread."""
    truth = reference(problem)
    return {
        "mean": (truth.mean + shift * truth.sd).tolist(),
        "sd": (truth.sd * ratio).tolist(),
        "ess": [40_000.0] * len(truth.mean),
        "posterior_error": {},
        "verdict": Verdict.SETTLED.value,
    } | changes


def test_comparison() -> None:
    """A shift of 0.2 sd and a spread of 1.2 are outside of the goal; an exact posterior is not."""
    problem = PROBLEMS["wine"]
    exact = figure.compared(problem, [cell(problem, 0.0, 1.0)] * 2)
    assert exact["within"] and exact["settled"] and exact["shift_max"] == 0
    shifted = figure.compared(problem, [cell(problem, 0.2, 1.0)] * 2)
    assert not shifted["within"] and shifted["shift_max"] == pytest.approx(0.2)
    wide = figure.compared(problem, [cell(problem, 0.0, 1.2)] * 2)
    assert not wide["within"] and wide["spread"] == pytest.approx(1.2)
    warned = {"encoding": {"mean_sd": 0.3, "trusted": False}}
    biased = cell(problem, 0, 1, posterior_error=warned, verdict=Verdict.BIASED.value)
    found = figure.compared(problem, [cell(problem, 0, 1), biased])
    assert not found["settled"] and found["predicted_sd"] == 0.3


def test_other_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data that differ from those of the reference are refused."""
    x, y = PROBLEMS["separable"].data()
    changed = replace(PROBLEMS["separable"], data=lambda: (x + 0.1, y))
    monkeypatch.setitem(figure.PROBLEMS, "separable", changed)
    with pytest.raises(OhmcarloError, match="not those of the reference"):
        figure.sample("separable", figure.EMULATOR, 0)
