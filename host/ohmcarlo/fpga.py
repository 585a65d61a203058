"""``ohmcarlo build``: a bitstream for a board, by the builder in the repository."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .builder import Say, require_sources, run_builder

BUILDER = "ohmcarlo_rtl.bitstream"
RESOURCES = {
    "lut": "LUTs",
    "ff": "flip-flops",
    "bram": "block RAMs",
    "dsp": "multipliers",
    "spram": "large RAMs",
}

ARRAYS = {"emulator": "emulated", "phy": "a die on a daughterboard"}


@dataclass(frozen=True)
class BuildOptions:
    """What ``ohmcarlo build`` was told; None is what the board has.

    ``clock`` in MHz, ``out`` a folder.
    """

    array: str | None = None
    small: bool = False
    rows: int | None = None
    pairs: int | None = None
    access_bits: int | None = None
    clock: float | None = None
    seed: int | None = None
    out: Path | None = None
    force: bool = False
    program: bool = False

    def words(self) -> list[str]:
        """The builder's command line."""
        flags = ["small", "force", "program"]
        values = {
            "array": self.array,
            "rows": self.rows,
            "pairs": self.pairs,
            "access-bits": self.access_bits,
            "clock": self.clock,
            "seed": self.seed,
            "out": None if self.out is None else self.out.absolute(),
        }
        return [f"--{flag}" for flag in flags if getattr(self, flag)] + [
            f"--{name}={value}" for name, value in values.items() if value is not None
        ]


def build_bitstream(board: str, options: BuildOptions, say: Say) -> dict[str, Any]:
    """Build it, or find that it is up to date; the manifest, and ``path`` of its folder.

    Raises UsageError for an unknown board, an impossible array or clock, missing tools or sources;
    OhmcarloError when it does not fit, is too slow, or no board can be programmed.
    """
    require_sources(BUILDER, "a bitstream")
    folder = run_builder(BUILDER, [board, *options.words()], f"the bitstream of {board}", say)
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest | {"path": str(folder / _product(manifest)["file"])}


def bitstream_rows(v: dict[str, Any]) -> list[tuple[str, str]]:
    """What a person wants to know about a bitstream, in this order."""
    g = v["geometry"]
    rows = [
        ("board", f"{v['title']} ({v['device']})"),
        (
            "array",
            f"{ARRAYS[v['array']]}, {g['rows']} × {g['pairs']} pairs, "
            f"{g['access_bits']} bits an access",
        ),
        ("clock", f"{v['clock_hz'] / 1e6:g} MHz{_fmax(v)}"),
    ]
    rows += [
        (RESOURCES.get(name, name), f"{count['used']:,} of {count['available']:,}")
        for name, count in v.get("resources", {}).items()
        if count["available"]
    ]
    return [
        *rows,
        ("design hash", v["design_hash"][:16]),
        ("sha256", _product(v)["sha256"][:16]),
        ("file", v["path"]),
    ]


def _product(v: dict[str, Any]) -> dict[str, Any]:
    """The bitstream; the Verilog where a vendor's tool goes on."""
    found: dict[str, Any] = v.get("bitstream") or v["verilog"]
    return found


def _fmax(v: dict[str, Any]) -> str:
    if "fmax_mhz" not in v:
        return "; whether it is met, the vendor's tool says"
    return f" (place and route reached {v['fmax_mhz']:.1f} MHz)"
