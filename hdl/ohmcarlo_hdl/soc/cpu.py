"""The processor: PicoRV32 (RV32IM without division), and its memory bus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from amaranth import ClockSignal, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.errors import UsageError

from .memory_map import RAM_BASE, RAM_BYTES

START_CLOCKS = 15
"""Clocks of reset of the processor: memories of some FPGAs are not readable immediately, and an
access that a restart interrupts takes some clocks."""


def picorv32_verilog() -> str:
    """Verilog of the processor. Raises UsageError if its package is missing."""
    try:
        import pythondata_cpu_picorv32 as package
    except ImportError:
        raise UsageError(
            "the processor's Verilog is not installed: pip install 'ohmcarlo[hdl]'"
        ) from None
    return (Path(package.data_location) / "picorv32.v").read_text()


class MemoryBus(wiring.Signature):
    """PicoRV32's native memory interface.

    An access is stable from ``valid`` until the clock with ``ready`` high.

    Attributes
    ----------
    valid : Out(1)
        There is an access.
    addr : Out(32)
        Byte address of a word.
    ahead : Out(32)
        ``addr`` of the access that begins in the next clock; undefined at other times.
    wdata : Out(32)
        Word to write.
    wstrb : Out(4)
        Enable of each byte; 0: a read.
    ready : In(1)
        The access is done.
    rdata : In(32)
        Word that was read.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "addr": Out(32),
                "ahead": Out(32),
                "wdata": Out(32),
                "wstrb": Out(4),
                "ready": In(1),
                "rdata": In(32),
            }
        )


class Cpu(wiring.Component):
    """PicoRV32; it starts at ``RAM_BASE`` with its stack at the end of the memory.

    Attributes
    ----------
    memory : Out(MemoryBus)
        Accesses of the processor.
    restart : In(1)
        Resets the processor.
    trap : Out(1)
        An illegal instruction or a misaligned access stopped the processor until reset.
    """

    def __init__(self, ram_bytes: int = RAM_BYTES) -> None:
        self.ram_bytes = ram_bytes
        super().__init__({"memory": Out(MemoryBus()), "restart": In(1), "trap": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if platform is not None:
            platform.add_file("picorv32.v", picorv32_verilog())
        started = Signal(range(START_CLOCKS + 1))
        running = Signal()
        m.d.sync += running.eq(started == START_CLOCKS)
        with m.If(self.restart):
            m.d.sync += started.eq(0)
        with m.Elif(started != START_CLOCKS):
            m.d.sync += started.eq(started + 1)
        memory = self.memory
        m.submodules.picorv32 = Instance(
            "picorv32",
            p_ENABLE_COUNTERS=0,
            p_ENABLE_COUNTERS64=0,
            p_BARREL_SHIFTER=1,
            p_COMPRESSED_ISA=0,
            p_CATCH_MISALIGN=1,
            p_CATCH_ILLINSN=1,
            p_ENABLE_MUL=1,
            p_ENABLE_DIV=0,
            p_ENABLE_IRQ=0,
            p_REGS_INIT_ZERO=1,
            p_PROGADDR_RESET=RAM_BASE,
            p_STACKADDR=RAM_BASE + self.ram_bytes,
            i_clk=ClockSignal(),
            i_resetn=running & ~ResetSignal(allow_reset_less=True),
            o_trap=self.trap,
            o_mem_valid=memory.valid,
            i_mem_ready=memory.ready,
            o_mem_addr=memory.addr,
            o_mem_la_addr=memory.ahead,
            o_mem_wdata=memory.wdata,
            o_mem_wstrb=memory.wstrb,
            i_mem_rdata=memory.rdata,
            i_pcpi_wr=0,
            i_pcpi_rd=0,
            i_pcpi_wait=0,
            i_pcpi_ready=0,
            i_irq=0,
        )
        return m
