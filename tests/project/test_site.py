"""The site of `make docs`: its files, its navigation and its generated pages.

``tests/pages/test_site_browser.py`` builds it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))

import command_line  # noqa: E402 - in the folder of the site
import entry_points  # noqa: E402
import notebooks  # noqa: E402
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
    made = {*entry_points.pages(), *notebooks.names(), *repository.linked_files()}
    made |= {command_line.PAGE}
    assert [n for n in NAV if n not in made and not (ROOT / n).is_file()] == []


def test_every_page_is_in_the_navigation_or_left_out_by_name() -> None:
    assert NOT_IN_NAV
    patterns = [p.strip().lstrip("/") for p in NOT_IN_NAV[1].splitlines()]
    pages = {*repository.page_names(), *entry_points.pages(), *repository.linked_files()}
    pages |= {*notebooks.names()}
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


# -- results ---------------------------------------------------------------------------------------
def test_every_section_of_the_results_has_a_date() -> None:
    parts = re.split(r"^##+ .+$", repository.text_of("docs/results.md"), flags=re.M)[1:]
    dated = re.compile(r"\A\s*Numbers of \d{4}-\d\d-\d\d\.$", re.M)
    assert len(parts) > 20
    assert [part[:80] for part in parts if not dated.match(part)] == []
