"""Registers of the current sample of every region."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Module, Mux, Signal, signed

from ...config import CoreConfig
from ..interface import ACC_BITS
from ..regions import WORD_ADDRESS_BITS

LOGLIK_WORD, PRIOR_WORD = 6, 7
"""Words of a region in the window ``state_regions`` that ``Rows`` does not have."""


class CurrentSamples:
    """Bank, log-likelihood and log-prior of every region's current sample.

    Parameters
    ----------
    config : CoreConfig
    here : Signal
        The region whose registers ``bank``, ``loglik`` and ``prior`` are.
    """

    def __init__(self, config: CoreConfig, here: Signal) -> None:
        indices = range(config.max_regions)
        self._here = here
        self.banks = Array(Signal(name=f"bank{i}") for i in indices)
        self._logliks = Array(Signal(signed(ACC_BITS), name=f"loglik{i}") for i in indices)
        self._priors = Array(Signal(signed(ACC_BITS), name=f"prior{i}") for i in indices)
        self._put_loglik = Signal(name="put_loglik")
        self._put_prior = Signal(name="put_prior")

    @property
    def bank(self) -> Any:
        """Bank of the sample memory that holds the current sample; the other has the proposal."""
        return self.banks[self._here]

    @property
    def loglik(self) -> Any:
        return self._logliks[self._here]

    @property
    def prior(self) -> Any:
        return self._priors[self._here]

    def accept(self, m: Module) -> None:
        """The proposal becomes the current sample, in the context of the caller."""
        m.d.sync += self.bank.eq(~self.bank)
        m.d.comb += [self._put_loglik.eq(1), self._put_prior.eq(1)]

    def attach(self, m: Module, window: Any, decision: Any) -> None:
        """Load the registers from an accepted ``decision`` or from software, from one source.

        ``window`` is ``state_regions``. Call it after the other uses of its ``r_data``.
        """
        looked_at = Signal.like(window.r_addr)
        m.d.sync += looked_at.eq(window.r_addr)
        word = looked_at[:WORD_ADDRESS_BITS]
        target = Mux(window.stb, window.addr >> WORD_ADDRESS_BITS, self._here)
        for number, put, values, decided in (
            (LOGLIK_WORD, self._put_loglik, self._logliks, decision.loglik),
            (PRIOR_WORD, self._put_prior, self._priors, decision.prior),
        ):
            loaded = window.stb & (window.addr[:WORD_ADDRESS_BITS] == number)
            value = Signal(signed(ACC_BITS), name=f"next_{number}")
            m.d.comb += value.eq(Mux(window.stb, window.data, decided))
            with m.If(word == number):
                m.d.comb += window.r_data.eq(values[self._here])
            with m.If(loaded | put):
                m.d.sync += values[target].eq(value)
