"""Accesses of one direction, from the request on a bus to its answer, as a bridge makes them.

Groups of assertions, each with the name of the direction: ``strobe`` (one strobe of the register
bus for a whole word that was requested, none for anything else), ``answer`` (only after a request;
the result is that of its strobe, or an error without a strobe). ``inv`` closes the induction.
"""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, ResetSignal, Signal, Value
from amaranth.hdl import Fragment
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from ohmcarlo_hdl.buses.access import BYTE_BITS, WORD_BITS, WORD_BYTES, AccessEngine
from ohmcarlo_hdl.lib.pipeline import delayed
from ohmcarlo_hdl.regs.bus import Bus

from ..checks import Checks

ADDR_WIDTH = 3
"""Address bits of the register bus in the proofs."""


class Request(data.StructLayout):
    """A request as the bus describes it."""

    def __init__(self, addr_width: int) -> None:
        super().__init__(
            {"address": addr_width + BYTE_BITS, "data": WORD_BITS, "strobes": WORD_BYTES}
        )


class Transactions:
    """Monitors the accesses of one direction.

    The caller drives the signals; one access is open at a time. ``begin``: a request, which
    ``request`` describes, is there; its strobe may come in this clock or later. ``answer``: the
    answer is there, with ``failed`` and, for a read, ``word``. ``ends``: the access is over after
    this clock, answered or abandoned.
    """

    def __init__(self, checks: Checks, name: str, bus: wiring.PureInterface, write: bool) -> None:
        m = checks.m
        layout = Request(len(bus.addr))
        self.request = Signal(layout, name=f"{name}_request")
        self.begin, self.answer, self.ends, self.failed, self.open = (
            Signal(name=f"{name}_{part}") for part in ("begin", "answer", "ends", "failed", "open")
        )
        self.word = Signal(WORD_BITS, name=f"{name}_word")
        strobe = bus.w_stb if write else bus.r_stb
        self.held, now = Signal(layout, name=f"{name}_held"), Signal(layout, name=f"{name}_now")
        self.strobed = Signal(name=f"{name}_strobed")
        m.d.comb += now.eq(Mux(self.begin, self.request, self.held))
        m.d.sync += [
            self.held.eq(now),
            self.open.eq((self.begin | self.open) & ~self.ends),
            self.strobed.eq((strobe | self.strobed) & ~self.ends),
        ]
        due = delayed(m, strobe, Bus.LATENCY, f"{name}_due", reset=True)
        error, word = Signal(name=f"{name}_error"), Signal(WORD_BITS, name=f"{name}_read")
        with m.If(due):
            m.d.sync += [error.eq(bus.error), word.eq(bus.r_data)]

        aligned = ~now.address[:BYTE_BITS].any()
        whole = aligned & now.strobes.all() if write else aligned
        checks.implies(f"strobe.{name}_requested", strobe, self.begin | self.open)
        checks.implies(f"strobe.{name}_once", strobe, ~self.strobed)
        checks.implies(f"strobe.{name}_whole", strobe, whole)
        checks.implies(f"strobe.{name}_address", strobe, bus.addr == now.address[BYTE_BITS:])
        if write:
            checks.implies(f"strobe.{name}_data", strobe, bus.w_data == now.data)
        checks.implies(f"answer.{name}_requested", self.answer, self.open)
        checks.implies(f"answer.{name}_done", self.answer, self.strobed == whole)
        made = self.answer & self.strobed
        checks.implies(f"answer.{name}_error", made, self.failed == error)
        if not write:
            checks.implies(f"answer.{name}_word", made, self.word == word)
        nothing = now.strobes == 0 if write else Value.cast(0)
        refused = self.answer & ~self.strobed
        checks.implies(f"answer.{name}_refused", refused, self.failed == ~nothing.bool())
        checks.implies(f"inv.{name}_closed", self.strobed, self.open)


class BridgeProof(wiring.Component):
    """A bridge with free inputs: the signals of its bus, the answers of the register bus, reset.

    ``keep``: the only assertions to check, by name or by group (None: all, and the invariants).
    """

    def __init__(self, bridge: Any, keep: Any = None, covers: bool = False) -> None:
        self.bridge, self.keep, self.covers = bridge, keep, covers
        (self.port,) = (name for name in bridge.signature.members if name != "bus")
        ports: dict[str, Any] = {self.port: bridge.signature.members[self.port]}
        super().__init__(ports | {"r_data": In(WORD_BITS), "error": In(1)})

    def elaborate(self, platform: Any) -> Module:
        self.m = m = Module()
        m.submodules.bridge = Fragment.get(self.bridge, platform)  # now: its registers are needed
        self.protocol = getattr(self, self.port)
        wiring.connect(m, wiring.flipped(self.protocol), getattr(self.bridge, self.port))
        bus = self.bridge.bus
        m.d.comb += [bus.r_data.eq(self.r_data), bus.error.eq(self.error)]
        self.checks = checks = Checks(m, self.keep)
        answered = delayed(m, bus.w_stb | bus.r_stb, Bus.LATENCY, "answered", reset=True)
        checks.assume(~self.error | answered)  # as Bus documents it
        self.past_reset = Signal(init=1, reset_less=True)
        m.d.sync += self.past_reset.eq(ResetSignal())
        self.writes = Transactions(checks, "write", bus, write=True)
        self.reads = Transactions(checks, "read", bus, write=False)
        self.rules()
        engine: AccessEngine = self.bridge.engine
        if self.keep is None:
            stages = engine.stages
            checks.always("inv.one", (stages & (stages - 1)[: len(stages)]) == 0)
            checks.always("inv.busy", engine.busy == stages.any())
            self.invariants()
        return m

    def rules(self) -> None:
        """Assumptions and properties of the bus; drives ``writes`` and ``reads``."""
        raise NotImplementedError

    def invariants(self) -> None:
        """Relate the state of the bridge to that of the monitors."""

    def kept(self, name: str, offered: Value, taken: Value, *payload: Value) -> Value:
        """Whether an offer of the clock before is still there: valid, with the same payload."""
        waits = Signal(name=f"{name}_waits")
        was = Signal(len(Cat(*payload)), name=f"{name}_was")
        self.m.d.sync += [waits.eq(offered & ~taken), was.eq(Cat(*payload))]
        return ~waits | (offered & (was == Cat(*payload)))
