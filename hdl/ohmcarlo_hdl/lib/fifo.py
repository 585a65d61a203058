"""Blocks between two streams: a FIFO, register stages, and a register of ``ready``."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out


class StreamFifo(wiring.Component):
    """A FIFO: latency 2 clocks, one item per clock.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the items.
    depth : int
        Number of items.

    Attributes
    ----------
    input : In(stream of shape)
        Items to keep.
    output : Out(stream of shape)
        The same items, in order.
    level : Out(range(depth + 1))
        Number of items inside.
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "input": In(stream.Signature(shape)),
                "output": Out(stream.Signature(shape)),
                "level": Out(range(depth + 1)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        payload = Value.cast(self.input.payload)
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=len(payload), depth=self.depth)
        m.d.comb += [
            fifo.w_data.eq(payload),
            fifo.w_en.eq(self.input.valid),
            self.input.ready.eq(fifo.w_rdy),
            Value.cast(self.output.payload).eq(fifo.r_data),
            self.output.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.output.ready),
            self.level.eq(fifo.level),
        ]
        return m


class StagePorts(wiring.Signature):
    """Ports of a stage between two streams.

    Attributes
    ----------
    input : In(stream of shape)
        Items to pass on.
    output : Out(stream of shape)
        The same items, in order.
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__(
            {"input": In(stream.Signature(shape)), "output": Out(stream.Signature(shape))}
        )


class StreamRegister(wiring.Component):
    """One register stage: latency 1 clock, one item per clock.

    There is no combinational path through it, neither from ``input`` to ``output`` nor from
    ``output.ready`` to ``input.ready``: a second register keeps the item that arrives while the
    output stalls.

    Attributes
    ----------
    input, output : StagePorts
        As in ``StagePorts``.
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__(StagePorts(shape))
        # the next output payload, when the output is taken or free
        self.following: Any = Signal(shape, name="following")
        # two items are inside; and the inverse, which drives every bit
        self.keeps, self.takes = Signal(name="keeps"), Signal(name="takes", init=1)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        keeps, takes = self.keeps, self.takes
        self._store(m, keeps, takes)
        m.d.comb += self.input.ready.eq(takes)
        with m.If(self.output.ready | ~self.output.valid):
            m.d.sync += [
                self.output.valid.eq(keeps | self.input.valid),
                keeps.eq(0),
                takes.eq(1),
            ]
        with m.Elif(takes):
            m.d.sync += [keeps.eq(self.input.valid), takes.eq(~self.input.valid)]
        return m

    def _store(self, m: Module, keeps: Signal, takes: Signal) -> None:
        """Keep the items: drive ``following`` and the payload of the output."""
        payload = Value.cast(self.input.payload)
        kept = Signal(len(payload), reset_less=True)
        m.d.comb += Value.cast(self.following).eq(Mux(keeps, kept, payload))
        with m.If(~keeps):
            m.d.sync += kept.eq(payload)
        with m.If(self.output.ready | ~self.output.valid):
            m.d.sync += self.output.payload.eq(self.following)


class AlternatingRegister(StreamRegister):
    """A ``StreamRegister`` for wide items, equal to it clock by clock.

    Two registers alternate and a multiplexer follows, so that ``output.ready`` drives a pointer
    instead of the enable of every bit.

    Attributes
    ----------
    input, output : StagePorts
        As in ``StagePorts``.
    """

    def _store(self, m: Module, keeps: Signal, takes: Signal) -> None:
        payload = Value.cast(self.input.payload)
        kept = [Signal(len(payload), name=f"kept_{i}", reset_less=True) for i in range(2)]
        reads, writes = Signal(), Signal()  # the register to read, and to write
        for i in range(2):
            # the selected register samples its input in every clock
            with m.If(takes & (writes == i)):
                m.d.sync += kept[i].eq(payload)
        m.d.comb += [
            Value.cast(self.output.payload).eq(Mux(reads, kept[1], kept[0])),
            Value.cast(self.following).eq(Mux(keeps, Mux(reads, kept[0], kept[1]), payload)),
        ]
        m.d.sync += [
            reads.eq(reads ^ (self.output.ready & self.output.valid)),
            writes.eq(writes ^ (takes & self.input.valid)),
        ]


class ReadyRegister(wiring.Component):
    """Cuts the path from ``output.ready`` to ``input.ready`` without latency, one item per clock.

    A register keeps the item that arrives while the output stalls.

    Attributes
    ----------
    input, output : StagePorts
        As in ``StagePorts``.
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__(StagePorts(shape))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        payload = Value.cast(self.input.payload)
        kept, keeps = Signal(len(payload), reset_less=True), Signal()
        m.d.comb += [
            self.input.ready.eq(~keeps),
            self.output.valid.eq(keeps | self.input.valid),
            Value.cast(self.output.payload).eq(Mux(keeps, kept, payload)),
        ]
        with m.If(~keeps):
            m.d.sync += kept.eq(payload)
        m.d.sync += keeps.eq(self.output.valid & ~self.output.ready)
        return m
