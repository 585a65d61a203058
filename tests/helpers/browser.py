"""Pages in the system's Chromium: opened, watched, judged.

Imported by tests with the mark ``verify`` only; it needs the extra ``browser``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VARIABLE = "OHMCARLO_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
READY = "html[data-ready]"
DRAWN = "html[data-drawn]"
NAVIGATION_MS = 300_000
"""A busy computer takes long to import what the first page of a live view needs."""
SERIOUS = {"serious", "critical"}
LEAST_CONTRAST = 4.5
UNFOLD = "document.querySelectorAll('section > details').forEach((d) => { d.open = true })"
TEXTS_OF_DRAWINGS = """
() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = getComputedStyle(document.body).backgroundColor;
  // the ground of a text: the last opaque shape below it, or the page
  const ground = (text) => {
    const box = text.getBoundingClientRect();
    const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
    const below = [...text.closest("svg").querySelectorAll(".mark-rect path")].filter((shape) => {
      const { left, right, top, bottom } = shape.getBoundingClientRect();
      const { fill, opacity } = getComputedStyle(shape);
      return left <= x && x <= right && top <= y && y <= bottom && fill !== "none" && opacity > 0.5;
    });
    return below.length ? getComputedStyle(below.at(-1)).fill : paper;
  };
  const texts = [...document.querySelectorAll(".drawing svg text")].filter((t) => t.textContent);
  return texts.map((text) => {
    const lights = [light(getComputedStyle(text).fill), light(ground(text))];
    return [text.textContent, (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05)];
  });
}
"""


def chromium() -> str | None:
    """Path of the browser: the one that OHMCARLO_CHROMIUM names, or one on the PATH; None without.

    Raises FileNotFoundError if OHMCARLO_CHROMIUM names no file.
    """
    named = os.environ.get(VARIABLE)
    if named and not Path(named).is_file():
        raise FileNotFoundError(f"{VARIABLE}={named}: there is no such file")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


def why_not() -> str:
    """Why pages cannot be opened here; empty if they can."""
    try:
        import axe_playwright_python
        import playwright  # noqa: F401
    except ImportError as error:
        return f"{error.name} is missing: pip install --editable '.[browser]'"
    if chromium() is None:
        return f"no Chromium on the PATH: apt install chromium, or set {VARIABLE} to its path"
    del axe_playwright_python
    return ""


@contextmanager
def started() -> Iterator[Any]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    # Chromium refuses to run as root with its sandbox
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags)
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page in the browser, with everything that it complained about or asked for.

    Attributes
    ----------
    page : playwright.sync_api.Page
    problems : list of str
        Messages and errors of the console.
    requests : list of str
        Addresses that the page asked for, but its own.
    """

    page: Any
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def wide(self) -> int:
        """Pixels by which the page is wider than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    def barriers(self) -> list[str]:
        """What axe-core finds that is serious or critical: rule and element."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            f"{rule['id']}: {node['html'][:200]}"
            for rule in found
            if rule["impact"] in SERIOUS
            for node in rule["nodes"]
        ]

    def pale_texts(self) -> list[tuple[str, float]]:
        """Texts of drawings whose contrast with the page is too low, with their contrast."""
        texts = self.page.evaluate(TEXTS_OF_DRAWINGS)
        return [(text, contrast) for text, contrast in texts if contrast < LEAST_CONTRAST]

    def faults(self) -> list[str]:
        """Messages of the console, requests, barriers, pale texts and horizontal scroll."""
        faults = [f"console: {text}" for text in self.problems]
        faults += [f"request: {address}" for address in self.requests]
        faults += [f"{self.wide()} pixels too wide"] if self.wide() > 0 else []
        faults += [f"pale: {text} ({contrast:.2f})" for text, contrast in self.pale_texts()]
        return faults + self.barriers()


def opened(browser: Any, address: str, *, scheme: str = "light", width: int = 1280) -> Opened:
    """Open an address, and wait until all charts are drawn. Folded sections are opened."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    found = Opened(context.new_page())
    page = found.page
    page.on("console", lambda message: found.problems.append(message.text))
    page.on("pageerror", lambda error: found.problems.append(str(error)))
    page.on("request", lambda request: found.requests.append(request.url))
    page.goto(address, timeout=NAVIGATION_MS)
    page.wait_for_selector(DRAWN, state="attached")
    page.evaluate(
        "document.querySelectorAll('section > details').forEach((d) => { d.open = true })"
    )
    found.requests = [url for url in found.requests if url != page.url]
    return found


def loading_times(browser: Any, address: str) -> tuple[float, float]:
    """Seconds of the page's main thread until the charts in view are drawn, and until all are.

    Other work on this machine does not count.
    """
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(address)
    times = []
    for state in (READY, DRAWN):
        page.wait_for_selector(state, state="attached", timeout=120_000)
        metrics = session.send("Performance.getMetrics")["metrics"]
        times += [m["value"] for m in metrics if m["name"] == "ThreadTime"]
    page.close()
    ready, drawn = times
    return ready, drawn
