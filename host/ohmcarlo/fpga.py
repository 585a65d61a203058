"""``ohmcarlo build``: a bitstream for a board, and its rows in a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .builder import Say, bitstream
from .readable import count

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
    """Options of ``ohmcarlo build``; None stands for the board's default.

    ``clock`` in MHz, ``out`` a folder.
    """

    array: str | None = None
    compact: bool = False
    rows: int | None = None
    pairs: int | None = None
    access_bits: int | None = None
    clock: float | None = None
    seed: int | None = None
    out: Path | None = None
    force: bool = False
    program: bool = False


def build_bitstream(board: str, options: BuildOptions, say: Say) -> dict[str, Any]:
    """Build it unless it is up to date; the manifest, and ``path`` of the bitstream.

    Raises UsageError for an unknown board, an impossible array or clock, missing tools;
    OhmcarloError when the design does not fit or is too slow, or no board can be programmed.
    """
    array = {} if options.array is None else {"array": options.array}
    folder, manifest = bitstream(
        board,
        say,
        compact=options.compact,
        rows=options.rows,
        pairs=options.pairs,
        access_bits=options.access_bits,
        clock_mhz=options.clock,
        seed=options.seed,
        out=options.out,
        force=options.force,
        load=options.program,
        **array,
    )
    return manifest | {"path": str(folder / _product(manifest)["file"])}


def bitstream_rows(v: dict[str, Any]) -> list[tuple[str, str]]:
    """Label and text of each row about a bitstream."""
    g = v["geometry"]
    rows = [
        ("board", f"{v['title']} ({v['device']})"),
        (
            "array",
            f"{ARRAYS[v['array']]}, {g['rows']} × {g['pairs']} pairs, "
            f"{count(g['access_bits'], 'bit')} per access",
        ),
        ("clock", f"{v['clock_hz'] / 1e6:g} MHz{_fmax(v)}"),
    ]
    rows += [
        (RESOURCES.get(name, name), f"{found['used']:,} of {found['available']:,}")
        for name, found in v.get("resources", {}).items()
        if found["available"]
    ]
    return [
        *rows,
        ("design hash", v["design_hash"][:16]),
        ("sha256", _product(v)["sha256"][:16]),
        ("file", v["path"]),
    ]


def _product(v: dict[str, Any]) -> dict[str, Any]:
    """The bitstream, or the Verilog for a tool of the vendor."""
    found: dict[str, Any] = v.get("bitstream") or v["verilog"]
    return found


def _fmax(v: dict[str, Any]) -> str:
    if "fmax_mhz" not in v:
        return "; the vendor's tool reports whether it is met"
    return f" (place and route reached {v['fmax_mhz']:.1f} MHz)"
