"""One access of the register bus at a time, with its checks and its answer."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..regs.bus import Bus
from ..regs.map import WORD_BYTES

WORD_BITS = 8 * WORD_BYTES
BYTE_BITS = (WORD_BYTES - 1).bit_length()
"""Address bits of a byte within its word."""


class AccessEngine(wiring.Component):
    """Accesses the register bus for a bridge, one word at a time.

    A request is taken if no other one is under way. Its strobe follows one clock later, its answer
    ``Bus.LATENCY`` clocks after the strobe. A read is a strobe of the bus if its address is a
    multiple of ``WORD_BYTES``; a write must also set every byte strobe. Any other request has no
    effect on the bus and is answered with ``error``, except a write without any byte strobe: it is
    answered without ``error``.

    Parameters
    ----------
    addr_width : int
        Address width of ``bus``.

    Attributes
    ----------
    request : In(1)
        An access is requested; the four ports that describe it are valid.
    address : In(addr_width + BYTE_BITS)
        Address of a byte.
    write : In(1)
        Write, rather than read.
    data : In(WORD_BITS)
        The word to write.
    strobes : In(WORD_BYTES)
        Bytes to write; not used by a read.
    withdrawn : In(1)
        The request that was taken is no longer there: it gets no answer.
    taken : Out(1)
        The request is taken in this clock.
    writing : Out(1)
        The request that was taken last is a write.
    done : Out(1)
        That request is answered in this clock.
    error : Out(1)
        Valid while ``done`` is high: nothing was written or read.
    r_data : Out(WORD_BITS)
        Valid while ``done`` is high: the word of a read.
    bus : Out(Bus)
        The register bus.
    """

    def __init__(self, addr_width: int) -> None:
        self.addr_width = addr_width
        super().__init__(
            {
                "request": In(1),
                "address": In(addr_width + BYTE_BITS),
                "write": In(1),
                "data": In(WORD_BITS),
                "strobes": In(WORD_BYTES),
                "withdrawn": In(1),
                "taken": Out(1),
                "writing": Out(1),
                "done": Out(1),
                "error": Out(1),
                "r_data": Out(WORD_BITS),
                "bus": Out(Bus(addr_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bus = self.bus
        refused = Signal()
        # of the access under way
        self.busy, self.kept, self.stages = Signal(), Signal(), Signal(1 + Bus.LATENCY)
        ends = self.stages[-1]
        aligned, whole, empty = Signal(), Signal(), Signal()
        m.d.comb += [
            self.taken.eq(self.request & ~self.busy),
            aligned.eq(~self.address[:BYTE_BITS].any()),
            whole.eq(~self.write | self.strobes.all()),
            empty.eq(self.write & ~self.strobes.any()),
        ]
        m.d.sync += [
            self.stages.eq(Cat(self.taken, self.stages)),
            bus.w_stb.eq(self.taken & self.write & aligned & whole),
            bus.r_stb.eq(self.taken & ~self.write & aligned),
        ]
        with m.If(self.taken):
            m.d.sync += [
                self.busy.eq(1),
                self.kept.eq(1),
                self.writing.eq(self.write),
                refused.eq(~(aligned & whole) & ~empty),
                bus.addr.eq(self.address[BYTE_BITS:]),
                bus.w_data.eq(self.data),
            ]
        with m.If(self.withdrawn):
            m.d.sync += self.kept.eq(0)
        with m.If(ends):
            m.d.sync += self.busy.eq(0)
        m.d.comb += [
            self.done.eq(ends & self.kept & ~self.withdrawn),
            self.error.eq(refused | bus.error),
            self.r_data.eq(bus.r_data),
        ]
        return m
