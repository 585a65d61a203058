"""A board without a processor: the bit-serial controller, its registers on a serial line."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.errors import UsageError
from ohmcarlo.spec.bit_serial_link import ADDRESS_BYTES, FLAG_BYTES, READ, SAMPLE, WORD_BYTES, WRITE

from ..bit_serial.core import BitSerialCore
from ..config import BitSerialConfig
from ..core.interface import RECORD_WORD
from ..regs.bus import Bus
from .uart import BYTE_BITS, DIVISOR_BITS, LEAST_DIVISOR, UartReceiver, UartTransmitter

WORD = BYTE_BITS * WORD_BYTES


class SerialBridge(wiring.Component):
    """Requests of ``ohmcarlo.spec.bit_serial_link`` on the line become accesses of the bus.

    Bytes that arrive while an answer is sent are lost.

    Parameters
    ----------
    addr_width : int
        Address width of the bus.
    divisor : int
        Clocks of a bit.

    Attributes
    ----------
    rx : In(1)
        Serial line from the host.
    tx : Out(1)
        Serial line to the host.
    bus : Out(Bus)
        Registers of the controller.
    samples : In(stream of RECORD_WORD)
        Sample records of the controller.
    """

    def __init__(self, addr_width: int, divisor: int) -> None:
        if not LEAST_DIVISOR <= divisor < 1 << DIVISOR_BITS:
            raise UsageError(
                f"a bit of the serial line takes {divisor} clocks: choose a baud rate for "
                f"{LEAST_DIVISOR} to {(1 << DIVISOR_BITS) - 1}"
            )
        self.divisor = divisor
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "bus": Out(Bus(addr_width)),
                "samples": In(stream.Signature(RECORD_WORD)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver()
        m.submodules.transmitter = transmitter = UartTransmitter()
        byte, sample = receiver.received, self.samples.payload
        # arguments of a request come in at the top, an answer leaves at the bottom
        line = Signal(BYTE_BITS * (ADDRESS_BYTES + WORD_BYTES))
        left = Signal(range(ADDRESS_BYTES + WORD_BYTES + 1))
        writes = Signal()
        m.d.comb += [
            receiver.rx.eq(self.rx),
            receiver.divisor.eq(self.divisor),
            self.tx.eq(transmitter.tx),
            transmitter.divisor.eq(self.divisor),
            transmitter.bytes.payload.eq(line),
            self.bus.addr.eq(Mux(writes, line, line[WORD:])),
            self.bus.w_data.eq(line[len(line) - WORD :]),
        ]
        with m.FSM(name="state"):
            with m.State("REQUEST"), m.If(byte.valid):
                with m.Switch(byte.byte):
                    with m.Case(WRITE):
                        m.d.sync += [writes.eq(1), left.eq(ADDRESS_BYTES + WORD_BYTES)]
                        m.next = "ARGUMENTS"
                    with m.Case(READ):
                        m.d.sync += [writes.eq(0), left.eq(ADDRESS_BYTES)]
                        m.next = "ARGUMENTS"
                    with m.Case(SAMPLE):
                        m.next = "SAMPLE"
            with m.State("ARGUMENTS"):
                with m.If(byte.valid):
                    m.d.sync += [line.eq(Cat(line[BYTE_BITS:], byte.byte)), left.eq(left - 1)]
                with m.If(left == 0):
                    m.d.comb += [self.bus.w_stb.eq(writes), self.bus.r_stb.eq(~writes)]
                    m.d.sync += left.eq(Bus.LATENCY)
                    m.next = "READ"
                    with m.If(writes):
                        m.next = "REQUEST"
            with m.State("READ"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 1):
                    m.d.sync += [line.eq(self.bus.r_data), left.eq(WORD_BYTES)]
                    m.next = "ANSWER"
            with m.State("SAMPLE"):
                m.d.comb += self.samples.ready.eq(1)
                there = self.samples.valid
                flags = Cat(there, there & sample.last, Const(0, BYTE_BITS * FLAG_BYTES - 2))
                m.d.sync += [line.eq(Cat(flags, sample.word)), left.eq(FLAG_BYTES + WORD_BYTES)]
                m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += transmitter.bytes.valid.eq(left != 0)
                with m.If(left == 0):
                    m.next = "REQUEST"
                with m.Elif(transmitter.bytes.ready):
                    m.d.sync += [line.eq(line >> BYTE_BITS), left.eq(left - 1)]
        return m


class BitSerialBoard(wiring.Component):
    """The bit-serial controller with its emulated array behind a serial line.

    Parameters
    ----------
    config : BitSerialConfig
    clock_hz, baud : int
        Frequency of the clock and of the line's bits; their quotient is rounded.

    Attributes
    ----------
    rx : In(1)
        Serial line from the host.
    tx : Out(1)
        Serial line to the host.
    busy : Out(1)
        A command is executed.
    pulse : Out(1)
        The array is programmed or read.
    """

    def __init__(self, config: BitSerialConfig, clock_hz: int, baud: int) -> None:
        self.config = config
        self.core = BitSerialCore(config)
        self.bridge = SerialBridge(self.core.map.addr_width, round(clock_hz / baud))
        super().__init__(
            {"rx": In(1, init=1), "tx": Out(1, init=1), "busy": Out(1), "pulse": Out(1)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.core = core = self.core
        m.submodules.bridge = bridge = self.bridge
        wiring.connect(m, bridge.bus, core.bus)
        wiring.connect(m, core.samples, bridge.samples)
        m.d.comb += [
            bridge.rx.eq(self.rx),
            self.tx.eq(bridge.tx),
            self.busy.eq(core.busy),
            self.pulse.eq(Cat(core.lines[n] for n in ("reset", "set", "read", "dot")).any()),
        ]
        return m
