"""The rooms of ``ohmcarlo_rtl``: imports point one way, and there is no import cycle."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "rtl_gen" / "ohmcarlo_rtl"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Lower rooms first; a module may import from its own room and from those below.
ROOMS = [
    {
        "__init__",
        "configs",
        "folders",
        "markdown",
        "processes",
        "progress",
        "requirements",
        "sources",
    },
    {"verilog"},
    {"registers"},
    {"controller"},
    {"driver", "firmware"},
    {"verilated", "bitstream"},
    {"export"},
    {"pages", "__main__"},
]
LEVEL = {name: level for level, names in enumerate(ROOMS) for name in names}


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in SOURCES}


def imports_of(path: Path) -> set[str]:
    """Modules of this package that a file imports, within functions, too."""
    package = [PACKAGE.name, *path.relative_to(PACKAGE).parts[:-1]]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found & MODULES.keys() - {PACKAGE.name}


def room_of(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def wrong_ways(path: Path, imported: set[str]) -> list[str]:
    level = LEVEL[room_of(module_of(path))]
    return [f"{module_of(path)} imports {m}" for m in imported if LEVEL[room_of(m)] > level]


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_arrows_point_one_way(path: Path) -> None:
    assert wrong_ways(path, imports_of(path)) == []


def test_a_wrong_arrow_is_noticed() -> None:
    path = PACKAGE / "registers" / "page.py"
    assert wrong_ways(path, {"ohmcarlo_rtl.firmware.image"})
    assert not wrong_ways(path, {"ohmcarlo_rtl.sources", "ohmcarlo_rtl.registers.header"})


def test_no_cycles() -> None:
    graph = {module: imports_of(path) for module, path in MODULES.items()}
    assert sum(map(len, graph.values())) > 60
    TopologicalSorter(graph).prepare()
    graph["ohmcarlo_rtl.sources"] |= {"ohmcarlo_rtl.configs"}
    graph["ohmcarlo_rtl.configs"] |= {"ohmcarlo_rtl.sources"}
    with pytest.raises(CycleError):
        TopologicalSorter(graph).prepare()
