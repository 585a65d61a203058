"""Health tests of the raw bits (NIST SP 800-90B, 4.4), one symbol of SYMBOL_BITS bits per clock.

Twins: the tests within ``ohmcarlo.golden.entropy.harvest``, and ``restart_tests``.

The bits of a symbol are tested in one clock as if they were in sequence, least significant first.
Counting may restart within a symbol (a change of the bit, a new window). Bits before that point add
to the counter; bits after it make a *fresh* count of SYMBOL_BITS at most. A clock later both are
compared with the cut-off.

Counters saturate at the largest cut-off, which changes no result.
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

from ..lib.window import Access
from .interface import CLEAN_WINDOWS_BITS

RCT_BITS = 9
RCT_SYMBOL_BITS = 8
APT_BITS = bits_for(APT_WINDOW)
ALARMS_BITS = 32
FRESH_BITS = bits_for(SYMBOL_BITS)

# Words of the window ``state_coin``; those between are the entropy unit's
RCT_WORD, APT_WORD, ALARM_WORD, ALARMS_WORD = 0, 1, 2, 3
FIRST_COLUMN = 16
RCT_STATE = data.FlexibleLayout(
    32, {"last": data.Field(1, 0), "heard": data.Field(1, 1), "run": data.Field(RCT_BITS, 16)}
)
APT_STATE = data.FlexibleLayout(
    32,
    {
        "first": data.Field(1, 0),
        "seen": data.Field(bits_for(APT_WINDOW - 1), 1),
        "matches": data.Field(APT_BITS, 16),
    },
)
ALARM_STATE = data.FlexibleLayout(
    32, {"alarm": data.Field(1, 0), "clean_windows": data.Field(CLEAN_WINDOWS_BITS, 8)}
)
COLUMN_STATE = data.FlexibleLayout(
    32,
    {
        "symbol": data.Field(SYMBOL_BITS, 0),
        "heard": data.Field(1, SYMBOL_BITS),
        "run": data.Field(RCT_SYMBOL_BITS, 8),
    },
)


def coin_access(columns: int) -> Access:
    """Window ``state_coin`` of a unit with so many entropy devices in a row."""
    return Access(bits_for(FIRST_COLUMN + columns - 1))


def capped(value: ValueLike, bits: int) -> Value:
    """The unsigned ``value`` in ``bits`` bits, saturated."""
    value = Value.cast(value)
    return Mux(value[bits:].any(), (1 << bits) - 1, value[:bits])


class HealthPorts(wiring.Signature):
    """Ports of a test of the raw bits.

    Attributes
    ----------
    valid : In(1)
        There is a symbol in this clock.
    symbol : In(SYMBOL_BITS)
        That symbol.
    restart : In(1)
        Clear the state; in a clock without a symbol.
    cutoff : In(cutoff_bits)
        Count that fails.
    failed : Out(1)
        A count reached the cut-off; one clock after the symbol.
    state : Out(layout)
        State of the test.
    load : In(1)
        Load ``loaded`` into the state; in a clock without a symbol.
    loaded : In(layout)
        State to load.
    """

    def __init__(self, cutoff_bits: int, layout: data.Layout) -> None:
        super().__init__(
            {
                "valid": In(1),
                "symbol": In(SYMBOL_BITS),
                "restart": In(1),
                "cutoff": In(cutoff_bits),
                "failed": Out(1),
                "state": Out(layout),
                "load": In(1),
                "loaded": In(layout),
            }
        )


def _reaches(m: Module, test: Any, more: ValueLike, total: Value, fresh_count: ValueLike) -> Value:
    """Whether a count of ``test`` reached its cut-off; one clock after the symbol.

    ``total`` is the counter with the ``more`` bits of this symbol, ``fresh_count`` the count that
    began within the symbol.
    """
    carried = Signal()
    old = Signal.like(total)
    fresh = Signal(FRESH_BITS)
    m.d.sync += [
        carried.eq(test.valid & (Value.cast(more) != 0)),
        old.eq(total),
        fresh.eq(Mux(test.valid, fresh_count, 0)),
    ]
    return (carried & (old >= test.cutoff)) | ((fresh != 0) & (fresh >= test.cutoff))


def _attach(m: Module, test: Any, registers: dict[str, Signal]) -> None:
    """Connect the ``registers`` of ``test`` with ``state`` and ``loaded``. Call it last."""
    for name, register in registers.items():
        m.d.comb += test.state[name].eq(register)
        with m.If(test.load):
            m.d.sync += register.eq(test.loaded[name])


class RepetitionCount(wiring.Component):
    """Repetition count test (4.4.1) over raw bits.

    A run of one bit is no repetition and passes with any cut-off.

    Attributes
    ----------
    valid, symbol, restart, cutoff, failed, state, load, loaded : HealthPorts
        As in ``HealthPorts``; ``cutoff`` is the length of a run that fails.
    """

    def __init__(self) -> None:
        super().__init__(HealthPorts(RCT_BITS, RCT_STATE))

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

        m.d.comb += self.failed.eq(_reaches(m, self, more, total, longest))
        with m.If(self.valid):
            m.d.sync += [last.eq(previous), heard.eq(1), run.eq(Mux(unbroken, total, length))]
        with m.If(self.restart):
            m.d.sync += heard.eq(0)
        _attach(m, self, {"last": last, "heard": heard, "run": run})
        return m


class AdaptiveProportion(wiring.Component):
    """Adaptive proportion test (4.4.2) over windows of APT_WINDOW raw bits.

    Attributes
    ----------
    valid, symbol, restart, cutoff, failed, state, load, loaded : HealthPorts
        As in ``HealthPorts``; ``cutoff`` counts occurrences of the window's first bit.
    closes : Out(1)
        The symbol ends a window.
    """

    def __init__(self) -> None:
        super().__init__({**HealthPorts(APT_BITS, APT_STATE).members, "closes": Out(1)})

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
        total = (matches + more)[:APT_BITS]  # a window has no more bits

        m.d.comb += self.failed.eq(_reaches(m, self, more, total, fresh_count))
        with m.If(self.valid):
            m.d.sync += [
                seen.eq(seen + SYMBOL_BITS),
                first.eq(counted),
                matches.eq(Mux(begun, fresh_count, total)),
            ]
        with m.If(self.restart):
            m.d.sync += seen.eq(0)
        _attach(m, self, {"first": first, "seen": seen, "matches": matches})
        m.d.comb += self.closes.eq(self.valid & (seen >= APT_WINDOW - SYMBOL_BITS))
        return m


class SymbolRepetition(wiring.Component):
    """Repetition count test (4.4.1) over the symbols of each column.

    Last symbol and run of a column are in a memory. A separate bit per column marks them valid, so
    that a restart clears all columns at once.

    Attributes
    ----------
    valid : In(1)
        There is a symbol in this clock.
    symbol : In(SYMBOL_BITS)
        That symbol.
    column : In(range(columns))
        Its column.
    restart : In(1)
        Clear the state; in a clock without a symbol.
    cutoff : In(RCT_SYMBOL_BITS)
        Length of a run that fails.
    failed : Out(1)
        A run reached the cut-off; one clock after the symbol.
    state : In(Access)
        One word per column; used in clocks without a symbol.
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
                "state": In(Access(bits_for(self.columns - 1))),
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
        window = self.state
        m.d.comb += [
            read.addr.eq(Mux(window.r_stb, window.r_addr, self.column)),
            read.en.eq(self.valid | window.r_stb),
        ]
        m.d.sync += [
            valid.eq(self.valid),
            symbol.eq(self.symbol),
            column.eq(read.addr),
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

        shown, loaded = data.View(COLUMN_STATE, window.r_data), data.View(COLUMN_STATE, window.data)
        m.d.comb += [
            shown.symbol.eq(read.data.symbol),
            shown.run.eq(read.data.run),
            shown.heard.eq(heard.bit_select(column, 1)),
        ]
        with m.If(window.stb):
            m.d.comb += [
                write.en.eq(1),
                write.addr.eq(window.addr),
                write.data.symbol.eq(loaded.symbol),
                write.data.run.eq(loaded.run),
            ]
            m.d.sync += heard.bit_select(window.addr, 1).eq(loaded.heard)
        return m


class HealthTests(wiring.Component):
    """The three tests and the alarm, up to date ``LATENCY`` clocks after a symbol.

    Attributes
    ----------
    valid : In(1)
        There is a symbol in this clock.
    symbol : In(SYMBOL_BITS)
        That symbol.
    column : In(range(columns))
        Its column.
    restart : In(1)
        Clear the tests and the alarm, but not ``alarms``; in a clock without a symbol.
    rct_cutoff : In(RCT_BITS)
        Cut-off of the repetition count test of bits.
    rct_symbol_cutoff : In(RCT_SYMBOL_BITS)
        Cut-off of the repetition count test of symbols.
    apt_cutoff : In(APT_BITS)
        Cut-off of the adaptive proportion test.
    alarm : Out(1)
        A test failed since ``restart``.
    alarms : Out(ALARMS_BITS)
        Number of alarms since reset.
    clean_windows : Out(CLEAN_WINDOWS_BITS)
        Windows of the adaptive proportion test since ``restart``, saturated.
    state : In(coin_access)
        Words of ``state_coin`` that belong to the tests; the others read as zero. Used in clocks
        without symbol or restart.
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
                "state": In(coin_access(self.columns)),
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
        # last, so that symbols tested before the restart still count as an alarm
        with m.If(self.restart):
            m.d.sync += [self.alarm.eq(0), self.clean_windows.eq(0)]

        window, columns = self.state, rct_symbol.state
        looked_at = Signal.like(window.r_addr)
        m.d.sync += looked_at.eq(window.r_addr)
        m.d.comb += [
            columns.r_stb.eq(window.r_stb & (window.r_addr >= FIRST_COLUMN)),
            columns.r_addr.eq(window.r_addr - FIRST_COLUMN),
            columns.stb.eq(window.stb & (window.addr >= FIRST_COLUMN)),
            columns.addr.eq(window.addr - FIRST_COLUMN),
            columns.data.eq(window.data),
        ]
        with m.If(looked_at >= FIRST_COLUMN):
            m.d.comb += window.r_data.eq(columns.r_data)
        for word, test in ((RCT_WORD, rct), (APT_WORD, apt)):
            m.d.comb += [
                test.load.eq(window.stb & (window.addr == word)),
                Value.cast(test.loaded).eq(window.data),
            ]
            with m.If(looked_at == word):
                m.d.comb += window.r_data.eq(test.state)
        loaded = data.View(ALARM_STATE, window.data)
        shown = Signal(ALARM_STATE)
        for name in ("alarm", "clean_windows"):
            m.d.comb += shown[name].eq(getattr(self, name))
            with m.If(window.stb & (window.addr == ALARM_WORD)):
                m.d.sync += getattr(self, name).eq(loaded[name])
        with m.If(window.stb & (window.addr == ALARMS_WORD)):
            m.d.sync += self.alarms.eq(window.data)
        with m.Switch(looked_at):
            with m.Case(ALARM_WORD):
                m.d.comb += window.r_data.eq(shown)
            with m.Case(ALARMS_WORD):
                m.d.comb += window.r_data.eq(self.alarms)
        return m
