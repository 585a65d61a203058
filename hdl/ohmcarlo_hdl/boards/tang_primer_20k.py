"""Sipeed Tang Primer 20K on its dock: a Gowin GW2A-18 with 20,736 LUTs, 27 MHz, BL702, buttons.

It has no room for a processor. The bit-serial controller serves the serial line
(soc/bit_serial.py).
"""

from __future__ import annotations

from .board import Board
from .flows import GOWIN_FLOW
from .ulx3s import BIT_SERIAL

TANG_PRIMER_20K = Board(
    name="tang-primer-20k",
    title="Sipeed Tang Primer 20K with dock",
    device="GW2A-LV18PG256C8/I7",
    platform_class="amaranth_boards.tang_primer_20k:TangPrimer20kDockPlatform",
    flow=GOWIN_FLOW,
    config=BIT_SERIAL,
    compact=BIT_SERIAL,
    clock_hz=54_000_000,
    alive=("led", 0),
    busy=("led", 1),
    fault=("led", 5),
    reset=("button", 0),
    loader=("--board", "tangprimer20k"),
    tool_options="--device GW2A-LV18PG256C8/I7 --vopt family=GW2A-18C",
)
