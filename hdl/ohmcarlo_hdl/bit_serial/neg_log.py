"""-log u, with one bit-serial multiplier."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import COIN_BITS, LN2, NEG_LOG_SEGMENT_BITS, neg_log_table

from ..entropy.interface import T_BITS
from ..entropy.neg_log import MANTISSA_BITS, T_MAX
from ..lib.multiplier import SerialMultiplier


class BitSerialNegLog(wiring.Component):
    """``NegLog`` in some 60 clocks.

    It begins when its reset ends; ``word`` and ``before`` are stable from then on.

    Twin: ``ohmcarlo.golden.entropy.minus_log_u``.

    Attributes
    ----------
    word : In(COIN_BITS)
        Word of the coin, not zero.
    before : In(T_BITS)
        Worth of the zeros ahead of its first one.
    t : Out(T_BITS)
        -log u, saturated at ``T_MAX``.
    done : Out(1)
        ``t`` is valid.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "word": In(unsigned(COIN_BITS)),
                "before": In(unsigned(T_BITS)),
                "t": Out(unsigned(T_BITS)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        nodes = neg_log_table().tolist()
        node_bits = max(nodes).bit_length()
        fraction_bits = MANTISSA_BITS - NEG_LOG_SEGMENT_BITS
        m.submodules.table = table = Memory(shape=unsigned(node_bits), depth=len(nodes), init=nodes)
        read = table.read_port()
        m.submodules.multiplier = times = SerialMultiplier(node_bits + 1, fraction_bits + 1)
        word = Signal(COIN_BITS)
        low = Signal(node_bits)
        second = Signal()
        worth = Signal(range(LN2 + 1))  # of the leading one and the bits after it
        t = Signal(T_BITS + 1)
        m.d.comb += [
            read.addr.eq(word[fraction_bits:MANTISSA_BITS] + second),
            times.a.eq(read.data - low),
            times.b.eq(word[:fraction_bits]),
            times.shift.eq(fraction_bits),
            worth.eq(LN2 - times.rounded(Cat(low, Const(0, 1)))),
            t.eq(self.before + worth),
            self.t.eq(Mux(t[T_BITS], T_MAX, t)),
        ]
        with m.FSM(name="state") as fsm:
            m.d.comb += second.eq(~fsm.ongoing("LOW"))
            with m.State("IDLE"):
                m.d.sync += word.eq(self.word)
                m.next = "NORMALISE"
            with m.State("NORMALISE"):
                m.next = "LOW"
                with m.If(~word[-1]):
                    m.d.sync += word.eq(word << 1)
                    m.next = "NORMALISE"
            with m.State("LOW"):
                m.next = "NODE"
            with m.State("NODE"):
                m.d.sync += low.eq(read.data)
                m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += times.start.eq(1)
                m.next = "MULTIPLY"
            with m.State("MULTIPLY"), m.If(~times.busy):
                m.d.comb += self.done.eq(1)
        return m
