"""No import cycle between files, no long function, no star import."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from import_graph import cycles, import_graph, imported_names

ROOT = Path(__file__).parents[2]
ROOTS = [ROOT / name for name in ("host", "hdl", "rtl_gen")]
HOST = sorted((ROOT / "host").rglob("*.py"))
MAX_LINES = 120
TABLES = {"train"}  # its lines name each option of the verb


def test_no_import_cycle() -> None:
    assert cycles(import_graph(ROOTS)) == []


@pytest.mark.parametrize(
    "line",
    [
        "from .first import one",
        "from . import first",
        "import made_up.first",
        "def later():\n    from .first import one",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .first import one",
    ],
)
def test_a_cycle_is_found(line: str, tmp_path: Path) -> None:
    """The detector on three modules: an import in the third one closes the cycle."""
    package = tmp_path / "made_up"
    package.mkdir()
    for name, text in {
        "__init__": "",
        "first": "from .second import two",
        "second": "from . import third",
        "third": "import json",
    }.items():
        (package / f"{name}.py").write_text(text)
    assert cycles(import_graph([tmp_path])) == []
    (package / "third.py").write_text(line)
    assert cycles(import_graph([tmp_path])) == [
        ["made_up.first", "made_up.second", "made_up.third"]
    ]


def test_names_of_relative_imports() -> None:
    source = "from . import a\nfrom .b import c\nfrom ..d import e\nimport f.g"
    assert imported_names(source, "p.q") == {"p.q.a", "p.q.b.c", "p.d.e", "f.g"}


def test_functions_are_short() -> None:
    long = []
    for path in HOST:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_LINES and node.name not in TABLES:
                    long.append((path.name, node.name, lines))
    assert long == []


def test_no_star_import() -> None:
    stars = [p for p in HOST for n in _names(p) if n.endswith("*")]
    assert stars == []


def _names(path: Path) -> set[str]:
    return imported_names(path.read_text(encoding="utf-8"), "ohmcarlo")
