"""The sequencer under every command stream, array, setting, ``clear``, ``off`` and reset.

Groups of assertions beside those of ``interlocks``: ``address`` (the lines carry the request),
``off`` (causes and duration of the off state), ``stream`` (offers are kept), ``watchdog`` (no wait
is longer), and ``inv``: invariants that relate the state of the sequencer to the counters of the
properties, and close the induction. Limits of pulses are small by default, because a counterexample
has to be longer than the limit that it violates.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from amaranth import Cat, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import data, wiring

from ohmcarlo.spec import Geometry
from ohmcarlo.spec.link import FaultCause
from ohmcarlo_hdl.array.interface import Op
from ohmcarlo_hdl.array.sequencer import (
    PULSES,
    WATCHDOG_BITS,
    Phase,
    Sequencer,
)
from ohmcarlo_hdl.config import CoreConfig

from .checks import Checks
from .interlocks import TIMING, Interlocks

CONFIG = CoreConfig(
    Geometry(rows=16, pairs=4, entropy_pairs=1, access_bits=1),
    max_points=16,
    max_group_rows=1,
    max_regions=1,
)
SMALL: dict[str, Any] = {
    "max_width": {"form": 5, "reset": 4, "set": 3, "read": 2, "dot": 2},
    "max_outstanding": 3,
}


class SequencerProof(wiring.Component):
    """A sequencer with free inputs, and its properties.

    ``keep``: the only assertions to check, by name or by group (None: all, and the invariants).
    ``covers``: add the cover points. ``array``: the block behind the sequencer is included, and it
    is proved that it keeps its offers; otherwise this is assumed.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        keep: Container[str] | None = None,
        covers: bool = False,
        array: bool = False,
    ) -> None:
        self.sequencer, self.keep, self.covers, self.array = sequencer, keep, covers, array
        super().__init__(sequencer.signature)

    def elaborate(self, platform: Any) -> Module:
        self.m = m = Module()
        m.submodules.sequencer = self.sequencer
        wiring.connect(m, wiring.flipped(self), self.sequencer)
        self.checks = Checks(m, self.keep)
        self.past_reset = Signal(init=1, reset_less=True)
        self.taken = Signal()
        m.d.comb += self.taken.eq(self.requests.valid & self.requests.ready)
        m.d.sync += self.past_reset.eq(ResetSignal())

        self._operation()
        self.locks = Interlocks(
            self.checks,
            enables={name: self.lines[name] for name in PULSES},
            address=Cat(self.lines.row, self.lines.device, self.lines.dac),
            begin=self.begin,
            timing=self.now.timing,
            limits=self.sequencer.max_width,
            quiet=self.fault | self.past_reset,
            gapped=self.sequencer.min_guard > 0,
        )
        self._address()
        self._streams()
        self._watchdog()
        self._off()
        if self.keep is None:
            self._invariants()
        if self.covers:
            self._covers()
        return m

    def _operation(self) -> None:
        """The operation of each transfer to the array, with the settings of the same clock."""
        m, request = self.m, self.requests.p
        operation = data.StructLayout(
            {
                "kind": len(PULSES),
                "timing": TIMING,
                "row": self.lines.row.shape(),
                "device": self.lines.device.shape(),
                "dac": self.lines.dac.shape(),
            }
        )
        asked, staged = Signal(operation), Signal(operation)
        self.now, self.before = Signal(operation), Signal(operation)
        started, self.begin = Signal(), Signal()
        for index, (name, op) in enumerate(PULSES.items()):
            setting, limit = self.settings[name], self.sequencer.max_width[name]
            guard = self.sequencer.min_guard
            with m.If(request.op == op.value):
                m.d.comb += [
                    asked.kind.eq(1 << index),
                    asked.timing.width.eq(setting.width),
                    asked.timing.guard_before.eq(setting.guard_before),
                    asked.timing.guard_after.eq(setting.guard_after),
                    asked.row.eq(request.row),
                ]
                with m.If(setting.width == 0):
                    m.d.comb += asked.timing.width.eq(1)
                with m.If(setting.width > limit):
                    m.d.comb += asked.timing.width.eq(limit)
                for field in ("guard_before", "guard_after"):
                    with m.If(setting[field] < guard):
                        m.d.comb += asked.timing[field].eq(guard)
                if op in (Op.FORM, Op.SET, Op.READ):
                    m.d.comb += asked.device.eq(request.device)
                if op in (Op.FORM, Op.SET):
                    m.d.comb += asked.dac.eq(request.dac)
        m.d.sync += [
            staged.eq(asked),
            started.eq(self.taken & asked.kind.any()),
            self.before.eq(self.now),
        ]
        m.d.comb += [
            self.begin.eq(started & ~self.fault),
            self.now.eq(Mux(self.begin, staged, self.before)),
        ]
        for name, at in (("staged", staged), ("latched", self.before)):
            within = Signal(name=f"within_{name}")
            m.d.comb += within.eq(at.timing.width != 0)
            for index, line in enumerate(PULSES):
                with m.If(at.kind[index] & (at.timing.width > self.sequencer.max_width[line])):
                    m.d.comb += within.eq(0)
            for field in ("guard_before", "guard_after"):
                with m.If(at.timing[field] < self.sequencer.min_guard):
                    m.d.comb += within.eq(0)
            kind = at.kind
            self.checks.implies(f"inv.{name}_limits", kind.any(), within)
            self.checks.always(f"inv.{name}_kind", (kind & (kind - 1)[: len(kind)]) == 0)
        self.checks.implies("inv.started", started, staged.kind.any())

    def _address(self) -> None:
        checks, lines = self.checks, self.lines
        enables = Cat(lines[name] for name in PULSES)
        checks.implies("address.enable", enables.any(), enables == self.now.kind)
        for name in ("row", "device", "dac"):
            checks.always(f"address.{name}", lines[name] == self.now[name])

    def _streams(self) -> None:
        m, checks = self.m, self.checks

        def kept(stream: Any) -> Value:
            """An offer that was not taken in the clock before is unchanged."""
            stalled, payload = Signal(), Signal.like(Value.cast(stream.payload))
            m.d.sync += [
                stalled.eq(stream.valid & ~stream.ready),
                payload.eq(Value.cast(stream.payload)),
            ]
            return ~stalled | (stream.valid & (Value.cast(stream.payload) == payload))

        checks.assume(kept(self.commands))
        if self.array:
            checks.always("stream.responses", kept(self.responses))
        else:
            checks.assume(kept(self.responses))
        checks.always("stream.requests", kept(self.requests))
        checks.always("stream.results", kept(self.results))

        command = Signal.like(Value.cast(self.commands.payload))
        known = Signal()
        self.accepted = Signal()
        op = self.commands.p.op
        m.d.comb += self.accepted.eq(self.commands.valid & self.commands.ready)
        with m.If(self.accepted):
            m.d.sync += [
                command.eq(Value.cast(self.commands.payload)),
                known.eq((op != 0) & (op != 7)),
            ]
        request = Value.cast(self.requests.payload)
        checks.implies("stream.command", self.requests.valid, (request == command) & known)
        checks.implies("inv.command", self.sequencer.pending, (request == command) & known)

    def _watchdog(self) -> None:
        m, checks, watchdog = self.m, self.checks, self.settings.watchdog
        limit = Signal(WATCHDOG_BITS)
        owed = Signal(len(self.outstanding) + 1)  # so that it does not wrap where the port would
        waits = {}
        m.d.sync += limit.eq(watchdog)
        for name, waiting, clocks in (
            ("request", self.requests.valid & ~self.requests.ready, self.sequencer.request_clocks),
            ("response", (owed != 0) & ~self.responses.valid, self.sequencer.response_clocks),
        ):
            # Clocks of the present wait, up to the clock before.
            waited = Signal(WATCHDOG_BITS, name=f"{name}_waited")
            more = Signal(WATCHDOG_BITS, name=f"{name}_waits")
            waits[name] = more
            m.d.comb += more.eq(Mux(waiting, Mux(waited.all(), waited, waited + 1), 0))
            m.d.sync += waited.eq(more)
            late = (limit != 0) & (waited >= limit) & ~self.past_reset
            checks.implies(f"watchdog.{name}", late, self.fault & ~self.locks.on)
            checks.always(f"inv.{name}_clocks", clocks == Mux(waited.all(), waited, waited + 1))

        request = self.requests.p.op
        asks = self.taken & ((request == Op.READ.value) | (request == Op.DOT.value))
        given = self.results.valid & self.results.ready
        with m.If((watchdog != 0) & (waits["response"] >= watchdog)):
            m.d.sync += owed.eq(0)
        with m.Else():
            m.d.sync += owed.eq(owed + asks - given)
        checks.always("watchdog.owed", self.outstanding == owed)
        checks.always("watchdog.bound", owed <= self.sequencer.max_outstanding)
        checks.implies("watchdog.unasked", self.results.valid, owed != 0)
        self.spurious = self.responses.valid & (owed == 0)

    def _off(self) -> None:
        m, checks = self.m, self.checks
        op = self.commands.p.op
        dark = ~self.locks.on
        none = FaultCause.NONE.value
        for name, event in (
            ("off", self.off),
            ("unknown", self.accepted & ((op == 0) | (op == 7))),
            ("spurious", self.spurious),
            ("latched", self.fault & ~(self.clear & self.idle)),
        ):
            past = Signal(name=f"past_{name}")
            m.d.sync += past.eq(event)
            checks.implies(f"off.{name}", past, self.fault & dark)
        checks.implies("off.reset", self.past_reset, dark & ~self.requests.valid & ~self.fault)
        checks.implies("off.fault", self.fault, dark & ~self.commands.ready)
        checks.always("off.cause", self.fault == (self.fault_cause != none))
        checks.implies("off.idle", self.idle, dark & ~self.requests.valid & ~self._owes())

    def _owes(self) -> Value:
        return self.outstanding != 0

    def _invariants(self) -> None:
        """The state of the sequencer in terms of the interlocks' counters."""
        checks, sequencer, locks = self.checks, self.sequencer, self.locks
        now, phase = self.now, sequencer.phase
        left, on, timing = sequencer.left, locks.on, now.timing
        guard_known = sequencer.guard_after == timing.guard_after
        checks.always("inv.owed", sequencer.owed == self._owes())
        op = sequencer.requests.p.op
        checks.implies(
            "inv.owes", sequencer.pending, sequencer.owes == ((op == Op.READ) | (op == Op.DOT))
        )
        checks.always("inv.unguarded", sequencer.unguarded == (sequencer.guard_after == 0))
        checks.always(
            "inv.full", sequencer.full == (sequencer.outstanding == sequencer.max_outstanding)
        )
        checks.always("inv.last", sequencer.last == (left == 1))
        alive = ~locks.dead & now.kind.any() & ~self.fault & ~self.past_reset
        pulse_known = sequencer.width == timing.width
        checks.always("inv.on", on == (phase == Phase.PULSE))
        checks.implies("inv.left", phase != Phase.IDLE, (left != 0) & guard_known)
        checks.implies(
            "inv.before",
            phase == Phase.BEFORE,
            alive
            & pulse_known
            & (sequencer.kind == now.kind)
            & (left + locks.since == timing.guard_before)
            & (locks.high == 0),
        )
        checks.implies(
            "inv.pulse", phase == Phase.PULSE, alive & (left + locks.high == timing.width + 1)
        )
        rested = (locks.high == 0) | (left + locks.low == timing.guard_after)
        checks.implies("inv.after", phase == Phase.AFTER, rested & (left <= timing.guard_after))
        checks.implies(
            "inv.idle",
            phase == Phase.IDLE,
            (locks.high == 0) | (locks.low >= timing.guard_after),
        )
        over = (phase == Phase.IDLE) | (phase == Phase.AFTER)
        checks.implies("inv.over", over, locks.dead | locks.quiet | (locks.high == timing.width))
        checks.implies("inv.since", on, locks.since >= timing.guard_before)
        checks.implies("inv.rose", on, locks.since == timing.guard_before + locks.high - 1)
        checks.implies("inv.fault", self.fault, over & (~sequencer.pending | self.requests.valid))

    def _covers(self) -> None:
        m, checks, locks, now = self.m, self.checks, self.locks, self.now
        kinds = {name: now.kind[i] for i, name in enumerate(PULSES)}
        timing = now.timing
        checks.cover(
            "cover.guarded_set",
            kinds["set"]
            & ~locks.dead
            & (locks.high == 3)
            & (timing.width == 3)
            & (timing.guard_before == 2)
            & (timing.guard_after == 2)
            & (locks.low == 2)
            & self.idle,
        )
        run = [self.begin & locks.on]
        set_read = [run[0] & kinds["set"], run[0] & kinds["read"]]
        dots, alternating = run[0] & kinds["dot"], set_read[1]
        for clock in range(3):
            older_dots, older = Signal(name=f"dots_{clock}"), Signal(name=f"alternating_{clock}")
            m.d.sync += [older_dots.eq(dots), older.eq(alternating)]
            dots, alternating = run[0] & kinds["dot"] & older_dots, set_read[clock % 2] & older
        checks.cover("cover.dot_dot_dot_dot", dots)
        checks.cover("cover.read_set_read_set", alternating)

        cut, cleared, failed = Signal(), Signal(), Signal()
        on_before = Signal()
        m.d.sync += [on_before.eq(locks.on), failed.eq(self.fault)]
        with m.If(self.fault & ~failed & on_before & (locks.high < timing.width)):
            m.d.sync += cut.eq(1)
        with m.If(cut & failed & ~self.fault & ~self.past_reset):
            m.d.sync += cleared.eq(1)
        checks.cover("cover.cut_cleared_and_on_again", cleared & locks.on)
        checks.cover("cover.taken_in_fault", self.fault & self.taken & (self.requests.p.op != 6))
        for cause in FaultCause:
            if cause not in (FaultCause.NONE, FaultCause.WRONG_POINTS):
                checks.cover(f"cover.{cause.name.lower()}", self.fault_cause == cause.value)
