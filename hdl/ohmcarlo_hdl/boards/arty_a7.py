"""Digilent Arty A7-100T: an Artix-7, 100 MHz, FT2232HQ, a reset button.

None of the installed open tools makes its bitstream; Verilog and XDC are for Vivado.
"""

from __future__ import annotations

from ..config import COMPACT, REFERENCE
from .board import Board
from .flows import ARTIX7_FLOW

ARTY_A7 = Board(
    name="arty-a7",
    title="Digilent Arty A7-100T",
    device="xc7a100ticsg324-1L",
    platform_class="amaranth_boards.arty_a7:ArtyA7_100Platform",
    flow=ARTIX7_FLOW,
    config=REFERENCE,
    compact=COMPACT,
    clock_hz=80_000_000,
    alive=("led", 0),
    busy=("led", 1),
    fault=("led", 3),
    reset=("rst", 0),
    loader=("--board", "arty_a7_100t"),
    tool_options="xc7a100ticsg324-1L",
)
