"""The cells of a marimo notebook as plain Python, for an environment without marimo.

A cell is a function: its parameters are the values that it needs, and it returns the values that
others need. ``run_cells`` runs them in that order. Elements of the page are not drawn; they only
keep their first value.
"""

from __future__ import annotations

import ast
import inspect
import runpy
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

Cell = Callable[..., Any]


class Element:
    """Whatever a notebook shows: ``value`` is that of a control before anyone has moved it."""

    def __init__(self, *args: Any, value: Any = None, **options: Any) -> None:
        self.value = value


class App:
    """Collects the cells of a notebook, as ``marimo.App`` does."""

    def __init__(self, **options: Any) -> None:
        self.cells: list[Cell] = []

    def cell(self, function: Cell) -> Cell:
        self.cells.append(function)
        return function


class StandIn(ModuleType):
    """A module ``marimo`` whose functions, and those of ``ui``, give elements."""

    App = App

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self if name == "ui" else Element


def returned_names(cell: Cell) -> list[str]:
    """Names of the values that a cell returns."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cell)))
    last = tree.body[0].body[-1]  # type: ignore[attr-defined]
    if isinstance(last, ast.Return) and isinstance(last.value, ast.Tuple):
        return [element.id for element in last.value.elts if isinstance(element, ast.Name)]
    return []


def run_cells(notebook: Path, without: str = "") -> dict[str, Any]:
    """Every value of a notebook, by name.

    The cell that gives the value ``without``, and the cells that need it, do not run. Raises
    ValueError if a cell needs a value that no cell gives.
    """
    before = sys.modules.get("marimo")
    sys.modules["marimo"] = StandIn("marimo")
    try:
        return _values(runpy.run_path(str(notebook))["app"].cells, without)
    finally:
        del sys.modules["marimo"]
        if before is not None:
            sys.modules["marimo"] = before


def _values(cells: list[Cell], without: str) -> dict[str, Any]:
    needs = {cell: inspect.signature(cell).parameters for cell in cells}
    gives = {cell: returned_names(cell) for cell in cells}
    waiting = [cell for cell in cells if without not in {*needs[cell], *gives[cell]}]
    values: dict[str, Any] = {}
    while waiting:
        ready = [cell for cell in waiting if needs[cell].keys() <= values.keys()]
        if not ready:
            missing = {name for cell in waiting for name in needs[cell]}
            missing -= values.keys() | {name for cell in waiting for name in gives[cell]}
            raise ValueError(f"no cell gives {', '.join(sorted(missing))}")
        for cell in ready:
            found = cell(**{name: values[name] for name in needs[cell]})
            values |= dict(zip(gives[cell], found or (), strict=True))
        waiting = [cell for cell in waiting if cell not in ready]
    return values
