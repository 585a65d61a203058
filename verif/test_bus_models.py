"""Bus models of others drive the bridges: cocotbext-axi, cocotbext-apb, cocotbext-wishbone.

They interpret the specifications independently of the managers in ``verif/buses``.
"""

from __future__ import annotations

from random import Random
from typing import Any

import cocotb
import pytest
from amaranth import Module, Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from verif.buses.lanes import BUSES, Lane
from verif.buses.model import WHOLE, Registers
from verif.harness import run_bench, start_clock, stimuli

PREFIXES = {"axi": "s_axi", "apb": "s_apb", "wb": "wb"}
TRANSACTIONS = 400
OKAY, SLVERR = 0, 2
WISHBONE = ("cyc", "stb", "we", "adr", "datwr", "datrd", "ack", "sel", "err")
ACK, ERR = 1, 2
"""Replies of cocotbext-wishbone."""


class Flat(wiring.Component):
    """A lane for each bus; the signals of the buses are ports of their own."""

    def __init__(self) -> None:
        self.lanes = {name: Lane(name) for name in BUSES}
        ports: dict[str, Any] = {}
        for name, prefix in PREFIXES.items():
            for member, port in BUSES[name].members.items():
                flow = In if port.flow is Out else Out
                ports[f"{prefix}_{member}"] = flow(Shape.cast(port.shape))
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name, lane in self.lanes.items():
            m.submodules[name] = lane
            for member, port in BUSES[name].members.items():
                outer = getattr(self, f"{PREFIXES[name]}_{member}")
                if port.flow is Out:
                    m.d.comb += lane.i[member].eq(outer)
                else:
                    m.d.comb += outer.eq(lane.o[member])
        return m


async def begin(dut: Any) -> tuple[Registers, Random]:
    rng = stimuli(9)
    await start_clock(dut)
    return Registers(rng), rng


def pauses(rng: Random) -> Any:
    """Clocks in which a channel pauses."""
    while True:
        yield rng.random() < 0.3


@cocotb.test()
async def axi4_lite(dut) -> None:  # type: ignore[no-untyped-def]
    """Words and parts of words; reads of constants beside them."""
    from cocotbext.axi import AxiLiteBus, AxiLiteMaster

    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
    model, rng = await begin(dut)
    writes, reads = master.write_if, master.read_if
    channels = [writes.aw_channel, writes.w_channel, writes.b_channel]
    channels += [reads.ar_channel, reads.r_channel]
    for channel in channels:
        channel.set_pause_generator(pauses(rng))
    magic = model.registers["id.magic"].address
    for _ in range(TRANSACTIONS):
        address = model.address()
        beside = cocotb.start_soon(master.read(magic, 4))
        if rng.random() < 0.5:
            size = rng.choice((1, 2, 4, 4)) if address % 4 == 0 else 1
            word = rng.getrandbits(8 * size)
            strobes = ((1 << size) - 1) << address % 4
            expected = model.write(address - address % 4, word, strobes)
            reply = await master.write(address, word.to_bytes(size, "little"))
            assert reply.resp == (SLVERR if expected.error else OKAY), hex(address)
        else:
            address -= address % 4
            expected = model.read(address)
            reply = await master.read(address, 4)
            assert reply.resp == (SLVERR if expected.error else OKAY), hex(address)
            word = int.from_bytes(reply.data, "little")
            assert expected.error or word in expected.words, hex(address)
        known = await beside
        assert known.resp == OKAY and known.data == b"BMHO"


@cocotb.test()
async def apb4(dut) -> None:  # type: ignore[no-untyped-def]
    """The model raises an error if PSLVERR is not as expected."""
    from cocotbext.apb import Apb4Bus, ApbMaster

    master = ApbMaster(Apb4Bus.from_prefix(dut, "s_apb"), dut.clk)
    model, rng = await begin(dut)
    for _ in range(TRANSACTIONS):
        address = model.address()
        master.intra_delay = rng.choice((0, 0, 1, 3))
        if rng.random() < 0.5:
            word, strobes = rng.getrandbits(32), model.strobes()
            expected = model.write(address, word, strobes)
            await master.write(address, word, strb=strobes, error_expected=expected.error)
        else:
            expected = model.read(address)
            data = await master.read(address, error_expected=expected.error)
            assert expected.error or int.from_bytes(data, "little") in expected.words, hex(address)


@cocotb.test()
async def wishbone(dut) -> None:  # type: ignore[no-untyped-def]
    """Cycles of several pipelined requests."""
    from cocotbext.wishbone.driver import WBOp, WishboneMaster

    await wishbone_cycles(dut, WishboneMaster, WBOp, (*WISHBONE, "stall"))


@cocotb.test()
async def wishbone_classic(dut) -> None:  # type: ignore[no-untyped-def]
    """The same with a master that does not know ``stall``."""
    from cocotbext.wishbone.driver import WBOp, WishboneMaster

    class Classic(WishboneMaster):  # type: ignore[misc]
        _optional_signals = ()

    await wishbone_cycles(dut, Classic, WBOp, WISHBONE)


async def wishbone_cycles(dut: Any, made: Any, operation: Any, names: tuple[str, ...]) -> None:
    signals = {name: {"datwr": "dat_w", "datrd": "dat_r"}.get(name, name) for name in names}
    master = made(dut, "wb", dut.clk, timeout=100, signals_dict=signals)
    model, rng = await begin(dut)
    done = 0
    while done < TRANSACTIONS:
        operations, expected = [], []
        for _ in range(rng.randrange(1, 6)):
            address, idle = model.address() & ~3, rng.choice((0, 0, 2))
            if rng.random() < 0.5:
                word, strobes = rng.getrandbits(32), model.strobes()
                operations.append(operation(adr=address // 4, dat=word, sel=strobes, idle=idle))
                expected.append(model.write(address, word, strobes))
            else:
                operations.append(operation(adr=address // 4, sel=WHOLE, idle=idle))
                expected.append(model.read(address))
        results = await master.send_cycle(operations)
        assert len(results) == len(operations)
        for what, answer, result in zip(operations, expected, results, strict=True):
            assert result.ack == (ERR if answer.error else ACK), hex(what.adr)
            read = what.dat is None and not answer.error
            assert not read or int(result.datrd) in answer.words, hex(what.adr)
        done += len(operations)


@pytest.mark.verify
def test_bus_models() -> None:
    run_bench(Flat, __name__)
