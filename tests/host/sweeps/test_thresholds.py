"""Levels that are within 5 %: crossings of known curves, and the curves of a file read again."""

import math
from dataclasses import replace

import pytest

from ohmcarlo.errors import OhmcarloError
from ohmcarlo.sweeps.curve_file import read_curves, write_curves
from ohmcarlo.sweeps.curves import POSTERIOR_ERROR, QUANTITIES, Estimate, Level, Line, responses
from ohmcarlo.sweeps.thresholds import range_text, ranges, within
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
    assert (found.low.safe, found.high.safe) == pytest.approx((1.625, 2.375))
    assert found.text() == "≥ 1.5 (1.7 to 1.4) and ≤ 2.5 (2.3 to 2.6)"


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


def test_means_within_are_told_from_intervals_within():
    errors = {0.01: 0.02, 0.1: 0.03, 0.2: 0.045}
    sure = line_of(errors, half=0.004)
    assert range_text(sure, log=False) == "all: 0.01 to 0.2"
    crossed = line_of(errors, half=0.0125)  # 0.0425 and 0.0575 cross 0.05 in the middle
    text = "all: 0.01 to 0.2 by the means, by the intervals ≤ 0.15"
    assert range_text(crossed, log=False) == text
    wide = line_of(errors, half=0.04)
    assert range_text(wide, log=False) == "all: 0.01 to 0.2 by the means, by the intervals none"
    both = line_of({0: 0.049, 1: 0.02, 2: 0.02, 3: 0.049, 4: 0.2}, half=0.01)
    assert range_text(both, log=False).endswith("by the intervals ≥ 0.32")
    names = line_of({"a": 0.045, "b": 0.01, "c": 0.2}, half=0.01)
    assert range_text(names, log=False) == "a (by the mean), b"


def failing(line, *values, error=math.nan):
    """The curve with failed cells at these levels; the mean of the others is ``error``."""
    known = {POSTERIOR_ERROR.name: Estimate(error, error, error)}
    return replace(
        line,
        levels=tuple(
            replace(v, failed=1, estimates=known) if v.value in values else v for v in line.levels
        ),
    )


@pytest.mark.parametrize("error", [math.nan, 0.01])
def test_a_level_of_which_cells_failed_is_not_within(error):
    line = line_of({16: 0.01, 256: 0.01, 1024: 0.02, 4096: 0.02}, half=0.005)
    assert range_text(line, log=True) == "all: 16 to 4,096"  # the control
    first = failing(line, 16, error=error)
    assert range_text(first, log=True) == "≥ 256 (256 to 256; runs fail at 16)"
    last = failing(line, 4096, error=error)
    assert range_text(last, log=True) == "≤ 1,024 (1,024 to 1,024; runs fail at 4,096)"
    assert range_text(failing(line, 16, 256, 1024, 4096, error=error), log=True) == "none"
    names = failing(line_of({"a": 0.01, "b": 0.01}), "a", error=error)
    assert range_text(names, log=False) == "b"


def test_one_seed_has_no_interval():
    alone = line_of({0.0: 0.01, 2.0: 0.09}, half=math.nan)
    assert range_text(alone, log=False) == "≤ 1 (no interval)"
    text = "all: 0 to 2 by the means, no interval"
    assert range_text(line_of({0.0: 0.01, 2.0: 0.02}, half=math.nan), log=False) == text
    control = line_of({0.0: 0.01, 2.0: 0.09}, half=0.01)
    assert range_text(control, log=False) == "≤ 1 (0.75 to 1.2)"


def test_levels_that_were_tried_have_all_their_digits():
    line = line_of({1024: 0.05, 2048: 0.06}, half=0.0)
    assert range_text(line, log=False) == "≤ 1,024 (1,024 to 1,024)"
    assert range_text(line_of({1234567: 0.01, 1.5e6: 0.01}), log=False) == (
        "all: 1,234,567 to 1,500,000"
    )


def test_safe_levels_are_rounded_inwards():
    rising = line_of({0.0: 0.01, 1.0: 0.07}, half=0.0088)  # 0.52 and 0.8133 by hand
    found = within(rising, log=False)
    assert found.high.safe == pytest.approx(0.52)
    assert found.text() == "≤ 0.67 (0.52 to 0.81)"
    rising = line_of({0.0: 0.01, 1.0: 0.07}, half=0.0085)
    assert within(rising, log=False).high.safe == pytest.approx(0.525)
    assert within(line_of({0.0: 0.01, 1.0: 0.07}, half=0.0083), log=False).text() == (
        "≤ 0.67 (0.52 to 0.8)"  # 0.5283 and 0.805
    )
    falling = line_of({0.0: 0.07, 1.0: 0.01}, half=0.0083)
    assert within(falling, log=False).text() == "≥ 0.33 (0.48 to 0.2)"  # 0.4717 and 0.195


def test_all_ranges_of_a_curve_are_reported():
    line = line_of({0: 0.01, 1: 0.09, 2: 0.09, 3: 0.02, 4: 0.02}, half=0.004)
    low, high = ranges(line, log=False)
    assert (low.low, high.high) == (None, None)
    assert low.high.level == pytest.approx(0.5)
    assert high.low.level == pytest.approx(2 + 4 / 7)
    text = range_text(line, log=False)
    assert text == f"{low.text()} or {high.text()}"
    assert within(line, log=False) == low
    assert range_text(line_of({0: 0.01}), log=False) == "too few levels"
    assert len(ranges(line_of({0: 0.01, 1: 0.02, 2: 0.09}), log=False)) == 1  # the control


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
