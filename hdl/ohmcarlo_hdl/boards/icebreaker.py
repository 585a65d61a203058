"""1BitSquared iCEBreaker: an iCE40 UP5K with 5,280 LUTs, 12 MHz, FT2232H, a button.

It has no room for a processor. The bit-serial controller serves the serial line
(soc/bit_serial.py).
"""

from __future__ import annotations

from ..config import BitSerialConfig
from .board import Board
from .flows import ICE40_FLOW

ICEBREAKER = Board(
    name="icebreaker",
    title="1BitSquared iCEBreaker",
    device="iCE40UP5K-SG48",
    platform_class="amaranth_boards.icebreaker:ICEBreakerPlatform",
    flow=ICE40_FLOW,
    config=BitSerialConfig(),
    compact=BitSerialConfig(),
    clock_hz=21_000_000,
    alive=("led_g", 0),
    busy=("led_r", 0),
    fault=None,
    reset=("button", 0),
    loader=("--board", "ice40_generic"),
    tool_options="--up5k --package sg48",
)
