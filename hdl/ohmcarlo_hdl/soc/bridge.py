"""From the processor's memory bus to memory, controller and board."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..regs.bus import Bus
from ..regs.map import WORD_BYTES
from .cpu import MemoryBus
from .island import CoreIsland
from .memory_map import BOARD_BASE, CONTROLLER_BASE, RAM_BASE

CONTROLLER_LATENCY = CoreIsland.READ_LATENCY
"""Clocks from a strobe on ``Bridge.controller`` to its ``r_data``."""


class Ram(wiring.Signature):
    """Port of a memory of 32-bit words.

    Attributes
    ----------
    addr : Out(addr_width)
        Word to write.
    w_en : Out(WORD_BYTES)
        Enable of each byte.
    w_data : Out(32)
        Its new content.
    r_addr : Out(addr_width)
        Word to read.
    r_data : In(32)
        Its content, one clock later.
    """

    def __init__(self, addr_width: int) -> None:
        self.addr_width = addr_width
        super().__init__(
            {
                "addr": Out(addr_width),
                "w_en": Out(WORD_BYTES),
                "w_data": Out(32),
                "r_addr": Out(addr_width),
                "r_data": In(32),
            }
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ram) and self.addr_width == other.addr_width


class Bridge(wiring.Component):
    """Answers the processor: memory in the next clock, board and controller after their latency.

    Registers are read and written as whole words. A shorter write to a register has no effect, nor
    has an access to an unused address; reads from there give 0.

    Parameters
    ----------
    ram_bits, controller_bits, board_bits : int
        Word address width of each of the three.

    Attributes
    ----------
    cpu : In(MemoryBus)
        Accesses of the processor.
    ram : Out(Ram)
        Memory.
    controller : Out(Bus)
        Registers of the controller.
    board : Out(Bus)
        Registers of the board.
    """

    def __init__(self, ram_bits: int, controller_bits: int, board_bits: int) -> None:
        super().__init__(
            {
                "cpu": In(MemoryBus()),
                "ram": Out(Ram(ram_bits)),
                "controller": Out(Bus(controller_bits)),
                "board": Out(Bus(board_bits)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        cpu = self.cpu
        read, whole = Signal(), Signal()
        begins = Signal()  # the first clock of an access
        wait = Signal(range(CONTROLLER_LATENCY))
        m.d.comb += [read.eq(cpu.wstrb == 0), whole.eq(cpu.wstrb == (1 << WORD_BYTES) - 1)]

        def chosen(base: int, bus: Value) -> Signal:
            """Whether the address lies within ``bus``, which begins at ``base``."""
            hit = Signal(name=f"at_{base:x}")
            low = len(bus) + 2
            m.d.comb += [hit.eq(cpu.addr[low:] == base >> low), bus.eq(cpu.addr[2:])]
            return hit

        at_ram = chosen(RAM_BASE, self.ram.addr)
        at_controller = chosen(CONTROLLER_BASE, self.controller.addr)
        at_board = chosen(BOARD_BASE, self.board.addr)
        m.d.comb += [
            self.ram.w_data.eq(cpu.wdata),
            self.ram.w_en.eq(Mux(begins & at_ram, cpu.wstrb, 0)),
            self.ram.r_addr.eq(cpu.ahead[2:]),
        ]
        for bus, hit in ((self.controller, at_controller), (self.board, at_board)):
            m.d.comb += [
                bus.w_data.eq(cpu.wdata),
                bus.w_stb.eq(begins & hit & whole),
                bus.r_stb.eq(begins & hit & read),
            ]

        # The path from ``ready`` and ``rdata`` through the processor is long, so it begins at
        # registers. The memory is read ahead, so that its register costs no clock.
        ready, rdata = Signal(), Signal(32)
        m.d.comb += [cpu.ready.eq(ready), cpu.rdata.eq(rdata)]
        m.d.sync += [
            ready.eq(0),
            rdata.eq(
                Mux(at_ram, self.ram.r_data, 0)
                | Mux(at_controller, self.controller.r_data, 0)
                | Mux(at_board, self.board.r_data, 0)
            ),
        ]
        with m.FSM(name="state"):
            with m.State("IDLE"):
                with m.If(cpu.valid & ~ready):
                    m.d.comb += begins.eq(1)
                    with m.If(at_controller & read):
                        m.d.sync += wait.eq(CONTROLLER_LATENCY - 1)
                        m.next = "WAIT"
                    with m.Elif(at_board & read):
                        m.d.sync += wait.eq(Bus.LATENCY - 1)
                        m.next = "WAIT"
                    with m.Else():
                        m.d.sync += ready.eq(1)
            with m.State("WAIT"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += ready.eq(1)
                    m.next = "IDLE"
        return m
