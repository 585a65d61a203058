"""Window and steps of unwhitened chains: gamma follows the prior, and what is left is stated."""

from __future__ import annotations

import warnings
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from ohmcarlo.array import EmulatedArray
from ohmcarlo.datasets import Encoder, load
from ohmcarlo.datasets.laplace import skewed_mean
from ohmcarlo.golden import Controller, SamplerSettings
from ohmcarlo.reproduce.exactness.problems import PROBLEMS, reference
from ohmcarlo.runs.chain_run import ChainRun
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.reach import (
    Expected,
    expected_acceptance,
    step_cautions,
    suitable_gamma,
    window_error,
    window_errors,
)
from ohmcarlo.runs.supervised.experiment import prepare, standardised_weights
from ohmcarlo.runs.trace import Trace
from ohmcarlo.sklearn import MemristorClassifier
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.tasks import Task
from paths import GERMAN
from problems import trace

REL = 0.05
SETTINGS = SamplerSettings()
STEP = np.sqrt(2) * SETTINGS.centre_us * REL / SETTINGS.gamma_us


def test_error_of_the_window() -> None:
    """Pairs are drawn from their prior; those with a device beyond its limits are left out."""
    rng = np.random.default_rng(0)
    mean, sd, gamma = 3.0, 2.5, SETTINGS.gamma_us
    w = mean + sd * rng.standard_normal(400_000)
    total = 2 * SETTINGS.centre_us + SETTINGS.tau_us * rng.standard_normal(len(w))
    devices = np.stack([total + gamma * w, total - gamma * w]) / 2
    w = w[((devices >= SETTINGS.lo_us) & (devices <= SETTINGS.hi_us)).all(axis=0)]
    error = window_error(Expected(np.array([mean]), np.array([sd])), SETTINGS, gamma)
    assert error.mean_sd == pytest.approx((mean - w.mean()) / sd, abs=0.005)
    assert error.spread == pytest.approx(w.std() / sd, abs=0.005)
    assert error.mean_sd > 0.1 and error.spread < 0.9


@pytest.mark.parametrize("sigma_p", [3.0, 5.0, 10.0, 50.0])
def test_gamma_follows_the_prior(sigma_p: float) -> None:
    """Up to a width of 2, gamma is that of the task; beyond, it is inverse to the width."""
    assert suitable_gamma(Expected.of_prior(4, 1.0), SETTINGS, REL) == SETTINGS.gamma_us
    assert suitable_gamma(Expected.of_prior(4, 2.0), SETTINGS, REL) == SETTINGS.gamma_us
    expected = Expected.of_prior(4, sigma_p)
    gamma = suitable_gamma(expected, SETTINGS, REL)
    assert 50 < gamma * sigma_p < 57
    assert not window_errors(expected, replace(SETTINGS, gamma_us=0.9 * gamma))
    (error,) = window_errors(expected, replace(SETTINGS, gamma_us=1.6 * gamma))
    assert not error.trusted and "leave out --gamma, choose a smaller sigma_p" in error.remedy


def test_a_weight_beyond_the_window() -> None:
    """The error is large and finite."""
    error = window_error(Expected(np.array([1e4]), np.array([1.0])), SETTINGS, 25.0)
    assert not error.trusted and np.isfinite(error.size)


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_expected_acceptance(scale: float) -> None:
    """A random walk in a normal distribution, simulated from its stationary state."""
    rng = np.random.default_rng(1)
    precisions = scale * np.array([0.5, 1.0, 20.0, 100.0])
    x = rng.standard_normal((100_000, 4)) / np.sqrt(precisions)
    y = x + STEP * rng.standard_normal(x.shape)
    ratio = ((x**2 - y**2) * precisions).sum(axis=1) / 2
    simulated = np.minimum(1, np.exp(ratio)).mean()
    found = expected_acceptance(np.diag(precisions), STEP)
    assert found == pytest.approx(simulated, abs=0.015)


def test_gamma_does_not_stop_the_walk() -> None:
    """A well-determined weight beside one that the prior determines: steps that fit the window are
    not accepted, so gamma stays larger, and the error of the window is stated."""
    hessian = np.diag([1 / 30.0**2, *[4.0] * 20])
    sd = 1 / np.sqrt(np.diag(hessian))
    expected = Expected(np.zeros(21), sd, hessian)
    gamma = suitable_gamma(expected, SETTINGS, REL)
    assert 2 < gamma < SETTINGS.gamma_us
    (error,) = window_errors(expected, replace(SETTINGS, gamma_us=gamma))
    assert not error.trusted and "--whiten" in error.remedy
    alone = Expected(np.zeros(1), sd[:1], hessian[:1, :1])
    assert suitable_gamma(alone, SETTINGS, REL) < 2


def test_caution() -> None:
    many = Expected(np.zeros(25), np.full(25, 0.08), np.eye(25) / 0.08**2)
    (text,) = step_cautions(many, SETTINGS, REL)
    assert "hardly move" in text and "--whiten" in text
    few = Expected(np.zeros(5), np.full(5, 0.5), np.eye(5) / 0.25)
    assert not step_cautions(few, SETTINGS, REL)
    assert not step_cautions(many, replace(SETTINGS, rho=0.9), REL)


@pytest.mark.parametrize("name", ["separable", "separable-wide"])
def test_mean_to_the_third_order(name: str) -> None:
    """NUTS: the mean of a skewed posterior is beyond its mode."""
    problem = PROBLEMS[name]
    x, y = problem.data()
    encoder = Encoder.fit(x, y, sigma_p=problem.sigma_p)
    fit, truth = encoder.posterior(x, y), reference(problem)
    scale = encoder.weights_to_original(np.eye(encoder.inputs)).diagonal()
    mean = scale * skewed_mean(encoder.training_points(x, y), fit)
    off = (np.abs(mean - truth.mean) / truth.sd).max()
    off_mode = (np.abs(scale * fit.mode - truth.mean) / truth.sd).max()
    assert off < 0.25 and off < 0.6 * off_mode


def test_a_run_has_the_gamma_and_the_prior_of_its_encoding() -> None:
    """Columns that were scaled have their prior in the points, none in the registers."""
    x, y = PROBLEMS["separable"].data()
    narrow, wide = (
        MemristorClassifier(10, whiten=False, sigma_p=s, random_state=0).fit(x, y) for s in (1, 5)
    )
    assert narrow.registers_.gamma_us == pytest.approx(25, rel=1e-3)
    assert 6 < wide.registers_.gamma_us < 12
    assert narrow.registers_.weight_coef[0] > 0 and wide.registers_.weight_coef[0] > 0
    x[0, 0] = 30.0
    scaled = MemristorClassifier(10, whiten=False, random_state=0).fit(x, y)
    assert scaled.registers_.weight_coef == (0, 0)


# -- the estimator -----------------------------------------------------------------------------


def test_a_walk_that_cannot_move_is_warned_of() -> None:
    """German credit: one of 10,000 steps would be accepted."""
    with np.load(GERMAN) as file:
        x, y = file["x"].astype(float), file["y"]
    model = MemristorClassifier(steps=100, whiten=False, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"hardly move.*whiten=True"):
        model.fit(x, y)
    assert set(model.posterior_error_) == {"encoding"}


def test_an_encoding_that_moves_the_posterior_is_warned_of() -> None:
    with np.load(GERMAN) as file:
        x, y = file["x"].astype(float), file["y"]
    x[5, 1] = 1e5
    with pytest.warns(ConvergenceWarning, match=r"'x1' reaches 31\.6 standard deviations"):
        model = MemristorClassifier(steps=100, whiten=True, random_state=0).fit(x, y)
    assert not model.posterior_error_["encoding"]["trusted"]


def test_a_network_clips_and_states_it() -> None:
    """Its prior cannot be in quadratic points: it is in the registers, and the scale is 1."""
    data = load("breast-cancer")
    model = MemristorClassifier(20, hidden=2, features=15, random_state=0)
    with pytest.warns(UserWarning, match="reaches .* standard deviations, too far for 8-bit"):
        model.fit(data.x, data.y)
    assert not model.posterior_error_["encoding"]["trusted"]
    assert model.registers_.weight_coef[0] > 0


def test_no_warning_without_a_reason() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for task, whiten, steps in (("breast-cancer", True, 5000), ("toy2d", False, 10_000)):
            data = load(task)
            model = MemristorClassifier(steps, whiten=whiten, random_state=0)
            assert model.fit(data.x, data.y).verdict_ == "settled"


# -- sampled posteriors ------------------------------------------------------------------------


def spreads(sigma_p: float, gamma_us: float, steps: int) -> np.ndarray:
    """Spreads of three weights without data, in units of the prior."""
    array = EmulatedArray(Geometry(), 5)
    settings = SamplerSettings(sigma_p=sigma_p, gamma_us=gamma_us)
    registers = settings.registers(Geometry(), 3, array.sigma_us)
    made = Controller(registers, array, Points.of(np.zeros((1, 3), np.int8)))
    made.start()
    trace(made, steps // 20)
    t = trace(made, steps)
    w = np.repeat(registers.weights(t["codes"]), t["multiplicity"], axis=0)
    return w.std(axis=0) / sigma_p


@pytest.mark.verify
@pytest.mark.stats
@pytest.mark.parametrize("sigma_p", [3.0, 5.0, 10.0])
def test_a_posterior_that_is_its_prior(sigma_p: float) -> None:
    """800,000 steps have some 2,500 effective samples a weight: 1.5 % of a spread."""
    gamma = suitable_gamma(Expected.of_prior(3, sigma_p), SETTINGS, REL)
    found = spreads(sigma_p, gamma, 800_000)
    print(f"sigma_p {sigma_p:g}, gamma {gamma:.3g} µS: spreads {found.round(3)}")
    assert np.abs(found - 1).max() < 0.05
    fixed = spreads(sigma_p, SETTINGS.gamma_us, 200_000)
    print(f"sigma_p {sigma_p:g}, gamma {SETTINGS.gamma_us:g} µS: spreads {fixed.round(3)}")
    assert fixed.mean() < 0.95


@pytest.mark.verify
@pytest.mark.stats
def test_separable_classes_and_a_wide_prior() -> None:
    """Whitened, against NUTS. The random walk with gamma 25 µS, the control, misses the tails, and
    the error of the window states it."""
    problem = PROBLEMS["separable-wide"]
    x, y = problem.data()
    truth = reference(problem)

    def compare(gamma: float | None) -> tuple[float, float, bool]:
        task = Task(name="data", dataset="data", description="")
        config = TrainConfig(
            "data", whiten=gamma is None, gamma=gamma, steps=200_000, sigma_p=problem.sigma_p
        )
        setup, encoder = prepare(config, task, x, y)
        with closing(setup):
            run = ChainRun(setup)
            run.run()
            found = Trace.of(run.streamed(), setup.board.current())
        codes, counts = found.after(1000)
        w = np.repeat(standardised_weights(setup.registers, encoder, codes), counts, axis=0)
        shift = np.abs(w.mean(axis=0) - truth.mean) / truth.sd
        spread = np.abs(w.std(axis=0) / truth.sd - 1)
        trusted = all(error.trusted for error in setup.errors)
        return float(shift.max()), float(spread.max()), trusted

    shift, spread, trusted = compare(None)
    print(f"whitened: means {shift:.3f} sd at most, spreads {spread:.3f}")
    assert trusted and shift < 0.05 and spread < 0.05
    shift, spread, trusted = compare(SETTINGS.gamma_us)
    print(f"random walk, gamma 25 µS: means {shift:.3f} sd at most, spreads {spread:.3f}")
    assert not trusted and shift > 0.2 and spread > 0.2
