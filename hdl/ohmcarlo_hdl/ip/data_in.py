"""Data points from a stream: into the data memory, or to evaluations."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, ResetInserter, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..buses.axi4_stream import Axi4Stream, StreamReceiver
from ..config import CoreConfig
from ..core.point_stream import POINT_WORD

POINT_BITS = 16
"""Width of ``data_in.first``."""
COUNT_BITS = 24
"""Width of ``data_in.state.words``."""


def placed_word(config: CoreConfig) -> data.StructLayout:
    """A word for the window ``points``."""
    width = (config.max_points * config.point_words - 1).bit_length()
    return data.StructLayout({"addr": unsigned(width), "word": unsigned(32)})


class DataIn(wiring.Component):
    """Stores packets in the data memory, from a given point on, while no command runs.

    A word with bytes that are no data, and a word beyond the memory, are taken and not stored;
    ``incomplete`` and ``wrong_length`` report them. A packet that ends within a point sets
    ``wrong_length``, too. Both flags stay until they are cleared.

    With ``config.max_streamed_points`` and ``streamed``, the words go to the evaluations instead.
    A word with bytes that are no data is left out and reported, so that its pass has the wrong
    length.

    Parameters
    ----------
    config : CoreConfig

    Attributes
    ----------
    axis : In(Axi4Stream)
        Packets.
    hold : In(1)
        A command runs: nothing is taken.
    first : In(POINT_BITS)
        Point at which the next packet begins.
    clear : In(1)
        Clear both flags.
    load : Out(stream of placed_word)
        Words for the data memory.
    count : Out(COUNT_BITS)
        Words of the present or the last packet, stored or not; stays at its greatest value.
    wrong_length : Out(1)
        A packet was too long for the memory, or ended within a point.
    incomplete : Out(1)
        A word had bytes that are no data.
    error : Out(1)
        A flag is set, or set again; high for one clock.
    streamed : In(1)
        Words go to ``points``; only with ``max_streamed_points``.
    restart : In(1)
        Drop the words for ``points`` that were received; only with ``max_streamed_points``.
    points : Out(stream of POINT_WORD)
        Words of points for evaluations; only with ``max_streamed_points``.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        self.receiver = StreamReceiver()
        # the place of the next word; beyond the memory once a packet left it
        inner = (config.point_words - 1).bit_length()
        self.next_place = Signal(POINT_BITS + inner + 1)
        self.beginning = Signal(init=1)  # the next word is the first one of a packet
        points = {
            "streamed": In(1),
            "restart": In(1),
            "points": Out(stream.Signature(POINT_WORD)),
        }
        super().__init__(
            (points if config.max_streamed_points else {})
            | {
                "axis": In(Axi4Stream()),
                "hold": In(1),
                "first": In(POINT_BITS),
                "clear": In(1),
                "load": Out(stream.Signature(placed_word(config))),
                "count": Out(COUNT_BITS),
                "wrong_length": Out(1),
                "incomplete": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        load, config = self.load, self.config
        receiver, streamed = self.receiver, Signal()
        if config.max_streamed_points:
            m.d.comb += streamed.eq(self.streamed)
            m.submodules.receiver = ResetInserter(self.restart & streamed)(receiver)
        else:
            m.submodules.receiver = receiver
        wiring.connect(m, wiring.flipped(self.axis), receiver.axis)
        words = receiver.words
        inner = (config.point_words - 1).bit_length()
        memory = len(load.payload.addr)
        next_place, beginning = self.next_place, self.beginning
        place = Signal.like(next_place)
        fits, stored, taken = Signal(), Signal(), Signal()
        hold, whole = self.hold | streamed, words.payload.whole
        m.d.comb += [
            place.eq(Mux(beginning, Cat(Const(0, inner), self.first), next_place)),
            fits.eq(place[memory:] == 0),
            stored.eq(fits & whole),
            load.valid.eq(words.valid & ~hold & stored),
            load.payload.addr.eq(place),
            load.payload.word.eq(words.payload.word),
            words.ready.eq(~hold & (load.ready | ~stored)),
            taken.eq(words.valid & words.ready & ~streamed),
        ]
        within = words.payload.last & ~place[:inner].all() if inner else Const(0)
        wrong, part = Signal(), Signal()
        m.d.comb += [
            wrong.eq(taken & (~fits | within)),
            part.eq(words.valid & words.ready & ~whole),
        ]
        if config.max_streamed_points:
            m.d.comb += [
                self.points.payload.word.eq(words.payload.word),
                self.points.payload.last.eq(words.payload.last),
                self.points.valid.eq(words.valid & whole & streamed),
            ]
            with m.If(streamed):
                m.d.comb += words.ready.eq(self.points.ready | ~whole)
        count = Mux(beginning, 0, self.count)
        with m.If(taken):
            m.d.sync += [
                beginning.eq(words.payload.last),
                next_place.eq(place + fits),
                self.count.eq(count + ~count.all()),
            ]
        m.d.sync += [
            self.wrong_length.eq(wrong | (self.wrong_length & ~self.clear)),
            self.incomplete.eq(part | (self.incomplete & ~self.clear)),
            self.error.eq(wrong | part),
        ]
        return m
