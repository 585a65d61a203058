"""The reader of the ADC on its own, at several clock frequencies: the times of the data sheet.

A Phy starts a sample long after the last one. Here it starts as soon as ``idle`` allows it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cocotb
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import RisingEdge

from ohmcarlo_hdl.array.phy.adc import AdcReader
from ohmcarlo_hdl.array.phy.parts import PhyTiming
from verif.daughterboard import Limits
from verif.harness import run_bench, start_clock, stimuli

CLOCKS_HZ = (40_000_000, 100_000_000, 250_000_000, 400_000_000)
BITS = 16
SAMPLES = 4
LIMITS = Limits()
# the shortest serial clock with which 16 bits and a conversion take the time between two samples
TIMING = PhyTiming(adc_sclk_ns=19)
ENABLE_NS = 13
"""ADS8860 (SBAS569B) td-CNV-DO and td-CK-DO, 12.3 and 13.4 ns: CONVST or SCLK to the next bit."""


class Readers(wiring.Component):
    """A reader for each frequency of ``CLOCKS_HZ``; bit i of a port is of reader i."""

    def __init__(self) -> None:
        count = len(CLOCKS_HZ)
        ports = {"start": In(count), "dout": In(count)}
        ports |= {name: Out(count) for name in ("idle", "done", "convst", "sclk")}
        super().__init__(ports | {f"value_{i}": Out(BITS) for i in range(count)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for i, hz in enumerate(CLOCKS_HZ):
            m.submodules[f"reader_{i}"] = reader = AdcReader(TIMING, hz)
            m.d.comb += [
                reader.start.eq(self.start[i]),
                reader.dout.eq(self.dout[i]),
                getattr(self, f"value_{i}").eq(reader.value),
            ]
            for name in ("idle", "done", "convst", "sclk"):
                m.d.comb += getattr(self, name)[i].eq(getattr(reader, name))
        return m


class Adc:
    """An ADC on the wires of reader ``i``: checks every time, and sends codes bit by bit."""

    def __init__(self, dut: Any, i: int) -> None:
        self.dut, self.i = dut, i
        self.rng = stimuli(i)
        self.old = {"convst": 0, "sclk": 0}
        self.at: dict[str, Fraction] = {}  # the time of each kind of edge
        self.code = self.bits = self.samples = self.done = 0

    def tick(self, now: Fraction) -> None:
        """A clock at ``now``, in nanoseconds; raises AssertionError if a time is too short."""
        new = {name: int(getattr(self.dut, name).value) >> self.i & 1 for name in self.old}
        for name, level in new.items():
            if level != self.old[name]:
                edge = f"{name} {'rises' if level else 'falls'}"
                self._edge(edge, now)
                self.at[edge] = now
        self.old = new
        if int(self.dut.done.value) >> self.i & 1:
            assert self.bits == BITS
            assert int(getattr(self.dut, f"value_{self.i}").value) == self.code
            self.done += 1

    def _edge(self, edge: str, now: Fraction) -> None:
        def after(earlier: str, least: float) -> None:
            since = now - self.at.get(earlier, Fraction(-(10**9)))
            place = f"{CLOCKS_HZ[self.i]} Hz: {edge} {float(since)} ns after {earlier}"
            assert since >= Fraction(least), f"{place}, not {least} ns"

        if edge == "convst rises":
            after("convst rises", LIMITS.cycle_ns)
            after("sclk falls", LIMITS.quiet_ns)
            converted = self.at.get("convst rises", now - 10**9) + LIMITS.convert_ns
            assert now - converted >= LIMITS.acquire_ns, "acquisition"
            assert self.bits == (BITS if self.samples else 0)
            self.code, self.bits = self.rng.randrange(1 << BITS), 0
            self.samples += 1
        elif edge == "convst falls":
            after("convst rises", LIMITS.convert_ns)
        elif edge == "sclk rises":
            after("sclk falls", LIMITS.adc_level_ns)
        else:  # the reader samples the bit here
            after("sclk rises", LIMITS.adc_level_ns)
            after("convst falls", ENABLE_NS)
            after("sclk falls", ENABLE_NS)
            self.bits += 1

    def bit(self) -> int:
        """The level of DOUT: the bit that the next falling edge of SCLK samples."""
        return self.code >> max(BITS - 1 - self.bits, 0) & 1


@cocotb.test()
async def keeps_the_times(dut) -> None:  # type: ignore[no-untyped-def]
    """Samples one after the other, each as early as ``idle`` allows."""
    dut.start.value = dut.dout.value = 0
    await start_clock(dut)
    converters = [Adc(dut, i) for i in range(len(CLOCKS_HZ))]
    dut.start.value = (1 << len(converters)) - 1
    clock = 0
    while any(adc.done < SAMPLES for adc in converters):
        await RisingEdge(dut.clk)
        clock += 1
        assert clock < 10_000
        for adc, hz in zip(converters, CLOCKS_HZ, strict=True):
            adc.tick(Fraction(clock * 10**9, hz))
        dut.dout.value = sum(adc.bit() << adc.i for adc in converters)


def test_reader() -> None:
    run_bench(Readers, __name__)
