"""AXI4-Lite in front of the register bus (ARM IHI 0022, AMBA AXI protocol specification)."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..regs.bus import Bus
from .access import BYTE_BITS, WORD_BITS, WORD_BYTES, AccessEngine

PROT_BITS = 3


class Response(IntEnum):
    """Codes of BRESP and RRESP."""

    OKAY = 0
    SLVERR = 2


RESPONSE_BITS = 2


class Axi4Lite(wiring.Signature):
    """The five channels of AXI4-Lite with 32-bit data, as the manager drives them.

    Attributes
    ----------
    awaddr : Out(addr_width)
        Address of a byte to write.
    awprot : Out(PROT_BITS)
        Protection of the write.
    awvalid : Out(1)
        ``awaddr`` and ``awprot`` are valid.
    awready : In(1)
        ``awaddr`` and ``awprot`` are taken.
    wdata : Out(WORD_BITS)
        The word to write.
    wstrb : Out(WORD_BYTES)
        Bytes of the word that are written.
    wvalid : Out(1)
        ``wdata`` and ``wstrb`` are valid.
    wready : In(1)
        ``wdata`` and ``wstrb`` are taken.
    bresp : In(RESPONSE_BITS)
        Response of the write: 0 OKAY, 2 SLVERR.
    bvalid : In(1)
        ``bresp`` is valid.
    bready : Out(1)
        ``bresp`` is taken.
    araddr : Out(addr_width)
        Address of a byte to read.
    arprot : Out(PROT_BITS)
        Protection of the read.
    arvalid : Out(1)
        ``araddr`` and ``arprot`` are valid.
    arready : In(1)
        ``araddr`` and ``arprot`` are taken.
    rdata : In(WORD_BITS)
        The word that was read.
    rresp : In(RESPONSE_BITS)
        Response of the read: 0 OKAY, 2 SLVERR.
    rvalid : In(1)
        ``rdata`` and ``rresp`` are valid.
    rready : Out(1)
        ``rdata`` and ``rresp`` are taken.
    """

    def __init__(self, addr_width: int) -> None:
        self.addr_width = addr_width
        super().__init__(
            {
                "awaddr": Out(addr_width),
                "awprot": Out(PROT_BITS),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(WORD_BITS),
                "wstrb": Out(WORD_BYTES),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(RESPONSE_BITS),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(addr_width),
                "arprot": Out(PROT_BITS),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(WORD_BITS),
                "rresp": In(RESPONSE_BITS),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Axi4Lite) and self.addr_width == other.addr_width

    def __repr__(self) -> str:
        return f"Axi4Lite({self.addr_width})"


class Axi4LiteBridge(wiring.Component):
    """A subordinate of AXI4-Lite that accesses the register bus.

    A write is taken when its address and its data are both valid, in any order. One access is under
    way at a time; a write and a read that wait together take turns. Every output is a register.
    ``AccessEngine`` decides about errors, which are answered with SLVERR. Protection is not used.

    Parameters
    ----------
    addr_width : int
        Address width of ``bus``.

    Attributes
    ----------
    axi : In(Axi4Lite)
        The manager's channels, with byte addresses of ``addr_width + BYTE_BITS`` bits.
    bus : Out(Bus)
        The register bus.
    """

    def __init__(self, addr_width: int) -> None:
        self.engine = AccessEngine(addr_width)
        super().__init__({"axi": In(Axi4Lite(addr_width + BYTE_BITS)), "bus": Out(Bus(addr_width))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.engine = engine = self.engine
        wiring.connect(m, engine.bus, wiring.flipped(self.bus))
        axi = self.axi
        writes, free = Signal(), Signal()
        m.d.comb += [
            writes.eq(axi.awvalid & axi.wvalid & ~(axi.arvalid & engine.writing)),
            free.eq(~axi.bvalid & ~axi.rvalid),
            engine.request.eq((writes | axi.arvalid) & free),
            engine.write.eq(writes),
            engine.address.eq(Mux(writes, axi.awaddr, axi.araddr)),
            engine.data.eq(axi.wdata),
            engine.strobes.eq(axi.wstrb),
        ]
        m.d.sync += [
            axi.awready.eq(engine.taken & writes),
            axi.wready.eq(engine.taken & writes),
            axi.arready.eq(engine.taken & ~writes),
        ]
        response = Mux(engine.error, Response.SLVERR, Response.OKAY)
        with m.If(axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        with m.If(axi.rready):
            m.d.sync += axi.rvalid.eq(0)
        with m.If(engine.done):
            with m.If(engine.writing):
                m.d.sync += [axi.bvalid.eq(1), axi.bresp.eq(response)]
            with m.Else():
                m.d.sync += [
                    axi.rvalid.eq(1),
                    axi.rresp.eq(response),
                    axi.rdata.eq(engine.r_data),
                ]
        return m
