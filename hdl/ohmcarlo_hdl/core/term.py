"""From logits to contributions of points: log-sigmoid, quadratic term, or sigmoid (prediction)."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import (
    LABEL_POSITIVE,
    LABEL_QUADRATIC,
    LOGIT_BITS,
    LOGIT_FRAC,
    LOGLIK_FRAC,
    LOGSIG_COARSE_SHIFT,
    LOGSIG_END,
    LOGSIG_FINE_SEGMENTS,
    LOGSIG_FINE_SHIFT,
    LOGSIG_KNEE,
    LOGSIG_SEGMENTS,
    PROB_FRAC,
    segments_of,
    sigmoid_table,
    softplus_table,
)

from ..lib.arith import shift_round
from ..lib.table import SegmentTable
from .fetch import LABEL_BITS
from .interface import TERM_BITS


def magnitude_table(nodes: Any) -> SegmentTable:
    """A ROM over ``|z|``: LOGSIG_SEGMENTS segments, the fine ones and then the coarse ones.

    Its fraction has the bits of a coarse segment; a fine segment's fraction is shifted up to that,
    which changes no result.
    """
    low, delta = (max(map(signed_bits, part)) for part in zip(*segments_of(nodes), strict=True))
    return SegmentTable(LOGSIG_SEGMENTS, LOGSIG_COARSE_SHIFT, low, delta, [int(n) for n in nodes])


def signed_bits(value: int) -> int:
    """Bits of a signed integer."""
    return 1 + (value if value >= 0 else ~value).bit_length()


class TermUnit(wiring.Component):
    """Contribution of a point with logit ``z``, ``LATENCY`` clocks later.

    ``predict`` = 0: its log-likelihood under ``label``, LSB 2**-LOGLIK_FRAC. ``predict`` = 1:
    sigmoid(z), LSB 2**-PROB_FRAC. Free-running, one logit per clock.

    Twins: ``golden.likelihood.term_of``, ``sigmoid_of``.

    Attributes
    ----------
    predict : In(1)
        Compute the sigmoid; stable while points are under way.
    valid : In(1)
        ``z`` is valid.
    z : In(signed(LOGIT_BITS))
        Logit.
    magnitude : In(LOGIT_BITS)
        Its magnitude.
    label : In(LABEL_BITS)
        Label of the point.
    last : In(1)
        The point is the last one.
    result_valid : Out(1)
        ``result`` is valid.
    result_last : Out(1)
        ``last`` of that point.
    result : Out(signed(TERM_BITS))
        Log-likelihood or probability.
    """

    LATENCY = SegmentTable.LATENCY

    def __init__(self) -> None:
        super().__init__(
            {
                "predict": In(1),
                "valid": In(1),
                "z": In(signed(LOGIT_BITS)),
                "magnitude": In(unsigned(LOGIT_BITS)),
                "label": In(LABEL_BITS),
                "last": In(1),
                "result_valid": Out(1),
                "result_last": Out(1),
                "result": Out(signed(TERM_BITS)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.softplus = softplus = magnitude_table(softplus_table())
        m.submodules.sigmoid = sigmoid = magnitude_table(sigmoid_table())

        knee = bit_of(LOGSIG_KNEE)
        end = bit_of(LOGSIG_END)
        fine, coarse = LOGSIG_FINE_SHIFT, LOGSIG_COARSE_SHIFT
        index = Signal(range(LOGSIG_SEGMENTS))
        fraction = Signal(coarse)
        with m.If(self.magnitude[knee]):
            m.d.comb += [
                index.eq(LOGSIG_FINE_SEGMENTS + self.magnitude[coarse:knee]),
                fraction.eq(self.magnitude[:coarse]),
            ]
        with m.Else():
            m.d.comb += [
                index.eq(self.magnitude[fine:knee]),
                fraction.eq(self.magnitude[:fine] << (coarse - fine)),
            ]
        for table in (softplus, sigmoid):
            m.d.comb += [table.index.eq(index), table.fraction.eq(fraction)]

        # parallel to the tables: the square, and the part without the table value
        valids = Signal(self.LATENCY)
        m.d.sync += valids.eq(Cat(self.valid, valids))
        carried = data.StructLayout(
            {"magnitude": LOGIT_BITS, "negative": 1, "label": LABEL_BITS, "last": 1}
        )
        one, two = Signal(carried, reset_less=True), Signal(carried, reset_less=True)
        square = Signal(2 * LOGIT_BITS - 1, reset_less=True)
        quadratic = Signal(TERM_BITS - 1, reset_less=True)
        m.d.sync += [
            one.magnitude.eq(self.magnitude),
            one.negative.eq(self.z[-1]),
            one.label.eq(self.label),
            one.last.eq(self.last),
            two.eq(one),
            self.result_last.eq(two.last),
            square.eq(self.z * self.z),
            quadratic.eq(shift_round(square, 2 * LOGIT_FRAC + 1 - LOGLIK_FRAC)),
        ]
        base = Signal(signed(TERM_BITS), reset_less=True)
        plus, minus = Signal(reset_less=True), Signal(reset_less=True)
        beyond = two.magnitude[end:].any()
        wrong_side = ~two.negative != (two.label == LABEL_POSITIVE)
        with m.If(self.predict):
            m.d.sync += [
                base.eq(Mux(beyond ^ two.negative, 1 << PROB_FRAC, 0)),
                plus.eq(~beyond & ~two.negative),
                minus.eq(~beyond & two.negative),
            ]
        with m.Elif(two.label == LABEL_QUADRATIC):
            m.d.sync += [base.eq(-quadratic), plus.eq(0), minus.eq(0)]
        with m.Else():
            linear = two.magnitude << (LOGLIK_FRAC - LOGIT_FRAC)
            m.d.sync += [base.eq(Mux(wrong_side, -linear, 0)), plus.eq(0), minus.eq(~beyond)]
        value = Mux(self.predict, sigmoid.value, softplus.value)
        m.d.comb += [
            self.result_valid.eq(valids[-1]),
            self.result.eq(base + Mux(plus, value, Mux(minus, -value, 0))),
        ]
        return m


def bit_of(limit: int) -> int:
    """The bit of a magnitude that is set from ``limit`` (a power of two, in units of z) on."""
    return LOGIT_FRAC + limit.bit_length() - 1
