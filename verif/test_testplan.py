"""The test plan, ``verif/testplan/*.toml``: every promise has tests, and every bench a promise."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
KEYS = {"id", "text", "source", "tests"}

Promise = dict[str, Any]


@cache
def functions_of(path: Path) -> frozenset[str]:
    """Names of the test functions that pytest finds in a file; empty if there is no such file."""
    if not path.is_file():
        return frozenset()
    body = ast.parse(path.read_text()).body
    functions = (n for n in body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(f.name for f in functions if f.name.startswith("test"))


def promises_of(folder: Path) -> list[Promise]:
    promises = []
    for path in sorted(folder.glob("*.toml")):
        plan = tomllib.loads(path.read_text())
        promises += [p | {"file": path.name} for p in plan.pop("promise", [])]
        # a misspelt table would drop its promises silently
        promises += [{"file": path.name, "id": f"[[{name}]]"} for name in plan]
    return promises


def defects(promises: list[Promise], benches: list[str], root: Path) -> list[str]:
    """What is wrong with a plan for the bench files ``benches`` (paths below ``root``)."""
    found = []
    ids = Counter(p.get("id") for p in promises)
    found += [f"{name}: {count} promises have this id" for name, count in ids.items() if count > 1]
    for promise in promises:
        name = promise.get("id", promise.get("file"))
        if wrong := KEYS ^ (promise.keys() - {"file"}):
            found.append(f"{name}: missing or unknown {sorted(wrong)}")
        if not promise.get("tests"):
            found.append(f"{name}: no test")
        for test in promise.get("tests", []):
            path, _, function = test.partition("::")
            if function not in functions_of(root / path):
                found.append(f"{name}: there is no {test}")
    named = {test.partition("::")[0] for p in promises for test in p.get("tests", [])}
    return found + [f"{bench}: no promise names it" for bench in benches if bench not in named]


def benches_of(root: Path) -> list[str]:
    """All bench files but those of the verification's own tools."""
    paths = (p.relative_to(root).as_posix() for p in sorted((root / "verif").glob("test_*.py")))
    return [path for path in paths if path not in TOOLS]


TOOLS = {"verif/test_testplan.py", "verif/test_coverage.py"}


def test_plan() -> None:
    promises = promises_of(ROOT / "verif" / "testplan")
    assert promises
    assert not (found := defects(promises, benches_of(ROOT), ROOT)), "\n".join(found)


GOOD = {"id": "a", "text": "A.", "source": "here", "tests": ["verif/test_a.py::test_a"]}
SOURCE = "def test_a(): ...\nasync def test_b(): ...\ndef helper(): ...\n"


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
    ],
)
def test_defects_are_found(project: Path, promises: list[Promise], says: str) -> None:
    """One kind of defect at a time."""
    assert says in defects(promises, benches_of(project), project)


def test_sound_plan(project: Path) -> None:
    both = GOOD | {"id": "b", "tests": ["verif/test_a.py::test_a", "verif/test_a.py::test_b"]}
    assert not defects([GOOD, both], benches_of(project), project)


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
