"""AXI4-Stream: packets of 32-bit words, with registers at every port."""

from __future__ import annotations

from typing import Any

from amaranth import Module, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..lib.fifo import StreamRegister

DATA_BYTES = 4


class Axi4Stream(wiring.Signature):
    """An AXI4-Stream with a transmitter that is ``Out``; the names are those of the specification.

    Attributes
    ----------
    tdata : Out(8 * DATA_BYTES)
        The word, its first byte in bits 7:0.
    tkeep : Out(DATA_BYTES)
        Bytes of the word that are data.
    tlast : Out(1)
        The word is the last one of its packet.
    tdest : Out(dest_bits)
        Route of the packet; only with ``dest_bits``.
    tvalid : Out(1)
        A word is offered; it stays until it is taken.
    tready : In(1)
        The word is taken if ``tvalid`` is high, too.
    """

    def __init__(self, dest_bits: int = 0) -> None:
        self.dest_bits = dest_bits
        ports: dict[str, Any] = {
            "tdata": Out(8 * DATA_BYTES),
            "tkeep": Out(DATA_BYTES),
            "tlast": Out(1),
        }
        if dest_bits:
            ports["tdest"] = Out(dest_bits)
        super().__init__(ports | {"tvalid": Out(1), "tready": In(1)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Axi4Stream) and self.dest_bits == other.dest_bits

    def __repr__(self) -> str:
        return f"Axi4Stream({self.dest_bits})"


def packet_word(dest_bits: int) -> data.StructLayout:
    """A word of a packet to send: ``last`` closes the packet, ``dest`` is its route."""
    return data.StructLayout(
        {"word": unsigned(8 * DATA_BYTES), "last": unsigned(1), "dest": unsigned(dest_bits)}
    )


RECEIVED_WORD = data.StructLayout(
    {"word": unsigned(8 * DATA_BYTES), "last": unsigned(1), "whole": unsigned(1)}
)
"""A word of a packet received: ``last`` closes the packet, ``whole``: all its bytes are data."""


class StreamTransmitter(wiring.Component):
    """Sends words as an AXI4-Stream. All outputs are registers; one word per clock, latency 1.

    Parameters
    ----------
    dest_bits : int
        Width of ``tdest``.

    Attributes
    ----------
    words : In(stream of packet_word)
        Words to send.
    axis : Out(Axi4Stream)
        The same words, in order.
    """

    def __init__(self, dest_bits: int) -> None:
        self.dest_bits = dest_bits
        self.register = StreamRegister(packet_word(dest_bits))
        super().__init__(
            {
                "words": In(stream.Signature(packet_word(dest_bits))),
                "axis": Out(Axi4Stream(dest_bits)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.register = register = self.register
        wiring.connect(m, wiring.flipped(self.words), register.input)
        payload = register.output.payload
        m.d.comb += [
            self.axis.tdata.eq(payload.word),
            self.axis.tkeep.eq((1 << DATA_BYTES) - 1),
            self.axis.tlast.eq(payload.last),
            self.axis.tdest.eq(payload.dest),
            self.axis.tvalid.eq(register.output.valid),
            register.output.ready.eq(self.axis.tready),
        ]
        return m


class StreamReceiver(wiring.Component):
    """Takes the words of an AXI4-Stream. ``tready`` is a register; one word per clock, latency 1.

    Attributes
    ----------
    axis : In(Axi4Stream)
        Packets.
    words : Out(stream of RECEIVED_WORD)
        Their words, in order.
    """

    def __init__(self) -> None:
        self.register = StreamRegister(RECEIVED_WORD)
        super().__init__({"axis": In(Axi4Stream()), "words": Out(stream.Signature(RECEIVED_WORD))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.register = register = self.register
        wiring.connect(m, register.output, wiring.flipped(self.words))
        payload = register.input.payload
        m.d.comb += [
            payload.word.eq(self.axis.tdata),
            payload.last.eq(self.axis.tlast),
            payload.whole.eq(self.axis.tkeep.all()),
            register.input.valid.eq(self.axis.tvalid),
            self.axis.tready.eq(register.input.ready),
        ]
        return m
