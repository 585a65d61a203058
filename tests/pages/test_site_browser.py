"""The site of `make docs`: built without network, and opened in a browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from browser import Opened

pytestmark = pytest.mark.verify

ROOT = Path(__file__).parents[2]
PACKAGES = ("mkdocs", "material", "mkdocstrings", "mermaidx", "marimo")
FETCHED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\s(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
NOT_COPIED = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
MISSING = "no-such-anchor"
FADING_MS = 1500
"""Longer than the theme takes to fade in its tabs, whose contrast is low until then."""
LOCAL = ("file:", "data:", "blob:", "about:")
PAGES = (
    *("index.html", "docs/architecture.html", "docs/results.html", "docs/tutorials/scientist.html"),
    *("reference/python/estimators.html", "reference/command-line.html"),
)


def command(out: Path) -> list[str]:
    """The build into ``out``, in a network of its own without any interface if that can be had."""
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    alone = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") and not subprocess.run([*alone, "true"], check=False).returncode:
        return [*alone, *build]
    return build


def built(repository: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a repository with the network closed."""
    closed = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    environment = {**os.environ, **closed, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        command(out), cwd=repository, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is missing: pip install --editable '.[site]'")
    folder = tmp_path_factory.mktemp("site")
    done = built(ROOT, folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_the_site_is_built_without_network(site: Path) -> None:
    """Strict: a missing page, link or anchor, and a faulty docstring, are errors. No page fetches
    anything from another place."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 80 and (site / "search" / "search_index.js").is_file()
    assert [p for p in pages if FETCHED.search(p.read_text(encoding="utf-8"))] == []
    classifier = (site / "reference/python/estimators.html").read_text(encoding="utf-8")
    assert 'id="ohmcarlo.sklearn.MemristorClassifier.predict_uncertainty"' in classifier
    architecture = (site / "docs/architecture.html").read_text(encoding="utf-8")
    assert "<svg" in architecture and "PicoRV32 with firmware" in architecture
    registers = (site / "rtl_gen/reference/registers.html.html").read_text(encoding="utf-8")
    assert 'id="control.command"' in registers
    notebook = (site / "notebooks/first_posterior.html").read_text(encoding="utf-8")
    assert "MemristorClassifier" in notebook


def test_a_broken_link_is_an_error(site: Path, tmp_path: Path) -> None:
    """The control of the build: the same repository, with a link to an anchor that is missing."""
    copy = tmp_path / "ohmcarlo"
    shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
    page = copy / "docs" / "formats.md"
    page.write_text(page.read_text(encoding="utf-8") + f"\n[a](glossary.md#{MISSING})\n")
    done = built(copy, tmp_path / "site")
    assert done.returncode != 0
    assert MISSING in done.stderr and done.stderr.count("WARNING") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_in_a_browser(site: Path, browser: Any, scheme: str) -> None:
    """No message, no request, no barrier, and no horizontal scroll, as a file and on a phone."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    for name in PAGES:
        seen = Opened(context.new_page())
        page = seen.page
        page.on("console", lambda message, seen=seen: seen.problems.append(message.text))
        page.on("pageerror", lambda error, seen=seen: seen.problems.append(str(error)))
        page.on("request", lambda request, seen=seen: seen.requests.append(request.url))
        page.goto((site / name).as_uri(), wait_until="load")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert seen.wide() <= 0, (name, width)
        page.set_viewport_size({"width": 1280, "height": 900})
        assert seen.problems == [], name
        assert [r for r in seen.requests if not r.startswith(LOCAL)] == [], name
        page.wait_for_timeout(FADING_MS)
        assert seen.barriers() == [], name
        page.close()
    context.close()


def test_search_and_colours_in_a_browser(site: Path, browser: Any) -> None:
    """The search finds pages without a server, and the button changes the colours."""
    page = browser.new_page()
    page.goto((site / "index.html").as_uri(), wait_until="load")
    page.keyboard.press("/")
    page.keyboard.type("early rejection")
    page.wait_for_selector(".md-search-result__item")
    assert page.locator(".md-search-result__item").count() >= 5
    page.keyboard.press("Escape")
    before = page.locator("body").get_attribute("data-md-color-scheme")
    for _ in range(2):
        page.locator("label.md-header__button[for^=__palette]:visible").click()
    assert page.locator("body").get_attribute("data-md-color-scheme") != before
    page.close()
