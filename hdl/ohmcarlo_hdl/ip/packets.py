"""Record words as packets: the last word of a record, or of a command, is marked."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.spec.link import RECORD_PREDICTION

from ..buses.axi4_stream import packet_word

KIND_BITS = bits_for(RECORD_PREDICTION)
"""Width of the kind of a record, which is the route of its words."""


class Packets(wiring.Component):
    """Marks the last word of every packet.

    A word that may be the last one is kept until it is known: the next word arrives, or the command
    has ended. A packet that ``restart`` cuts ends with its last word that was taken.

    Attributes
    ----------
    words : In(stream of packet_word)
        Words of records; ``last`` closes a record, ``dest`` is its kind.
    whole_command : In(1)
        A packet is all records of a command. 0: one record.
    ended : In(1)
        No word will come before the next command.
    restart : In(1)
        The rest of a record under way will never come; ``words`` is not valid in the next clock.
    packets : Out(stream of packet_word)
        The same words; ``last`` closes a packet.
    empty : Out(1)
        No word is kept.
    """

    def __init__(self) -> None:
        shape = packet_word(KIND_BITS)
        self.kept: Any = Signal(shape, name="kept", reset_less=True)
        self.cut = Signal(name="cut")  # ``kept`` is the last word of its packet
        super().__init__(
            {
                "words": In(stream.Signature(shape)),
                "whole_command": In(1),
                "ended": In(1),
                "restart": In(1),
                "packets": Out(stream.Signature(shape)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        words, packets = self.words, self.packets
        kept, cut, keeps, last = self.kept, self.cut, Signal(), Signal()
        m.d.comb += [
            last.eq(cut | self.ended | Mux(self.whole_command, 0, kept.last)),
            packets.valid.eq(keeps & (last | words.valid)),
            packets.payload.word.eq(kept.word),
            packets.payload.dest.eq(kept.dest),
            packets.payload.last.eq(last),
            words.ready.eq(~keeps | (packets.ready & packets.valid)),
            self.empty.eq(~keeps),
        ]
        with m.If(words.valid & words.ready):
            m.d.sync += [keeps.eq(1), kept.eq(words.payload)]
        with m.Elif(packets.valid & packets.ready):
            m.d.sync += keeps.eq(0)
        with m.If(self.restart):
            m.d.sync += cut.eq(1)
        with m.Elif(~keeps | (packets.valid & packets.ready)):
            m.d.sync += cut.eq(0)
        with m.Elif(self.ended):  # the next command may begin before the word is taken
            m.d.sync += cut.eq(1)
        return m
