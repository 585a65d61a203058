"""Line and toggle coverage of the core: ``python -m verif.coverage``, after a run of the benches.

    python -m verif.coverage --clean                        # remove earlier runs
    COVERAGE=1 python -m pytest verif/test_core.py verif/test_core_service.py
    python -m verif.coverage                                # exit status 1 below 95 % of the lines

Only passed runs of the present hardware count. To find its Verilog, pytest runs the benches with a
function in place of the simulator that records each configuration. The first columns are the
reference configuration, merged over all its runs. The last columns are the sum of all other
configurations; their Verilog differs, so that their points cannot be merged with those of the
reference.

Lines that count
----------------
Amaranth's Verilog consists mostly of continuous assignments and blocks that run in every clock. As
lines, they would raise the coverage without testing anything. The report counts each *arm* that a
condition selects: ``if``, ``else``, ``else if``, an item of a ``case``, either side of ``?:``. An
arm counts if

- it contains an assignment of its own. An arm that holds only other arms is counted through them.
  ``/* empty */`` and ``begin end`` do nothing; Amaranth writes them for a state to exclude a later
  default assignment;
- Yosys did not add it for simulators: ``if (\\$auto$verilog_backend...) begin end`` triggers a
  block at time zero, is empty, and its condition is never true;
- it is not a covered reset of a register, ``if (rst)``: one reset at the start covers all of them.
  A reset that is *not* covered counts and is listed.

No arm is excluded as unreachable; ``default`` counts like any other. The reader of the list has to
justify unreachable arms.

A toggle is a rising or a falling edge of one bit of a signal.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from verif.harness.bench import BUILDS, ROOT
from verif.harness.verilog import TOP, verilog_of

LIMIT = 95.0
BENCHES = ["verif/test_core.py", "verif/test_core_service.py"]
REPORT = ROOT / "build" / "coverage.json"
DATA = "coverage.dat"
DUMMY = "verilog_backend"
RESET = re.compile(r"\bif \(rst\)")
ASSIGNS = re.compile(r"(^|[^<>=!])<?=($|[^=])")


class Point(NamedTuple):
    """A coverage point of Verilator; equal in all runs of one build."""

    toggle: bool
    module: str
    line: int
    column: int
    what: str  # kind of arm, or signal and edge
    lines: str  # the source lines of the point: "12-13,15"


def parse(lines: Iterable[str]) -> Counter[Point]:
    """Counts of ``coverage.dat``: ``C '\\1key\\2value...' count``, counters of zero included."""
    counts: Counter[Point] = Counter()
    for text in lines:
        if not text.startswith("C '"):
            continue
        keys, _, count = text[3:].rstrip().rpartition("' ")
        found = dict(pair.split("\2", 1) for pair in keys.split("\1") if pair)
        kind, _, module = found["page"].partition("/")
        where = int(found["l"]), int(found["n"])
        toggle = kind == "v_toggle"
        counts[Point(toggle, module, *where, found["o"], found.get("S", ""))] += int(count)
    return counts


def numbers(ranges: str) -> list[int]:
    """``"3-5,8"`` as numbers."""
    ends = [part.partition("-") for part in ranges.split(",") if part]
    return [n for a, _, b in ends for n in range(int(a), int(b or a) + 1)]


def group_of(module: str) -> str:
    """The name of a module without its path: ``walk`` for ``dut.core.step$347.walk``."""
    return re.sub(r"\$\d+$", "", module.rpartition(".")[2])


class Source:
    """The Verilog of a build, in which uncovered points are located."""

    def __init__(self, text: str) -> None:
        self.lines = ["", *text.splitlines()]

    def arm(self, point: Point) -> list[str]:
        """The assignments of an arm, "line: text"; empty if the arm does not count."""
        if point.what == "block":
            return []
        own = [(n, self.lines[n].strip()) for n in numbers(point.lines)]
        return [f"{n}: {text}" for n, text in own if ASSIGNS.search(_without_conditions(text))]

    @cached_property
    def _definitions(self) -> dict[tuple[int, str], str]:
        found, start = {}, 0
        for n, line in enumerate(self.lines):
            if line.startswith("module "):
                start = n
            elif match := re.match(r"  assign (\\?\$\d+ ?) = (.*);", line):
                found[start, match[1].strip()] = match[2]
        return found

    def path(self, point: Point) -> str:
        """The conditions of an arm, with the expressions of the unnamed signals in them."""
        if point.what.startswith("cond_"):
            return point.what.replace("cond_", "?: ")
        taken, indent = [], None
        for n in range(point.line, 0, -1):
            line = self.lines[n]
            here = len(line) - len(line.lstrip())
            if line.lstrip().startswith(("always", "initial")):
                break
            header = re.search(r"\b(if|casez?) \(|:$|\belse\b", line)
            if (indent is None or here < indent) and header and "full_case" not in line:
                taken.append(line.strip().removesuffix(" begin").removesuffix(":"))
                indent = here
        if point.what == "else":
            taken[0] = f"not {taken[0]}"
        start = next(n for n in range(point.line, 0, -1) if self.lines[n].startswith("module "))
        text = " / ".join(reversed(taken))
        known = self._definitions
        names = dict.fromkeys(re.findall(r"\\\$\d+", text))
        told = [f"{name} = {known[start, name]}" for name in names if (start, name) in known]
        return text + (f"  [{'; '.join(told)}]" if told else "")


def _without_conditions(text: str) -> str:
    """A line without its ``if (...)``, which compares and does not assign."""
    return re.sub(r"\bif \(.*\)\s*(begin.*)?$", "", text)


@dataclass
class Figures:
    """Counts of covered points and of all points; covered resets are counted separately."""

    lines: list[int] = field(default_factory=lambda: [0, 0])
    toggles: list[int] = field(default_factory=lambda: [0, 0])
    resets: int = 0

    def __iadd__(self, other: Figures) -> Figures:
        self.lines = [a + b for a, b in zip(self.lines, other.lines, strict=True)]
        self.toggles = [a + b for a, b in zip(self.toggles, other.toggles, strict=True)]
        self.resets += other.resets
        return self


class Missed(NamedTuple):
    """Uncovered arms of one module under the same condition."""

    module: str
    condition: str
    lines: list[str]  # their assignments


def measure(counts: Counter[Point], source: Source) -> tuple[dict[str, Figures], list[Missed]]:
    """Coverage of each kind of module, and the uncovered arms."""
    figures: dict[str, Figures] = defaultdict(Figures)
    missed: dict[tuple[str, str], list[str]] = defaultdict(list)
    for point, count in sorted(counts.items()):
        mine = figures[group_of(point.module)]
        if point.toggle:
            if DUMMY not in point.what:
                mine.toggles[0] += count > 0
                mine.toggles[1] += 1
            continue
        if not (texts := source.arm(point)):
            continue
        if count and point.what != "else" and RESET.search(source.lines[point.line]):
            mine.resets += 1
            continue
        mine.lines[0] += count > 0
        mine.lines[1] += 1
        if not count:
            missed[point.module, source.path(point)] += texts
    return dict(figures), [Missed(*key, lines) for key, lines in missed.items()]


def passed(run: Path) -> bool:
    """Whether a run ended without a failure."""
    results = run / "results.xml"
    if not results.exists():
        return False
    try:
        return ET.parse(results).getroot().find(".//failure") is None
    except ET.ParseError:
        return False


def merge(builds: Iterable[Path]) -> tuple[Counter[Point], int]:
    """Counts over all passed runs of the same Verilog, and the number of these runs."""
    counts: Counter[Point] = Counter()
    runs = 0
    for build in builds:
        for run in sorted(build.glob("run-*")):
            if (run / DATA).exists() and passed(run):
                with (run / DATA).open(errors="replace") as lines:
                    counts.update(parse(lines))
                runs += 1
    return counts, runs


def builds_with_runs() -> dict[str, list[Path]]:
    """Folders that hold coverage, by their Verilog."""
    found: dict[str, list[Path]] = defaultdict(list)
    for folder in sorted({path.parents[1] for path in BUILDS.glob(f"*/run-*/{DATA}")}):
        found[(folder / f"{TOP}.v").read_text()].append(folder)
    return found


class _Notes:
    """pytest plugin: ``run_bench`` of a bench file only records the core's configuration."""

    def __init__(self) -> None:
        self.texts: dict[Any, str] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        for module in {item.module for item in items}:
            if hasattr(module, "run_bench"):
                module.run_bench = self.note

    def note(self, component: Any, *_: Any, **__: Any) -> None:
        from ohmcarlo_hdl.core.core import Core, EmulatedCore

        component = component() if callable(component) else component
        if isinstance(component, Core | EmulatedCore):
            key = type(component), component.config
            if key not in self.texts:
                self.texts[key] = verilog_of(component)


def present_verilog(benches: list[str]) -> tuple[str, dict[str, str]]:
    """Verilog of the reference; Verilog and name of each configuration of the benches."""
    import pytest

    from ohmcarlo_hdl.config import REFERENCE
    from ohmcarlo_hdl.core.core import EmulatedCore

    notes = _Notes()
    with contextlib.redirect_stdout(io.StringIO()):
        status = pytest.main(["-q", "-p", "no:cacheprovider", *benches], plugins=[notes])
    # a test that reads the results of its simulation may fail
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(f"pytest does not read {' '.join(benches)}: {status!r}")
    reference = notes.texts.get((EmulatedCore, REFERENCE)) or verilog_of(EmulatedCore(REFERENCE))
    names = {text: f"{kind.__name__}({config})" for (kind, config), text in notes.texts.items()}
    return reference, names


def percent(part: list[int]) -> str:
    return f"{100 * part[0] / part[1]:6.1f} %" if part[1] else "       -"


def table(reference: dict[str, Figures], others: dict[str, Figures]) -> str:
    """One line for each kind of module, the totals last."""

    def row(name: str, a: Figures, b: Figures) -> str:
        cells = [f"{p[0]:>7}/{p[1]:<7}{percent(p)}" for f in (a, b) for p in (f.lines, f.toggles)]
        return f"{name:<14}" + " ".join(cells)

    names = sorted(reference.keys() | others.keys())
    rows = [row(n, reference.get(n, Figures()), others.get(n, Figures())) for n in names]
    heads = [f"{text:<23}" for text in ("lines", "toggles", "lines (others)", "toggles (others)")]
    total = row("total", summed(reference), summed(others))
    return "\n".join([f"{'module':<17}" + " ".join(heads), *rows, total])


def summed(figures: dict[str, Figures]) -> Figures:
    total = Figures()
    for part in figures.values():
        total += part
    return total


def as_json(figures: dict[str, Figures]) -> dict[str, Any]:
    def entry(f: Figures) -> dict[str, Any]:
        return {"lines": f.lines, "toggles": f.toggles, "resets": f.resets}

    modules = {name: entry(part) for name, part in sorted(figures.items())}
    return {"total": entry(summed(figures)), "modules": modules}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m verif.coverage", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("benches", nargs="*", default=BENCHES, help="bench files, as for pytest")
    parser.add_argument("--clean", action="store_true", help="remove all earlier runs, and stop")
    parser.add_argument("--limit", type=float, default=LIMIT, help="least line coverage, percent")
    parser.add_argument("--json", type=Path, default=REPORT, help="also write the report here")
    options = parser.parse_args(arguments)
    if options.clean:
        for path in BUILDS.glob(f"*/run-*/{DATA}"):
            shutil.rmtree(path.parent)
        return 0

    reference_text, names = present_verilog(options.benches)
    builds = builds_with_runs()
    counts, runs = merge(builds.get(reference_text, []))
    if not runs:
        print("no passed run of the reference configuration: run the benches with COVERAGE=1")
        return 1
    reference, missed = measure(counts, Source(reference_text))
    others: dict[str, Figures] = defaultdict(Figures)
    used: dict[str, int] = {}
    for text, name in names.items():
        if text == reference_text:
            continue
        counts, used[name] = merge(builds.get(text, []))
        for module, part in measure(counts, Source(text))[0].items():
            others[module] += part

    total = summed(reference)
    for miss in missed:
        print(f"{miss.module}: {miss.condition}")
        print("\n".join(f"    {line}" for line in miss.lines))
    print(f"\n{total.lines[1] - total.lines[0]} arms, above, were not covered, in {runs} runs\n")
    print(table(reference, dict(others)))
    print(f"\nnot counted: {total.resets} resets of registers, all of them taken")
    for name, count in used.items():
        print(f"{count} runs of {name}")
    report = {
        "limit": options.limit,
        "runs": runs,
        "reference": as_json(reference),
        "others": as_json(dict(others)),
        "runs_of_others": used,
        "missed": [miss._asdict() for miss in missed],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    covered = 100 * total.lines[0] / total.lines[1]
    if covered < options.limit:
        print(f"line coverage is {covered:.1f} %, less than {options.limit:g} %")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
