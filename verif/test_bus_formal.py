"""Proofs of the bridges from AXI4-Lite, APB4 and Wishbone B4, and planted bugs that make them fail.

Each bridge is proved by k-induction: every master that keeps the rules of its bus, every register
bus, every reset, for all time. The cover points show that the situations of the properties occur.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from amaranth import Signal

from ohmcarlo_hdl.buses import access, apb4, axi4_lite, wishbone
from verif.formal.buses.access import ADDR_WIDTH, BridgeProof
from verif.formal.buses.apb4 import Apb4Proof
from verif.formal.buses.axi4_lite import Axi4LiteProof
from verif.formal.buses.wishbone import WishboneProof
from verif.formal.checks import rtlil_of
from verif.formal.sby import run_sby
from verif.mutants.source import mutant, planted

pytestmark = pytest.mark.verify

Made = Callable[..., BridgeProof]
PROOFS: dict[str, Made] = {
    "axi4-lite": lambda **kw: Axi4LiteProof(axi4_lite.Axi4LiteBridge(ADDR_WIDTH), **kw),
    "apb4": lambda **kw: Apb4Proof(apb4.Apb4Bridge(ADDR_WIDTH), **kw),
    "wishbone": lambda **kw: WishboneProof(wishbone.WishboneBridge(ADDR_WIDTH), **kw),
}
INDUCTION = 8
LONGEST = 24
"""Clocks of the longest counterexample that a planted bug needs, and of the longest cover."""


@pytest.mark.parametrize("bus", PROOFS)
def test_proof(bus: str) -> None:
    verdict = run_sby(f"prove_{bus}", rtlil_of(PROOFS[bus]()), "prove", INDUCTION)
    assert verdict.status == "PASS", (verdict.failed, verdict.unproved, verdict.log)


@pytest.mark.parametrize("bus", PROOFS)
def test_covers(bus: str) -> None:
    """Answers of each kind, back-pressure, turns, requests one after the other, withdrawn ones."""
    proof = PROOFS[bus](keep=(), covers=True)
    verdict = run_sby(f"cover_{bus}", rtlil_of(proof), "cover", LONGEST)
    assert verdict.status == "PASS", verdict.log
    assert verdict.covered == set(proof.checks.covers) and len(verdict.covered) >= 6


AXI_SIGNALS = "writes, free = Signal(), Signal()\n"
LASTING = "        lasting = Signal(reset_less=True)\n        m.d.comb += {}.eq(lasting)\n"
"""A register that a reset leaves alone, in the place of an output."""

# Planted bugs: (bus, the assertion that must fail, module, changes of its source).
BUGS: dict[str, tuple[str, str, ModuleType, dict[str, str]]] = {
    "a response is not kept": (
        "axi4-lite",
        "stable.b",
        axi4_lite,
        {"with m.If(axi.bready):": "with m.If(1):"},
    ),
    "the next request does not wait for the response": (
        "axi4-lite",
        "stable.r",
        axi4_lite,
        {"(writes | axi.arvalid) & free": "writes | axi.arvalid"},
    ),
    "a response survives a reset": (
        "axi4-lite",
        "reset.b",
        axi4_lite,
        {
            AXI_SIGNALS: AXI_SIGNALS + LASTING.format("axi.bvalid"),
            "m.d.sync += axi.bvalid.eq(0)": "m.d.sync += lasting.eq(0)",
            "[axi.bvalid.eq(1), ": "[lasting.eq(1), ",
        },
    ),
    "errors are answered with DECERR": (
        "axi4-lite",
        "code",
        axi4_lite,
        {"    SLVERR = 2": "    SLVERR = 3"},
    ),
    "requests wait for BREADY": (
        "axi4-lite",
        "bound.progress",
        axi4_lite,
        {"(writes | axi.arvalid) & free": "(writes | axi.arvalid) & free & axi.bready"},
    ),
    "writes go first": (
        "axi4-lite",
        "turn.read",
        axi4_lite,
        {" & ~(axi.arvalid & engine.writing)": ""},
    ),
    "reads go first": (
        "axi4-lite",
        "turn.write",
        axi4_lite,
        {"~(axi.arvalid & engine.writing)": "~axi.arvalid"},
    ),
    "an address without data is written": (
        "axi4-lite",
        "strobe.write_requested",
        axi4_lite,
        {"axi.awvalid & axi.wvalid &": "axi.awvalid &"},
    ),
    "errors are hidden": (
        "axi4-lite",
        "answer.write_error",
        axi4_lite,
        {"Mux(engine.error,": "Mux(0,"},
    ),
    "a write without byte strobes fails": (
        "axi4-lite",
        "answer.write_refused",
        access,
        {" & ~empty": ""},
    ),
    "parts of a word are written": (
        "apb4",
        "strobe.write_whole",
        access,
        {"self.strobes.all()": "self.strobes.any()"},
    ),
    "addresses are rounded": (
        "apb4",
        "strobe.read_whole",
        access,
        {"~self.address[:BYTE_BITS].any()": "1"},
    ),
    "the answer comes a clock early": (
        "apb4",
        "answer.read_word",
        access,
        {"Signal(1 + Bus.LATENCY)": "Signal(Bus.LATENCY)"},
    ),
    "PREADY is high without a transfer": (
        "apb4",
        "phase.pready",
        apb4,
        {"apb.pready.eq(engine.done)": "apb.pready.eq(~apb.psel)"},
    ),
    "PSLVERR is early": (
        "apb4",
        "error.end",
        apb4,
        {"engine.done & engine.error": "engine.error"},
    ),
    "a setup phase does not count": (
        "apb4",
        "bound.access",
        apb4,
        {"engine.withdrawn.eq(~apb.psel)": "engine.withdrawn.eq(~apb.penable)"},
    ),
    "PREADY survives a reset": (
        "apb4",
        "reset.pready",
        apb4,
        {
            "        apb = self.apb\n": "        apb = self.apb\n" + LASTING.format("apb.pready"),
            "apb.pready.eq(engine.done)": "lasting.eq(engine.done)",
        },
    ),
    "ACK comes after the cycle": (
        "wishbone",
        "cycle.within",
        wishbone,
        {"wb.ack.eq(acknowledged & selected)": "wb.ack.eq(acknowledged)"},
    ),
    "ERR comes with every ACK": (
        "wishbone",
        "cycle.one",
        wishbone,
        {"engine.done & engine.error": "engine.done"},
    ),
    "a request is accepted before its answer": (
        "wishbone",
        "cycle.stall",
        wishbone,
        {"wb.stall.eq(~engine.done)": "wb.stall.eq(0)"},
    ),
    "the answer of a withdrawn request goes to the next": (
        "wishbone",
        "answer",
        wishbone,
        {"engine.withdrawn.eq(~selected)": "engine.withdrawn.eq(0)"},
    ),
    "a request is made again while it is answered": (
        "wishbone",
        "strobe.write_once",
        wishbone,
        {"selected & wb.stall": "selected"},
    ),
    "a withdrawn request never ends": (
        "wishbone",
        "bound.answer",
        access,
        {"with m.If(ends):": "with m.If(self.done):"},
    ),
    "ACK survives a reset": (
        "wishbone",
        "reset.answers",
        wishbone,
        {
            "selected, acknowledged, failed = Signal(), Signal(), Signal()": (
                "selected, failed = Signal(), Signal()\n"
                "        acknowledged = Signal(reset_less=True)"
            )
        },
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug(bug: str) -> None:
    """The proof fails at the assertion of the planted bug."""
    bus, name, module, changes = BUGS[bug]
    with planted(mutant(module, changes, Signal=Signal), module):
        rtlil = rtlil_of(PROOFS[bus](keep={name}))
    folder = "bug_" + "".join(c if c.isalnum() else "_" for c in bug)
    verdict = run_sby(folder, rtlil, "bmc", LONGEST)
    assert verdict.status == "FAIL", f"not detected: {bug}: {verdict.log}"
    assert any(f == name or f.startswith(name + ".") for f in verdict.failed), verdict.failed


@pytest.mark.parametrize("bus", PROOFS)
def test_every_group_can_fail(bus: str) -> None:
    """Each group of assertions has a planted bug; those of ``access`` on one of the buses."""
    proof: Any = PROOFS[bus]()
    rtlil_of(proof)
    groups = {name.split(".")[0] for name in proof.checks.names} - {"inv", "strobe", "answer"}
    assert groups == {
        name.split(".")[0] for its_bus, name, _, _ in BUGS.values() if its_bus == bus
    } - {"strobe", "answer"}
    assert {"strobe", "answer"} <= {name.split(".")[0] for _, name, _, _ in BUGS.values()}
