"""Counters of array operations, steps, samples and points."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.hdl import ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..array.interface import Op
from ..config import REFERENCE, CoreConfig
from ..lib.window import Access

COUNTER_BITS = 64
OPERATIONS = {
    "form": Op.FORM,
    "reset": Op.RESET,
    "set": Op.SET,
    "read": Op.READ,
    "dot": Op.DOT,
}
COUNTED = ("clocks", *OPERATIONS, "invalid", "samples", "points")


class Counters(wiring.Component):
    """64-bit counters since the last reset.

    An operation is counted one clock after its request. A RESET of a row counts once. Accesses that
    were under way when a proposal was rejected count as DOT, although they evaluate no point.

    Attributes
    ----------
    busy : In(1)
        Count ``clocks``.
    request : In(1)
        An operation was sent to the array.
    op : In(3)
        That operation.
    step : In(1)
        A step ended.
    valid : In(1)
        Its proposal was valid.
    accepted : In(1)
        Its proposal was accepted.
    evaluated : In(position_bits + 1)
        Data points that it evaluated.
    state : In(Access)
        The counters in the order of ``COUNTED``, lower half first; while nothing is counted.
    clocks : Out(COUNTER_BITS)
        Clocks with ``busy``.
    form, reset, set, read, dot : Out(COUNTER_BITS)
        Operations of the array.
    invalid : Out(COUNTER_BITS)
        Steps with an invalid proposal.
    samples : Out(COUNTER_BITS)
        Accepted proposals.
    points : Out(COUNTER_BITS)
        Data points evaluated.
    """

    def __init__(self, config: CoreConfig = REFERENCE) -> None:
        super().__init__(
            {
                "busy": In(1),
                "request": In(1),
                "op": In(3),
                "step": In(1),
                "valid": In(1),
                "accepted": In(1),
                "evaluated": In(config.position_bits + 1),
                "state": In(Access(bits_for(2 * len(COUNTED) - 1))),
            }
            | {name: Out(COUNTER_BITS) for name in COUNTED}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        window = self.state
        half = Signal()
        m.d.sync += half.eq(window.r_addr[0])

        def asked(name: str) -> Value:
            return window.r_stb & (window.r_addr[1:] == COUNTED.index(name))

        # at most one operation per clock: one adder for all of them
        old, new = Signal(COUNTER_BITS), Signal(COUNTER_BITS)
        m.d.comb += new.eq(old + 1)
        for name, op in OPERATIONS.items():
            this, chosen = Signal(name=f"{name}_went"), Signal(name=f"{name}_chosen")
            m.d.sync += [
                this.eq(self.request & (self.op == op)),
                chosen.eq(Mux(window.r_stb, asked(name), self.op == op)),
            ]
            with m.If(chosen):
                m.d.comb += old.eq(getattr(self, name))
            self._put(m, name, this, new)

        others: dict[str, tuple[Value, ValueLike]] = {
            "clocks": (self.busy, 1),
            "invalid": (self.step & ~self.valid, 1),
            "samples": (self.step & self.accepted, 1),
            "points": (self.step, self.evaluated),
        }
        shown: Value = old  # zero, if another counter is read
        for name, (enable, more) in others.items():
            count = getattr(self, name)
            self._put(m, name, enable, (count + more)[:COUNTER_BITS])
            looked_at = Signal(name=f"{name}_looked_at")
            m.d.sync += looked_at.eq(asked(name))
            shown |= looked_at.replicate(COUNTER_BITS) & count
        m.d.comb += window.r_data.eq(shown.word_select(half, 32))
        return m

    def _put(self, m: Module, name: str, enable: Value, value: Value) -> None:
        """Count, or load a half; the choice is the same for all counters."""
        count, window = getattr(self, name), self.state
        for half in range(2):
            word = slice(32 * half, 32 * half + 32)
            there = window.addr == 2 * COUNTED.index(name) + half
            with m.If(Mux(window.stb, there, enable)):
                m.d.sync += count[word].eq(Mux(window.stb, window.data, value[word]))
