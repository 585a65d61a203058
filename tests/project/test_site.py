"""The site of `make docs`: files, navigation and generated pages; `make verify` builds it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))

import command_line  # noqa: E402 - in the folder of the site
import entry_points  # noqa: E402
import repository  # noqa: E402

CONFIG = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
NAV = re.findall(r"^ +- (?:[^:\n]+: )?([\w./-]+\.md)$", CONFIG, re.M)
NOT_IN_NAV = re.search(r"^not_in_nav: \|\n((?:  .+\n)+)", CONFIG, re.M)


# -- navigation ------------------------------------------------------------------------------------
def test_every_page_of_the_index_is_in_the_navigation() -> None:
    index = {t for t in repository.targets("docs/README.md") if t.endswith(".md")}
    assert len(index) >= 20
    assert index - set(NAV) == set()


def test_the_navigation_names_pages_that_exist() -> None:
    assert len(NAV) == len(set(NAV)) > 30
    made = {*entry_points.pages(), command_line.PAGE, *repository.linked_files()}
    assert [n for n in NAV if n not in made and not (ROOT / n).is_file()] == []


def test_every_page_is_in_the_navigation_or_left_out_by_name() -> None:
    assert NOT_IN_NAV
    patterns = [p.strip().lstrip("/") for p in NOT_IN_NAV[1].splitlines()]
    pages = {*repository.page_names(), *entry_points.pages(), *repository.linked_files()}
    missing = [p for p in pages - set(NAV) if not any(Path(p).match(x) for x in patterns)]
    assert missing == []


# -- links -----------------------------------------------------------------------------------------
def test_links_of_the_repository_lead_to_pages_of_the_site() -> None:
    """The same link names a page on GitHub and on the site."""
    pages = {*repository.page_names(), *repository.linked_files(), *repository.pictures()}
    for page in repository.page_names():
        for target in repository.targets(page):
            assert repository.page_of(target) in pages, f"{page}: {target}"


def test_links_in_code_stay() -> None:
    text = "[a](../LICENSE)\n\n    [b](../LICENSE)\n\n`[c](../LICENSE)`\n"
    assert repository.linked(text, "docs/x.md") == text.replace("LICENSE)", "LICENSE.md)", 1)


def test_a_source_page_holds_the_whole_file() -> None:
    page = repository.source_page("CITATION.cff")
    assert repository.text_of("CITATION.cff").rstrip() in page and "```yaml" in page


def test_the_register_page_has_its_anchors() -> None:
    text = repository.text_of("rtl_gen/reference/registers.html")
    page = repository.source_page("rtl_gen/reference/registers.html")
    headings = len(re.findall(r"<h[2-6] id=", text))
    assert headings > 40 and page.count("{ #") == headings


# -- reference -------------------------------------------------------------------------------------
def test_entry_points_are_on_one_page_each() -> None:
    pages = entry_points.pages()
    text = "".join(pages.values())
    for name in entry_points.entries():
        assert text.count(f"::: {name}\n") == 1
    assert all(name in NAV for name in pages)


def test_the_command_line_is_complete() -> None:
    page = command_line.page()
    for verb in ("train", "predict", "report", "data example", "export"):
        assert f"## `ohmcarlo {verb}`" in page
    assert "--whiten / --no-whiten" in page


# -- the build -------------------------------------------------------------------------------------


FETCHED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\s(?:src|href)=[\"']?(?:https?:)?//[^>]*>")


def needed() -> str | None:
    """The package of the extra ``site`` that is missing."""
    names = ("mkdocs", "material", "mkdocstrings", "mermaidx")
    return next((name for name in names if find_spec(name) is None), None)


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site into ``folder``, without network."""
    closed = "http://127.0.0.1:9"
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    environment |= dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), closed)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    isolated = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") and not subprocess.run([*isolated, "true"], check=False).returncode:
        command = [*isolated, *command]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.verify
@pytest.mark.skipif(needed() is not None, reason="needs the extra site: make docs installs it")
def test_the_site_is_built_without_network(tmp_path: Path) -> None:
    """Strict: a missing page, link or anchor, and a faulty docstring, are errors. No page fetches
    anything but pages of the site, and links to the web are links only."""
    done = build(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 60 and (tmp_path / "search" / "search_index.js").is_file()
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not FETCHED.findall(text), page
    classifier = (tmp_path / "reference/python/estimators.html").read_text(encoding="utf-8")
    assert 'id="ohmcarlo.sklearn.MemristorClassifier.predict_uncertainty"' in classifier
    architecture = (tmp_path / "docs/architecture.html").read_text(encoding="utf-8")
    assert "<svg" in architecture and "PicoRV32 with firmware" in architecture
