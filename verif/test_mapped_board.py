"""The host's board over the registers of the IP core: the trace of a run is that of the model.

The host's code runs in a thread. Its accesses are those of an AXI4-Lite master on the Verilated
core, word by word.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles, First, RisingEdge, Timer

from ohmcarlo.boards import HardwareBoard, silent
from ohmcarlo.boards.registers.access import RegisterAccess
from ohmcarlo.boards.registers.controller import RegisterController
from ohmcarlo.runs import setup
from ohmcarlo.runs.chain_run import ChainRun
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.kinds import chain_kind_of
from ohmcarlo.runs.trace import Trace
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.ip import core as ip
from verif.harness import case_parameters, run_bench
from verif.harness.verilog import kept_verilog

PERIOD_NS = 10
WORD_BYTES = 4
PAUSE_CLOCKS = 2000
STEPS, ROWS, PAIRS = 200, 64, 32
CONFIG = CoreConfig(
    Geometry(rows=ROWS, pairs=PAIRS), max_group_rows=1, max_regions=1, device_calibration=False
)
COMPARED = ("accepted", "log_posterior", "chain", "codes", "multiplicity")
SIMULATED_S = 300.0


class AxiAccess(RegisterAccess):
    """Accesses of the host's thread through an AXI4-Lite master.

    ``seen`` counts the words that were read and written.
    """

    def __init__(self, dut: Any) -> None:
        from cocotbext.axi import AxiLiteBus, AxiLiteMaster

        bus = AxiLiteBus.from_prefix(dut, "s_axi")
        self.dut = dut
        self.master = AxiLiteMaster(bus, dut.aclk, dut.aresetn, reset_active_level=False)
        self.interrupts = bool(case_parameters()["interrupts"])
        self.seen = 0

    def read(self, address: int) -> int:
        return int(self.read_words(address, 1)[0])

    def write(self, address: int, value: int) -> None:
        self.write_words(address, np.array([value], np.uint32))

    @resume
    async def read_words(self, address: int, count: int) -> Any:
        self.seen += count
        return np.array(await self.master.read_dwords(address, count), np.uint32)

    @resume
    async def write_words(self, address: int, words: Any) -> None:
        self.seen += len(words)
        await self.master.write_dwords(address, words.tolist())

    @resume
    async def wait(self, seconds: float) -> None:
        if not self.interrupts:
            await ClockCycles(self.dut.aclk, PAUSE_CLOCKS)
        elif not self.dut.irq.value:
            await First(RisingEdge(self.dut.irq), Timer(PERIOD_NS * PAUSE_CLOCKS * 10, "ns"))


async def powered(dut: Any) -> None:
    Clock(dut.aclk, PERIOD_NS, "ns").start()
    dut.aresetn.value, dut.off.value = 0, 0
    dut.s_axis_data_tvalid.value = 0
    dut.m_axis_records_tready.value = 0
    await ClockCycles(dut.aclk, 10)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 10)


def traced(config: TrainConfig, made: Callable[[Any], Any] | None = None) -> dict[str, Any]:
    """The trace of a run, over the board that ``made`` returns for an array."""
    before = setup.open_board
    if made is not None:
        setup.open_board = lambda _, array, say: made(array)
    try:
        experiment = chain_kind_of(config.task, config.kind).build(config, silent)
    finally:
        setup.open_board = before
    with closing(experiment):
        chain = ChainRun(experiment.setup)
        chain.run()
        return Trace.of(chain.streamed(), experiment.setup.board.current()).arrays()


@cocotb.test()
async def the_trace_of_the_model(dut: Any) -> None:
    await powered(dut)
    access = AxiAccess(dut)
    config = TrainConfig("breast-cancer", steps=STEPS, seed=3, rows=ROWS, pairs=PAIRS)

    def made(array: Any) -> HardwareBoard:
        return HardwareBoard(RegisterController(access, "axi", SIMULATED_S), array, "mmio:bench")

    wanted = traced(config)
    began = time.perf_counter()
    found = await bridge(lambda: traced(config, made))()
    seconds = time.perf_counter() - began
    dut._log.info(f"{access.seen} accesses, {seconds:.1f} s")
    for name in COMPARED:
        np.testing.assert_array_equal(found[name], wanted[name], name)


@pytest.mark.verify
@pytest.mark.parametrize("interrupts", [True, False])
def test_the_board_over_axi(interrupts: bool) -> None:
    text = kept_verilog(lambda: ip.IpCore(CONFIG, "axi4-lite", clock_hz=100_000_000), CONFIG, "ip")
    run_bench("IpCore", __name__, {"interrupts": interrupts}, verilog_text=text)
