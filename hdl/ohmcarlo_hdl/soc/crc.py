"""The checksum unit of the board."""

from __future__ import annotations

from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.crc import Algorithm
from amaranth.lib.wiring import In, Out

CRC32 = Algorithm(
    crc_width=32,
    polynomial=0x04C1_1DB7,
    initial_crc=0xFFFF_FFFF,
    reflect_input=True,
    reflect_output=True,
    xor_output=0xFFFF_FFFF,
)
"""CRC-32 of IEEE 802.3, as ``zlib.crc32``."""


class Crc32(wiring.Component):
    """Checksum of a sequence of bytes.

    Attributes
    ----------
    start : In(1)
        Begin a sequence.
    strobe : In(1)
        ``data`` is the next byte.
    data : In(8)
        That byte.
    value : Out(32)
        CRC-32 of the bytes since ``start``.
    """

    def __init__(self) -> None:
        super().__init__({"start": In(1), "strobe": In(1), "data": In(8), "value": Out(32)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.unit = unit = CRC32(data_width=8).create()
        m.d.comb += [
            unit.start.eq(self.start),
            unit.valid.eq(self.strobe),
            unit.data.eq(self.data),
            self.value.eq(unit.crc),
        ]
        return m
