"""Learning from few labels: what the array chooses, and what the curves tell."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import entropy

from ohmcarlo.reproduce.active import curves, problems, tables
from ohmcarlo.reproduce.active.curves import DOUBT, ENTROPY, PLAIN, RANDOM, STRATEGIES, curve
from ohmcarlo.reproduce.active.learners import DRAWS, ArrayLearner
from ohmcarlo.reproduce.active.problems import START_PER_CLASS, WDBC, Problem, rounds
from ohmcarlo.runs.supervised.experiment import standardised_weights


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rounds after the first."""
    monkeypatch.setattr(problems, "STEPS_OF_ROUNDS", ((10, 3),))


def test_rounds() -> None:
    labels = rounds()
    assert labels[0] == 2 * START_PER_CLASS and labels == sorted(set(labels))
    halves = {n // 2 for n in tables.AT}
    assert {*tables.AT, *halves, *tables.SHOWN, *tables.COMPARED} <= set(labels)


def test_all_strategies_start_alike() -> None:
    """A seed determines pool and order; the first points are of both classes."""
    a, b, other = (Problem.of(WDBC, seed) for seed in (1, 1, 2))
    assert a.order.tolist() == b.order.tolist() != other.order.tolist()
    assert sorted(a.order) == list(range(len(a.y)))
    assert a.y[a.order[: 2 * START_PER_CLASS]].tolist() == [0, 0, 1, 1]


def test_the_array_chooses_its_largest_doubts() -> None:
    """The first point has the largest entropy, computed from float weights and features."""
    problem = Problem.of(WDBC, 5)
    known, rest = np.split(problem.order, [12])
    learner = ArrayLearner(WDBC, 5)
    learner.learn(problem.x[known], problem.y[known], problem.x[rest])
    posterior = learner.posterior
    weights = standardised_weights(posterior.registers, posterior.encoder, posterior.draws(DRAWS))
    every = problem.x[:, posterior.encoder.columns]
    standard = (every - every.mean(axis=0)) / every.std(axis=0)
    mean = expit(weights @ np.c_[standard[rest], np.ones(len(rest))].T).mean(axis=0)
    doubts = entropy([mean, 1 - mean])
    chosen = learner.choose(problem.x[rest], 8)
    assert len(set(chosen)) == 8 and doubts[chosen[0]] > doubts.max() - 1e-4
    assert doubts[chosen].min() > 2 * np.median(doubts)  # random points would have the median
    assert learner.probability(problem.x[rest]) == pytest.approx(mean, abs=0.02)
    before = learner.values()
    more = np.concatenate([known, rest[chosen]])
    learner.learn(problem.x[more], problem.y[more], np.delete(problem.x, more, axis=0))
    after = learner.values()  # of the same array, which wears further
    assert after["set_pulses"] > 1.5 * before["set_pulses"]
    assert after["wear_mean"] > 1.5 * before["wear_mean"]
    assert after["learning_joules"][:1] == before["learning_joules"]
    learner.close()


def test_a_curve_depends_on_its_seed_alone(short: None) -> None:
    """Random labels are the same for array and software, and lead to other posteriors than chosen
    ones."""
    first, again = (curve(WDBC, DOUBT, 3) for _ in range(2))
    assert first == again
    chosen, random, plain = (curve(WDBC, s, 3) for s in (ENTROPY, RANDOM, PLAIN))
    assert random["positive"] == plain["positive"]
    assert random["accuracy"][0] == first["accuracy"][0]
    assert random["learning_joules"][1:] != first["learning_joules"][1:]
    assert random["accuracy"][1:] != first["accuracy"][1:]
    assert len(chosen["accuracy"]) == len(first["accuracy"]) == len(rounds())
    assert curve(WDBC, DOUBT, 4)["accuracy"] != first["accuracy"]
    assert first["set_pulses"] > 0 < min(first["learning_joules"])
    assert len(first["choosing_joules"]) == len(rounds()) - 1 and not random["choosing_joules"]


def test_labels_needed() -> None:
    """A curve that falls again below the value has not reached it for good."""
    mean = np.array([[0.5, 0.6, 0.8, 0.7]] * 2)
    labels = [4, 10, 20, 30]
    assert curves.labels_needed(labels, mean, 0.7) == pytest.approx(15)
    assert curves.labels_needed(labels, mean, 0.75) == np.inf
    fallen = np.array([[0.65, 0.6, 0.8, 0.7]] * 2)
    assert curves.labels_needed(labels, fallen, 0.64) == pytest.approx(12)
    assert curves.labels_needed(labels, mean, 0.4) == 4
    assert curves.labels_needed(labels, mean, 0.9) == np.inf


def cells(quality: dict[str, float]) -> tables.Cells:
    """Curves that rise from 0.5 with a time constant (labels) for each strategy."""
    labels, rng = np.array(rounds()), np.random.default_rng(0)
    found: tables.Cells = {}
    for strategy in STRATEGIES:
        rise = 1 - 0.5 * np.exp(-labels / quality[strategy])
        values = [rise + rng.normal(0, 1e-3, len(labels)) for _ in range(4)]
        found[strategy] = [{"accuracy": v, "balanced_accuracy": v} for v in values]
    return found


def test_savings() -> None:
    """Curves that rise three times as fast need a third of the labels; equal ones miss the goal."""
    fast = cells({DOUBT: 50.0, RANDOM: 150.0, ENTROPY: 150.0, PLAIN: 150.0})
    by_n = {s["labels"]: s for s in tables.savings(fast) if s["chosen"] == DOUBT}
    for n in tables.AT:
        low, high = by_n[n]["needed_95"]
        assert by_n[n]["needed"] == pytest.approx(n / 3, rel=0.05) and low <= n / 3 * 1.03
        assert high < n / 2 and by_n[n]["gain_of_half"] > 0
    rows = tables.saving_table(WDBC, fast).rows
    assert all(row.met for row in rows if row.wanted)
    equal = cells(dict.fromkeys(STRATEGIES, 150.0))
    assert not any(row.met for row in tables.saving_table(WDBC, equal).rows if row.wanted)
    gain = next(g for g in tables.gains(fast) if g["labels"] == 60 and g["against"] == RANDOM)
    exact = 0.5 * (np.exp(-60 / 150) - np.exp(-60 / 50))
    assert gain["gain"] == pytest.approx(exact, abs=5 * gain["gain_se"])
