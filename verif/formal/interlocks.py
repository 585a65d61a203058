"""The interlocks of docs/design.md#sequencer-and-interlocks as assertions about wires.

They apply to any block that drives an array. Groups of assertions: ``one`` (never two enables),
``length`` (no pulse too long), ``stable`` (the address around a pulse), ``quiet`` (all enables are
low when everything has to be off, and stay low).
"""

from __future__ import annotations

from collections.abc import Mapping

from amaranth import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.hdl import ValueLike
from amaranth.lib import data

from .checks import Checks

CLOCKS = 18
"""Bits of a counter of clocks: more than any pulse."""
GUARD_CLOCKS = 9

TIMING = data.StructLayout(
    {"width": unsigned(16), "guard_before": unsigned(8), "guard_after": unsigned(8)}
)
"""Timing of an operation as latched at its start, within the limits."""


class Interlocks:
    """Monitors the enables and the address that they act on.

    An *operation* begins with its address: ``begin`` is high in the first clock in which the
    address is on the wires. All counters depend on the wires, ``begin`` and ``quiet`` only.

    Parameters
    ----------
    checks : Checks
    enables : mapping
        Name to wire.
    address : Value
        Signals that must be stable around a pulse (row, device, DAC code; chip selects, ...).
    begin : Value
    timing : View of TIMING
        Of the operation that began last, from its ``begin`` on.
    limits : mapping
        Name of an enable to its longest pulse in clocks.
    quiet : Value
        Everything has to be off in this clock.
    gapped : bool
        Every pulse has a guard time: an enable falls between any two operations, so ``limits``
        holds for the wire alone too, whatever the operations are.
    """

    def __init__(
        self,
        checks: Checks,
        enables: Mapping[str, Value],
        address: ValueLike,
        begin: Value,
        timing: data.View[data.StructLayout],
        limits: Mapping[str, int],
        quiet: Value,
        gapped: bool = False,
    ) -> None:
        self.begin, self.timing, self.quiet = begin, timing, quiet
        m = checks.m
        self.on = Signal()
        m.d.comb += self.on.eq(Cat(*enables.values()).any())
        self._count(m)
        past = Signal(TIMING)
        old_address = Signal.like(Value.cast(address))
        m.d.sync += [past.eq(timing), old_address.eq(address)]

        self._one(checks, enables)
        for name, wire in enables.items():
            checks.implies(f"length.{name}", wire, self.high <= limits[name])
        checks.implies("length.latched", self.on, self.high <= timing.width)
        if gapped:
            self._wires(checks, enables, limits)

        begins_after_pulse = begin & (self.high_before != 0)
        checks.implies("stable.address", old_address != Value.cast(address), begin)
        checks.implies("stable.before", self.on, self.since >= timing.guard_before)
        checks.implies("stable.after", begins_after_pulse, self.low >= past.guard_after)
        checks.implies(
            "stable.complete", begin, self.dead_before | (self.high_before == past.width)
        )
        checks.implies("stable.rise", self.on & (self.high == 1), self.since == timing.guard_before)

        checks.implies("quiet.enables", quiet, ~self.on)
        checks.implies("quiet.revived", self.on, ~self.dead)

    def _count(self, m: Module) -> None:
        """``high``: clocks with an enable in this operation, this one included; ``since``: clocks
        since its begin; ``low``: clocks without an enable just before this one; ``dead``: the
        operation was cut off, or no operation was begun."""
        self.high_before, self.high = Signal(CLOCKS), Signal(CLOCKS)
        self.since_before, self.since = Signal(CLOCKS), Signal(CLOCKS)
        self.low = Signal(GUARD_CLOCKS)
        self.dead_before, self.dead = Signal(init=1), Signal()
        m.d.comb += [
            self.high.eq(Mux(self.begin, 0, self.high_before) + self.on),
            self.since.eq(Mux(self.begin, 0, self.since_before)),
            self.dead.eq(~self.begin & self.dead_before),
        ]
        m.d.sync += [
            self.high_before.eq(self.high),
            self.since_before.eq(Mux(self.since.all(), self.since, self.since + 1)),
            self.low.eq(Mux(self.on, 0, Mux(self.low.all(), self.low, self.low + 1))),
            self.dead_before.eq(self.dead | self.quiet),
        ]

    @staticmethod
    def _one(checks: Checks, enables: Mapping[str, Value]) -> None:
        names = list(enables)
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                checks.always(f"one.{first}_{second}", ~(enables[first] & enables[second]))

    def _wires(
        self, checks: Checks, enables: Mapping[str, Value], limits: Mapping[str, int]
    ) -> None:
        for name, wire in enables.items():
            run = Signal(CLOCKS, name=f"run_{name}")
            checks.m.d.sync += run.eq(Mux(wire, run + 1, 0))
            checks.implies(f"length.wire_{name}", wire, run < limits[name])
            checks.implies(f"inv.run_{name}", wire, run + 1 == self.high)
