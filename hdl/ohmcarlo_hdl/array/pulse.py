"""The code after a SET, from a DAC code, the offset of a device and a normal."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.spec import (
    CODE_BITS,
    CODE_MAX,
    D2D_FRAC,
    DAC_BITS,
    GAUSS_FRAC,
    MEDIAN_FRAC,
    MEDIAN_GAIN_FRAC,
    MEDIAN_SEGMENT_SHIFT,
    SEGMENT_BITS,
    SEGMENT_FRAC,
    SEGMENTS,
    SIGMA_FRAC,
    SIGMA_GAIN_FRAC,
)

from ..lib.arith import clip
from ..lib.pipeline import delayed
from ..lib.table import SegmentTable
from ..lib.window import Window
from .gauss import NORMAL_BITS

MEDIAN_BITS = bits_for((CODE_MAX + 1) << MEDIAN_FRAC)
"""Unsigned width of a node of the median table."""
SIGMA_BITS = 20
"""Unsigned width of a node of the spread table."""
SIGMA_STEP_BITS = 18
"""Signed width of the step from one of its nodes to the next, as wide as a multiplier."""
OFFSET_BITS = 18
"""Signed width of a device's relative offset, LSB 2**-D2D_FRAC."""
MEDIAN_GAIN_BITS = 18
SIGMA_GAIN_BITS = 12


class PulseLaw(wiring.Component):
    """One code per clock, ``LATENCY`` clocks after its DAC code; a free-running pipeline.

    The other inputs of a pulse follow when they are used: ``offset`` after ``OFFSET_AT`` clocks,
    ``normal`` after ``NORMAL_AT``, ``force`` and ``forced`` after ``FORCE_AT``. Gains are
    quasi-static. No node of a table is negative; spreads stay below 2**SIGMA_BITS and change by
    less than 2**(SIGMA_STEP_BITS - 1) from node to node.

    Twin: ``ohmcarlo.array.emulated.emulator_code``.

    Attributes
    ----------
    dac : In(DAC_BITS)
        DAC code of the pulse.
    offset : In(signed(OFFSET_BITS))
        Relative offset of the device, LSB 2**-D2D_FRAC.
    normal : In(signed(NORMAL_BITS))
        Normal of the pulse.
    force : In(1)
        The code becomes ``forced``, independent of the pulse.
    forced : In(CODE_BITS)
        Code of a device that is stuck or reset.
    median_gain : In(MEDIAN_GAIN_BITS)
        Factor of the median.
    sigma_gain : In(SIGMA_GAIN_BITS)
        Factor of the spread.
    load_median, load_sigma : In(Window)
        Nodes of the tables of median and spread.
    code : Out(CODE_BITS)
        Code after the pulse.
    """

    OFFSET_AT = SegmentTable.LATENCY
    SPREAD_AT = OFFSET_AT + 3
    NORMAL_AT = SPREAD_AT + SegmentTable.LATENCY + 1
    FORCE_AT = NORMAL_AT + 1
    LATENCY = FORCE_AT + 1

    def __init__(self) -> None:
        super().__init__(
            {
                "dac": In(DAC_BITS),
                "offset": In(signed(OFFSET_BITS)),
                "normal": In(signed(NORMAL_BITS)),
                "force": In(1),
                "forced": In(CODE_BITS),
                "median_gain": In(MEDIAN_GAIN_BITS),
                "sigma_gain": In(SIGMA_GAIN_BITS),
                "load_median": In(Window(1 + SEGMENT_BITS)),
                "load_sigma": In(Window(1 + SEGMENT_BITS)),
                "code": Out(CODE_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.medians = medians = SegmentTable(
            SEGMENTS, SEGMENT_FRAC, MEDIAN_BITS + 1, MEDIAN_BITS + 1
        )
        m.submodules.sigmas = sigmas = SegmentTable(
            SEGMENTS, MEDIAN_SEGMENT_SHIFT, SIGMA_BITS + 1, SIGMA_STEP_BITS
        )
        wiring.connect(m, wiring.flipped(self.load_median), medians.load)
        wiring.connect(m, wiring.flipped(self.load_sigma), sigmas.load)
        m.d.comb += [
            medians.index.eq(self.dac[SEGMENT_FRAC:]),
            medians.fraction.eq(self.dac[:SEGMENT_FRAC]),
        ]
        # a product is rounded half up with the sum that follows it: p >> s, plus the bit below
        fresh = medians.value[:MEDIAN_BITS]  # between nodes that are not negative
        drift = Signal(signed(MEDIAN_BITS + OFFSET_BITS))
        m.d.sync += drift.eq(fresh * self.offset)
        own = Signal(signed(OFFSET_BITS + 1))
        whole = Signal(MEDIAN_BITS)
        m.d.sync += whole.eq(fresh)
        m.d.comb += own.eq((drift >> D2D_FRAC) + drift[D2D_FRAC - 1])
        # a negative median stays negative under any gain, and is clipped to zero at the end
        shifted = Signal(signed(MEDIAN_BITS + 2))
        median = Signal(MEDIAN_BITS + 1)
        m.d.comb += shifted.eq(whole + own)
        m.d.sync += median.eq(Mux(shifted < 0, 0, shifted))
        aged = Signal(MEDIAN_BITS + 1 + MEDIAN_GAIN_BITS)
        m.d.sync += aged.eq(median * self.median_gain)
        top = ((CODE_MAX + 1) << MEDIAN_FRAC) - 1
        centre = Signal(CODE_BITS + MEDIAN_FRAC)
        m.d.comb += [
            centre.eq(clip((aged >> MEDIAN_GAIN_FRAC) + aged[MEDIAN_GAIN_FRAC - 1], 0, top)),
            sigmas.index.eq(centre[MEDIAN_SEGMENT_SHIFT:]),
            sigmas.fraction.eq(centre[:MEDIAN_SEGMENT_SHIFT]),
        ]
        sigma = Signal(SIGMA_BITS + SIGMA_GAIN_BITS)
        m.d.sync += sigma.eq(sigmas.value[:SIGMA_BITS] * self.sigma_gain)
        centre_there = delayed(m, centre, SegmentTable.LATENCY + 1, "centre")
        point = SIGMA_FRAC + GAUSS_FRAC
        spread = Signal(signed(SIGMA_BITS + SIGMA_GAIN_BITS - SIGMA_GAIN_FRAC + NORMAL_BITS + 1))
        base = Signal(signed(CODE_BITS + point + 2))
        m.d.sync += [
            spread.eq((sigma >> SIGMA_GAIN_FRAC) * self.normal),
            base.eq(
                (centre_there << (point - MEDIAN_FRAC))
                + Mux(sigma[SIGMA_GAIN_FRAC - 1], self.normal, 0)
                + (1 << (point - 1))
            ),
        ]
        drawn = (base + spread) >> point
        m.d.sync += self.code.eq(Mux(self.force, self.forced, clip(drawn, 0, CODE_MAX)))
        return m
