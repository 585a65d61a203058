"""Wishbone B4: the rules of a slave, and every access end to end.

Groups of assertions beside those of ``access``: ``reset`` (no answer after a reset), ``cycle``
(``ack`` and ``err`` only for a request of a cycle, one of them for each request, together with the
end of ``stall``), ``bound`` (a request that stays is answered in time). The master may withdraw a
request at any time, with or without the end of its cycle; it does not change one that it keeps. A
classic master keeps its request until ``ack`` or ``err``, a pipelined one until ``stall`` is low:
both end in the same clock here.
"""

from __future__ import annotations

from amaranth import Mux, Signal

from .access import BridgeProof

LONGEST = 13
"""Clocks of the longest wait: another access, withdrawn at once, and its own."""


class WishboneProof(BridgeProof):
    """The properties of ``WishboneBridge``."""

    def rules(self) -> None:
        m, wb, checks = self.m, self.protocol, self.checks
        selected, answered = wb.cyc & wb.stb, wb.ack | wb.err
        wires = wb.adr, wb.we, wb.dat_w, wb.sel
        checks.assume(~selected | self.kept("request", selected, answered, *wires))

        checks.implies("reset.answers", self.past_reset, ~answered)
        checks.implies("cycle.within", answered, selected)
        checks.always("cycle.one", ~(wb.ack & wb.err))
        checks.implies("cycle.stall", selected, wb.stall == ~answered)
        clocks = Signal(range(2 * LONGEST + 2))
        m.d.sync += clocks.eq(Mux(selected & ~answered, clocks + 1, 0))
        checks.always("bound.answer", clocks < LONGEST)
        self.clocks = clocks
        self._accesses()
        if self.covers:
            self._covers()

    def _accesses(self) -> None:
        """The monitors see the bus one clock late, because the strobe of a request that is
        withdrawn after one clock comes in the next one."""
        m, wb = self.m, self.protocol
        selected, answered, failed, write = (
            Signal(name=f"past_{name}") for name in ("selected", "answered", "failed", "write")
        )
        m.d.sync += [
            selected.eq(wb.cyc & wb.stb),
            answered.eq(wb.ack | wb.err),
            failed.eq(wb.err),
            write.eq(wb.we),
        ]
        self.selected, self.write = selected, write
        for monitor, chosen in ((self.writes, write), (self.reads, ~write)):
            m.d.comb += [
                monitor.begin.eq(selected & chosen & ~monitor.open),
                monitor.answer.eq(answered & chosen),
                monitor.ends.eq(answered | ~selected),
                monitor.failed.eq(failed),
            ]
            m.d.sync += [
                monitor.request.address.eq(wb.adr << 2),
                monitor.request.data.eq(wb.dat_w),
                monitor.request.strobes.eq(wb.sel),
                monitor.word.eq(wb.dat_r),
            ]

    def invariants(self) -> None:
        """A wait ends at the latest with the access under way, its own or a withdrawn one, and then
        with its own."""
        checks, engine, wb = self.checks, self.bridge.engine, self.protocol
        selected, own = wb.cyc & wb.stb, Signal()
        self.m.d.sync += own.eq(selected & (own | engine.taken))
        checks.always("inv.kept", own == engine.kept)
        last = len(engine.stages) - 1
        latest = Signal.like(self.clocks, init=last)
        for age in range(last + 1):
            with self.m.If(engine.stages[age]):
                self.m.d.comb += latest.eq(Mux(own, last + 1 + age, max(age - 1, 0)))
        with self.m.If(~wb.stall):
            self.m.d.comb += latest.eq(LONGEST - 1)
        checks.implies("inv.waits", self.clocks != 0, self.clocks <= latest)
        under_way = own & (engine.stages[1:].any() | ~wb.stall)
        for name, monitor, chosen in (
            ("write", self.writes, self.write),
            ("read", self.reads, ~self.write),
        ):
            checks.implies(f"inv.{name}_strobed", monitor.strobed, monitor.ends | under_way)
            same = (monitor.held == monitor.request) & chosen
            checks.implies(f"inv.{name}_held", monitor.open & self.selected, same)
        checks.implies("inv.direction", self.writes.open, ~self.reads.open)

    def _covers(self) -> None:
        wb, checks = self.protocol, self.checks
        for name, chosen in (("write", wb.we), ("read", ~wb.we)):
            checks.cover(f"{name}.okay", wb.ack & chosen)
            checks.cover(f"{name}.error", wb.err & chosen)
        checks.cover("write.nothing", wb.ack & wb.we & (wb.sel == 0))
        checks.cover("bound.longest", self.clocks == LONGEST - 1)
        was = Signal()
        self.m.d.sync += was.eq(wb.ack)
        checks.cover("stb.at_once", was & wb.cyc & wb.stb)
        withdrawn = Signal()
        self.m.d.sync += withdrawn.eq(self.bridge.engine.stages[-1] & ~wb.cyc)
        checks.cover("cyc.ends_early", withdrawn & wb.cyc & wb.stb)
