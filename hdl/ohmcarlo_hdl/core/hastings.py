"""The Hastings term of a proposal, and whether one of its devices looks stuck."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.spec import (
    CODE_BITS,
    DAC_BITS,
    INV_SIGMA_FRAC,
    LOG_SIGMA_FRAC,
    LOGLIK_FRAC,
    RHO_FRAC,
    SEGMENT_FRAC,
    SEGMENTS,
    STUCK_Z,
    TARGET_FRAC,
    Z_FRAC,
    Z_MAX,
)

from ..config import CoreConfig
from ..lib.arith import saturate, shift_round
from ..lib.pipeline import delayed
from ..lib.table import SegmentTable
from ..lib.window import Access
from .interface import ACC_BITS
from .target import Target

INV_SIGMA_BITS = INV_SIGMA_FRAC + 4
"""Signed width of a node of 1/σ: devices spread by more than a quarter of a code."""
LOG_SIGMA_BITS = LOG_SIGMA_FRAC + 6
"""Signed width of a node of log σ: ±32, far more than codes can spread."""
Z_BITS = Z_MAX.bit_length() + 1
Z_SHIFT = TARGET_FRAC + INV_SIGMA_FRAC - Z_FRAC
LOW_BITS = 12
"""1/σ is multiplied in two parts; width of the lower part."""
SQUARE_SHIFT = 2 * Z_FRAC + 1 - LOGLIK_FRAC
SEGMENT_INDEX_BITS = (SEGMENTS - 1).bit_length()

LOOKUP = data.StructLayout({"back": unsigned(1), "first": unsigned(1)})
"""Tag of a lookup: its direction, and whether it is the first one of a proposal."""


class Hastings(wiring.Component):
    """Σ [log q(k|k′) - log q(k′|k)] over the devices of a proposal, and whether one looks stuck.

    A device takes two lookups, one per clock: *there* (``start`` is its old code, ``end`` its new
    one) and ``back`` (the other way round). Results are valid ``LATENCY`` clocks after the last
    lookup, until those of the next proposal's first lookup. The tables are loaded like any
    ``SegmentTable``.

    Twins: ``ohmcarlo.golden.proposal.log_hastings``, ``deviation`` and ``is_stuck``.

    Attributes
    ----------
    valid : In(1)
        There is a lookup in this clock.
    back : In(1)
        It is the way back.
    first : In(1)
        It is the first lookup of a proposal.
    start, end : In(CODE_BITS)
        Code before and after the move.
    centre : In(DAC_BITS)
        Centre of the device.
    rho : In(RHO_FRAC + 1)
        Autocorrelation of the proposal, RHO_FRAC fraction bits.
    lo, hi : In(DAC_BITS)
        Limits of a target.
    valid_lo, valid_hi : In(CODE_BITS)
        Lowest and highest code of a valid read-back.
    load_inv_sigma, load_log_sigma : In(Access)
        Nodes of the tables of 1/σ and log σ.
    hastings : Out(signed(ACC_BITS))
        Hastings term, LSB 2**-LOGLIK_FRAC.
    stuck : Out(1)
        An invalid read-back missed its target by far.
    """

    Z_LATENCY = Target.LATENCY + SegmentTable.WIDE_LATENCY + 2
    LATENCY = Z_LATENCY + 2

    def __init__(self, config: CoreConfig) -> None:
        devices = config.max_group_rows * 2 * config.max_features
        self.squares_bits = 1 + bits_for(devices << (2 * Z_BITS - 2))
        self.logs_bits = 1 + bits_for(2 * devices << (LOG_SIGMA_BITS - 1))
        super().__init__(
            {
                "valid": In(1),
                "back": In(1),
                "first": In(1),
                "start": In(CODE_BITS),
                "end": In(CODE_BITS),
                "centre": In(DAC_BITS),
                "rho": In(RHO_FRAC + 1),
                "lo": In(DAC_BITS),
                "hi": In(DAC_BITS),
                "valid_lo": In(CODE_BITS),
                "valid_hi": In(CODE_BITS),
                "load_inv_sigma": In(Access(1 + SEGMENT_INDEX_BITS)),
                "load_log_sigma": In(Access(1 + SEGMENT_INDEX_BITS)),
                "hastings": Out(signed(ACC_BITS)),
                "stuck": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.target = target = Target()
        m.d.comb += [
            target.code.eq(self.start),
            target.centre.eq(self.centre),
            target.walk.eq(1),
            target.rho.eq(self.rho),
            target.lo.eq(self.lo),
            target.hi.eq(self.hi),
        ]
        end = delayed(m, self.end, target.LATENCY, "end")

        # 1/σ and log σ at the target, and the deviation of the device from it
        m.submodules.inv_sigma = inv_sigma = SegmentTable(
            SEGMENTS, SEGMENT_FRAC, INV_SIGMA_BITS, INV_SIGMA_BITS, wide=True, readable=True
        )
        m.submodules.log_sigma = log_sigma = SegmentTable(
            SEGMENTS, SEGMENT_FRAC, LOG_SIGMA_BITS, LOG_SIGMA_BITS + 1, wide=True, readable=True
        )
        wiring.connect(m, inv_sigma.load, wiring.flipped(self.load_inv_sigma))
        wiring.connect(m, log_sigma.load, wiring.flipped(self.load_log_sigma))
        for table in (inv_sigma, log_sigma):
            m.d.comb += Cat(table.fraction, table.index).eq(target.target)
        missed = Signal(signed(DAC_BITS + 1), reset_less=True)
        m.d.sync += missed.eq((end << TARGET_FRAC) - target.target)
        distance = delayed(m, missed, SegmentTable.WIDE_LATENCY - 1, "distance")

        # z, from two products; the rounding half is appended below the upper one
        low = Signal(signed(DAC_BITS + 1 + LOW_BITS), reset_less=True)
        high = Signal(signed(DAC_BITS + 2 + INV_SIGMA_BITS - LOW_BITS), reset_less=True)
        z = Signal(signed(Z_BITS), reset_less=True)
        product = Cat(Const(1 << (Z_SHIFT - 1), LOW_BITS), high).as_signed() + low
        m.d.sync += [
            low.eq(distance * inv_sigma.value[:LOW_BITS]),
            high.eq(distance * inv_sigma.value[LOW_BITS:].as_signed()),
            z.eq(saturate(product >> Z_SHIFT, Z_BITS)),
        ]

        # sums: added on the way there, subtracted on the way back
        square = Signal(2 * Z_BITS - 1, reset_less=True)
        far = Signal(reset_less=True)
        invalid = ~self.back & ((self.end < self.valid_lo) | (self.end > self.valid_hi))
        limit = STUCK_Z << Z_FRAC
        m.d.sync += [
            square.eq(z * z),
            far.eq(delayed(m, invalid, self.Z_LATENCY, "invalid") & ((z > limit) | (z < -limit))),
        ]
        log = delayed(m, log_sigma.value, 3, "log")
        tag = Signal(LOOKUP)
        m.d.comb += [tag.back.eq(self.back), tag.first.eq(self.first)]
        tag_late = delayed(m, tag, self.Z_LATENCY + 1, "tag")
        squares = Signal(signed(self.squares_bits), reset_less=True)
        logs = Signal(signed(self.logs_bits), reset_less=True)
        squares_so_far = Mux(tag_late.first, 0, squares)
        logs_so_far = Mux(tag_late.first, 0, logs)
        with m.If(delayed(m, self.valid, self.Z_LATENCY + 1, "valid", reset=True)):
            m.d.sync += [
                squares.eq(Mux(tag_late.back, squares_so_far - square, squares_so_far + square)),
                logs.eq(Mux(tag_late.back, logs_so_far - log, logs_so_far + log)),
                self.stuck.eq((~tag_late.first & self.stuck) | far),
            ]
        m.d.comb += self.hastings.eq(saturate(shift_round(squares, SQUARE_SHIFT) + logs, ACC_BITS))
        return m
