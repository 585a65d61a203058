"""Verb ``build``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import completion
from .options import BuiltAccessBitsOption, BuiltPairsOption, BuiltRowsOption, JsonOption


def build(
    board: Annotated[
        str,
        typer.Argument(
            metavar="BOARD",
            help=completion.BOARD_HELP,
            autocompletion=completion.boards,
        ),
    ],
    array: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.built_arrays,
            help="emulator (default: a model of the array in the FPGA) or phy (a die on a "
            "daughterboard at the headers of ulx3s-85f or ecpix5-85f).",
            rich_help_panel="Array",
        ),
    ] = None,
    compact: Annotated[
        bool,
        typer.Option(
            "--compact", help="Build a smaller array, in a minute.", rich_help_panel="Array"
        ),
    ] = False,
    rows: BuiltRowsOption = None,
    pairs: BuiltPairsOption = None,
    access_bits: BuiltAccessBitsOption = None,
    clock: Annotated[
        float | None,
        typer.Option(
            metavar="MHZ", help="Clock of controller and processor (default: that of the board)."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Seed of place and route (default: 1, then others if timing fails narrowly)."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the result (default: build/BOARD)."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Build again, even if nothing has changed.")
    ] = False,
    program: Annotated[
        bool,
        typer.Option("--program", help="Load it into the connected board, with openFPGALoader."),
    ] = False,
    json: JsonOption = None,
) -> None:
    """Build the bitstream of an FPGA board, with open tools.

    Boards:

    - `ulx3s-85f`: Radiona ULX3S 85F, the reference array (256 × 32) at 80 MHz

    - `ecpix5-85f`: LambdaConcept ECPIX-5 85F, the reference array at 100 MHz

    - `ulx3s-12f`: Radiona ULX3S 12F, the bit-serial controller, without a processor

    - `icepi-zero`: Icepi Zero (ECP5), the bit-serial controller

    - `tang-nano-20k`, `tang-primer-20k`: Sipeed Tang Nano 20K, Tang Primer 20K with dock (Gowin),
    the bit-serial controller

    - `gatemate-evb`: Olimex GateMateA1-EVB (GateMate), the bit-serial controller

    - `hx8k`: Lattice iCE40-HX8K breakout board, the bit-serial controller, without a processor

    - `icebreaker`: 1BitSquared iCEBreaker, pins and clock only; its 5,280 LUTs are too few so far

    - `arty-a7`: Digilent Arty A7-100T, as Verilog and XDC for Vivado

    Examples:

    - `ohmcarlo build ulx3s-85f --program`, then `ohmcarlo selftest --backend serial:/dev/ttyUSB0`

    - `ohmcarlo build hx8k --program`, then `ohmcarlo selftest --backend small:/dev/ttyUSB1`

    - `ohmcarlo build ulx3s-85f --rows 128 --pairs 16 --clock 60`: another array, a slower clock

    - `ohmcarlo build ulx3s-85f --array phy --rows 64 --pairs 16`: for a real array of that size;
    constraints/daughterboard.md describes wires, rails and first steps

    The folder holds the bitstream, manifest.json (design, clocks reached, resources, versions,
    sha256), logs, and sources for your own flow. Equal inputs give equal bitstreams. A result that
    is up to date is not built again. A clock that is not met is an error that states the clock
    reached. The tools come with `pip install 'ohmcarlo[fpga]'`.
    """
    from ..fpga import BuildOptions, bitstream_rows, build_bitstream
    from ..progress import current_observer
    from .console import Console

    console = Console(json)
    options = BuildOptions(
        array=array,
        compact=compact,
        rows=rows,
        pairs=pairs,
        access_bits=access_bits,
        clock=clock,
        seed=seed,
        out=out,
        force=force,
        program=program,
    )
    made = build_bitstream(board, options, current_observer().say)
    console.json(made)
    console.table("Bitstream", bitstream_rows(made))
