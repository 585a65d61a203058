"""The exact posterior that a sweep compares with: against NUTS, and for runs that have none."""

import numpy as np
import pytest

from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.sweeps.truth import Truth, distance, moments, truth_of

NUTS = "tests/data/nuts_wdbc_exact.npz"  # 100,000 draws of NumPyro's NUTS


@pytest.fixture(scope="module")
def nuts(request):
    with np.load(request.config.rootpath / NUTS) as file:
        return {name: file[name] for name in ("mean", "sd", "split_seed", "features")}


def test_the_exact_posterior_is_that_of_nuts(nuts):
    config = TrainConfig("breast-cancer", seed=int(nuts["split_seed"]), features=15)
    found = truth_of(config)
    assert np.abs((found.mean - nuts["mean"]) / nuts["sd"]).max() < 0.02
    assert np.abs(found.sd / nuts["sd"] - 1).max() < 0.02
    other = truth_of(TrainConfig("breast-cancer", seed=int(nuts["split_seed"]) + 1, features=15))
    assert np.abs((other.mean - nuts["mean"]) / nuts["sd"]).max() > 0.2  # the control


@pytest.mark.parametrize(
    "options", [{"task": "toy2d", "hidden": 2}, {"task": "cartpole"}, {"task": "diabetes"}]
)
def test_a_network_a_policy_and_a_regression_have_no_exact_posterior(options):
    assert truth_of(TrainConfig(**options)) is None


def test_a_regression_on_a_file_has_no_exact_posterior(tmp_path):
    """The kind of a file is in the settings of the run; its labels may be few, or many."""
    path = tmp_path / "mine.csv"
    for levels in (2, 40):
        rows = [f"{np.sin(i):.3f},{i % levels}" for i in range(80)]
        path.write_text("\n".join(["a,level", *rows]))
        assert truth_of(TrainConfig(str(path), kind="regression")) is None


def test_a_posterior_with_long_tails_is_unknown():
    x = np.column_stack([np.linspace(-1, 1, 20), np.ones(20)])
    y = (x[:, 0] > 0).astype(int)  # a point separates the classes
    assert moments(x, y, 1.0) is not None
    assert moments(x, y, 1000.0) is None


@pytest.mark.stats
def test_the_distance_is_that_of_shifted_and_narrowed_draws():
    truth = Truth(np.array([1.0, -2.0]), np.array([0.5, 2.0]), 1e4)
    draws = np.random.default_rng(0).standard_normal((4, 20_000, 2))
    right = distance(truth.mean + truth.sd * draws, truth)
    assert right.posterior_error < 3 * right.monte_carlo_sd
    wrong = distance(truth.mean + truth.sd * ([0.3, 0.0] + 0.8 * draws), truth)
    assert wrong.error_sd_max == pytest.approx(0.3, abs=0.02)
    assert wrong.error_sd == pytest.approx(0.3 / np.sqrt(2), abs=0.02)
    assert wrong.spread_ratio == pytest.approx(0.8, abs=0.01)
    assert wrong.posterior_error == pytest.approx(0.223, abs=0.02)  # -ln 0.8


def test_too_few_draws_for_an_effective_size_count_as_one():
    """A run that does not settle is not left out of a mean."""
    draws = np.random.default_rng(0).standard_normal((2, 20, 1))
    truth = Truth(np.zeros(1), np.ones(1), 1e4)
    assert distance(draws[:, :2], truth).monte_carlo_sd == 1.0
    assert distance(draws, truth).monte_carlo_sd < 0.5


def test_a_data_file_that_changed_has_another_posterior(tmp_path):
    path = tmp_path / "mine.csv"
    x = np.random.default_rng(0).normal(size=40)
    found = []
    for shift in (0.0, 1.0):
        rows = [f"{a + shift * (i % 2):.4f},{i % 2}" for i, a in enumerate(x)]
        path.write_text("\n".join(["a,class", *rows]))
        found.append(truth_of(TrainConfig(str(path))).mean)
    assert np.abs(found[1] - found[0]).max() > 0.2
