"""Read-out: one sample of the ADC, and its bits."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .parts import ADC, PhyTiming, clocks, half_period


class Stage(enum.Enum, shape=3):  # type: ignore[call-arg]
    """Part of a sample."""

    IDLE = 0
    CONVERT = 1
    ENABLE = 2
    HIGH = 3
    LOW = 4
    QUIET = 5


class AdcReader(wiring.Component):
    """Takes one sample of the ADC and reads its bits.

    ``dout`` is sampled at the edge that makes SCLK fall, a whole period after the bit was
    requested.

    Attributes
    ----------
    start : In(1)
        Sample in the next clock; ignored unless ``idle`` is high.
    idle : Out(1)
        A sample can start.
    done : Out(1)
        ``value`` is complete.
    value : Out(ADC.bits)
        Code of the ADC, offset binary.
    convst : Out(1)
        CONVST of the ADC.
    sclk : Out(1)
        SCLK of the ADC.
    dout : In(1)
        DOUT of the ADC.
    """

    def __init__(self, timing: PhyTiming, clock_hz: int) -> None:
        self.convert = clocks(timing.adc_convert_ns, clock_hz)
        self.half = half_period(timing.adc_sclk_ns, clock_hz)
        self.enable = max(self.half, clocks(2 * ADC.enable_ns, clock_hz))
        self.quiet = clocks(ADC.quiet_ns, clock_hz)
        super().__init__(
            {
                "start": In(1),
                "idle": Out(1),
                "done": Out(1),
                "value": Out(ADC.bits),
                "convst": Out(1),
                "sclk": Out(1),
                "dout": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        stage = Signal(Stage)
        left = Signal(bits_for(max(self.convert, self.enable, self.quiet)))
        bits = Signal(range(ADC.bits))
        ends = left == 1
        m.d.comb += self.idle.eq(stage == Stage.IDLE)
        m.d.sync += self.done.eq(0)
        with m.If(~self.idle):
            m.d.sync += left.eq(Mux(ends, self.half, left - 1))
        with m.Switch(stage):
            with m.Case(Stage.IDLE):
                with m.If(self.start):
                    m.d.sync += [
                        stage.eq(Stage.CONVERT),
                        left.eq(self.convert),
                        self.convst.eq(1),
                    ]
            with m.Case(Stage.CONVERT):
                with m.If(ends):
                    m.d.sync += [
                        stage.eq(Stage.ENABLE),
                        left.eq(self.enable),
                        bits.eq(ADC.bits - 1),
                        self.convst.eq(0),
                    ]
            with m.Case(Stage.ENABLE):
                with m.If(ends):
                    m.d.sync += [stage.eq(Stage.HIGH), self.sclk.eq(1)]
            with m.Case(Stage.HIGH):
                with m.If(ends):
                    m.d.sync += [
                        stage.eq(Stage.LOW),
                        self.sclk.eq(0),
                        self.value.eq(Cat(self.dout, self.value)),
                        self.done.eq(bits == 0),
                    ]
            with m.Case(Stage.LOW):
                with m.If(ends):
                    with m.If(bits == 0):
                        m.d.sync += [stage.eq(Stage.QUIET), left.eq(self.quiet)]
                    with m.Else():
                        m.d.sync += [
                            stage.eq(Stage.HIGH),
                            bits.eq(bits - 1),
                            self.sclk.eq(1),
                        ]
            with m.Case(Stage.QUIET):
                with m.If(ends):
                    m.d.sync += stage.eq(Stage.IDLE)
        return m
