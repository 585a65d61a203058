"""Data points from a stream into the data memory."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..buses.axi4_stream import RECEIVED_WORD
from ..config import CoreConfig

POINT_BITS = 16
"""Width of ``data_in.first``."""
COUNT_BITS = 24
"""Width of ``data_in.state.words``."""


def placed_word(config: CoreConfig) -> data.StructLayout:
    """A word for the window ``points``."""
    width = (config.max_points * config.point_words - 1).bit_length()
    return data.StructLayout({"addr": unsigned(width), "word": unsigned(32)})


class DataLoader(wiring.Component):
    """Stores packets in the data memory, from a given point on, while no command runs.

    A word with bytes that are no data, and a word beyond the memory, are taken and not stored;
    ``incomplete`` and ``wrong_length`` report them. A packet that ends within a point sets
    ``wrong_length``, too. Both flags stay until they are cleared.

    Parameters
    ----------
    config : CoreConfig

    Attributes
    ----------
    words : In(stream of RECEIVED_WORD)
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
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(
            {
                "words": In(stream.Signature(RECEIVED_WORD)),
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
        words, load, config = self.words, self.load, self.config
        inner = (config.point_words - 1).bit_length()
        memory = len(load.payload.addr)
        # the place of the next word; too large once a packet left the memory
        next_place = Signal(POINT_BITS + inner + 1)
        place, beginning = Signal.like(next_place), Signal(init=1)
        fits, stored, taken = Signal(), Signal(), Signal()
        m.d.comb += [
            place.eq(Mux(beginning, Cat(Const(0, inner), self.first), next_place)),
            fits.eq(place[memory:] == 0),
            stored.eq(fits & words.payload.whole),
            load.valid.eq(words.valid & ~self.hold & stored),
            load.payload.addr.eq(place),
            load.payload.word.eq(words.payload.word),
            words.ready.eq(~self.hold & (load.ready | ~stored)),
            taken.eq(words.valid & words.ready),
        ]
        within = words.payload.last & ~place[:inner].all() if inner else Const(0)
        wrong, part = Signal(), Signal()
        m.d.comb += [wrong.eq(taken & (~fits | within)), part.eq(taken & ~words.payload.whole)]
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
