"""Batches of points to have labelled: the largest scores, and no point alike twice."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import entropy

from ohmcarlo.errors import UsageError
from ohmcarlo.runs.acquisition import batch, doubt, information


def sampled(classes: int, draws: int = 60, points: int = 25, seed: int = 3) -> np.ndarray:
    """Probabilities of points under samples of a softmax model: (draws, points, classes)."""
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(points, 4)), rng.normal(0, 0.7, (draws, 4, classes))
    z = np.exp(x @ w)
    return z / z.sum(axis=2, keepdims=True)


@pytest.mark.parametrize("classes", [2, 4])
def test_measures(classes: int) -> None:
    """Entropy and mutual information as SciPy computes them from the joint distribution."""
    p = sampled(classes)
    assert doubt(p) == pytest.approx(entropy(p.mean(axis=0), axis=1))
    independent = p.mean(axis=0)
    divergence = entropy(p, np.broadcast_to(independent, p.shape), axis=2).mean(axis=0)
    assert information(p) == pytest.approx(divergence, abs=1e-12)


@pytest.mark.parametrize("measure", [doubt, information])
def test_a_batch_of_one_is_the_largest_score(measure) -> None:  # type: ignore[no-untyped-def]
    p = sampled(2)
    assert batch(p, 1, measure).tolist() == [int(measure(p).argmax())]


def by_covariance(p: np.ndarray, n: int) -> list[int]:
    """The batch from explicit covariance matrices of the logits, class by class."""
    answers = p[:, :, 1:] if p.shape[2] == 2 else p
    points, kinds = answers.shape[1:]
    fisher = (answers * (1 - answers)).mean(axis=0).ravel()
    c = np.cov(logit(answers).reshape(len(p), -1), rowvar=False, bias=True)

    def spread() -> np.ndarray:
        return (np.diag(c) * fisher).reshape(points, kinds).sum(axis=1)

    first, doubts, chosen = spread(), entropy(p.mean(axis=0), axis=1), []
    for _ in range(n):
        score = doubts * spread() / first
        score[chosen] = -1
        chosen.append(int(score.argmax()))
        for i in range(chosen[-1] * kinds, (chosen[-1] + 1) * kinds):
            c = c - np.outer(c[:, i], c[:, i]) * fisher[i] / (1 + fisher[i] * c[i, i])
    return chosen


@pytest.mark.parametrize("classes", [2, 4])
def test_a_batch_is_that_of_the_covariances(classes: int) -> None:
    """The control is the largest doubts, which are other points."""
    p = sampled(classes)
    assert batch(p, 12).tolist() == by_covariance(p, 12)
    assert set(batch(p, 6)) != set(np.argsort(-doubt(p))[:6])


def test_a_point_that_repeats_another_comes_later() -> None:
    """Without their spread, samples give the order of the doubts."""
    p = sampled(2, points=6)
    twice = np.concatenate([p, p[:, [int(doubt(p).argmax())]]], axis=1)
    assert int(batch(twice, 7)[1]) != 6
    mean = np.repeat(p.mean(axis=0, keepdims=True), 2, axis=0)
    assert sorted(batch(mean, 6).tolist()) == list(range(6))


def test_certain_points_can_be_chosen() -> None:
    """Probabilities of 0 and 1 are finite logits; every point is chosen once."""
    p = np.zeros((5, 4, 2))
    p[..., 0] = 1.0
    assert sorted(batch(p, 4).tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("n", [0, 26])
def test_impossible_batches(n: int) -> None:
    with pytest.raises(UsageError, match="choose 1 to 25"):
        batch(sampled(2), n)
