"""The page of the default run in a browser: small, quick, sound, and it answers a pointer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from browser import Opened, loading_times
from ohmcarlo.cli.app import main

pytestmark = pytest.mark.verify
MOST_BYTES, MOST_SECONDS = 5_000_000, 2.0
MOST_PRINTED_BYTES = 1_500_000


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("default")
    assert main(["train", "breast-cancer", "--out", str(folder / "run")]) == 0
    assert main(["report", str(folder / "run"), "--html", str(folder / "run.html")]) == 0
    return folder / "run.html"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_sound(browser_page: Callable[..., Opened], file: Path, scheme: str, width: int) -> None:
    """No message, no request, no barrier, contrast of at least 4.5, no horizontal scroll."""
    assert browser_page(file, scheme=scheme, width=width).faults() == []


def test_small_and_quick(browser: Any, file: Path) -> None:
    """The time of the browser's main thread counts: the machine may be busy with other tests."""
    assert file.stat().st_size <= MOST_BYTES
    ready, _ = loading_times(browser, file.as_uri())
    assert ready < MOST_SECONDS


def test_print_is_small(browser_page: Callable[..., Opened], file: Path) -> None:
    assert len(browser_page(file).page.pdf(format="A4")) <= MOST_PRINTED_BYTES


def test_a_pointer_shows_a_device(browser_page: Callable[..., Opened], file: Path) -> None:
    page = browser_page(file).page
    figure = page.locator("#array-conductance")
    figure.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = figure.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"])
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for(state="visible")
    text = tip.inner_text()
    for word in ("row", "pair", "line", "conductance", "SET pulses", "sample"):
        assert word in text
