"""Triage: answers and doubts against exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from ohmcarlo.errors import UsageError
from ohmcarlo.golden import MAX_THRESHOLD, Thresholds, judge, triage_of
from ohmcarlo.golden.triage import joined
from ohmcarlo.spec import PROB_FRAC

ONE = 1 << PROB_FRAC
NONE = Thresholds()


def sums_of(rng: np.random.Generator, points: int, samples: int) -> np.ndarray:
    """Sums of ``samples`` predictions (some with a multiplicity) of each point, by plain Python."""
    found = []
    for _ in range(points):
        p = rng.beta(0.3, 0.3, 5)
        p = [round(float(v) * ONE) for v in p]
        share = rng.multinomial(samples, np.full(5, 0.2)).tolist()
        squares = sum(m * ((v * v + ONE // 2) >> PROB_FRAC) for m, v in zip(share, p, strict=True))
        found.append((sum(m * v for m, v in zip(share, p, strict=True)), squares))
    return np.array(found, np.int64)


def by_fractions(sums: np.ndarray, samples: int, limits: Thresholds) -> list[tuple[bool, bool]]:
    found = []
    for total, squares in sums.tolist():
        mean, second = (Fraction(v, samples * ONE) for v in (total, squares))
        variance = max(second - mean * mean, Fraction(0))
        doubtful = min(mean, 1 - mean) >= Fraction(limits.margin, ONE)
        doubtful |= variance >= Fraction(limits.variance, ONE)
        found.append((mean >= Fraction(1, 2), doubtful))
    return found


@pytest.mark.parametrize("samples", [1, 7, 464, (1 << 16) - 1])
def test_decisions_are_exact(samples: int) -> None:
    """Thresholds lie at the doubts of points, so that a rounding error would show."""
    sums = sums_of(np.random.default_rng(samples), 60, samples)
    for total, squares in sums[::4].tolist():
        mean, second = (Fraction(v, samples * ONE) for v in (total, squares))
        margin = int(min(mean, 1 - mean) * ONE)
        variance = int(max(second - mean * mean, 0) * ONE)
        for limits in (
            Thresholds(margin=margin),
            Thresholds(margin=min(margin + 1, MAX_THRESHOLD)),
            Thresholds(variance=variance),
            Thresholds(margin, variance + 1),
        ):
            answers, doubtful = judge(sums, samples, limits)
            found = list(zip(answers.tolist(), doubtful.tolist(), strict=True))
            assert found == by_fractions(sums, samples, limits)


def test_many_samples_are_scaled() -> None:
    """From 2**16 samples on, sums lose bits before the variance is computed: a variance that is a
    thousandth above or below the threshold is still decided rightly."""
    samples = 1_234_567
    sums = sums_of(np.random.default_rng(3), 200, samples)
    mean, second = (sums / (samples * ONE)).T
    variance = second - mean**2
    limit = Thresholds.of(variance=0.05)
    clear = np.abs(variance / 0.05 - 1) > 1e-3
    assert clear.sum() > 150
    _, doubtful = judge(sums, samples, limit)
    assert np.array_equal(doubtful[clear], (variance > 0.05)[clear])


@pytest.mark.parametrize("samples", [1, 464, 1 << 20])
def test_extreme_thresholds(samples: int) -> None:
    """0 makes every point doubtful, the largest threshold none, whatever the sums are."""
    half, quarter = samples * ONE // 2, samples * ONE // 4
    sums = np.array([(0, 0), (samples * ONE, samples * ONE), (half, half), (half, quarter)])
    for limits in (Thresholds(margin=0), Thresholds(variance=0), Thresholds(0, 0)):
        assert judge(sums, samples, limits)[1].all()
    answers, doubtful = judge(sums, samples, NONE)
    assert not doubtful.any()
    assert answers.tolist() == [False, True, True, True]  # one half is positive


def test_only_doubtful_points_keep_their_sums() -> None:
    sums = np.array([(0, 0), (32768 * 4, 4 * 16384), (4 * ONE, 4 * ONE)])
    found = triage_of(sums, 4, Thresholds.of(margin=0.4))
    assert found.doubtful.tolist() == [False, True, False] and found.sums.tolist() == [
        [131072, 65536]
    ]
    mean, variance = found.predictions()
    assert (mean.tolist(), variance.tolist()) == ([0.5], [0.0])
    twice = joined([found, found])
    assert twice.doubtful.sum() == 2 and twice.samples == 4 and len(twice.answers) == 6


@pytest.mark.parametrize("wrong", [{"margin": -1}, {"variance": 1 << 16}, {"margin": 0.5}])
def test_thresholds_that_are_none(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=r"choose an integer from 0 \(every point is doubtful\)"):
        Thresholds(**wrong)


@pytest.mark.parametrize("wrong", [{"margin": -0.1}, {"variance": 1.5}, {"margin": float("nan")}])
def test_numbers_that_are_none(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="choose numbers from 0 to 1"):
        Thresholds.of(**wrong)


def test_no_points() -> None:
    for empty in (lambda: triage_of(np.zeros((0, 2), np.int64), 4, NONE), lambda: joined([])):
        with pytest.raises(UsageError, match="at least one point"):
            empty()
