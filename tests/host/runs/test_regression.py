"""Regression runs: the joint posterior of weights and noise, predictions, files, refusals."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import BayesianRidge

from ohmcarlo.array import EmulatedArray
from ohmcarlo.boards import ModelBoard
from ohmcarlo.cli.app import main
from ohmcarlo.cli.exit_codes import BAD_USE, DONE
from ohmcarlo.datasets import gaussian, load
from ohmcarlo.datasets.regression import RegressionEncoder
from ohmcarlo.golden import Registers, SamplerSettings
from ohmcarlo.pages.content import Tone
from ohmcarlo.pages.render import render
from ohmcarlo.runs.chain_run import ChainRun, Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.regression.experiment import prepare_regression
from ohmcarlo.runs.regression.learner import MOST_COOLINGS, GaussianLearner
from ohmcarlo.runs.regression.posterior import JointPosterior, mixing_of
from ohmcarlo.runs.regression.rows import result_rows
from ohmcarlo.runs.regression.scores import (
    crps_of_draws,
    crps_of_normal,
    scores_of_draws,
    scores_of_normal,
)
from ohmcarlo.runs.report import read_page
from ohmcarlo.runs.stored import read_result, read_trace
from ohmcarlo.runs.trace import Trace
from ohmcarlo.runs.train import Outputs, resume_run, train_regression, train_run
from ohmcarlo.spec import Geometry
from ohmcarlo.tasks import REGRESSION, Task

STEPS, BURN_IN = 10_000, 500  # of each of four chains
MEAN_RMS, SPREAD = 0.03, 0.03  # posterior standard deviations; relative


def sampled(assumed: float) -> tuple[RegressionEncoder, Registers, Trace, np.ndarray, np.ndarray]:
    """A long chain on half of the diabetes data, with ``assumed`` times the noise of the data."""
    data = load("diabetes")
    rows, _ = data.split(0)
    x, y = data.x[rows], data.y[rows]
    found = RegressionEncoder.fit(x, y, sigma_p=1.0)
    centre = found.coordinates.noise * found.coordinates.whitening.centre
    encoder = found.around(x, y, centre, least=assumed * found.noise)
    settings = SamplerSettings.whitened(0.05, 0.8, wide_every=10)
    settings = replace(settings, gamma_us=settings.gamma_us / encoder.spread)
    array = EmulatedArray(Geometry(regions=4), 11)
    registers = settings.registers(array.geometry, encoder.inputs, array.sigma_us)
    board = ModelBoard(array)
    board.configure(registers, encoder.training_points(x, y))
    board.start()
    found = Trace.of(board.run(STEPS), board.current())
    return encoder, registers, found, x, y


@pytest.mark.stats
@pytest.mark.parametrize("assumed", [pytest.param(1.0, marks=pytest.mark.verify), 2.0])
def test_the_joint_posterior_is_students(assumed: float) -> None:
    """Marginals of weights and noise against the closed form of the conjugate model.

    40,000 steps give about 2,800 effective samples: means are known to 0.019 sd, spreads to 1.3 %.
    Control: samples that are not rescaled to a drawn noise have twice the spread for twice the
    noise.
    """
    encoder, registers, found, x, y = sampled(assumed)
    design = np.c_[(x - x.mean(0)) / x.std(0), np.ones(len(x))]
    t = (y - y.mean()) / y.std()
    inverse = np.linalg.inv(design.T @ design + np.eye(11))
    mean = inverse @ design.T @ t
    n, square = len(t), float(t @ t - mean @ design.T @ t)
    wanted = stats.t(n, mean, np.sqrt(square / n * np.diag(inverse)))
    joint = JointPosterior.learnt(registers, encoder, found, BURN_IN, x, y, 3)
    draws = joint.settled_weights()
    assert np.sqrt((((draws.mean(0) - mean) / wanted.std()) ** 2).mean()) < MEAN_RMS
    assert draws.std(0) == pytest.approx(wanted.std(), rel=SPREAD)
    tails = np.quantile(draws, [0.025, 0.975], axis=0)
    expected = np.stack([wanted.ppf(0.025), wanted.ppf(0.975)])
    assert np.abs((tails - expected) / wanted.std()).max() < 0.12
    s = stats.invgamma(n / 2, scale=square / 2)
    quantiles = np.quantile(joint.settled_noise() ** 2, [0.025, 0.5, 0.975])
    assert quantiles == pytest.approx(s.ppf([0.025, 0.5, 0.975]), rel=0.01)
    # weights and noise are dependent: the squared distance of the weights is s² times chi²
    distance = np.einsum("ij,jk,ik->i", draws - mean, np.linalg.inv(inverse), draws - mean)
    assert (distance / joint.settled_noise() ** 2).mean() == pytest.approx(11, rel=0.05)
    codes, counts = found.after(BURN_IN)
    plain = encoder.weights_to_original(registers.weights(codes)).repeat(counts, axis=0)
    ratio = plain.std(0) / wanted.std()
    assert (np.abs(ratio - 1) < SPREAD).all() == (assumed == 1.0)
    assert ratio == pytest.approx(encoder.noise / np.sqrt(s.mean()), rel=SPREAD)
    counted = mixing_of(joint, registers, found)["ess_min"]
    assert counted == pytest.approx(found.steps * 4 * 0.08 / assumed**2, rel=0.4)


def test_scores() -> None:
    """CRPS of the standard normal at its mean is (√2 - 1)/√π (Gneiting and Raftery 2007)."""
    zero, one = np.zeros(1), np.ones(1)
    assert crps_of_normal(zero, zero, one)[0] == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi))
    rng = np.random.default_rng(0)
    y, mean, sd = rng.normal(0, 2, 50), rng.normal(0, 1, 50), rng.uniform(0.5, 2, 50)
    draws = np.sort(mean[:, None] + sd[:, None] * rng.standard_normal((50, 20_000)), axis=1)
    exact = crps_of_normal(y, mean, sd)
    assert crps_of_draws(y, draws) == pytest.approx(exact, abs=0.03)
    assert crps_of_draws(y, draws[:, ::-1] * 0)[0] == pytest.approx(abs(y[0]))
    by_draws, by_normal = scores_of_draws(y, mean, draws), scores_of_normal(y, mean, sd)
    assert by_draws["crps"] == pytest.approx(by_normal["crps"], abs=0.01)
    assert by_draws["coverage"] == pytest.approx(by_normal["coverage"], abs=0.03)
    assert list(by_normal["coverage"]) == ["50", "90", "95"]
    assert by_normal["rmse"] == pytest.approx(np.sqrt(np.mean((y - mean) ** 2)))
    assert scores_of_normal(y, y, sd)["r2"] == 1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("regression") / "run"
    assert main(["train", "diabetes", "--steps", "4000", "--out", str(folder)]) == DONE
    return folder


def test_a_run_is_as_good_as_bayesian_ridge(run: Path) -> None:
    found = read_result(run)
    ridge = found["baseline"]["bayesian_ridge"]
    assert found["verdict"] == "settled" and found["kind"] is None
    assert found["rmse"] == pytest.approx(ridge["rmse"], rel=0.01)
    assert found["crps"] == pytest.approx(ridge["crps"], rel=0.01)
    assert found["r2"] > 0.4
    assert 0.9 < found["coverage"]["95"] < 0.99 and 0.4 < found["coverage"]["50"] < 0.6
    low, high = found["noise"]["interval_95"]
    assert low < found["noise"]["median"] < high
    assert found["noise"]["median"] == pytest.approx(53.5, rel=0.03)  # BayesianRidge: 1/√alpha_
    assert found["accesses"] < found["accesses_without_early_reject"]


def test_the_page_of_a_run(run: Path) -> None:
    """Weights and noise against scikit-learn's BayesianRidge on the same half. A median of 1,000
    effective samples is known to 0.04 posterior standard deviations."""
    page, values = read_page(run), read_result(run)
    assert page.headline.tone is Tone.GOOD and f"{values['rmse']:.4g}" in page.headline.sentences[0]
    data = load("diabetes")
    half, held_out = data.split(0)
    x, y = data.x[half], data.y[half]
    ridge = BayesianRidge().fit((x - x.mean(0)) / x.std(0), y)
    sections = {section.name: section for section in page.sections}
    scaled, natural = (
        {row[0].removesuffix(", per unit"): [float(v) for v in row[1:4]] for row in table.rows}
        for table in sections["weights"].tables
    )
    for name, wanted, sd in zip(data.feature_names, ridge.coef_, x.std(0), strict=True):
        median, low, high = scaled[name]
        assert abs(median - wanted) < 0.5 * (high - low) / 3.29, name  # 3.29: 90 % of a normal
        assert natural[name][0] == pytest.approx(median / sd, rel=2e-3), name
    mean = ridge.intercept_ - ridge.coef_ @ (x.mean(0) / x.std(0))
    median, low, high = natural["label, all features 0"]
    assert low < mean < high
    charts = {chart.name: chart for chart in page.charts()}
    cases = charts["predictions-over-labels"].spec["datasets"]["rows"]
    assert len(cases) == len(held_out)
    assert sum(r["a"] <= r["x"] <= r["b"] for r in cases) == round(
        values["coverage"]["95"] * len(cases)
    )
    curve = next(
        rows for rows in charts["noise-posterior"].spec["datasets"].values()
        if "y" in rows[0] and len(rows) > 10
    )  # fmt: skip
    s, density = (np.array([row[key] for row in curve]) for key in "xy")
    assert np.trapezoid(density, s) == pytest.approx(0.999, abs=0.002)
    assert np.trapezoid(s * density, s) == pytest.approx(1 / np.sqrt(ridge.alpha_), rel=0.03)
    assert run.name in render(page)


def test_the_table_says_what_the_adaptation_cost(run: Path) -> None:
    found = read_result(run)
    share = found["adaptation"]["energy_joules"] / found["energy_joules"]
    assert 0 < share < 1 and f"{share:.1%} of the energy" in dict(result_rows(found))["method"]


def test_the_array_learns_without_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The closed form is out of reach, and the chain still ends around the mean of the posterior,
    for a label that is almost free of noise, too. Control: ``--whiten`` needs the closed form."""

    def refuse(*_: object) -> None:
        raise AssertionError("a fit on the computer")

    rng = np.random.default_rng(2)
    x = rng.normal(size=(600, 4))
    labels = {"noisy": 1.0, "almost exact": 0.01}
    monkeypatch.setattr(gaussian, "posterior_mean", refuse)
    task = Task("made-up", "made-up", "", kind=REGRESSION)
    config = TrainConfig("made-up", whiten=True, adapt=True, chains=4, steps=1000)
    for noise in labels.values():
        y = x @ [2.0, -1.0, 0.5, 0.0] + 3 + noise * rng.normal(size=600)
        setup, _ = prepare_regression(config, task, x, y)
        with closing(setup):
            run = ChainRun(setup)
            run.run()
            encoder, record = run.setup.encoder, run.setup.adaptation
        design = np.c_[(x - x.mean(0)) / x.std(0), np.ones(600)]
        t = (y - y.mean()) / y.std()
        fit, (square,), *_ = np.linalg.lstsq(design, t)
        centre = encoder.noise * encoder.coordinates.whitening.centre
        sd = np.sqrt(square / 600 * np.diag(np.linalg.inv(design.T @ design)))
        assert np.abs((centre - fit) / sd).max() < 2 and np.abs(fit / sd).max() > 20
        assert encoder.noise == pytest.approx(np.sqrt(square / 600), rel=0.05)
        assert record.steps <= 1500
    with pytest.raises(AssertionError, match="a fit on the computer"):
        prepare_regression(replace(config, adapt=False), task, x, y)


@pytest.mark.parametrize(("chains", "weights"), [(1, 60), (4, 11), (8, 2)])
def test_cooling_ends(chains: int, weights: int) -> None:
    """When the residuals are of the size of the noise, or after so many stages."""
    data = load("diabetes")
    first = RegressionEncoder.start(data.x, data.y)
    learner = GaussianLearner(first, data.x, data.y)
    schedule, n = learner.schedule(True, chains, weights), len(data.y)
    assert schedule.next([-0.1 * n]) == schedule.search
    refined = [-0.1 * n, -0.5 * n]
    assert schedule.next(refined) == schedule.refine[0]
    assert schedule.next([*refined, -0.5 * n, -0.5 * n]) is None
    hot = [-0.1 * n] * MOST_COOLINGS
    assert schedule.search_stages(hot[1:]) is None
    assert schedule.search_stages(hot) == MOST_COOLINGS


class Stops(Silence):
    """Ends the run when a stage of the adaptation begins, as a crash does."""

    def __init__(self, before: int) -> None:
        self.left = before

    def rename(self, text: str, steps: int = 0, total: int = 0, unit: str = "steps") -> None:
        self.left -= "adaptation" in text
        if not self.left:
            raise RuntimeError(text)


def test_an_interrupted_adaptation_goes_on(tmp_path: Path) -> None:
    """The noise of a stage follows from all stages before, which the folder holds."""
    config = TrainConfig("diabetes", whiten=True, adapt=True, chains=4, steps=100)
    folders = [tmp_path / name for name in ("whole", "interrupted")]
    whole, interrupted = (Outputs(folder, checkpoint_seconds=0.0) for folder in folders)
    train_run(config, whole, Silence())
    with pytest.raises(RuntimeError, match="stage 4"):
        train_run(config, interrupted, Stops(4))
    resume_run(interrupted, Silence())
    a, b = (read_trace(folder).arrays() for folder in folders)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert read_result(folders[0])["encoder"] == read_result(folders[1])["encoder"]


def test_predict_and_report(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "held-out.csv", tmp_path / "answers.json"
    assert main(["data", "export", "diabetes", str(data)]) == DONE
    assert main(["predict", str(run), str(data), "--json", str(out)]) == DONE
    assert "within the 95 % interval" in capfd.readouterr().err
    answers, result = json.loads(out.read_text()), read_result(run)
    assert answers["scores"]["rmse"] == pytest.approx(result["rmse"], abs=1e-9)
    assert answers["scores"]["covered"] == pytest.approx(result["coverage"]["95"], abs=1e-9)
    first = answers["predictions"][0]
    assert first["low_95"] < first["prediction"] < first["high_95"]
    assert 0 < first["spread"] < (first["high_95"] - first["low_95"]) / 4
    assert main(["report", str(run)]) == DONE
    pictures = {path.stem for path in (run / "report").iterdir()}
    assert pictures == {"predictions", "residuals", "weights", "log-posterior", "wear"}


def test_a_file_of_numbers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whole numbers need --regression; the run is shown and resumed without the option."""
    data, folder = tmp_path / "d.csv", tmp_path / "run"
    assert main(["data", "export", "diabetes", str(data)]) == DONE
    assert main(["train", str(data), "--steps", "20"]) == BAD_USE
    assert "--regression" in capfd.readouterr().err
    options = ["--steps", "300", "--regression", "--out", str(folder)]
    assert main(["train", str(data), *options]) == DONE
    assert read_result(folder)["kind"] == "regression"
    before = read_trace(folder).arrays()
    (folder / "result.json").unlink()
    assert main(["resume", str(folder)]) == DONE
    after = read_trace(folder).arrays()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert main(["train", "breast-cancer", "--regression"]) == BAD_USE


@pytest.mark.parametrize("options", ["--no-whiten", "--rho 1", "--hidden 2", "--paper"])
def test_what_a_linear_model_does_not_have(options: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "diabetes", *options.split()]) == BAD_USE
    assert "leave out" in capfd.readouterr().err


def test_the_posterior_file(run: Path) -> None:
    """Log-likelihoods are those of scipy for the stored draws; LOO of ArviZ is near the closed form
    of the predictions that leave one point out."""
    import arviz

    data, half = arviz.from_netcdf(run / "posterior.nc"), load("diabetes")
    rows = data["observed_data"]["row"].values - 1
    assert np.array_equal(rows, half.split(0)[0])
    assert np.array_equal(data["observed_data"]["y"].values, half.y[rows])
    x = half.x[rows]
    design = np.c_[(x - x.mean(0)) / x.std(0), np.ones(len(x))]
    y, scale = half.y[rows], half.y[rows].std()
    w, s = data["posterior"]["w"].values, data["posterior"]["noise"].values
    mean = y.mean() + scale * w[0, :3] @ design.T
    wanted = stats.norm(mean, s[0, :3, None]).logpdf(y)
    assert data["log_likelihood"]["y"].values[0, :3] == pytest.approx(wanted, abs=1e-4)
    predicted = data["posterior_predictive"]["y"].values
    centre = y.mean() + scale * design @ w.mean((0, 1), np.float64)
    assert predicted.mean((0, 1)) == pytest.approx(centre, abs=0.06 * float(s.mean()))
    assert predicted.std((0, 1)) == pytest.approx(float(s.mean()), rel=0.15)
    sigma_p = read_result(run)["sigma_p"]
    inverse = np.linalg.inv(design.T @ design + np.eye(11) / sigma_p**2)
    t = (y - y.mean()) / scale
    hat = np.einsum("ij,jk,ik->i", design, inverse, design)
    residual = (t - design @ inverse @ design.T @ t) / (1 - hat)
    square = t @ t - t @ design @ inverse @ design.T @ t - residual**2 * (1 - hat)
    alone = stats.t(len(t) - 1, 0, np.sqrt(square / (len(t) - 1) / (1 - hat)))
    exact = (alone.logpdf(residual) - np.log(scale)).sum()
    found = arviz.loo(data)
    assert float(getattr(found, "elpd_loo", None) or found.elpd) == pytest.approx(exact, abs=0.5)


def test_equal_seeds_give_equal_results() -> None:
    config = TrainConfig("diabetes", whiten=True, steps=200, chains=4, seed=5)
    first, second = (train_regression(config) for _ in range(2))
    assert np.array_equal(first.draws, second.draws) and np.array_equal(
        first.joint.noise, second.joint.noise
    )
