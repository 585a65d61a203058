"""Response curves: levels, lines, means and intervals of a sweep whose response is known."""

import math

import numpy as np
import pytest
from scipy import stats

from ohmcarlo.sweeps import curves
from ohmcarlo.sweeps.curves import (
    MOST_LINES,
    QUANTITIES,
    beyond_chance,
    geometric_mean,
    is_log,
    mean,
    planes,
    responses,
    settled_wrong,
    share,
)
from ohmcarlo.sweeps.table import FAILED, MISSING
from sweep_rows import REFERENCE, SWEPT, error_of, example_table, row_of


@pytest.fixture(scope="module")
def found():
    table = example_table()
    return {r.parameter: r for r in responses(table.rows, table.swept, table.reference)}


def test_a_parameter_has_a_curve_for_every_setting_of_the_others(found):
    rows = found["rows"]
    assert rows.values == [16, 64, 256, 1024]  # a missing level is none
    labels = [line.label for line in rows.lines]
    assert labels[:2] == [
        "task toy2d, reference",
        "task breast-cancer",
    ]
    assert "slow_share 1" in labels
    first = {level.value: level for level in rows.lines[0].levels}
    assert (first[16].cells, first[16].failed) == (4, 4)
    assert math.isnan(first[16].estimates["posterior-error"].middle)
    assert (first[64].cells, first[64].failed) == (4, 0)
    assert [level.value for level in found["kernel"].lines[0].levels] == ["corrected", "published"]
    assert "seed" not in found


def test_the_error_beyond_chance_is_found(found):
    for line in found["rows"].lines:
        for level in line.levels:
            if level.failed:
                continue
            wanted = error_of({**REFERENCE, **line.others, "rows": level.value})
            estimate = level.estimates["posterior-error"]
            assert estimate.middle == pytest.approx(wanted, rel=0.02)
            assert estimate.low <= wanted <= estimate.high


@pytest.mark.stats
def test_an_error_that_is_chance_alone_is_none():
    rng = np.random.default_rng(5)
    chance = np.full(40, 0.05)
    weights = rng.normal(0, 0.05, (40, 8))
    nothing = beyond_chance(np.sqrt((weights**2).mean(axis=1)), chance, np.full(40, 0.001))
    assert nothing.middle < 0.015
    moved = np.sqrt(((weights + 0.05) ** 2).mean(axis=1))  # the control
    assert beyond_chance(moved, chance, np.full(40, 0.001)).low > 0.03
    wide = beyond_chance(np.full(40, 0.05), chance, np.full(40, 0.2))
    assert wide.middle == pytest.approx(0.2)


def test_intervals_are_those_of_student_t():
    values = np.array([0.91, 0.95, 0.93, 0.99])
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert mean(values) == pytest.approx((values.mean(), low, high))
    logs = mean(np.log(values))
    assert geometric_mean(values) == pytest.approx(tuple(map(math.exp, logs)))
    assert geometric_mean(values).middle == pytest.approx(stats.gmean(values))
    alone = mean(values[:1])
    assert alone.middle == 0.91
    assert math.isnan(alone.low)
    assert all(map(math.isnan, geometric_mean(np.zeros(2))))


def test_shares_have_the_intervals_of_wilson():
    """Expected: (p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n)."""
    z = stats.norm.ppf(0.975)
    for ones in (0, 3, 12):
        values = np.repeat([1.0, 0.0], [ones, 12 - ones])
        p = ones / 12
        half = z * math.sqrt(p * (1 - p) / 12 + z**2 / (4 * 12**2))
        low, high = ((p + z**2 / 24 + sign * half) / (1 + z**2 / 12) for sign in (-1, 1))
        assert share(values) == pytest.approx((p, low, high), abs=1e-12)
    assert mean(np.zeros(12)).high == 0  # the control: Student's t has no width here
    row = row_of(0)
    by_name = {q.name: q for q in QUANTITIES}
    assert by_name["settled"].of([{**row, "settled": True}] * 12).low < 80


def test_settled_but_wrong_is_a_share_of_all_runs():
    settled = np.array([1.0, 1.0, 0.0, 0.0])
    wrong = np.array([0.3, 0.01, 0.3, 0.01])
    assert settled_wrong(settled, wrong, np.zeros(4), np.zeros(4)) == share(np.eye(4)[0])
    assert share(np.eye(4)[0]).middle == 0.25
    assert settled_wrong(settled, np.full(4, 0.01), np.zeros(4), np.zeros(4)).middle == 0
    title = next(q.title for q in QUANTITIES if q.name == "settled-wrong")
    assert title == "runs that are settled with an error above 0.1"


def test_levels_with_failed_cells_are_not_within():
    rows = [row_of(s, rows=r, **{"preset.slow_share": 0.0}) for r in (64, 256) for s in range(4)]
    lost = [*rows[:3], row_of(3, FAILED, rows=64, **{"preset.slow_share": 0.0}), *rows[4:]]
    (response,) = responses(rows, ("rows", "seed"), {"rows": 256})
    assert [level.is_within() for level in response.lines[0].levels] == [True, True]
    assert "failed-share" not in {q.name for q in response.quantities()}  # the control
    (response,) = responses(lost, ("rows", "seed"), {"rows": 256})
    assert [level.is_within() for level in response.lines[0].levels] == [False, True]
    assert "failed-share" in {q.name for q in response.quantities()}
    shares = [level.estimates["failed-share"].middle for level in response.lines[0].levels]
    assert shares == [25.0, 0.0]


def test_a_run_without_an_effective_size_counts_as_one_sample():
    rows = [
        {**row_of(s, rows=r), "chains": 4, "steps_made": 1000, "energy_joules": 1e-5}
        for r in (64, 256)
        for s in range(2)
    ]
    rows[1] = {**rows[1], "ess_per_1000_steps": None, "energy_per_sample_joules": None}
    (response,) = responses(rows, ("rows", "seed"), {"rows": 256})
    stuck, control = response.lines[0].levels
    assert stuck.estimates["ess"].middle == pytest.approx(math.sqrt(50.0 * 1000 / 4000))
    assert stuck.estimates["energy"].middle == pytest.approx(math.sqrt(1e-7 * 1e-5) * 1e9)
    assert control.estimates["ess"].middle == pytest.approx(math.sqrt(50.0 * 100.0))
    unknown = [{**row, "ess_per_1000_steps": None} for row in rows]
    (response,) = responses(unknown, ("rows", "seed"), {"rows": 256})
    assert "ess" not in {q.name for q in response.quantities()}


def test_a_grid_is_a_map_and_single_changes_are_none():
    table = example_table()
    (plane,) = planes(table.rows, table.swept, table.reference)
    assert (plane.y, plane.x, plane.label) == ("rows", "preset.slow_share", "")
    assert plane.y_values == [16, 64, 256, 1024]
    at = (plane.y_values.index(64), plane.x_values.index(1.0))
    wanted = error_of({"rows": 64, "preset.slow_share": 1.0})
    assert plane.estimates[at].middle == pytest.approx(wanted, rel=0.02)
    assert (plane.y_values.index(64), plane.x_values.index(0.5)) not in plane.estimates
    single = [r for r in table.rows if r["rows"] == 256 or r["preset.slow_share"] == 0.25]
    assert planes(single, table.swept, table.reference) == []


def test_fields_of_a_map_with_failed_cells_are_known():
    table = example_table()
    (plane,) = planes(table.rows, table.swept, table.reference)
    place = plane.x_values.index(0.25)
    assert plane.failed == {(plane.y_values.index(16), place)}
    good = [row for row in table.rows if row["rows"] != 16]  # the control
    (plane,) = planes(good, table.swept, table.reference)
    assert plane.failed == frozenset()


def test_equal_points_of_two_blocks_count_once():
    rows = [row_of(seed, rows=r) for r in (64, 256, 256) for seed in range(3)]
    (response,) = responses(rows, ("rows", "seed"), REFERENCE)
    assert [level.cells for level in response.lines[0].levels] == [3, 3]
    assert response.lines[0].label == "all cells"


@pytest.mark.parametrize("points", ["apart", "grid"])
def test_the_work_grows_with_the_number_of_cells(points, monkeypatch):
    """Each of the cells of a random search has levels of its own; a grid has many fields."""
    keys, key = [], curves._key
    monkeypatch.setattr(curves, "_key", lambda value: keys.append(value) or key(value))
    grid = [(n % 16, n // 16) for n in range(256)]
    levels = grid if points == "grid" else [(n, n) for n in range(256)]
    rows = [row_of(0, rows=16 + x, **{"preset.slow_share": float(y)}) for x, y in levels]
    names = ("rows", "preset.slow_share")
    assert len(responses(rows, names, {})) == 2
    assert len(planes(rows, names, {})) == (points == "grid")
    assert len(keys) < 60 * len(rows)


def test_parameters_that_change_together_have_curves():
    together = {64: 0.1, 128: 0.2, 256: 0.3}
    rows = [row_of(0, rows=r, **{"preset.slow_share": s}) for r, s in together.items()]
    found = responses(rows, ("rows", "preset.slow_share"), {})
    assert [one.values for one in found] == [[64, 128, 256], [0.1, 0.2, 0.3]]


def test_levels_may_be_numbers_names_or_absent():
    for values in ([True, False], ["codes", None], [1, 2.5], [(1, 2), (3, 4)]):
        rows = [{**row_of(0), "rows": value} for value in values]
        (response,) = responses(rows, ("rows",), {})
        assert response.values == sorted(values) if values == [1, 2.5] else values
    assert is_log([1, 2, 50])
    assert not is_log([0, 2, 50])
    assert not is_log([64, 128, 512])


def test_a_chart_has_at_most_so_many_curves():
    rows = [
        row_of(0, rows=r, **{"preset.slow_share": s / 20})
        for r in (64, 128)
        for s in range(MOST_LINES + 4)
    ]
    response = next(r for r in responses(rows, SWEPT, REFERENCE) if r.parameter == "rows")
    assert (len(response.lines), response.left_out) == (MOST_LINES, 4)
    assert response.lines[0].others == {}  # that of [base] is kept


def test_a_sweep_without_results_has_no_quantity():
    assert responses([], SWEPT, REFERENCE) == []
    rows = [row_of(0, MISSING, rows=r) for r in (64, 128)]
    assert responses(rows, SWEPT, REFERENCE) == []
    known = {q.name for q in QUANTITIES}
    (response,) = responses([row_of(0, rows=r) for r in (64, 128)], ("rows",), REFERENCE)
    assert {q.name for q in response.quantities()} <= known - {"rmse", "return", "log-loss"}
