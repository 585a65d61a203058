"""A Phy behind its sequencer: the interlocks on the pins, for every command, array and setting.

``sequencer.SequencerProof`` is part of the proof; its assertions and invariants strengthen the
induction. Groups of assertions here: ``one`` (never two pulses on the pins), ``length`` (none too
long), ``stable`` (rails and lines move neither during a pulse nor within its guards, and have
settled before it), ``quiet`` (all off after reset, fault and off, the array held off), ``sample``
(the ADC samples in read pulses only), ``stream`` (an answer stays until it is taken), ``sent``
(nothing that a pulse uses is older than the last ``hold``; ``sent.py``), and ``inv``.
"""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, ResetSignal, Signal, Value
from amaranth.hdl import Fragment

from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.array.phy.parts import MIN_GUARD, PhyTiming
from ohmcarlo_hdl.array.phy.phy import Phy
from ohmcarlo_hdl.array.phy.pins import PULSE_PINS
from ohmcarlo_hdl.array.phy.shift import Stage
from ohmcarlo_hdl.array.sequencer import PULSES, Phase, Sequencer
from ohmcarlo_hdl.config import CoreConfig

from ..daughterboard.driven import DrivenPhy
from .checks import Checks
from .interlocks import CLOCKS, GUARD_CLOCKS
from .sent import check_sent
from .sequencer import SequencerProof

CONFIG = CoreConfig(
    Geometry(rows=16, pairs=4, entropy_pairs=1, access_bits=1),
    max_points=16,
    max_group_rows=1,
    max_regions=1,
)
CLOCK_HZ = 1_000_000
TIMING = PhyTiming(
    power_up_ns=1, reference_ns=1, dac_settle_ns=4000, line_settle_ns=3000, front_end_ns=2000
)
"""At a clock of 1 MHz: four, three and two clocks; every half period of a serial clock is one."""
LIMITS = {"form": 5, "reset": 4, "set": 3, "read": 4, "dot": 4}
SINCE = 10
"""Bits of a counter of clocks since something moved: more than settling and guard."""


def small_sequencer() -> Sequencer:
    return Sequencer(CONFIG, min_guard=MIN_GUARD, max_width=LIMITS, max_outstanding=3)


class PhyProof(DrivenPhy):
    """A driven Phy with free inputs, and the properties of its pins."""

    def __init__(self, phy: Phy, sequencer: Sequencer) -> None:
        super().__init__(phy, SequencerProof(sequencer, array=True))

    def inner(self, platform: Any) -> Any:
        return Fragment.get(self.sequencer, platform)  # now, because its counters are needed

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        self.checks = checks = Checks(m)
        self.locks = self.sequencer.locks
        self.enables = {name: getattr(self.pins, pin) for name, pin in PULSE_PINS.items()}
        self.on = Signal()
        m.d.comb += self.on.eq(Cat(*self.enables.values()).any())
        keepers = {
            "address": self.phy.address,
            "inputs": self.phy.inputs,
            "rails": self.phy.rails,
        }
        self.since = {name: Signal(SINCE, name=f"since_{name}") for name in keepers}
        self.low = Signal(GUARD_CLOCKS)  # clocks without a pulse on the pins before this one
        m.d.sync += self.low.eq(Mux(self.on, 0, Mux(self.low.all(), self.low, self.low + 1)))
        for name, keeper in keepers.items():
            since = self.since[name]
            m.d.sync += since.eq(Mux(keeper.shifter.busy, 0, Mux(since.all(), since, since + 1)))
        self._pulses(m, checks)
        self._quiet(m, checks)
        self._stable(m, checks, keepers)
        self._sample(m, checks)
        check_sent(m, checks, self)
        return m

    def _pulses(self, m: Module, checks: Checks) -> None:
        names = list(self.enables)
        limits = self.sequencer.sequencer.max_width
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                checks.always(
                    f"one.pin_{first}_{second}", ~(self.enables[first] & self.enables[second])
                )
        for name, wire in self.enables.items():
            run = Signal(CLOCKS, name=f"run_pin_{name}")
            m.d.sync += run.eq(Mux(wire, run + 1, 0))
            checks.implies(f"length.pin_{name}", wire, run < limits[name])
            checks.implies(f"inv.run_pin_{name}", wire, run + 1 == self.locks.high_before)
            kind = self.sequencer.now.kind[list(PULSES).index(name)]
            checks.implies(f"inv.pin_kind_{name}", wire, kind)

    def _quiet(self, m: Module, checks: Checks) -> None:
        past_reset = Signal(init=1, reset_less=True)
        past_hold = Signal()
        m.d.sync += [past_reset.eq(ResetSignal()), past_hold.eq(self.off | self.fault)]
        checks.implies("quiet.reset", past_reset, ~self.on & self.pins.hold_off)
        checks.implies("quiet.hold", past_hold, ~self.on & self.pins.hold_off)
        checks.implies("quiet.held", self.pins.hold_off, ~self.on)
        checks.implies("quiet.up", ~self.phy.rails.up, self.pins.hold_off)

    def _stable(self, m: Module, checks: Checks, keepers: dict[str, Any]) -> None:
        timing, locks = self.sequencer.now.timing, self.locks
        phase = self.sequencer.sequencer.phase
        is_dot = self.sequencer.now.kind[list(PULSES).index("dot")]
        pulsed = locks.high != 0  # the last operation had a pulse
        needed = {"address": Value.cast(1), "rails": Value.cast(1), "inputs": is_dot}
        for name, keeper in keepers.items():
            shifter, since, settle = keeper.shifter, self.since[name], keeper.settle
            past_frame, past_close = Signal(name=f"frame_{name}"), Signal(name=f"close_{name}")
            m.d.sync += [past_frame.eq(shifter.frame), past_close.eq(shifter.close)]
            # outputs of a chain move when its latch rises, a rail with the end of its frame
            moves = past_frame & ~shifter.frame if name == "rails" else shifter.close & ~past_close
            checks.implies(f"stable.during_{name}", shifter.busy, ~self.on)
            checks.implies(f"stable.after_{name}", moves & pulsed, self.low >= timing.guard_after)
            settled = since >= settle + timing.guard_before
            checks.implies(f"stable.before_{name}", self.on & needed[name], settled)
            done = shifter.bits - shifter.bits_left
            waited = self.low + 1 >= timing.guard_after + done
            checks.implies(f"inv.idle_{name}", shifter.busy, phase == Phase.IDLE)
            checks.implies(f"inv.low_{name}", shifter.busy & pulsed, waited)
            checks.always(f"inv.bits_{name}", shifter.bits_left <= shifter.bits)
            early = (shifter.stage == Stage.LEAD) | (shifter.stage == Stage.FIRST)
            checks.implies(f"inv.bits_early_{name}", early, shifter.bits_left != 0)
            late = (shifter.stage == Stage.TAIL) | (shifter.stage == Stage.CLOSE)
            checks.implies(f"inv.bits_late_{name}", late, shifter.bits_left == 0)
            checks.implies(f"inv.left_{name}", shifter.busy, shifter.left != 0)
            framed = (shifter.stage != Stage.IDLE) & ~late
            checks.always(f"inv.frame_{name}", shifter.frame == framed)
            checks.always(f"inv.close_{name}", shifter.close == (shifter.stage == Stage.CLOSE))
            known = keeper.known.any()
            over = since.all() | (since + keeper.wait >= settle)
            checks.implies(f"inv.wait_{name}", known & ~shifter.busy, over)
            asked = self._asked(name)
            checks.implies(
                f"inv.prepared_{name}", self.phy.prepared & asked, ~shifter.busy & (since > settle)
            )
            alive = (phase != Phase.IDLE) & ~locks.dead
            checks.implies(
                f"inv.since_{name}",
                (alive | self.sequencer.begin) & needed[name],
                since.all() | (since > settle + locks.since),
            )
        checks.implies("inv.low", ~locks.on, self.low.all() | (self.low + 1 >= locks.low))
        checks.implies("inv.pin_low", self.on, locks.low == 0)
        checks.implies("inv.pin_on", self.on, locks.high_before != 0)
        rails = self.phy.rails
        checks.implies("inv.known", Cat(rails.known, rails.sending).any(), rails.up)
        checks.implies("inv.up", ~rails.up, ~self.phy.prepared & (phase == Phase.IDLE))
        checks.implies("inv.offer", self.phy.prepared, self.sequencer.requests.valid)

    def _asked(self, name: str) -> Value:
        """The offered request is a pulse that uses the outputs of ``name``."""
        op = self.sequencer.requests.payload.op
        if name == "inputs":
            return op == PULSES["dot"].value
        return Cat(op == o.value for o in PULSES.values()).any()

    def _sample(self, m: Module, checks: Checks) -> None:
        past = Signal()
        m.d.sync += past.eq(self.pins.adc_convst)
        begins = self.pins.adc_convst & ~past
        reads = self.enables["read"] | self.enables["dot"]
        checks.implies("sample.pulse", begins, reads)
