"""When the controller needs its clock."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.hdl import ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .bridge import CONTROLLER_LATENCY

WAKE_CLOCKS = 64
"""Clocks of the controller after a write, to finish operations without a status bit."""
READ_CLOCKS = CONTROLLER_LATENCY + 1
"""Clocks of the controller after a read."""
COUNT_BITS = 7


class Wake(wiring.Component):
    """Wants the controller's clock while the controller is active, and for some clocks more after
    an access.

    Parameters
    ----------
    write_clocks : ValueLike
        Clocks after a write; at most ``2**COUNT_BITS - 1``.

    Attributes
    ----------
    writes : In(1)
        Something is written in this clock.
    reads : In(1)
        Something is read in this clock.
    active : In(1)
        The controller needs its clock without an access.
    wanted : Out(1)
        The controller needs the next edge of its clock.
    """

    def __init__(self, write_clocks: ValueLike = WAKE_CLOCKS) -> None:
        self.write_clocks = Value.cast(write_clocks)
        super().__init__({"writes": In(1), "reads": In(1), "active": In(1), "wanted": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        left = Signal(COUNT_BITS, init=WAKE_CLOCKS)
        with m.If(self.writes):
            m.d.sync += left.eq(self.write_clocks)
        with m.Elif(self.reads & (left < READ_CLOCKS)):
            m.d.sync += left.eq(READ_CLOCKS)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.comb += self.wanted.eq(self.writes | self.reads | (left != 0) | self.active)
        return m
