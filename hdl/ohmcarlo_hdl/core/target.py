"""The target of a device, from its present code."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import CODE_BITS, DAC_BITS, RHO_FRAC, TARGET_FRAC

from ..lib.arith import clip
from ..lib.pipeline import delayed


class Target(wiring.Component):
    """µ(k) = clip(c + ρ (k - c), lo, hi), ``LATENCY`` clocks after its inputs, one per clock.

    Twin: ``ohmcarlo.golden.proposal.target_of``.

    Attributes
    ----------
    code : In(CODE_BITS)
        Present code k of the device.
    centre : In(DAC_BITS)
        Centre c.
    walk : In(1)
        Compute µ; otherwise the target is the centre, not clipped.
    rho : In(RHO_FRAC + 1)
        Autocorrelation ρ, RHO_FRAC fraction bits.
    lo, hi : In(DAC_BITS)
        Limits.
    target : Out(DAC_BITS)
        Target, LSB 2**-TARGET_FRAC codes.
    """

    LATENCY = 3

    def __init__(self) -> None:
        super().__init__(
            {
                "code": In(CODE_BITS),
                "centre": In(DAC_BITS),
                "walk": In(1),
                "rho": In(RHO_FRAC + 1),
                "lo": In(DAC_BITS),
                "hi": In(DAC_BITS),
                "target": Out(DAC_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        away = Signal(signed(DAC_BITS + 1), reset_less=True)
        moved = Signal(signed(DAC_BITS + 1 + RHO_FRAC + 1), reset_less=True)
        centre = delayed(m, self.centre, 2, "centre")
        walk = delayed(m, self.walk, 2, "walk")
        # the rounding half is appended below the centre: one adder does both
        half = Const(1 << (RHO_FRAC - 1), RHO_FRAC)
        target = (Cat(half, centre) + moved) >> RHO_FRAC
        m.d.sync += [
            away.eq((self.code << TARGET_FRAC) - self.centre),
            moved.eq(away * self.rho),
            self.target.eq(Mux(walk, clip(target, self.lo, self.hi), centre)),
        ]
        return m
