"""From an Amaranth component to Verilog."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from amaranth.back import verilog
from amaranth.lib import wiring

from ohmcarlo.imports import without_collection
from ohmcarlo_hdl.soc.design import TOOLS, sources_digest, tool_versions

from .cache import digest, published

TOP = "dut"


def verilog_of(component: wiring.Component, name: str = TOP) -> str:
    """The component's Verilog, module ``name``: the same bytes in any folder."""
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    with without_collection():
        return str(verilog.convert(component, name=name, emit_src=False))


def kept_verilog(make: Callable[[], wiring.Component], *parameters: object) -> str:
    """Verilog of ``make()``, kept under the hash of the hardware's sources and of ``parameters``.

    ``parameters`` determine the component: its class and its arguments. Their ``repr`` is the key.
    For large components that several tests simulate.
    """

    def write(folder: Path) -> None:
        (folder / f"{TOP}.v").write_text(verilog_of(make()))

    key = digest(sources_digest(), tool_versions(TOOLS), [repr(p) for p in parameters])
    return (published(f"verilog-{key}", write) / f"{TOP}.v").read_text()
