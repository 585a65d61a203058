"""Serial line: 8 data bits, the lowest first, no parity, one stop bit."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

DIVISOR_BITS = 16
BYTE_BITS = 8
LEAST_DIVISOR = 2

RECEIVED = data.StructLayout({"valid": unsigned(1), "byte": unsigned(BYTE_BITS)})
"""A received byte, for one clock; a serial line has no back-pressure."""


class UartReceiver(wiring.Component):
    """Bytes from a serial line, which is sampled in the middle of each bit.

    A low pulse shorter than half a bit is no start bit. After an ``error`` the receiver waits until
    the line has been high again.

    Attributes
    ----------
    rx : In(1)
        Serial line.
    divisor : In(DIVISOR_BITS)
        Clocks of a bit; values below LEAST_DIVISOR count as LEAST_DIVISOR.
    received : Out(RECEIVED)
        A byte, for one clock; no back-pressure.
    error : Out(1)
        A byte had no stop bit; for one clock.
    busy : Out(1)
        High from the start bit to the middle of the stop bit.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "rx": In(1, init=1),
                "divisor": In(DIVISOR_BITS),
                "received": Out(RECEIVED),
                "error": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        divisor, count = Signal(DIVISOR_BITS), Signal(DIVISOR_BITS)
        m.d.comb += divisor.eq(Mux(self.divisor < LEAST_DIVISOR, LEAST_DIVISOR, self.divisor))
        byte, left = self.received.byte, Signal(range(BYTE_BITS + 1))
        sample = Signal()
        m.d.sync += [self.received.valid.eq(0), self.error.eq(0)]
        m.d.comb += sample.eq(count == 0)
        m.d.sync += count.eq(Mux(sample, divisor - 1, count - 1))
        with m.FSM(name="state") as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE") | ~line)
            with m.State("IDLE"):
                m.d.sync += [count.eq((divisor >> 1) - 1), left.eq(BYTE_BITS)]
                with m.If(~line):
                    m.next = "START"
            with m.State("START"), m.If(sample):
                m.next = "DATA"
                with m.If(line):
                    m.next = "IDLE"
            with m.State("DATA"), m.If(sample):
                m.d.sync += [byte.eq(Cat(byte[1:], line)), left.eq(left - 1)]
                with m.If(left == 1):
                    m.next = "STOP"
            with m.State("STOP"), m.If(sample):
                m.next = "IDLE"
                m.d.sync += self.received.valid.eq(line)
                with m.If(~line):
                    m.d.sync += self.error.eq(1)
                    m.next = "BREAK"
            with m.State("BREAK"), m.If(line):
                m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Bytes to a serial line.

    Attributes
    ----------
    bytes : In(stream of bytes)
        Bytes to send.
    divisor : In(DIVISOR_BITS)
        As in ``UartReceiver``.
    tx : Out(1)
        Serial line.
    busy : Out(1)
        A byte is on the line.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "bytes": In(stream.Signature(BYTE_BITS)),
                "divisor": In(DIVISOR_BITS),
                "tx": Out(1, init=1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        last = Signal(DIVISOR_BITS)
        m.d.comb += last.eq(Mux(self.divisor < LEAST_DIVISOR, LEAST_DIVISOR, self.divisor) - 1)
        count = Signal(DIVISOR_BITS)
        shift = Signal(BYTE_BITS + 1)
        left = Signal(range(BYTE_BITS + 3))  # bits that are not complete
        m.d.comb += [self.busy.eq(left != 0), self.bytes.ready.eq(left == 0)]
        with m.If(self.busy):
            m.d.sync += count.eq(count - 1)
            with m.If(count == 0):
                m.d.sync += [
                    count.eq(last),
                    left.eq(left - 1),
                    Cat(self.tx, shift).eq(Cat(shift, Const(1, 1))),
                ]
        with m.Elif(self.bytes.valid):
            m.d.sync += [
                count.eq(last),
                left.eq(BYTE_BITS + 2),
                Cat(self.tx, shift).eq(Cat(Const(0, 1), self.bytes.payload, Const(1, 1))),
            ]
        return m
