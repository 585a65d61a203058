"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import completion

MESSAGES = "Messages"
"""Panel of the options that every verb has."""
JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is standard output."),
]
HtmlOption = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write a page for the browser: one file with interactive charts, which needs no "
        "network.",
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Compute on the workers of this Dask scheduler, as in tcp://host:8786.",
    ),
]
TraceOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the chain, step by step, as .npz."),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Threads of this computer that chains on the model use (default: OHMCARLO_THREADS, or "
        "every core that this process may use). No result depends on it.",
    ),
]
RunArgument = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Folder of `train --out`.", autocompletion=completion.runs),
]
RowsOption = Annotated[int, typer.Option(help="Rows of the array.", rich_help_panel="Array")]
PairsOption = Annotated[
    int, typer.Option(help="Device pairs per row, entropy pairs included.", rich_help_panel="Array")
]
BuiltRowsOption = Annotated[
    int | None,
    typer.Option(
        help="Rows of the array (default: those of the board; 256 in an IP core).",
        rich_help_panel="Array",
    ),
]
BuiltPairsOption = Annotated[
    int | None,
    typer.Option(
        help="Device pairs per row, entropy pairs included (default: those of the board; 32 in an "
        "IP core).",
        rich_help_panel="Array",
    ),
]
BuiltAccessBitsOption = Annotated[
    int | None,
    typer.Option(
        help="Input bits per access: 8 is the fastest, 1 needs no multipliers (default: 8; 1 with "
        "--array phy and on boards without a processor).",
        rich_help_panel="Array",
    ),
]
ArrayOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.arrays,
        help="emulator (integers, as in the FPGA), physics (device model; physics:1e7 after 1e7 "
        "cycles), measured:FILE (replay of measured cells; docs/measurements.md has the formats), "
        "veriloga:FILE.va,c2c_PARAMETER=0.1 (physics with the constants of a compact model, whose "
        "pulses are simulated) or phy (a die on a daughterboard, with a backend that is a real "
        "board).",
        rich_help_panel="Array",
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.presets,
        help="Device preset of the array model (rram-1t1r, relative-5pct, relative-2pct, stress), "
        "a .json file with a preset or a noise model of aihwkit or CrossSim, or a file of "
        "measurements to which one is fitted.",
        rich_help_panel="Array",
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE,…",
        help="Conditions of the measurements to use, as in vbl=2.0,width=100ns: vwl, vbl, vsl, "
        "width, icc, temperature, device, or another column of the file.",
        rich_help_panel="Array",
    ),
]
BackendOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.backends,
        help="Board that runs the chain: model (the bit-exact reference, on this computer), rtl "
        "(simulated hardware, built at its first use), serial:PORT, small:PORT for a board without "
        "a processor (small:rtl: simulated), or the IP core on a bus of this computer: "
        "mmio:/dev/uio0, devmem:0x43C00000. train shares the chains of a run among several "
        "boards: serial:A,serial:B or rtl,rtl.",
        rich_help_panel="Array",
    ),
]
SeedOption = Annotated[
    int, typer.Option(help="Seed of data split and array. Equal seeds give equal runs.")
]
ArraySeedOption = Annotated[
    int, typer.Option(help="Seed of the array. Equal seeds give equal devices.")
]
