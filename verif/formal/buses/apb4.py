"""APB4: the rules of a completer, and every transfer end to end.

Groups of assertions beside those of ``access``: ``reset`` (no answer after a reset), ``phase``
(``pready`` ends an access phase), ``error`` (``pslverr`` only at the end of a transfer), ``bound``
(a transfer ends in time). The requester keeps to the phases of the specification: setup, then
access until ``pready``, all signals stable; no byte strobes in a read.
"""

from __future__ import annotations

from amaranth import Mux, Signal

from .access import BridgeProof

LONGEST = 7
"""Clocks of the longest access phase."""


class Apb4Proof(BridgeProof):
    """The properties of ``Apb4Bridge``."""

    def rules(self) -> None:
        m, apb, checks = self.m, self.protocol, self.checks
        access = Signal()  # this clock is in an access phase; else it is idle or a setup phase
        self.setup, ends = apb.psel & ~apb.penable, apb.psel & apb.penable & apb.pready
        m.d.sync += access.eq(apb.psel & ~ends)
        checks.assume(apb.penable == access)
        wires = apb.paddr, apb.pprot, apb.pwrite, apb.pwdata, apb.pstrb
        checks.assume(self.kept("transfer", apb.psel, ends, *wires))
        checks.assume(apb.pwrite | (apb.pstrb == 0))

        checks.implies("reset.pready", self.past_reset, ~apb.pready & ~apb.pslverr)
        checks.implies("phase.pready", apb.pready, apb.psel & apb.penable)
        checks.implies("error.end", apb.pslverr, ends)
        clocks = Signal(range(2 * LONGEST + 2))
        m.d.sync += clocks.eq(Mux(access & ~ends, clocks + 1, 0))
        checks.always("bound.access", clocks < LONGEST)

        for monitor, chosen in ((self.writes, apb.pwrite), (self.reads, ~apb.pwrite)):
            m.d.comb += [
                monitor.request.address.eq(apb.paddr),
                monitor.request.data.eq(apb.pwdata),
                monitor.request.strobes.eq(apb.pstrb),
                monitor.begin.eq(self.setup & chosen),
                monitor.answer.eq(ends & chosen),
                monitor.ends.eq(ends & chosen),
                monitor.failed.eq(apb.pslverr),
                monitor.word.eq(apb.prdata),
            ]
        self.access = access
        if self.covers:
            self._covers(ends)

    def invariants(self) -> None:
        apb, checks = self.protocol, self.checks
        checks.always("inv.write", self.writes.open == (self.access & apb.pwrite))
        checks.always("inv.read", self.reads.open == (self.access & ~apb.pwrite))
        checks.always("inv.access", self.access == (self.bridge.engine.busy | apb.pready))

    def _covers(self, ends: Signal) -> None:
        apb, checks = self.protocol, self.checks
        for name, chosen in (("write", apb.pwrite), ("read", ~apb.pwrite)):
            checks.cover(f"{name}.okay", ends & chosen & ~apb.pslverr)
            checks.cover(f"{name}.error", ends & chosen & apb.pslverr)
        ended = Signal()
        self.m.d.sync += ended.eq(ends)
        checks.cover("setup.at_once", ended & self.setup)
        checks.cover("write.nothing", ends & apb.pwrite & (apb.pstrb == 0) & ~apb.pslverr)
