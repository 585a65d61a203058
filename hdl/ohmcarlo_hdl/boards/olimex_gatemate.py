"""Olimex GateMateA1-EVB: a GateMate CCGM1A1 with 20,480 logic elements, 10 MHz, RP2040, a button.

It has no room for a processor. The bit-serial controller serves the serial line
(soc/bit_serial.py).
"""

from __future__ import annotations

from .board import Board
from .flows import GATEMATE_FLOW
from .ulx3s import BIT_SERIAL

OLIMEX_GATEMATE = Board(
    name="gatemate-evb",
    title="Olimex GateMateA1-EVB",
    device="CCGM1A1",
    platform_class="ohmcarlo_hdl.boards.platforms.olimex_gatemate:OlimexGateMatePlatform",
    flow=GATEMATE_FLOW,
    config=BIT_SERIAL,
    compact=BIT_SERIAL,
    clock_hz=20_000_000,
    alive=("led", 0),
    busy=None,
    fault=None,
    reset=("button", 0),
    loader=("--board", "olimex_gatemateevb"),
    tool_options="--device CCGM1A1 --vopt fpga_mode=2 --vopt no-cpe-cp",
)
