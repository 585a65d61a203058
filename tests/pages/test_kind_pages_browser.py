"""Pages of arrays, self-tests, figures, regressions, policies and sweeps in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from browser import Opened
from ohmcarlo.cli.app import main
from ohmcarlo.pages.render import write_page
from ohmcarlo.pictures.canvas import new_figure
from ohmcarlo.reproduce.base import Figure, Goal, Table
from ohmcarlo.reproduce.output import write_figure
from ohmcarlo.reproduce.page import page_of
from ohmcarlo.sweeps.page import page_of as page_of_sweep
from sweep_rows import example_table

pytestmark = pytest.mark.verify
Open = Callable[..., Opened]
MOST_BYTES = 5_000_000
SMALL = ["--rows", "64", "--pairs", "16"]
ROWS = [
    Goal("accuracy", [0.95, 0.97], "%", "96.3 %", ">= 96 %", True),
    Goal("accuracy of software", [0.96], "%", interval=(0.94, 0.98)),
    Goal("R-hat", [1.01], wanted="<= 1.005", met=False),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture(scope="module")
def files(folder: Path) -> dict[str, Path]:
    """A page of each kind, by name."""
    array, selftest = folder / "array.html", folder / "selftest.html"
    measured = ["characterize", "--array", "physics", *SMALL, "--steps", "0"]
    assert main([*measured, "--html", str(array)]) == 0
    assert main(["selftest", "--html", str(selftest)]) == 0
    picture, ax = new_figure()
    ax.plot([1, 2])
    figure = Figure("A figure", [Table("Numbers", ROWS)], {"fig4": picture}, {})
    write_figure("fig4", figure, folder / "fig4")
    write_page(folder / "figure.html", page_of({"fig4": figure}, folder, "ohmcarlo", 2))
    write_page(folder / "sweep.html", page_of_sweep(example_table(), "ohmcarlo sweep example.toml"))
    found = {"array": array, "selftest": selftest, "figure": folder / "figure.html"}
    found["sweep"] = folder / "sweep.html"
    for task, steps in (("diabetes", "1000"), ("cartpole", "299")):
        run, page = folder / task, folder / f"{task}.html"
        assert main(["train", task, "--steps", steps, "--out", str(run)]) == 0
        assert main(["report", str(run), "--html", str(page)]) == 0
        found[task] = page
    return found


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize("kind", ["array", "selftest", "figure", "diabetes", "cartpole", "sweep"])
def test_sound(
    browser_page: Open, files: dict[str, Path], kind: str, scheme: str, width: int
) -> None:
    """No message, no request, no barrier, contrast of at least 4.5, no horizontal scroll."""
    assert files[kind].stat().st_size <= MOST_BYTES
    assert browser_page(files[kind], scheme=scheme, width=width).faults() == []


def test_a_pointer_finds_a_device_and_the_legend_a_series(
    browser_page: Open, files: dict[str, Path]
) -> None:
    page = browser_page(files["array"]).page
    law = page.locator("#set-law")
    law.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    law.locator("button.series").filter(has_text="mean of a device").click()
    page.wait_for_timeout(300)
    opacities = law.locator(".mark-line path").evaluate_all(
        "paths => paths.map((p) => [p.getAttribute('stroke'), p.getAttribute('opacity')])"
    )
    assert {float(o or 1) for stroke, o in opacities if stroke == "#8a8a8a"} == {1.0}
    assert all(float(o or 1) < 0.5 for stroke, o in opacities if stroke == "#0072b2")
    figure = page.locator("#offsets")
    figure.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = figure.locator("canvas, svg").last.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.6 * box["height"])
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for(state="visible")
    assert "offset" in tip.inner_text() and "row" in tip.inner_text()
