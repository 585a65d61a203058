"""Verb ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import completion
from .options import BuiltAccessBitsOption, BuiltPairsOption, BuiltRowsOption, JsonOption


def export(
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="Folder of the IP core: a new one, or an empty one."),
    ],
    bus: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.buses,
            help="Bus of the IP core: axi4-lite, apb4, wishbone, or native (the register bus, "
            "without a bridge).",
        ),
    ] = "axi4-lite",
    array: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.exported_arrays,
            help="emulator (emulated devices inside the IP core), ports (streams for an array of "
            "your own) or phy (the wires of a daughterboard with a die; needs --clock).",
            rich_help_panel="Array",
        ),
    ] = "emulator",
    rows: BuiltRowsOption = None,
    pairs: BuiltPairsOption = None,
    access_bits: BuiltAccessBitsOption = None,
    max_points: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Data points that the data memory holds, a power of two (default: 1024).",
            rich_help_panel="Array",
        ),
    ] = None,
    streamed_points: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Most data points of a training, those beyond the data memory from a stream: a "
            "power of two above --max-points (default: none).",
            rich_help_panel="Array",
        ),
    ] = None,
    streams: Annotated[
        bool,
        typer.Option(
            "--streams/--no-streams", help="AXI4-Stream ports for records and data points."
        ),
    ] = True,
    clock: Annotated[
        float | None,
        typer.Option(
            metavar="MHZ",
            help="Frequency of the clock of your design: for the constraints, the register "
            "ip.clock_hz and the pulse widths of phy.",
        ),
    ] = None,
    report: Annotated[
        bool,
        typer.Option(
            "--report/--no-report",
            help="Count LUTs, flip-flops, block RAMs and multipliers with Yosys, which takes "
            "minutes.",
        ),
    ] = True,
    json: JsonOption = None,
) -> None:
    """Export the controller as an IP core for your own FPGA or ASIC design.

    The folder holds Verilog, a table of the ports, the register page, a C driver with its headers,
    memory images, a test bench, constraints, and files for tool flows: FuseSoC, IP-XACT, Vivado
    (`package_ip.tcl`), Platform Designer (`_hw.tcl`) and LiteX. Its README.md states the next
    command of each. docs/integration.md describes the IP core.

    Examples:

    - `ohmcarlo export ip --rows 64 --pairs 16`: behind AXI4-Lite; then `cd ip` and
    `fusesoc --cores-root . run --target sim ohmcarlo:ip:ohmcarlo_axi4_lite`

    - `ohmcarlo export ip --bus wishbone --no-streams --no-report`: for LiteX, in seconds

    - `ohmcarlo export ip --bus apb4 --array ports --access-bits 1`: for an array of your own, whose
    word lines are on or off

    - `ohmcarlo export ip --array phy --rows 64 --pairs 16 --clock 100`: for a die on a
    daughterboard

    Equal options give equal bytes. The folder appears when it is complete. The tools come with
    `pip install 'ohmcarlo[hdl]'`.
    """
    from ..ip_core import ExportOptions, core_rows
    from ..ip_core import export as export_core
    from ..progress import current_observer
    from .console import Console

    console = Console(json)
    options = ExportOptions(
        bus=bus,
        array=array,
        rows=rows,
        pairs=pairs,
        access_bits=access_bits,
        max_points=max_points,
        streamed_points=streamed_points,
        streams=streams,
        clock=clock,
        report=report,
    )
    made = export_core(out, options, current_observer().say)
    console.json(made)
    console.table("Export", core_rows(made))
