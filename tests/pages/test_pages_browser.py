"""Pages in a browser: sound, readable and operable in both colour schemes and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from example_page import HOSTILE, example_page

from browser import Opened, loading_times
from ohmcarlo.pages.content import Headline, HtmlPage, Section, Table, Tone
from ohmcarlo.pages.render import write_page

pytestmark = pytest.mark.verify
Open = Callable[..., Opened]
STEPS = 300
HIGHEST = 5  # value of the trace, whose axis has labels, too
LIT = """
(id) => [...document.querySelectorAll(`#${id} .mark-line path`)].filter(
  (p) => p.getAttribute("stroke") && Number(p.getAttribute("opacity") ?? 1) === 1).length
"""
LABELS = """
(id) => [...document.querySelectorAll(`#${id} .role-axis-label text`)].map((t) => t.textContent)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "page.html"
    write_page(path, example_page(STEPS))
    return path


def steps_shown(page: Any) -> list[int]:
    """Labels of the horizontal axis of the trace."""
    labels = [text.replace(",", "") for text in page.evaluate(LABELS, "trace")]
    steps = [int(text) for text in labels if text.isdigit()]
    return sorted(step for step in steps if step > HIGHEST)


def until(page: Any, right: Callable[[list[int]], bool]) -> None:
    """Wait until the trace shows the right steps."""
    for _ in range(100):
        if (shown := steps_shown(page)) and right(shown):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"the trace shows {shown}")


@pytest.mark.parametrize("tone", list(Tone))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_verdicts_are_readable(browser_page: Open, tmp_path: Path, tone: Tone, scheme: str) -> None:
    page = HtmlPage("Run", "toy2d", Headline(tone, tone.value, ("A sentence.",)), ())
    write_page(tmp_path / "page.html", page)
    assert browser_page(tmp_path / "page.html", scheme=scheme).faults() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_sound(browser_page: Open, file: Path, scheme: str, width: int) -> None:
    """No message, no request, no barrier, contrast of at least 4.5, no horizontal scroll."""
    assert browser_page(file, scheme=scheme, width=width).faults() == []


def test_faults_are_found(browser_page: Open, file: Path) -> None:
    """The control of ``test_sound``: a page with one fault of each sort."""
    opened = browser_page(file, width=390)
    opened.page.evaluate("""() => {
      console.log("a message");
      document.body.insertAdjacentHTML("beforeend", "<button></button>");
      document.querySelector("h1").style.width = "1000px";
      document.querySelector("#trace .drawing").style.color = "red";
      for (const t of document.querySelectorAll("#trace text")) t.style.fill = "#bbbbbb";
      fetch("https://example.invalid/").catch(() => 0);
    }""")
    faults = " ".join(opened.faults())
    assert "console: a message" in faults
    assert "pixels too wide" in faults
    assert "pale: step (1.9" in faults
    assert "button-name" in faults
    assert "violates the following Content Security Policy" in faults


def test_hostile_names_run_nothing(browser_page: Open, file: Path) -> None:
    page = browser_page(file).page
    assert page.evaluate("window.broken") is None
    assert any(text.startswith(HOSTILE[0][:12]) for text in page.evaluate(LABELS, "weights"))


def test_a_legend_highlights_series(browser_page: Open, file: Path) -> None:
    """By mouse and by keyboard; a second press shows all series again."""
    page = browser_page(file).page
    assert page.evaluate(LIT, "trace") == 4
    second = page.locator("#trace .series").nth(1)
    second.click()
    page.wait_for_function(f"() => ({LIT})('trace') === 1")
    assert second.get_attribute("aria-pressed") == "true"
    assert page.evaluate(LIT, "ranks") == 4
    second.press("Space")
    page.wait_for_function(f"() => ({LIT})('trace') === 4")
    assert second.get_attribute("aria-pressed") == "false"


def test_a_trace_zooms(browser_page: Open, file: Path) -> None:
    """By its buttons with the keyboard, by dragging; a double click shows all."""
    page = browser_page(file).page
    whole = steps_shown(page)
    assert min(whole) < 0.1 * STEPS
    page.locator("#trace [data-zoom=in]").press("Enter")
    until(page, lambda shown: min(shown) >= 0.25 * STEPS and max(shown) <= 0.75 * STEPS + 1)
    page.locator("#trace [data-zoom=on]").press("Enter")
    until(page, lambda shown: min(shown) >= 0.5 * STEPS and max(shown) > 0.9 * STEPS)
    page.locator("#trace [data-zoom=whole]").press("Enter")
    until(page, lambda shown: shown == whole)

    drawing = page.locator("#trace .drawing")
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 100)
    page.mouse.up()
    until(page, lambda shown: min(shown) >= 0.5 * STEPS and max(shown) <= 0.82 * STEPS)
    page.mouse.dblclick(box["x"] + box["width"] * 0.5, box["y"] + 100)
    until(page, lambda shown: shown == whole)


@pytest.mark.parametrize("chart", ["trace", "array", "weights", "curve", "bars", "scatter"])
def test_tooltips(browser_page: Open, file: Path, chart: str) -> None:
    """The pointer finds numbers in every chart, and names as text."""
    opened = browser_page(file)
    page = opened.page
    drawing = page.locator(f"#{chart} .drawing")
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    tip = page.locator("#vg-tooltip-element.visible")
    if chart == "scatter":
        page.locator("#scatter .mark-symbol path").first.hover(force=True)
    for part in range(1, 200):
        if tip.count():
            break
        across, down = (part * 0.618) % 1, (part * 0.755) % 1
        page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
    assert any(letter.isdigit() for letter in tip.inner_text())
    assert opened.problems == []
    assert page.evaluate("window.broken") is None


def test_keyboard(browser_page: Open, file: Path) -> None:
    """The first tab stop skips to the result; folded parts open; wide tables scroll."""
    page = browser_page(file, width=390).page
    page.keyboard.press("Tab")
    skip = page.locator("a.skip")
    assert skip.evaluate("(e) => document.activeElement === e && e.getBoundingClientRect().x >= 0")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "result"
    numbers = page.locator("#trace details")
    numbers.locator("summary").press("Enter")
    assert numbers.get_attribute("open") is not None
    table = page.locator("#wide > .scroll")
    table.focus()
    before = table.evaluate("(e) => e.scrollLeft")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "(b) => document.querySelector('#wide > .scroll').scrollLeft > b", arg=before
    )
    assert table.evaluate("(e) => getComputedStyle(e).outlineStyle") == "solid"


def test_a_link_opens_a_folded_section(browser_page: Open, file: Path) -> None:
    page = browser_page(file).page
    page.evaluate("document.querySelector('#folded > details').open = false")
    page.locator("#contents a[href='#folded']").click()
    assert page.locator("#folded > details").get_attribute("open") is not None


def test_print_shows_folded_sections(browser_page: Open, file: Path) -> None:
    """In print, folded sections and tables are open, charts are whole, and dark becomes light."""
    page = browser_page(file, scheme="dark").page
    page.evaluate("""() => {
      const details = document.querySelector("#folded > details");
      details.open = false;
      const tables = [...document.querySelectorAll("details.table")];
      for (const table of tables) table.open = false;
      addEventListener("beforeprint", () => {
        window.printed = details.open && tables.every((table) => table.open);
      });
    }""")
    page.emulate_media(media="print", color_scheme="dark")
    style = "(e) => [getComputedStyle(e).backgroundColor, getComputedStyle(e).breakInside]"
    assert page.locator("body").evaluate(style)[0] == "rgb(255, 255, 255)"
    assert page.locator("#trace").evaluate(style)[1] == "avoid"
    assert not page.locator("#contents").is_visible()
    assert len(page.pdf(format="A4")) > 50_000
    assert page.locator("details.table:not([open])").count() == 1
    assert page.evaluate("window.printed") is True
    assert page.locator("#folded > details").get_attribute("open") is None


def test_a_page_without_scripts_has_words_and_numbers(browser: Any, file: Path) -> None:
    """Each chart has its description and a table where JavaScript is off."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    page.locator("#weights summary").click()
    assert page.locator("#weights table").is_visible()
    assert page.locator("#weights-words").inner_text() == "What is seen, in words."
    assert "JavaScript" in page.locator("noscript").inner_text()
    context.close()


def test_a_page_of_text_is_small(browser_page: Open, tmp_path: Path) -> None:
    table = Table(("name", "value"), (("a", "1"),))
    section = Section("only", "Only", tables=(table,))
    page = HtmlPage("Text", "without charts", Headline(Tone.GOOD, "fine", ()), (section,))
    write_page(tmp_path / "text.html", page)
    assert (tmp_path / "text.html").stat().st_size < 30_000
    context_page = browser_page(tmp_path / "text.html")
    assert context_page.faults() == []


def test_the_page_of_a_default_run_is_fast(browser: Any, tmp_path: Path) -> None:
    """4 chains of 10,000 steps and 16,384 devices: at most 5 MB; the charts in view are drawn
    within 2 s, all within 4 s, of the time of the browser's main thread, so that other work on
    this machine does not count."""
    path = tmp_path / "page.html"
    write_page(path, example_page(10_000, 128))
    assert path.stat().st_size <= 5_000_000
    ready, drawn = loading_times(browser, path.as_uri())
    print(f"ready {ready:.2f} s, drawn {drawn:.2f} s, {path.stat().st_size:,} bytes")
    assert ready < 2
    assert drawn < 4
