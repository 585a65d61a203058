"""The synthesised part of the daughterboard model: shift registers on the wires of a Phy."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo_hdl.array.phy.pins import PINS

WATCHED = (
    "pulse_form",
    "pulse_reset",
    "pulse_set",
    "pulse_read",
    "pulse_dot",
    "hold_off",
    "adc_convst",
    "dac_sync_n",
    "address_latch",
    "inputs_latch",
)
"""Wires whose edges trigger the Python model, bit 0 of ``watched`` first."""

FRAMES = {"dac": 32, "address": 64, "inputs": 64}
"""Receivers and the longest frame that they keep."""
BITS, LEVEL = 8, 16


class Receiver(wiring.Component):
    """Receiver of one serial line; a bit must be stable one clock before its edge of ``clock``.

    ``word`` holds the last bits, the latest one lowest. Since ``begin`` was high, ``bits`` counts
    the bits, ``level`` is the shortest half period of ``clock`` in clocks, and ``unsteady`` is high
    if a bit moved at the edge that samples it. ``since`` counts clocks since the last edge.
    """

    def __init__(self, width: int, falling: bool) -> None:
        self.width, self.falling = width, falling
        super().__init__(
            {
                "clock": In(1),
                "data": In(1),
                "begin": In(1),
                "word": Out(width),
                "bits": Out(BITS),
                "level": Out(LEVEL, init=(1 << LEVEL) - 1),
                "unsteady": Out(1),
                "since": Out(LEVEL, init=1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        old_clock, old_data = Signal(), Signal()
        since = self.since
        edges = Signal(2)
        edge = self.clock != old_clock
        takes = edge & (~self.clock if self.falling else self.clock)
        m.d.sync += [
            old_clock.eq(self.clock),
            old_data.eq(self.data),
            since.eq(Mux(edge, 1, Mux(since.all(), since, since + 1))),
        ]
        with m.If(self.begin):
            m.d.sync += [
                self.bits.eq(0),
                self.level.eq((1 << LEVEL) - 1),
                self.unsteady.eq(0),
                edges.eq(0),
            ]
        with m.Elif(edge):
            m.d.sync += edges.eq(Mux(edges.all(), edges, edges + 1))
            with m.If((edges != 0) & (since < self.level)):
                m.d.sync += self.level.eq(since)
        with m.If(takes):
            m.d.sync += self.word.eq(Cat(self.data, self.word))
            with m.If(~self.begin):
                m.d.sync += self.bits.eq(self.bits + ~self.bits.all())
            with m.If(self.data != old_data):
                m.d.sync += self.unsteady.eq(1)
        return m


class Wired(wiring.Component):
    """``inner``, a component with the port ``pins`` of a Phy, and receivers on those wires.

    Its other ports are passed on. ``wires`` are all wires of ``PINS``, unchanged, ``watched`` those
    of ``WATCHED``. ``adc_code`` is the result of the ADC, which is sent when CONVST falls.
    """

    def __init__(self, inner: wiring.Component) -> None:
        self.inner = inner
        self.passed = [name for name in inner.signature.members if name != "pins"]
        ports: dict[str, Any] = {name: inner.signature.members[name] for name in self.passed}
        ports["watched"] = Out(len(WATCHED))
        if "wires" not in ports:  # the wires of a bench that drives them
            ports["wires"] = Out(len(PINS))
        for name, width in FRAMES.items():
            ports[f"{name}_word"] = Out(width)
        for name in (*FRAMES, "adc"):
            ports |= {
                f"{name}_bits": Out(BITS),
                f"{name}_level": Out(LEVEL),
                f"{name}_unsteady": Out(1),
                f"{name}_since": Out(LEVEL),
            }
        ports["adc_code"] = In(16)
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.inner = inner = self.inner
        pins: Any = inner.pins
        for name in self.passed:
            member = inner.signature.members[name]
            here, there = getattr(self, name), getattr(inner, name)
            if member.is_port:
                source, sink = (there, here) if member.flow == Out else (here, there)
                m.d.comb += sink.eq(source)
            else:
                wiring.connect(m, there, wiring.flipped(here))
        m.d.comb += self.watched.eq(Cat(getattr(pins, name) for name in WATCHED))
        if "wires" not in self.passed:
            m.d.comb += self.wires.eq(Cat(getattr(pins, pin.name) for pin in PINS))

        old_convst, old_sclk = Signal(), Signal()
        latches = [Signal(name=f"old_{n}") for n in ("address", "inputs")]
        m.d.sync += [old_convst.eq(pins.adc_convst), old_sclk.eq(pins.adc_sclk)]
        m.d.sync += [
            latches[0].eq(pins.address_latch),
            latches[1].eq(pins.inputs_latch),
        ]
        lines = {
            # a frame of the DAC begins when SYNC falls, one of a chain when the last was latched
            "dac": (pins.dac_sclk, pins.dac_din, pins.dac_sync_n, True),
            "address": (pins.address_clock, pins.address_data, latches[0], False),
            "inputs": (pins.inputs_clock, pins.inputs_data, latches[1], False),
            "adc": (pins.adc_sclk, pins.adc_dout, pins.adc_convst, True),
        }
        for name, (clock, bit, begin, falling) in lines.items():
            receiver = Receiver(FRAMES.get(name, 16), falling)
            m.submodules[name] = receiver
            fresh = Signal(name=f"fresh_{name}")
            m.d.sync += fresh.eq(begin)
            m.d.comb += [
                receiver.clock.eq(clock),
                receiver.data.eq(bit),
                # cleared when the next frame begins; until then Python can read this one
                receiver.begin.eq(fresh & ~begin),
                getattr(self, f"{name}_bits").eq(receiver.bits),
                getattr(self, f"{name}_level").eq(receiver.level),
                getattr(self, f"{name}_unsteady").eq(receiver.unsteady),
                getattr(self, f"{name}_since").eq(receiver.since),
            ]
            if name in FRAMES:
                m.d.comb += getattr(self, f"{name}_word").eq(receiver.word)

        # the ADC's output register
        out = Signal(16)
        m.d.comb += pins.adc_dout.eq(out[-1])
        with m.If(old_convst & ~pins.adc_convst):
            m.d.sync += out.eq(self.adc_code)
        with m.Elif(old_sclk & ~pins.adc_sclk):
            m.d.sync += out.eq(out << 1)
        return m
