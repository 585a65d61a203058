"""Proofs of the core for other designs, and planted bugs that make them fail.

AXI4-Stream, the ends of packets, the end of a command, the causes of the interrupt and the loading
of data points are proved by k-induction, for every stimulus and every reset, for all time.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Container
from typing import Any

import pytest

from ohmcarlo_hdl.buses import axi4_stream
from ohmcarlo_hdl.ip import data_in, interrupts, packets
from ohmcarlo_hdl.lib import fifo
from verif.formal.axi4_stream import StreamProof
from verif.formal.checks import rtlil_of
from verif.formal.ip import DataInProof, InterruptProof, PacketsProof
from verif.formal.sby import run_sby
from verif.formal.sequencer import CONFIG
from verif.mutants.source import mutant, planted
from verif.test_formal import warm_tools as warm_tools

INDUCTION = 2
LONGEST = 12
"""Clocks of the longest counterexample that a planted bug needs."""

pytestmark = pytest.mark.verify

Keep = Container[str] | None

PROOFS: dict[str, Callable[[Keep], Any]] = {
    "transmitter": lambda keep=None: StreamProof(axi4_stream.StreamTransmitter(2), keep),
    "receiver": lambda keep=None: StreamProof(axi4_stream.StreamReceiver(), keep),
    "packets": lambda keep=None: PacketsProof(packets.Packets(), keep),
    "interrupt": lambda keep=None: InterruptProof(
        interrupts.CommandEnd(), interrupts.Interrupts(), keep
    ),
    "data": lambda keep=None: DataInProof(CONFIG, data_in.DataIn(CONFIG), keep),
}


@pytest.mark.parametrize("name", PROOFS)
def test_proof(name: str) -> None:
    verdict = run_sby(f"prove_ip_{name}", rtlil_of(PROOFS[name](None)), "prove", INDUCTION)
    assert verdict.status == "PASS", (verdict.failed, verdict.unproved, verdict.log)


# Planted bugs: (proof, assertion that must fail, module, changes of its source).
BUGS: dict[str, tuple[str, str, types.ModuleType, dict[str, str]]] = {
    "the word follows the source while it is offered": (
        "transmitter",
        "stable.payload",
        axi4_stream,
        {"self.axis.tdata.eq(payload.word)": "self.axis.tdata.eq(self.words.payload.word)"},
    ),
    "an offer is withdrawn without a successor": (
        "transmitter",
        "valid.stays",
        axi4_stream,
        {
            "self.axis.tvalid.eq(register.output.valid)": (
                "self.axis.tvalid.eq(register.output.valid & self.words.valid)"
            )
        },
    ),
    "a word is offered in a reset": (
        "transmitter",
        "valid.reset",
        axi4_stream,
        {
            "self.axis.tvalid.eq(register.output.valid)": (
                "self.axis.tvalid.eq(register.output.valid | self.words.valid)"
            )
        },
    ),
    "a byte is no data": (
        "transmitter",
        "keep",
        axi4_stream,
        {"self.axis.tkeep.eq((1 << DATA_BYTES) - 1)": "self.axis.tkeep.eq(7)"},
    ),
    "a stalled word is lost": (
        "transmitter",
        "order",
        fifo,
        {"m.d.sync += [keeps.eq(self.input.valid), takes": "m.d.sync += [keeps.eq(0), takes"},
    ),
    "a stalled word is sent twice": (
        "receiver",
        "order",
        fifo,
        {"                keeps.eq(0),\n": ""},
    ),
    "TLAST is lost": (
        "receiver",
        "order",
        axi4_stream,
        {"payload.last.eq(self.axis.tlast)": "payload.last.eq(0)"},
    ),
    "three bytes count as a word": (
        "receiver",
        "order",
        axi4_stream,
        {"self.axis.tkeep.all()": "self.axis.tkeep[:3].all()"},
    ),
    "a packet of a command ends with each record": (
        "packets",
        "last.right",
        packets,
        {"Mux(self.whole_command, 0, kept.last)": "kept.last"},
    ),
    "the last word leaves before its end is known": (
        "packets",
        "last.closed",
        packets,
        {"keeps & (last | words.valid)": "keeps"},
    ),
    "the end of a command is forgotten while the packet stalls": (
        "packets",
        "last.right",
        packets,
        {
            "with m.Elif(self.ended):  # the next command may begin before the word is taken": (
                "with m.Elif(0):"
            )
        },
    ),
    "a record that a restart cuts stays open": (
        "packets",
        "last.right",
        packets,
        {"with m.If(self.restart):": "with m.If(0):"},
    ),
    "a word waits without need": (
        "packets",
        "held.needed",
        packets,
        {"keeps & (last | words.valid)": "keeps & last"},
    ),
    "a word is taken over the one inside": (
        "packets",
        "order",
        packets,
        {"words.ready.eq(~keeps | (packets.ready & packets.valid))": "words.ready.eq(1)"},
    ),
    "the end comes before the records are out": (
        "interrupt",
        "ended.once",
        interrupts,
        {"begun & ~self.executing & ~self.pending": "begun & ~self.executing"},
    ),
    "the end is told again": (
        "interrupt",
        "ended.once",
        interrupts,
        {"with m.Elif(self.ended):": "with m.Elif(0):"},
    ),
    "a command that is refused at once has no end": (
        "interrupt",
        "ended.once",
        interrupts,
        {
            "with m.If(self.executing):\n            m.d.sync += begun.eq(1)": (
                "with m.If(self.executing & self.pending):\n            m.d.sync += begun.eq(1)"
            )
        },
    ),
    "an event in the clock of its clear is lost": (
        "interrupt",
        "latched",
        interrupts,
        {
            "self.events[name] | (self.cause[name] & ~self.clear[name])": (
                "(self.events[name] | self.cause[name]) & ~self.clear[name]"
            )
        },
    ),
    "a clear of one cause clears all": (
        "interrupt",
        "latched",
        interrupts,
        {"self.cause[name] & ~self.clear[name]": "self.cause[name] & ~self.clear.as_value().any()"},
    ),
    "a cause that is not enabled raises the line": (
        "interrupt",
        "line",
        interrupts,
        {"(self.cause.as_value() & self.enable.as_value()).any()": "self.cause.as_value().any()"},
    ),
    "data are stored while a command runs": (
        "data",
        "hold",
        data_in,
        {"load.valid.eq(words.valid & ~hold & stored)": "load.valid.eq(words.valid & stored)"},
    ),
    "a packet wraps around the memory": (
        "data",
        "stored.only",
        data_in,
        {"fits.eq(place[memory:] == 0)": "fits.eq(1)"},
    ),
    "a word of three bytes is stored": (
        "data",
        "stored.only",
        data_in,
        {"stored.eq(fits & whole)": "stored.eq(fits)"},
    ),
    "a packet begins where the last one ended": (
        "data",
        "stored.place",
        data_in,
        {"beginning.eq(words.payload.last)": "beginning.eq(0)"},
    ),
    "a word is dropped while the bus is busy": (
        "data",
        "stored.once",
        data_in,
        {"words.ready.eq(~hold & (load.ready | ~stored))": "words.ready.eq(~hold)"},
    ),
    "a part of a point is not reported": (
        "data",
        "told.wrong_length",
        data_in,
        {"wrong.eq(taken & (~fits | within))": "wrong.eq(taken & ~fits)"},
    ),
    "words beyond the memory are not reported": (
        "data",
        "told.wrong_length",
        data_in,
        {"wrong.eq(taken & (~fits | within))": "wrong.eq(taken & within)"},
    ),
    "an incomplete word is not reported": (
        "data",
        "told.incomplete",
        data_in,
        {"part.eq(words.valid & words.ready & ~whole)": "part.eq(0)"},
    ),
    "a report in the clock of its clear is lost": (
        "data",
        "told.incomplete",
        data_in,
        {"part | (self.incomplete & ~self.clear)": "(part | self.incomplete) & ~self.clear"},
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug(bug: str) -> None:
    """The proof fails at the assertion of the planted bug."""
    proof, name, module, changes = BUGS[bug]
    with planted(mutant(module, changes), module):
        text = rtlil_of(PROOFS[proof]({name}))
    folder = "bug_ip_" + "".join(c if c.isalnum() else "_" for c in bug)
    verdict = run_sby(folder, text, "bmc", LONGEST)
    assert verdict.status == "FAIL", f"not detected: {bug}: {verdict.log}"
    assert any(f == name or f.startswith(name + ".") for f in verdict.failed), verdict.failed


def test_every_group_can_fail() -> None:
    for proof, make in PROOFS.items():
        made = make(None)
        rtlil_of(made)
        groups = {name.split(".")[0] for name in made.checks.names} - {"inv"}
        assert groups == {name.split(".")[0] for p, name, *_ in BUGS.values() if p == proof}
