"""AXI4-Stream under every source, sink and reset: the rules of the specification (ARM IHI 0051).

Groups of assertions: ``valid`` (TVALID stays until TREADY and is low after a reset), ``stable``
(the payload stays, too), ``order`` (no word is lost, doubled or reordered: the output is that of a
queue), ``keep``, and ``inv``: invariants that close the induction.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from amaranth import Cat, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import wiring

from .checks import Checks

DEPTH = 4
"""Places of the queue that a block is compared with; more than the block has."""


def fields_of(axis: Any) -> Value:
    """The payload of an AXI4-Stream."""
    names = [name for name in axis.signature.members if name not in ("tvalid", "tready")]
    return Cat(getattr(axis, name) for name in names)


class Queue:
    """A queue of words in ``m``, for comparison.

    Attributes
    ----------
    head : Signal
        The oldest word.
    level : Signal
        Number of words.
    """

    def __init__(self, m: Module, width: int, push: Value, word: Value, pop: Value) -> None:
        words = [Signal(width, name=f"queue{i}") for i in range(DEPTH)]
        self.words, self.head, self.level = words, words[0], Signal(range(DEPTH + 1))
        after = Mux(pop, self.level - 1, self.level)
        m.d.sync += self.level.eq(after + push)
        for i, place in enumerate(words):
            following = words[i + 1] if i + 1 < DEPTH else 0
            m.d.sync += place.eq(Mux(push & (after == i), word, Mux(pop, following, place)))


def transmitter_rules(m: Module, checks: Checks, axis: Any) -> None:
    """The rules for a transmitter: its offers are kept, and there is none after a reset."""
    payload = fields_of(axis)
    offered, before, past_reset = Signal(), Signal(len(payload)), Signal(init=1, reset_less=True)
    m.d.sync += [
        offered.eq(axis.tvalid & ~axis.tready),
        before.eq(payload),
        past_reset.eq(ResetSignal()),
    ]
    checks.implies("valid.stays", offered, axis.tvalid)
    checks.implies("valid.reset", past_reset, ~axis.tvalid)
    checks.implies("stable.payload", offered, payload == before)


def assumed_transmitter(m: Module, checks: Checks, axis: Any) -> None:
    """The environment follows the same rules."""
    payload = fields_of(axis)
    offered, before = Signal(), Signal(len(payload))
    m.d.sync += [offered.eq(axis.tvalid & ~axis.tready), before.eq(payload)]
    checks.assume(~offered | (axis.tvalid & (payload == before)))


class StreamProof(wiring.Component):
    """A ``StreamTransmitter`` or ``StreamReceiver`` with free inputs, and its properties.

    ``keep``: the only assertions to check, by name or by group (None: all, and the invariants).
    """

    def __init__(self, block: Any, keep: Container[str] | None = None) -> None:
        self.block, self.keep = block, keep
        super().__init__(block.signature)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.block = block = self.block
        wiring.connect(m, wiring.flipped(self), block)
        self.checks = checks = Checks(m, self.keep)
        words, axis = self.words, self.axis
        word = Value.cast(words.payload)
        sends = hasattr(block, "dest_bits")
        taken, given = words.valid & words.ready, axis.tvalid & axis.tready
        if sends:
            transmitter_rules(m, checks, axis)
            checks.implies("keep.all", axis.tvalid, axis.tkeep.all())
            inner = Cat(axis.tdata, axis.tlast, axis.tdest)
            queue = Queue(m, len(word), taken, word, given)
            checks.implies("order.head", axis.tvalid, inner == queue.head)
            valid, ready = axis.tvalid, words.ready
        else:
            assumed_transmitter(m, checks, axis)
            received = Cat(axis.tdata, axis.tlast, axis.tkeep.all())
            queue = Queue(m, len(word), given, received, taken)
            checks.implies("order.head", words.valid, word == queue.head)
            valid, ready = words.valid, axis.tready
        checks.always("order.level", valid == (queue.level != 0))
        if self.keep is None:
            register = block.register
            checks.always("inv.takes", register.takes == ~register.keeps)
            checks.always("inv.level", queue.level == valid + register.keeps)
            second = Value.cast(register.following) == queue.words[1]
            checks.implies("inv.second", register.keeps, second)
            checks.implies("inv.ready", queue.level < 2, ready)
        return m
