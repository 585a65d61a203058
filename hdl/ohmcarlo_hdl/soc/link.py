"""The serial link: UART and the rings between it and software."""

from __future__ import annotations

from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..lib.window import Access, Window
from .rings import COUNT_BITS, ReceiveRing, TransmitRing
from .uart import BYTE_BITS, DIVISOR_BITS, UartReceiver, UartTransmitter


class SerialLink(wiring.Component):
    """The serial link; ports are named after the group ``uart`` of the board's register map.

    Parameters
    ----------
    rx_bytes, tx_bytes : int
        Sizes of the rings, powers of two.

    Attributes
    ----------
    rx : In(1)
        Serial line from the host.
    tx : Out(1)
        Serial line to the host.
    divisor : In(DIVISOR_BITS)
        Clocks of a bit.
    received : Out(COUNT_BITS)
        Bytes received.
    taken : In(COUNT_BITS)
        Bytes that software has read.
    lost : Out(COUNT_BITS)
        Bytes lost: no stop bit, or no room.
    put : In(COUNT_BITS)
        Bytes that software has written.
    sent : Out(COUNT_BITS)
        Bytes sent.
    rx_window : In(Access)
        Ring of received bytes.
    tx_window : In(Window)
        Ring of bytes to send.
    quiet : Out(1)
        No byte is on the line or in a ring.
    """

    def __init__(self, rx_bytes: int, tx_bytes: int) -> None:
        self.rx_bytes, self.tx_bytes = rx_bytes, tx_bytes
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "divisor": In(DIVISOR_BITS),
                "received": Out(COUNT_BITS),
                "taken": In(COUNT_BITS),
                "lost": Out(COUNT_BITS),
                "put": In(COUNT_BITS),
                "sent": Out(COUNT_BITS),
                "rx_window": In(Access(bits_for(rx_bytes - 1))),
                "tx_window": In(Window(bits_for(tx_bytes - 1))),
                "quiet": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver()
        m.submodules.transmitter = transmitter = UartTransmitter()
        m.submodules.rx_ring = rx = ReceiveRing(BYTE_BITS, self.rx_bytes)
        m.submodules.tx_ring = tx = TransmitRing(BYTE_BITS, self.tx_bytes)
        wiring.connect(m, tx.output, transmitter.bytes)
        wiring.connect(m, wiring.flipped(self.rx_window), rx.window)
        wiring.connect(m, wiring.flipped(self.tx_window), tx.window)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            receiver.divisor.eq(self.divisor),
            transmitter.divisor.eq(self.divisor),
            # a byte is lost if the ring is full: the line has no back-pressure
            rx.input.valid.eq(receiver.received.valid),
            rx.input.payload.eq(receiver.received.byte),
            rx.taken.eq(self.taken),
            self.received.eq(rx.received),
            tx.put.eq(self.put),
            self.sent.eq(tx.sent),
            self.quiet.eq(
                ~receiver.busy
                & ~receiver.received.valid
                & ~transmitter.busy
                & (rx.received == self.taken)
                & (tx.sent == self.put)
            ),
        ]
        no_room = receiver.received.valid & ~rx.input.ready
        m.d.sync += self.lost.eq(self.lost + (receiver.error | no_room))
        return m
