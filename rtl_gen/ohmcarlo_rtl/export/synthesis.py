"""Cells that a core takes in FPGA families, counted by Yosys without place and route."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from ohmcarlo.errors import OhmcarloError

from ..bitstream.tools import Tool, find_tools, run_tool
from ..markdown import markdown_table
from ..progress import Say

YOSYS = "yosys"
LIMIT_SECONDS = 3600
"""Time limit of a family."""
SOURCE, STATISTICS, LOG = "core.v", "cells.json", "yosys.log"


@dataclass(frozen=True)
class Family:
    """A family of FPGAs.

    ``synthesis``: the commands of Yosys. ``cells``: resource → type of a cell → how many of the
    resource it takes.
    """

    title: str
    synthesis: str
    cells: Mapping[str, Mapping[str, float]]


XILINX = """\
synth_xilinx -family xc7 -top $module -flatten -noiopad -noclkbuf -run begin:map_luts
opt_expr -mux_undef -noclkinv
abc -luts 2:2,3,6:5,10,20
clean
xilinx_srl -fixed -minlen 3
techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6
xilinx_dffopt
opt_lut_ins -tech xilinx
clean"""
"""``synth_xilinx`` with ``abc`` in place of ``abc9``, which ends with an error in this Yosys."""

FAMILIES: Mapping[str, Family] = {
    "ecp5": Family(
        "Lattice ECP5",
        "synth_ecp5 -top $module",
        {
            "LUTs": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4},
            "flip-flops": {"TRELLIS_FF": 1},
            "block RAMs": {"DP16KD": 1},
            "multipliers": {"MULT18X18D": 1},
        },
    ),
    "xilinx": Family(
        "Xilinx 7 series",
        XILINX,
        {
            "LUTs": {
                **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
                "INV": 1, "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4,
                "SRL16E": 1, "SRLC32E": 1,
            },
            "flip-flops": {"FDRE": 1, "FDSE": 1, "FDCE": 1, "FDPE": 1},
            "block RAMs": {"RAMB36E1": 1, "RAMB18E1": 0.5},
            "multipliers": {"DSP48E1": 1},
        },
    ),
}  # fmt: skip
SCRIPT = Template("""\
read_verilog $source
$synthesis
tee -q -o $statistics stat -json
""")


def report(verilog: str, module: str, folder: Path, say: Say) -> dict[str, object]:
    """Cells of the module for each family; ``folder`` is empty and holds the files of the tool.

    Raises UsageError, which names the extra, without Yosys; OhmcarloError if it fails or takes
    longer than LIMIT_SECONDS.
    """
    (tool,) = find_tools([YOSYS])
    (folder / SOURCE).write_text(verilog, encoding="utf-8", newline="\n")
    found = {}
    for name, family in FAMILIES.items():
        say(f"synthesis for {family.title}, which takes minutes (--no-report leaves it out) ...")
        cells = _cells(tool, name, module, folder)
        found[name] = {"resources": resources(family, cells), "cells": cells}
    return {"tool": tool.version, "families": found}


def resources(family: Family, cells: Mapping[str, int]) -> dict[str, float]:
    """Resource → how many of it the cells take.

    >>> resources(FAMILIES["ecp5"], {"LUT4": 10, "CCU2C": 2})["LUTs"]
    14
    """
    found = {}
    for name, weights in family.cells.items():
        count = sum(weights.get(kind, 0) * number for kind, number in cells.items())
        found[name] = int(count) if count == int(count) else count
    return found


def _cells(tool: Tool, name: str, module: str, folder: Path) -> dict[str, int]:
    """Type of a cell → number, after the synthesis for a family."""
    family = FAMILIES[name]
    commands = Template(family.synthesis).substitute(module=module)
    script = SCRIPT.substitute(source=SOURCE, synthesis=commands, statistics=STATISTICS)
    (folder / f"{name}.ys").write_text(script, encoding="utf-8", newline="\n")
    began = time.monotonic()

    def watch(line: str) -> None:
        if time.monotonic() - began > LIMIT_SECONDS:
            raise OhmcarloError(
                f"synthesis for {family.title} takes longer than {LIMIT_SECONDS // 60} minutes: "
                "pass --no-report, or export a smaller array"
            )

    code, printed = run_tool(tool, ["-s", f"{name}.ys"], folder, folder / LOG, watch)
    if code:
        lines = [line for line in printed.splitlines() if line.startswith("ERROR")]
        last = (lines or printed.strip().splitlines() or [f"exit code {code}"])[-1]
        raise OhmcarloError(
            f"synthesis for {family.title} failed ({last}): pass --no-report to export without it"
        )
    statistics = json.loads((folder / STATISTICS).read_text(encoding="utf-8"))
    cells = statistics["design"]["num_cells_by_type"]
    return {kind: int(cells[kind]) for kind in sorted(cells) if not kind.startswith("$")}


def report_page(title: str, found: Mapping[str, object]) -> str:
    """The page of a report."""
    families: Mapping[str, Mapping[str, Mapping[str, float]]] = found["families"]  # type: ignore[assignment]
    names = list(next(iter(FAMILIES.values())).cells)
    rows = [
        (FAMILIES[family].title, *(f"{v['resources'][name]:,}" for name in names))
        for family, v in families.items()
    ]
    parts = [
        f"# Synthesis\n\n{title}. Counted by {found['tool']}, without place and route. A LUT has "
        "four inputs in the ECP5\nand six in the 7 series; LUTs used as memory and in carry chains "
        "are included. A block RAM has 18 kbit in\nthe ECP5 and 36 kbit in the 7 series.\n",
        markdown_table(("family", *names), rows) + "\n",
        "## Cells\n",
        *(_cell_table(family, v["cells"]) for family, v in families.items()),
    ]
    return "\n".join(parts)


def _cell_table(family: str, cells: Mapping[str, float]) -> str:
    rows = [(kind, f"{number:,}") for kind, number in cells.items()]
    return f"{markdown_table((FAMILIES[family].title, 'number'), rows)}\n"
