"""The rooms of ``ohmcarlo_hdl``: imports point one way, and functions are short."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from import_graph import import_graph

ROOT = Path(__file__).parents[2] / "hdl"
PACKAGE = "ohmcarlo_hdl"
GRAPH = {name: sorted(found) for name, found in import_graph([ROOT]).items()}

# Lower rooms first; a module may import from its own room and from those below.
ROOMS = [
    {"lib", "array.phy.parts"},  # parts of the daughterboard: data sheets and times, no hardware
    {"config"},
    {"array", "entropy", "regs"},
    {"core", "buses"},
    {"bit_serial"},
    {"soc"},
    {"boards", "ip"},
]
LEVEL = {name: level for level, names in enumerate(ROOMS) for name in names}
APART = [
    ("array", "entropy"),
    ("array", "regs"),
    ("entropy", "regs"),
    ("core", "buses"),
    ("boards", "ip"),
]
"""Rooms of one level that do not import each other."""

MAX_ELABORATE, MAX_LINES = 250, 120


def room_of(module: str) -> str:
    """``array`` for ohmcarlo_hdl.array.pulse; a module may be a room of its own."""
    path = module.removeprefix(PACKAGE).lstrip(".")
    return path if path in LEVEL else path.partition(".")[0]


def wrong_ways(module: str, imported: list[str]) -> list[str]:
    room = room_of(module)
    return [
        f"{module} imports {other}"
        for other in imported
        if other != PACKAGE
        and (
            LEVEL[room_of(other)] > LEVEL[room]
            or any({room, room_of(other)} == set(apart) for apart in APART)
        )
    ]


def test_every_module_has_a_room() -> None:
    assert {room_of(module) for module in GRAPH} - {""} == set(LEVEL)


@pytest.mark.parametrize("module", sorted(set(GRAPH) - {PACKAGE}))
def test_arrows_point_one_way(module: str) -> None:
    assert wrong_ways(module, GRAPH[module]) == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("core.step.blocks", "bit_serial.acceptance"),
        ("entropy.unit", "bit_serial.neg_log"),
        ("entropy.unit", "core.interface"),
        ("entropy.unit", "array.interface"),
        ("lib.fifo", "config"),
        ("buses.access", "core.interface"),
        ("soc.rings", "ip.packets"),
        ("ip.core", "boards.board"),
        ("array.phy.parts", "config"),
    ],
)
def test_a_wrong_arrow_is_noticed(module: str, imported: str) -> None:
    assert wrong_ways(f"{PACKAGE}.{module}", [f"{PACKAGE}.{imported}"])


def long_functions(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > (MAX_ELABORATE if node.name == "elaborate" else MAX_LINES):
                found.append(f"{node.name}: {lines} lines")
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: p.stem)
def test_functions_are_short(path: Path) -> None:
    assert long_functions(path.read_text(encoding="utf-8")) == []


def test_a_long_function_is_noticed() -> None:
    body = "\n".join(["    pass"] * MAX_LINES)
    assert long_functions(f"def f():\n{body}") == [f"f: {MAX_LINES + 1} lines"]
    assert long_functions(f"def elaborate():\n{body}") == []
