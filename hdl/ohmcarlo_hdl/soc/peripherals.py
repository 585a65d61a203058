"""The peripherals behind the board's registers."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..regs.bank import RegisterBank
from ..regs.bus import Bus
from ..regs.map import WORD_BYTES, board_map
from .crc import Crc32
from .link import SerialLink
from .records import WORD_BITS
from .rings import ReceiveRing
from .watchdog import Watchdog


class Peripherals(wiring.Component):
    """Register map ``ohmcarlo_board``: serial link, ring of records, checksum, clock, watchdog.

    Parameters
    ----------
    constants : dict
        Values of the group ``id``, by field name ("clock_hz"), "watchdog_clocks" among them.
    divisor : int
        Reset value of ``uart.divisor``.

    Attributes
    ----------
    bus : In(Bus)
        Accesses of the processor.
    records : In(stream of 32-bit words)
        Records of the controller.
    rx : In(1)
        Serial line from the host.
    tx : Out(1)
        Serial line to the host.
    trap : In(1)
        The processor has stopped; the watchdog waits.
    expired : Out(1)
        The watchdog has expired; for one clock.
    waiting : Out(1)
        Software waits for bytes from the host: it set ``control.idle`` and has written no other
        register since, no byte has arrived, none is being sent, and no record waits.
    """

    def __init__(self, constants: dict[str, int], divisor: int) -> None:
        self.bank = RegisterBank(
            board_map(),
            {f"id.{name}": value for name, value in constants.items()} | {"uart.divisor": divisor},
        )
        self.watchdog = Watchdog(constants["watchdog_clocks"])
        super().__init__(
            {
                "bus": In(Bus(board_map().addr_width)),
                "records": In(stream.Signature(WORD_BITS)),
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "trap": In(1),
                "expired": Out(1),
                "waiting": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        layout = board_map()

        def words(window: str) -> int:
            return layout.window(window).words

        m.submodules.bank = bank = self.bank
        m.submodules.link = link = SerialLink(words("rx"), words("tx"))
        m.submodules.records_ring = ring = ReceiveRing(WORD_BITS, words("records_ring"))
        m.submodules.crc = crc = Crc32()
        m.submodules.watchdog = watchdog = self.watchdog
        wiring.connect(m, wiring.flipped(self.bus), bank.bus)
        wiring.connect(m, wiring.flipped(self.records), ring.input)
        wiring.connect(m, bank.access_rx, link.rx_window)
        wiring.connect(m, bank.load_tx, link.tx_window)
        wiring.connect(m, bank.access_records_ring, ring.window)
        clocks = Signal(64)
        idle, told = Signal(), Signal()
        at_idle = self.bus.addr == layout["control.idle"].address // WORD_BYTES
        with m.If(self.bus.w_stb):
            m.d.sync += idle.eq(at_idle)
        m.d.sync += clocks.eq(clocks + 1)
        m.d.comb += [
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            link.divisor.eq(bank.uart_divisor),
            link.taken.eq(bank.uart_taken),
            link.put.eq(bank.uart_put),
            bank.uart_received.eq(link.received),
            bank.uart_lost.eq(link.lost),
            bank.uart_sent.eq(link.sent),
            ring.taken.eq(bank.records_taken),
            bank.records_received.eq(ring.received),
            crc.start.eq(bank.crc_start.start),
            crc.strobe.eq(bank.crc_byte.strobe),
            crc.data.eq(bank.crc_byte.data),
            bank.crc_value.eq(crc.value),
            bank.timer_clocks.eq(clocks),
            watchdog.kick.eq(bank.watchdog_kick.kick),
            watchdog.hold.eq(self.trap),
            bank.watchdog_restarts.eq(watchdog.count),
            self.expired.eq(watchdog.expired),
            told.eq(bank.control_idle & idle),
            self.waiting.eq(
                told & link.quiet & ~self.records.valid & (ring.received == bank.records_taken)
            ),
        ]
        return m
