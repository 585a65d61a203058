"""The scripts of pages: kept in the cache, renewed when damaged, harmless in HTML."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ohmcarlo.errors import UsageError
from ohmcarlo.pages import bundle as module
from ohmcarlo.pages.charts import bars
from ohmcarlo.pages.content import Headline, HtmlPage, Tone
from ohmcarlo.pages.render import render

MADE = "var made = '</script><!--';"
SAFE = r"var made = '\x3c/script>\x3c!--';"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """An empty cache, and a stand-in for the slow bundler; the list has an entry for each call."""
    made: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "_bundled", lambda _: made.append("call") or MADE)
    module.bundle.cache_clear()
    yield made
    module.bundle.cache_clear()


def again() -> str:
    """The bundle in a new process."""
    module.bundle.cache_clear()
    return module.bundle()


def test_a_second_process_reads_the_cache(calls: list[str], tmp_path: Path) -> None:
    assert again() == SAFE
    assert again() == SAFE
    assert calls == ["call"]
    (kept,) = (tmp_path / "ohmcarlo" / "pages").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])  # damaged
    assert again() == SAFE
    assert calls == ["call", "call"]


def test_a_cache_that_cannot_be_written(calls: list[str], tmp_path: Path) -> None:
    (tmp_path / "ohmcarlo").write_text("a file where a folder should be")
    assert again() == SAFE
    assert calls == ["call"]


def test_a_script_cannot_end_its_element() -> None:
    assert module.safe("a </SCRIPT> b\r\nc") == "a \\x3c/SCRIPT> b\nc"
    assert module.safe("1 < 2 </div>") == "1 < 2 </div>"


@pytest.mark.parametrize("package", ["altair", "vl_convert", "jinja2"])
def test_without_the_extra(package: str, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that names what to install."""
    from ohmcarlo.pages import render as rendering

    monkeypatch.setitem(sys.modules, package, None)
    rendering._environment.cache_clear()
    page = HtmlPage("Page", "", Headline(Tone.GOOD, "fine", ()), ())
    with pytest.raises(UsageError, match=r"pages need .*: pip install 'ohmcarlo\[report\]'"):
        bars("b", "Bars", "One.", ["a"], [1], axis="x")
        render(page, live=True)
    rendering._environment.cache_clear()
