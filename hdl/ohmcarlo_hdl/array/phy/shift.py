"""A serial frame: bits, the most significant first, then a latch pulse or a pause."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for


class Stage(enum.Enum, shape=3):  # type: ignore[call-arg]
    """Part of a frame."""

    IDLE = 0
    LEAD = 1
    FIRST = 2
    SECOND = 3
    TAIL = 4
    CLOSE = 5


class Shifter(wiring.Component):
    """Sends a word as a serial frame, the most significant bit first. Every output is a register.

    ``frame`` is high from half a period before the first bit to the end of the last one. Half a
    period later ``close`` is high for ``closing`` clocks, in the last of them ``done``. ``clock``
    rests low.

    Parameters
    ----------
    bits : int
    half : int
        Clocks of half a period.
    closing : int
        Clocks of ``close``.
    falling : bool
        The receiver samples on falling edges of ``clock``, otherwise on rising ones; ``data`` is
        stable for half a period before and after.

    Attributes
    ----------
    start : In(1)
        Send ``word``; only while ``busy`` is low.
    word : In(bits)
        Word to be sent; sampled at ``start``.
    busy : Out(1)
        A frame is being sent.
    done : Out(1)
        The frame ends in this clock.
    clock : Out(1)
        Serial clock.
    data : Out(1)
        Serial data.
    frame : Out(1)
        Bits are on the wire.
    close : Out(1)
        Latch pulse, or pause, after the bits.
    """

    def __init__(self, bits: int, half: int, closing: int, falling: bool) -> None:
        self.bits, self.half, self.closing, self.falling = bits, half, closing, falling
        super().__init__(
            {
                "start": In(1),
                "word": In(bits),
                "busy": Out(1),
                "done": Out(1),
                "clock": Out(1),
                "data": Out(1),
                "frame": Out(1),
                "close": Out(1),
            }
        )
        # The state is on the object for the proofs.
        self.stage = Signal(Stage)
        self.left = Signal(bits_for(max(half, closing)))
        self.bits_left = Signal(bits_for(bits))
        self.rest = Signal(bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        stage, left = self.stage, self.left
        ends = left == 1
        m.d.comb += [
            self.busy.eq(stage != Stage.IDLE),
            self.done.eq((stage == Stage.CLOSE) & ends),
            self.data.eq(self.rest[-1]),
        ]
        with m.If(self.busy):
            m.d.sync += left.eq(Mux(ends, self.half, left - 1))
        with m.Switch(stage):
            with m.Case(Stage.IDLE):
                with m.If(self.start):
                    m.d.sync += [
                        stage.eq(Stage.LEAD),
                        left.eq(self.half),
                        self.rest.eq(self.word),
                        self.bits_left.eq(self.bits),
                        self.frame.eq(1),
                    ]
            with m.Case(Stage.LEAD):
                with m.If(ends):
                    m.d.sync += [stage.eq(Stage.FIRST), self.clock.eq(self.falling)]
            with m.Case(Stage.FIRST):
                with m.If(ends):
                    m.d.sync += [
                        stage.eq(Stage.SECOND),
                        self.clock.eq(not self.falling),
                        self.bits_left.eq(self.bits_left - 1),
                    ]
            with m.Case(Stage.SECOND):
                with m.If(ends):
                    with m.If(self.bits_left == 0):
                        m.d.sync += [stage.eq(Stage.TAIL), self.clock.eq(0), self.frame.eq(0)]
                    with m.Else():
                        m.d.sync += [
                            stage.eq(Stage.FIRST),
                            self.clock.eq(self.falling),
                            self.rest.eq(self.rest << 1),
                        ]
            with m.Case(Stage.TAIL):
                with m.If(ends):
                    m.d.sync += [stage.eq(Stage.CLOSE), left.eq(self.closing), self.close.eq(1)]
            with m.Case(Stage.CLOSE):
                with m.If(ends):
                    m.d.sync += [stage.eq(Stage.IDLE), self.close.eq(0)]
        return m
