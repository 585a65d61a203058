"""The arbiter of commands for the array."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..array.interface import Op, array_request
from ..config import CoreConfig
from .programmer import Reader, program, tag


class CommandArbiter(wiring.Component):
    """Fixed priority: programmer, then raw operations, then accesses of the likelihood.

    An offer stays until it is taken, even if a source of higher priority has a command. Every READ
    and DOT leaves a tag for the result router, in order. It is offered only when there is room for
    the tag, because an offer must not be withdrawn. The programmer's tag comes with its command;
    the arbiter makes the others. ``tile``, ``top`` and ``inputs`` of a command are always those of
    the waiting access; they are meaningful in a DOT only.

    Attributes
    ----------
    program : In(stream of program)
        Commands of the programmer, with their tags.
    raw : In(stream of array_request)
        Raw operations.
    dots : In(stream of array_request)
        Accesses of the likelihood.
    hold_dots : In(1)
        Accesses wait.
    closed : In(1)
        No command is begun; an offer stays.
    commands : Out(stream of array_request)
        Commands, to the sequencer.
    tags : Out(stream of tag)
        Tags of READ and DOT, to the result router.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        request = stream.Signature(array_request(config))
        super().__init__(
            {
                "program": In(stream.Signature(program(config))),
                "raw": In(request),
                "dots": In(request),
                "hold_dots": In(1),
                "closed": In(1),
                "commands": Out(request),
                "tags": Out(stream.Signature(tag(config))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        out = self.commands
        dot_offered, raw_offered = Signal(), Signal()
        # no command begins while the arbiter is closed; an offer stays
        programming, raw, dot = Signal(), Signal(), Signal()
        begun = Signal()
        m.d.comb += [
            dot.eq(dot_offered | (~begun & ~self.program.valid & ~self.raw.valid)),
            raw.eq(raw_offered | (~begun & ~self.program.valid & self.raw.valid)),
            programming.eq(~dot & ~raw),
        ]
        fresh = ~self.closed | begun
        # fields of a DOT need no multiplexer
        m.d.comb += out.payload.eq(self.dots.payload)

        def choose(payload: Any) -> list[Any]:
            return [out.payload[name].eq(payload[name]) for name in ("op", "row", "device", "dac")]

        with m.If(programming):
            reads = self.program.payload.request.op == Op.READ
            may = fresh & (~reads | self.tags.ready)
            m.d.comb += [
                *choose(self.program.payload.request),
                out.valid.eq(self.program.valid & may),
                self.program.ready.eq(out.ready & may),
                self.tags.valid.eq(out.valid & out.ready & reads),
                self.tags.payload.eq(self.program.payload.tag),
            ]
        with m.Elif(raw):
            reads = self.raw.payload.op == Op.READ
            m.d.comb += [
                *choose(self.raw.payload),
                out.valid.eq(self.raw.valid & self.tags.ready & fresh),
                self.raw.ready.eq(out.ready & self.tags.ready & fresh),
                self.tags.payload.reader.eq(Reader.RAW),
                self.tags.valid.eq(out.valid & out.ready & reads),
            ]
        with m.Else():
            m.d.comb += [
                out.valid.eq(
                    self.dots.valid & self.tags.ready & (dot_offered | (~self.hold_dots & fresh))
                ),
                self.dots.ready.eq(
                    out.ready & self.tags.ready & (dot_offered | (~self.hold_dots & fresh))
                ),
                self.tags.payload.reader.eq(Reader.LIKELIHOOD),
                self.tags.valid.eq(out.valid & out.ready),
            ]
        waits = out.valid & ~out.ready
        m.d.sync += [
            begun.eq(waits),
            dot_offered.eq(waits & dot),
            raw_offered.eq(waits & raw),
        ]
        return m
