"""The IP core that a job is for: its sizes, or the folder of its export."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from ohmcarlo.errors import UsageError
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.config import EMULATOR, REFERENCE, CoreConfig
from ohmcarlo_hdl.regs.map import register_map

MANIFEST = "manifest.json"
SIZES = {
    "rows": (REFERENCE.geometry.rows, "rows of the array"),
    "pairs": (REFERENCE.geometry.pairs, "device pairs of a row"),
    "access_bits": (REFERENCE.geometry.access_bits, "bits of an input that one access applies"),
    "max_points": (REFERENCE.max_points, "data points that the data memory holds"),
}
"""Name of a size → its default and its meaning."""


def add_core_options(parser: argparse.ArgumentParser) -> None:
    """The folder of a core, or its sizes under the names of ``ohmcarlo export``."""
    group = parser.add_argument_group("IP core")
    group.add_argument(
        "--core", type=Path, metavar="DIR", help="folder that `ohmcarlo export` wrote"
    )
    for name, (value, text) in SIZES.items():
        option = f"--{name.replace('_', '-')}"
        group.add_argument(option, type=int, metavar="N", help=f"{text} (default: {value})")


def core_of(options: argparse.Namespace) -> CoreConfig:
    """The core that the options name. Raises UsageError if there is no such core."""
    given = {name: getattr(options, name) for name in SIZES if getattr(options, name) is not None}
    if options.core is None:
        sizes = {name: value for name, (value, _) in SIZES.items()} | given
        max_points = sizes.pop("max_points")
        return CoreConfig(Geometry(**sizes), max_points=max_points)
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"--core already gives the sizes: leave out {names}")
    return exported_core(options.core)


def exported_core(folder: Path) -> CoreConfig:
    """The core of an export. Raises UsageError unless it has the emulated array and was exported by
    this version."""
    manifest = _manifest(folder)
    try:
        array, register_hash = manifest["array"], manifest["register_map"]
        geometry = Geometry(**manifest["geometry"])
        known = {field.name for field in fields(CoreConfig)} - {"geometry", "phy"}
        config = CoreConfig(geometry, **{n: manifest["controller"][n] for n in known})
    except (KeyError, TypeError):
        raise UsageError(_foreign(folder / MANIFEST)) from None
    if array != EMULATOR:
        raise UsageError(
            f"the core in {folder} has --array {array}, a job needs the emulated array: export a "
            f"core with --array {EMULATOR}"
        )
    here = register_map(config, True, ip=True).hash
    if register_hash != here:
        raise UsageError(
            f"the core in {folder} has register map {register_hash[:8]}, this version makes "
            f"{here[:8]} for its sizes: export the core again"
        )
    return config


def _foreign(path: Path) -> str:
    return f"{path} is not that of `ohmcarlo export`: name the folder of an exported core"


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}: name the folder of an exported core") from None
    except ValueError:
        raise UsageError(f"{path} is not valid JSON: export the core again") from None
    if not isinstance(found, dict):
        raise UsageError(_foreign(path))
    return found
