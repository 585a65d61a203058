"""A chain on more points than the core's memory: the host's code, AXI4-Lite and AXI4-Stream.

The host's code runs in a thread, as in ``test_mapped_board``. The source of the data stream repeats
its packet for ever, like a cyclic DMA, and pauses at random.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles, RisingEdge

from ohmcarlo.boards import HardwareBoard, ModelBoard, silent
from ohmcarlo.boards.registers.controller import RegisterController
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.runs import setup
from ohmcarlo.runs.chain_run import ChainRun
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.kinds import chain_kind_of
from ohmcarlo.runs.trace import Trace
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.ip import core as ip
from verif.harness import run_bench, stimuli
from verif.harness.ip import ALL_BYTES
from verif.harness.verilog import kept_verilog
from verif.test_mapped_board import COMPARED, SIMULATED_S, AxiAccess, powered

STEPS, ROWS, PAIRS = 120, 64, 32
CONFIG = CoreConfig(
    Geometry(rows=ROWS, pairs=PAIRS), max_points=64, max_group_rows=1, max_regions=1,
    device_calibration=False, max_streamed_points=512,
)  # fmt: skip
STALL = 0.05


class AxisFeeder:
    """A ``Feeder`` on the ports of ``s_axis_data``. ``lose``: leave out a word of the next pass."""

    def __init__(self, dut: Any) -> None:
        self.dut, self.rng = dut, stimuli(3)
        self.words: list[int] = []
        self.lose = False
        self.passes = 0
        self._place = 0
        cocotb.start_soon(self._run())

    @resume
    async def feed(self, words: Any) -> None:
        self.words, self._place = words.tolist(), 0

    @resume
    async def stop(self) -> None:
        self.words = []
        await ClockCycles(self.dut.aclk, 4)

    async def _run(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.aclk)
        taken = RisingEdge(dut.s_axis_data_tready)
        dut.s_axis_data_tkeep.value = ALL_BYTES
        while True:
            dut.s_axis_data_tvalid.value = 0
            while not self.words or self.rng.random() < STALL:
                await edge
            if self.lose and self._place == len(self.words) // 2:
                self.lose, self._place = False, self._place + 1
            words, place = self.words, self._place
            dut.s_axis_data_tdata.value = words[place]
            dut.s_axis_data_tlast.value = int(place == len(words) - 1)
            dut.s_axis_data_tvalid.value = 1
            await edge
            while not int(dut.s_axis_data_tready.value) and self.words is words:
                await taken
                await edge
            if self.words is words:
                self._place = (place + 1) % len(words)
                self.passes += self._place == 0


def compared(experiment: Any, config: TrainConfig) -> dict[str, Any]:
    """The trace of a run, and predictions from its samples."""
    chain = ChainRun(experiment.setup)
    chain.run()
    board = experiment.setup.board
    found = Trace.of(chain.streamed(), board.current()).arrays()
    return found | dict(
        zip(("mean", "variance"), board.predict(experiment.test_points), strict=True)
    )


@cocotb.test()
async def trains_and_predicts_beyond_the_memory(dut: Any) -> None:
    await powered(dut)
    access, feeder = AxiAccess(dut, interrupts=False), AxisFeeder(dut)
    config = TrainConfig("breast-cancer", steps=STEPS, seed=3, rows=ROWS, pairs=PAIRS)
    kind = chain_kind_of(config.task, config.kind)
    open_board = setup.open_board

    def made(_: Any, array: Any, say: Any) -> HardwareBoard:
        controller = RegisterController(access, access.name, SIMULATED_S, feeder=feeder)
        return HardwareBoard(controller, array, "mmio:bench")

    def work() -> dict[str, Any]:
        setup.open_board = made
        try:
            experiment = kind.build(config, silent)
        finally:
            setup.open_board = open_board
        with closing(experiment):
            board = experiment.setup.board
            assert len(experiment.setup.points) > CONFIG.max_points
            assert board.streamed.resident == CONFIG.max_points
            found = compared(experiment, config)
            # the chain goes on after the predictions
            again = board.run(20)
            feeder.lose = True
            with pytest.raises(OhmcarloError, match="wrong number of words"):
                board.run(20)
            return found | {"again": again.log_posterior}

    with closing(kind.build(config, silent)) as experiment:
        wanted = compared(experiment, config)
        wanted |= {"again": experiment.setup.board.run(20).log_posterior}
        assert isinstance(experiment.setup.board, ModelBoard)
    began = time.perf_counter()
    found = await bridge(work)()
    seconds = time.perf_counter() - began
    dut._log.info(f"{access.words} words, {feeder.passes} passes, {seconds:.1f} s")
    assert feeder.passes > STEPS
    for name in (*COMPARED, "mean", "variance", "again"):
        np.testing.assert_array_equal(found[name], wanted[name], name)


@pytest.mark.verify
def test_a_chain_beyond_the_memory_over_axi() -> None:
    text = kept_verilog(lambda: ip.IpCore(CONFIG, "axi4-lite", clock_hz=100_000_000), CONFIG, "ip")
    run_bench("IpCore", __name__, verilog_text=text)
