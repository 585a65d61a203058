"""The posterior of a classifier in the groups that ArviZ reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..datasets.several_classes import STICK_BREAKING, BinaryProblem
from ..runs.inference_data import Observations, every_of, inference_data, kept_steps
from ..runs.summary import attributes_of
from ..runs.supervised.learnt import logits_at, predictive_generator
from .base import SampledProblem

if TYPE_CHECKING:
    import xarray


def two_class_tree(part: SampledProblem, classes: NDArray[Any]) -> xarray.DataTree:
    """That of two ``classes``."""
    learnt = replace(part.learnt, class_names=[str(c) for c in classes])
    return learnt.inference_data(
        part.trace, part.draws(), part.burn_in, part.weight_names, _attributes(part)
    )


def class_tree(
    parts: Sequence[SampledProblem], problems: Sequence[BinaryProblem], classes: NDArray[Any]
) -> xarray.DataTree:
    """The joint posterior of several ``classes`` by stick-breaking.

    The chains of the problems are independent, so that step i of all of them together is one step
    of the joint chain. The log-likelihood of a point is the sum of its terms in all problems.
    """
    steps, burn_in = min(p.trace.steps for p in parts), max(p.burn_in for p in parts)
    chains, points = parts[0].trace.chains, len(parts[0].learnt.rows)
    every = every_of(chains, steps - burn_in, points)
    names = list(dict.fromkeys(name for part in parts for name in part.weight_names))
    lp = np.sum([part.trace.log_posterior_nat()[:, :steps] for part in parts], axis=0)
    accepted = np.stack([p.trace.accepted_by_chain()[:, :steps] for p in parts], axis=-1)
    return inference_data(
        {"w": (_weights(parts, names, steps), ("class", "weight"))},
        sample_stats={"lp": (lp, ()), "accepted": (accepted, ("class",))},
        burn_in=burn_in,
        every=every,
        distance=parts[0].trace.every,
        observations=_observations(parts, problems, classes, kept_steps(steps, burn_in, every)),
        coords={
            "class": [str(classes[problem.positive]) for problem in problems],
            "weight": names,
            "feature": parts[0].learnt.feature_names,
        },
        attributes={
            **_attributes(parts[0]),
            "burn_in": burn_in * parts[0].trace.every,
            "multi_class": STICK_BREAKING,
        },
    )


def _attributes(part: SampledProblem) -> dict[str, Any]:
    return {**attributes_of(part.values), "sha256": part.digests}


def _weights(
    parts: Sequence[SampledProblem], names: Sequence[str], steps: int
) -> NDArray[np.float32]:
    """Weights of all problems, (chains, steps, problems, weights).

    A feature that a problem does not have, because it is constant there, has the weight 0.
    """
    found = np.zeros((parts[0].trace.chains, steps, len(parts), len(names)), np.float32)
    for k, part in enumerate(parts):
        found[:, :, k, [names.index(name) for name in part.weight_names]] = part.draws()[:, :steps]
    return found


def _observations(
    parts: Sequence[SampledProblem],
    problems: Sequence[BinaryProblem],
    classes: NDArray[Any],
    steps: NDArray[np.int64],
) -> Observations:
    """Log-likelihoods and predictive draws of all points; a class counts from 0."""
    from scipy.special import expit

    (last,) = problems[-1].others
    x, generator = parts[0].learnt.inputs, predictive_generator(parts[0].learnt.seed)
    shape = parts[0].trace.chains, len(steps), len(x)
    observed = np.full(len(x), last, np.int16)
    terms, predictive = np.zeros(shape), np.full(shape, last, np.int16)
    left = np.arange(len(x))  # points of this problem: those of no earlier class
    undecided = np.ones(shape, bool)
    for part, problem in zip(parts, problems, strict=True):
        terms[..., left] += part.learnt.log_likelihood(part.trace, steps)
        positive = part.learnt.data_points.labels == 1
        observed[left[positive]] = problem.positive
        left = left[~positive]
        z = logits_at(part.registers, part.encoder.encode(x), part.trace, steps)
        chosen = undecided & (generator.random(shape, np.float32) < expit(z))
        predictive[chosen] = problem.positive
        undecided &= ~chosen
    return Observations(
        observed=observed,
        log_likelihood=terms.astype(np.float32).astype(np.float64),
        predictive=predictive,
        rows=parts[0].learnt.rows,
        constant={"x": (x, ("feature",))},
        attributes={"class_names": [str(c) for c in classes]},
    )
