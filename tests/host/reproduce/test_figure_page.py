"""The page of reproduced figures: our numbers beside the published ones."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ohmcarlo.cli.app import main
from ohmcarlo.pages.content import Chart, Tone
from ohmcarlo.pages.render import render
from ohmcarlo.pictures.canvas import new_figure
from ohmcarlo.reproduce.base import Figure, Goal, Table
from ohmcarlo.reproduce.chart import charts_of, published_number
from ohmcarlo.reproduce.output import write_figure
from ohmcarlo.reproduce.page import page_of

ROWS = [
    Goal("accuracy", [0.95, 0.97], "%", "96.3 %", ">= 96 %", True),
    Goal("accuracy of software", [0.96], "%", interval=(0.94, 0.98)),
    Goal("steps", [1000.0, 1200.0]),
    Goal("R-hat", [1.01], wanted="<= 1.005", met=False),
    Goal("a < b", [0.5]),
    Goal("not known", [float("nan")], "%"),
]
COMMAND = "ohmcarlo reproduce fig4 --seeds 2"


def charts() -> list[Chart]:
    return list(charts_of("fig4", Table("Numbers", ROWS)))


@pytest.mark.parametrize(
    ("published", "unit", "number"),
    [
        ("96.3 %", "%", 96.3),
        ("48; about 40 in HfO2", "", 48.0),
        ("4.81 (208 kΩ)", "", 4.81),
        ("-0.5 to -0.9", "", None),
        ("11-13", "", None),
        ("about 10⁵ (press)", "", None),
        ("better, in all cases", "%", None),
        ("0.963", "%", None),
        ("", "", None),
    ],
)
def test_only_a_single_published_number_is_drawn(
    published: str, unit: str, number: float | None
) -> None:
    assert published_number(Goal("x", [1.0], unit, published)) == number


def test_charts_hold_each_seed_beside_the_published_number() -> None:
    """Quantities of another size or unit have a chart of their own; one alone has none."""
    shares, ratios = charts()
    data = shares.spec["datasets"]
    assert [row["x"] for row in data["seeds"]] == [95, 97]
    assert [(r["x"], round(r["a"], 2), round(r["b"], 2)) for r in data["ours"]] == [
        (96, 94.59, 97.41),  # standard deviation of two values: their difference over √2
        (96, 94, 98),
    ]
    assert [row["x"] for row in data["theirs"]] == [96.3]
    assert [row["name"] for row in ratios.spec["datasets"]["ours"]] == ["R-hat", "a < b"]
    assert "theirs" not in str(ratios.spec["layer"])


def test_the_page_of_a_figure(tmp_path: Path) -> None:
    picture, _ = new_figure()
    figure = Figure("A figure", [Table("Numbers", ROWS)], {"fig4": picture}, {}, notes=["Few."])
    write_figure("fig4", figure, tmp_path / "fig4")
    page = page_of({"fig4": figure}, tmp_path, COMMAND, 2, date(2026, 1, 2))
    assert page.headline.tone is Tone.CAUTION
    assert page.headline.sentences == (
        "1 of 2 goals are met.", "Goal not met: R-hat is 1.010; the goal is <= 1.005.",
    )  # fmt: skip
    assert "2026-01-02" in page.subtitle
    (first, *_) = page.sections
    assert "The tables compare our numbers with the published ones." in first.sentences
    text = render(page)
    assert "a &lt; b" in text and "96.00 ± 1.41 %" in text and COMMAND in text
    (shown,) = (p for section in page.sections for p in section.pictures)
    assert shown.png == (tmp_path / "fig4" / "fig4.png").read_bytes() and shown.description


def test_a_page_that_cannot_be_written_is_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "no" / "page.html")
    assert main(["reproduce", "fig3", "--html", file, "--out", str(tmp_path / "out")]) == 2
    assert "folder" in capsys.readouterr().err and not (tmp_path / "out").exists()
