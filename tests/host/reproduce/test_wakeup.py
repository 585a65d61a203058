"""Doubtful beats wake the host: the sweep by hand, costs by hand, verdicts that can fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array.base import DOT
from ohmcarlo.golden import MAX_THRESHOLD, Thresholds, judge
from ohmcarlo.reproduce.base import Bench, Cell
from ohmcarlo.reproduce.output import write_figure
from ohmcarlo.reproduce.wakeup import figure, tables
from ohmcarlo.reproduce.wakeup.cells import MARGIN, ONCE, RECALIBRATED, VARIANCE, array_cell
from ohmcarlo.reproduce.wakeup.costs import Costs, beat_energy
from ohmcarlo.reproduce.wakeup.sweep import (
    THRESHOLDS,
    Beats,
    at_rate,
    random_at,
    rate_for,
    sweep,
    threshold_for,
)
from ohmcarlo.spec import PROB_FRAC, Geometry

ONE = 1 << PROB_FRAC


def beats(count: int = 4000, seed: int = 0) -> tuple[Beats, np.ndarray]:
    """Beats and calibrated probabilities of V, a tenth of the beats of class S without an answer;
    the host errs in a hundredth of them."""
    rng = np.random.default_rng(seed)
    p = rng.beta(0.2, 0.2, count)
    classes = np.where(rng.random(count) < p, "V", "N")
    classes[::10], classes[5::400] = "S", "F"
    wrong = rng.random(count) < 0.01
    return Beats(classes, (classes == "V") ^ wrong), p


def swept(p: np.ndarray, cases: Beats, sign: float = 1.0) -> dict[str, list[float]]:
    margin = np.minimum(p, 1 - p) * ONE
    doubt = margin if sign > 0 else ONE / 2 - margin
    return sweep(cases, p >= 0.5, lambda threshold: doubt >= threshold)


def test_a_sweep_by_hand() -> None:
    """Four beats: the board errs in the two that it doubts most; the host errs in one of them. Two
    further beats have no right answer."""
    classes = np.array(["V", "N", "V", "N", "S", "F"])
    answers = np.array([True, False, False, True, True, True])
    margin = np.array([100, 200, 20_000, 30_000, 30_000, 30_000])
    cases = Beats(classes, np.array([True, False, True, True, True, True]))
    found = sweep(cases, answers, lambda threshold: margin >= threshold)
    assert found["woken"][0] == 1.0 and found["woken"][-1] == 0.0
    assert found["accuracy.ideal"][0] == 1.0 and found["accuracy.ideal"][-1] == 0.5
    assert found["accuracy.host"][0] == 0.75  # the host alone
    place = next(i for i, threshold in enumerate(THRESHOLDS) if threshold > 20_000)
    assert found["woken"][place] == 0.25 and found["S"][place] == 1.0
    assert found["accuracy.ideal"][place] == 0.75 and found["accuracy.host"][place] == 0.5
    place = next(i for i, threshold in enumerate(THRESHOLDS) if threshold > 200)
    assert found["woken"][place] == 0.5 and found["balanced_accuracy.ideal"][place] == 1.0


def test_thresholds_reach_from_every_beat_to_none() -> None:
    assert THRESHOLDS[0] == 0 and THRESHOLDS[-1] == MAX_THRESHOLD
    assert list(THRESHOLDS) == sorted(set(THRESHOLDS))
    cases, p = beats()
    found = swept(p, cases)
    assert found["woken"] == sorted(found["woken"], reverse=True)
    assert (found["woken"][0], found["woken"][-1]) == (1.0, 0.0)


def test_results_between_two_thresholds() -> None:
    found = {"woken": [1.0, 0.4, 0.2, 0.0], "accuracy.ideal": [1.0, 0.98, 0.96, 0.9]}
    assert at_rate(found, "accuracy.ideal", 0.3) == pytest.approx(0.97)
    assert at_rate(found, "accuracy.ideal", 0.1) == pytest.approx(0.93)
    assert random_at(found, "accuracy.ideal", 0.3) == pytest.approx(0.93)
    assert rate_for(found, "accuracy.ideal", 0.97) == pytest.approx(0.3, abs=1e-3)
    assert np.isnan(rate_for({**found, "accuracy.ideal": [0.9] * 4}, "accuracy.ideal", 0.97))
    assert threshold_for(found["woken"], 0.25) == 2 and threshold_for(found["woken"], 1.0) == 0


@pytest.mark.stats
def test_doubt_finds_errors_and_confidence_does_not() -> None:
    """Calibrated probabilities (seed 0): doubtful beats hold the errors. The control wakes the host
    for the confident ones, and the verdict against random beats is then bad. With 3,600 beats, the
    standard error of an accuracy is 0.5 points; the difference to random beats is 3 points."""
    cases, p = beats()
    good, bad = ({MARGIN: swept(p, cases, sign)} for sign in (1.0, -1.0))
    rows = {}
    for name, cell in (("good", good), ("bad", bad)):
        cell[VARIANCE] = cell[MARGIN]
        rows[name] = tables.rate_table("ideal", [cell], [good]).rows
    met = {name: [row.met for row in rows[name] if row.met is not None] for name in rows}
    assert all(met["good"]) and not any(met["bad"])
    at = at_rate(good[MARGIN], "accuracy.ideal", 0.1)
    assert at > random_at(good[MARGIN], "accuracy.ideal", 0.1) + 0.02


def test_thresholds_of_the_sweep_are_those_of_the_board() -> None:
    """A sweep over sums of the prediction mode equals one over probabilities, but for rounding."""
    cases, p = beats(800)
    samples = 300
    sums = np.rint(np.stack([p, p**2], axis=1) * samples * ONE).astype(np.int64)
    found = sweep(
        cases,
        judge(sums, samples, Thresholds())[0],
        lambda threshold: judge(sums, samples, Thresholds(margin=threshold))[1],
    )
    wanted = swept(p, cases)
    for name in wanted:
        assert np.allclose(found[name], wanted[name], atol=2e-3), name


def test_the_energy_of_a_beat_by_hand() -> None:
    """1,500 clocks of 288 pJ for an answer, 1,800 more and the radio for a wake-up; 250 accesses
    of a row cost what the energy model says of them."""
    nothing = [0.0] * 16
    geometry = {"rows": 256, "pairs": 32, "entropy_pairs": 4}
    spent = beat_energy(nothing[: len(_counts())], geometry)
    assert spent.array == 0.0
    assert spent.processor == pytest.approx(1500 * 288e-6)
    assert spent.wakeup == pytest.approx(100 + 1800 * 288e-6)
    assert spent.at(0.05) == pytest.approx(0.432 + 0.05 * 100.5184)
    counts = _counts()
    counts[DOT] = 250.0
    array = beat_energy(counts, geometry).array
    per_access = 15 + 3 + 2 * 3.1 + 6 * 0.1 + 1  # converter, word line, logic, pJ
    assert array == pytest.approx(250 * per_access * 1e-6)
    dearer = Costs(wakeup_uj=Costs().wakeup_uj.moved(1000))
    assert beat_energy(counts, geometry, dearer).wakeup > 1000


def _counts() -> list[float]:
    from ohmcarlo.array.base import Ledger

    return [0.0] * len(Ledger(Geometry()).counts)


def made_up(cycles: float, trim: str, seed: int, loss: float = 0.0) -> Cell:
    """A cell whose board errs more often by ``loss``."""
    cases, p = beats(1500, seed)
    rng = np.random.default_rng(seed)
    worse = np.where(rng.random(len(p)) < loss, 1 - np.round(p), p)
    found = swept(worse, cases)
    found["woken_before"] = found["woken"]
    return {
        "cycles": cycles, "trim": trim, "seed": seed, "acceptance": 0.3, "samples": 400,
        "counts": _counts(), "geometry": {"rows": 256, "pairs": 32, "entropy_pairs": 4},
        MARGIN: found, VARIANCE: found,
    }  # fmt: skip


class Watcher:
    def say(self, text: str) -> None: ...

    def track(self, cells: Any, total: int, what: str) -> Any:
        return cells


def test_the_figure_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure.ecg, "beat_table", lambda: None)
    monkeypatch.setattr(figure, "array_cell", made_up)
    monkeypatch.setattr(figure, "software_cell", lambda seed: made_up(0.0, RECALIBRATED, seed))

    def compute(self: Bench, what: str, function: Any, cells: list[Cell]) -> list[Cell]:
        return [function(**cell) for cell in cells]

    monkeypatch.setattr(Bench, "map", compute)
    made = figure.make(Bench(tmp_path / "cells", 2, 1, Watcher()))
    write_figure("wakeup", made, tmp_path)
    assert (tmp_path / "wakeup.png").stat().st_size > 10_000
    values = json.loads((tmp_path / "wakeup.json").read_text())
    assert len(values["cells"]) == 2 * 3 + 2 * 4 and values["thresholds"] == list(THRESHOLDS)
    assert len(values["tables"]) == 5 and "arXiv:2605.29533" in " ".join(values["notes"])


def test_a_loss_of_worn_devices_is_a_bad_verdict() -> None:
    """Ages are compared with the threshold of the fresh array; an array that errs more often and
    does not doubt it loses."""
    fresh = [made_up(0.0, RECALIBRATED, seed) for seed in range(2)]
    others = [
        made_up(cycles, trim, seed)
        for seed in range(2)
        for cycles, trim in (
            (1e5, RECALIBRATED), (1e6, RECALIBRATED), (1e8, RECALIBRATED), (1e8, ONCE),
            (1e7, ONCE),
        )
    ]  # fmt: skip
    for loss, met in ((0.0, True), (0.1, False)):
        worn = [made_up(1e7, RECALIBRATED, seed, loss) for seed in range(2)]
        rows = tables.age_table([*fresh, *others, *worn]).rows
        verdicts = {row.quantity: row.met for row in rows if row.met is not None}
        assert verdicts["10^7 cycles, recalibrated: accuracy lost, ideal host"] is met
        assert verdicts["10^7 cycles, trimmed once: accuracy lost, ideal host"] is True


@pytest.mark.data("mitdb")
@pytest.mark.verify
def test_an_array_triages_the_beats_of_unseen_patients() -> None:
    """A worn array, few steps: doubt finds its errors on MIT-BIH, and more S beats than N beats."""
    cell = array_cell(1e7, RECALIBRATED, 0, steps=600)
    found = cell[MARGIN]
    alone = found["accuracy.ideal"][-1]
    assert 0.95 < alone < 0.995 and cell["samples"] > 200
    assert at_rate(found, "accuracy.ideal", 0.05) > random_at(found, "accuracy.ideal", 0.05) + 0.005
    assert at_rate(found, "S", 0.05) > 0.1 > 0.05
    assert beat_energy(cell["counts"], cell["geometry"]).array < 0.1
