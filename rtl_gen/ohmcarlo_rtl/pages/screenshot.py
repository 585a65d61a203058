"""The picture of a page in the README: ``python -m ohmcarlo_rtl.pages.screenshot``.

It trains `breast-cancer`, writes the page of the run, and draws its beginning and two of its charts
with Chromium, one below the other. It needs the extra ``browser``, and Chromium on the path
(CONTRIBUTING.md).
"""

from __future__ import annotations

import io
import shutil
import sys
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from ohmcarlo.cli.app import main as ohmcarlo
from ohmcarlo.errors import OhmcarloError, UsageError

from ..sources import require_checkout
from .pictures import PICTURES, reduced

NAME = "page.png"
SIZE = {"width": 1079, "height": 1000}
CHARTS = ("weight-intervals", "array-conductance")
MARGIN = 32
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRAWN = "html[data-drawn]"
"""It exists as soon as the charts in view are drawn."""


def write_page() -> Path:
    """Train, and write the page of the run, in the current folder.

    Raises UsageError if a command fails; its message is on standard error.
    """
    page = Path("first.html")
    for command in (
        ["train", "breast-cancer", "--out", "runs/first"],
        ["report", "runs/first", "--html", str(page)],
    ):
        if ohmcarlo(command):
            raise UsageError(f"ohmcarlo {' '.join(command)} failed")
    return page


def draw(page: Path, picture: Path) -> None:
    """The beginning of a page and its ``CHARTS`` as PNG.

    Raises UsageError without Playwright or without Chromium.
    """
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        raise UsageError(f"none of {', '.join(BROWSERS)} is installed: apt install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise UsageError("screenshots need: pip install 'ohmcarlo[browser]'") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        tab = browser.new_page(viewport=SIZE)
        tab.goto(page.resolve().as_uri())
        tab.wait_for_selector(DRAWN, state="attached")
        box = tab.locator("section").first.bounding_box()
        clip = {"x": box["x"], "y": 0, "width": box["width"], "height": box["y"] - MARGIN}
        parts = [tab.screenshot(clip=clip)]
        for name in CHARTS:
            chart = tab.locator(f"figure#{name}")
            chart.scroll_into_view_if_needed()
            chart.locator("svg.marks, canvas.marks").first.wait_for()
            parts.append(chart.screenshot())
        browser.close()
    stacked([Image.open(io.BytesIO(part)) for part in parts]).save(picture)


def stacked(parts: list[Image.Image]) -> Image.Image:
    """Pictures one below the other on white, with a margin."""
    width, height = max(part.width for part in parts), sum(part.height for part in parts)
    whole = Image.new("RGB", (width + 2 * MARGIN, height + len(parts) * MARGIN), "white")
    top = 0
    for part in parts:
        whole.paste(part, (MARGIN, top))
        top += part.height + MARGIN
    return whole


def main() -> int:
    """Exit code 0: done; 2: bad use."""
    try:
        require_checkout("the documentation")
        with TemporaryDirectory() as folder, chdir(folder):
            draw(write_page(), Path(NAME))
            (PICTURES / NAME).write_bytes(reduced(Path(NAME)))
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.pages.screenshot: {error}", file=sys.stderr)
        return error.exit_code
    print(f"wrote {PICTURES / NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
