"""Line selects: a chain of shift registers that is shifted only when its outputs have to change."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .parts import SHIFT_REGISTER, PhyTiming, clocks, half_period
from .shift import Shifter


class LineChain(wiring.Component):
    """Keeps the outputs of a chain of shift registers at ``wanted``.

    While ``need`` and ``go`` are high and the outputs differ, ``wanted`` is shifted out and
    latched.

    Attributes
    ----------
    wanted : In(width)
        Levels of the outputs.
    need : In(1)
        The operation uses these outputs.
    go : In(1)
        A frame may start.
    forget : In(1)
        The outputs are unknown from now on.
    settled : Out(1)
        The outputs have been ``wanted`` for the settling time, or there is no ``need``.
    busy : Out(1)
        A frame is being sent.
    sent : Out(width)
        Word of the last frame; undefined before the first one.
    clock : Out(1)
        SRCLK of the chain.
    data : Out(1)
        SER of the first register.
    latch : Out(1)
        RCLK of the chain.
    """

    def __init__(self, width: int, timing: PhyTiming, clock_hz: int) -> None:
        self.width = width
        self.bits = -(-width // SHIFT_REGISTER.bits) * SHIFT_REGISTER.bits
        self.settle = clocks(timing.line_settle_ns, clock_hz)
        self.shifter = Shifter(
            self.bits,
            half_period(timing.chain_sclk_ns, clock_hz),
            clocks(timing.chain_latch_ns, clock_hz),
            falling=False,
        )
        super().__init__(
            {
                "wanted": In(width),
                "need": In(1),
                "go": In(1),
                "forget": In(1),
                "settled": Out(1),
                "busy": Out(1),
                "sent": Out(width),
                "clock": Out(1),
                "data": Out(1),
                "latch": Out(1),
            }
        )
        # The state is on the object for the proofs.
        self.known = Signal()
        self.lost = Signal()  # ``forget`` in the middle of a frame
        self.wait = Signal(bits_for(self.settle))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.shifter = shifter = self.shifter
        known, lost, wait = self.known, self.lost, self.wait
        same, start = Signal(), Signal()
        m.d.comb += [
            same.eq(known & (self.sent == self.wanted)),
            start.eq(self.need & self.go & ~same & ~shifter.busy),
            self.settled.eq(~self.need | (same & (wait == 0))),
            self.busy.eq(shifter.busy),
            shifter.start.eq(start),
            shifter.word.eq(self.wanted),
            self.clock.eq(shifter.clock),
            self.data.eq(shifter.data),
            self.latch.eq(shifter.close),
        ]
        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(start):
            m.d.sync += [self.sent.eq(self.wanted), known.eq(0), lost.eq(0)]
        with m.If(shifter.done):
            m.d.sync += [known.eq(~lost), wait.eq(self.settle)]
        with m.If(self.forget):
            m.d.sync += [known.eq(0), lost.eq(1)]
        return m
