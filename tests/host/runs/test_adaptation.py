"""An array that finds its coordinates itself: schedule, choice of the proposal, whole runs."""

from __future__ import annotations

import tracemalloc
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ohmcarlo import diagnostics
from ohmcarlo.boards.model import ModelBoard
from ohmcarlo.datasets import Encoder, load
from ohmcarlo.datasets.laplace import laplace, local_fit
from ohmcarlo.datasets.whitening import Whitening
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.runs import stored
from ohmcarlo.runs.adaptation.choice import (
    GAMMAS,
    LARGER_GAMMA,
    LOWER_MARGIN,
    LOWER_RHOS,
    MARGIN,
    RHOS,
    Pilot,
    Proposal,
    _far_better,
    choose,
)
from ohmcarlo.runs.adaptation.record import Record, StageResult
from ohmcarlo.runs.adaptation.schedule import IDEAL, MOST_STEPS, Schedule, Stage
from ohmcarlo.runs.adaptation.stages import Stages, evenly, more_steps
from ohmcarlo.runs.chain_run import ChainRun, Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.device_errors import WHITENED_RHO_TRIMMED
from ohmcarlo.runs.setup import ChainSetup
from ohmcarlo.runs.supervised.experiment import build_supervised, standardised_weights
from ohmcarlo.runs.supervised.predict import Predictor
from ohmcarlo.runs.trace import Trace
from ohmcarlo.runs.train import Outputs, resume_run, train_run

CONFIG = TrainConfig(
    "breast-cancer", steps=300, chains=2, rows=64, pairs=32, features=9, seed=11,
    whiten=True, adapt=True,
)  # fmt: skip
GOING_ON = Stage(rho=0.9, steps=10, kept=1.0)
Floats = NDArray[np.float64]


# -- schedule ----------------------------------------------------------------------------------


def test_the_search_ends_when_the_log_posterior_no_longer_rises() -> None:
    schedule = Schedule.of(ideal=True, chains=4, weights=8)  # sqrt(8 / 2) = 2 nat
    assert schedule.next([]) == schedule.search
    assert schedule.next([-200.0, -100.0, -97.9]) == schedule.search
    assert schedule.next([-200.0, -100.0, -98.1]) == schedule.refine[0]
    refined = [-200.0, -100.0, -98.1, *[-90.0] * (len(schedule.refine) - 1)]
    assert schedule.next(refined) == schedule.refine[-1]
    assert schedule.next([*refined, -90.0]) is None


@pytest.mark.parametrize(("chains", "weights"), [(1, 31), (1, 2), (4, 31), (8, 100)])
def test_an_adaptation_has_a_last_step(chains: int, weights: int) -> None:
    """A log-posterior that always rises would search for ever."""
    schedule, levels, steps = Schedule.of(True, chains, weights), [0.0], 0
    while (stage := schedule.next(levels[1:])) is not None:
        steps += stage.steps
        levels.append(levels[-1] + 1000)
    assert MOST_STEPS - IDEAL.search.steps < steps <= MOST_STEPS


def test_a_record_counts_time_and_operations_of_all_stages() -> None:
    board: Any = SimpleNamespace(ledger=SimpleNamespace(counts=np.array([5, 7])))
    record, seconds = Record(), [0.0]
    for _ in range(2):
        with record.counting(board):
            board.ledger.counts += 1
        seconds.append(record.seconds)
    assert record.before is not None and record.after is not None
    assert record.before.tolist() == [5, 7] and record.after.tolist() == [7, 9]
    assert seconds[0] < seconds[1] < seconds[2]


def staged(*pilots: tuple[float, bool], steps: int = 200) -> Stages:
    """The stages of an adaptation with these pilots: their widths, and whether they are usual."""
    found = object.__new__(Stages)
    found.schedule, found.record = IDEAL, Record()
    widths = [(1.0, True)] * (1 + len(IDEAL.refine))  # a search of two, and the refinement
    for width, usual in (*widths, *pilots):
        none = np.empty(0)
        found.record.stages.append(
            StageResult(0.8, steps, 0.3, 0.0, width, usual, 1, none.reshape(0, 1), none)
        )
    return found


def test_a_doubtful_pilot_is_made_three_times_at_most() -> None:
    """It is doubtful if its samples are wide, or call for another proposal than the usual one."""
    pilot, sound, wide, other = IDEAL.refine[-1], (1.2, True), (1.3, True), (1.0, False)
    assert staged(sound).next_stage() is None
    assert staged(wide).next_stage() == staged(other).next_stage() == pilot
    assert staged(wide, sound).next_stage() is None
    assert staged(wide, other, steps=100).next_stage() == pilot
    assert staged(wide, other, wide, steps=100).next_stage() is None
    assert staged(wide, steps=250).next_stage() is None  # no steps are left for another one


# -- choice of the proposal --------------------------------------------------------------------


def pilot_of(v: Floats, log_density: Floats) -> Pilot:
    return Pilot(v.shape[1], (v**2).sum(axis=1), log_density, np.ones(len(v)))


def test_mixing_in_a_normal_posterior_is_that_of_an_autoregression() -> None:
    """Every proposal is accepted then, and the chain is an AR(1) process: 1000 (1 - ρ)/(1 + ρ)."""
    v = np.random.default_rng(1).normal(size=(300, 5))
    pilot = pilot_of(v, -(v**2).sum(axis=1) / 2)
    for rho in (0.6, 0.9):
        assert pilot.mixing(rho, 1.0) == pytest.approx(1000 * (1 - rho) / (1 + rho))
    assert pilot.mixing(0.6, 0.7) < 0.5 * pilot.mixing(0.6, 1.0)


def test_many_chains_need_no_more_memory() -> None:
    """Evenly chosen samples of a long pilot predict the same."""
    v = np.random.default_rng(1).normal(size=(6000, 5))
    pilot = pilot_of(v, -(v**2).sum(axis=1) / 2)
    tracemalloc.start()
    usual, _ = choose(pilot, [(0.7, 1.0, 1.0)], (1.0,))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert usual.ess_per_1000_steps == pytest.approx(1000 * 0.3 / 1.7)
    assert peak < 300e6  # with all of them, 860 MB
    assert pilot.thinned(4).squares.tolist() == pilot.squares[::1500].tolist()


@pytest.mark.stats
def test_a_heavy_tail_has_a_smaller_gamma() -> None:
    """Student's t has one; the control is normal, and the usual proposal stays."""
    rng = np.random.default_rng(2)
    usual = [(0.7, 8.6, 10.0), (0.8, 11.5, 14.0)]
    t = rng.standard_t(3, size=(400, 3))
    heavy = choose(pilot_of(t, -2 * np.log1p(t**2 / 3).sum(axis=1)), usual, GAMMAS)[1]
    normal = rng.normal(size=(400, 3))
    light = choose(pilot_of(normal, -(normal**2).sum(axis=1) / 2), usual, GAMMAS)[1]
    assert (light.rho, light.gamma_us) == (0.7, 8.6)
    assert heavy.gamma_us / (8.6 if heavy.rho == 0.7 else 11.5) < 1
    assert MARGIN > 1


@pytest.mark.stats
def test_nearly_independent_proposals_need_light_tails() -> None:
    """Student's t with 16 weights has heavy ones and keeps the usual rho. The control is normal."""
    rng = np.random.default_rng(4)
    usual = [
        (rho, 0.85 / np.sqrt(1 - rho**2), 1 / np.sqrt(1 - rho**2)) for rho in (0.7, *LOWER_RHOS)
    ]
    gammas = (*GAMMAS, LARGER_GAMMA)
    normal = rng.normal(size=(400, 16))
    light = choose(pilot_of(normal, -(normal**2).sum(axis=1) / 2), usual, gammas)[1]
    t = rng.standard_t(3, size=(400, 16))
    heavy = choose(pilot_of(t, -2 * np.log1p(t**2 / 3).sum(axis=1)), usual, gammas)[1]
    assert light.rho == 0.05 and light.ess_per_1000_steps > 400
    assert heavy.rho == 0.7


def test_a_smaller_rho_must_promise_more() -> None:
    """Predictions of a short pilot are uncertain, and a tail costs a small rho more."""
    usual = Proposal(0.7, 10.0, 100.0)
    between = 100 * (MARGIN + LOWER_MARGIN) / 2
    assert _far_better(Proposal(0.8, 10.0, between), usual)
    assert not _far_better(Proposal(LOWER_RHOS[0], 10.0, between), usual)
    assert _far_better(Proposal(LOWER_RHOS[0], 10.0, 1.5 * between), usual)


def test_more_steps_where_few_samples_are_promised() -> None:
    enough = 3 * diagnostics.ESS_LIMIT
    assert more_steps(10_000, 4, expected=enough / 40) == 10_000
    assert more_steps(10_000, 4, expected=enough / 100) == 30_000
    assert more_steps(10_000, 4, expected=0.0) == 80_000


def test_samples_are_taken_in_proportion_to_their_steps() -> None:
    picked = evenly(np.array([1, 0, 6, 1]), 16)
    assert np.bincount(picked, minlength=4).tolist() == [2, 0, 12, 2]


# -- coordinates -------------------------------------------------------------------------------


def halves() -> tuple[Floats, NDArray[np.int64]]:
    data = load("breast-cancer")
    train, _ = data.split(0)
    return data.x[train], data.y[train].astype(np.int64)


def test_the_first_coordinates_know_no_label() -> None:
    x, y = halves()
    first = Encoder.fit(x, y, adapt=True)
    flipped = Encoder.fit(x, 1 - y, adapt=True)
    assert np.array_equal(first.coordinates.matrix, flipped.coordinates.matrix)  # type: ignore[union-attr]
    assert not first.coordinates.centre.any()  # type: ignore[union-attr]
    fitted = Encoder.fit(x, 1 - y, whiten=True).coordinates.centre  # type: ignore[union-attr]
    assert fitted.any()


def test_the_error_of_an_encoding_needs_no_fit() -> None:
    """One step from samples gives what two Laplace fits give; clipped rows are the control."""
    x, y = halves()
    standard = np.column_stack([(x - x.mean(axis=0)) / x.std(axis=0), np.ones(len(x))])
    exact = laplace(standard, y, 1.0)
    chol = np.linalg.cholesky(exact.covariance())
    noise = np.random.default_rng(3).normal(size=(400, len(exact.mode)))
    samples = exact.mode + 0.5 * noise @ chol.T
    p = 1 / (1 + np.exp(-samples @ standard.T))
    found, error = Whitening.around(standard, y, 1.0, samples, (p * (1 - p)).mean(axis=0))
    by_fits = found.error(exact, standard, y)
    assert error.mean_sd == pytest.approx(by_fits.mean_sd, abs=0.02)
    assert error.spread == pytest.approx(by_fits.spread, abs=0.02)
    clipped = replace(found, matrix=found.matrix * 8)  # its prior and its inputs are wrong
    local = local_fit(standard, y, 1.0, samples)
    assert clipped.local_error(local, samples, standard, y).size > 0.2 > error.size


# -- whole runs --------------------------------------------------------------------------------


def draws_of(setup: ChainSetup, trace: Trace, skipped: int = 0) -> Floats:
    weights = standardised_weights(setup.registers, setup.encoder, trace.codes)
    return weights[trace.draws()[:, skipped:]]


def sampled(**changes: Any) -> tuple[ChainSetup, Floats]:
    config = TrainConfig("breast-cancer", chains=4, features=15, whiten=True, **changes)
    experiment = build_supervised(config)
    with closing(experiment):
        run = ChainRun(experiment.setup)
        run.run()
        trace = Trace.of(run.streamed(), run.setup.board.current())
        return run.setup, draws_of(run.setup, trace, skipped=200)


def against(reference: Floats, draws: Floats) -> tuple[float, float]:
    """Distance of means in sd, root mean square, and the worst ratio of spreads."""
    mean, sd = reference.mean(axis=(0, 1)), reference.std(axis=(0, 1))
    away = (draws.mean(axis=(0, 1)) - mean) / sd
    ratios = np.abs(np.log(draws.std(axis=(0, 1)) / sd))
    return float(np.sqrt((away**2).mean())), float(np.exp(ratios.max()))


@pytest.fixture(scope="module")
def fitted() -> Floats:
    """The same posterior around the computer's fit."""
    return sampled(seed=3, steps=6000)[1]


@pytest.mark.stats
def test_an_adapted_chain_samples_the_posterior_of_the_fitted_one(fitted: Floats) -> None:
    setup, draws = sampled(seed=3, steps=6000, adapt=True)
    distance, ratio = against(fitted, draws)
    assert distance < 0.06 and ratio < 1.08
    assert setup.adaptation is not None and setup.adaptation.steps <= MOST_STEPS
    ess = diagnostics.ess(draws.astype(np.float32)).min() / draws[..., 0].size * 1000
    assert ess > 50


@pytest.mark.stats
def test_a_smaller_rho_gives_more_samples_of_the_same_posterior(fitted: Floats) -> None:
    """WDBC has light tails: a rho from 0.05 on doubles the effective samples at least."""
    usual = sampled(seed=3, steps=2000, adapt=True)[1]
    setup, draws = sampled(seed=3, steps=2000, adapt=True, least_rho=0.05)
    distance, ratio = against(fitted, draws)
    assert distance < 0.06 and ratio < 1.08
    assert setup.config.rho in LOWER_RHOS
    more = diagnostics.ess(draws).min() / diagnostics.ess(usual).min()
    assert more > 2


@pytest.mark.stats
def test_adaptation_while_sampling_is_not_exact(fitted: Floats) -> None:
    """The control of the test before: stages of 10 steps go on, each from a new centre."""
    config = TrainConfig("breast-cancer", chains=4, features=15, whiten=True, adapt=True, seed=3)
    experiment = build_supervised(config)
    draws = []
    with closing(experiment):
        stages = Stages(experiment.setup, Record())
        stages.schedule = Schedule(IDEAL.search, (*IDEAL.refine[:2], *[GOING_ON] * 20))
        while (stage := stages.next_stage()) is not None:
            stages.run(stages.load())
            if stage is GOING_ON:
                draws.append(stages.record.stages[-1].samples)
    distance, ratio = against(fitted, np.concatenate(draws)[None])
    assert distance > 0.06 and ratio > 1.08


def test_a_run_that_adapts_can_be_used_from_its_folder(tmp_path: Path) -> None:
    values = train_run(CONFIG, Outputs(tmp_path / "run"), Silence())
    adaptation = values["adaptation"]
    assert adaptation["steps"] == sum(stage["steps"] for stage in adaptation["stages"])
    assert 0 < adaptation["energy_joules"] < values["energy_joules"]
    assert 0 < adaptation["pulses"]["set"] < values["pulses"]["set"]
    predictor = Predictor.of_run(tmp_path / "run")
    probability, _ = predictor.predict(predictor.evaluation["inputs"])
    assert np.array_equal(probability, predictor.evaluation["probability"])


def test_the_stages_share_one_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """``configure`` begins with a new array behind a link; the model goes on with the old one."""
    calls: list[str] = []
    for name in ("configure", "reload"):
        call = getattr(ModelBoard, name)

        def noted(self: ModelBoard, *given: Any, name: str = name, call: Any = call) -> None:
            calls.append(name)
            call(self, *given)

        monkeypatch.setattr(ModelBoard, name, noted)
    experiment = build_supervised(CONFIG)
    with closing(experiment):
        run = ChainRun(experiment.setup)
        run.run()
        assert run.setup.adaptation is not None
        assert calls == ["configure"] + ["reload"] * (len(run.setup.adaptation.stages) + 1)


class Killed(Exception):
    """The process ends here."""


@pytest.mark.parametrize("stages", [1, 5])
def test_a_killed_adaptation_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: int
) -> None:
    whole = train_run(CONFIG, Outputs(tmp_path / "whole"), Silence())
    made = [0]
    run = Stages.run

    def killed(self: Stages, setup: ChainSetup) -> None:
        if made[0] == stages:
            raise Killed
        made[0] += 1
        run(self, setup)

    outputs = Outputs(tmp_path / "killed", checkpoint_seconds=0.0)
    with monkeypatch.context() as patched:
        patched.setattr(Stages, "run", killed)
        with pytest.raises(Killed):
            train_run(CONFIG, outputs, Silence())
    counted = [0]

    def counting(self: Stages, setup: ChainSetup) -> None:
        counted[0] += 1
        run(self, setup)

    monkeypatch.setattr(Stages, "run", counting)
    values = resume_run(outputs, Silence())
    made_in_whole = len(whole["adaptation"]["stages"])
    assert counted[0] == made_in_whole - stages  # no stage is made twice
    traces = [stored.read_trace(tmp_path / name).arrays() for name in ("whole", "killed")]
    assert all(np.array_equal(traces[0][name], traces[1][name]) for name in traces[0])
    for name in ("pulses", "energy_joules", "wear", "encoder"):
        assert values[name] == whole[name]


def test_an_edited_adaptation_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = Outputs(tmp_path / "run", checkpoint_seconds=0.0)

    def killed(self: ChainRun) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(ChainRun, "_restore_or_start", killed)
        with pytest.raises(Killed):
            train_run(CONFIG, outputs, Silence())
    path = tmp_path / "run" / stored.ADAPTATION
    with np.load(path) as file:
        arrays = dict(file)
    arrays["samples"] = arrays["samples"] + 1
    np.savez(path, allow_pickle=False, **arrays)
    with pytest.raises(OhmcarloError, match=r"adaptation\.npz.*SHA-256"):
        resume_run(outputs, Silence())


def test_an_array_without_rows_cannot_adapt(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ModelBoard.run

    def exhausted(self: ModelBoard, steps: int) -> Any:
        return replace(run(self, steps), status="exhausted")

    experiment = build_supervised(CONFIG)
    with closing(experiment), pytest.raises(OhmcarloError, match="could not adapt"):
        stages = Stages(experiment.setup, Record())
        monkeypatch.setattr(ModelBoard, "run", exhausted)
        stages.run(stages.load())


@pytest.mark.parametrize(
    ("array", "offered"), [("physics", {WHITENED_RHO_TRIMMED}), ("emulator", set(RHOS))]
)
def test_devices_that_differ_keep_their_rho(array: str, offered: set[float]) -> None:
    """A larger rho moves their posterior further. Devices that are alike have a choice."""
    experiment = build_supervised(replace(CONFIG, array=array, trim=False))
    with closing(experiment):
        usual, _ = Stages(experiment.setup, Record())._choices()
    assert {rho for rho, _, _ in usual} == offered


@pytest.mark.parametrize(("spread", "least"), [(0.02, 2.0), (0.005, 0.8)])
def test_devices_of_a_small_spread_adapt(spread: float, least: float) -> None:
    """Their gamma is below 5 µS, and not below 1 µS by the unit of whitened weights, here 1.1."""
    preset = f"relative-2pct,c2c_rel={spread}"
    experiment = build_supervised(replace(CONFIG, array="physics", preset=preset, steps=1))
    with closing(experiment):
        run = ChainRun(experiment.setup)
        run.run()
    assert least <= run.setup.registers.gamma_us < 5
