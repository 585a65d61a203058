"""Proofs of the interlocks on the Phy's pins, and planted bugs that make them fail."""

from __future__ import annotations

import types

import pytest

from ohmcarlo_hdl.array.phy import chain as phy_chain
from ohmcarlo_hdl.array.phy import dac as phy_dac
from ohmcarlo_hdl.array.phy import phy
from verif.formal.checks import rtlil_of
from verif.formal.phy import CLOCK_HZ, CONFIG, TIMING, PhyProof, small_sequencer
from verif.formal.sby import run_sby
from verif.mutants.source import mutant, planted
from verif.test_formal import warm_tools as warm_tools

INDUCTION = 2


def proof() -> str:
    return rtlil_of(PhyProof(phy.Phy(CONFIG, CLOCK_HZ, TIMING), small_sequencer()))


def test_proof() -> None:
    verdict = run_sby("prove_phy", proof(), "prove", INDUCTION)
    assert verdict.status == "PASS", (verdict.failed, verdict.unproved, verdict.log)


PULSE = "getattr(pins, pin).eq(self.lines[name] & ~hold & rails.up)"
# Planted bugs: (assertions of which one must fail, module, changes of its source). The first pulse
# comes too many clocks after the reset for a counterexample from there; instead, the induction step
# fails.
BUGS: dict[str, tuple[set[str], types.ModuleType, dict[str, str]]] = {
    "SET puts RESET on the pins": (
        {"one.pin_reset_set"},
        phy,
        {PULSE: PULSE.replace("self.lines[name]", "(self.lines[name] | "
                              '((name == "reset") & self.lines["set"]))')},
    ),
    "a pulse goes on until the next request": (
        {f"{what}_{name}" for what in ("length.pin", "inv.run_pin")
         for name in ("form", "reset", "set", "read", "dot")} | {"inv.pin_low"},
        phy,
        {PULSE: PULSE.replace("self.lines[name]", "(self.lines[name] | "
                              "(getattr(pins, pin) & ~self.requests.valid))")},
    ),
    "hold does not reach the pulses": (
        {"quiet.hold", "quiet.held"},
        phy,
        {PULSE: PULSE.replace(" & ~hold", "")},
    ),
    "hold does not hold the array off": (
        {"quiet.hold"},
        phy,
        {"pins.hold_off.eq(hold | ~rails.up)": "pins.hold_off.eq(~rails.up)"},
    ),
    "lines move for a request that is not offered": (
        {f"{group}_{name}" for group in ("stable.during", "stable.after", "inv.idle", "inv.low")
         for name in ("address", "inputs", "rails")} | {"inv.offer"},
        phy,
        {"offered.eq(self.requests.valid & ": "offered.eq("},
    ),
    "lines do not settle": (
        {"stable.before_address", "inv.prepared_address", "stable.before_inputs",
         "inv.prepared_inputs"},
        phy_chain,
        {"(same & (wait == 0))": "same"},
    ),
    "a pulse does not wait for the rails": (
        {"stable.before_rails", "inv.prepared_rails"},
        phy,
        {"inputs.settled & rails.settled": "inputs.settled"},
    ),
    "the ADC samples after the pulse": (
        {"sample.pulse"},
        phy,
        {"reads & goes_on & owed": "reads & owed"},
    ),
    "lines count as known though hold struck in mid-frame": (
        {"sent.known_address", "sent.known_inputs"},
        phy_chain,
        {"known.eq(~lost)": "known.eq(1)"},
    ),
    "a rail counts as sent though hold struck in mid-frame": (
        {f"{group}_{channel.name.lower()}" for group in ("sent.known", "inv.under_way")
         for channel in phy_dac.Channel},
        phy_dac,
        {"[known.eq(0), sending.eq(0)]": "known.eq(0)"},
    ),
    "hold leaves the lines known": (
        {"sent.known_address", "sent.known_inputs"},
        phy_chain,
        {"[known.eq(0), lost.eq(1)]": "lost.eq(1)"},
    ),
    "the code of the gate is not compared": (
        {"sent.gate", "inv.asked_gate", "inv.sent_gate"},
        phy_dac,
        {"known[i] & (self.sent[i] == self.codes[i])": "known[i]"},
    ),
    "hold withdraws an answer": (
        {"stream.responses"},
        phy,
        {"with m.If(self.restart):": "with m.If(self.restart | hold):"},
    ),
}  # fmt: skip


CHOICE = "hold withdraws an answer"
"""The one bug that ``make test`` plants."""


@pytest.mark.parametrize(
    "bug", [pytest.param(bug, marks=() if bug == CHOICE else pytest.mark.verify) for bug in BUGS]
)
def test_planted_bug(bug: str) -> None:
    names, module, changes = BUGS[bug]
    with planted(mutant(module, changes), module):
        text = proof()
    folder = "phy_bug_" + "".join(c if c.isalnum() else "_" for c in bug)
    verdict = run_sby(folder, text, "prove", INDUCTION)
    fallen = verdict.failed | verdict.unproved
    assert verdict.status != "PASS", f"not detected: {bug}"
    assert fallen & names, fallen or verdict.log
