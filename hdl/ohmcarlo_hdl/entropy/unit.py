"""The entropy unit: from read-backs of entropy devices to -log u and the alarm."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, ResetInserter, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import COIN_BITS, FOLD_MAX, LN2, SYMBOL_BITS

from ..config import CoreConfig
from .health import (
    ALARMS_BITS,
    APT_BITS,
    RCT_BITS,
    RCT_SYMBOL_BITS,
    HealthTests,
    capped,
    coin_access,
)
from .interface import CLEAN_WINDOWS_BITS, T_BITS, coin_code, raw_symbol
from .neg_log import NegLog

RAW_BITS_WORD, COUNTS_WORD = 4, 8
"""First words of raw bits and counts in the window ``state_coin``; the health tests have others."""
RAW_BITS_BITS = 64
COUNT_BITS = 32
WORD_SYMBOLS = COIN_BITS // SYMBOL_BITS


class EntropyUnit(wiring.Component):
    """Harvest, health tests and -log u of the coin; one symbol per clock.

    Codes are always accepted, except in the clock of a strobe. A strobe affects only codes accepted
    after it. Outputs are up to date while ``settled`` is high, ``LATENCY`` clocks after the last
    code or strobe. ``ready`` rises with the symbol that completes a word that is not all zero, and
    stays until ``begin``; ``t_valid`` follows at most ``NegLog.LATENCY`` clocks later (some 70
    clocks with a ``neg_log`` of one adder).

    Twins: ``harvest``, ``begin_coin``, ``restart_tests`` and ``minus_log_u`` of
    ``ohmcarlo.golden.entropy``.

    Parameters
    ----------
    config : CoreConfig
    neg_log : Component, optional
        Another unit for -log u, started when a word is complete and with a port ``done``;
        ``NegLog`` by default.

    Attributes
    ----------
    codes : In(stream of coin_code)
        Read-backs of entropy devices.
    begin : In(1)
        Discard the rest of the last coin.
    restart : In(1)
        Begin the start-up test.
    rct_cutoff : In(RCT_BITS)
        Cut-off of the repetition count test of bits.
    rct_symbol_cutoff : In(RCT_SYMBOL_BITS)
        Cut-off of the repetition count test of symbols.
    apt_cutoff : In(APT_BITS)
        Cut-off of the adaptive proportion test.
    fold : In(range(FOLD_MAX + 1))
        Raw symbols whose exclusive or is one symbol of the coin; 0 counts as 1.
    ready : Out(1)
        The word of the coin is complete.
    t : Out(T_BITS)
        -log u of the coin.
    t_valid : Out(1)
        ``t`` is valid.
    settled : Out(1)
        No accepted code is under way inside the unit.
    alarm : Out(1)
        A health test failed since ``restart``.
    alarms : Out(ALARMS_BITS)
        Number of alarms since reset, modulo 2**ALARMS_BITS.
    raw_bits : Out(RAW_BITS_BITS)
        Number of raw bits since reset.
    clean_windows : Out(CLEAN_WINDOWS_BITS)
        Windows of the adaptive proportion test since ``restart``, saturated.
    symbol_counts : Out(data.ArrayLayout(COUNT_BITS, 1 << SYMBOL_BITS))
        Count of each symbol since reset, modulo 2**COUNT_BITS.
    raw : Out(raw_symbol(config))
        Tap on the raw symbols.
    state : In(coin_access)
        Window ``state_coin``: everything but the coin itself; only between coins.
    """

    LATENCY = 1 + HealthTests.LATENCY

    def __init__(self, config: CoreConfig, neg_log: Any = None) -> None:
        self.config = config
        self._neg_log = neg_log
        super().__init__(
            {
                "codes": In(stream.Signature(coin_code(config))),
                "begin": In(1),
                "restart": In(1),
                "rct_cutoff": In(unsigned(RCT_BITS)),
                "rct_symbol_cutoff": In(unsigned(RCT_SYMBOL_BITS)),
                "apt_cutoff": In(unsigned(APT_BITS)),
                "fold": In(range(FOLD_MAX + 1)),
                "ready": Out(1),
                "t": Out(unsigned(T_BITS)),
                "t_valid": Out(1),
                "settled": Out(1),
                "alarm": Out(1),
                "alarms": Out(unsigned(ALARMS_BITS)),
                "raw_bits": Out(unsigned(RAW_BITS_BITS)),
                "clean_windows": Out(unsigned(CLEAN_WINDOWS_BITS)),
                "symbol_counts": Out(data.ArrayLayout(unsigned(COUNT_BITS), 1 << SYMBOL_BITS)),
                "raw": Out(raw_symbol(config)),
                "state": In(coin_access(config.coin_devices)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # a clock has either a symbol or strobes, so that they take effect in order
        taken = self.codes.valid & self.codes.ready
        begin, restart = Signal(), Signal()
        m.d.comb += self.codes.ready.eq(~(self.begin | self.restart))
        m.d.sync += [
            self.raw.valid.eq(taken),
            self.raw.symbol.eq(self.codes.payload.code[:SYMBOL_BITS]),
            self.raw.column.eq(self.codes.payload.column),
            begin.eq(self.begin),
            restart.eq(self.restart),
        ]

        m.submodules.health = health = HealthTests(self.config.coin_devices)
        m.d.comb += [
            health.valid.eq(self.raw.valid),
            health.symbol.eq(self.raw.symbol),
            health.column.eq(self.raw.column),
            health.restart.eq(restart),
            health.rct_cutoff.eq(self.rct_cutoff),
            health.rct_symbol_cutoff.eq(self.rct_symbol_cutoff),
            health.apt_cutoff.eq(self.apt_cutoff),
            self.alarm.eq(health.alarm),
            self.alarms.eq(health.alarms),
            self.clean_windows.eq(health.clean_windows),
        ]

        with m.If(self.raw.valid):
            m.d.sync += self.raw_bits.eq(self.raw_bits + SYMBOL_BITS)

        # The word takes folded symbols: the exclusive or of `fold` raw ones.
        folded, waiting = Signal(SYMBOL_BITS), Signal(range(FOLD_MAX))
        symbol, complete = Signal(SYMBOL_BITS), Signal()
        m.d.comb += [
            symbol.eq(self.raw.symbol ^ folded),
            complete.eq(waiting + 1 >= self.fold),
        ]
        with m.If(self.raw.valid):
            m.d.sync += [
                folded.eq(Mux(complete, 0, symbol)),
                waiting.eq(Mux(complete, 0, waiting + 1)),
            ]

        # A word is a whole number of symbols, so it is never complete in the middle of one.
        word = Signal(COIN_BITS)
        filled = Signal(range(WORD_SYMBOLS))
        before = Signal(T_BITS)  # LN2 for every zero ahead of the first one
        found = Signal()  # that one was there
        zeros_worth: Value = Const(SYMBOL_BITS * LN2)
        for i, bit in reversed(list(enumerate(symbol))):
            zeros_worth = Mux(bit, i * LN2, zeros_worth)
        with m.If(self.raw.valid & complete & ~self.ready):
            m.d.sync += [
                word.eq(Cat(*reversed(symbol), word)),
                filled.eq(filled + 1),
                found.eq(found | symbol.any()),
            ]
            with m.If(~found):
                m.d.sync += before.eq(capped(before + zeros_worth, T_BITS))
            with m.If(filled == WORD_SYMBOLS - 1):
                # all zero: u is smaller, continue with the next word
                m.d.sync += [filled.eq(0), self.ready.eq(found | symbol.any())]
        with m.If(begin):
            m.d.sync += [
                folded.eq(0),
                waiting.eq(0),
                word.eq(0),
                filled.eq(0),
                before.eq(0),
                found.eq(0),
                self.ready.eq(0),
            ]

        neg_log = self._neg_log
        done: Value
        if neg_log is None:
            m.submodules.neg_log = neg_log = NegLog()
            age = Signal(NegLog.LATENCY)
            done = age[-1]
            m.d.sync += age.eq(Cat(self.ready, age))
            with m.If(~self.ready):
                m.d.sync += age.eq(0)
        else:  # it begins when a word is complete
            m.submodules.neg_log = ResetInserter(~self.ready)(neg_log)
            done = neg_log.done
        m.d.comb += [
            neg_log.word.eq(word),
            neg_log.before.eq(before),
            self.t.eq(neg_log.t),
            self.t_valid.eq(self.ready & done),
        ]

        window = self.state
        wiring.connect(m, wiring.flipped(window), health.state)
        looked_at = Signal.like(window.r_addr)
        m.d.sync += looked_at.eq(window.r_addr)
        for half in range(2):
            word = self.raw_bits[32 * half :][:32]
            with m.If(looked_at == RAW_BITS_WORD + half):
                m.d.comb += window.r_data.eq(word)
            with m.If(window.stb & (window.addr == RAW_BITS_WORD + half)):
                m.d.sync += word.eq(window.data)
        self._count_symbols(m, looked_at)

        busy = Signal(HealthTests.LATENCY - 1)
        m.d.sync += busy.eq(Cat(self.raw.valid | begin | restart, busy))
        m.d.comb += self.settled.eq(~(self.raw.valid | begin | restart | busy.any()))
        return m

    def _count_symbols(self, m: Module, looked_at: Signal) -> None:
        """Count with one adder and one source for all counts, a clock after the symbol. Software
        reads them between symbols."""
        window, width = self.state, SYMBOL_BITS
        old, new = Signal(COUNT_BITS), Signal(COUNT_BITS)
        loaded = window.stb & (window.addr >> width == COUNTS_WORD >> width)
        counts, symbol = Signal(), Signal(width)
        m.d.sync += [counts.eq(self.raw.valid), symbol.eq(self.raw.symbol)]
        at = Mux(counts, symbol, looked_at[:width])
        m.d.comb += [
            old.eq(self.symbol_counts[at]),
            new.eq(Mux(window.stb, window.data, old + 1)),
        ]
        with m.If(looked_at >> width == COUNTS_WORD >> width):
            m.d.comb += window.r_data.eq(old)
        with m.If(counts | loaded):
            target = Mux(window.stb, window.addr[:width], symbol)
            m.d.sync += self.symbol_counts[target].eq(new)
