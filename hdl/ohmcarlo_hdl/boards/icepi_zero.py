"""Icepi Zero: an ECP5 with 24k LUTs, 50 MHz, FT231X, two buttons.

It has no room for a processor. The bit-serial controller serves the serial line
(soc/bit_serial.py).
"""

from __future__ import annotations

from .board import Board
from .flows import ECP5_FLOW
from .ulx3s import BIT_SERIAL

ICEPI_ZERO = Board(
    name="icepi-zero",
    title="Icepi Zero",
    device="LFE5U-25F-6BG256C",
    platform_class="amaranth_boards.icepi_zero:IcepiZero1_3Platform",
    flow=ECP5_FLOW,
    config=BIT_SERIAL,
    compact=BIT_SERIAL,
    clock_hz=50_000_000,
    alive=("led", 0),
    busy=("led", 1),
    fault=("led", 4),
    reset=("button", 0),
    loader=("--board", "icepi-zero"),
    tool_options="--25k --package CABGA256 --speed 6",
)
