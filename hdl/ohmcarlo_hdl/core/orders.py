"""The order of programming: devices, and the codes around which they are programmed."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import CoreConfig
from .interface import Kind, device_order
from .sample import ReaderPorts, SlotWalk, read_along


class OrderIssuer(wiring.Component):
    """Makes the orders of one proposal, an order per clock.

    Orders of the coin: RESET of ``row``, then its entropy devices in order (a SELECT of ``row``
    first with ``ahead``: another row is in use). Orders of the sample: its devices, row after row.
    A RESET precedes every row but the first, or every row with ``cold``; a SELECT announces the
    row after each. ``last`` marks the last device of either.

    ``row``, ``region``, ``bank`` and ``cold`` are sampled at the strobe.

    Attributes
    ----------
    features, hidden, read, place, codes : ReaderPorts
        As in ``ReaderPorts``.
    coin, sample : In(1)
        Issue the orders of the coin, or of the sample; only while ``busy`` is low.
    ahead : In(1)
        The row of the coin is programmed later: announce it.
    cold : In(1)
        Program the sample at the centre.
    row : In(row_bits)
        First row of the row group.
    region : In(region_bits)
        Its region.
    bank : In(1)
        Bank of the current sample.
    busy : Out(1)
        Orders are being issued.
    orders : Out(stream of device_order)
        The orders.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(
            {
                **ReaderPorts(config).members,
                "coin": In(1),
                "sample": In(1),
                "ahead": In(1),
                "cold": In(1),
                "row": In(config.row_bits),
                "region": In(config.region_bits),
                "bank": In(1),
                "busy": Out(1),
                "orders": Out(stream.Signature(device_order(config))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.walk = walk = SlotWalk(config)
        row = Signal(config.row_bits)
        region = Signal(config.region_bits)
        bank, cold, odd = Signal(), Signal(), Signal()
        column = Signal(range(config.coin_devices))
        order = self.orders.payload
        # the pair that the state DEVICE offers: the one before that of the walk
        offered_pair = Signal(config.device_bits - 1)
        offered_end, offered_row_end = Signal(), Signal()
        read_along(m, self, walk, region, bank)
        m.d.comb += order.row.eq(row)

        def fetch() -> list[Any]:
            """Move on to the walk's pair; its codes arrive with it."""
            return [
                offered_pair.eq(walk.pair),
                offered_end.eq(walk.end),
                offered_row_end.eq(walk.row_end),
                odd.eq(0),
            ]

        with m.FSM(name="state") as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"):
                m.d.comb += walk.clear.eq(1)
                with m.If(self.coin | self.sample):
                    m.d.sync += [
                        row.eq(self.row),
                        region.eq(self.region),
                        bank.eq(self.bank),
                        cold.eq(self.cold),
                        column.eq(0),
                    ]
                with m.If(self.coin):
                    m.next = "RESET COIN"
                    with m.If(self.ahead):
                        m.next = "SELECT COIN"
                with m.Elif(self.sample):
                    m.next = "ROW"
                    with m.If(self.cold):
                        m.next = "RESET"

            with m.State("SELECT COIN"):
                m.d.comb += [self.orders.valid.eq(1), order.kind.eq(Kind.SELECT)]
                with m.If(self.orders.ready):
                    m.next = "RESET COIN"
            with m.State("RESET COIN"):
                m.d.comb += [self.orders.valid.eq(1), order.kind.eq(Kind.RESET)]
                with m.If(self.orders.ready):
                    m.next = "COIN"
            with m.State("COIN"):
                m.d.comb += [
                    self.orders.valid.eq(1),
                    order.kind.eq(Kind.COIN),
                    order.device.eq(2 * config.max_features + column),
                    order.last.eq(column == config.coin_devices - 1),
                ]
                with m.If(self.orders.ready):
                    m.d.sync += column.eq(column + 1)
                    with m.If(order.last):
                        m.next = "IDLE"

            with m.State("RESET"):
                m.d.comb += [self.orders.valid.eq(1), order.kind.eq(Kind.RESET)]
                with m.If(self.orders.ready):
                    m.next = "ROW"
            with m.State("ROW"):
                # a row begins: announce the one after it, and fetch the first pair
                more = Signal()
                m.d.comb += [
                    more.eq(walk.group_row != self.hidden),
                    self.orders.valid.eq(more),
                    order.kind.eq(Kind.SELECT),
                    order.row.eq(row + 1),
                ]
                with m.If(~more | self.orders.ready):
                    m.d.comb += walk.step.eq(1)
                    m.d.sync += fetch()
                    m.next = "DEVICE"
            with m.State("DEVICE"):
                m.d.comb += [
                    self.orders.valid.eq(1),
                    order.kind.eq(Mux(cold, Kind.COLD, Kind.WALK)),
                    order.device.eq((offered_pair << 1) | odd),
                    order.code.eq(Mux(odd, self.codes[1], self.codes[0])),
                    order.last.eq(offered_end & odd),
                ]
                with m.If(self.orders.ready):
                    m.d.sync += odd.eq(1)
                    with m.If(odd):
                        with m.If(offered_end):
                            m.next = "IDLE"
                        with m.Elif(offered_row_end):
                            m.d.sync += row.eq(row + 1)
                            m.next = "RESET"
                        with m.Else():
                            m.d.comb += walk.step.eq(1)
                            m.d.sync += fetch()
        return m
