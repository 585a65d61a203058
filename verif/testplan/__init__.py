"""The test plan: each promise of the hardware and the tests that hold it.

A file ``<block>.toml`` holds promises of one block. ``python -m verif.testplan`` renews the table
of the tiers in ``README.md``; ``verif/test_testplan.py`` checks both.

Example
-------
>>> from verif.testplan import FOLDER, promises_of
>>> {p["tier"] for p in promises_of(FOLDER)} <= set(TIERS)
True
"""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PAGE = FOLDER / "README.md"
ROOT = FOLDER.parents[1]
TIERS = ("test", "verify")
"""A test belongs to the tier ``verify`` if it carries the mark ``verify``, else to ``test``."""
KEYS = {"id", "text", "source", "tests"}
OPTIONAL = {"tier"}
TOOLS = {"verif/test_testplan.py", "verif/test_coverage.py"}
"""Test files of the verification's own tools: no promise of the hardware needs them."""
BEGIN, END = "<!-- tiers -->", "<!-- end -->"

Promise = dict[str, Any]


def promises_of(folder: Path) -> list[Promise]:
    """All promises of the plan, each with its ``file``; ``tier`` is ``test`` unless it is given."""
    promises = []
    for path in sorted(folder.glob("*.toml")):
        plan = tomllib.loads(path.read_text())
        promises += [{"tier": "test"} | p | {"file": path.name} for p in plan.pop("promise", [])]
        # a misspelt table would drop its promises silently
        promises += [{"file": path.name, "id": f"[[{name}]]", "tier": "test"} for name in plan]
    return promises


def _marks(nodes: Sequence[ast.expr]) -> set[str]:
    """Names of the pytest marks among expressions such as ``pytest.mark.verify``."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.List | ast.Tuple):
            found |= _marks(node.elts)
            continue
        mark = node.func if isinstance(node, ast.Call) else node
        match mark:
            case ast.Attribute(attr=name, value=ast.Attribute(attr="mark")):
                found.add(name)
    return found


@cache
def tiers_of(path: Path) -> Mapping[str, str]:
    """Test function → tier, as pytest finds them in a file; empty if there is no such file."""
    if not path.is_file():
        return {}
    body = ast.parse(path.read_text()).body
    of_file: set[str] = set()
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
                of_file = _marks([value])
    return {
        node.name: "verify" if "verify" in of_file | _marks(node.decorator_list) else "test"
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    }


def defects(promises: list[Promise], benches: list[str], root: Path) -> list[str]:
    """The defects of a plan for the bench files ``benches`` (paths below ``root``)."""
    ids = Counter(p.get("id") for p in promises)
    found = [f"{name}: {count} promises have this id" for name, count in ids.items() if count > 1]
    for promise in promises:
        found += [f"{promise.get('id', promise['file'])}: {d}" for d in _defects(promise, root)]
    named = {test.partition("::")[0] for p in promises for test in p.get("tests", [])}
    return found + [f"{bench}: no promise names it" for bench in benches if bench not in named]


def _defects(promise: Promise, root: Path) -> Iterator[str]:
    if wrong := KEYS ^ (promise.keys() - {"file"} - OPTIONAL):
        yield f"missing or unknown {sorted(wrong)}"
    if promise["tier"] not in TIERS:
        yield f"tier {promise['tier']!r} is none of {', '.join(TIERS)}"
    tests = promise.get("tests", [])
    if not tests:
        yield "no test"
    tiers = set()
    for test in tests:
        path, _, function = test.partition("::")
        tier = tiers_of(root / path).get(function)
        if tier is None:
            yield f"there is no {test}"
        tiers.add(tier)
    if tiers == {"verify"} and promise["tier"] != "verify":
        yield 'all its tests carry the mark verify: write tier = "verify"'
    if promise["tier"] == "verify" and "test" in tiers:
        yield 'a test without the mark verify holds it: remove tier = "verify"'


def benches_of(root: Path) -> list[str]:
    """All bench files but those of the verification's own tools."""
    paths = (p.relative_to(root).as_posix() for p in sorted((root / "verif").rglob("test_*.py")))
    return [path for path in paths if path not in TOOLS]


def table(promises: list[Promise], root: Path = ROOT) -> str:
    """The number of promises of each tier, by file, and those that only ``make verify`` holds."""
    lines = [
        "| plan | promises | held by `make test` | held by `make verify` only |",
        "|---|---|---|---|",
    ]
    files = sorted({p["file"] for p in promises})
    for file in files:
        tiers = Counter(p["tier"] for p in promises if p["file"] == file)
        row = (f"[{file}]({file})", tiers.total(), tiers["test"], tiers["verify"])
        lines.append("| " + " | ".join(str(cell) for cell in row) + " |")
    total = Counter(p["tier"] for p in promises)
    lines.append(f"| all | {total.total()} | {total['test']} | {total['verify']} |")
    lines += ["", "Promises that only `make verify` holds:", ""]
    late = [f"- `{p['id']}`: {p['text']}" for p in promises if p["tier"] == "verify"]
    lines += late or ["- none"]
    lines += [
        "",
        "Tests that only `make verify` runs; others hold the same promise in `make test`:",
        "",
    ]
    lines += [f"- `{test}`" for test in _deeper(promises, root)] or ["- none"]
    return "\n".join(lines)


def _deeper(promises: list[Promise], root: Path) -> list[str]:
    tests = {test for p in promises if p["tier"] == "test" for test in p["tests"]}
    parts = (test.partition("::") for test in sorted(tests))
    return ["::".join((f, t)) for f, _, t in parts if tiers_of(root / f).get(t) == "verify"]


def renewed(text: str, promises: list[Promise], root: Path = ROOT) -> str:
    """The page with the table of these promises between its two marks."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table(promises, root)}\n{END}{tail}"
