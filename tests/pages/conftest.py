"""The browser of the tests of pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import Opened, opened, started, why_not


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window; the test is skipped where it is absent."""
    if reason := why_not():
        pytest.skip(reason)
    with started() as found:
        yield found


@pytest.fixture
def browser_page(browser: Any) -> Iterator[Callable[..., Opened]]:
    """Open a file or an address: ``browser_page(path, scheme="dark", width=390)``.

    Returns an ``Opened``: ``page`` of Playwright, ``problems``, ``requests``, and ``faults()``: the
    messages of the console, requests, barriers for disabled readers, texts of low contrast and
    horizontal scroll. Assert that it is empty.
    """
    pages: list[Opened] = []

    def open_page(where: Path | str, *, scheme: str = "light", width: int = 1280) -> Opened:
        address = where.resolve().as_uri() if isinstance(where, Path) else where
        pages.append(opened(browser, address, scheme=scheme, width=width))
        return pages[-1]

    yield open_page
    for one in pages:
        one.page.context.close()
