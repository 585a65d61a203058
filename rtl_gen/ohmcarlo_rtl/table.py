"""``python -m ohmcarlo_rtl.table``: resources and clocks of real builds, in ``docs/results.md``.

The numbers come from the manifests of bitstreams and are kept in ``resources.json`` beside this
file. Without options the page is renewed from there; ``--check`` compares it; ``--build`` first
builds missing and outdated rows, one after another; it can be interrupted and resumed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo_hdl.config import EMULATOR, PHY

from .bitstream.build import build
from .bitstream.request import ROOT, Request, request_of
from .bitstream.tools import find_tools

PAGE = ROOT / "docs" / "results.md"
RESULTS = Path(__file__).with_name("resources.json")
FOLDER = ROOT / "build" / "table"
BEGIN, END = "<!-- resources -->", "<!-- end of resources -->"
REQUESTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ulx3s-85f": ("ulx3s-85f", {}),
    "ecpix5-85f": ("ecpix5-85f", {}),
    "ulx3s-85f-phy": ("ulx3s-85f", {"array": PHY}),
    "ulx3s-85f-512x16": ("ulx3s-85f", {"rows": 512, "pairs": 16}),
    "ulx3s-85f-bit-serial": ("ulx3s-85f", {"access_bits": 1}),
    "ulx3s-85f-small": ("ulx3s-85f", {"small": True}),
    "ecpix5-85f-small": ("ecpix5-85f", {"small": True}),
    "ulx3s-12f": ("ulx3s-12f", {}),
    "ulx3s-12f-512x16": ("ulx3s-12f", {"rows": 512, "pairs": 16}),
    "hx8k": ("hx8k", {}),
    "hx8k-8x4": ("hx8k", {"rows": 8, "pairs": 4}),
}
"""Row of the table → board and options, as ``ohmcarlo build`` takes them."""
KEPT = (
    "board", "title", "array", "geometry", "clock_hz", "fmax_mhz", "resources", "seed", "build_key",
)  # fmt: skip
BEHIND = {EMULATOR: "", PHY: ", on a daughterboard"}
COLUMNS = ("lut", "ff", "bram", "dsp")
NONE = "–"


def request(name: str) -> Request:
    board, options = REQUESTS[name]
    return request_of(board, **options)


def read_results() -> dict[str, Any]:
    """Row → what was kept of its manifest; those that were built."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else "{}"
    found: dict[str, Any] = json.loads(text)
    return {name: found[name] for name in REQUESTS if name in found}


def write_results(results: Mapping[str, Any]) -> None:
    """In one step: a reader sees the old or the new results."""
    part = RESULTS.with_suffix(".part")
    part.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8", newline="\n")
    part.replace(RESULTS)


def table(results: Mapping[str, Any]) -> str:
    """The table, as Markdown."""
    head = (
        "board",
        "array",
        "bits an access",
        "clock",
        "reached",
        "LUTs",
        "flip-flops",
        "block RAMs",
    )
    rows = [(*head, "multipliers"), ("---",) * (len(head) + 1)]
    rows += [_row(found) for found in results.values()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(found: Mapping[str, Any]) -> tuple[str, ...]:
    g, resources = found["geometry"], found["resources"]
    return (
        found["title"],
        f"{g['rows']} × {g['pairs']}{BEHIND[found['array']]}",
        str(g["access_bits"]),
        f"{found['clock_hz'] / 1e6:g} MHz",
        f"{found['fmax_mhz']:.1f} MHz",
        *(_count(resources.get(name)) for name in COLUMNS),
    )


def _count(count: Mapping[str, int] | None) -> str:
    if count is None or not count["available"]:
        return NONE
    return f"{count['used']:,} ({count['used'] / count['available']:.0%})"


def renewed(text: str, results: Mapping[str, Any]) -> str:
    """The page with its table. Raises UsageError when it has no place for it."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"{PAGE} has no lines {BEGIN} and {END}: put them where the table goes")
    return f"{before}{BEGIN}\n{table(results)}\n{END}{after}"


def build_rows(names: list[str]) -> list[str]:
    """Builds what is missing or out of date; returns what went wrong, a line for each row."""
    wrong = []
    for name in names:
        wanted = request(name)
        key = wanted.key(find_tools(wanted.board.flow.tools))
        if read_results().get(name, {}).get("build_key") == key:
            print(f"{name}: up to date", flush=True)
            continue
        began = time.monotonic()

        def say(line: str, name: str = name, began: float = began) -> None:
            print(f"{name}: {time.monotonic() - began:4.0f} s  {line}", flush=True)

        try:
            manifest = build(wanted, FOLDER / name, say)
        except UsageError:
            raise
        except OhmcarloError as error:
            wrong.append(f"{name}: {error}")
            print(wrong[-1], flush=True)
            continue
        write_results(read_results() | {name: {field: manifest[field] for field in KEPT}})
    return wrong


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done; 1: a build failed, or ``--check`` found a difference; 2: bad use."""
    parser = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.table",
        description="Renew the table of resources in docs/results.md from resources.json.",
    )
    parser.add_argument(
        "--build",
        nargs="*",
        metavar="ROW",
        help=f"build these rows first (default: all of {', '.join(REQUESTS)}); an hour",
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args(arguments)
    try:
        if unknown := set(options.build or ()) - set(REQUESTS):
            raise UsageError(f"row {min(unknown)!r} is unknown: there are {', '.join(REQUESTS)}")
        wrong = [] if options.build is None else build_rows(options.build or list(REQUESTS))
        text = PAGE.read_text(encoding="utf-8")
        made = renewed(text, read_results())
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.table: {error}", file=sys.stderr)
        return error.exit_code
    if options.check and made != text:
        wrong.append(f"{PAGE} differs from {RESULTS}")
    elif made != text:
        PAGE.write_text(made, encoding="utf-8", newline="\n")
    for line in wrong:
        print(f"ohmcarlo_rtl.table: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
