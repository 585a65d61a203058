"""The coin: raw bits from entropy devices, their health tests, and t = -log u.

The tests are those of NIST SP 800-90B, section 4.4: repetition count and adaptive proportion over
the raw bits, and a repetition count over the symbols of each entropy column. The last one also
detects devices that are stuck at codes with mixed bits.
"""

from __future__ import annotations

from typing import Any

from ..jit import compiled
from ..spec import (
    APT_WINDOW,
    COIN_BITS,
    LN2,
    NEG_LOG_SEGMENT_BITS,
    SYMBOL_BITS,
    interpolate,
)
from .machine import (
    ALARM,
    ALARMS,
    APT_FIRST,
    APT_MATCHES,
    APT_SEEN,
    CLEAN_WINDOWS,
    COIN_READY,
    FOLD_SEEN,
    FOLDED,
    NO_BIT,
    RAW_BITS,
    RCT_LAST,
    RCT_RUN,
    WORD,
    WORD_BITS,
    ZEROS_BEFORE,
    Ahead,
    Machine,
    State,
)

SYMBOL_MASK = (1 << SYMBOL_BITS) - 1


@compiled
def restart_tests(state: State) -> None:
    """Begin the start-up test: reset the health tests and clear the alarm."""
    s = state.scalars
    s[ALARM] = 0
    s[CLEAN_WINDOWS] = 0
    s[RCT_LAST] = NO_BIT
    s[RCT_RUN] = 0
    s[APT_SEEN] = 0
    s[APT_MATCHES] = 0
    for i in range(len(state.symbol_last)):
        state.symbol_last[i] = -1
        state.symbol_run[i] = 0


@compiled
def begin_coin(state: State) -> None:
    """Discard the rest of the last coin."""
    s = state.scalars
    s[WORD] = 0
    s[WORD_BITS] = 0
    s[ZEROS_BEFORE] = 0
    s[COIN_READY] = 0
    s[FOLDED] = 0
    s[FOLD_SEEN] = 0


@compiled
def _test_symbol(last: Any, run: Any, column: int, symbol: int, cutoff: int) -> bool:
    run[column] = run[column] * (symbol == last[column]) + 1
    last[column] = symbol
    return run[column] >= cutoff


@compiled
def _take_bits(s: Any, symbol: int) -> None:
    """Append a symbol to the word; the symbols of a coin fill it exactly."""
    word = s[WORD]
    for i in range(SYMBOL_BITS):
        word = (word << 1) | ((symbol >> i) & 1)
    s[WORD] = word
    s[WORD_BITS] += SYMBOL_BITS
    if s[WORD_BITS] == COIN_BITS:
        if s[WORD]:
            s[COIN_READY] = 1
        else:  # all zero: u is smaller, and the next word continues it
            s[ZEROS_BEFORE] += COIN_BITS
            s[WORD_BITS] = 0


@compiled
def _fold(m: Machine, s: Any, symbol: int) -> None:
    """XOR a raw symbol to those that wait; the last one of a fold gives its bits to the coin."""
    s[FOLDED] ^= symbol
    s[FOLD_SEEN] += 1
    if s[FOLD_SEEN] < m.fold:
        return
    if not s[COIN_READY]:
        _take_bits(s, s[FOLDED])
    s[FOLDED] = 0
    s[FOLD_SEEN] = 0


@compiled
def harvest(m: Machine, state: State) -> None:
    """Take the low bits of ``state.coin_codes``, least significant first, device after device.

    The tests see every raw bit. The coin takes the exclusive or of the symbols of ``m.fold``
    successive devices. Sets COIN_READY when a word other than zero is complete, ALARM when a health
    test fails.
    """
    health_tests(m, state)
    take_symbols(m, state)


@compiled
def take_symbols(m: Machine, state: State) -> None:
    """Give the symbols of ``state.coin_codes`` to the coin, without the health tests."""
    s, codes = state.scalars, state.coin_codes
    for column in range(len(codes)):
        _fold(m, s, codes[column] & SYMBOL_MASK)


@compiled
def health_tests(m: Machine, state: State) -> None:
    """The health tests of the symbols of ``state.coin_codes``."""
    s, codes, counts = state.scalars, state.coin_codes, state.symbol_counts
    last, run = state.symbol_last, state.symbol_run
    # local variables over the loop: a coin may take thousands of bits. No branch on a bit: it is
    # random and would be mispredicted half of the time.
    same, length = s[RCT_LAST], s[RCT_RUN]
    first, seen, matches = s[APT_FIRST], s[APT_SEEN], s[APT_MATCHES]
    for column in range(len(codes)):
        symbol = codes[column] & SYMBOL_MASK
        counts[symbol] += 1
        failed = _test_symbol(last, run, column, symbol, m.rct_symbol_cutoff)
        for i in range(SYMBOL_BITS):
            bit = (symbol >> i) & 1
            length = length * (bit == same) + 1
            same = bit
            failed |= (length >= m.rct_cutoff) & (length > 1)
            if seen == 0:
                first = bit
            seen += 1
            matches += bit == first
            failed |= (bit == first) & (matches >= m.apt_cutoff)
            if seen == APT_WINDOW:
                seen = matches = 0
                s[CLEAN_WINDOWS] += 1
        if failed and not s[ALARM]:
            s[ALARM] = 1
            s[ALARMS] += 1
    s[RCT_LAST], s[RCT_RUN] = same, length
    s[APT_FIRST], s[APT_SEEN], s[APT_MATCHES] = first, seen, matches
    s[RAW_BITS] += SYMBOL_BITS * len(codes)


@compiled
def harvest_ahead(m: Machine, state: State, ahead: Ahead) -> None:
    """``harvest`` of a chain that runs ahead: its tests come later, in the order of the steps."""
    codes, taken = state.coin_codes, ahead.taken[0]
    for column in range(len(codes)):
        ahead.symbols[ahead.chain, taken + column] = codes[column] & SYMBOL_MASK
    ahead.taken[0] = taken + len(codes)
    take_symbols(m, state)


@compiled
def late_health_tests(m: Machine, state: State, ahead: Ahead, steps: int) -> int:
    """The health tests of steps that were made ahead, in the order of chains that take turns.

    Returns the steps of each chain before the first alarm.
    """
    codes, symbols = state.coin_codes, ahead.symbols
    each = ahead.harvests * len(codes)
    for step in range(steps):
        for chain in range(symbols.shape[0]):
            for first in range(step * each, (step + 1) * each, len(codes)):
                for column in range(len(codes)):
                    codes[column] = symbols[chain, first + column]
                health_tests(m, state)
                if state.scalars[ALARM]:
                    return step
    return steps


@compiled
def minus_log_u(m: Machine, state: State) -> int:
    """t = -log u of the finished coin, LSB 2**-LOGLIK_FRAC; u = 0.zeros word in binary."""
    word = state.scalars[WORD]
    zeros = 0
    while (word >> (COIN_BITS - 1 - zeros)) == 0:
        zeros += 1
    mantissa = (word << zeros) & ((1 << (COIN_BITS - 1)) - 1)
    log_mantissa = interpolate(m.neg_log, mantissa, COIN_BITS - 1 - NEG_LOG_SEGMENT_BITS)
    return (state.scalars[ZEROS_BEFORE] + zeros + 1) * LN2 - log_mantissa
