"""Levels that are within 5 %: crossings of known curves, and the curves of a file read again."""

import math

import pytest

from ohmcarlo.errors import OhmcarloError
from ohmcarlo.sweeps.curves import POSTERIOR_ERROR, QUANTITIES, Estimate, Level, Line, responses
from ohmcarlo.sweeps.summary import read_curves, write_curves
from ohmcarlo.sweeps.thresholds import range_text, within
from sweep_rows import example_table


def line_of(errors, half=0.01):
    levels = [
        Level(value, 4, 0, {POSTERIOR_ERROR.name: Estimate(e, e - half, e + half)})
        for value, e in errors.items()
    ]
    return Line("", {}, tuple(levels))


def test_a_rising_error_crosses_the_limit_between_two_levels():
    found = within(line_of({0.0: 0.02, 1.0: 0.04, 2.0: 0.06}, half=0.008), log=False)
    assert found.low is None
    assert found.high.level == pytest.approx(1.5)
    assert (found.high.safe, found.high.far) == pytest.approx((1.1, 1.9))
    assert found.text() == "≤ 1.5 (1.1 to 1.9)"
    assert within(line_of({0.0: 0.06, 1.0: 0.07}), log=False) is None


def test_a_falling_error_over_a_logarithmic_axis():
    found = within(line_of({10: 0.07, 100: 0.05 - 0.02, 1000: 0.01}, half=0.005), log=True)
    assert found.high is None
    assert found.low.level == pytest.approx(10**1.5)
    assert found.low.far < found.low.level < found.low.safe
    assert found.text().startswith("≥ 32 (")


def test_an_error_with_a_minimum_has_two_edges():
    found = within(line_of({1.0: 0.09, 2.0: 0.01, 3.0: 0.09}), log=False)
    assert (found.low.level, found.high.level) == pytest.approx((1.5, 2.5))
    assert found.text() == "≥ 1.5 (1.6 to 1.4) and ≤ 2.5 (2.4 to 2.6)"


def test_edges_that_no_level_shows():
    assert range_text(line_of({0.0: 0.01, 3.0: 0.02}), log=False) == "all: 0 to 3"
    unsure = within(line_of({0.0: 0.045, 1.0: 0.055, 2.0: 0.058}, half=0.01), log=False)
    assert (unsure.high.safe, unsure.high.far) == (None, None)
    assert unsure.text() == "≤ 0.5 (none to more than 2)"
    alone = line_of({0.0: 0.01, 2.0: 0.09}, half=math.nan)
    assert within(alone, log=False).high.level == pytest.approx(1.0)
    names = line_of({"corrected": 0.01, "published": 0.2})
    assert range_text(names, log=False) == "corrected"
    assert range_text(line_of({"published": 0.2, "other": 0.3}), log=False) == "none"


def test_curves_of_a_file_are_those_of_the_sweep(tmp_path):
    table = example_table()
    write_curves(tmp_path / "curves.csv", table)
    found = read_curves(tmp_path / "curves.csv")
    wanted = responses(table.rows, table.swept, table.reference)
    assert [one.parameter for one in found] == [one.parameter for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one.values == other.values
        for line, same in zip(one.lines, other.lines, strict=True):
            assert line.label == same.label
            for level, known in zip(line.levels, same.levels, strict=True):
                assert (level.cells, level.failed) == (known.cells, known.failed)
                for q in QUANTITIES:
                    ends = level.estimates[q.name]
                    assert ends == pytest.approx(known.estimates[q.name], rel=1e-3, nan_ok=True)


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "parameter,curve,level,cells,failed\nr,,1,x,0\n"])
def test_a_file_without_curves_is_refused(tmp_path, text):
    (tmp_path / "curves.csv").write_text(text)
    with pytest.raises(OhmcarloError, match=r"curves\.csv is no file of response curves"):
        read_curves(tmp_path / "curves.csv")
    with pytest.raises(OhmcarloError, match="cannot read"):
        read_curves(tmp_path / "absent.csv")
