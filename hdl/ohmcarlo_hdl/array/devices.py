"""Cache of hashed device properties: two rows instead of a memory of the array's size."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..config import CoreConfig
from .flow import flow
from .generator import FOUND, PROPERTIES


def hash_job(config: CoreConfig) -> data.StructLayout:
    """Device cache → generator: one device to be hashed, for one of the banks."""
    return data.StructLayout(
        {
            "row": unsigned(config.row_bits),
            "device": unsigned(config.device_bits),
            "bank": unsigned(1),
        }
    )


class DeviceCache(wiring.Component):
    """Two banks, each with the hashed properties of the devices of one row.

    A row is hashed into the bank that is not in use: first the rows that a request needs, then the
    rows that a hint names. Devices are hashed in the order in which a step programs them, those of
    the coin first. A device's properties are ``known`` at most two clocks after they arrived.

    Attributes
    ----------
    row : In(row_bits)
        Row of the request at the head of the queue.
    device : In(device_bits)
        Device of that request.
    advance : In(1)
        The next request is at the head in the next clock.
    next_row : In(row_bits)
        Row of the next request.
    next_device : In(device_bits)
        Device of the next request.
    need : In(1)
        The request at the head needs the properties of its device.
    use : In(1)
        The request is accepted; its row is the one in use from now on.
    hint : In(1)
        Hint: the row of the request is used next.
    known : Out(1)
        The properties of the device are in a bank.
    bank : Out(1)
        That bank.
    read_bank : In(1)
        Bank to read.
    read_device : In(device_bits)
        Device to read.
    properties : Out(PROPERTIES)
        Its properties, one clock later; no offset and not stuck while ``off`` is high.
    ask : Out(stream of hash_job)
        Devices to be hashed.
    found : In(flow of FOUND)
        Their properties, in order.
    off : In(1)
        All devices have equal properties, and no device is hashed.
    restart : In(1)
        Drop all properties and jobs.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        device = unsigned(config.device_bits)
        super().__init__(
            {
                "row": In(config.row_bits),
                "device": In(device),
                "advance": In(1),
                "next_row": In(config.row_bits),
                "next_device": In(device),
                "need": In(1),
                "use": In(1),
                "hint": In(1),
                "known": Out(1),
                "bank": Out(1),
                "read_bank": In(1),
                "read_device": In(device),
                "properties": Out(PROPERTIES),
                "ask": Out(stream.Signature(hash_job(config))),
                "found": In(flow(FOUND)),
                "off": In(1),
                "restart": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        coin, last = 2 * config.max_features, 2 * config.geometry.pairs - 1
        bits = config.device_bits
        valid = [Signal(name=f"valid_{b}") for b in range(2)]
        tag = [Signal(config.row_bits, name=f"tag_{b}") for b in range(2)]
        # Fill level of a bank: coin devices below ``upto``; then all of them, and the devices below
        # ``upto``; then all devices.
        upto = [Signal(bits, init=coin, name=f"upto_{b}") for b in range(2)]
        coin_done = [Signal(name=f"coin_done_{b}") for b in range(2)]
        done = [Signal(name=f"done_{b}") for b in range(2)]

        # -- the request at the head: looked up one clock ahead, for the present request and for the
        # next one
        hit = Signal(2)
        known = Signal(2)
        advanced = Signal()
        m.d.sync += advanced.eq(self.advance)
        begins = Signal(2)  # hashing of a row begins in the bank
        begun_row = Signal(config.row_bits)
        found_hit, found_known = Signal(4), Signal(4)
        for side, row, device in (
            (0, self.row, self.device),
            (1, self.next_row, self.next_device),
        ):
            for b in range(2):
                below = device < upto[b]
                filled = Mux(device >= coin, coin_done[b] | below, coin_done[b] & below)
                hits = Mux(begins[b], begun_row == row, valid[b] & (tag[b] == row))
                m.d.sync += [
                    found_hit[2 * side + b].eq(hits & ~self.restart),
                    found_known[2 * side + b].eq(
                        hits & (done[b] | filled) & ~begins[b] & ~self.restart
                    ),
                ]
        m.d.comb += [
            hit.eq(found_hit.word_select(advanced, 2)),
            known.eq(found_known.word_select(advanced, 2)),
        ]
        m.d.comb += [self.known.eq(self.off | known.any()), self.bank.eq(hit[1])]
        current, other = Signal(), Signal()
        with m.If(self.use & hit.any()):
            m.d.sync += current.eq(hit[1])
        # the bank in use is about to change: no row begins in this clock
        m.d.comb += other.eq(self.need & hit.any() & (hit[1] != current))

        # -- the row to be hashed next
        need, hint, busy = Signal(), Signal(), Signal()
        need_row, hint_row = Signal(config.row_bits), Signal(config.row_bits)
        row = Mux(need, need_row, hint_row)
        spare = Signal()
        m.d.comb += [spare.eq(~current), begun_row.eq(row)]
        there = Cat(valid[b] & (tag[b] == row) for b in range(2)).any()
        free = Array(done[b] | ~valid[b] for b in range(2))[spare]
        # Computed one clock ahead, when no operand changed.
        ready, present = Signal(), Signal()
        missing = self.need & ~self.off & ~hit.any()
        same = ~other & ~self.hint & ~(missing & ~need) & ~self.restart
        m.d.sync += [
            ready.eq((need | hint) & (there | free) & ~busy & ~ready & same),
            present.eq(there),
        ]
        job: Any = self.ask.payload
        m.d.comb += self.ask.valid.eq(busy)
        with m.If(busy), m.If(self.ask.ready):
            m.d.sync += job.device.eq(Mux(job.device == last, 0, job.device + 1))
            with m.If(job.device == coin - 1):
                m.d.sync += busy.eq(0)
        with m.Elif(ready & ~other):
            m.d.sync += need.eq(0)
            with m.If(~need):
                m.d.sync += hint.eq(0)
            with m.If(~present):
                m.d.comb += begins.eq(1 << spare)
                m.d.sync += [busy.eq(1), job.bank.eq(spare), job.row.eq(row), job.device.eq(coin)]
                with m.If(need):
                    m.d.sync += current.eq(spare)
                for b in range(2):
                    with m.If(spare == b):
                        m.d.sync += [
                            valid[b].eq(1),
                            tag[b].eq(row),
                            upto[b].eq(coin),
                            coin_done[b].eq(0),
                            done[b].eq(0),
                        ]
        with m.If(missing):
            m.d.sync += [need.eq(1), need_row.eq(self.row)]
        with m.If(self.hint & ~self.off):
            m.d.sync += [hint.eq(~hit.any()), hint_row.eq(self.row)]

        # -- hashed properties
        found: Any = self.found.payload
        m.submodules.banks = banks = Memory(shape=PROPERTIES, depth=2 << bits, init=[])
        write, read = banks.write_port(), banks.read_port()
        m.d.comb += [
            write.addr.eq(Cat(Mux(found.bank, upto[1], upto[0]), found.bank)),
            write.data.eq(found.properties),
            write.en.eq(self.found.valid),
            read.addr.eq(Cat(self.read_device, self.read_bank)),
        ]
        with m.If(~self.off):
            m.d.comb += self.properties.eq(read.data)
        for b in range(2):
            with m.If(self.found.valid & (found.bank == b)):
                m.d.sync += upto[b].eq(Mux(upto[b] == last, 0, upto[b] + 1))
                with m.If(upto[b] == last):
                    m.d.sync += coin_done[b].eq(1)
                with m.If(upto[b] == coin - 1):
                    m.d.sync += done[b].eq(1)

        with m.If(self.restart):
            m.d.sync += [Cat(valid).eq(0), Cat(need, hint, busy).eq(0)]
        return m
