"""Free-running pipelines: delay registers, and a FIFO for the end of such a pipeline."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value, ValueCastable
from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out


def delayed(
    m: Module, value: Value | ValueCastable, clocks: int, name: str, *, reset: bool = False
) -> Any:
    """``value``, delayed by ``clocks`` clocks; ``reset`` is for valid bits, data need none."""
    for clock in range(1, clocks + 1):
        later = Signal(value.shape(), name=f"{name}_{clock}", reset_less=not reset)
        m.d.sync += later.eq(value)
        value = later
    return value


class CreditFifo(wiring.Component):
    """Turns the end of a free-running pipeline into a stream that may stall.

    A result is offered on ``output`` in the clock in which it arrives, and is kept only if it is
    not taken then. Items inside the pipeline and results kept are never more than ``depth + 1``: a
    pipeline of up to ``depth - 1`` clocks sustains one item per clock.

    Attributes
    ----------
    enter : In(1)
        An item enters the pipeline; only while ``room`` is high.
    room : Out(1)
        Another item may enter.
    arrived : In(1)
        A result leaves the pipeline.
    payload : In(shape)
        That result.
    output : Out(stream of shape)
        Results, in order.
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "enter": In(1),
                "room": Out(1, init=1),
                "arrived": In(1),
                "payload": In(shape),
                "output": Out(stream.Signature(shape)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        payload = Value.cast(self.payload)
        m.submodules.kept = kept = SyncFIFO(width=len(payload), depth=self.depth + 1)
        taken = self.output.valid & self.output.ready
        # Functions of a count are registers. ``room`` is a clock old, and one item may have entered
        # since; hence one more place.
        credits = Signal(range(self.depth + 2), init=self.depth + 1)
        keeps, keeps_next = Signal(range(self.depth + 2)), Signal(range(self.depth + 2))
        any_kept = Signal()
        m.d.comb += keeps_next.eq(keeps + kept.w_en - (any_kept & self.output.ready))
        m.d.sync += [
            credits.eq(credits + taken - self.enter),
            self.room.eq(credits > 1),
            keeps.eq(keeps_next),
            any_kept.eq(keeps_next != 0),
        ]
        m.d.comb += [
            self.output.valid.eq(any_kept | self.arrived),
            Value.cast(self.output.payload).eq(Mux(any_kept, kept.r_data, payload)),
            kept.r_en.eq(self.output.ready),
            kept.w_data.eq(payload),
            kept.w_en.eq(self.arrived & (any_kept | ~self.output.ready)),
        ]
        return m
