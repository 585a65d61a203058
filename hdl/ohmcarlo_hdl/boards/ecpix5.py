"""LambdaConcept ECPIX-5 85F: an ECP5-5G with 84k LUTs, 100 MHz, FT2232H, a reset button."""

from __future__ import annotations

from ..config import COMPACT, REFERENCE
from .board import Board
from .flows import ECP5_FLOW

ECPIX5_85F = Board(
    name="ecpix5-85f",
    title="LambdaConcept ECPIX-5 85F",
    device="LFE5UM5G-85F-8BG554C",
    platform_class="amaranth_boards.ecpix5:ECPIX585Platform",
    flow=ECP5_FLOW,
    config=REFERENCE,
    compact=COMPACT,
    clock_hz=100_000_000,
    alive=("rgb_led.g", 0),
    busy=("rgb_led.b", 1),
    fault=("rgb_led.r", 2),
    reset=("rst", 0),
    header="ecpix5",
    loader=("--board", "ecpix5"),
    tool_options="--um5g-85k --package CABGA554 --speed 8",
)
