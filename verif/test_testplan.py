"""The test plan, ``verif/testplan/*.toml``: every promise has tests, and every bench a promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from verif.testplan import (
    FOLDER,
    PAGE,
    ROOT,
    Promise,
    benches_of,
    defects,
    promises_of,
    renewed,
    table,
    tiers_of,
)


def test_plan() -> None:
    promises = promises_of(FOLDER)
    assert promises
    assert not (found := defects(promises, benches_of(ROOT), ROOT)), "\n".join(found)


def test_page() -> None:
    """The page lists what each tier holds."""
    text = PAGE.read_text(encoding="utf-8")
    assert text == renewed(text, promises_of(FOLDER)), "run python -m verif.testplan"


GOOD = {
    "id": "a",
    "text": "A.",
    "source": "here",
    "tests": ["verif/test_a.py::test_a"],
    "tier": "test",
    "file": "a.toml",
}
LONG = GOOD | {"id": "b", "tests": ["verif/test_a.py::test_long"], "tier": "verify"}
SOURCE = """\
import pytest
def test_a(): ...
async def test_b(): ...
def helper(): ...
@pytest.mark.verify
@pytest.mark.parametrize("n", [1])
def test_long(n): ...
@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.verify)])
def test_some(n): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "verif" / "testplan").mkdir(parents=True)
    (tmp_path / "verif" / "test_a.py").write_text(SOURCE)
    return tmp_path


def without(key: str) -> Promise:
    return {k: v for k, v in GOOD.items() if k != key}


@pytest.mark.parametrize(
    ("promises", "says"),
    [
        ([without("tests")], "a: no test"),
        ([GOOD, GOOD | {"id": "b", "tests": []}], "b: no test"),
        ([GOOD, GOOD], "a: 2 promises have this id"),
        ([without("source")], "a: missing or unknown ['source']"),
        ([GOOD | {"test": []}], "a: missing or unknown ['test']"),
        ([GOOD | {"tests": ["verif/test_a.py::test_c"]}], "a: there is no verif/test_a.py::test_c"),
        ([GOOD | {"tests": ["verif/test_a.py::helper"]}], "a: there is no verif/test_a.py::helper"),
        ([GOOD | {"tests": ["verif/test_a.py"]}], "a: there is no verif/test_a.py"),
        ([GOOD | {"tests": ["verif/test_x.py::test_a"]}], "a: there is no verif/test_x.py::test_a"),
        ([], "verif/test_a.py: no promise names it"),
        ([GOOD | {"tier": "never"}], "a: tier 'never' is none of test, verify"),
        (
            [GOOD | {"tests": ["verif/test_a.py::test_long"]}],
            'a: all its tests carry the mark verify: write tier = "verify"',
        ),
        (
            [GOOD | {"tier": "verify"}],
            'a: a test without the mark verify holds it: remove tier = "verify"',
        ),
    ],
)
def test_defects_are_found(project: Path, promises: list[Promise], says: str) -> None:
    """One kind of defect at a time."""
    assert says in defects(promises, benches_of(project), project)


def test_sound_plan(project: Path) -> None:
    both = GOOD | {"id": "b", "tests": ["verif/test_a.py::test_a", "verif/test_a.py::test_b"]}
    assert not defects([GOOD, both], benches_of(project), project)


def test_tiers(project: Path) -> None:
    """The mark on a function or on its file makes the tier; the mark on one case does not."""
    path = project / "verif" / "test_a.py"
    assert tiers_of(path) == {
        "test_a": "test",
        "test_b": "test",
        "test_long": "verify",
        "test_some": "test",
    }
    assert not defects([GOOD, LONG], benches_of(project), project)
    marked = project / "verif" / "test_marked.py"
    marked.write_text("pytestmark = [pytest.mark.stats, pytest.mark.verify]\ndef test_a(): ...\n")
    assert tiers_of(marked) == {"test_a": "verify"}


def test_table(project: Path) -> None:
    both = GOOD | {"tests": [*GOOD["tests"], *LONG["tests"]]}
    text = table([both, LONG], project)
    assert "| [a.toml](a.toml) | 2 | 1 | 1 |" in text
    assert "- `b`: A." in text and "- `verif/test_a.py::test_long`" in text
    assert "- `a`" not in text and "- `verif/test_a.py::test_a`" not in text


def test_new_bench_needs_a_promise(project: Path) -> None:
    (project / "verif" / "test_new.py").write_text(SOURCE)
    assert defects([GOOD], benches_of(project), project) == [
        "verif/test_new.py: no promise names it"
    ]


def test_misspelt_table(project: Path) -> None:
    plan = '[[promises]]\nid = "a"\ntext = "A."\nsource = "x"\ntests = []\n'
    (project / "verif" / "testplan" / "a.toml").write_text(plan)
    found = defects(promises_of(project / "verif" / "testplan"), [], project)
    assert "[[promises]]: no test" in found
