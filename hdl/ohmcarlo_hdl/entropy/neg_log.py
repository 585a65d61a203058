"""-log u of a complete coin."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth import Module, Mux, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.spec import COIN_BITS, LN2, NEG_LOG_SEGMENT_BITS, neg_log_table

from ..lib.table import SegmentTable
from .interface import T_BITS

T_MAX = (1 << T_BITS) - 1
"""Saturation of t: 65,536 nat, 3,939 all-zero words in a row."""
MANTISSA_BITS = COIN_BITS - 1
SHIFT_BITS = bits_for(MANTISSA_BITS)


class NegLog(wiring.Component):
    """``t = -log u``, LSB 2**-LOGLIK_FRAC, ``LATENCY`` clocks after its inputs; no handshake.

    Twin: ``ohmcarlo.golden.entropy.minus_log_u``.

    Attributes
    ----------
    word : In(COIN_BITS)
        Word of the coin, not zero.
    before : In(T_BITS)
        Worth of the zeros ahead of its first one, those of earlier words included: LN2 each,
        saturated at ``T_MAX``. It changes no earlier than ``word``.
    t : Out(T_BITS)
        -log u, saturated at ``T_MAX``.
    """

    LATENCY = 2 + SegmentTable.LATENCY + 1

    def __init__(self) -> None:
        super().__init__(
            {
                "word": In(unsigned(COIN_BITS)),
                "before": In(unsigned(T_BITS)),
                "t": Out(unsigned(T_BITS)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # shift out leading zeros in two clocks, the larger powers of two first
        word: Value = self.word
        half = SHIFT_BITS // 2
        for name, bits in (("coarse", range(half, SHIFT_BITS)), ("fine", range(half))):
            for shift in (1 << bit for bit in reversed(bits)):
                word = Mux(word[COIN_BITS - shift :].any(), word, word << shift)[:COIN_BITS]
            shifted = Signal(COIN_BITS, name=name)
            m.d.sync += shifted.eq(word)
            word = shifted

        nodes = neg_log_table()
        m.submodules.table = table = SegmentTable(
            segments=1 << NEG_LOG_SEGMENT_BITS,
            fraction_bits=MANTISSA_BITS - NEG_LOG_SEGMENT_BITS,
            low_bits=1 + int(nodes.max()).bit_length(),
            delta_bits=1 + int(np.diff(nodes).max()).bit_length(),
            nodes=nodes.tolist(),
        )
        m.d.comb += [
            table.fraction.eq(word[: table.fraction_bits]),
            table.index.eq(word[table.fraction_bits : MANTISSA_BITS]),
        ]

        total = Signal(T_BITS + 1)
        t = Signal(T_BITS + 1)
        m.d.comb += t.eq(total - table.value)  # not negative: the table ends at LN2
        m.d.sync += [
            total.eq(self.before + LN2),
            self.t.eq(Mux(t[T_BITS], T_MAX, t)),
        ]
        return m
