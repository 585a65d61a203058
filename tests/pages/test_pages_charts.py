"""Charts: what is drawn, what the table and the words beside it hold, and every name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from example_page import HOSTILE, example_charts
from scipy.stats import rankdata

from ohmcarlo.pages import charts
from ohmcarlo.pages.charts_chains import rank_shares, settled_range
from ohmcarlo.pages.content import Chart, Headline, HtmlPage, Section, Tone, clean
from ohmcarlo.pages.render import fragments
from ohmcarlo.pages.series import legend, numbers, thinned


def drawn(made: list[Chart]) -> dict[str, Any]:
    """The drawings as the page's script gets them."""
    section = Section("only", "Only", charts=tuple(made))
    page = HtmlPage("Charts", "", Headline(Tone.GOOD, "fine", ()), (section,))
    return json.loads(json.dumps(fragments(page)["charts"], allow_nan=False))


def test_every_chart_is_drawn() -> None:
    """Vega compiles and draws each chart without a warning, with names that try to break it."""
    import vl_convert

    for name, drawing in drawn(example_charts()).items():
        spec = {**drawing["spec"], "width": 400, "height": drawing["height"]}
        svg = vl_convert.vegalite_to_svg(spec)
        assert "<script" not in svg, name
        assert len(re.findall(r"<path|<text|<line", svg)) > 20, name
        assert "undefined" not in svg, name
        assert "NaN" not in svg, name


def values_of(spec: Any, key: str) -> Iterator[Any]:
    """Everything that stands under a key, at any depth."""
    if isinstance(spec, list):
        for part in spec:
            yield from values_of(part, key)
    elif isinstance(spec, dict):
        yield from [spec[key]] if key in spec else []
        for part in spec.values():
            yield from values_of(part, key)


def test_no_name_is_a_field() -> None:
    """Fields are short names of our own; names of users are values and titles."""
    for drawing in drawn(example_charts()).values():
        used = set(values_of(drawing["spec"], "field"))
        assert all(re.fullmatch(r"[a-z]*\d*", name) for name in used), used


def test_titles_of_tooltips_have_no_backslash() -> None:
    """Vega-Lite puts them into an expression without escaping backslashes."""
    tips = values_of(drawn(example_charts()), "tooltip")
    titles = {title for tip in tips for title in values_of(tip, "title")}
    assert HOSTILE[1].replace("\\", "\u2216") in titles
    assert not any("\\" in title for title in titles)


def test_thinned_traces_keep_extremes() -> None:
    """A spike of one step survives in a trace of 100,000, whose ends stay; order is kept."""
    trace = np.sin(np.arange(100_000) / 500)
    trace[54_321], trace[77_777] = 9, -9
    places, kept = thinned(trace)
    assert len(places) <= 1200
    assert kept.max() == 9
    assert kept.min() == -9
    assert places[kept.argmax()] == 54_321
    assert (np.diff(places) > 0).all()
    np.testing.assert_array_equal(trace[places], kept)
    every_83rd = trace[::83]  # the control: plain thinning loses both spikes
    assert np.abs(every_83rd).max() <= 1


def test_short_traces_are_whole() -> None:
    places, kept = thinned(np.arange(1200.0))
    assert len(places) == 1200
    assert kept[-1] == 1199


def test_numbers_are_json() -> None:
    assert numbers([1, 2]) == [1, 2]
    assert numbers([np.inf, -np.inf, np.nan, 1 / 3, 1e300]) == [None, None, None, 0.33333, 1e300]
    assert numbers(np.array([[True, False]])) == [True, False]


def test_sixteen_series_differ() -> None:
    entries = legend([str(k) for k in range(16)])
    assert len({(entry.colour, entry.dash) for entry in entries}) == 16
    for first, second in pairwise(entries):
        assert first.colour != second.colour
        assert first.dash != second.dash


@pytest.mark.stats
def test_ranks_tell_chains_apart() -> None:
    """Chains of one distribution have equal shares; a chain that is shifted by 1 σ has not.

    2,000 draws a chain, 100 in each of 20 parts: a share varies by 0.1, so four times that is
    passed by one of 80 shares in about 200 runs.
    """
    rng = np.random.default_rng(7)
    alike = rng.normal(size=(4, 2000))
    shares = rank_shares(alike)
    np.testing.assert_allclose(shares.mean(axis=0), 1)
    assert np.abs(shares - 1).max() < 0.4
    shifted = alike + np.array([[1.0], [0], [0], [0]])
    assert np.abs(rank_shares(shifted) - 1).max() > 0.8  # the control
    ranks = rankdata(shifted).reshape(4, 2000)
    below = (ranks[0] <= 400).sum() / 100
    assert rank_shares(shifted)[0, 0] == pytest.approx(below)


def test_intervals_are_in_the_table() -> None:
    chart = charts.intervals("w", "Weights", "Two.", ["a", "b"], [-1, 0.5], [0, 1], [1, 2.5],
                             what="94 % interval")  # fmt: skip
    assert chart.table is not None
    assert chart.table.header == ("name", "median", "94 % interval", "interval excludes 0")
    assert chart.table.rows == (("a", "0", "-1 to 1", "no"), ("b", "1", "0.5 to 2.5", "yes"))


def test_a_heat_map_shows_each_device() -> None:
    """Row, column, value and further values of a device belong together."""
    grid = np.arange(6.0).reshape(2, 3)
    grid[1, 2] = np.nan
    wear = 10 * np.arange(6).reshape(2, 3)
    hover = {"wear": wear, "state": ["in", "out"]}
    chart = charts.heat_map("g", "Array", "Six.", grid, axis="µS", hover=hover)
    (rows,) = chart.spec["datasets"]["rows"]
    assert rows["v"] == [0, 1, 2, 3, 4, None]
    assert rows["h0"] == [0, 10, 20, 30, 40, 50]
    assert rows["allh1"] == ["in", "out"]
    assert chart.spec["usermeta"]["embedOptions"]["renderer"] == "svg"
    large = charts.heat_map("g", "Array", "Many.", np.zeros((128, 128)), axis="µS")
    assert large.spec["usermeta"]["embedOptions"]["renderer"] == "canvas"


def test_traces_of_a_partial_run() -> None:
    """Chains of different length, one that has not begun, and a value that is not finite."""
    chart = charts.traces("lp", "Trace", "Partial.", [[1, 2, np.inf], [3.0], []], axis="nat",
                          burn_in=10)  # fmt: skip
    assert chart.table is not None
    assert chart.table.rows == (
        ("chain 0", "1", "1", "1.5", "2", ""),
        ("chain 1", "3", "3", "3", "3", "3"),
        ("chain 2", "", "", "", "", ""),
    )
    parts = chart.spec["datasets"]["parts"]
    assert [part["t"] for part in parts] == ["1", "2", "3"]
    assert [part["c0"] for part in parts] == ["1", "2", "none"]
    assert [part["c1"] for part in parts] == ["3", "none", "none"]
    assert {part["c2"] for part in parts} == {"none"}
    empty = charts.traces("lp", "Trace", "None.", [], axis="nat")
    assert empty.spec["datasets"]["parts"] == []


def test_the_axis_shows_the_settled_range() -> None:
    low, high = settled_range([np.linspace(0, 1, 1000)])
    assert -0.1 < low < 0.01
    assert 1 < high < 1.1
    assert settled_range([np.array([np.nan])]) == (0, 1)
    constant = settled_range([np.ones(5)])
    assert constant[0] < 1 < constant[1]


def test_counts_of_a_histogram() -> None:
    """The table has NumPy's counts; what is not finite is left out."""
    values = [0.1, 0.2, 0.6, np.nan, np.inf]
    chart = charts.histogram("h", "Histogram", "Three.", {"a": values}, axis="p", bins=[0, 0.5, 1])
    assert chart.table is not None
    assert chart.table.rows == (("0 to 0.5", "2"), ("0.5 to 1", "1"))
    assert chart.legend == ()


@pytest.mark.parametrize("chart", example_charts(), ids=lambda chart: chart.name)
def test_a_chart_has_words_and_numbers(chart: Chart) -> None:
    """Every chart but the heat map of an array has its numbers as a table."""
    assert chart.description
    assert (chart.table is None) == (chart.name == "array")
    if chart.table:
        assert all(len(row) == len(chart.table.header) for row in chart.table.rows)


def test_controls_become_a_visible_sign() -> None:
    assert clean("a\0b\ud800\x1b[31m") == "a\ufffdb\ufffd\ufffd[31m"
    assert clean("µ\tline\nend 😀") == "µ\tline\nend 😀"
    assert clean(HOSTILE[0]) == HOSTILE[0]
