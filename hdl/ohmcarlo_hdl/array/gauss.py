"""Standard normals from uniform words, by the inverse of the cumulative distribution."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.spec import GAUSS_INTERP_BITS, GAUSS_NODES, GAUSS_SUB_BITS, gauss_table

from ..lib.table import SegmentTable

NORMAL_BITS = 1 + bits_for(int(gauss_table().max()))
"""Signed width of a normal."""
TAIL_BITS = 31
TOP_SHIFT = TAIL_BITS - 1 - GAUSS_SUB_BITS


class Gauss(wiring.Component):
    """One normal per clock, ``LATENCY`` clocks after its word; a free-running pipeline.

    The segments of the table follow the octaves of the 31-bit tail: shifting the tail until its
    leading one is at the top brings the segment within the octave and the fraction to fixed places.

    Twin: ``ohmcarlo.spec.gauss``.

    Attributes
    ----------
    word : In(32)
        Uniform word: tail in [30:0], sign in bit 31.
    normal : Out(signed(NORMAL_BITS))
        Standard normal, LSB 2**-GAUSS_FRAC.
    """

    LATENCY = SegmentTable.LATENCY + 3

    def __init__(self) -> None:
        super().__init__({"word": In(32), "normal": Out(signed(NORMAL_BITS))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        nodes = [int(n) for n in gauss_table()]
        deepest = max(abs(a - b) for a, b in pairwise(nodes))
        m.submodules.table = table = SegmentTable(
            GAUSS_NODES - 1, GAUSS_INTERP_BITS, NORMAL_BITS, 1 + bits_for(deepest), nodes
        )
        # 1: the octave
        tail = Signal(TAIL_BITS)
        shift, lift = Signal(range(TOP_SHIFT + 1)), Signal(range(TOP_SHIFT + 1))
        m.d.sync += [tail.eq(self.word[:TAIL_BITS]), shift.eq(0), lift.eq(TOP_SHIFT)]
        for octave in range(1, TOP_SHIFT + 1):
            with m.If(self.word[octave + GAUSS_SUB_BITS]):
                m.d.sync += [shift.eq(octave), lift.eq(TOP_SHIFT - octave)]
        # 2: the tail with its leading one at the top (the first octave has none)
        norm = Signal(TAIL_BITS)
        base = Signal.like(shift)
        m.d.sync += [norm.eq(tail << lift), base.eq(shift)]
        m.d.comb += [
            table.index.eq((base << GAUSS_SUB_BITS) + norm[TOP_SHIFT:]),
            table.fraction.eq(norm[TOP_SHIFT - GAUSS_INTERP_BITS : TOP_SHIFT]),
        ]
        # the sign is delayed as long as the table
        sign = self.word[TAIL_BITS]
        for stage in range(self.LATENCY - 1):
            later = Signal(name=f"sign_{stage}")
            m.d.sync += later.eq(sign)
            sign = later
        m.d.sync += self.normal.eq(Mux(sign, -table.value, table.value))
        return m
