"""Pages as text: complete, escaped, without network."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_page import HOSTILE, example_charts, example_page

from ohmcarlo.pages.content import Chart, Headline, HtmlPage, Section, Table, Tone, clean
from ohmcarlo.pages.render import fragments, render, write_page

VOID = {"meta", "link", "br", "img", "input"}


class Page(HTMLParser):
    """Elements, texts and scripts of a page; fails on elements that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.scripts: list[tuple[dict[str, Any], str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        else:
            self.texts.append(data)


@pytest.fixture(scope="module")
def text() -> str:
    return render(example_page())


def test_hostile_names_are_text(text: str) -> None:
    """Names appear as they are; none becomes an element, an attribute or a script."""
    page = Page(text)
    shown = "".join(page.texts)
    for name in HOSTILE:
        assert clean(name).strip() in shown
    assert "img" not in page.tags
    assert not any(key.startswith("on") for key, _ in page.attributes)
    assert not any("window.broken" in code for attrs, code in page.scripts if not attrs)
    assert "\0" not in text
    text.encode()


def test_the_policy_allows_these_scripts_only(text: str) -> None:
    page = Page(text)
    (policy,) = (value for key, value in page.attributes if key == "content" and "src" in value)
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe-eval" not in policy
    allowed = policy.partition("script-src ")[2].partition(";")[0].split()
    digests = [hashlib.sha256(code.encode()).digest() for attrs, code in page.scripts if not attrs]
    assert allowed == [f"'sha256-{base64.b64encode(d).decode()}'" for d in digests]


def test_data_are_json_without_infinity(text: str) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    data = {a["data-for"]: code for a, code in Page(text).scripts if a}
    assert list(data) == [chart.name for chart in example_charts()]
    for code in data.values():
        json.loads(code, parse_constant=refuse)


def test_values_of_any_chart_are_json() -> None:
    """Charts that are not made by ``charts`` may contain NumPy's numbers, NaN and infinity."""
    rows = [{"x": np.float64("nan"), "y": np.inf, "n": np.int64(3), "t": "a\0b"}]
    spec = {"data": {"name": "mine"}, "mark": "point", "datasets": {"mine": rows}}
    chart = Chart("own", "Own", "Words.", spec)
    section = Section("only", "Only", charts=(chart,))
    page = HtmlPage("Page", "", Headline(Tone.GOOD, "fine", ()), (section,))
    ((attributes, code),) = [(a, code) for a, code in Page(render(page)).scripts if a]
    assert attributes["data-for"] == "own"
    found = json.loads(code)["spec"]
    (data,) = found["datasets"].values()
    assert data == [{"x": None, "y": None, "n": 3, "t": "a\ufffdb"}]
    assert found["data"]["name"] in found["datasets"]


def test_fragments_are_the_parts_of_the_page(text: str) -> None:
    page = example_page()
    parts = json.loads(json.dumps(fragments(page), allow_nan=False))
    assert list(parts["sections"]) == [section.name for section in page.sections]
    for html in (parts["headline"], parts["contents"], *parts["sections"].values()):
        assert html in text
    data = {a["data-for"]: json.loads(code) for a, code in Page(text).scripts if a}
    assert parts["charts"] == data


def test_written_page(tmp_path: Path, text: str) -> None:
    write_page(tmp_path / "page.html", example_page())
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == text


def test_a_folded_table_opens_by_its_summary() -> None:
    """A table with a summary is closed at first, another one is not."""
    tables = (Table(("a",), (("1",),), "Open."), Table(("a",), (("2",),), "Closed.", "All numbers"))
    section = Section("only", "Only", tables=tables)
    page = HtmlPage("Page", "", Headline(Tone.GOOD, "fine", ()), (section,))
    text = render(page)
    Page(text)  # each element is closed
    before, _, folded = text.partition('<details class="table"><summary>All numbers</summary>')
    assert "Open." in before and "Closed." not in before
    assert folded.index("Closed.") < folded.index("</details>")


def test_colours_of_a_canvas_are_equal_in_both_schemes(text: str) -> None:
    """A filter would turn the colours of a heat map around."""
    style = text[text.index("<style>") : text.index("</style>")]
    assert "filter" not in style and ".drawing canvas { background: #fff; }" in style
