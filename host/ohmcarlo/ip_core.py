"""``ohmcarlo export``: the IP core for other designs, and its rows in a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .builder import Say, exported_core

ARRAYS = {
    "emulator": "emulated in the IP core",
    "ports": "behind streams",
    "phy": "a die on a daughterboard",
}


@dataclass(frozen=True)
class ExportOptions:
    """Options of ``ohmcarlo export``; None stands for the value of the reference array.

    ``clock`` in MHz.
    """

    bus: str
    array: str = "emulator"
    rows: int | None = None
    pairs: int | None = None
    access_bits: int | None = None
    max_points: int | None = None
    streamed_points: int | None = None
    streams: bool = True
    clock: float | None = None
    report: bool = True


def export(out: Path, options: ExportOptions, say: Say) -> dict[str, Any]:
    """Write the core into the new folder ``out``; its manifest, and ``path`` of the folder.

    Raises UsageError for an unknown bus, an impossible array or clock, missing tools, a folder that
    is not empty; OhmcarloError when the synthesis fails.
    """
    manifest = exported_core(
        out,
        say,
        bus=options.bus,
        array=options.array,
        rows=options.rows,
        pairs=options.pairs,
        access_bits=options.access_bits,
        max_points=options.max_points,
        streamed_points=options.streamed_points,
        streams=options.streams,
        clock_mhz=options.clock,
        synthesis=options.report,
    )
    return manifest | {"path": str(out)}


def core_rows(v: dict[str, Any]) -> list[tuple[str, str]]:
    """Label and text of each row about an exported core."""
    g = v["geometry"]
    bits = f"{g['access_bits']} bit{'s' if g['access_bits'] > 1 else ''} per access"
    rows = [
        ("IP core", v["core"]),
        ("array", f"{ARRAYS[v['array']]}, {g['rows']} × {g['pairs']} pairs, {bits}"),
        ("bus", f"{v['bus']}, {v['address_bytes']:,} bytes of addresses"),
        ("streams", "AXI4-Stream for records and data" if v["streams"] else "none"),
    ]
    for family, found in ((v["synthesis"] or {}).get("families", {})).items():
        counts = (f"{count:,} {name}" for name, count in found["resources"].items())
        rows.append((family, ", ".join(counts)))
    return [
        *rows,
        ("register map", v["register_map"][:16]),
        ("design hash", v["design_hash"][:16]),
        ("files", f"{len(v['sha256']) + 1}"),
        ("next", f"read {Path(v['path']) / 'README.md'}"),
    ]
