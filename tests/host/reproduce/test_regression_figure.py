"""The figure of regression: its cells on a short chain, and whether its goals see a wrong one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ohmcarlo.errors import UsageError
from ohmcarlo.reproduce.regression import cells, figure, orders
from ohmcarlo.runs.regression.posterior import JointPosterior


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "STEPS", 1500)


def met(runs: list[dict[str, Any]]) -> dict[str, bool]:
    rows = figure.table_of("a set", runs).rows
    return {row.quantity: row.met for row in rows if row.met is not None}


def test_a_cell_and_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: draws that are too wide, or moved, miss the goals of exactness."""
    exact, right = cells.exactness, dict[str, Any]()

    def moved(experiment: Any, posterior: JointPosterior) -> dict[str, Any]:
        right.update(exact(experiment, posterior))
        centre, spread = posterior.weights.mean((0, 1)), posterior.weights.std((0, 1))
        wrong = centre + 1.3 * (posterior.weights - centre) + 0.5 * spread
        return exact(experiment, replace(posterior, weights=wrong))

    monkeypatch.setattr(cells, "exactness", moved)
    found = cells.split("robot-arm", 0, True)
    goals = met([found])
    assert goals["RMSE, ratio"] and goals["CRPS, ratio"]
    assert not goals["means, rms over weights and splits (sd)"]
    assert not goals["spreads, largest ratio"]
    assert right["mean_sd_rms"] < 0.12 and 0.8 < right["spread_low"] < right["spread_high"] < 1.2
    assert right["noise"] == pytest.approx(1, abs=0.01) and 0.9 < found["reads"] < 1


def test_no_order_of_the_points_saves_many_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Early rejection decides alike in every order; that of the proposal's own terms is the best
    one."""
    monkeypatch.setattr(orders, "PROPOSALS", 2000)
    found = orders.reads("diabetes", 0.8)
    come, fixed, own = (found[name] for name in orders.ORDERS)
    assert 1 >= come > fixed > own > 0.93
    assert found["acceptance"] == pytest.approx(0.76, abs=0.04)  # as without early rejection


class Stub:
    """A bench whose cells are computed already."""

    seeds = 2

    def __init__(self, cell: dict[str, Any]) -> None:
        self.cell, self.asked, self.said = cell, list[str](), list[str]()

    def say(self, text: str) -> None:
        self.said.append(text)

    def map(self, what: str, _: Any, cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.asked.append(what)
        return [self.cell] * len(cells)


def test_the_figure_has_every_set_and_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the data of the recorded cells, their table is left out with a remedy."""

    def missing(name: str) -> None:
        raise UsageError(f"run `ohmcarlo data fetch {name}`")

    monkeypatch.setattr(figure, "find", missing)
    scores = {"rmse": 1.0, "r2": 0.5, "crps": 0.5, "coverage": {"50": 0.5, "90": 0.9, "95": 0.95}}
    cell = {
        "array": scores, "ridge": scores, "ess": 100.0, "reads": 0.95, "verdict": "settled",
        "mean_sd_rms": 0.01, "spread_low": 0.99, "spread_high": 1.01, "noise": 1.0, "sigma_p": 1.0,
        "acceptance": 0.6, **dict.fromkeys(orders.ORDERS, 0.97),
    }  # fmt: skip
    bench = Stub(cell)
    found = figure.make(bench)  # type: ignore[arg-type]
    titles = [table.title for table in found.tables]
    assert titles[:2] == ["diabetes, adapted", "diabetes, around the fit"]
    assert "diabetes, adapted, physics" in titles and len(titles) == 9
    assert "ohmcarlo data fetch rram-set-sweep" in bench.said[0]
    assert all(row.met for table in found.tables for row in table.rows if row.met is not None)
    assert list(found.pictures) == ["regression"]
