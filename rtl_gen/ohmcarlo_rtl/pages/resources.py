"""The table of resources and clocks in ``docs/results.md``, from real builds.

The numbers come from the manifests of bitstreams and are kept in ``resources.json`` beside this
file. ``python -m ohmcarlo_rtl.pages.resources`` builds the rows that are missing or out of date,
one after the other. It can be interrupted and started again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo_hdl.config import EMULATOR, PHY

from ..bitstream.build import build
from ..bitstream.request import Request, request_of
from ..bitstream.tools import find_tools
from ..markdown import markdown_table
from ..progress import timed
from ..sources import REPOSITORY, require_checkout

PAGE = REPOSITORY / "docs" / "results.md"
RESULTS = Path(__file__).with_name("resources.json")
FOLDER = REPOSITORY / "build" / "table"
BEGIN, END = "<!-- resources -->", "<!-- end of resources -->"
REQUESTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ulx3s-85f": ("ulx3s-85f", {}),
    "ecpix5-85f": ("ecpix5-85f", {}),
    "ulx3s-85f-phy": ("ulx3s-85f", {"array": PHY}),
    "ulx3s-85f-512x16": ("ulx3s-85f", {"rows": 512, "pairs": 16}),
    "ulx3s-85f-one-bit-access": ("ulx3s-85f", {"access_bits": 1}),
    "ulx3s-85f-compact": ("ulx3s-85f", {"compact": True}),
    "ecpix5-85f-compact": ("ecpix5-85f", {"compact": True}),
    "ulx3s-12f": ("ulx3s-12f", {}),
    "ulx3s-12f-512x16": ("ulx3s-12f", {"rows": 512, "pairs": 16}),
    "icepi-zero": ("icepi-zero", {}),
    "tang-nano-20k": ("tang-nano-20k", {}),
    "tang-primer-20k": ("tang-primer-20k", {}),
    "gatemate-evb": ("gatemate-evb", {}),
    "hx8k": ("hx8k", {}),
    "hx8k-8x4": ("hx8k", {"rows": 8, "pairs": 4}),
}
"""Row of the table → board, and options as of ``request_of``."""
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
    """Row → the kept part of its manifest; rows without a build are omitted."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else "{}"
    found: dict[str, Any] = json.loads(text)
    return {name: found[name] for name in REQUESTS if name in found}


def write_results(results: Mapping[str, Any]) -> None:
    """Replace the results in one step: a reader gets either the old or the new ones."""
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
    return markdown_table((*head, "multipliers"), [_row(found) for found in results.values()])


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
    """The page with its table. Raises UsageError when the page lacks its markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"{PAGE} has no lines {BEGIN} and {END}: put them where the table goes")
    return f"{before}{BEGIN}\n{table(results)}\n{END}{after}"


def build_rows(names: list[str]) -> list[str]:
    """Build rows that are missing or out of date; return a line for each row that failed."""
    wrong = []
    for name in names:
        wanted = request(name)
        key = wanted.key(find_tools(wanted.board.flow.tools))
        if read_results().get(name, {}).get("build_key") == key:
            print(f"{name}: up to date", flush=True)
            continue
        try:
            manifest = build(wanted, FOLDER / name, timed(partial(_say, name)))
        except UsageError:
            raise
        except OhmcarloError as error:
            wrong.append(f"{name}: {error}")
            print(wrong[-1], flush=True)
            continue
        write_results(read_results() | {name: {field: manifest[field] for field in KEPT}})
    return wrong


def _say(row: str, line: str) -> None:
    print(f"{row}: {line}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done; 1: a build failed; 2: bad use."""
    parser = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.pages.resources",
        description="Build rows of the table of resources in docs/results.md, and renew it.",
    )
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        help=f"default: all of {', '.join(REQUESTS)}; an hour",
    )
    options = parser.parse_args(arguments)
    try:
        require_checkout("the page of results")
        if unknown := set(options.rows) - set(REQUESTS):
            raise UsageError(f"row {min(unknown)!r} is unknown: choose among {', '.join(REQUESTS)}")
        wrong = build_rows(options.rows or list(REQUESTS))
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(renewed(text, read_results()), encoding="utf-8", newline="\n")
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.pages.resources: {error}", file=sys.stderr)
        return error.exit_code
    for line in wrong:
        print(f"ohmcarlo_rtl.pages.resources: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
