"""Prediction: multiplicity-weighted sums of a probability and of its square."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import PROB_FRAC

from ..lib.arith import shift_round
from .interface import MULTIPLICITY_BITS, PREDICTION, PREDICTION_BITS

PROB_BITS = PROB_FRAC + 1

WEIGHTED = data.StructLayout(
    {"p": unsigned(PROB_BITS), "multiplicity": unsigned(MULTIPLICITY_BITS), "last": unsigned(1)}
)
"""A probability (PROB_FRAC bits, 1 included), its weight, and whether it closes its point."""


class PredictionSums(wiring.Component):
    """Sums ``multiplicity * p`` and ``multiplicity * shift_round(p * p, PROB_FRAC)`` of each point.

    One probability per clock; the sums of a point are offered ``LATENCY`` clocks after its ``last``
    probability, and the next sums start at zero. The input stalls only if an offer is not taken
    when the next one is due.

    Twin: ``golden.likelihood.predict_sums``.

    Attributes
    ----------
    probabilities : In(stream of WEIGHTED)
        Probabilities with their weights.
    predictions : Out(stream of PREDICTION)
        Sums of each point.
    busy : Out(1)
        Probabilities or sums are inside.
    """

    LATENCY = 5

    def __init__(self) -> None:
        super().__init__(
            {
                "probabilities": In(stream.Signature(WEIGHTED)),
                "predictions": Out(stream.Signature(PREDICTION)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        product_bits = PROB_BITS + MULTIPLICITY_BITS
        # the input may come from a block RAM, too late for a multiplication
        taken, one, two = (Signal(WEIGHTED, reset_less=True) for _ in range(3))
        taken_valid, one_valid, two_valid, three_valid = (Signal() for _ in range(4))
        three_last = Signal(reset_less=True)
        square = Signal(2 * PROB_BITS, reset_less=True)
        rounded = Signal(PROB_BITS, reset_less=True)
        first_part = Signal(product_bits, reset_less=True)
        second_part = Signal(product_bits, reset_less=True)
        first_sum, second_sum = Signal(PREDICTION_BITS), Signal(PREDICTION_BITS)
        offered = self.predictions

        move = Signal()
        m.d.comb += [
            move.eq(~(three_valid & three_last & offered.valid & ~offered.ready)),
            self.probabilities.ready.eq(move),
            self.busy.eq(taken_valid | one_valid | two_valid | three_valid | offered.valid),
        ]
        with m.If(offered.ready):
            m.d.sync += offered.valid.eq(0)
        with m.If(move):
            m.d.sync += [
                taken_valid.eq(self.probabilities.valid),
                taken.eq(self.probabilities.payload),
                one_valid.eq(taken_valid),
                one.eq(taken),
                square.eq(taken.p * taken.p),
                two_valid.eq(one_valid),
                two.eq(one),
                rounded.eq(shift_round(square, PROB_FRAC)),
                three_valid.eq(two_valid),
                three_last.eq(two.last),
                first_part.eq(two.multiplicity * two.p),
                second_part.eq(two.multiplicity * rounded),
            ]
            with m.If(three_valid):
                total, total_square = first_sum + first_part, second_sum + second_part
                m.d.sync += [
                    first_sum.eq(Mux(three_last, 0, total)),
                    second_sum.eq(Mux(three_last, 0, total_square)),
                ]
                with m.If(three_last):
                    m.d.sync += [
                        offered.valid.eq(1),
                        offered.payload.sum.eq(total),
                        offered.payload.square.eq(total_square),
                    ]
        return m
