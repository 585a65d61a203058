"""The arithmetic of ``ohmcarlo.spec`` as Amaranth expressions: one rounding, one saturation."""

from __future__ import annotations

from amaranth import Const, Mux, Value
from amaranth.hdl import ValueLike


def shift_round(value: ValueLike, shift: ValueLike) -> Value:
    """``value / 2**shift`` rounded half up; ``shift`` an integer or an (unsigned) signal."""
    value = Value.cast(value)
    if isinstance(shift, int):
        return value if shift <= 0 else (value + (1 << (shift - 1))) >> shift
    half = (Const(1) << shift) >> 1
    return (value + half) >> shift


def saturate(value: ValueLike, bits: int) -> Value:
    """``value`` as a signed number of ``bits`` bits that does not wrap."""
    value = Value.cast(value)
    if not value.shape().signed:
        value = value.as_unsigned()
    top = (1 << (bits - 1)) - 1
    clipped = Mux(value > top, top, Mux(value < -top - 1, -top - 1, value))
    return clipped[:bits].as_signed()


def clip(value: ValueLike, low: ValueLike, high: ValueLike) -> Value:
    """``value`` within [``low``, ``high``]."""
    value = Value.cast(value)
    below_top = Mux(value > high, high, value)
    if isinstance(low, int) and low == 0 and not value.shape().signed:
        return below_top  # avoids a comparison that is always false
    return Mux(value < low, low, below_top)
