"""The table of ``hdl/README.md`` with the cost of each bus over the register bus.

``python -m ohmcarlo_rtl.pages.buses`` synthesises the bridges and the interrupt, prints the table,
and renews the page. The numbers are kept in ``buses.json`` beside this file. They are those of
blocks that are synthesised alone, before placement.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from amaranth import Module
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.errors import OhmcarloError
from ohmcarlo.imports import without_collection
from ohmcarlo_hdl.config import REFERENCE
from ohmcarlo_hdl.ip.data_in import DataIn
from ohmcarlo_hdl.ip.interrupts import LATCHED, CommandEnd, Interrupts, flags
from ohmcarlo_hdl.ip.ports import BUSES, addr_width
from ohmcarlo_hdl.ip.records import RecordPath
from ohmcarlo_hdl.regs.bank import RegisterBank
from ohmcarlo_hdl.regs.bus import Bus
from ohmcarlo_hdl.regs.map import IP_WINDOWS, ip_map

from ..bitstream.tools import find_tools
from ..markdown import markdown_table
from ..processes import run
from ..sources import REPOSITORY, require_checkout
from .markers import renewed

PAGE = REPOSITORY / "hdl" / "README.md"
RESULTS = Path(__file__).with_name("buses.json")
TABLE = "buses"
INTERRUPT = "interrupt"
MOST_LUTS = 300
"""LUTs that a bus and the interrupt may take together."""
FAMILIES: Mapping[str, tuple[str, str, str]] = {
    "ecp5": ("synth_ecp5 -nodsp", "LUT", "TRELLIS_FF"),
    "xilinx": ("synth_xilinx -noiopad -noclkbuf", "LUT", "FD"),
}
"""Family → command of Yosys, beginnings of the names of its LUTs and of its flip-flops."""
TITLES = ("ECP5", "7 series")
KINDS = {"luts": "LUTs", "flip_flops": "flip-flops"}


class InterruptShare(wiring.Component):
    """The interrupt of a core with its registers, on a register bus of its own.

    ``words`` is the number of words in the ring of records.
    """

    def __init__(self) -> None:
        layout = ip_map(REFERENCE).part((INTERRUPT,), IP_WINDOWS)
        self.bank = RegisterBank(layout)
        self.threshold = self.bank.signature.members["interrupt_threshold"].shape
        super().__init__(
            {
                "bus": In(Bus(layout.addr_width)),
                "events": In(flags(LATCHED)),
                "executing": In(1),
                "pending": In(1),
                "words": In(self.threshold),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.bank = bank = self.bank
        m.submodules.end = end = CommandEnd()
        m.submodules.interrupts = interrupts = Interrupts()
        wiring.connect(m, wiring.flipped(self.bus), bank.bus)
        m.d.comb += [
            end.executing.eq(self.executing),
            end.pending.eq(self.pending),
            interrupts.events.eq(self.events),
            interrupts.waiting.eq(self.words >= bank.interrupt_threshold),
            interrupts.enable.eq(bank.interrupt_enable),
            bank.interrupt_cause.eq(interrupts.cause),
            self.irq.eq(interrupts.irq),
        ]
        for name in LATCHED:
            m.d.comb += interrupts.clear[name].eq(bank.interrupt_clear[name])
        return m


def blocks() -> dict[str, wiring.Component]:
    """Row of the table → block: each bridge with the addresses of the reference, the interrupt, and
    the streams."""
    width = addr_width(REFERENCE)
    bridges = {name: kind.bridge(width) for name, kind in BUSES.items() if kind.bridge}
    (ring,) = IP_WINDOWS
    items = ip_map(REFERENCE).window(ring).words
    streams = {
        "records, ring": RecordPath(REFERENCE, items, streams=False),
        "records, ring and stream": RecordPath(REFERENCE, items, streams=True),
        "data stream": DataIn(REFERENCE),
    }
    return {**bridges, INTERRUPT: InterruptShare(), **streams}


def measure(component: wiring.Component, family: str) -> dict[str, int]:
    """LUTs and flip-flops of a block in a family, synthesised alone.

    Raises OhmcarloError if Yosys is missing or fails.
    """
    synthesis, *cells = FAMILIES[family]
    (yosys,) = find_tools(["yosys"])
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)  # YoWASP tools see its files by relative paths only
        with without_collection():
            text = str(rtlil.convert(component, name="top", emit_src=False))
        (folder / "top.il").write_text(text, encoding="utf-8")
        script = f"read_rtlil top.il; rename -hide w:*[*]*; {synthesis} -top top; flatten; "
        script += "tee -q -o counts.json stat -json"
        code, printed = run([yosys.path, "-q", "-p", script], folder)
        if code:
            raise OhmcarloError(f"{yosys.path} failed: {printed.strip()[-500:]}")
        counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    by_type = counts["design"]["num_cells_by_type"]
    return {kind: _count(by_type, cell) for kind, cell in zip(KINDS, cells, strict=True)}


def _count(cells: Mapping[str, int], beginning: str) -> int:
    """Cells of a kind; a carry cell of the ECP5 takes the place of two LUTs."""
    carry = 2 * cells.get("CCU2C", 0) if beginning == "LUT" else 0
    return carry + sum(count for cell, count in cells.items() if cell.startswith(beginning))


def measured() -> dict[str, dict[str, dict[str, int]]]:
    """Row of the table → family → counts."""
    return {
        name: {family: measure(block, family) for family in FAMILIES}
        for name, block in blocks().items()
    }


def read_results() -> dict[str, Any]:
    """The counts of the last measurement."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def too_large(results: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[str]:
    """Buses that take more than MOST_LUTS together with the interrupt, each with its family."""
    return [
        f"{name}, {family}: {luts} LUTs"
        for name, family in product(results.keys() & BUSES.keys(), FAMILIES)
        if (luts := results[name][family]["luts"] + results[INTERRUPT][family]["luts"]) > MOST_LUTS
    ]


def tables() -> dict[str, str]:
    """The table of the page, by name."""
    results = read_results()
    head = ("block", *(f"{what}, {title}" for what, title in product(KINDS.values(), TITLES)))
    rows = [
        (name, *(str(found[f][kind]) for kind, f in product(KINDS, FAMILIES)))
        for name, found in results.items()
    ]
    return {TABLE: markdown_table(head, rows)}


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done; 1: a tool failed; 2: bad use."""
    parser = argparse.ArgumentParser(
        prog="python -m ohmcarlo_rtl.pages.buses",
        description="Synthesise the bridges from standard buses, the interrupt and the streams, "
        "print their LUTs and flip-flops, and renew the table in hdl/README.md (2 minutes).",
    )
    parser.parse_args(arguments)
    try:
        require_checkout("hdl/README.md")
        results = measured()
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8", newline="\n")
        page = renewed(PAGE.read_text(encoding="utf-8"), tables())
        PAGE.write_text(page, encoding="utf-8", newline="\n")
        print(tables()[TABLE])
        if found := too_large(results):
            raise OhmcarloError(f"more than {MOST_LUTS} LUTs with the interrupt: {found}")
    except OhmcarloError as error:
        print(f"ohmcarlo_rtl.pages.buses: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
