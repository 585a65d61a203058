"""Page and pictures of a sweep: what they state, that every chart is drawn, and partial sweeps."""

import json
import re

import numpy as np
import pytest

from ohmcarlo.pages.content import Tone
from ohmcarlo.pages.render import fragments
from ohmcarlo.sweeps.page import page_of
from ohmcarlo.sweeps.pictures import _apart, pictures_of
from ohmcarlo.sweeps.table import FAILED, FINISHED, MISSING, Table
from sweep_rows import example_table, row_of


@pytest.fixture(scope="module")
def page():
    return page_of(example_table(), "ohmcarlo sweep example.toml")


def text_of(page):
    return json.dumps([[*s.sentences, s.facts, [t.rows for t in s.tables]] for s in page.sections])


def test_the_headline_counts_cells_and_names_the_strongest_parameter(page):
    assert page.headline.tone is Tone.RUNNING
    lines = " ".join(page.headline.sentences)
    assert "68 of 84 cells are finished." in lines
    assert "8 are not computed yet" in lines
    assert "8 failed" in lines
    assert "depends most on slow_share: it is between 0.020 and 1.0" in lines


def test_a_parameter_within_its_intervals_is_not_the_strongest():
    """A large ratio of means whose intervals overlap says less than a small, certain one."""
    rows = [
        {**row_of(s, rows=r), "error_sd": e + noise * (s - 1.5), "monte_carlo_sd": 0.0}
        for (r, e, noise) in ((64, 0.1, 0.06), (256, 0.02, 0.001), (1024, 0.02, 0.001))
        for s in range(4)
    ]
    table = Table("noisy", ("rows", "seed"), {"rows": 256}, rows)
    assert "No parameter is shown to change" in " ".join(page_of(table).headline.sentences)
    sure = [{**r, "error_sd": 0.1 if r["rows"] == 64 else 0.02} for r in rows]  # the control
    table = Table("sure", ("rows", "seed"), {"rows": 256}, sure)
    assert "depends most on rows" in " ".join(page_of(table).headline.sentences)


def test_levels_that_failed_and_their_messages_are_named(page):
    text = text_of(page)
    assert "Failed cells, by level of rows: 16 (8 of 8)." in text
    assert "33 features in 32 pairs: use --pairs 40" in text
    assert page.sections[-1].code == "ohmcarlo sweep example.toml"


def test_the_table_of_a_chart_has_its_means_and_intervals(page):
    chart = next(c for c in page.charts() if c.name == "curve-0-posterior-error")
    assert chart.title == "Posterior error over rows"
    place = chart.table.header.index("task toy2d, reference")
    (row,) = (row for row in chart.table.rows if row[0] == "64")
    assert float(row[place]) == pytest.approx(0.52, rel=0.02)
    low, high = map(float, row[place + 1].split(" to "))
    assert low < 0.52 < high
    assert "within 0.05" in chart.description


def test_every_chart_of_the_page_is_drawn(page):
    import vl_convert

    charts = json.loads(json.dumps(fragments(page)["charts"], allow_nan=False))
    assert {name.partition("-")[0] for name in charts} == {"curve", "map"}
    kinds = {re.sub(r"\d+", "n", name): drawing for name, drawing in charts.items()}
    for name in ("curve-n-posterior-error", "curve-n-energy", "curve-n-settled", "map-n"):
        drawing = kinds[name]
        spec = {**drawing["spec"], "width": 400, "height": drawing["height"]}
        svg = vl_convert.vegalite_to_svg(spec)
        assert len(re.findall(r"<path|<text|<line", svg)) > 20, name
        assert "undefined" not in svg, name
        assert "NaN" not in svg, name


def test_a_complete_sweep_without_failures_is_good_news():
    rows = [row_of(seed, rows=r) for r in (64, 256) for seed in range(2)]
    page = page_of(Table("small", ("rows", "seed"), {"rows": 256}, rows))
    assert page.headline.tone is Tone.GOOD
    assert {c.name.partition("-")[0] for c in page.charts()} == {"curve"}
    assert page.charts().__next__().legend == ()  # a single curve needs none


@pytest.mark.parametrize("status", [FINISHED, FAILED, MISSING])
def test_a_sweep_of_one_cell_has_a_page_without_curves(status):
    page = page_of(Table("one", (), {}, [row_of(0, status)]))
    assert list(page.charts()) == []
    assert pictures_of(Table("one", (), {}, [row_of(0, status)])) == {}


def test_a_picture_has_a_panel_for_each_quantity():
    table = example_table()
    found = pictures_of(table)
    assert list(found) == ["rows", "slow-share", "task", "kernel", "rows-slow-share"]
    titles = [ax.get_ylabel() for ax in found["rows"].axes]
    assert titles[0] == "posterior error (posterior sd)"
    lines = {line.get_label(): line for line in found["rows"].axes[0].lines}
    first = lines["task toy2d, reference"]
    assert first.get_xdata().tolist() == [64.0, 256.0, 1024.0]
    assert first.get_ydata() == pytest.approx([0.52, 0.27, 0.145], rel=0.02)
    assert found["rows"].axes[0].get_xscale() == "log"
    limit = lines["limit 0.05"]  # is named in the legend, and has no colour of a curve
    assert limit.get_color() not in {n.get_color() for n in lines.values() if n is not limit}
    crosses = lines["runs failed"]
    assert crosses.get_xdata().tolist() == [16.0]
    assert crosses.get_color() == first.get_color()
    assert "cells that failed (%)" in titles
    assert "runs failed" not in {n.get_label() for n in found["kernel"].axes[0].lines}


def test_labels_that_would_overlap_are_left_out():
    """A label needs room in proportion to its letters; the control has room for all."""
    assert _apart(["0.1", "0.11", "0.5"], np.array([10.0, 11.0, 50.0])) == ["0.1", "", "0.5"]
    assert _apart(["0.1", "0.3", "0.5"], np.array([10.0, 30.0, 50.0])) == ["0.1", "0.3", "0.5"]
