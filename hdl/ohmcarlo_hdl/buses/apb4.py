"""APB4 in front of the register bus (ARM IHI 0024, AMBA APB protocol specification)."""

from __future__ import annotations

from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..regs.bus import Bus
from .access import BYTE_BITS, WORD_BITS, WORD_BYTES, AccessEngine

PROT_BITS = 3


class Apb4(wiring.Signature):
    """APB4 with 32-bit data, as the requester drives it.

    Attributes
    ----------
    paddr : Out(addr_width)
        Address of a byte.
    pprot : Out(PROT_BITS)
        Protection of the access.
    psel : Out(1)
        The completer is selected.
    penable : Out(1)
        Second and later clocks of a transfer.
    pwrite : Out(1)
        Write, rather than read.
    pwdata : Out(WORD_BITS)
        The word to write.
    pstrb : Out(WORD_BYTES)
        Bytes of the word that are written.
    pready : In(1)
        The transfer ends.
    prdata : In(WORD_BITS)
        The word that was read, valid while ``pready`` is high.
    pslverr : In(1)
        The transfer failed; low while ``pready`` is low.
    """

    def __init__(self, addr_width: int) -> None:
        self.addr_width = addr_width
        super().__init__(
            {
                "paddr": Out(addr_width),
                "pprot": Out(PROT_BITS),
                "psel": Out(1),
                "penable": Out(1),
                "pwrite": Out(1),
                "pwdata": Out(WORD_BITS),
                "pstrb": Out(WORD_BYTES),
                "pready": In(1),
                "prdata": In(WORD_BITS),
                "pslverr": In(1),
            }
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Apb4) and self.addr_width == other.addr_width

    def __repr__(self) -> str:
        return f"Apb4({self.addr_width})"


class Apb4Bridge(wiring.Component):
    """A completer of APB4 that accesses the register bus.

    The access begins in the setup phase. Every output is a register, and low unless a transfer
    ends, except ``prdata``. ``AccessEngine`` decides about errors, which are answered with
    ``pslverr``. Protection is not used.

    Parameters
    ----------
    addr_width : int
        Address width of ``bus``.

    Attributes
    ----------
    apb : In(Apb4)
        The requester's signals, with byte addresses of ``addr_width + BYTE_BITS`` bits.
    bus : Out(Bus)
        The register bus.
    """

    def __init__(self, addr_width: int) -> None:
        self.engine = AccessEngine(addr_width)
        super().__init__({"apb": In(Apb4(addr_width + BYTE_BITS)), "bus": Out(Bus(addr_width))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.engine = engine = self.engine
        wiring.connect(m, engine.bus, wiring.flipped(self.bus))
        apb = self.apb
        m.d.comb += [
            engine.request.eq(apb.psel & ~apb.pready),
            engine.withdrawn.eq(~apb.psel),
            engine.write.eq(apb.pwrite),
            engine.address.eq(apb.paddr),
            engine.data.eq(apb.pwdata),
            engine.strobes.eq(apb.pstrb),
        ]
        m.d.sync += [apb.pready.eq(engine.done), apb.pslverr.eq(engine.done & engine.error)]
        with m.If(engine.done):
            m.d.sync += apb.prdata.eq(engine.r_data)
        return m
