"""Proofs of the interlocks on the Phy's pins, and planted bugs that make them fail."""

from __future__ import annotations

import types
from typing import Any

import pytest

from ohmcarlo_hdl.array.phy import chain as phy_chain
from ohmcarlo_hdl.array.phy import phy
from verif.formal.checks import rtlil_of
from verif.formal.mutants import mutant
from verif.formal.phy import CLOCK_HZ, CONFIG, TIMING, PhyProof, small_sequencer
from verif.formal.sby import run_sby
from verif.test_formal import warm_tools as warm_tools

INDUCTION = 2


def proof_of(module: Any = phy) -> PhyProof:
    return PhyProof(module.Phy(CONFIG, CLOCK_HZ, TIMING), small_sequencer())


def test_proof() -> None:
    proof = proof_of()
    verdict = run_sby("prove_phy", rtlil_of(proof), "prove", INDUCTION)
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
def test_planted_bug(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names, module, changes = BUGS[bug]
    broken = mutant(module, changes)
    if module is phy_chain:
        monkeypatch.setattr(phy, "LineChain", broken.LineChain)
    proof = proof_of(phy if module is phy_chain else broken)
    folder = "phy_bug_" + "".join(c if c.isalnum() else "_" for c in bug)
    verdict = run_sby(folder, rtlil_of(proof), "prove", INDUCTION)
    fallen = verdict.failed | verdict.unproved
    assert verdict.status != "PASS", f"not detected: {bug}"
    assert fallen & names, fallen or verdict.log
