"""Diagnostics against ArviZ, scikit-learn, NIST's examples and chains with known answers."""

from __future__ import annotations

import subprocess
import sys

import arviz
import numpy as np
import pytest
from sklearn import metrics

from ohmcarlo import diagnostics as dg
from ohmcarlo.errors import UsageError


def autoregressive(shape: tuple[int, int, int], rho: float, seed: int = 0) -> np.ndarray:
    """Stationary AR(1) chains of unit variance: (chains, steps, weights)."""
    rng = np.random.default_rng(seed)
    out = rng.standard_normal(shape)
    for t in range(1, shape[1]):
        out[:, t] = rho * out[:, t - 1] + np.sqrt(1 - rho**2) * out[:, t]
    return out


# -- samples → steps ---------------------------------------------------------------------------


def test_expand() -> None:
    codes = np.array([[1, 1], [2, 2], [3, 3], [4, 4]])
    steps = dg.expand(np.array([2, 1, 1, 2]), codes, np.array([0, 1, 0, 1]))
    assert steps[..., 0].tolist() == [[1, 1, 3], [2, 4, 4]]
    assert dg.expand(np.array([1, 0, 2]), np.array([5, 6, 7])).tolist() == [[5, 7, 7]]


def test_expand_refuses() -> None:
    with pytest.raises(UsageError, match="3, 4 steps: cut them"):
        dg.expand(np.array([3, 4]), np.zeros(2), np.array([0, 1]))
    with pytest.raises(UsageError, match="2 multiplicities, 3 samples"):
        dg.expand(np.array([3, 4]), np.zeros(3))


def test_posterior_is_inference_data() -> None:
    weights = np.arange(12.0).reshape(6, 2)
    chain, multiplicity = np.array([0, 0, 0, 1, 1, 1]), np.array([1, 3, 1, 2, 2, 1])
    data = dg.posterior(weights, multiplicity, chain, burn_in=1, names=["a", "bias"])
    assert isinstance(data, arviz.InferenceData)
    w = data.posterior["w"]
    assert w.dims == ("chain", "draw", "weight") and w.shape == (2, 4, 2)
    assert w.sel(weight="a").to_numpy().tolist() == [[2, 2, 2, 4], [6, 8, 8, 10]]
    with pytest.raises(UsageError, match="burn_in = 5: the chains have 5 steps"):
        dg.posterior(weights, multiplicity, chain, burn_in=5)


@pytest.mark.parametrize(
    ("log_posterior", "steps"),
    [
        (np.zeros(100), 25),  # there from the start: a quarter
        (np.r_[np.full(60, -9.0), np.zeros(40)], 60),  # later than a quarter
        (np.r_[np.linspace(-50, 0, 10), np.zeros(90)], 25),
        ([], 0),
        ([3.0], 0),
    ],
)
def test_burn_in(log_posterior: np.ndarray, steps: int) -> None:
    assert dg.burn_in(log_posterior) == steps


# -- effective sample size and R-hat -----------------------------------------------------------


def test_the_same_as_arviz() -> None:
    draws = autoregressive((4, 500, 3), 0.6)
    data = arviz.convert_to_dataset({"w": draws})
    assert dg.ess(draws) == pytest.approx(arviz.ess(data)["w"].to_numpy())
    assert dg.rhat(draws) == pytest.approx(arviz.rhat(data)["w"].to_numpy())
    assert dg.mcse(draws) == pytest.approx(arviz.mcse(data)["w"].to_numpy())
    assert dg.tail_ess(draws) == pytest.approx(arviz.ess(data, method="tail")["w"].to_numpy())


@pytest.mark.stats
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_ess_of_a_known_chain(rho: float) -> None:
    """The ESS of an AR(1) chain is n (1 - ρ) / (1 + ρ). The control is the nominal length of a
    chain."""
    draws = autoregressive((4, 20_000, 2), rho)
    found = dg.ess(draws) / (80_000 * (1 - rho) / (1 + rho))
    assert found == pytest.approx(1, abs=0.1)
    assert rho == 0 or dg.ess(draws).max() < 0.5 * 80_000


@pytest.mark.stats
@pytest.mark.parametrize("chains", [1, 4])
def test_rhat(chains: int) -> None:
    draws = autoregressive((chains, 2000, 2), 0.5)
    assert dg.rhat(draws).max() < 1.02
    drifting = draws + np.linspace(0, 3, 2000)[None, :, None]
    assert dg.rhat(drifting).min() > 1.2, "a chain that drifts, even alone"


def test_longest_stay() -> None:
    current = np.array([[5, 5, 5, 7], [8, 9, 9, 9]])
    assert dg.longest_stay(current) == 3, "a stay ends with its chain"
    assert dg.longest_stay(np.zeros((1, 6), int)) == 6
    assert dg.expected_longest_stay(np.zeros((1, 6), int)) == float("inf")
    assert dg.expected_longest_stay(np.arange(6).reshape(1, 6)) == 1


@pytest.mark.stats
@pytest.mark.parametrize("rate", [0.05, 0.5, 0.8])
def test_stays_of_a_geometric_law_are_expected(rate: float) -> None:
    """No longest stay of 200 such runs exceeds the expected one more than once, which has a chance
    of 1 in 1,000 a run. The control is one stay of 20 times the mean."""
    rng = np.random.default_rng(1)
    beyond = 0
    for _ in range(200):
        current = np.cumsum(rng.random((4, 2000)) < rate, axis=1) + 10_000 * np.arange(4)[:, None]
        beyond += dg.longest_stay(current) > np.ceil(dg.expected_longest_stay(current))
    assert beyond <= 1
    stuck = current.copy()
    stuck[2, 100 : 100 + int(40 / rate)] = -1
    assert dg.longest_stay(stuck) > 1.5 * dg.expected_longest_stay(stuck)


def heavy_tailed(wide_every: int, seed: int, steps: int = 8000) -> np.ndarray:
    """Four chains with the proposals of the array (rho 0.8, one in ``wide_every`` with rho 1) on
    Student's t with three degrees of freedom, whose tails are heavier than theirs: the number of
    the current sample of each step."""
    rng = np.random.default_rng(seed)
    x, current = np.zeros(4), np.empty((4, steps), np.int64)
    number = 2 * steps * np.arange(4)
    for t in range(steps):
        wide = bool(wide_every) and t % wide_every == 0
        y = (x if wide else 0.8 * x) + 0.6 * rng.standard_normal(4)
        change = 2 * np.log1p(x * x / 3) - 2 * np.log1p(y * y / 3)
        if not wide:  # a proposal with rho < 1 is reversible for a normal distribution
            change += (y * y - x * x) / 2
        accepted = np.log(rng.random(4)) < change
        x, number = np.where(accepted, y, x), number + accepted
        current[:, t] = number
    return current


@pytest.mark.stats
@pytest.mark.parametrize("seed", range(3))
def test_a_chain_that_is_caught_in_a_tail_is_seen(seed: int) -> None:
    """The control is the cycle of kernels, which is the remedy."""
    caught, freed = heavy_tailed(0, seed), heavy_tailed(10, seed)
    assert dg.longest_stay(caught) > dg.STAY_LIMIT * dg.expected_longest_stay(caught)
    assert dg.longest_stay(freed) < dg.STAY_LIMIT * dg.expected_longest_stay(freed)


def test_frozen_and_short_chains() -> None:
    draws = autoregressive((3, 100, 3), 0.0)
    draws[:, :, 1] = np.arange(3)[:, None]  # every chain stays where it started
    assert dg.ess(draws)[1] == 1 and np.isinf(dg.rhat(draws)[1])
    assert dg.ess(draws)[0] > 100 and dg.rhat(draws)[2] < 1.1
    frozen = np.zeros((1, 50, 2))
    assert dg.ess(frozen).tolist() == [1, 1] and np.isinf(dg.rhat(frozen)).all()
    short = draws[:, :5]
    assert np.isnan([*dg.ess(short), *dg.rhat(short), *dg.mcse(short)]).all()
    with pytest.raises(UsageError, match=r"\(chains, steps, weights\)"):
        dg.ess(draws[0])


def test_summary() -> None:
    draws = autoregressive((2, 4000, 3), 0.5) * [1.0, 10.0, 0.1]
    found = dg.summary(draws, np.r_[np.ones(30, bool), np.zeros(70, bool)])
    ess = dg.ess(draws)
    assert found.ess_min == ess.min() and found.ess_median == np.median(ess)
    assert found.ess_per_1000_min == pytest.approx(ess.min() / 8)
    assert found.rhat_max == dg.rhat(draws).max()
    assert found.acceptance_rate == pytest.approx(0.3)
    # in posterior spreads: 1/√ESS, whatever the unit of the weight
    assert found.mcse_max == pytest.approx(1 / np.sqrt(8000 / 3), rel=0.15)


# -- predictions -------------------------------------------------------------------------------


def test_the_same_as_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(200)
    y = (rng.random(200) < p**2).astype(int)
    guess = (p >= 0.5).astype(int)
    assert dg.accuracy(y, p) == pytest.approx(metrics.accuracy_score(y, guess))
    assert dg.balanced_accuracy(y, p) == pytest.approx(metrics.balanced_accuracy_score(y, guess))
    assert dg.log_loss(y, p) == pytest.approx(metrics.log_loss(y, p))
    assert dg.accuracy([1, 0], [0.5, 0.5]) == 0.5  # one half counts as class 1
    assert dg.balanced_accuracy([1, 1], [0.7, 0.2]) == 0.5
    assert 0 < dg.log_loss([1, 1], [1.0, 1.0]) + 1e-12 < 1e-6
    assert np.isfinite(dg.log_loss([1], [0.0]))


def test_ece() -> None:
    """By hand: bins [0, 0.5) with mean 0.2 and share 1/3, [0.5, 1] with mean 0.9 and share 1/2."""
    y, p = [0, 0, 1, 1, 0], [0.1, 0.2, 0.3, 0.8, 1.0]
    assert dg.ece(y, p, bins=2) == pytest.approx(3 / 5 * (1 / 3 - 0.2) + 2 / 5 * 0.4)
    assert dg.ece([1, 0], [1.0, 0.0]) == 0
    assert dg.ece([0, 1], [1.0, 0.0]) == 1


def test_ece_of_calibrated_predictions_is_small() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(100_000)
    y = (rng.random(100_000) < p).astype(int)
    assert dg.ece(y, p) < 0.01
    assert dg.ece(y, np.sqrt(p)) > 0.1


@pytest.mark.parametrize(
    ("y", "p", "words"),
    [
        ([0, 1], [0.5], "must be"),
        ([], [], "n > 0"),
        ([0, 1], [0.5, 1.1], "lie in"),
        ([0, 1], [0.5, np.nan], "lie in"),
    ],
)
def test_predictions_are_checked(y: list, p: list, words: str) -> None:
    for metric in (dg.accuracy, dg.balanced_accuracy, dg.log_loss, dg.ece):
        with pytest.raises(UsageError, match=words):
            metric(y, p)
    with pytest.raises(UsageError, match="bins = 0"):
        dg.ece([0, 1], [0.5, 0.5], bins=0)


# -- coin --------------------------------------------------------------------------------------


def test_nist_example() -> None:
    """SP 800-90B, 6.3.1: (0,1,1,2,0,1,2,2,0,1,0,1,1,0,2,2,1,0,2,1) gives 0.5363 bits."""
    sequence = [0, 1, 1, 2, 0, 1, 2, 2, 0, 1, 0, 1, 1, 0, 2, 2, 1, 0, 2, 1]
    assert dg.min_entropy_mcv(np.bincount(sequence)) == pytest.approx(0.5363, abs=5e-5)


def test_min_entropy_of_extremes() -> None:
    assert dg.min_entropy_mcv(np.full(8, 10**6)) == pytest.approx(3, abs=0.01)
    assert dg.min_entropy_mcv([0, 100]) == 0
    assert dg.min_entropy_mcv([1, 1]) == 0  # two symbols: the interval reaches 1
    assert dg.min_entropy_mcv([0, 1]) == dg.min_entropy_mcv([0, 0]) == 0


def test_arviz_is_imported_late() -> None:
    code = "import sys, ohmcarlo.diagnostics; sys.exit('arviz' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
