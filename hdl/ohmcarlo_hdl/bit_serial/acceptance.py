"""The decision, with one adder for the threshold and without input registers."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring

from ..config import CoreConfig
from ..core.interface import ACC_BITS, AcceptancePorts, Mode


class BitSerialAcceptance(wiring.Component):
    """``Acceptance`` with one adder: two clocks per term; the price is taken with the decision.

    Terms are never positive, so the sum saturates below only.

    Attributes
    ----------
    start, mode, empty, external, external_loglik, early_reject, loglik, prior : AcceptancePorts
    t, t_valid, price, terms, decision, stop : AcceptancePorts
        As in ``AcceptancePorts``.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(AcceptancePorts(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        out: Any = self.decision.payload
        price: Any = self.price.payload
        mode, last = Signal(Mode), Signal()  # last: the sum has its last term, or needs none
        threshold = Signal(signed(ACC_BITS + 4))
        total = Signal(signed(ACC_BITS))
        points = Signal(self.config.point_bits + 1)
        summed = Signal()  # the total changed in the clock before
        below = Signal()
        parts = Array([self.loglik, self.prior, price.prior, price.hastings, self.t])
        part = Signal(range(len(parts)))
        minus = Signal()  # all but the first two are taken off
        addend = Signal(signed(ACC_BITS + 1))
        after = Signal(signed(ACC_BITS + 1))
        m.d.comb += [
            below.eq((mode == Mode.STEP) & (total < threshold)),
            minus.eq(part >= 2),
            addend.eq(parts[part]),
            after.eq(total + self.terms.payload.term),
            out.accepted.eq((mode != Mode.INVALID) & ~below),
            out.stuck.eq(price.stuck),
            out.loglik.eq(total),
            out.prior.eq(price.prior),
            out.points.eq(points),
            self.stop.eq(self.decision.valid),
        ]
        with m.FSM(name="state"):
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [
                    mode.eq(self.mode),
                    last.eq(self.empty | self.external),
                    total.eq(Mux(self.external, self.external_loglik, 0)),
                    points.eq(0),
                    part.eq(0),
                    threshold.eq(0),
                    summed.eq(self.empty | self.external),
                ]
                m.next = "PRICE"
            with m.State("PRICE"):
                with m.If(self.price.valid & (self.t_valid | (mode != Mode.STEP))):
                    m.next = "THRESHOLD"
            with m.State("THRESHOLD"):
                signed_addend = Cat(minus, addend.as_unsigned() ^ minus.replicate(len(addend)))
                total_so_far = Cat(minus, threshold).as_signed() + signed_addend.as_signed()
                m.d.sync += [part.eq(part + 1), threshold.eq(total_so_far >> 1)]
                with m.If(part == len(parts) - 1):
                    m.next = "SUM"
                    with m.If(mode == Mode.INVALID):
                        m.next = "DECIDED"
            with m.State("SUM"):
                m.d.comb += self.terms.ready.eq(~last & ~summed)
                taken = self.terms.valid & self.terms.ready
                m.d.sync += summed.eq(taken)
                with m.If(taken):
                    lowest = -(1 << (ACC_BITS - 1))
                    m.d.sync += [
                        total.eq(Mux(after < lowest, lowest, after)),
                        points.eq(points + 1),
                        last.eq(self.terms.payload.last),
                    ]
                with m.If(summed & (last | (below & self.early_reject))):
                    m.next = "DECIDED"
            with m.State("DECIDED"):
                m.d.comb += self.decision.valid.eq(1)
                with m.If(self.decision.ready):
                    m.d.comb += self.price.ready.eq(1)
                    m.next = "IDLE"
        return m
