"""The page about devices: its tables are those of the kept curves, its pictures exist."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ohmcarlo.sweeps.curves import POSTERIOR_ERROR, Estimate, Level, Line, Response
from ohmcarlo.sweeps.description import read_description
from ohmcarlo_rtl.pages import device_requirements as page
from ohmcarlo_rtl.pages.markers import renewed

LEAST_RUNS = 2000


def test_the_tables_are_those_of_the_kept_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert renewed(text, page.tables()) == text, "run python -m ohmcarlo_rtl.pages"
    known = page.curves(page.MODEL)
    rows = known["rows"]
    moved = replace(rows, lines=(worse(rows.lines[0]), *rows.lines[1:]))
    monkeypatch.setattr(page, "curves", lambda name: {**known, "rows": moved})
    assert page.level_table(moved) not in text  # the control
    assert page.requirements() not in text


def worse(line: Line) -> Line:
    """A curve with twice the error."""
    levels = tuple(
        replace(level, estimates={name: Estimate(*(2 * v for v in ends)) for name, ends in
                                  level.estimates.items()})
        for level in line.levels
    )  # fmt: skip
    return replace(line, levels=levels)


def test_the_study_has_two_thousand_runs() -> None:
    study = read_description(page.STUDIES / f"{page.MODEL}.toml")
    distinct = {json.dumps(point, sort_keys=True) for point in study.points}
    assert len(distinct) >= LEAST_RUNS
    known = page.curves(page.MODEL)
    assert set(page.MEANINGS) <= set(known)
    for parameter in page.MEANINGS:
        wanted = {point[parameter] for point in study.points}
        assert set(known[parameter].values) == wanted


def test_tables_name_levels_at_which_runs_failed() -> None:
    known = {name: Estimate(0.01, 0.005, 0.015) for name in page.SHOWN}
    fine, some, none = (Level(v, 12, failed, known) for v, failed in ((64, 0), (32, 5), (16, 12)))
    found = Response("rows", (Line("", {}, (none, some, fine)),), 0)
    assert [line.split(" | ")[2] for line in page.level_table(found).splitlines()[2:]] == [
        "0, 12 failed",
        "7, 5 failed",
        "12",
    ]
    row = page.error_table(found, found.lines, "").splitlines()[2]
    assert "| failed | 0.010 (5 of 12 failed) | 0.010 |" in row
    assert page.requirement(found.lines[0]) == "≥ 64 (64 to 64; runs fail at 32)"


def test_every_parameter_has_a_picture_with_words() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    for path in page.PICTURES.iterdir():
        assert f"]({path.relative_to(page.PAGE.parent)})" in text
        assert path.stat().st_size < 120_000
    assert len(list(page.PICTURES.iterdir())) == len(page.MEANINGS)


def test_squares_of_errors_add(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predicted errors: sqrt(0.03² + (0.05² - 0.03²) + (0.04² - 0.03²)), levels interpolated."""

    def curve(errors: dict[float, float]) -> tuple[Line]:
        levels = (
            Level(v, 1, 0, {POSTERIOR_ERROR.name: Estimate(e, e, e)}) for v, e in errors.items()
        )
        return (Line("", {}, tuple(levels)),)

    known = {
        "a": Response("a", curve({0.0: 0.03, 1.0: 0.07}), 0),
        "b": Response("b", curve({0.0: 0.02, 1.0: 0.03, 2.0: 0.05}), 0),
    }
    monkeypatch.setattr(page, "curves", lambda name: known)
    monkeypatch.setattr(page, "reference", lambda: {"a": 0.0, "b": 1.0})
    wanted = (0.03**2 + 0.05**2 - 0.03**2 + 0.04**2 - 0.03**2) ** 0.5
    assert page.predicted({"a": 0.5, "b": 1.5}, 0) == pytest.approx(wanted)
    assert page.predicted({"a": 0.0}, 0) == pytest.approx(0.03)
    assert Path(page.STUDIES).is_dir()
