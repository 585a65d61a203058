"""Wishbone B4 in front of the register bus (OpenCores, Wishbone specification, revision B4)."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..regs.bus import Bus
from .access import BYTE_BITS, WORD_BITS, WORD_BYTES, AccessEngine


class Wishbone(wiring.Signature):
    """Wishbone B4 with 32-bit data and word addresses, as the master drives it.

    Attributes
    ----------
    adr : Out(addr_width)
        ADR: address of a word.
    dat_w : Out(WORD_BITS)
        DAT from master to slave: the word to write.
    dat_r : In(WORD_BITS)
        DAT from slave to master: the word that was read, valid while ``ack`` is high.
    sel : Out(WORD_BYTES)
        SEL: bytes of the word that are accessed.
    we : Out(1)
        WE: write, rather than read.
    cyc : Out(1)
        CYC: a bus cycle is in progress.
    stb : Out(1)
        STB: an access is requested.
    ack : In(1)
        ACK: the access is done.
    err : In(1)
        ERR: the access failed.
    stall : In(1)
        STALL: a pipelined master must keep its request.
    """

    def __init__(self, addr_width: int) -> None:
        self.addr_width = addr_width
        super().__init__(
            {
                "adr": Out(addr_width),
                "dat_w": Out(WORD_BITS),
                "dat_r": In(WORD_BITS),
                "sel": Out(WORD_BYTES),
                "we": Out(1),
                "cyc": Out(1),
                "stb": Out(1),
                "ack": In(1),
                "err": In(1),
                "stall": In(1, init=1),
            }
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wishbone) and self.addr_width == other.addr_width

    def __repr__(self) -> str:
        return f"Wishbone({self.addr_width})"


class WishboneBridge(wiring.Component):
    """A slave of Wishbone B4 that accesses the register bus.

    It serves classic cycles. ``stall`` is low only in the clock of ``ack`` or ``err``, so that a
    pipelined master, too, keeps its request until it is answered. A master that ends a cycle early
    gets no answer, but the access may have been made. ``ack`` and ``err`` are registers behind a
    gate that keeps them low while ``cyc`` or ``stb`` is low; the other outputs are registers.
    ``AccessEngine`` decides about errors. A read returns the whole word, whatever ``sel`` is.

    Parameters
    ----------
    addr_width : int
        Address width of ``bus``.

    Attributes
    ----------
    wb : In(Wishbone)
        The master's signals, with word addresses of ``addr_width`` bits.
    bus : Out(Bus)
        The register bus.
    """

    def __init__(self, addr_width: int) -> None:
        self.engine = AccessEngine(addr_width)
        super().__init__({"wb": In(Wishbone(addr_width)), "bus": Out(Bus(addr_width))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.engine = engine = self.engine
        wiring.connect(m, engine.bus, wiring.flipped(self.bus))
        wb = self.wb
        selected, acknowledged, failed = Signal(), Signal(), Signal()
        m.d.comb += [
            selected.eq(wb.cyc & wb.stb),
            engine.request.eq(selected & wb.stall),
            engine.withdrawn.eq(~selected),
            engine.write.eq(wb.we),
            engine.address[BYTE_BITS:].eq(wb.adr),
            engine.data.eq(wb.dat_w),
            engine.strobes.eq(wb.sel),
            wb.ack.eq(acknowledged & selected),
            wb.err.eq(failed & selected),
        ]
        m.d.sync += [
            acknowledged.eq(engine.done & ~engine.error),
            failed.eq(engine.done & engine.error),
            wb.stall.eq(~engine.done),
        ]
        with m.If(engine.done):
            m.d.sync += wb.dat_r.eq(engine.r_data)
        return m
