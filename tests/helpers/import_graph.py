"""The import graph of Python sources, at any depth of the code, and its cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

Graph = Mapping[str, set[str]]


def module_name(path: Path, root: Path) -> str:
    """``ohmcarlo.array.base`` for ROOT/ohmcarlo/array/base.py; a package for its __init__.py."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(source: str, package: str) -> set[str]:
    """Absolute dotted names of everything that ``source``, a file of ``package``, imports.

    Imports inside functions and under ``TYPE_CHECKING`` count, too.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = parts[: len(parts) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def import_graph(roots: Iterable[Path]) -> dict[str, set[str]]:
    """Module → modules that it imports, for all files below ``roots`` (folders of packages)."""
    files = {module_name(p, root): p for root in roots for p in sorted(root.rglob("*.py"))}
    graph = {}
    for name, path in files.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        names = imported_names(path.read_text(encoding="utf-8"), package)
        # `from package import name`: a module of that name, or something that the package defines
        targets = {n if n in files else n.rpartition(".")[0] for n in names}
        graph[name] = {t for t in targets if t in files and t != name}
    return graph


def cycles(graph: Graph) -> list[list[str]]:
    """Groups of modules that reach each other, each sorted; empty for a graph without cycles."""
    reached = {name: _reachable(graph, name) for name in graph}
    groups = {
        tuple(sorted({name} | {other for other in reached[name] if name in reached[other]}))
        for name in graph
        if name in reached[name]
    }
    return sorted(list(group) for group in groups)


def _reachable(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph[name])
    return found
