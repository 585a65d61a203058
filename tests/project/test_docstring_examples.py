"""The examples in docstrings give the output that they show."""

from __future__ import annotations

import doctest
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from inspect import getdoc
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))

import entry_points  # noqa: E402 - in the folder of the site

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PACKAGES = ("host", "hdl", "rtl_gen", "docs/site")
SLOW = {
    *("ohmcarlo.runs.report", "ohmcarlo.sklearn.classifier", "ohmcarlo.sklearn.regressor"),
    *("ohmcarlo_hdl.ip.ports", "ohmcarlo_rtl.controller.ip", "ohmcarlo_rtl.driver.job"),
}
"""Modules whose examples draw pictures, take the default steps, or generate hardware."""


def modules() -> Iterator[str]:
    """The modules with examples, by their dotted names."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if ">>>" in path.read_text(encoding="utf-8"):
                yield ".".join(path.relative_to(ROOT / package).with_suffix("").parts)


@cache
def examples_of(module: str) -> list[doctest.DocTest]:
    """The examples of the objects of a module, one for each docstring."""
    name = module.removesuffix(".__init__")
    return [test for test in doctest.DocTestFinder().find(import_module(name)) if test.examples]


def failures(test: doctest.DocTest) -> str:
    """What the examples of a docstring printed in place of the expected output."""
    text: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(test, out=text.append)
    return "".join(text)


def test_every_entry_point_has_an_example() -> None:
    names = entry_points.entries()
    assert len(names) == len(set(names)) > 40
    without = [
        n for n in names if "Examples\n--------" not in (getdoc(entry_points.resolve(n)) or "")
    ]
    assert without == []
    text = "\n".join(getdoc(entry_points.resolve(n)) or "" for n in names)
    assert "+SKIP" not in text


@pytest.mark.parametrize("module", sorted(set(modules()) - SLOW))
def test_examples(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_examples(module, tmp_path, monkeypatch)


@pytest.mark.verify
@pytest.mark.parametrize("module", sorted(SLOW))
def test_slow_examples(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_examples(module, tmp_path, monkeypatch)


def run_examples(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the examples of a module, those of each docstring in an empty folder."""
    for i, test in enumerate(examples_of(module)):
        (tmp_path / str(i)).mkdir()
        monkeypatch.chdir(tmp_path / str(i))
        assert not failures(test), test.name


def test_a_wrong_example_is_noticed() -> None:
    def one() -> int:
        """One.

        >>> 1 + 1
        3
        """
        return 1

    (test,) = doctest.DocTestFinder().find(one, globs={})
    assert "Expected:\n    3\nGot:\n    2\n" in failures(test)
