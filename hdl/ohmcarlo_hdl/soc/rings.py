"""Rings between streams and software: see ``ohmcarlo_board`` of the register map.

Writer and reader count their items modulo 2**32. The place of an item is its number modulo the size
of the ring.
"""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from ..lib.window import Access, Window

COUNT_BITS = 32


class ReceiveRing(wiring.Component):
    """A ring from a stream to software.

    Parameters
    ----------
    width, items : int
        Bits of an item, and number of items, a power of two.
    first : int
        Number of the first item, which both sides count from.

    Attributes
    ----------
    input : In(stream of items)
        Items for software.
    received : Out(COUNT_BITS)
        Items put into the ring; each can be read as soon as it is counted.
    taken : In(COUNT_BITS)
        Items that software has read.
    window : In(Access)
        The ring.
    """

    def __init__(self, width: int, items: int, first: int = 0) -> None:
        self.width, self.items = width, items
        super().__init__(
            {
                "input": In(stream.Signature(width)),
                "received": Out(COUNT_BITS, init=first),
                "taken": In(COUNT_BITS),
                "window": In(Access(bits_for(items - 1))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=unsigned(self.width), depth=self.items, init=[])
        write, read = memory.write_port(), memory.read_port()
        inside = Signal(COUNT_BITS)
        m.d.comb += [
            inside.eq(self.received - self.taken),
            self.input.ready.eq(inside < self.items),
            write.en.eq(self.input.valid & self.input.ready),
            write.addr.eq(self.received[: exact_log2(self.items)]),
            write.data.eq(self.input.payload),
            read.en.eq(self.window.r_stb),
            read.addr.eq(self.window.r_addr),
            self.window.r_data.eq(read.data),
        ]
        m.d.sync += self.received.eq(self.received + write.en)
        return m


class TransmitRing(wiring.Component):
    """A ring from software to a stream.

    Parameters
    ----------
    width, items : int
        Bits of an item, and number of items, a power of two.
    first : int
        Number of the first item, which both sides count from.

    Attributes
    ----------
    window : In(Window)
        The ring.
    put : In(COUNT_BITS)
        Items that software has written; counted after the write.
    sent : Out(COUNT_BITS)
        Items that left the ring.
    output : Out(stream of items)
        The items, in order.
    """

    def __init__(self, width: int, items: int, first: int = 0) -> None:
        self.width, self.items = width, items
        super().__init__(
            {
                "window": In(Window(bits_for(items - 1))),
                "put": In(COUNT_BITS),
                "sent": Out(COUNT_BITS, init=first),
                "output": Out(stream.Signature(width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=unsigned(self.width), depth=self.items, init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(self.window.stb),
            write.addr.eq(self.window.addr),
            write.data.eq(self.window.data),
            read.addr.eq(self.sent[: exact_log2(self.items)]),
            self.output.payload.eq(read.data),
        ]
        with m.FSM(name="state"):
            with m.State("FETCH"):
                m.d.comb += read.en.eq(1)
                with m.If(self.put != self.sent):
                    m.next = "OFFER"
            with m.State("OFFER"):
                m.d.comb += [read.en.eq(0), self.output.valid.eq(1)]
                with m.If(self.output.ready):
                    m.d.sync += self.sent.eq(self.sent + 1)
                    m.next = "FETCH"
        return m
