"""The posterior file: log-likelihoods, predictions and data, as ArviZ uses them.

The tests use functions that ArviZ 0.2x and 1.x share, so that they pass with both.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_expit

from integration import GridPosterior, standard
from ohmcarlo.datasets import load, split_half
from ohmcarlo.diagnostics import to_arviz
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.inference_data import (
    MAX_VALUES,
    Observations,
    every_of,
    inference_data,
    kept_steps,
    netcdf,
)
from ohmcarlo.runs.supervised.result import SupervisedResult
from ohmcarlo.runs.train import train
from ohmcarlo.spec import CODE_LSB_US, FEATURE_FRAC, LABEL_QUADRATIC, OFFSET_FRAC

CONFIG = TrainConfig("toy2d", whiten=True, chains=4, steps=1500, rows=128, pairs=8, seed=3)
SIGMA_P, NARROW = 1.0, 0.3


@pytest.fixture(scope="module")
def result() -> SupervisedResult:
    return train(CONFIG)


def opened(result: SupervisedResult, folder: Path) -> Any:
    """The posterior file as the installed ArviZ reads it."""
    import arviz

    path = folder / "posterior.nc"
    path.write_bytes(result.posterior)
    return arviz.from_netcdf(path)


def elpd(data: Any) -> float:
    """PSIS-LOO of ArviZ 0.2x (``elpd_loo``) or 1.x (``elpd``), nat."""
    import arviz

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pareto k of points that fit almost perfectly
        found = arviz.loo(data)
    return float(found.elpd_loo if hasattr(found, "elpd_loo") else found.elpd)


def loo_pit(data: Any) -> np.ndarray:
    """Leave-one-out probability integral transform, by either version of ArviZ."""
    import arviz

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if arviz.__version__.startswith("0"):
            return np.asarray(arviz.loo_pit(idata=data, y="y"))
        return arviz.loo_pit(data)["y"].to_numpy()


def test_terms_are_those_of_the_data(result: SupervisedResult) -> None:
    """Computed again with scipy from the codes of the trace and the integers of the points.

    A logit has an LSB of 2**-12, and its coefficient 16 bits.
    """
    tree = result.inference_data()
    draws = result.trace.draws()[:, tree["posterior"]["draw"].to_numpy()]
    codes = result.trace.codes[draws].astype(float)
    gamma = tree.attrs["gamma_us"]
    v = (codes[..., 0::2] - codes[..., 1::2]) * CODE_LSB_US / gamma
    points = result.learnt.points
    real = points.labels != LABEL_QUADRATIC
    assert real.sum() == 100 and (~real).sum() == 3, "the prior has three points of its own"
    z = v @ (points.inputs[real] / 2.0**FEATURE_FRAC).T + points.offsets[real] / 2.0**OFFSET_FRAC
    expected = log_expit(np.where(points.labels[real] == 1, z, -z))
    found = tree["log_likelihood"]["y"].to_numpy()
    assert found.dtype == np.float64 and found.shape == (4, draws.shape[1], 100)
    assert np.abs(found - expected).max() < 5e-4
    swapped = log_expit(np.where(points.labels[real] == 1, -z, z))
    assert np.abs(found - swapped).max() > 1, "the control"


def test_terms_in_the_units_of_the_data(result: SupervisedResult) -> None:
    """The weights of the file with the standardised features of the file: 8-bit inputs cause the
    difference, which is far below the spread of a term."""
    tree = result.inference_data()
    x, y = tree["constant_data"]["x"].to_numpy(), tree["observed_data"]["y"].to_numpy()
    z = tree["posterior"]["w"].to_numpy() @ standard(x).T
    error = tree["log_likelihood"]["y"].to_numpy() - log_expit(np.where(y == 1, z, -z))
    assert np.abs(error).mean() < 0.01 and np.abs(error).max() < 0.1


def test_data_and_names(result: SupervisedResult, tmp_path: Path) -> None:
    data = load("toy2d")
    train_rows, _ = split_half(data.y, CONFIG.seed)
    file = opened(result, tmp_path)
    assert np.array_equal(file["observed_data"]["y"], data.y[train_rows])
    assert np.array_equal(file["observed_data"]["row"], train_rows + 1)
    assert np.array_equal(file["constant_data"]["x"], data.x[train_rows])
    assert list(file["constant_data"]["feature"].to_numpy()) == ["x1", "x2"]
    assert list(file["posterior"]["weight"].to_numpy()) == ["x1", "x2", "bias"]
    assert list(file["observed_data"]["y"].attrs["class_names"]) == ["blue", "orange"]
    for group in ("log_likelihood", "posterior_predictive"):
        assert file[group]["y"].dims == ("chain", "draw", "row")
        assert np.array_equal(file[group]["draw"], file["posterior"]["draw"])
    for attributes in (file.attrs, file["posterior"].attrs):
        assert attributes["seed"] == 3 and attributes["rho"] == 0.8 and attributes["steps"] == 1500
        assert attributes["array"] == "emulator" and attributes["kernel"] == "corrected"
        assert attributes["wide_every"] == 10 and attributes["gamma_us"] > 0
        assert len(attributes["sha256_data"]) == len(attributes["sha256_points"]) == 64
        assert attributes["inference_library"] == "ohmcarlo"
    # the warm-up is kept apart
    assert file["warmup_posterior"].sizes["draw"] == result.burn_in
    assert int(file["posterior"]["draw"][0]) == result.burn_in


@pytest.mark.stats
def test_predictive_draws_follow_the_terms(result: SupervisedResult) -> None:
    """Mean answers of 100 points against the mean probability. Given the draws, each is a mean of
    4,500 independent answers: |z| beyond 4 has a chance of 0.6 % for 100 points."""
    tree = result.inference_data()
    terms, y = tree["log_likelihood"]["y"].to_numpy(), tree["observed_data"]["y"].to_numpy()
    p = np.where(y == 1, np.exp(terms), 1 - np.exp(terms))
    answers = tree["posterior_predictive"]["y"].to_numpy()
    assert set(np.unique(answers)) == {0, 1}
    sd = np.sqrt((p * (1 - p)).mean(axis=(0, 1)) / p[..., 0].size)
    z = (answers.mean(axis=(0, 1)) - p.mean(axis=(0, 1))) / sd
    assert np.abs(z).max() < 4 and 0.7 < z.std() < 1.3
    assert (np.abs(answers.mean(axis=(0, 1)) - y) > 4 * sd).any(), "the control: labels themselves"
    assert np.array_equal(answers, result.inference_data()["posterior_predictive"]["y"])


@pytest.mark.stats
def test_loo_is_that_of_integration(result: SupervisedResult, tmp_path: Path) -> None:
    """ArviZ's PSIS-LOO of the file against an integral over a grid of weights.

    Its Monte Carlo error is about the spread of the log-posterior over √ESS of 900: 0.05 nat. The
    control is a file whose terms contain the prior, which PSIS-LOO cannot know.
    """
    file = opened(result, tmp_path)
    x, y = file["constant_data"]["x"].to_numpy(), file["observed_data"]["y"].to_numpy()
    exact = GridPosterior(standard(x), y, SIGMA_P).loo().sum()
    assert elpd(file) == pytest.approx(exact, abs=0.2)
    pit = loo_pit(file)
    assert pit.shape == (100,) and ((pit >= 0) & (pit <= 1)).all() and 0.4 < pit.mean() < 0.6
    w = file["posterior"]["w"].to_numpy()
    share = -(w**2).sum(axis=-1, keepdims=True) / (2 * SIGMA_P**2 * len(y))
    shifted = file["log_likelihood"]["y"] + share
    file["log_likelihood"]["y"] = shifted
    assert abs(elpd(file) - exact) > 0.4


def test_two_runs_are_compared(result: SupervisedResult, tmp_path: Path) -> None:
    """A prior that holds all weights near zero predicts worse, by as much as integration says."""
    import arviz

    narrow = train(TrainConfig.from_dict({**CONFIG.to_dict(), "sigma_p": NARROW}))
    (tmp_path / "narrow").mkdir()
    runs = {"usual": opened(result, tmp_path), "narrow": opened(narrow, tmp_path / "narrow")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = arviz.compare(runs)
    assert list(table.index) == ["usual", "narrow"]
    x, y = runs["usual"]["constant_data"]["x"].to_numpy(), runs["usual"]["observed_data"]["y"]
    x, labels = standard(x), y.to_numpy()
    exact = [GridPosterior(x, labels, width).loo().sum() for width in (SIGMA_P, NARROW)]
    assert exact[0] - exact[1] > 5
    assert elpd(runs["usual"]) - elpd(runs["narrow"]) == pytest.approx(exact[0] - exact[1], abs=0.3)


@pytest.mark.parametrize(
    ("chains", "steps", "points", "every"),
    [
        (4, 1000, 100, 1),
        (4, 7500, 284, 4),  # 8.5 million terms
        (1, 100, 10**6, 1),  # fewer draws than Pareto smoothing needs: none is dropped
        (4, 10_000, 47_480, 40),  # 1,000 draws remain
    ],
)
def test_long_runs_are_thinned(chains: int, steps: int, points: int, every: int) -> None:
    assert every_of(chains, steps, points) == every
    draws = len(kept_steps(steps, 0, every))
    assert chains * draws * points <= MAX_VALUES * 1.01 or chains * draws <= 1000


def test_other_runs_use_the_same_function(tmp_path: Path) -> None:
    """Several classes and a parameter without dimensions; every second step is a draw."""
    import arviz

    rng = np.random.default_rng(0)
    chains, steps, n = 2, 40, 5
    kept = kept_steps(steps, 10, 2)
    shape = (chains, len(kept), n)
    tree = inference_data(
        {
            "w": (rng.standard_normal((chains, steps, 3, 2)), ("class", "weight")),
            "sigma": (rng.random((chains, steps)), ()),
        },
        burn_in=10,
        every=2,
        observations=Observations(
            rng.integers(0, 3, n), -rng.random(shape), rng.integers(0, 3, shape), np.arange(n)
        ),
        coords={"class": ["a", "b", "c"], "weight": ["x", "bias"]},
        attributes={"seed": 1, "preset": None, "trimmed": True, "geometry": {"rows": 8}},
    )
    path = tmp_path / "p.nc"
    path.write_bytes(netcdf(tree))
    for file in (arviz.from_netcdf(path), to_arviz(tree)):
        assert file["posterior"]["w"].dims == ("chain", "draw", "class", "weight")
        assert file["posterior"]["sigma"].sizes["draw"] == 15
        assert file["posterior"]["draw"].to_numpy().tolist() == list(range(10, 40, 2))
        assert file["warmup_posterior"].sizes["draw"] == 5
        assert file.attrs["geometry_rows"] == 8 and file.attrs["trimmed"] == 1
        assert "preset" not in file.attrs and file.attrs["draws_every"] == 2
        assert np.isfinite(elpd(file))
    assert netcdf(tree) == path.read_bytes(), "no time stamp"
