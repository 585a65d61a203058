"""Radiona ULX3S: an ECP5 with 84k or 24k LUTs, 25 MHz, FT231X. It has no reset of its own."""

from __future__ import annotations

from dataclasses import replace

from ohmcarlo.spec import Geometry
from ohmcarlo.spec.room import BIT_SERIAL_ROOM

from ..config import COMPACT, REFERENCE, BitSerialConfig
from .board import Board
from .flows import ECP5_FLOW

BIT_SERIAL = BitSerialConfig(
    Geometry(rows=256, pairs=32, access_bits=1), max_points=BIT_SERIAL_ROOM.max_points
)
"""The bit-serial controller with the reference array; the FPGA has no room for a processor."""

ULX3S_85F = Board(
    name="ulx3s-85f",
    title="Radiona ULX3S 85F",
    device="LFE5U-85F-6BG381C",
    platform_class="amaranth_boards.ulx3s:ULX3S_85F_Platform",
    flow=ECP5_FLOW,
    config=REFERENCE,
    compact=COMPACT,
    clock_hz=80_000_000,
    alive=("led", 0),
    busy=("led", 1),
    fault=("led", 7),
    header="ulx3s",
    loader=("--board", "ulx3s"),
    tool_options="--85k --package CABGA381 --speed 6",
)
ULX3S_12F = replace(
    ULX3S_85F,
    name="ulx3s-12f",
    title="Radiona ULX3S 12F",
    # the die is that of a 25F, and the open tools use all of it
    device="LFE5U-12F-6BG381C",
    platform_class="amaranth_boards.ulx3s:ULX3S_12F_Platform",
    config=BIT_SERIAL,
    compact=BIT_SERIAL,
    clock_hz=40_000_000,
    tool_options="--12k --package CABGA381 --speed 6",
)
