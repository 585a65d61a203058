"""Figure 2, endurance and energy: small runs, arithmetic by hand, verdicts that can fail."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ohmcarlo.array.base import DOT, DOT_DEVICES, SET, Ledger
from ohmcarlo.array.characterize.estimates import Pulses
from ohmcarlo.array.characterize.shape import shape_of
from ohmcarlo.array.energy import (
    EnergyModel,
    SoftwareModel,
    energy,
    monte_carlo,
    operations,
    sampled_model,
    software_energy,
)
from ohmcarlo.array.physics import PhysicsArray
from ohmcarlo.cli.app import main
from ohmcarlo.errors import UsageError
from ohmcarlo.reproduce import endurance
from ohmcarlo.reproduce.base import Bench
from ohmcarlo.reproduce.energy import cells, figure, spent, tables, tuning
from ohmcarlo.reproduce.fig2 import cells as fig2_cells
from ohmcarlo.reproduce.fig2 import figure as fig2
from ohmcarlo.reproduce.fig2.tables import least_hits
from ohmcarlo.reproduce.lean import lean_run
from ohmcarlo.reproduce.output import write_figure
from ohmcarlo.runs import chain_run
from ohmcarlo.runs.arrays import ages_of, device_preset, open_array
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.spec import Geometry


class Quiet:
    def say(self, text: str) -> None: ...

    def track(self, cells: Iterable[Any], total: int, what: str) -> Iterable[Any]:
        return cells


def bench(folder: Path) -> Bench:
    """Two seeds in this process, so that patches of a test take effect."""
    return Bench(folder / "cells", 2, 1, Quiet())


def written(name: str, made: Any, folder: Path) -> dict[str, Any]:
    """Content of the files of a figure."""
    write_figure(name, made, folder)
    for picture in made.pictures:
        assert (folder / f"{picture}.png").stat().st_size > 10_000
    return dict(json.loads((folder / f"{name}.json").read_text()))


# -- aged arrays -----------------------------------------------------------------------------------


def test_a_worn_array_is_asked_for_by_name():
    assert ages_of("physics:1e7") == (1e7, 1e7)
    assert ages_of("physics:1e7@0") == (1e7, 0.0)
    opened = open_array("physics:1e7@0", None, Geometry(rows=8), 3)
    assert isinstance(opened.array, PhysicsArray) and isinstance(
        opened.calibration_array, PhysicsArray
    )
    assert (opened.array.cycles, opened.calibration_array.cycles) == (1e7, 0.0)
    assert np.array_equal(opened.array.stuck, opened.calibration_array.stuck)  # the same chip
    for wrong in ("physics:", "physics:old", "physics:-1", "physics:1e9", "physics:1@x"):
        with pytest.raises(UsageError, match="endurance cycles as a number"):
            TrainConfig("toy2d", array=wrong)


def test_constants_of_a_preset_are_moved_by_name():
    assert device_preset("rram-1t1r,stuck_fraction=0.03").stuck_fraction.value == 0.03
    for wrong, message in (
        ("rram-1t1r,stuck_fraction", "not a change of a constant"),
        ("rram-1t1r,nonsense=1", "has no constant"),
        ("rram-1t1r,stuck_fraction=0.9", "outside its range"),
    ):
        with pytest.raises(UsageError, match=message):
            device_preset(wrong)


# -- endurance -------------------------------------------------------------------------------------


def test_losses_are_paired_and_the_verdict_can_be_bad():
    fresh = [{"seed": s, "accuracy": a} for s, a in ((0, 0.96), (1, 0.98))]
    worn = [{"seed": s, "accuracy": a} for s, a in ((1, 0.95), (0, 0.95))]
    assert endurance.loss(fresh, worn) == pytest.approx([0.03, 0.01])
    assert endurance.loss_goal("x", [0.03, 0.01]).met is False
    assert endurance.loss_goal("x", [0.012, 0.004]).met is True


@pytest.mark.slow
def test_endurance_of_two_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(endurance, "TASKS", {"breast-cancer": "WDBC"})
    monkeypatch.setattr(endurance, "BETWEEN", (1e4, 1e8))
    monkeypatch.setattr(endurance, "STUCK", (0.01,))
    steps = 1000  # fewer steps, whose acceptance is that of the rise to the posterior
    monkeypatch.setattr(endurance, "STEPS", steps)
    rows = 32
    monkeypatch.setattr(endurance, "ROWS", rows)
    values = written("endurance", endurance.make(bench(tmp_path)), tmp_path)
    cells = values["cells"]
    by = {(c["kernel"], c["cycles"], c["trim"], c["seed"]): c for c in cells if c["stuck"] is None}
    walk, white = endurance.KERNELS
    for seed in (0, 1):
        # no ageing below a million cycles
        for key in ("accuracy", "acceptance", "weight_sd"):
            young = by[walk, 1e4, endurance.RECALIBRATED, seed][key]
            assert young == by[walk, 0.0, endurance.RECALIBRATED, seed][key]
    # an outdated trim: medians are 5 % off; the whitened chain still moves three times as often
    again, once, whitened = (
        sum(by[kernel, 1e7, trim, seed]["acceptance"] for seed in (0, 1))
        for kernel, trim in (
            (walk, endurance.RECALIBRATED),
            (walk, endurance.ONCE),
            (white, endurance.ONCE),
        )
    )
    assert once < 0.7 * again
    assert whitened > 3 * once
    stuck = [c["retired_rows"] for c in cells if c["stuck"] == 0.01]
    assert min(stuck) > max(c["retired_rows"] for c in by.values())
    # 7 targets × 20 cycles, and the pulses of the chain
    assert by[walk, 0.0, endurance.RECALIBRATED, 0]["wear_mean"] == pytest.approx(
        140 + (steps + 1) / rows, rel=0.02
    )


# -- energy ----------------------------------------------------------------------------------------


def ledger(sets: int = 0, dots: int = 0) -> Ledger:
    """A ledger of SETs, and of accesses of 16 pairs."""
    made = Ledger(Geometry())
    made.counts[SET], made.counts[DOT], made.counts[DOT_DEVICES] = sets, dots, 32 * dots
    return made


def test_the_warm_up_is_not_the_chain_s_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def slow(*_: object) -> None:
        clock[0] += 100.0

    def now() -> float:
        clock[0] += 1.0
        return clock[0]

    monkeypatch.setattr(chain_run, "warm_up", slow)
    fake = SimpleNamespace(perf_counter=now, process_time=now, monotonic=time.monotonic)
    monkeypatch.setattr(chain_run, "time", fake)
    with lean_run(TrainConfig("toy2d", steps=5)) as run:
        assert 0 < run.cpu_seconds < 100


def test_the_warm_up_s_episodes_are_not_the_chain_s(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gymnasium")
    warmed = cells.cell("cartpole", cells.WALK, 10, 3, True)["control_steps"]
    monkeypatch.setattr(chain_run, "warm_up", lambda *_: None)
    assert cells.cell("cartpole", cells.WALK, 10, 3, True)["control_steps"] == warmed


def test_software_by_hand():
    """An access: 16 MACs, 2 multiplications, 6 additions, a table; a device: 7, 16 and 5."""
    work = operations(ledger(sets=10, dots=100))
    assert (work.macs, work.others, work.normals) == (1600, 900 + 280, 10)
    found = software_energy(ledger(sets=10, dots=100), Geometry(), seconds=2e-3)
    assert found["cpu_time"].joules == pytest.approx(20e-3)  # 10 W
    assert found["cpu_operations"].joules == pytest.approx(2780 * 0.5e-9)
    assert found["mcu"].joules == pytest.approx(2780 * 5 * 288e-12)
    # logic: 0.2 + 0.1 pJ a MAC, half a word of 5 pJ for its weight; a normal: 60 additions, table
    own = energy(ledger(sets=10, dots=100), Geometry()).digital.joules
    weights = (1600 + 10) / 2 * 5e-12
    assert found["logic"].joules - own == pytest.approx(
        1600 * 0.3e-12 + weights + 10 * (6 + 1) * 1e-12
    )
    for value in vars(SoftwareModel()).values():
        assert value.low <= value.value <= value.high


@pytest.mark.stats
def test_drawn_constants_stay_in_their_bounds_around_the_reference():
    rng = np.random.default_rng(1)
    drawn = [sampled_model(rng) for _ in range(400)]
    for name, value in vars(EnergyModel()).items():
        values = np.array([getattr(d, name).value for d in drawn])
        assert value.low <= values.min() < value.value, name
        assert values.max() <= value.high, name
    # one constant alone: a triangle over the logarithm, by scipy
    adc = np.log([d.adc_10bit_pj.value for d in drawn])
    low, mode, high = np.log([2.0, 15.0, 60.0])
    triangle = stats.triang((mode - low) / (high - low), low, high - low)
    assert stats.kstest(adc, triangle.cdf).pvalue > 0.001
    assert stats.kstest(adc, stats.uniform(low, high - low).cdf).pvalue < 0.001


@pytest.mark.stats
def test_the_range_is_narrower_than_all_bounds_at_once():
    used = ledger(sets=1000, dots=5000)
    report, drawn = energy(used, Geometry()), monte_carlo(used, Geometry(), 300)
    low, high = np.quantile(drawn["total"], [0.05, 0.95])
    assert report.total.low < low < report.total.joules < high < report.total.high
    assert np.allclose(drawn["total"], drawn["array"] + drawn["digital"])


def test_a_tiny_run_by_hand():
    """Every point of every step is read: 15 pJ of converter per access, compared with the bars."""
    config = TrainConfig("toy2d", seed=4, steps=30, early_reject=False)
    with lean_run(config) as run:
        counts = run.experiment.setup.board.ledger
        points, features = len(run.experiment.setup.points), run.experiment.setup.registers.features
        valid = int(run.block.valid.sum())
        assert counts.dot == (1 + valid) * points
        assert counts.dot_devices == counts.dot * 2 * features
        parts = energy(counts, run.experiment.setup.registers.geometry).parts
        assert parts["dot_adc"].joules == pytest.approx(counts.dot * 15e-12)
        assert parts["reset"].joules == pytest.approx(counts.reset * 10e-12)


def test_steps_are_enough_from_where_accuracy_stays():
    flat = [0.90, 0.95, 0.95, 0.95, 0.95, 0.95]
    late = [0.90, 0.95, 0.93, 0.94, 0.95, 0.95]
    assert tuning.steps_needed([flat]) == tuning.LEAST_STEPS
    assert tuning.steps_needed([late]) == 2000


def test_the_verdict_on_energy_can_be_bad():
    assert tables.array_goal("breast-cancer", [12e-6, 9e-6]).met is False
    assert tables.array_goal("breast-cancer", [9e-6, 10e-6]).met is True
    assert tables.array_goal("ecg", [20e-6]).met is None


def test_energy_of_two_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("gymnasium")
    monkeypatch.setattr(figure, "SUPERVISED", ("toy2d",))
    monkeypatch.setattr(spent, "DRAWS", 50)
    values = written("energy", figure.make(bench(tmp_path)), tmp_path)
    walk = values["energy"]["toy2d, random walk"]
    assert walk["same_decisions"] and all(0 < s < 1 for s in walk["early_saved"])
    low, high = walk["interval_90"]["total"]
    assert low < walk["joules"]["total"]["joules"] < high
    acted = [c for c in values["cells"] if c["task"] == "cartpole"]
    # an episode lasts at most 500 steps; four episodes evaluate each of 300 policies
    assert all(4 * 300 < c["control_steps"] <= 4 * 300 * 500 for c in acted)
    acting = spent.report_of(spent.with_playing(acted[0])).array.joules
    alone = spent.report_of(acted[0]).array.joules
    # an access: 15 pJ converter, 3 pJ word line, 5 lines of 0.5 pJ, 10 devices near 115 µS
    assert (acting - alone) / acted[0]["control_steps"] == pytest.approx(21.6e-12, rel=0.02)


# -- figure 2 --------------------------------------------------------------------------------------


@pytest.mark.stats
def test_normal_or_log_normal():
    rng = np.random.default_rng(2)
    normal = 100 + 15 * rng.standard_normal((300, 20))
    log_normal = np.exp(4.6 + 0.3 * rng.standard_normal((300, 20)))
    one, other = shape_of(normal), shape_of(log_normal)
    assert one["gain"] > 5 * one["gain_error"] and one["share"] > 0.6
    assert other["gain"] < -5 * other["gain_error"] and other["share"] < 0.4
    assert one["ks g"] < one["ks ln g"] and other["ks g"] > other["ks ln g"]


@pytest.mark.stats
def test_medians_over_cells_give_the_line_back():
    rng = np.random.default_rng(5)
    levels = np.linspace(50, 160, 12)
    order = np.tile(np.arange(12), 20)[:, None] + np.zeros(60, int)
    sigma = (21.15 - 0.085 * levels)[order] * np.exp(0.4 * rng.standard_normal(60))
    found = fig2_cells.medians_of(
        Pulses(levels, order, levels[order] + sigma * rng.standard_normal(order.shape))
    )
    assert found["intercept"][1] < 21.15 < found["intercept"][2]
    assert found["slope"][1] < 0.085 < found["slope"][2]
    assert not found["slope"][1] < 0.12 < found["slope"][2]


def test_how_many_intervals_may_miss():
    """Binomial: of 20 intervals of 95 %, fewer than 15 contain the truth once in 3,000 times."""
    assert least_hits(20) == 15
    assert stats.binom.cdf(14, 20, 0.95) < 0.001 < stats.binom.cdf(15, 20, 0.95)


def test_figure_2_of_two_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def nowhere(name: str) -> Path:
        raise UsageError(f"{name} is not here")

    monkeypatch.setattr(fig2, "find", nowhere)
    monkeypatch.setattr(fig2, "ROWS", 4)
    made = fig2.make(bench(tmp_path))
    values = written("fig2", made, tmp_path)
    assert "rram-set-sweep is not here" in made.notes[-1]
    law = values["array"]["found"]["constants"]["c2c_intercept_us"]
    assert law["low"] < 21.15 < law["high"]
    right, wrong = values["intervals"][:2], values["intervals"][2:]
    assert sum(c["inside"]["read_noise_rel"] for c in right) == 2
    assert not any(c["inside"]["read_noise_rel"] for c in wrong)


# -- characterize ----------------------------------------------------------------------------------


def test_characterize_writes_preset_trim_and_pictures(tmp_path: Path):
    preset, trim, plots, out = (
        tmp_path / n for n in ("chip.json", "chip.npz", "plots", "out.json")
    )
    command = ["characterize", "--array", "physics", "--rows", "12", "--preset-out", str(preset),
               "--out", str(trim), "--plots", str(plots), "--json", str(out)]  # fmt: skip
    assert main(command) == 0
    values = json.loads(out.read_text())
    assert values["fit"]["constants"]["read_noise_rel"]["value"] == pytest.approx(0.01, rel=0.05)
    assert [a["cycles"] for a in values["ages"]][-1] == 1e8
    assert trim.exists() and list(plots.glob("*.png"))
    train = ["train", "toy2d", "--paper", "--array", "physics", "--preset", str(preset),
             "--rows", "16", "--steps", "30"]  # fmt: skip
    assert main(train) == 0


def test_characterize_refuses_a_preset_that_could_not_be_read_again(tmp_path: Path, capsys):
    assert main(["characterize", "--preset-out", str(tmp_path / "chip.txt")]) == 2
    assert "must end in .json" in capsys.readouterr().err
