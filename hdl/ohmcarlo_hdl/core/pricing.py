"""The price of a proposal: priors and Hastings term, from the codes of its devices."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring

from ..config import CoreConfig
from ..lib.pipeline import CreditFifo, delayed
from .hastings import Hastings
from .interface import PRICE, PROGRAMMED, PricingPorts
from .prior import Prior

DEVICE_CLOCKS = 2
"""A device needs two lookups."""
SHORTEST = 2 * DEVICE_CLOCKS
"""Clocks that the devices of the smallest proposal take: one pair."""


class Pricing(wiring.Component):
    """Sums over the devices of a proposal as they are programmed; then offers its price.

    One device every two clocks; the price is offered ``LATENCY`` clocks after the last device was
    taken. Proposals may follow each other at once; devices stall while the FIFO of prices could
    overflow with one-pair proposals. Registers and tables must not change while devices are inside.

    ``load_inv_sigma`` and ``load_log_sigma`` have the nodes of ``spec.hastings_tables``, as in
    ``SegmentTable``. ``stuck`` is computed for every proposal; it is meaningful for proposals with
    an invalid read-back.

    Twins: ``ohmcarlo.golden.proposal.log_prior``, ``log_hastings`` and ``is_stuck``.

    Attributes
    ----------
    devices, price, rho, mid, lo, hi, valid_lo, valid_hi, hastings : PricingPorts
    weight_mantissa, weight_shift, common_mantissa, common_shift : PricingPorts
    load_inv_sigma, load_log_sigma : PricingPorts
        As in ``PricingPorts``.
    """

    LATENCY = Hastings.LATENCY + DEVICE_CLOCKS

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(PricingPorts(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.prior = prior = Prior(self.config)
        m.submodules.lookups = lookups = Hastings(self.config)
        m.submodules.landing = landing = CreditFifo(PRICE, 1 + -(-self.LATENCY // SHORTEST))
        wiring.connect(m, landing.output, wiring.flipped(self.price))

        device = self.devices.payload
        taken = self.devices.valid & self.devices.ready
        back = Signal()  # the device just taken has its second lookup
        held = Signal(PROGRAMMED, reset_less=True)
        first = Signal(init=1)
        m.d.sync += back.eq(taken)
        with m.If(taken):
            m.d.sync += [held.eq(device), first.eq(device.last)]
        m.d.comb += [
            self.devices.ready.eq(landing.room & ~back),
            landing.enter.eq(taken & device.last),
            prior.valid.eq(taken),
            prior.code.eq(device.new),
            prior.odd.eq(device.odd),
            prior.last.eq(device.last),
            lookups.valid.eq(taken | back),
            lookups.back.eq(back),
            lookups.first.eq(~back & first),
            lookups.start.eq(Mux(back, held.new, device.old)),
            lookups.end.eq(Mux(back, held.old, device.new)),
            lookups.centre.eq(Mux(back, held.centre, device.centre)),
        ]
        for name in ("mid", "weight_mantissa", "weight_shift", "common_mantissa", "common_shift"):
            m.d.comb += getattr(prior, name).eq(getattr(self, name))
        for name in ("rho", "lo", "hi", "valid_lo", "valid_hi"):
            m.d.comb += getattr(lookups, name).eq(getattr(self, name))
        for name in ("load_inv_sigma", "load_log_sigma"):
            wiring.connect(m, getattr(lookups, name), wiring.flipped(getattr(self, name)))

        # The lookups finish the way back of the last device two clocks after the prior is valid.
        # The prior stays valid until that of the next proposal, at least four clocks later.
        price = Signal(PRICE, reset_less=True)
        m.d.sync += [
            price.prior.eq(prior.prior),
            price.hastings.eq(Mux(self.hastings, lookups.hastings, 0)),
            price.stuck.eq(lookups.stuck),
        ]
        m.d.comb += [
            landing.arrived.eq(delayed(m, landing.enter, self.LATENCY, "last", reset=True)),
            landing.payload.eq(price),
        ]
        return m
