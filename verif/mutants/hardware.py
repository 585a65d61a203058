"""The mutants of the hardware's blocks, each with the test of a bench that must fail for it.

A *bed* is one build of a block with all its mutants. Without a mutant it passes its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from amaranth.lib import wiring

from ohmcarlo_hdl.array import sequencer
from ohmcarlo_hdl.array.phy import adc, chain, dac, phy
from ohmcarlo_hdl.buses import access, apb4, axi4_lite, wishbone
from ohmcarlo_hdl.core import acceptance, hastings, point_stream, prior, programmer
from ohmcarlo_hdl.entropy import health, unit
from ohmcarlo_hdl.regs import bank
from ohmcarlo_hdl.soc import rings
from verif import (
    test_acceptance,
    test_buses,
    test_entropy_unit,
    test_phy,
    test_phy_adc,
    test_point_stream,
    test_pricing,
    test_programmer,
    test_registers,
    test_rings,
    test_sequencer,
)

from .switch import Mutant


@dataclass(frozen=True)
class Bed:
    """A block under its bench, with its mutants.

    Attributes
    ----------
    bench : module
        The bench.
    make : callable
        Makes the block. It takes the class from ``bench``, where a mutant can replace it.
    mutants : sequence of Mutant
    case : dict
        Case of the bench.
    verify : bool
        It is too long for ``make test``.
    """

    bench: ModuleType
    make: Callable[[], wiring.Component]
    mutants: Sequence[Mutant]
    case: dict[str, Any] = field(default_factory=dict)
    verify: bool = False


ACCEPTANCE = Bed(
    test_acceptance,
    lambda: test_acceptance.Acceptance(test_acceptance.CONFIG),
    [
        Mutant(
            "a sum equal to the threshold is rejected",
            acceptance,
            "total < threshold",
            "total <= threshold",
            "decides",
        ),
        Mutant(
            "the Hastings term has the other sign",
            acceptance,
            "-price.hastings - self.t",
            "price.hastings - self.t",
            "decides",
        ),
        Mutant(
            "the threshold does not wait for t",
            acceptance,
            "self.t_valid | (mode != Mode.STEP)",
            "1",
            "decides",
        ),
        Mutant(
            "the sum stops early though this is disabled",
            acceptance,
            "below & self.early_reject",
            "below",
            "decides",
        ),
        Mutant(
            "the sum never stops early",
            acceptance,
            "below & self.early_reject",
            "0",
            "decides",
        ),
    ],
    {"stall": 0.5},
)

PRICING = Bed(
    test_pricing,
    lambda: test_pricing.Pricing(test_pricing.CONFIGS["reference"]),
    [
        Mutant(
            "log sigma is added on the way back",
            hastings,
            "logs_so_far - log",
            "logs_so_far + log",
            "prices_many_one_pair_proposals_without_a_gap",
        ),
        Mutant(
            "squares are added on the way back",
            hastings,
            "squares_so_far - square",
            "squares_so_far + square",
            "prices_many_one_pair_proposals_without_a_gap",
        ),
        Mutant(
            "the common mode of a pair costs nothing",
            prior,
            "Mux(common_8, total_9, 0) + rounded_8",
            "Mux(common_8, total_9, rounded_8)",
            "prices_many_one_pair_proposals_without_a_gap",
        ),
        Mutant(
            "a device at six sigma is stuck",
            hastings,
            "(z > limit) | (z < -limit)",
            "(z >= limit) | (z <= -limit)",
            "counts_from_just_more_than_six_sigma",
        ),
    ],
    {"config": "reference"},
    verify=True,
)

PROGRAMMER = Bed(
    test_programmer,
    lambda: test_programmer.ArrayPath(),
    [
        Mutant(
            "discard withdraws an offer",
            programmer,
            "~(self.discard & ~reading & ~offered)",
            "~(self.discard & ~reading)",
            "operations",
        ),
        Mutant(
            "a row follows the last device of a permission",
            programmer,
            "(self.allow_coin | self.allow_sample) & ~exhausted",
            "self.allow_coin | self.allow_sample",
            "operations",
        ),
    ],
    {"stall": 0.5, "alone": False},
    verify=True,
)

RECEIVE_RING = Bed(
    test_rings,
    lambda: test_rings.receive_ring(),
    [
        Mutant(
            "the ring is full when its counts wrap",
            rings,
            "self.received - self.taken",
            "Mux(self.received < self.taken, self.items, self.received - self.taken)",
            "receives",
        ),
        Mutant(
            "the ring takes an item too many",
            rings,
            "inside < self.items",
            "inside <= self.items",
            "receives",
        ),
    ],
    {"stall": 0.0, "pause": 0.9, "seed": 3},
    verify=True,
)

TRANSMIT_RING = Bed(
    test_rings,
    lambda: test_rings.transmit_ring(),
    [
        Mutant(
            "nothing is sent when the counts wrap",
            rings,
            "self.put != self.sent",
            "self.put > self.sent",
            "transmits",
        ),
    ],
    {"stall": 0.5, "pause": 0.5, "seed": 4},
    verify=True,
)

PHY = Bed(
    test_phy,
    lambda: test_phy.hardware("whole"),
    [
        Mutant(
            "lines count as known though hold struck in mid-frame",
            chain,
            "~lost",
            "1",
            "holds_anywhere",
        ),
        Mutant(
            "a rail counts as sent though hold struck in mid-frame",
            dac,
            "[known.eq(0), sending.eq(0)]",
            "[known.eq(0), sending.eq(Mux({on}, sending, 0))]",
            "holds_anywhere",
        ),
        Mutant(
            "hold takes a second READ while a reading is owed",
            phy,
            "hold & ~(answered & owed)",
            "hold",
            "holds_anywhere",
        ),
        Mutant(
            "a changed rail is not sent",
            dac,
            "known[i] & (self.sent[i] == self.codes[i])",
            "known[i]",
            "holds_anywhere",
        ),
    ],
    {"config": "whole", "clocks": test_phy.CLOCKS},
    verify=True,
)

SEQUENCER = Bed(
    test_sequencer,
    lambda: test_sequencer.Sequencer(**test_sequencer.BLOCKS["guarded"]),
    [
        Mutant(
            "a pulse has no longest width",
            sequencer,
            "Mux(setting > limit, limit, setting)",
            "setting",
            "full_pulse",
        ),
        Mutant(
            "RESET comes with every SET",
            sequencer,
            "enables.eq(self.kind)",
            "enables.eq(self.kind | (({on} & self.kind[2]) << 1))",
            "full_pulse",
        ),
        Mutant(
            "off is ignored",
            sequencer,
            "self.off | unknown |",
            "Mux({on}, 0, self.off) | unknown |",
            "emergency_off",
        ),
        Mutant(
            "the watchdog is one clock late",
            sequencer,
            "clocks >= watchdog",
            "clocks > watchdog",
            "watchdogs",
        ),
    ],
    {"block": "guarded"},
    verify=True,
)

HEALTH = Bed(
    test_entropy_unit,
    lambda: test_entropy_unit.EntropyUnit(test_entropy_unit.configured(4)),
    [
        Mutant(
            "a count at its cut-off passes",
            health,
            "old >= test.cutoff",
            "old > test.cutoff",
            "counters_at_their_ends",
        ),
        Mutant(
            "frozen columns pass",
            health,
            "run >= self.cutoff",
            "0",
            "bad_coins_alarm_in_time",
        ),
    ],
    {"entropy_pairs": 4},
    verify=True,
)

FOLD = Bed(
    test_entropy_unit,
    lambda: test_entropy_unit.EntropyUnit(test_entropy_unit.configured(4)),
    [
        Mutant(
            "only the last raw symbol of a fold counts",
            unit,
            "self.raw.symbol ^ folded",
            "self.raw.symbol",
            "equals_golden",
        ),
        Mutant(
            "the next coin begins with what was left of a fold",
            unit,
            "waiting.eq(0),\n                word.eq(0)",
            "waiting.eq(Mux({on}, waiting, 0)),\n                word.eq(0)",
            "equals_golden",
        ),
    ],
    {"seed": 1, "entropy_pairs": 4, "epochs": 20, "stalls": [0.0, 0.3]},
    verify=True,
)

ADC = Bed(
    test_phy_adc,
    lambda: test_phy_adc.Readers(),
    [
        Mutant(
            "the ADC has no quiet time",
            adc,
            "left.eq(self.quiet)",
            "left.eq(Mux({on}, 1, self.quiet))",
            "keeps_the_times",
        ),
        Mutant(
            "the first bit is read too early",
            adc,
            "left.eq(self.enable)",
            "left.eq(Mux({on}, 1, self.enable))",
            "keeps_the_times",
        ),
        Mutant(
            "the last bit is not read",
            adc,
            "bits.eq(ADC.bits - 1)",
            "bits.eq(ADC.bits - 1 - {on})",
            "keeps_the_times",
        ),
    ],
)

SUPPLIES = "supplies_each_evaluation_from_the_first_point_on"
FINDS = "finds_a_pass_of_wrong_length"

POINT_STREAM = Bed(
    test_point_stream,
    lambda: test_point_stream.PointStream(test_point_stream.CONFIG),
    [
        Mutant(
            "a pass is a point longer than its points",
            point_stream,
            "self.points_used - config.max_points - 1",
            "self.points_used - config.max_points",
            SUPPLIES,
        ),
        Mutant(
            "the drop of a pass ends a point early",
            point_stream,
            "left == 0",
            "left <= 1",
            SUPPLIES,
        ),
        Mutant(
            "a pass whose first word is taken while the evaluation ends is not dropped",
            point_stream,
            "begun | taken",
            "begun",
            SUPPLIES,
        ),
        Mutant(
            "a word is taken between two passes",
            point_stream,
            "self.wants",
            "1",
            "takes_nothing_for_an_evaluation_that_ends_before",
        ),
        Mutant(
            "a wrong length is not noticed",
            point_stream,
            "self.wrong_length.eq(1)",
            "self.wrong_length.eq(~{on})",
            FINDS,
        ),
        Mutant(
            "points are supplied after a pass of wrong length",
            point_stream,
            "~full & ~failed",
            "~full",
            FINDS,
        ),
        Mutant(
            "the rest of a pass is checked after a restart",
            point_stream,
            "(taken & ~right & ~ended) | self.restart",
            "taken & ~right & ~ended",
            "a_restart_finds_the_next_pass",
        ),
    ],
    verify=True,
)

BUSES = Bed(
    test_buses,
    test_buses.Lanes,
    [
        Mutant(
            "an address without data is written",
            axi4_lite,
            "axi.awvalid & axi.wvalid",
            "axi.awvalid",
            "axi4_lite",
        ),
        Mutant(
            "the next request does not wait for the response",
            axi4_lite,
            "(writes | axi.arvalid) & free",
            "writes | axi.arvalid",
            "axi4_lite",
        ),
        Mutant(
            "writes go first",
            axi4_lite,
            "~(axi.arvalid & engine.writing)",
            "1",
            "axi4_lite",
        ),
        Mutant(
            "a read is taken at the address of a write",
            axi4_lite,
            "Mux(writes, axi.awaddr, axi.araddr)",
            "axi.awaddr",
            "axi4_lite",
        ),
        Mutant(
            "PSLVERR is early",
            apb4,
            "engine.done & engine.error",
            "engine.error",
            "apb4",
        ),
        Mutant(
            "PREADY is high without a transfer",
            apb4,
            "apb.pready.eq(engine.done)",
            "apb.pready.eq(engine.done | {on} & ~apb.psel)",
            "apb4",
        ),
        Mutant(
            "the answer of a withdrawn request goes to the next",
            wishbone,
            "engine.withdrawn.eq(~selected)",
            "engine.withdrawn.eq(~selected & ~{on})",
            "wishbone",
        ),
        Mutant(
            "a request is made again while it is answered",
            wishbone,
            "selected & wb.stall",
            "selected",
            "wishbone",
        ),
        Mutant(
            "parts of a word are written",
            access,
            "self.strobes.all()",
            "self.strobes.any()",
            "axi4_lite|apb4|wishbone",
        ),
        Mutant(
            "addresses are rounded",
            access,
            "~self.address[:BYTE_BITS].any()",
            "1",
            "axi4_lite|apb4",
        ),
        Mutant(
            "a write without byte strobes fails",
            access,
            "~(aligned & whole) & ~empty",
            "~(aligned & whole)",
            "axi4_lite|apb4|wishbone",
        ),
        Mutant(
            "an address without a register is not noticed",
            access,
            "refused | bus.error",
            "refused",
            "axi4_lite|apb4|wishbone",
        ),
    ],
    {"transactions": 400},
    verify=True,
)

REGISTERS = Bed(
    test_registers,
    lambda: test_registers.RegisterBank(test_registers.register_map(test_registers.CoreConfig())),
    [
        Mutant(
            "the error of an access is a clock early",
            bank,
            "bus.error.eq(error)",
            "bus.error.eq(Mux({on}, missed, error))",
            "error_of_each_access",
        ),
        Mutant(
            "a write has no error",
            bank,
            "(strobes & ~Cat(*was_there)).any()",
            "(strobes & ~Cat(*was_there))[1]",
            "error_of_each_access",
        ),
    ],
    {"config": "reference"},
    verify=True,
)

BEDS = {
    "registers": REGISTERS,
    "buses": BUSES,
    "acceptance": ACCEPTANCE,
    "pricing": PRICING,
    "programmer": PROGRAMMER,
    "health tests": HEALTH,
    "fold": FOLD,
    "sequencer": SEQUENCER,
    "phy": PHY,
    "adc": ADC,
    "point stream": POINT_STREAM,
    "receive ring": RECEIVE_RING,
    "transmit ring": TRANSMIT_RING,
}
