"""From dot products to logits and hidden activations: one multiplier, one barrel shifter."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import (
    COEF_BITS,
    FEATURE_FRAC,
    FEATURE_MAX,
    LOGIT_BITS,
    LOGIT_FRAC,
    LOGIT_MAX,
    OFFSET_FRAC,
)

from ..lib.arith import clip
from .fetch import CONTEXT, LABEL_BITS
from .interface import SHIFT_BITS

ACTIVATION_BITS = 8


class LogitScaler(wiring.Component):
    """Scales a dot product by ``mantissa`` and ``shift``, with one rounding.

    With ``output`` the result is a logit (LSB 2**-LOGIT_FRAC), the point's offset added,
    saturated. Otherwise it is the activation of a hidden unit. Free-running, one dot product per
    clock; ``z_valid`` or ``activation_valid`` follows ``LATENCY`` clocks after ``valid``.

    Twins: ``golden.likelihood.logit_of``, ``activation``.

    Attributes
    ----------
    mantissa : In(COEF_BITS)
        Coefficient.
    shift : In(SHIFT_BITS)
        Its right shift.
    valid : In(1)
        ``dot`` is valid.
    output : In(1)
        The dot product belongs to an output row.
    dot : In(signed(dot_bits))
        Dot product.
    take : Out(1)
        ``context`` is consumed in this clock.
    context : In(CONTEXT)
        Offset, label and ``last`` of the point of the next logit.
    z_valid : Out(1)
        ``z`` is valid.
    z : Out(signed(LOGIT_BITS))
        Logit.
    magnitude : Out(LOGIT_BITS)
        Its magnitude.
    label : Out(LABEL_BITS)
        Label of its point.
    last : Out(1)
        Its point is the last one.
    activation_valid : Out(1)
        ``activation`` is valid.
    activation : Out(signed(ACTIVATION_BITS))
        Activation of a hidden unit.
    """

    LATENCY = 5

    def __init__(self, dot_bits: int) -> None:
        self.dot_bits = dot_bits
        super().__init__(
            {
                "mantissa": In(unsigned(COEF_BITS)),
                "shift": In(unsigned(SHIFT_BITS)),
                "valid": In(1),
                "output": In(1),
                "dot": In(signed(dot_bits)),
                "take": Out(1),
                "context": In(CONTEXT),
                "z_valid": Out(1),
                "z": Out(signed(LOGIT_BITS)),
                "magnitude": Out(unsigned(LOGIT_BITS)),
                "label": Out(LABEL_BITS),
                "last": Out(1),
                "activation_valid": Out(1),
                "activation": Out(signed(ACTIVATION_BITS)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # progress of each dot product, and whether it becomes a logit
        valids = Signal(self.LATENCY - 1)
        outputs = Signal(self.LATENCY - 1, reset_less=True)
        m.d.sync += [valids.eq(Cat(self.valid, valids)), outputs.eq(Cat(self.output, outputs))]

        # 1: multiply
        product = Signal(signed(self.dot_bits + COEF_BITS), reset_less=True)
        amount = Signal(SHIFT_BITS + 1, reset_less=True)
        extra = LOGIT_FRAC - FEATURE_FRAC
        m.d.sync += [
            product.eq(self.dot * self.mantissa),
            amount.eq(self.shift + Mux(self.output, 0, extra)),
        ]
        # 2, 3: shift, in two steps, leaving one fraction bit. Rounding half up is adding that bit:
        # shift_round(v, s) == ((v << 1 >> s) >> 1) + ((v << 1 >> s) & 1)
        fine_bits = 3
        coarse = Signal(signed(len(product) + 1), reset_less=True)
        fine_amount = Signal(fine_bits, reset_less=True)
        shifted = Signal(signed(len(product) + 1), reset_less=True)
        doubled = Cat(Const(0, 1), product).as_signed()
        m.d.sync += [
            coarse.eq(doubled >> Cat(Const(0, fine_bits), amount[fine_bits:])),
            fine_amount.eq(amount[:fine_bits]),
            shifted.eq(coarse >> fine_amount),
        ]
        # 4: round and add the offset. A value beyond twice the range of a logit saturates with
        # any offset, so the bits above are reduced to one flag
        kept = LOGIT_BITS + 2
        total = Signal(signed(kept + 1), reset_less=True)
        over, under = Signal(reset_less=True), Signal(reset_less=True)
        near = shifted[: kept + 1].as_signed()
        offset = Mux(outputs[2], self.context.offset << (LOGIT_FRAC - OFFSET_FRAC), 0)
        fits = _same(shifted[kept:])
        label, last = Signal(LABEL_BITS, reset_less=True), Signal(reset_less=True)
        m.d.comb += self.take.eq(valids[2] & outputs[2])
        m.d.sync += [
            label.eq(self.context.label),
            last.eq(self.context.last),
            total.eq((near >> 1) + near[0] + offset),
            over.eq(~fits & ~shifted[-1]),
            under.eq(~fits & shifted[-1]),
        ]
        # 5: saturate
        inside = ~over & ~under & _same(total[LOGIT_BITS - 1 :])
        negative = Mux(over | under, under, total[-1])
        magnitude = Mux(total[-1], -total, total)
        small = clip(total, -FEATURE_MAX, FEATURE_MAX)
        m.d.sync += [
            self.label.eq(label),
            self.last.eq(last),
            self.z_valid.eq(valids[3] & outputs[3]),
            self.activation_valid.eq(valids[3] & ~outputs[3]),
            self.z.eq(Mux(inside, total, Mux(negative, -LOGIT_MAX - 1, LOGIT_MAX))),
            self.magnitude.eq(Mux(inside, magnitude, Mux(negative, LOGIT_MAX + 1, LOGIT_MAX))),
            self.activation.eq(
                Mux(over | under, Mux(under, -FEATURE_MAX, FEATURE_MAX), small),
            ),
        ]
        return m


def _same(bits: Value) -> Value:
    """Whether all bits are equal: the sign and copies of it."""
    return bits.all() | ~bits.any()
