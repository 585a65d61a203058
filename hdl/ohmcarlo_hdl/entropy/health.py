"""Health tests of the raw bits (NIST SP 800-90B, 4.4), one symbol of SYMBOL_BITS bits a clock.

Twins: the tests within ``ohmcarlo.golden.entropy.harvest``, and ``restart_tests``.

The bits of a symbol are tested in one clock as if one came after another, least significant first.
Bits that go on with what a counter holds are told from those after the point where counting begins
anew (a change of the bit, a new window): the former add to the counter, the latter make a *fresh*
count, SYMBOL_BITS at most. A clock later both are held against the cut-off.

Counters saturate at the largest cut-off; no test can tell.
"""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value, unsigned
from amaranth.hdl import ValueLike
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.spec import APT_WINDOW, SYMBOL_BITS

RCT_BITS = 9
RCT_SYMBOL_BITS = 8
APT_BITS = bits_for(APT_WINDOW)
CLEAN_WINDOWS_BITS = 8
ALARMS_BITS = 32
FRESH_BITS = bits_for(SYMBOL_BITS)


def capped(value: ValueLike, bits: int) -> Value:
    """The unsigned ``value`` in ``bits`` bits, saturated."""
    value = Value.cast(value)
    return Mux(value[bits:].any(), (1 << bits) - 1, value[:bits])


class RepetitionCount(wiring.Component):
    """4.4.1 over raw bits: ``failed``, a clock after a symbol, if a run reached the cut-off.

    A run of one bit repeats nothing and does not fail, whatever the cut-off.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": In(1),
                "symbol": In(unsigned(SYMBOL_BITS)),
                "restart": In(1),
                "cutoff": In(unsigned(RCT_BITS)),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        last, heard = Signal(), Signal()
        run = Signal(RCT_BITS)

        unbroken: ValueLike = heard
        previous: Value = last
        more: ValueLike = 0
        length: ValueLike = 0
        longest: ValueLike = 0
        for i, bit in enumerate(self.symbol):
            repeats = bit == previous
            unbroken = unbroken & repeats
            inner = repeats & ~unbroken if i else 0
            more = (more + unbroken)[:FRESH_BITS]
            length = Mux(unbroken, 0, Mux(inner, length + 1, 1))[:FRESH_BITS]
            longest = Mux(inner & (length > longest), length, longest)
            previous = bit
        total = capped(run + more, RCT_BITS)

        carried = Signal()
        old = Signal(RCT_BITS)
        fresh = Signal(FRESH_BITS)
        m.d.sync += [
            carried.eq(self.valid & (Value.cast(more) != 0)),
            old.eq(total),
            fresh.eq(Mux(self.valid, longest, 0)),
        ]
        with m.If(self.valid):
            m.d.sync += [last.eq(previous), heard.eq(1), run.eq(Mux(unbroken, total, length))]
        with m.If(self.restart):
            m.d.sync += heard.eq(0)
        m.d.comb += self.failed.eq(
            (carried & (old >= self.cutoff)) | ((fresh != 0) & (fresh >= self.cutoff))
        )
        return m


class AdaptiveProportion(wiring.Component):
    """4.4.2 over windows of APT_WINDOW raw bits: ``failed``, a clock after a symbol, if the
    window's first bit occurred as often as the cut-off. ``closes``: the symbol ends a window.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": In(1),
                "symbol": In(unsigned(SYMBOL_BITS)),
                "restart": In(1),
                "cutoff": In(unsigned(APT_BITS)),
                "failed": Out(1),
                "closes": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        seen = Signal(range(APT_WINDOW))  # wraps with the window
        first = Signal()
        matches = Signal(APT_BITS)

        counted: Value = first
        begun: ValueLike = 0
        more: ValueLike = 0
        fresh_count: ValueLike = 0
        for i, bit in enumerate(self.symbol):
            opens = seen == -i % APT_WINDOW
            begun = begun | opens
            counted = Mux(opens, bit, counted)
            match = bit == counted
            more = (more + (match & ~begun))[:FRESH_BITS]
            fresh_count = (fresh_count + (match & begun))[:FRESH_BITS]
        total = (matches + more)[:APT_BITS]  # a window has no more bits than that

        carried = Signal()
        old = Signal(APT_BITS)
        fresh = Signal(FRESH_BITS)
        m.d.sync += [
            carried.eq(self.valid & (Value.cast(more) != 0)),
            old.eq(total),
            fresh.eq(Mux(self.valid, fresh_count, 0)),
        ]
        with m.If(self.valid):
            m.d.sync += [
                seen.eq(seen + SYMBOL_BITS),
                first.eq(counted),
                matches.eq(Mux(begun, fresh_count, total)),
            ]
        with m.If(self.restart):
            m.d.sync += seen.eq(0)
        m.d.comb += [
            self.closes.eq(self.valid & (seen >= APT_WINDOW - SYMBOL_BITS)),
            self.failed.eq(
                (carried & (old >= self.cutoff)) | ((fresh != 0) & (fresh >= self.cutoff))
            ),
        ]
        return m


class SymbolRepetition(wiring.Component):
    """4.4.1 over the symbols of each of ``columns`` columns: ``failed``, a clock after a symbol.

    Last symbol and run of a column are in a memory; whether they count is a bit of its own, so
    that a restart forgets all columns at once.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        super().__init__(
            {
                "valid": In(1),
                "symbol": In(unsigned(SYMBOL_BITS)),
                "column": In(range(columns)),
                "restart": In(1),
                "cutoff": In(unsigned(RCT_SYMBOL_BITS)),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        past = data.StructLayout(
            {"symbol": unsigned(SYMBOL_BITS), "run": unsigned(RCT_SYMBOL_BITS)}
        )
        m.submodules.columns = memory = Memory(shape=past, depth=self.columns, init=[])
        write = memory.write_port()
        read = memory.read_port(transparent_for=(write,))
        heard = Signal(self.columns)

        valid, symbol, column = Signal(), Signal(SYMBOL_BITS), Signal(range(self.columns))
        m.d.comb += [read.addr.eq(self.column), read.en.eq(self.valid)]
        m.d.sync += [
            valid.eq(self.valid),
            symbol.eq(self.symbol),
            column.eq(self.column),
        ]
        run = Signal(RCT_SYMBOL_BITS)
        with m.If(heard.bit_select(column, 1) & (read.data.symbol == symbol)):
            m.d.comb += run.eq(capped(read.data.run + 1, RCT_SYMBOL_BITS))
        with m.Else():
            m.d.comb += run.eq(1)
        m.d.comb += [
            write.addr.eq(column),
            write.data.symbol.eq(symbol),
            write.data.run.eq(run),
            write.en.eq(valid),
            self.failed.eq(valid & (run >= self.cutoff)),
        ]
        with m.If(valid):
            m.d.sync += heard.bit_select(column, 1).eq(1)
        with m.If(self.restart):
            m.d.sync += heard.eq(0)
        return m


class HealthTests(wiring.Component):
    """The three tests, and the alarm; ``alarm`` is up to date ``LATENCY`` clocks after a symbol.

    ``restart`` comes in a clock without a symbol: it forgets the past of the tests and clears the
    alarm, but not the number of alarms.
    """

    LATENCY = 2

    def __init__(self, columns: int) -> None:
        self.columns = columns
        super().__init__(
            {
                "valid": In(1),
                "symbol": In(unsigned(SYMBOL_BITS)),
                "column": In(range(columns)),
                "restart": In(1),
                "rct_cutoff": In(unsigned(RCT_BITS)),
                "rct_symbol_cutoff": In(unsigned(RCT_SYMBOL_BITS)),
                "apt_cutoff": In(unsigned(APT_BITS)),
                "alarm": Out(1),
                "alarms": Out(unsigned(ALARMS_BITS)),
                "clean_windows": Out(unsigned(CLEAN_WINDOWS_BITS)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rct = rct = RepetitionCount()
        m.submodules.apt = apt = AdaptiveProportion()
        m.submodules.rct_symbol = rct_symbol = SymbolRepetition(self.columns)
        for test, cutoff in (
            (rct, self.rct_cutoff),
            (apt, self.apt_cutoff),
            (rct_symbol, self.rct_symbol_cutoff),
        ):
            m.d.comb += [
                test.valid.eq(self.valid),
                test.symbol.eq(self.symbol),
                test.restart.eq(self.restart),
                test.cutoff.eq(cutoff),
            ]
        m.d.comb += rct_symbol.column.eq(self.column)

        failed = rct.failed | apt.failed | rct_symbol.failed
        with m.If(failed & ~self.alarm):
            m.d.sync += [self.alarm.eq(1), self.alarms.eq(self.alarms + 1)]
        with m.If(apt.closes):
            m.d.sync += self.clean_windows.eq(capped(self.clean_windows + 1, CLEAN_WINDOWS_BITS))
        # after the above: what was tested before the restart still counts as an alarm
        with m.If(self.restart):
            m.d.sync += [self.alarm.eq(0), self.clean_windows.eq(0)]
        return m
