"""The figure of line resistance: predictions, passive networks, tables that see an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.reproduce.output import markdown
from ohmcarlo.reproduce.wires import cells, figure
from ohmcarlo.reproduce.wires.passive import dot_us

REFERENCE = Path(__file__).parents[2] / "data" / "wires.json"
CASES = json.loads(REFERENCE.read_text())["cases"]


def test_passive_network_is_that_of_badcrossbar() -> None:
    """Control: the array upside down is another one."""
    for case in CASES:
        g, row = np.array(case["g_us"]), np.array([case["row"]])
        want = pytest.approx(case["passive_dot_us"], rel=1e-8)
        assert dot_us(g, case["ohm"], row)[0] == want
        assert dot_us(g[::-1], case["ohm"], len(g) - 1 - row)[0] != want


def test_cost_follows_the_pairs_and_reach_the_rows() -> None:
    small, long, wide = cells.cost(16, 8, 10.0), cells.cost(64, 8, 10.0), cells.cost(16, 16, 10.0)
    assert small["spread"] == long["spread"]
    assert wide["spread"][cells.ARRAY] > small["spread"][cells.ARRAY] > 1.05
    assert abs(wide["spread"][cells.CALIBRATED] - 1) < 0.05
    assert long["passive"] < small["passive"] < 1
    free = cells.cost(16, 8, 0.0)
    assert free["spread"] == dict.fromkeys((cells.ARRAY, cells.CALIBRATED), 1.0)
    assert free["reach"] == free["passive"] == 1
    assert cells.cost(600, 8, 10.0)["reach"] < 1


class Stub:
    """A bench that computes predictions and invents posteriors."""

    seeds = 2

    def __init__(self, spread: float) -> None:
        self.spread, self.asked = spread, list[dict[str, Any]]()

    def map(self, what: str, function: Any, cells_: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.asked += cells_
        if function is cells.cost:
            return [cells.cost(**cell) for cell in cells_]
        predicted = {"mean_sd_rms": 0.03, "spread": 1.2}
        values = {"shift": 0.05, "spread": self.spread, "floor": 0.02, "predicted": predicted}
        return [cell | values for cell in cells_]


@pytest.mark.parametrize(("spread", "met"), [(1.01, True), (1.2, False)])
def test_the_figure_has_every_size_and_sees_a_wrong_posterior(
    spread: float, met: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure, "SIZES", ((8, 6), (16, 6)))
    bench = Stub(spread)
    found = figure.make(bench)  # type: ignore[arg-type]
    rows = [row for table in found.tables for row in table.rows]
    sampled = [row.met for row in found.tables[-1].rows if row.met is not None]
    assert sampled and all(value is met for value in sampled)
    text = markdown(found)
    assert "ratio of spreads, 16 × 6, 10 Ω, calibrated drivers" in text
    assert "predicted rms 0.03, worst spread × 1.20" in text
    assert {row.quantity for row in rows if "passive" in row.quantity}
    assert list(found.pictures) == ["wires"]
    assert len(bench.asked) == 2 * len(figure.OHMS) + 2 * (1 + 3 * len(figure.SAMPLED_OHMS)) * 2


@pytest.mark.stats
def test_a_cell_samples_a_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "STEPS", 300)
    found = cells.sample("ill-conditioned", 64, 16, 5.0, cells.ARRAY, 0)
    assert found["predicted"]["spread"] > 1.08
    assert 0.8 < found["spread"] < 1.4 and found["acceptance"] > 0.1
