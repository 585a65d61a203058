"""Lattice iCE40-HX8K breakout board: 7,680 LUTs, 12 MHz, FT2232H, no button.

It has no room for a processor. The bit-serial controller serves the serial line
(soc/bit_serial.py).
"""

from __future__ import annotations

from dataclasses import replace

from ..config import BitSerialConfig
from .board import Board
from .flows import ICE40_FLOW
from .pll import Ice40CorePll

HX8K = Board(
    name="hx8k",
    title="Lattice iCE40-HX8K breakout board",
    device="iCE40HX8K-CT256",
    platform_class="amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
    flow=replace(ICE40_FLOW, primitive=Ice40CorePll),
    config=BitSerialConfig(),
    compact=BitSerialConfig(),
    clock_hz=24_000_000,
    alive=("led", 0),
    busy=("led", 1),
    fault=None,
    loader=("--board", "ice40_generic"),
    tool_options="--hx8k --package ct256",
)
