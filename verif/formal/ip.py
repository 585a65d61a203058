"""The core for other designs: ends of packets, ends of commands, causes of the interrupt.

Groups of assertions of ``PacketsProof``: ``order`` (no word is lost, doubled or reordered),
``last`` (the last word of a record or of a command is marked, and no other) and ``held`` (no word
is kept without need). Of ``InterruptProof``: ``ended`` (once per command, and not before its
records are out), ``latched`` (events are kept until they are cleared, and nothing else sets a
cause) and ``line``. Of ``DataInProof``: ``stored`` (each whole word within the memory is stored
once, at its place), ``told`` (every other word sets a flag), ``hold`` (nothing is stored while a
command runs).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.ip.data_in import POINT_BITS
from ohmcarlo_hdl.ip.interrupts import CAUSES, LATCHED, WAITING, CommandEnd, Interrupts

from .axi4_stream import assumed_transmitter
from .checks import Checks


def kept_offer(m: Module, checks: Checks, stream: Any, unless: Value) -> None:
    """The environment keeps what it offers on ``stream``, except after ``unless``."""
    offered, before = Signal(), Signal(len(Value.cast(stream.payload)))
    payload = Value.cast(stream.payload)
    m.d.sync += [offered.eq(stream.valid & ~stream.ready & ~unless), before.eq(payload)]
    checks.assume(~offered | (stream.valid & (payload == before)))


class PacketsProof(wiring.Component):
    """``Packets`` between a merger and a stage that takes packets at any time.

    ``keep``: the only assertions to check, by name or by group (None: all, and the invariants).
    """

    def __init__(self, packets: Any, keep: Container[str] | None = None) -> None:
        self.packets_block, self.keep = packets, keep
        super().__init__(packets.signature)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.packets = block = self.packets_block
        wiring.connect(m, wiring.flipped(self), block)
        self.checks = checks = Checks(m, self.keep)
        words, out = self.words, self.packets
        taken, given = words.valid & words.ready, out.valid & out.ready
        past_restart, past_whole, past_idle = Signal(), Signal(), Signal(init=1)
        m.d.sync += [
            past_restart.eq(self.restart),
            past_whole.eq(self.whole_command),
            past_idle.eq(self.ended & self.empty),
        ]
        # the environment: after a restart nothing is offered; ``ended`` excludes words; the kind
        # of packets changes between commands
        kept_offer(m, checks, words, self.restart)
        checks.assume(~past_restart | ~words.valid)
        checks.assume(~(self.ended & words.valid))
        checks.assume(past_idle | (self.whole_command == past_whole))

        # the word inside, and whether a command or a record was cut since it was taken
        inside, word, record_last, boundary = Signal(), Signal(32), Signal(), Signal()
        dest = Signal.like(words.payload.dest)
        m.d.sync += inside.eq(Mux(taken, 1, inside & ~given))
        with m.If(taken):
            m.d.sync += [
                word.eq(words.payload.word),
                dest.eq(words.payload.dest),
                record_last.eq(words.payload.last),
                boundary.eq(0),
            ]
        with m.If((self.ended & ~(given | ~inside)) | self.restart):
            m.d.sync += boundary.eq(1)
        ends = boundary | self.ended
        last = Mux(self.whole_command, ends, ends | record_last)
        checks.implies("order.word", out.valid, inside)
        checks.implies(
            "order.same", out.valid, Cat(out.payload.word, out.payload.dest) == Cat(word, dest)
        )
        checks.implies("order.room", taken, ~inside | given)
        checks.implies("last.right", out.valid, out.payload.last == last)
        checks.implies("held.needed", inside & (last | words.valid), out.valid)
        checks.implies("held.empty", self.empty, ~inside)
        checks.implies("held.free", ~inside, words.ready)
        # the last word that left before the end of a command has ended its packet
        left, left_last = Signal(), Signal()
        with m.If(given):
            m.d.sync += [left.eq(1), left_last.eq(out.payload.last)]
        checks.implies("last.closed", self.ended & self.empty & left, left_last)
        if self.keep is None:
            checks.always("inv.inside", self.empty == ~inside)
            kept = block.kept
            checks.implies("inv.kept", inside, Cat(kept.word, kept.dest) == Cat(word, dest))
            checks.implies("inv.last", inside, kept.last == record_last)
            checks.implies("inv.cut", inside, block.cut == boundary)
            checks.implies("inv.left", ~inside & left, left_last)
        return m


class InterruptProof(wiring.Component):
    """``CommandEnd`` and ``Interrupts`` as the core connects them, with free inputs.

    ``keep``: the only assertions to check, by name or by group (None: all).
    """

    def __init__(
        self, end: CommandEnd, interrupts: Interrupts, keep: Container[str] | None = None
    ) -> None:
        self.end, self.interrupts, self.keep = end, interrupts, keep
        ports = {name: interrupts.signature.members[name] for name in ("enable", "clear")}
        events = {f"event_{name}": In(1) for name in LATCHED if name != "run_ended"}
        super().__init__(ports | events | {"waiting": In(1), "executing": In(1), "pending": In(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.command_end = end = self.end
        m.submodules.block = block = self.interrupts
        self.checks = checks = Checks(m, self.keep)
        events = {name: getattr(self, f"event_{name}") for name in LATCHED if name != "run_ended"}
        m.d.comb += [
            end.executing.eq(self.executing),
            end.pending.eq(self.pending),
            block.waiting.eq(self.waiting),
            block.enable.eq(self.enable),
            block.clear.eq(self.clear),
            block.events.run_ended.eq(end.ended),
            *(block.events[name].eq(event) for name, event in events.items()),
        ]
        # a command was executed, and its end was not told yet
        owed = Signal()
        m.d.sync += owed.eq(self.executing | (owed & self.pending))
        done = owed & ~self.executing & ~self.pending
        checks.always("ended.once", end.ended == done)
        checks.always("ended.active", end.active == (owed | self.executing))
        # each cause: its event is kept until a clear without an event
        for name, event in ({"run_ended": done} | events).items():
            told = Signal(name=f"told_{name}")
            with m.If(event):
                m.d.sync += told.eq(1)
            with m.Elif(self.clear[name]):
                m.d.sync += told.eq(0)
            checks.always(f"latched.{name}", block.cause[name] == told)
        waited, raised = Signal(), Signal()
        m.d.sync += [
            waited.eq(self.waiting),
            raised.eq(Cat(block.cause[name] & self.enable[name] for name in CAUSES).any()),
        ]
        checks.always(f"latched.{WAITING}", block.cause[WAITING] == waited)
        checks.always("line.irq", block.irq == raised)
        return m


class DataInProof(wiring.Component):
    """``DataIn`` under every packet; a memory that takes words at any time."""

    def __init__(self, config: CoreConfig, block: Any, keep: Container[str] | None = None) -> None:
        self.config, self.block, self.keep = config, block, keep
        super().__init__(block.signature)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.block = block = self.block
        wiring.connect(m, wiring.flipped(self), block)
        self.checks = checks = Checks(m, self.keep)
        assumed_transmitter(m, checks, self.axis)
        words, load, config = block.receiver.words, self.load, self.config
        taken = words.valid & words.ready
        size = config.max_points * config.point_words
        # the place of the present word, from the specification: first * point_words + index
        index, start, begun = Signal(40), Signal(40), Signal()
        first = Mux(begun, start, self.first * config.point_words)
        place = Signal(40)
        m.d.comb += place.eq(first + Mux(begun, index, 0))
        checks.assume(index < (1 << 30))  # no packet of a billion words
        with m.If(taken):
            m.d.sync += [
                begun.eq(~words.payload.last),
                start.eq(first),
                index.eq(Mux(begun, index, 0) + 1),
            ]
        inside = place < size
        good = words.payload.whole & inside
        checks.implies("hold.store", self.hold, ~load.valid)
        checks.implies("hold.take", self.hold, ~words.ready)
        checks.implies("stored.only", load.valid, words.valid & good)
        checks.implies("stored.place", load.valid, load.payload.addr == place)
        checks.implies("stored.word", load.valid, load.payload.word == words.payload.word)
        checks.implies("stored.once", taken & good, load.valid & load.ready)
        checks.implies("stored.taken", load.valid & load.ready, taken)
        # nothing is lost without a flag
        length, part = Signal(), Signal()
        short = words.payload.last & ((place + 1) % config.point_words != 0)
        for name, flag, event in (
            ("wrong_length", length, taken & (~inside | short)),
            ("incomplete", part, taken & ~words.payload.whole),
        ):
            with m.If(event):
                m.d.sync += flag.eq(1)
            with m.Elif(self.clear):
                m.d.sync += flag.eq(0)
            checks.always(f"told.{name}", getattr(self, name) == flag)
        error = Signal()
        m.d.sync += error.eq(taken & (~good | short))
        checks.always("told.error", self.error == error)
        if self.keep is None:
            memory = len(load.payload.addr)
            checks.always("inv.begun", block.beginning == ~begun)
            out = block.next_place[memory:] != 0
            checks.implies("inv.place", begun & (place <= size) & ~out, block.next_place == place)
            checks.implies("inv.out", begun, out == (place >= size))
            checks.implies("inv.start", begun, start % config.point_words == 0)
            checks.implies("inv.range", begun, start < config.point_words << POINT_BITS)
            register = block.receiver.register
            checks.always("inv.takes", register.takes == ~register.keeps)
        return m
