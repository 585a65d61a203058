"""Networks: labels of hidden units, the proposal around the prior, the posterior that it samples,
and the size of its steps."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from ohmcarlo import diagnostics
from ohmcarlo.array import EmulatedArray
from ohmcarlo.golden import Controller, SamplerSettings, log_posteriors, predict
from ohmcarlo.runs.chain_run import Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.network_pilot import STAGES, PilotStages, better_rho
from ohmcarlo.runs.relabelling import HiddenLabels
from ohmcarlo.runs.setup import ChainSetup
from ohmcarlo.runs.stored import read_trace
from ohmcarlo.runs.supervised.predict import Predictor
from ohmcarlo.runs.train import Outputs, resume_run, train_run
from ohmcarlo.spec import FEATURE_FRAC, Geometry, Points
from problems import quantised, trace, xor_points

HIDDEN, INPUTS = 3, 3
REL = 0.02


def moved(weights: np.ndarray, order: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Samples (n, weights) with hidden units exchanged and flipped, each in its own way."""
    hidden = order.shape[1]
    first = weights[:, : -hidden - 1].reshape(len(weights), hidden, -1)
    units = np.concatenate([first, weights[:, -hidden - 1 : -1, None]], axis=2)
    units = np.take_along_axis(units, order[:, :, None], axis=1) * signs[:, :, None]
    flat = units[:, :, :-1].reshape(len(weights), -1)
    return np.concatenate([flat, units[:, :, -1], weights[:, -1:]], axis=1)


def network_weights(rng: np.random.Generator, centre: np.ndarray, n: int) -> np.ndarray:
    return centre + 0.3 * rng.standard_normal((n, len(centre)))


@pytest.fixture
def centre() -> np.ndarray:
    """A network whose units differ."""
    first = np.array([[2.0, 0.0, 0.5], [0.0, 2.0, -0.5], [-1.5, 1.5, 1.0]])
    return np.r_[first.ravel(), [2.5, 2.0, 1.5], 0.7]


# -- labels ------------------------------------------------------------------------------------


def test_equivalent_forms_have_the_same_posterior() -> None:
    """Exchanged units give the same integers. Flipped ones are rounded the other way at a tie."""
    points = xor_points(100)
    g = Geometry(row_group=HIDDEN + 1)
    array = EmulatedArray(g, 1, rel=REL)
    made = SamplerSettings(hidden=HIDDEN).registers(g, points.features, array.sigma_us)
    rng = np.random.default_rng(0)
    codes = rng.integers(300, 600, (20, made.sample_devices)).astype(np.uint16)
    devices = np.arange(made.sample_devices).reshape(-1, 2)
    order = np.argsort(rng.random((1, HIDDEN)), axis=1)
    place = moved(np.arange(len(devices), dtype=float)[None], order, np.ones((1, HIDDEN)))
    exchanged = codes[:, devices[place[0].astype(int)].ravel()]
    before = log_posteriors(made, points, codes)
    assert np.array_equal(log_posteriors(made, points, exchanged), before)
    assert not np.array_equal(exchanged, codes)

    unit = moved(np.arange(1.0, len(devices) + 1)[None], np.arange(HIDDEN)[None], FLIP)[0] < 0
    flipped = codes[:, np.where(unit[:, None], devices[:, ::-1], devices).ravel()]
    off = np.abs(log_posteriors(made, points, flipped) - before)
    assert off.max() < 0.05 and (flipped != codes).sum() == 20 * 2 * (INPUTS + 1)
    one_row = codes.copy()
    one_row[:, : 2 * INPUTS] = codes[:, : 2 * INPUTS].reshape(20, -1, 2)[..., ::-1].reshape(20, -1)
    assert np.abs(log_posteriors(made, points, one_row) - before).max() > 1, "a control"


FLIP = np.array([[-1.0, 1.0, 1.0]])


def test_labels_undo_every_exchange(centre: np.ndarray) -> None:
    """Each of the 48 equivalent forms of a sample gets the same labels."""
    rng = np.random.default_rng(1)
    samples = network_weights(rng, centre, 200)
    labels = HiddenLabels.of(samples, np.ones(200, np.int64), HIDDEN)
    expected = labels.relabelled(samples)
    orders = [o for o in product(range(HIDDEN), repeat=HIDDEN) if len(set(o)) == HIDDEN]
    for order in orders:
        for signs in product((-1.0, 1.0), repeat=HIDDEN):
            other = moved(samples, np.tile(order, (200, 1)), np.tile(signs, (200, 1)))
            assert np.array_equal(labels.relabelled(other), expected)
    assert (labels.reference[:, -1] > 0).all() and (np.diff(labels.reference[:, -1]) < 0).all()


def test_rhat_of_labelled_weights(centre: np.ndarray) -> None:
    """Four chains of one network, in forms of their own, agree once they are labelled. A chain of
    another network does not."""
    rng = np.random.default_rng(2)
    other = centre.copy()
    other[0] = -1.0
    for centres, agree in (([centre] * 4, True), ([centre] * 3 + [other], False)):
        same = np.stack([network_weights(rng, c, 500) for c in centres])
        order = np.argsort(rng.random((4, 1, HIDDEN)), axis=2).repeat(500, axis=1)
        signs = rng.choice([-1.0, 1.0], (4, 1, HIDDEN)).repeat(500, axis=1)
        chains = [moved(w, o, s) for w, o, s in zip(same, order, signs, strict=True)]
        flat = np.concatenate(chains)
        labels = HiddenLabels.of(flat, np.ones(len(flat), np.int64), HIDDEN)
        found = labels.relabelled(flat).reshape(4, 500, -1)
        assert diagnostics.rhat(np.stack(chains)).max() > 1.5
        assert (diagnostics.rhat(found).max() < 1.02) == agree
        assert (diagnostics.rhat(found).max() > 1.5) != agree


# -- the proposal around the prior -------------------------------------------------------------


def of_prior(settings: SamplerSettings, inputs: int, steps: int) -> tuple[np.ndarray, float]:
    """Weights of every step without any data, and the acceptance rate."""
    g = Geometry(row_group=settings.hidden + 1)
    array = EmulatedArray(g, 3, rel=REL)
    registers = settings.registers(g, inputs, array.sigma_us)
    made = Controller(registers, array, Points.of(np.zeros((0, inputs), np.int8)))
    made.start()
    trace(made, steps // 10)
    t = trace(made, steps)
    w = registers.weights(t["codes"])
    return np.repeat(w, t["multiplicity"], axis=0), float(t["accepted"].mean())


@pytest.mark.stats
def test_without_data_the_proposal_is_the_prior() -> None:
    """65 weights, steps of 0.2 σ_p, spreads of devices in proportion to their conductances: two
    in three are accepted, and the spreads are σ_p. Of a random walk with equal steps, one in three
    is accepted."""
    settings = SamplerSettings.around_prior(REL, 0.98, 0.6, hidden=4)
    weights, rate = of_prior(settings, 15, 20_000)
    spreads = weights.std(axis=0) / 0.6
    walk = SamplerSettings(gamma_us=settings.gamma_us, sigma_p=0.6, hidden=4)
    assert rate > 0.6 and of_prior(walk, 15, 2000)[1] < 0.4
    assert abs(np.sqrt((spreads**2).mean()) - 1) < 0.03
    assert np.abs(weights.mean(axis=0)).max() / 0.6 < 0.25


def few_points() -> tuple[Points, np.ndarray]:
    """Eight points of two features, and the plane where they are predicted."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(8, 2))
    labels = (x[:, 0] * x[:, 1] > 0).astype(np.uint8)
    grid = np.array(list(product((-1.5, 0.0, 1.5), repeat=2)))
    return Points.of(quantised(x), labels), quantised(grid)


def exact_probabilities(points: Points, shown: np.ndarray, sigma: float) -> np.ndarray:
    """P(1) by importance sampling from the prior in floating point: 100,000 networks, H = 2."""
    rng = np.random.default_rng(0)
    first, out = rng.normal(0, sigma, (100_000, 2, 3)), rng.normal(0, sigma, (100_000, 3))
    limit = 127 / 32

    def logits(inputs: np.ndarray) -> np.ndarray:
        units = np.clip(np.einsum("nhf,pf->nph", first, inputs / 2.0**FEATURE_FRAC), -limit, limit)
        return np.einsum("nph,nh->np", units, out[:, :2]) + out[:, 2:]

    sign = np.where(points.labels == 1, 1.0, -1.0)
    log_weight = -np.logaddexp(0, -sign * logits(points.inputs)).sum(axis=1)
    weight = np.exp(log_weight - log_weight.max())
    assert weight.sum() ** 2 / (weight**2).sum() > 10_000, "effective draws"
    return np.asarray(weight @ (1 / (1 + np.exp(-logits(shown)))) / weight.sum())


@pytest.mark.stats
@pytest.mark.parametrize("kernel", ["corrected", "published"])
def test_the_posterior_of_a_network_is_exact(kernel: str) -> None:
    """Probabilities against importance sampling in floating point. The published kernel, with the
    same proposals, has another posterior."""
    points, shown = few_points()
    g = Geometry(row_group=3)
    array = EmulatedArray(g, 7, rel=REL)
    settings = SamplerSettings.around_prior(REL, 0.95, 1.5, hidden=2, kernel=kernel)
    registers = settings.registers(g, 3, array.sigma_us)
    made = Controller(registers, array, points)
    made.start()
    t = trace(made, 150_000)
    codes, counts = t["codes"], t["multiplicity"].astype(np.int64)
    found, _ = predict(registers, Points.of(shown), codes[::10], counts[::10])
    off = np.sqrt(((found - exact_probabilities(points, shown, 1.5)) ** 2).mean())
    print(f"{kernel}: probabilities off by {off:.4f} (rms)")
    assert off < 0.008 if kernel == "corrected" else off > 0.012


# -- the size of the steps ---------------------------------------------------------------------

PILOT = TrainConfig(
    "breast-cancer", steps=400, chains=2, rows=64, pairs=16, features=6, seed=3, hidden=2, rho=0.9,
    pilot=True,
)  # fmt: skip


@pytest.mark.parametrize("c", [6.0, 12.0, 24.0])
def test_rho_follows_from_the_acceptance(c: float) -> None:
    """A normal posterior, of which steps of size s are accepted with 2 Φ(-c s / 2)."""
    aim = 2 * norm.isf(0.117) / c
    for rho in (0.96, 0.98, 0.995):
        rate = 2 * norm.sf(c * (1 - rho**2) ** 0.5 / 2)
        assert (1 - better_rho(rho, rate, 0.9999) ** 2) ** 0.5 == pytest.approx(aim, rel=0.01)
    assert better_rho(0.98, 0.0, 0.9999) == pytest.approx((1 - 0.0396 * 0.3113**2) ** 0.5, abs=1e-3)
    assert better_rho(0.98, 0.01, 0.985) == 0.985, "the window of the devices"
    assert better_rho(0.98, 1.0, 0.9999) == 0.9


class Killed(Exception):
    """The process ends here."""


def test_the_pilot_of_a_network_ends_in_useful_steps_and_can_be_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From steps that are hardly accepted to 0.234. A killed run goes on with the same trace."""
    whole = train_run(PILOT, Outputs(tmp_path / "whole"), Silence())
    fixed = train_run(replace(PILOT, pilot=False), Outputs(), Silence())
    assert 0.15 < whole["acceptance_rate"] < 0.33 and fixed["acceptance_rate"] < 0.1, "a control"
    assert whole["rho"] > 0.95 and "adaptation" not in fixed
    assert [stage["steps"] for stage in whole["adaptation"]["stages"]] == list(STAGES)
    assert 0 < whole["adaptation"]["pulses"]["set"] < whole["pulses"]["set"]

    run = PilotStages.run

    def killed(self: PilotStages, setup: ChainSetup) -> None:
        if self.record.stages:
            raise Killed
        run(self, setup)

    outputs = Outputs(tmp_path / "killed", checkpoint_seconds=0.0)
    with monkeypatch.context() as patched:
        patched.setattr(PilotStages, "run", killed)
        with pytest.raises(Killed):
            train_run(PILOT, outputs, Silence())
    values = resume_run(outputs, Silence())
    traces = [read_trace(tmp_path / name).arrays() for name in ("whole", "killed")]
    assert all(np.array_equal(traces[0][name], traces[1][name]) for name in traces[0])
    for name in ("pulses", "energy_joules", "wear", "rho", "gamma_us", "verdict"):
        assert values[name] == whole[name]
    predictor = Predictor.of_run(tmp_path / "killed")
    probability, _ = predictor.predict(predictor.evaluation["inputs"])
    assert np.array_equal(probability, predictor.evaluation["probability"])
