"""What was done: operations of the array, steps, samples and points, for the ledger."""

from __future__ import annotations

from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..array.interface import Op
from ..config import REFERENCE, CoreConfig

COUNTER_BITS = 64
OPERATIONS = {
    "form": Op.FORM,
    "reset": Op.RESET,
    "set": Op.SET,
    "read": Op.READ,
    "dot": Op.DOT,
}
COUNTED = ("clocks", *OPERATIONS, "invalid", "samples", "points")


class Counters(wiring.Component):
    """64-bit counters since the last reset.

    ``request`` with ``op``: an operation went to the array. ``step``: a step ended; ``valid`` and
    ``accepted`` tell how, after ``evaluated`` data points. ``clocks`` counts while ``busy``.
    A RESET of a row counts once; accesses that were under way when a proposal was turned down
    count as DOT, though no point comes of them.
    """

    def __init__(self, config: CoreConfig = REFERENCE) -> None:
        super().__init__(
            {
                "busy": In(1),
                "request": In(1),
                "op": In(3),
                "step": In(1),
                "valid": In(1),
                "accepted": In(1),
                "evaluated": In(config.point_bits + 1),
            }
            | {name: Out(COUNTER_BITS) for name in COUNTED}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.sync += self.clocks.eq(self.clocks + self.busy)
        for name, op in OPERATIONS.items():
            count = getattr(self, name)
            with m.If(self.request & (self.op == op)):
                m.d.sync += count.eq(count + 1)
        with m.If(self.step):
            m.d.sync += [
                self.invalid.eq(self.invalid + (1 - self.valid)),
                self.samples.eq(self.samples + self.accepted),
                self.points.eq(self.points + self.evaluated),
            ]
        return m
