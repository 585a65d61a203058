"""The log-prior of a proposal, from the codes of its devices."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.spec import CODE_BITS, COEF_BITS, DAC_BITS, DAC_MAX, TARGET_FRAC

from ..config import CoreConfig
from ..lib.arith import saturate
from ..lib.pipeline import delayed
from .interface import ACC_BITS, SHIFT_BITS

LIMB_BITS = 18
"""Widest part of a sum that one hardware multiplier takes."""

TAG = data.StructLayout({"common": unsigned(1), "last": unsigned(1)})
"""Tag of a square and of a sum: its kind, and whether the proposal ends."""


class Prior(wiring.Component):
    """-Σ (k⁺ - k⁻)² · weight - Σ (k⁺ + k⁻ - 2 mid)² · common: each sum rounded, all saturated.

    ``prior`` is valid ``LATENCY`` clocks after the device with ``last``, and for two clocks more.
    Both sums share one multiplier for squares, and one row of multipliers and one shifter to
    scale them.

    Twin: ``ohmcarlo.golden.proposal.log_prior``.

    Attributes
    ----------
    valid : In(1)
        There is a device in this clock; at most every second clock.
    code : In(CODE_BITS)
        Its code; g⁺ before g⁻.
    odd : In(1)
        It is the g⁻ of its pair.
    last : In(1)
        It is the last device of the proposal.
    mid : In(DAC_BITS)
        Common centre.
    weight_mantissa, common_mantissa : In(COEF_BITS)
        Coefficients of the two sums.
    weight_shift, common_shift : In(SHIFT_BITS)
        Their right shifts.
    prior : Out(signed(ACC_BITS))
        Log-prior, LSB 2**-LOGLIK_FRAC.
    """

    LATENCY = 10

    def __init__(self, config: CoreConfig) -> None:
        pairs = config.max_group_rows * config.max_features
        self.sum_bits = bits_for(pairs * (2 * DAC_MAX) ** 2)
        super().__init__(
            {
                "valid": In(1),
                "code": In(CODE_BITS),
                "odd": In(1),
                "last": In(1),
                "mid": In(DAC_BITS),
                "weight_mantissa": In(COEF_BITS),
                "weight_shift": In(SHIFT_BITS),
                "common_mantissa": In(COEF_BITS),
                "common_shift": In(SHIFT_BITS),
                "prior": Out(signed(ACC_BITS)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Numbers in names count clocks since the g⁻ of a pair came, for the part of the weight;
        # the common-mode part goes through the same registers one clock later.
        plus = Signal(CODE_BITS)
        with m.If(self.valid & ~self.odd):
            m.d.sync += plus.eq(self.code)
        difference_1 = Signal(signed(CODE_BITS + 1), reset_less=True)
        both_1 = Signal(CODE_BITS + 1, reset_less=True)
        away = Signal(signed(DAC_BITS + 2), reset_less=True)
        m.d.sync += [
            difference_1.eq(plus - self.code),
            both_1.eq(plus + self.code),
            away.eq((both_1 << TARGET_FRAC) - (self.mid << 1)),
        ]
        pair_1 = delayed(m, self.valid & self.odd, 1, "pair", reset=True)
        common_1 = delayed(m, pair_1, 1, "common", reset=True)
        last_1 = delayed(m, self.last, 1, "last")
        tag_1 = Signal(TAG)
        m.d.comb += [
            tag_1.common.eq(common_1),
            tag_1.last.eq(Mux(common_1, delayed(m, last_1, 1, "last_common"), last_1)),
        ]

        # 2, 3: squares and their sums
        base_1 = Mux(common_1, away, difference_1)
        square_2 = Signal(2 * (DAC_BITS + 1), reset_less=True)
        m.d.sync += square_2.eq(base_1 * base_1)
        tag_2 = delayed(m, tag_1, 1, "square_tag")
        valid_2 = delayed(m, pair_1 | common_1, 1, "square_valid", reset=True)
        sums = []
        for name, chosen in (("weight", ~tag_2.common), ("common", tag_2.common)):
            total = Signal(self.sum_bits, name=f"{name}_sum", reset_less=True)
            fresh = Signal(name=f"{name}_fresh", init=1)
            with m.If(valid_2 & chosen):
                m.d.sync += [
                    total.eq(Mux(fresh, 0, total) + square_2),
                    fresh.eq(tag_2.last),
                ]
            sums.append(total)

        # 4, 5: times the mantissa, limb by limb
        tag_3 = delayed(m, tag_2, 1, "sum_tag")
        sum_3 = Mux(tag_3.common, sums[1], sums[0])
        mantissa_3 = Mux(tag_3.common, self.common_mantissa, self.weight_mantissa)
        limbs = -(-self.sum_bits // LIMB_BITS)
        width = -(-self.sum_bits // limbs)
        products = []
        for i in range(limbs):
            limb = sum_3[i * width : (i + 1) * width]
            product = Signal(len(limb) + COEF_BITS, name=f"product_{i}", reset_less=True)
            m.d.sync += product.eq(limb * mantissa_3)
            products.append(product << (i * width))
        product_5 = Signal(self.sum_bits + COEF_BITS, reset_less=True)
        m.d.sync += product_5.eq(sum(products[1:], products[0]))

        # 6, 7: coarse and fine shift by one bit less than the shift; 8: that bit rounds half up
        tag_5 = delayed(m, tag_3, 2, "product_tag")
        fine_bits = SHIFT_BITS // 2
        shift_5 = Mux(tag_5.common, self.common_shift, self.weight_shift)
        fine_6 = delayed(m, shift_5[:fine_bits], 1, "fine")
        coarse_6 = Signal(self.sum_bits + COEF_BITS + 1, reset_less=True)
        shifted_7 = Signal.like(coarse_6)
        rounded_8 = Signal(ACC_BITS + 1, reset_less=True)
        beyond = shifted_7[ACC_BITS + 1 :].any()
        m.d.sync += [
            coarse_6.eq((product_5 << 1) >> (shift_5[fine_bits:] << fine_bits)),
            shifted_7.eq(coarse_6 >> fine_6),
            # 2**ACC_BITS saturates for any value of the other sum
            rounded_8.eq(Mux(beyond, 1 << ACC_BITS, (shifted_7[: ACC_BITS + 1] + 1) >> 1)),
        ]

        # 9, 10: the two together
        total_9 = Signal(ACC_BITS + 2, reset_less=True)
        common_8 = delayed(m, tag_5.common, 3, "rounded_common")
        with m.If(delayed(m, valid_2 & tag_2.last, 6, "rounded_valid", reset=True)):
            m.d.sync += total_9.eq(Mux(common_8, total_9, 0) + rounded_8)
        m.d.comb += self.prior.eq(saturate(-total_9, ACC_BITS))
        return m
