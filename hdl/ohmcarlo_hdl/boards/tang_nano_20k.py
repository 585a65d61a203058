"""Sipeed Tang Nano 20K: a Gowin GW2AR-18 with 20,736 LUTs, 27 MHz, BL616, two buttons.

It has no room for a processor. The bit-serial controller serves the serial line
(soc/bit_serial.py).
"""

from __future__ import annotations

from .board import Board
from .flows import GOWIN_FLOW
from .ulx3s import BIT_SERIAL

TANG_NANO_20K = Board(
    name="tang-nano-20k",
    title="Sipeed Tang Nano 20K",
    device="GW2AR-LV18QN88C8/I7",
    platform_class="ohmcarlo_hdl.boards.platforms.tang_nano_20k:TangNano20kPlatform",
    flow=GOWIN_FLOW,
    config=BIT_SERIAL,
    compact=BIT_SERIAL,
    clock_hz=54_000_000,
    alive=("led", 0),
    busy=("led", 1),
    fault=("led", 5),
    reset=("button", 0),
    loader=("--board", "tangnano20k"),
    tool_options="--device GW2AR-LV18QN88C8/I7 --vopt family=GW2A-18C",
)
