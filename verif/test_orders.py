"""OrderIssuer, SlotWalk and SampleMemory: the order of programming, as in the golden slots."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import cocotb
from amaranth import Module, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import RisingEdge

from ohmcarlo.golden.machine import build_machine
from ohmcarlo.golden.registers import SamplerSettings
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.interface import ACC_BITS, MULTIPLICITY_BITS, RECORD_WORD, Kind, device_order
from ohmcarlo_hdl.core.orders import OrderIssuer
from ohmcarlo_hdl.core.sample import Recorder, SampleMemory, place
from verif.harness import Clocked, Packer, Sink, case_parameters, run_bench, start_clock, stimuli

ROWS = 32
CONFIG = CoreConfig(
    Geometry(rows=ROWS, pairs=8, entropy_pairs=2), max_points=16, max_group_rows=4, max_regions=4
)
PROPOSALS = 120
Slots = list[tuple[int, int]]


class SampleBench(wiring.Component):
    """The sample memory between a writer, the order issuer and the recorder."""

    def __init__(self, config: CoreConfig = CONFIG) -> None:
        self.config = c = config
        super().__init__(
            {
                "features": In(range(c.max_features + 1)),
                "hidden": In(range(c.max_group_rows)),
                "write": In(1),
                "write_place": In(place(c)),
                "write_odd": In(1),
                "write_code": In(10),
                "region": In(c.region_bits),
                "bank": In(1),
                # orders
                "coin": In(1),
                "sample": In(1),
                "ahead": In(1),
                "cold": In(1),
                "row": In(c.row_bits),
                "ordering": Out(1),
                "orders": Out(stream.Signature(device_order(c))),
                # records
                "start": In(1),
                "current": In(1),
                "proposal": In(1),
                "multiplicity": In(MULTIPLICITY_BITS),
                "loglik": In(signed(ACC_BITS)),
                "prior": In(signed(ACC_BITS)),
                "recording": Out(1),
                "record": Out(stream.Signature(RECORD_WORD)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = SampleMemory(self.config)
        m.submodules.issuer = issuer = OrderIssuer(self.config)
        m.submodules.recorder = recorder = Recorder(self.config)
        for block, names in (
            (memory, ("write", "write_place", "write_odd", "write_code")),
            (issuer, ("features", "hidden", "region", "bank")),
            (issuer, ("coin", "sample", "ahead", "cold", "row")),
            (recorder, ("features", "hidden", "region", "bank")),
            (recorder, ("start", "current", "proposal", "multiplicity", "loglik", "prior")),
        ):
            m.d.comb += [getattr(block, name).eq(getattr(self, name)) for name in names]
        m.d.comb += [
            memory.order_read.eq(issuer.read),
            memory.order_place.eq(issuer.place),
            issuer.codes.eq(memory.order_codes),
            memory.record_read.eq(recorder.read),
            memory.record_place.eq(recorder.place),
            recorder.codes.eq(memory.record_codes),
            self.ordering.eq(issuer.busy),
            self.recording.eq(recorder.busy),
        ]
        wiring.connect(m, issuer.orders, wiring.flipped(self.orders))
        wiring.connect(m, recorder.record, wiring.flipped(self.record))
        return m


@cache
def slots(features: int, hidden: int) -> Slots:
    """(row of the group, device) of every device of a sample, in the golden order."""
    geometry = Geometry(rows=ROWS, pairs=8, entropy_pairs=2, row_group=hidden + 1)
    settings = SamplerSettings(hidden=hidden)
    m = build_machine(settings.registers(geometry, features, lambda target: 0.1 * target))
    return list(zip(m.slot_row.tolist(), m.slot_device.tolist(), strict=True))


class Player:
    """Begins an operation in the first clock that allows one, or a few later.

    Codes of all banks but the one that is read are written meanwhile. ``begin`` drives the ports
    and returns the expected items.
    """

    def __init__(self, dut: Any, sink: Sink, rng: random.Random, operations: int) -> None:
        self.dut = dut
        self.sink = sink
        self.rng = rng
        self.left = operations
        self.expected: list[dict[str, int]] = []
        self.codes: dict[tuple[int, int, int, int], int] = {}
        self.unwritten = [
            (region, bank, row, device)
            for region in range(CONFIG.max_regions)
            for bank in range(2)
            for row in range(CONFIG.max_group_rows)
            for device in range(2 * CONFIG.max_features)
        ]
        self.at = (0, 0)  # region and bank
        self.slots: Slots = []
        self.spans: list[tuple[int, int]] = []  # items and clocks of every operation
        self.cycle = self.first = self.begun = 0
        self.place = Packer(place(CONFIG))
        for name in (*self.strobes, "write", "features", "hidden", "region", "bank"):
            getattr(dut, name).value = 0

    strobes: tuple[str, ...] = ()

    def begin(self) -> list[dict[str, int]]:
        raise NotImplementedError

    @property
    def done(self) -> bool:
        return not self.left and len(self.sink.items) == len(self.expected)

    def tick(self) -> None:
        self.cycle += 1
        for name in self.strobes:
            getattr(self.dut, name).value = 0
        if len(self.sink.items) == self.begun + 1 and not self.first:
            self.first = self.cycle
        idle = len(self.sink.items) == len(self.expected)
        if idle and self.first:
            count = len(self.expected) - self.begun
            self.spans.append((count, self.cycle - self.first + 1))
            self.begun, self.first = len(self.expected), 0
        if self.unwritten:
            self.write(self.unwritten.pop())
            return
        busy = not idle
        if idle and self.left and self.rng.random() < 0.7:
            self.left -= 1
            self.prepare()
            self.expected += self.begin()
            busy = True
        elif busy:  # sampled at the strobe
            self.dut.region.value = self.rng.randrange(CONFIG.max_regions)
            self.dut.bank.value = self.rng.randrange(2)
        at = (self.rng.randrange(CONFIG.max_regions), self.rng.randrange(2))
        if busy and at == self.at:
            self.dut.write.value = 0
        else:
            self.write((*at, self.rng.randrange(4), self.rng.randrange(12)))

    def prepare(self) -> None:
        """Choose a model, a region and a bank."""
        dut, rng = self.dut, self.rng
        features, hidden = rng.randint(1, CONFIG.max_features), rng.randrange(4)
        self.at = rng.randrange(CONFIG.max_regions), rng.randrange(2)
        dut.features.value, dut.hidden.value = features, hidden
        dut.region.value, dut.bank.value = self.at
        self.slots = slots(features, hidden)

    def write(self, where: tuple[int, int, int, int]) -> None:
        region, bank, row, device = where
        self.codes[where] = code = self.rng.randrange(1024)
        at = {"pair": device // 2, "group_row": row, "bank": bank, "region": region}
        self.dut.write_place.value = self.place.pack(at)
        self.dut.write_odd.value, self.dut.write_code.value = device % 2, code
        self.dut.write.value = 1


class Orders(Player):
    strobes = ("coin", "sample", "ahead", "cold", "row")

    def begin(self) -> list[dict[str, int]]:
        dut, rng = self.dut, self.rng
        row, cold, ahead = rng.randrange(ROWS - 4), rng.randrange(2), rng.randrange(2)
        dut.row.value, dut.cold.value, dut.ahead.value = row, cold, ahead

        def order(kind: Kind, at: int, device: int = 0, code: int = 0) -> dict[str, int]:
            return {"kind": kind.value, "row": at, "device": device, "code": code, "last": 0}

        orders = []
        if rng.random() < 0.4:
            dut.coin.value = 1
            orders += [order(Kind.SELECT, row)] * ahead + [order(Kind.RESET, row)]
            first = 2 * CONFIG.max_features
            orders += [order(Kind.COIN, row, first + i) for i in range(CONFIG.coin_devices)]
        else:
            dut.sample.value = 1
            final = self.slots[-1][0]
            for index in range(final + 1):
                if index or cold:
                    orders.append(order(Kind.RESET, row + index))
                if index < final:
                    orders.append(order(Kind.SELECT, row + index + 1))
                for at, device in self.slots:
                    if at == index:
                        code = self.codes[(*self.at, at, device)]
                        kind = Kind.COLD if cold else Kind.WALK
                        orders.append(order(kind, row + at, device, code))
        orders[-1]["last"] = 1
        return orders


@cocotb.test()
async def issues(dut) -> None:  # type: ignore[no-untyped-def]
    stall = case_parameters()["stall"]
    rng = stimuli(3)
    dut.start.value = 0
    sink = Sink(dut, "orders", device_order(CONFIG), stall, rng)
    player = Orders(dut, sink, rng, PROPOSALS)
    await start_clock(dut)
    bench = Clocked(dut, sink, player).start()
    await bench.until(lambda: player.done, 60_000, "ordering")
    for found, wanted in zip(sink.items, player.expected, strict=True):
        assert found == wanted
    if not stall:
        # one order per clock; the last row of a sample is not followed by a row to be announced
        assert all(clocks <= count + 1 for count, clocks in player.spans), player.spans
    for _ in range(4):
        await RisingEdge(dut.clk)
    assert not int(dut.ordering.value) and len(sink.items) == len(player.expected)


def test_orders() -> None:
    run_bench(SampleBench(), __name__, [{"stall": stall} for stall in (0.0, 0.5)])
