"""The figure of adaptation: its cells on short chains, and whether its goals see wrong ones."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from ohmcarlo.reproduce.adaptation import cells, figure
from ohmcarlo.reproduce.adaptation.cells import ADAPTED, FAIR, FITTED
from ohmcarlo.reproduce.adaptation.pictures import draw
from ohmcarlo.reproduce.adaptation.sets import SETS

EASY = "wine"


@pytest.fixture(scope="module")
def found() -> list[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cells, "STEPS", 400)
        return [cells.compare(EASY, seed) for seed in range(2)]


def missed(name: str, runs: list[dict[str, Any]]) -> set[str]:
    rows = figure.table_of(name, runs).rows
    return {row.quantity.split(" (")[0] for row in rows if row.met is False}


def changed(runs: list[dict[str, Any]], **values: float) -> list[dict[str, Any]]:
    """The same cells with other numbers of the adapted chain of the last one."""
    other = deepcopy(runs)
    for name, value in values.items():
        other[-1][ADAPTED][name] = np.asarray(other[-1][ADAPTED][name]) * value
    return other


def test_a_cell_and_its_goals(found: list[dict[str, Any]]) -> None:
    assert [c["seed"] for c in found] == [0, 1]
    assert all(c[FAIR]["rho"] == c[ADAPTED]["rho"] for c in found)
    assert all(c[FITTED]["rho"] == 0.8 for c in found)
    assert not missed(EASY, found)
    assert set(draw({EASY: found}).axes[1].get_xlabel().split()) >= {"steps", "adaptation,"}


def test_goals_see_wrong_chains(found: list[dict[str, Any]]) -> None:
    """Controls: a chain that sticks, one that takes long, moved means, a wide posterior."""
    assert missed(EASY, changed(found, ess_min_per_1000_steps=0.05)) >= {"ESS, adapted, worst seed"}
    slow = [c | {ADAPTED: c[ADAPTED] | {"ess_min_per_1000_steps": 5.0}} for c in found]
    assert missed(EASY, slow) == {"ESS, adapted, median"}
    late = [c | {"steps": 1501} for c in found]
    assert missed(EASY, late) == {"steps of the adaptation, most"}
    wide = [c | {ADAPTED: c[ADAPTED] | {"sd": [1.3 * s for s in c[FITTED]["sd"]]}} for c in found]
    assert missed(EASY, wide) == {"spreads, off by"}
    moved = deepcopy(found)
    for c in moved:
        c[ADAPTED]["mean"] = list(np.array(c[FITTED]["mean"]) + 0.5 * np.array(c[FITTED]["sd"]))
    assert missed(EASY, moved) == {"means, beyond Monte Carlo"}


def test_the_control_must_be_caught() -> None:
    wrong = {"shift": 0.2, "spread": 0.8}
    assert figure.control_table([wrong]).rows[-1].met
    assert not figure.control_table([wrong, {"shift": 0.01, "spread": 1.0}]).rows[-1].met


def test_halves_of_a_seed() -> None:
    """Half of the points, with equal shares of the classes, other ones for other seeds."""
    for name in ("wine", "digits", "wdbc-15"):
        (x, y), (other, _) = (SETS[name].half(seed) for seed in (0, 1))
        assert x.shape == other.shape and not np.array_equal(x, other)
        assert set(y.tolist()) == {0, 1}
