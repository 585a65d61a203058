"""Pages in a browser: sound, readable and operable in both colour schemes and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from example_page import example_page

from browser import Opened
from ohmcarlo.pages.render import write_page

pytestmark = pytest.mark.verify


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "page.html"
    write_page(path, example_page())
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_sound(browser_page: Callable[..., Opened], file: Path, scheme: str, width: int) -> None:
    """No message, no request, no barrier, contrast of at least 4.5, no horizontal scroll."""
    assert browser_page(file, scheme=scheme, width=width).faults() == []


def test_hostile_names_run_nothing(browser_page: Callable[..., Opened], file: Path) -> None:
    assert browser_page(file).page.evaluate("window.broken") is None
