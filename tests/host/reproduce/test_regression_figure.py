"""The figure of regression: its cells on a short chain, and whether its goals see a wrong one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

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
    found = cells.split("robot-arm", 0, True)
    assert found["mean_sd_rms"] < 0.12 and 0.8 < found["spread_low"] < found["spread_high"] < 1.2
    assert found["noise"] == pytest.approx(1, abs=0.01) and 0.9 < found["reads"] < 1
    assert met([found])["RMSE, ratio"] and met([found])["CRPS, ratio"]
    exact = cells.exactness

    def moved(experiment: Any, posterior: JointPosterior) -> dict[str, Any]:
        wide = posterior.weights.mean((0, 1)) + 1.3 * (
            posterior.weights - posterior.weights.mean((0, 1))
        )
        shifted = wide + 0.5 * posterior.weights.std((0, 1))
        return exact(experiment, replace(posterior, weights=shifted))

    monkeypatch.setattr(cells, "exactness", moved)
    wrong = met([cells.split("robot-arm", 0, True)])
    assert not wrong["means, rms over weights and splits (sd)"]
    assert not wrong["spreads, largest ratio"]


def test_no_order_of_the_points_saves_many_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Early rejection decides alike in every order; that of the proposal's own terms is the best
    one."""
    monkeypatch.setattr(orders, "PROPOSALS", 2000)
    found = orders.reads("diabetes", 0.8)
    come, fixed, own = (found[name] for name in orders.ORDERS)
    assert 1 >= come > fixed > own > 0.93
    assert found["acceptance"] == pytest.approx(0.76, abs=0.04)  # as without early rejection
