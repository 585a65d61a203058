"""Figures: common parts, strategies of figure 1, exact posterior of figure 4, small runs."""

from __future__ import annotations

import csv
import errno
import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from ohmcarlo.array import EmulatedArray
from ohmcarlo.cli.app import main
from ohmcarlo.cluster import sources
from ohmcarlo.cluster.engine import open_cluster
from ohmcarlo.datasets import load
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.golden import Calibration
from ohmcarlo.pictures.canvas import new_canvas
from ohmcarlo.pictures.surface import Surface
from ohmcarlo.reproduce import ENTRIES, fig3, fig4, maker, networks, output, select, tissue
from ohmcarlo.reproduce.base import Bench, Cell, Figure, Goal, Table
from ohmcarlo.reproduce.chains import finished, predictor_of
from ohmcarlo.reproduce.fig1 import figure as fig1
from ohmcarlo.reproduce.grid import grid_posterior
from ohmcarlo.reproduce.output import markdown, reproduce, shown, verdict, write_figure
from ohmcarlo.reproduce.strategies import (
    LARGEST_WEIGHT,
    SIGN_THRESHOLD,
    VERIFY_TOLERANCE_US,
    Model,
    Synapses,
    descend,
    descend_by_sign,
    gradient,
    log_loss,
    transfer,
    transfer_samples,
    weights_of,
)
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.folder import locked
from ohmcarlo.runs.supervised.figures import draw_figures
from ohmcarlo.spec import CODE_LSB_US, Geometry

WINDOW_US = (30.0, 250.0)


class Quiet:
    """A watcher that shows nothing."""

    def say(self, text: str) -> None: ...

    def track(self, cells: Iterable[Any], total: int, what: str) -> Iterable[Any]:
        return cells


# -- the frame -------------------------------------------------------------------------------------

CALLS: list[int] = []


def square(number: int) -> Cell:
    CALLS.append(number)
    return {"square": number * number}


def test_a_second_run_takes_its_cells_from_the_first(tmp_path: Path) -> None:
    CALLS.clear()
    cells = [{"number": n} for n in (2, 3)]
    first = Bench(tmp_path, 2, 1, Quiet()).map("squares", square, cells)
    again = Bench(tmp_path, 2, 1, Quiet()).map("squares", square, [*cells, {"number": 4}])
    assert first == [{"square": 4}, {"square": 9}]
    assert again == [*first, {"square": 16}]
    assert CALLS == [2, 3, 4]  # the third cell is new, the others were stored


def test_cells_of_other_sources_are_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CALLS.clear()
    cells = [{"number": 5}]
    Bench(tmp_path, 2, 1, Quiet()).map("squares", square, cells)
    monkeypatch.setattr(sources, "sources_digest", lambda: "other")
    Bench(tmp_path, 2, 1, Quiet()).map("squares", square, cells)
    assert CALLS == [5, 5]


def figure(rows: list[Goal], files: dict[str, bytes] | None = None) -> Figure:
    return Figure("A figure", [Table("Numbers", rows)], {}, {"seeds": [0, 1]}, files or {})


def test_goals_say_whether_they_are_met() -> None:
    met = Goal("accuracy", [0.95, 0.97], "%", "96.3 %", ">= 96 %", True)
    missed = Goal("ECE", [0.04], wanted="<= 0.03", met=False)
    assert shown(met) == "96.00 ± 1.41 %"  # sd of two values: their difference over √2
    assert shown(missed) == "0.040"
    assert shown(Goal("ECE", [0.004, 0.006])) == "0.00500 ± 0.00141"
    assert shown(Goal("area", [0.846, 0.858])) == "0.852 ± 0.008"
    assert shown(Goal("stuck", [0.0], "%")) == "0.00 %"
    assert shown(Goal("unmeasured", [math.nan, 1.0])) == "nan ± nan"
    assert shown(Goal("return", [500.0, 500.0])) == "500 ± 0"
    assert shown(Goal("episodes", [1200.0, 1195.0])) == "1198 ± 4"
    assert shown(Goal("cycles", [1e7])) == "1e+07"
    assert shown(Goal("slope", [0.02], interval=(0.004, 0.036))) == "0.020 [0.004, 0.036]"
    assert verdict(met) == ">= 96 %: met" and verdict(missed) == "<= 0.03: NOT MET"
    assert verdict(Goal("steps", [3.0])) == ""
    assert "| accuracy | 96.00 ± 1.41 % | 96.3 % | >= 96 %: met |" in markdown(figure([met]))


def test_a_figure_is_written_with_its_numbers(tmp_path: Path) -> None:
    goal = Goal("accuracy", [0.95, 0.97], "%", met=True, wanted="> 0.9")
    write_figure("figx", figure([goal], {"a.csv": b"1\n"}), tmp_path / "figx")
    values = json.loads((tmp_path / "figx" / "figx.json").read_text())
    assert values["tables"][0]["rows"][0]["mean"] == pytest.approx(0.96)
    assert values["files"] == ["a.csv", "table.md"] and values["seeds"] == [0, 1]
    assert (tmp_path / "figx" / "a.csv").read_bytes() == b"1\n"


def test_a_full_disk_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OhmcarloError, match=r"a\.csv: No space left.*free some space"):
        write_figure("figx", figure([], {"a.csv": b"1"}), tmp_path)
    assert not list(tmp_path.glob("a.csv*"))  # no partial file is left


def test_an_out_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OhmcarloError, match="choose another --out"):
        reproduce([], tmp_path / "file" / "out", 2, 1, Quiet())
    assert main(["reproduce", "fig3", "--out", str(tmp_path / "file")]) == 1


def test_an_unknown_figure_is_bad_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "fig7"]) == 2
    assert "fig4" in capsys.readouterr().err  # the message lists the figures
    with pytest.raises(UsageError, match="there is no figure"):
        select("fig7")


def test_names_of_figures() -> None:
    assert select("fig5") == ["tissue", "ecg"]
    assert select("fig1") == ["fig1"]
    assert set(select("all")) == {e.name for e in ENTRIES.values() if e.in_all}


@pytest.mark.parametrize(
    ("module", "action"),
    [
        ("distributed", lambda path: open_cluster(workers=2)),
        ("matplotlib.figure", lambda path: new_canvas((1.0, 1.0))),
    ],
)
def test_a_missing_package_is_named(
    module: str, action: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=r"pip install 'ohmcarlo\["):
        action(tmp_path)


@pytest.mark.parametrize("name", ["fig1", "tissue", "endurance", "measured"])
def test_missing_data_are_named_before_anything_is_computed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("OHMCARLO_DATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "nothing"))
    monkeypatch.setattr(Bench, "map", lambda *_: pytest.fail("it began to compute"))
    with pytest.raises(UsageError, match="'breast-cancer-original' is not on this machine"):
        maker(name)(Bench(tmp_path, 2, 1, Quiet()))


def test_missing_data_of_any_figure_end_all_before_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names every data set. The control is a figure that needs none."""
    for variable in ("OHMCARLO_DATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "nothing"))
    monkeypatch.setattr(output, "maker", lambda name: pytest.fail(f"{name} began"))
    with pytest.raises(UsageError) as caught:
        reproduce(select("all"), tmp_path / "out", 2, 1, Quiet())
    for data in ("breast-cancer-original", "mitdb", "rram-set-sweep"):
        assert f"data fetch {data}" in str(caught.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(pytest.fail.Exception, match="fig3 began"):
        reproduce(["fig3"], tmp_path / "out", 2, 1, Quiet())


# -- figure 1: gradient descent and transfer -------------------------------------------------------


def toy_half(seed: int = 0) -> Model:
    """The half of toy2d that `train toy2d --seed SEED` learns from, with its bias."""
    dataset = load("toy2d")
    rows, _ = dataset.split(seed)
    x = dataset.x[rows]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return Model(np.c_[np.rint(32 * x) / 32, np.ones(len(x))], dataset.y[rows], 1.0)


def synapses(rel: float = 0.002, rows: int = 32, weights: int = 3, **array: Any) -> Synapses:
    made = EmulatedArray(Geometry(rows=rows, pairs=16), 3, rel=rel, **array)
    return Synapses(made, Calibration(), WINDOW_US, weights)


def test_gradient_by_hand() -> None:
    """One point x = (2, 1) of class 1, sigma_p = 2.

    At w = 0, p = 1/2: gradient -(1/2) x. At w = (1, 0), p = 1/(1 + e⁻²) = 0.880797:
    -0.119203 x + w/4.
    """
    model = Model(np.array([[2.0, 1.0]]), np.array([1]), 2.0)
    assert gradient(model, np.zeros(2)) == pytest.approx([-1.0, -0.5])
    by_hand = [-0.238406 + 0.25, -0.119203]
    assert gradient(model, np.array([1.0, 0.0])) == pytest.approx(by_hand, abs=1e-6)


def test_gradient_is_the_slope_of_the_log_posterior() -> None:
    model, w, h = toy_half(), np.array([0.3, -0.8, 0.2]), 1e-5

    def price(w: np.ndarray) -> float:
        n = len(model.y)
        return log_loss(model, w) + float((w**2).sum()) / (2 * model.sigma_p**2 * n)

    slope = [(price(w + h * e) - price(w - h * e)) / (2 * h) for e in np.eye(3)]
    assert gradient(model, w) == pytest.approx(slope, abs=1e-8)
    assert gradient(model._replace(sigma_p=0.5), w) != pytest.approx(slope, abs=1e-3)


def scikit_mode(model: Model) -> np.ndarray:
    """The mode of the posterior equals that of scikit-learn."""
    fit = LogisticRegression(C=model.sigma_p**2, fit_intercept=False, tol=1e-10, max_iter=1000)
    return fit.fit(model.x, model.y).coef_[0]


def test_gradient_descent_in_quiet_devices_ends_at_the_mode() -> None:
    model, s = toy_half(), synapses()
    g = descend(s, model, s.rows[:4], 4 * 6 * 300, 3.0)
    w = weights_of(g.mean(axis=0), s.gamma_us(LARGEST_WEIGHT))
    assert w == pytest.approx(scikit_mode(model), abs=0.03)


def test_sign_updates_end_where_no_slope_is_above_the_threshold() -> None:
    """A move of 2 µS turns a slope by at most 2 · 2/γ · |second derivative| <= 0.25: 0.02."""
    model, s = toy_half(), synapses()
    g = descend_by_sign(s, model, s.rows[:4], 4 * 6 * 300, 2.0)
    gamma = s.gamma_us(LARGEST_WEIGHT)
    slope = gradient(model, weights_of(g.mean(axis=0), gamma))
    assert np.abs(slope).max() < SIGN_THRESHOLD + 0.02
    assert np.abs(gradient(model, np.zeros(3))).max() > 5 * SIGN_THRESHOLD  # the start


def test_too_few_updates_do_not_get_there() -> None:
    model, s = toy_half(), synapses()
    g = descend(s, model, s.rows[:4], 4 * 6 * 2, 3.0)
    w = weights_of(g.mean(axis=0), s.gamma_us(LARGEST_WEIGHT))
    assert w != pytest.approx(scikit_mode(model), abs=0.03)


def test_pulses_are_within_the_budget() -> None:
    for descent, choice in ((descend, 1.0), (descend_by_sign, 5.0)):
        s = synapses(rows=16)
        budget = 16 * 6 * 10
        descent(s, toy_half(), s.rows, budget, choice)
        first = 16 * 6  # the state before training
        assert 0 < s.array.ledger.set <= budget + first


def test_transfer_is_read_back_as_the_weights() -> None:
    """σ = 5 % of g: the error of one copy is its noise, that of the mean of 32 rows a sixth of
    it."""
    w = np.array([1.5, -0.75, 0.3])
    s = synapses(rel=0.05)
    gamma = transfer(s, w, s.rows)
    assert gamma == pytest.approx(2 * 85 / 1.5)  # the window reaches 85 µS below the centre
    inputs = (32 * np.eye(3)).astype(np.int8)  # one feature at a time: logits are the weights
    logits = s.logits(list(s.rows), inputs, gamma)
    noise = np.sqrt(2) * 0.05 * 115 / gamma
    assert logits.mean(axis=0) == pytest.approx(w, abs=4 * noise / np.sqrt(32))
    assert 0.5 * noise < logits.std(axis=0).mean() < 2 * noise


def test_verify_hits_its_targets_and_open_loop_does_not() -> None:
    targets = np.full(6, 120.0)
    s = synapses(rel=0.05)
    verified = np.concatenate([s.verify(row, targets) for row in range(16)])
    once = np.concatenate([s.write(row, targets) for row in range(16, 32)])
    # 6 µS spread, ±2 µS: a try hits with probability 0.26, 21 tries miss with 0.002
    assert (np.abs(verified - 120) <= VERIFY_TOLERANCE_US).mean() > 0.97
    assert (np.abs(once - 120) <= VERIFY_TOLERANCE_US).mean() < 0.5


def test_trims_and_bad_rows_are_used() -> None:
    """A trim of -8 removes a device offset of +8 codes. Without it, 2 µS remain."""
    bad = np.zeros(32, bool)
    bad[[0, 5]] = True
    trim = np.full((32, 32), -8, np.int16)
    array = EmulatedArray(Geometry(rows=32, pairs=16), 3, rel=0.002)
    trimmed = Synapses(array, Calibration(trim_offset=trim, bad_rows=bad), WINDOW_US, 3)
    assert set(range(32)) - set(trimmed.rows.tolist()) == {0, 5}
    plain = Synapses(array, Calibration(), WINDOW_US, 3)
    targets = np.full(6, 100.0)
    shift = plain.write(1, targets).mean() - trimmed.write(1, targets).mean()
    assert shift == pytest.approx(8 * CODE_LSB_US, abs=0.5)


@pytest.mark.stats
def test_laplace_draws_spread_like_the_laplace_fit() -> None:
    model = toy_half()
    s = synapses(rows=256)
    gamma = transfer_samples(s, model, s.rows, 7)
    inputs = (32 * np.eye(3)).astype(np.int8)
    w = s.logits(list(s.rows), inputs, gamma)
    p = 1 / (1 + np.exp(-model.x @ scikit_mode(model)))
    hessian = (model.x.T * (p * (1 - p))) @ model.x + np.eye(3)
    sd = np.sqrt(np.diag(np.linalg.inv(hessian)))
    assert w.std(axis=0) / sd == pytest.approx(np.ones(3), abs=0.2)  # 4.5 standard errors
    transfer(s, scikit_mode(model), s.rows)  # copies of one result lack this spread
    copies = s.logits(list(s.rows), inputs, s.gamma_us(np.abs(scikit_mode(model)).max()))
    assert (copies.std(axis=0) / sd < 0.2).all()


@pytest.mark.parametrize("inputs", [2, 9, 30])
def test_equal_memory_counts_what_scikit_learn_makes(inputs: int) -> None:
    budget = networks.devices_holding(128, inputs)
    assert budget == 128 * 2 * (inputs + 1)
    h = networks.hidden_units(budget, inputs)
    rng = np.random.default_rng(0)
    fit = MLPClassifier((h,), max_iter=1)
    with pytest.warns(UserWarning):  # one iteration is not enough
        fit.fit(rng.normal(size=(20, inputs)), np.arange(20) % 2)
    parameters = sum(p.size for p in (*fit.coefs_, *fit.intercepts_))
    assert parameters <= budget < parameters + inputs + 2  # one more unit does not fit


def test_readings_of_equal_memory() -> None:
    devices, pairs, bits = networks.READINGS
    assert devices.parameters(8192) == 8192
    assert pairs.parameters(8192) == 4096
    assert bits.parameters(8192) == 8192 * 10 // 32
    with pytest.raises(UsageError, match="too few"):
        networks.hidden_units(5, 30)


# -- figure 4: the exact posterior -----------------------------------------------------------------


def importance(model: Model, draws: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of the same posterior by self-normalised importance sampling from a wide
    multivariate t around scikit-learn's mode, without grid or Hessian of the project."""
    mode = scikit_mode(model)
    p = 1 / (1 + np.exp(-model.x @ mode))
    hessian = (model.x.T * (p * (1 - p))) @ model.x + np.eye(len(mode)) / model.sigma_p**2
    proposal = stats.multivariate_t(mode, 1.2 * np.linalg.inv(hessian), df=6, seed=11)
    w = proposal.rvs(draws)
    z = w @ (np.where(model.y == 1, 1, -1)[:, None] * model.x).T
    logs = -np.logaddexp(0, -z).sum(axis=1) - (w**2).sum(axis=1) / (2 * model.sigma_p**2)
    logs -= proposal.logpdf(w)
    share = np.exp(logs - logs.max())
    share /= share.sum()
    mean = share @ w
    return mean, np.sqrt(share @ (w - mean) ** 2)


@pytest.mark.stats
def test_the_grid_agrees_with_importance_sampling() -> None:
    model = toy_half()
    exact = grid_posterior(model.x, model.y, model.sigma_p)
    mean, sd = importance(model)
    assert (np.abs(mean - exact.mean) / exact.sd < 0.015).all()  # 1/√200,000 = 0.002
    assert sd / exact.sd == pytest.approx(np.ones(3), abs=0.01)
    narrow = grid_posterior(model.x, model.y, 0.7 * model.sigma_p)
    assert (np.abs(mean - narrow.mean) / narrow.sd).max() > 0.1  # another prior is detected


def test_the_grid_is_fine_enough() -> None:
    model = toy_half()
    coarse = grid_posterior(model.x, model.y, model.sigma_p, nodes=31)
    fine = grid_posterior(model.x, model.y, model.sigma_p)
    assert coarse.mean == pytest.approx(fine.mean, abs=1e-6)
    assert coarse.sd == pytest.approx(fine.sd, rel=1e-5)


def test_marginal_of_the_first_weight() -> None:
    model = toy_half()
    exact = grid_posterior(model.x, model.y, model.sigma_p)
    values, density = exact.first_marginal()
    mass = density * (values[1] - values[0])
    assert mass.sum() == pytest.approx(1.0)
    assert mass @ values == pytest.approx(exact.mean[0])
    assert np.sqrt(mass @ (values - exact.mean[0]) ** 2) == pytest.approx(exact.sd[0])


def test_too_many_weights_for_a_grid() -> None:
    with pytest.raises(UsageError, match="too many"):
        grid_posterior(np.ones((4, 5)), np.array([0, 1, 0, 1]), 1.0)


@pytest.mark.stats
def test_the_corrected_kernel_samples_the_exact_posterior_and_the_published_does_not() -> None:
    corrected, _, published = fig4.KERNELS.values()
    ours = fig4.exactness_cell(3, corrected, steps=20_000)
    assert ours["ess_min"] > 1000
    assert ours["mean_error_max"] < 0.1 and ours["spread_error_max"] < 0.06
    theirs = fig4.exactness_cell(3, published, steps=40_000)
    assert theirs["ess_min"] > 400
    assert theirs["mean_error_max"] > 0.1 and theirs["spread_error_max"] > 0.06


# -- the plane of two features ---------------------------------------------------------------------


def test_uncertainty_is_the_sum_of_its_parts() -> None:
    """Samples of 0.2 and 0.8: mean 0.5, total 0.25, epistemic 0.09, aleatoric 0.16."""
    one = np.ones((2, 2))
    surface = Surface(
        (np.arange(2.0), np.arange(2.0)), 0.5 * one, 0.09 * one, np.stack([0.2 * one, 0.8 * one]),
        ["a", "b"], ["no", "yes"],
    )  # fmt: skip
    assert surface.total == pytest.approx(0.25 * one)
    assert surface.aleatoric == pytest.approx(0.16 * one)
    assert surface.total == pytest.approx(surface.aleatoric + surface.variance)


def test_samples_of_a_surface_average_to_its_mean() -> None:
    with finished(TrainConfig("toy2d", whiten=True, steps=1500)) as (experiment, result):
        surface = Surface.of(predictor_of(experiment, result), experiment.test_inputs)
    assert len(surface.samples) == 40
    spread = surface.samples.std(axis=0)
    gap = np.abs(surface.samples.mean(axis=0) - surface.probability)
    assert (gap <= 5 * spread / np.sqrt(40) + 1e-3).all()
    assert spread.mean() == pytest.approx(np.sqrt(surface.variance).mean(), rel=0.3)


def test_a_csv_file_gets_the_pictures_of_a_built_in_task(tmp_path: Path) -> None:
    dataset = load("toy2d")
    with (tmp_path / "own.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*dataset.feature_names, "label"])
        for x, y in zip(dataset.x, dataset.y, strict=True):
            writer.writerow([*x, dataset.class_names[y]])
    names = []
    for task in ("toy2d", str(tmp_path / "own.csv")):
        with finished(TrainConfig(task, whiten=True, steps=300)) as (experiment, result):
            predictor = predictor_of(experiment, result)
            names.append(set(draw_figures(result.values, result.trace, predictor)))
    assert names[0] == names[1] >= {"boundary", "uncertainty", "referral", "reliability"}


# -- figures, small --------------------------------------------------------------------------------


def test_a_second_process_in_a_folder_is_refused(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        patch("ohmcarlo.reproduce.output.require_data_of"),
        pytest.raises(OhmcarloError, match="another process is working in"),
    ):
        reproduce(["fig3"], tmp_path, 2, 1, Quiet())
    assert not list(tmp_path.iterdir())


def small(name: str, tmp_path: Path) -> dict[str, Any]:
    """Run two seeds in this process; return the values of the figure.

    The caller has reduced the figure to the tasks whose data ship with the packages.
    """
    with patch("ohmcarlo.reproduce.output.require_data_of"):
        values = reproduce([name], tmp_path, 2, 1, Quiet())["figures"][name]
    for file in values["files"]:
        assert (tmp_path / name / file).stat().st_size > 0
    for table in values["tables"]:
        assert all(np.isfinite(row["mean"]) for row in table["rows"]), table["title"]
    return values


@pytest.mark.slow
def test_fig1_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fig1, "TASKS", {"toy2d": "two features"})
    monkeypatch.setattr(fig1, "KINDS", {"emulator": fig1.KINDS["emulator"]})
    monkeypatch.setattr(fig1, "STEPS", 150)
    monkeypatch.setattr(fig1, "ROWS", 32)
    monkeypatch.setattr(networks, "MAX_ITERATIONS", 20)
    values = small("fig1", tmp_path)
    cells = values["cells"]["emulator"]["toy2d"]
    assert [set(c) for c in cells] == [set(fig1.IN_ARRAY)] * 2
    copies = [c[fig1.COPIES]["accuracy"] for c in cells]
    software = [c["accuracy"] for c in values["software"]["toy2d"][fig1.SOFTWARE]]
    assert copies == pytest.approx(software, abs=0.04)  # 32 copies are as good as the original


def test_fig3_small(tmp_path: Path) -> None:
    values = small("fig3", tmp_path)
    for cell in values["cells"]["published"]:
        assert cell["samples"] == 255  # one row of 256 is reserved for the proposal
        assert cell["samples"] - 1 == pytest.approx(cell["acceptance_rate"] * cell["steps"])
        assert cell["step_rel_sd"] == pytest.approx(0.05, rel=0.03)
    assert len(set(values["shown_rows"])) == len(values["shown_rows"])  # no row is used twice
    # every step increments the counter of one row; the first sample starts at one
    shown = values["cells"]["published"][fig3.SHOWN_SEED]
    assert sum(values["shown_multiplicity"]) == shown["steps"] + 1


@pytest.mark.slow
def test_fig4_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fig4, "STEPS", 1500)
    values = small("fig4", tmp_path)
    assert set(values["cells"]) == set(fig4.KERNELS)
    assert values["files"][:2] == ["fig4.png", "exactness.png"]


def test_tissue_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tissue, "SETS", {tissue.WDBC: "WDBC"})
    candidates = [{"sigma_p": s, **tissue.WIDE, **tissue.WHITENED} for s in (0.1, 1.0)]
    monkeypatch.setattr(tissue, "CANDIDATES", {tissue.WDBC: candidates})
    monkeypatch.setattr(tissue, "CHOOSING_STEPS", 150)
    monkeypatch.setattr(networks, "MAX_ITERATIONS", 20)
    values = small("tissue", tmp_path)
    best = values["cells"][tissue.WDBC][tissue.BEST]
    assert [c["features"] for c in best] == [30, 30]
    # a prior of width 0.1 cannot describe these data, and cross-validation must detect it
    assert [c["chosen"]["sigma_p"] for c in best] == [1.0, 1.0]
    assert min(c["accuracy"] for c in best) > 0.93


def test_the_held_out_half_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inverted held-out labels give the same choice of settings."""
    dataset = load(tissue.WDBC)
    monkeypatch.setattr(tissue, "CHOOSING_STEPS", 100)
    options = {**tissue.WIDE, **tissue.WHITENED}
    honest = tissue._validation_loss(tissue.WDBC, 0, options)
    _, test = dataset.split(0)
    fooled = dataset.y.copy()
    fooled[test] = 1 - fooled[test]

    class Fooled:
        x, y = dataset.x, fooled

        @staticmethod
        def split(seed: int) -> Any:
            return dataset.split(seed)

    monkeypatch.setattr(tissue, "load", lambda name: Fooled)
    assert tissue._validation_loss(tissue.WDBC, 0, options) == honest
