"""A bit-serial multiplier with a rounding right shift."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.hdl import ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

SHIFT_BITS = 6
"""Width of a right shift, 0 to 63."""


class SerialMultiplier(wiring.Component):
    """Multiplies with one adder, one bit per clock, and shifts the product right with rounding.

    ``value + half`` is ``spec.shift_round(a * b, shift)`` once ``busy`` is low again, after
    ``b_bits + shift + 1`` clocks. ``half`` is the bit that was shifted out last: with it the
    quotient is rounded half up, without it down. The result stays until the next ``start``.

    Parameters
    ----------
    a_bits, b_bits : int
        Signed widths of the factors.

    Attributes
    ----------
    a : In(signed(a_bits))
        First factor; stable until ``busy`` is low again.
    b : In(signed(b_bits))
        Second factor; sampled at ``start``.
    shift : In(SHIFT_BITS)
        Right shift of the product; sampled at ``start``.
    start : In(1)
        Begin; only while ``busy`` is low.
    busy : Out(1)
        The product is not complete.
    value : Out(signed(a_bits + b_bits))
        Shifted product, rounded down.
    half : Out(1)
        Most significant bit that was shifted out.
    """

    def __init__(self, a_bits: int, b_bits: int) -> None:
        self.a_bits, self.b_bits = a_bits, b_bits
        super().__init__(
            {
                "a": In(signed(a_bits)),
                "b": In(signed(b_bits)),
                "shift": In(SHIFT_BITS),
                "start": In(1),
                "busy": Out(1),
                "value": Out(signed(a_bits + b_bits)),
                "half": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = self.b_bits
        to_add, to_shift = Signal(range(bits + 1)), Signal(SHIFT_BITS)
        upper = Signal(signed(self.a_bits + 1))
        lower = Signal(bits)
        # the top bit of b has negative weight: a is subtracted there
        adds, minus = Signal(), Signal()
        operand = Signal(self.a_bits)
        m.d.comb += [
            adds.eq((to_add != 0) & lower[0]),
            minus.eq((to_add == 1) & lower[0]),
            operand.eq(Mux(adds, self.a.as_unsigned() ^ minus.replicate(self.a_bits), 0)),
            self.busy.eq((to_add != 0) | (to_shift != 0)),
            self.value.eq(Cat(lower, upper)),
        ]
        # an appended one in both operands makes the carry of a subtraction
        after = Signal(signed(self.a_bits + 1))
        total = Cat(Const(1, 1), upper).as_signed() + Cat(minus, operand).as_signed()
        m.d.comb += after.eq(total >> 1)
        with m.If(self.start):
            m.d.sync += [
                upper.eq(0),
                lower.eq(self.b),
                to_add.eq(bits),
                to_shift.eq(self.shift),
                self.half.eq(0),
            ]
        with m.Elif(self.busy):
            m.d.sync += [upper.eq(after >> 1), lower.eq(Cat(lower[1:], after[0]))]
            with m.If(to_add != 0):
                m.d.sync += to_add.eq(to_add - 1)
            with m.Else():
                m.d.sync += [to_shift.eq(to_shift - 1), self.half.eq(lower[0])]
        return m

    def rounded(self, more: ValueLike) -> Value:
        """``more`` (signed) plus the rounded quotient; one adder, its carry in is ``half``."""
        return (Cat(Const(1, 1), more).as_signed() + Cat(self.half, self.value).as_signed()) >> 1
