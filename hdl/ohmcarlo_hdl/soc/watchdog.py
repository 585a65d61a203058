"""A watchdog of the processor."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .rings import COUNT_BITS


class Watchdog(wiring.Component):
    """Expires if software does not kick it in time, and begins anew.

    Parameters
    ----------
    clocks : int
        Clocks between two kicks, at most.

    Attributes
    ----------
    kick : In(1)
        Software works.
    hold : In(1)
        The watchdog does not count.
    expired : Out(1)
        High for one clock.
    count : Out(COUNT_BITS)
        Number of times that it has expired.
    """

    def __init__(self, clocks: int) -> None:
        self.clocks = clocks
        super().__init__(
            {"kick": In(1), "hold": In(1), "expired": Out(1), "count": Out(COUNT_BITS)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        left = Signal(range(self.clocks), init=self.clocks - 1)
        m.d.sync += [self.expired.eq(left == 0), left.eq(left - 1)]
        with m.If(self.kick | self.hold | (left == 0)):
            m.d.sync += left.eq(self.clocks - 1)
        with m.If(self.expired):
            m.d.sync += self.count.eq(self.count + 1)
        return m
