"""What the daughterboard has received: frames that ended without a ``hold`` since their begin.

A monitor takes the word of a frame when it begins and its end from the shifter alone. It does not
depend on what the Phy takes for known. Group of assertions: ``sent`` (in a pulse, everything that
it uses was sent since the last ``hold``: row, device, gate code, inputs and rails), with invariants
that relate the state of the Phy to the monitors.
"""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data

from ohmcarlo_hdl.array.phy.chain import LineChain
from ohmcarlo_hdl.array.phy.dac import COMMAND_WRITE, USED, Channel, Rails
from ohmcarlo_hdl.array.phy.parts import DAC
from ohmcarlo_hdl.array.phy.phy import address_layout
from ohmcarlo_hdl.array.sequencer import PULSES, Phase

from .checks import Checks

OF_DEVICE = ("form", "set", "read")
WITH_GATE_CODE = ("form", "set")


class _Frame:
    """The frame that a shifter sends: its word, and whether there was no ``hold`` so far."""

    def __init__(self, m: Module, shifter: Any, hold: Value, name: str) -> None:
        self.fresh, self.word = Signal(name=f"fresh_{name}"), Signal(shifter.bits, name=f"w_{name}")
        with m.If(shifter.start & ~shifter.busy):
            m.d.sync += [self.fresh.eq(1), self.word.eq(shifter.word)]
        with m.If(hold):
            m.d.sync += self.fresh.eq(0)


class _Lines:
    """Outputs of a chain; ``intact``: they are known to the outside."""

    def __init__(self, m: Module, checks: Checks, chain: LineChain, hold: Value, name: str) -> None:
        frame = _Frame(m, chain.shifter, hold, name)
        self.intact, self.word = Signal(name=f"intact_{name}"), Signal(chain.bits, name=f"o_{name}")
        with m.If(chain.shifter.done):
            m.d.sync += [self.intact.eq(frame.fresh), self.word.eq(frame.word)]
        with m.If(hold):
            m.d.sync += self.intact.eq(0)
        checks.implies(f"sent.known_{name}", chain.known, self.intact & (self.word == chain.sent))
        under_way = chain.shifter.busy & ~chain.lost
        checks.implies(f"inv.under_way_{name}", under_way, frame.fresh & (frame.word == chain.sent))


class _Codes:
    """Channels of the DAC, as ``_Lines``, and the code of the gate of SET and FORM."""

    def __init__(self, m: Module, checks: Checks, rails: Rails, hold: Value) -> None:
        shifter = rails.shifter
        frame = _Frame(m, shifter, hold, "rails")
        self.intact = Signal(DAC.channels, name="intact_rails")
        self.gate = Signal(DAC.code_bits)
        writes = frame.word[24:] == COMMAND_WRITE
        channel, code = frame.word[20:23], frame.word[20 - DAC.code_bits : 20]
        with m.If(shifter.done & writes):
            m.d.sync += self.intact.bit_select(channel, 1).eq(frame.fresh)
            with m.If(channel == Channel.GATE_PROGRAM):
                m.d.sync += self.gate.eq(code)
        with m.If(hold):
            m.d.sync += self.intact.eq(0)
        for c in Channel:
            name = c.name.lower()
            checks.implies(f"sent.known_{name}", rails.known[c], self.intact[c])
            of_frame = shifter.busy & writes & (channel == c)
            checks.implies(f"inv.unknown_{name}", of_frame, ~rails.known[c])
            checks.implies(f"inv.under_way_{name}", rails.sending[c], of_frame & frame.fresh)
        sent = rails.sent[Channel.GATE_PROGRAM]
        checks.implies("sent.known_code", rails.known[Channel.GATE_PROGRAM], self.gate == sent)
        checks.implies("inv.code", rails.sending[Channel.GATE_PROGRAM], code == sent)


def check_sent(m: Module, checks: Checks, proof: Any) -> None:
    """Add the monitors and their assertions to a ``PhyProof``."""
    phy, sequencer = proof.phy, proof.sequencer
    hold = proof.off | proof.fault
    address = _Lines(m, checks, phy.address, hold, "address")
    inputs = _Lines(m, checks, phy.inputs, hold, "inputs")
    rails = _Codes(m, checks, phy.rails, hold)

    lines, request, now = sequencer.lines, sequencer.requests.payload, sequencer.now
    layout = address_layout(phy.config)
    chosen: Any = data.View(layout, address.word[: layout.size])
    prepared = phy.prepared
    running = (sequencer.sequencer.phase != Phase.IDLE) & ~proof.locks.dead
    runs = (running | sequencer.begin) & ~proof.fault

    def in_pulses(what: str, names: Any, ready: Any) -> None:
        """``ready(source)`` in pulses of ``names``, with the fields of ``source``; and before."""
        kind = Cat(now.kind[i] for i, name in enumerate(PULSES) if name in names).any()
        asked = Cat(request.op == op.value for name, op in PULSES.items() if name in names).any()
        checks.implies(f"sent.{what}", proof.on & kind, ready(lines))
        checks.implies(f"inv.sent_{what}", runs & kind, ready(lines))
        checks.implies(f"inv.asked_{what}", prepared & asked, ready(request))

    in_pulses("row", PULSES, lambda s: address.intact & (chosen.row == s.row))
    in_pulses("device", OF_DEVICE, lambda s: chosen.device == s.device)
    in_pulses("inputs", ("dot",), lambda s: inputs.intact)
    in_pulses("gate", WITH_GATE_CODE, lambda s: rails.gate == s.dac)
    for channel in Channel:
        users = [name for name, op in PULSES.items() if channel in USED[op]]
        in_pulses(channel.name.lower(), users, lambda s, c=channel: rails.intact[c])
