"""A FIFO between two streams."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out


class StreamFifo(wiring.Component):
    """``depth`` items between ``input`` and ``output``; latency 2 clocks, one item a clock.

    ``level`` counts the items inside.
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "input": In(stream.Signature(shape)),
                "output": Out(stream.Signature(shape)),
                "level": Out(range(depth + 1)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        payload = Value.cast(self.input.payload)
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=len(payload), depth=self.depth)
        m.d.comb += [
            fifo.w_data.eq(payload),
            fifo.w_en.eq(self.input.valid),
            self.input.ready.eq(fifo.w_rdy),
            Value.cast(self.output.payload).eq(fifo.r_data),
            self.output.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.output.ready),
            self.level.eq(fifo.level),
        ]
        return m
