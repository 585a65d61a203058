"""AXI4-Lite: the rules of a subordinate, and every access end to end.

Groups of assertions beside those of ``access``: ``reset`` (no response after a reset), ``stable``
(a response stays, unchanged, until it is taken), ``code`` (OKAY or SLVERR), ``bound`` (a request is
answered in time), ``turn`` (a write and a read that wait together take turns). The manager keeps
its own offers; it may do anything else.
"""

from __future__ import annotations

from amaranth import Mux, Signal, Value

from .access import BridgeProof

OKAY, SLVERR = 0b00, 0b10
"""Table "RRESP and BRESP encoding" of the specification."""
PROGRESS = 8
"""Clocks without back-pressure within which some request is taken or answered."""


class Axi4LiteProof(BridgeProof):
    """The properties of ``Axi4LiteBridge``."""

    def rules(self) -> None:
        axi, checks = self.protocol, self.checks
        for name, *payload in (
            ("aw", axi.awaddr, axi.awprot),
            ("w", axi.wdata, axi.wstrb),
            ("ar", axi.araddr, axi.arprot),
        ):
            checks.assume(self.kept(name, *self._pair(name), *payload))
        for name, *payload in (("b", axi.bresp), ("r", axi.rresp, axi.rdata)):
            checks.always(f"stable.{name}", self.kept(name, *self._pair(name), *payload))
            valid, _ = self._pair(name)
            checks.implies(f"reset.{name}", self.past_reset, ~valid)
            response = getattr(axi, f"{name}resp")
            checks.implies(f"code.{name}", valid, (response == OKAY) | (response == SLVERR))
        self._accesses()
        self._bounds()
        if self.covers:
            self._covers()

    def _pair(self, channel: str) -> tuple[Value, Value]:
        return getattr(self.protocol, f"{channel}valid"), getattr(self.protocol, f"{channel}ready")

    def _passes(self, channel: str) -> Value:
        valid, ready = self._pair(channel)
        return valid & ready

    def _accesses(self) -> None:
        """A write is there when its address and its data have been taken, in any order."""
        m, axi, writes, reads = self.m, self.protocol, self.writes, self.reads
        there = []
        for name, fields in (
            ("aw", {"address": axi.awaddr}),
            ("w", {"data": axi.wdata, "strobes": axi.wstrb}),
        ):
            was = Signal(name=f"{name}_taken")
            now = was | self._passes(name)
            m.d.sync += was.eq(now & ~writes.ends)
            there.append(now)
            for field, wire in fields.items():
                kept = Signal.like(wire, name=f"{name}_{field}")
                m.d.comb += writes.request[field].eq(Mux(self._passes(name), wire, kept))
                m.d.sync += kept.eq(writes.request[field])
            self.checks.always(f"inv.{name}_taken", was == writes.open)
        m.d.comb += [
            writes.begin.eq(there[0] & there[1] & ~writes.open),
            writes.answer.eq(axi.bvalid),
            writes.ends.eq(self._passes("b")),
            writes.failed.eq(axi.bresp == SLVERR),
            reads.begin.eq(self._passes("ar")),
            reads.request.address.eq(axi.araddr),
            reads.answer.eq(axi.rvalid),
            reads.ends.eq(self._passes("r")),
            reads.failed.eq(axi.rresp == SLVERR),
            reads.word.eq(axi.rdata),
        ]
        # one access of each direction at a time, so that responses are in order
        for name in ("aw", "w"):
            self.checks.implies(f"answer.{name}_order", self._passes(name), ~writes.open)
        self.checks.implies("answer.ar_order", self._passes("ar"), ~reads.open)

    def _bounds(self) -> None:
        """Without back-pressure, a request or an answer passes every few clocks; while a write
        waits, at most one read is taken, and vice versa."""
        m, axi, checks = self.m, self.protocol, self.checks
        asks = {"write": axi.awvalid & axi.wvalid, "read": axi.arvalid}
        waits = asks["write"] | asks["read"] | self.writes.open | self.reads.open
        blocked = (axi.bvalid & ~axi.bready) | (axi.rvalid & ~axi.rready)
        passes = Value.cast(0)
        for name in ("aw", "ar", "b", "r"):
            passes = passes | self._passes(name)
        clocks = Signal(range(2 * PROGRESS))
        m.d.sync += clocks.eq(Mux(waits & ~blocked & ~passes, clocks + 1, 0))
        checks.always("bound.progress", clocks < PROGRESS)
        self.turns = {}
        for name, own, other in (("write", "aw", "ar"), ("read", "ar", "aw")):
            overtaken = self.turns[name] = Signal(2, name=f"{name}_overtaken")
            still = asks[name] & ~self._passes(own)
            with m.If(~still):
                m.d.sync += overtaken.eq(0)
            with m.Elif(self._passes(other)):
                m.d.sync += overtaken.eq(overtaken + ~overtaken.all())
            checks.always(f"turn.{name}", overtaken <= 1)

    def invariants(self) -> None:
        axi, checks, engine = self.protocol, self.checks, self.bridge.engine
        first, later = engine.stages[0], engine.stages[1:].any()
        write = engine.writing
        checks.always("inv.awready", axi.awready == (first & write))
        checks.always("inv.wready", axi.wready == (first & write))
        checks.always("inv.arready", axi.arready == (first & ~write))
        checks.implies("inv.aw", axi.awready, axi.awvalid & axi.wvalid)
        checks.implies("inv.ar", axi.arready, axi.arvalid)
        checks.always("inv.write", self.writes.open == (later & write | axi.bvalid))
        checks.always("inv.read", self.reads.open == (later & ~write | axi.rvalid))
        checks.implies("inv.b", axi.bvalid, ~engine.busy & ~axi.rvalid)
        checks.implies("inv.r", axi.rvalid, ~engine.busy)
        checks.implies("inv.write_turn", self.turns["write"].any(), ~write | axi.awready)
        checks.implies("inv.read_turn", self.turns["read"].any(), write | axi.arready)

    def _covers(self) -> None:
        axi, checks = self.protocol, self.checks
        for name, response in (("b", axi.bresp), ("r", axi.rresp)):
            valid, ready = self._pair(name)
            checks.cover(f"{name}.okay", valid & ready & (response == OKAY))
            checks.cover(f"{name}.error", valid & ready & (response == SLVERR))
            waits = Signal(3, name=f"{name}_blocked")
            self.m.d.sync += waits.eq(Mux(valid & ~ready, waits + 1, 0))
            checks.cover(f"{name}.blocked", waits == 3)
        checks.cover("turn.write", self.turns["write"] == 1)
        checks.cover("turn.read", self.turns["read"] == 1)
        checks.cover("aw.before_w", axi.awvalid & ~axi.wvalid)
