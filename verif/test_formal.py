"""Proofs of the interlocks, and planted bugs that make them fail.

The sequencer is proved by k-induction, in a small and in the full configuration: every command
stream, array, setting and reset, for all time. Every group of assertions fails for a planted bug,
and the cover points show that the situations of the properties occur.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ohmcarlo_hdl.array import sequencer
from ohmcarlo_hdl.array.sequencer import Sequencer
from ohmcarlo_hdl.config import REFERENCE
from verif.formal.checks import rtlil_of
from verif.formal.sby import TOOLS, run_sby
from verif.formal.sequencer import CONFIG, SMALL, SequencerProof
from verif.mutants.source import mutant

PROOFS: dict[str, Sequencer] = {
    "small": Sequencer(CONFIG, **SMALL),
    "small_guarded": Sequencer(CONFIG, min_guard=2, **SMALL),
    "reference": Sequencer(REFERENCE),
    "reference_guarded": Sequencer(REFERENCE, min_guard=1),
}
INDUCTION = 2
LONGEST = 10
"""Clocks of the longest counterexample that a planted bug needs, and more than a cover needs."""


@pytest.fixture(scope="session", autouse=True)
def warm_tools() -> None:
    """YoWASP tools are compiled at their first start; two first starts must not overlap."""
    for tool in TOOLS.values():
        program = shutil.which(tool, path=str(Path(sys.executable).parent)) or tool
        subprocess.run([program, "--help"], capture_output=True, check=False)


@pytest.mark.parametrize("name", PROOFS)
def test_proof(name: str) -> None:
    verdict = run_sby(f"prove_{name}", rtlil_of(SequencerProof(PROOFS[name])), "prove", INDUCTION)
    assert verdict.status == "PASS", (verdict.failed, verdict.unproved, verdict.log)


def test_covers() -> None:
    """Pulses with guards, an operation per clock, all kinds of faults, and operations after
    them."""
    proof = SequencerProof(PROOFS["small"], keep=(), covers=True)
    verdict = run_sby("cover_small", rtlil_of(proof), "cover", LONGEST + 5)
    assert verdict.status == "PASS", verdict.log
    assert verdict.covered == set(proof.checks.covers) and len(verdict.covered) >= 10


HALT = "        with m.If(halt):\n            m.d.sync += enables.eq(0)\n"
START = "*remain(width), enables.eq(kind)]"
ADDRESS = "                self.lines.row.eq(request.row),\n"

# Planted bugs: (the assertion that must fail, least guard time, changes of the source).
BUGS: dict[str, tuple[str, int, dict[str, str]]] = {
    # 1: one enable at most
    "the operation before stays on": (
        "one",
        0,
        {START: "*remain(width), enables.eq(enables | kind)]"},
    ),
    "RESET comes with every SET": (
        "one.reset_set",
        0,
        {"enables.eq(self.kind)": "enables.eq(self.kind | (self.kind[2] << 1))"},
    ),
    # 2: no pulse longer than its limit, nor than requested
    "widths have no limit": ("length", 0, {"Mux(setting > limit, limit, setting)": "setting"}),
    "the limit is off by one": (
        "length.form",
        0,
        {"Mux(setting > limit, limit, setting)": "Mux(setting > limit, limit + 1, setting)"},
    ),
    "a guarded pulse is one clock longer": (
        "length.latched",
        0,
        {"*remain(self.width)": "*remain(self.width + 1)"},
    ),
    "a running pulse reads its register again": (
        "length.latched",
        0,
        {"*remain(self.width)": '*remain(self._of_kind(self.kind, "width"))'},
    ),
    "SETs without a guard time are one long pulse": (
        "length.wire_set",
        1,
        {"elif self.min_guard:": 'elif self.min_guard and name == "width":'},
    ),
    # 3: the address is stable around a pulse
    "the address follows the next request": (
        "stable.address",
        0,
        {HALT: "        m.d.sync += self.lines.row.eq(request.row)\n" + HALT, ADDRESS: ""},
    ),
    "the guard before is one clock": (
        "stable.before",
        0,
        {"*remain(before)": "*remain(Const(1))"},
    ),
    "the guard after is one clock short": (
        "stable.after",
        0,
        {"(self.phase == Phase.AFTER) & ends": "(self.phase == Phase.AFTER) & (self.left <= 2)"},
    ),
    "the guard after is dropped when a pulse is cut": (
        "stable.after",
        0,
        {
            "self.phase.eq(rest), *remain(self.guard_after)]\n        with m.Elif": (
                "self.phase.eq(Phase.IDLE)]\n        with m.Elif"
            )
        },
    ),
    "the next operation breaks into a pulse": (
        "stable.complete",
        0,
        {
            "(self.phase == Phase.PULSE) & ends & self.unguarded": (
                "(self.phase == Phase.PULSE) & self.unguarded"
            )
        },
    ),
    "DOT drives the device of the request": (
        "address.device",
        0,
        {
            "Mux(self._is(request.op, Op.FORM, Op.SET, Op.READ), request.device, 0)": (
                "request.device"
            )
        },
    ),
    # 4: everything off after reset, fault, off, an unknown operation
    "a reset leaves the enables alone": (
        "off.reset",
        0,
        {"        enables = Signal(len(PULSES))": "        enables = Signal(5, reset_less=True)"},
    ),
    "a fault leaves the enables alone": (
        "off.fault",
        0,
        {HALT: HALT.replace("eq(0)", "eq(enables)")},
    ),
    "a request that is taken in a fault starts": (
        "quiet.enables",
        0,
        {"self.fault | trip)": "trip)"},
    ),
    "off is not heard": ("off.off", 0, {"causes = self.off | ": "causes = "}),
    "an unknown operation is passed over": (
        "off.unknown",
        0,
        {"self.off | unknown |": "self.off |"},
    ),
    "code 7 counts as known": (
        "off.unknown",
        0,
        {"unknown.eq(accept &": "unknown.eq(accept & (self.commands.p.op != 7) &"},
    ),
    "a fault is cleared while something runs": (
        "off.latched",
        0,
        {"m.Elif(self.clear & self.idle)": "m.Elif(self.clear)"},
    ),
    "off does not hold against clear": (
        "off.off",
        0,
        {"with m.Elif(self.clear & self.idle)": "with m.If(self.clear & self.idle)"},
    ),
    "a fault does not stop the commands": (
        "off.fault",
        0,
        {"~self.fault & ~self.off &": "~self.off &"},
    ),
    "a response without a request is passed over": (
        "off.spurious",
        0,
        {"response_timeout | spurious": "response_timeout"},
    ),
    # 5: offers are kept
    "a fault withdraws the request": (
        "stream.requests",
        0,
        {"(trip & ~self.requests.valid)": "trip"},
    ),
    "the next command overwrites the request": (
        "stream.requests",
        0,
        {"(~self.pending | take)": "(~self.pending | free)"},
    ),
    "a fault withdraws the result": (
        "stream.results",
        0,
        {
            "self.results.valid.eq(response.valid & owed)": (
                "self.results.valid.eq(response.valid & owed & ~self.fault)"
            )
        },
    ),
    "an unknown operation is forwarded": (
        "stream.command",
        0,
        {"self.pending.eq(~trip)": "self.pending.eq(1)"},
    ),
    # 6: the watchdog
    "the request's watchdog sleeps": ("watchdog.request", 0, {" | request_timeout |": " |"}),
    "the response's watchdog sleeps": ("watchdog.response", 0, {" | response_timeout |": " |"}),
    "the watchdog is one clock late": ("watchdog", 0, {"clocks >= watchdog": "clocks > watchdog"}),
    "a taken request does not rewind the watchdog of the next": (
        "watchdog.owed",
        0,
        {"with m.If(~waiting):": "with m.If(~waiting & self.idle):"},
    ),
    "more is asked for than can be counted": ("watchdog.bound", 0, {" & ~(owes & full)": ""}),
}


def marked_bugs() -> list[Any]:
    """All of them; ``make test`` plants the first of each group of assertions."""
    groups: set[str] = set()
    marked = []
    for bug, (name, _, _) in BUGS.items():
        group = name.split(".")[0]
        marked.append(pytest.param(bug, marks=pytest.mark.verify if group in groups else ()))
        groups.add(group)
    return marked


@pytest.mark.parametrize("bug", marked_bugs())
def test_planted_bug(bug: str) -> None:
    """The proof fails at the assertion of the planted bug."""
    name, guard, changes = BUGS[bug]
    broken = mutant(sequencer, changes).Sequencer(CONFIG, min_guard=guard, **SMALL)
    folder = "bug_" + "".join(c if c.isalnum() else "_" for c in bug)
    verdict = run_sby(folder, rtlil_of(SequencerProof(broken, keep={name})), "bmc", LONGEST)
    assert verdict.status == "FAIL", f"not detected: {bug}: {verdict.log}"
    assert any(f == name or f.startswith(name + ".") for f in verdict.failed), verdict.failed


def test_every_group_can_fail() -> None:
    proof = SequencerProof(PROOFS["small_guarded"])
    rtlil_of(proof)
    groups = {name.split(".")[0] for name in proof.checks.names}
    assert groups == {name.split(".")[0] for name, _, _ in BUGS.values()} | {"inv"}
