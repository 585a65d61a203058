"""The host's board over the registers of the IP core: the trace of a run is that of the model.

The host's code runs in a thread, as on a computer with the core on its bus. Its accesses are those
of an AXI4-Lite master on the Verilated core, word by word, or of PYNQ's classes, which
``cocotbpynq`` connects to the simulator.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles, First, RisingEdge, Timer

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards import HardwareBoard, ModelBoard, silent
from ohmcarlo.boards.registers.access import RegisterAccess
from ohmcarlo.boards.registers.controller import RegisterController
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.golden import SamplerSettings, Thresholds
from ohmcarlo.runs import setup
from ohmcarlo.runs.chain_run import ChainRun
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.kinds import chain_kind_of
from ohmcarlo.runs.trace import Trace
from ohmcarlo.selftest.board import BOARD_CHECKS
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.tasks import CARTPOLE
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.ip.core import IpCore
from verif.harness import case_parameters, run_bench
from verif.harness.bench import BenchFailure
from verif.harness.verilog import TOP, kept_verilog

PERIOD_NS = 10
PAUSE_CLOCKS, LONGEST_CLOCKS = 2000, 20000
STEPS, ROWS, PAIRS, SEED = 200, 64, 32, 3
CONFIG = CoreConfig(
    Geometry(rows=ROWS, pairs=PAIRS), max_group_rows=1, max_regions=1, device_calibration=False
)
CLOCK_HZ = 100_000_000
COMPARED = ("accepted", "log_posterior", "chain", "codes", "multiplicity")
WDBC, POLICY_STEPS = "breast-cancer", 25
SIMULATED_S = 300.0
POINTS, FEATURES = 150, 9
CORE_AT, CORE_SIZE = 0x43C00000, 0x40000
DMA_AT = 0x40400000


# -- the run -----------------------------------------------------------------------------------


def traced(
    made: Callable[[Any], Any] | None = None, task: str = WDBC, steps: int = STEPS
) -> dict[str, Any]:
    """A run, and its predictions, over the board that ``made`` returns for an array; None: over the
    golden model. A policy has no predictions."""
    config = TrainConfig(task, steps=steps, seed=SEED, rows=ROWS, pairs=PAIRS)
    before = setup.open_board
    if made is not None:
        setup.open_board = lambda _, array, say: made(array)  # type: ignore[assignment]
    try:
        experiment = chain_kind_of(config.task, config.kind).build(config, silent)
    finally:
        setup.open_board = before
    with closing(experiment):
        chain = ChainRun(experiment.setup)
        chain.run()
        board = experiment.setup.board
        found = Trace.of(chain.streamed(), board.current()).arrays()
        points = experiment.setup.points
        if not len(points):
            return found
        found["mean"], found["variance"] = board.predict(points)
        triage = board.triage(points, Thresholds.of(margin=0.2))
        return found | {"answers": triage.answers, "doubtful": triage.doubtful}


def compare(found: dict[str, Any], wanted: dict[str, Any], steps: int = STEPS) -> None:
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name], name)
    assert set(wanted) >= set(COMPARED)
    assert len(wanted["accepted"]) == steps and 0 < wanted["accepted"].sum() < steps
    if "doubtful" in wanted:
        assert 0 < wanted["doubtful"].sum() < len(wanted["doubtful"])


# -- over an AXI4-Lite master ------------------------------------------------------------------


class AxiAccess(RegisterAccess):
    """Accesses of the host's thread through an AXI4-Lite master.

    ``words`` counts those that were read and written. ``spoil``: the number of a written word whose
    lowest bit is flipped.
    """

    name = "the bench"

    def __init__(self, dut: Any, interrupts: bool, spoil: int = -1) -> None:
        from cocotbext.axi import AxiLiteBus, AxiLiteMaster

        bus = AxiLiteBus.from_prefix(dut, "s_axi")
        self.dut, self.interrupts, self.spoil = dut, interrupts, spoil
        self.master = AxiLiteMaster(bus, dut.aclk, dut.aresetn, reset_active_level=False)
        for part in (self.master.read_if, self.master.write_if):
            part.log.setLevel(logging.WARNING)  # a line for each access otherwise
        self.words = self.written = 0

    def read(self, address: int) -> int:
        return int(self.read_words(address, 1)[0])

    def write(self, address: int, value: int) -> None:
        self.write_words(address, np.array([value], np.uint32))

    @resume
    async def read_words(self, address: int, count: int) -> Any:
        self.words += count
        return np.array(await self.master.read_dwords(address, count), np.uint32)

    @resume
    async def write_words(self, address: int, words: Any) -> None:
        if self.written <= self.spoil < self.written + len(words):
            words = words.copy()
            words[self.spoil - self.written] ^= 1
        self.written += len(words)
        self.words += len(words)
        await self.master.write_dwords(address, words.tolist())

    @resume
    async def wait(self, seconds: float) -> None:
        if not self.interrupts:
            await ClockCycles(self.dut.aclk, PAUSE_CLOCKS)
        elif not self.dut.irq.value:
            await First(RisingEdge(self.dut.irq), Timer(PERIOD_NS * LONGEST_CLOCKS, "ns"))


async def powered(dut: Any) -> None:
    Clock(dut.aclk, PERIOD_NS, "ns").start()
    dut.aresetn.value = 0
    quiet(dut)
    await ClockCycles(dut.aclk, 10)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 10)


def quiet(dut: Any) -> None:
    dut.off.value = dut.s_axis_data_tvalid.value = dut.m_axis_records_tready.value = 0


@cocotb.test()
async def over_axi(dut: Any) -> None:
    await powered(dut)
    case = case_parameters()
    access = AxiAccess(dut, case["interrupts"], case.get("spoil", -1))

    def made(array: Any) -> HardwareBoard:
        controller = RegisterController(access, access.name, SIMULATED_S)
        return HardwareBoard(controller, array, "mmio:bench", check=False)

    task, steps = case.get("task", WDBC), case.get("steps", STEPS)
    wanted = traced(None, task, steps)
    began = time.perf_counter()
    found = await bridge(traced)(made, task, steps)
    seconds = time.perf_counter() - began
    dut._log.info(f"{access.words} words, {seconds:.1f} s, {1e3 * seconds / steps:.0f} ms a step")
    compare(found, wanted, steps)


@cocotb.test()
async def other_uses(dut: Any) -> None:
    """The self-test with raw operations, a chain that the model takes over, an emergency stop."""
    await powered(dut)
    access = AxiAccess(dut, interrupts=True)

    def board_of(seed: int) -> HardwareBoard:
        controller = RegisterController(access, access.name, SIMULATED_S)
        return HardwareBoard(controller, EmulatedArray(CONFIG.geometry, seed), "mmio:bench")

    await bridge(self_test)(await bridge(board_of)(SEED))
    await bridge(taken_over)(await bridge(board_of)(SEED))
    board = await bridge(board_of)(SEED)
    await bridge(begin_chain)(board)
    cocotb.start_soon(stop(dut))
    with pytest.raises(OhmcarloError, match=r"sequencer of the bench has stopped \(off\) and"):
        await bridge(board.run)(STEPS)
    dut.off.value = 0
    await bridge(begin_chain)(board)  # configured again, it works
    assert len((await bridge(board.run)(10)).accepted) == 10


async def stop(dut: Any) -> None:
    """Press the emergency stop while a command runs."""
    await ClockCycles(dut.aclk, LONGEST_CLOCKS)
    assert dut.busy.value
    dut.off.value = 1


def self_test(board: HardwareBoard) -> None:
    for name, check in BOARD_CHECKS.items():
        passed, detail = check(board, SEED)
        assert passed, (name, detail)


def begin_chain(board: Any) -> None:
    settings = SamplerSettings(
        rho=0.95, gamma_us=12.0, tau_us=20.0, sigma_p=float(np.inf), retries=1
    )
    rng = np.random.default_rng(SEED)
    points = Points(
        rng.integers(-60, 61, (POINTS, FEATURES)).astype(np.int8),
        rng.integers(0, 2, POINTS).astype(np.uint8),
        rng.integers(-999, 999, POINTS).astype(np.int16),
    )
    board.configure(settings.registers(CONFIG.geometry, FEATURES, lambda g: 0.05 * g), points)
    board.start()


def taken_over(board: HardwareBoard) -> None:
    """The model continues the chain from the state of the core, and the core that of the model."""
    begin_chain(board)
    board.run(30)
    model = ModelBoard(EmulatedArray(CONFIG.geometry, SEED))
    begin_chain(model)
    for source, sink in ((board, model), (model, board)):
        sink.load_state_dict(source.state_dict())
        found, wanted = board.run(30), model.run(30)
        for name in ("accepted", "log_posterior", "codes"):
            np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), name)


# -- over PYNQ's classes -----------------------------------------------------------------------


@cocotb.test()
async def over_pynq(dut: Any) -> None:
    """Overlay, MMIO and DMA are those of cocotbpynq; it clocks and resets the core."""
    import cocotbpynq

    sys.modules["pynq"] = cocotbpynq
    from ohmcarlo.boards.pynq import board_of

    quiet(dut)
    wanted = traced()
    began = time.perf_counter()

    def made(array: Any) -> HardwareBoard:
        overlay = cocotbpynq.Overlay("core.bit")
        dma = overlay.axi_dma_0 if case_parameters()["dma"] else None
        mmio = SlowMmio(cocotbpynq.MMIO(CORE_AT, CORE_SIZE), dut)
        board = board_of(mmio, array, dma)
        board.remote._access.wait = mmio.wait  # type: ignore[attr-defined]
        return board

    found = await bridge(traced)(made)
    seconds = time.perf_counter() - began
    dut._log.info(f"{seconds:.1f} s, {1e3 * seconds / STEPS:.0f} ms a step")
    compare(found, wanted)


class SlowMmio:
    """MMIO of cocotbpynq. Simulated time passes only in accesses; ``wait`` lets it pass."""

    def __init__(self, mmio: Any, dut: Any) -> None:
        self.read, self.write = mmio.read, mmio.write
        self.base_addr, self.length = mmio.base_addr, mmio.length
        self.dut = dut

    @resume
    async def wait(self, seconds: float) -> None:
        await ClockCycles(self.dut.clk, PAUSE_CLOCKS)


def overlay_text() -> str:
    """The hardware hand-off of an overlay with the core, an AXI DMA and a Zynq-7000."""
    lite = [
        *("AWADDR", "AWVALID", "AWREADY", "WDATA", "WSTRB", "WVALID", "WREADY"),
        *("BRESP", "BVALID", "BREADY", "ARADDR", "ARVALID", "ARREADY"),
        *("RDATA", "RRESP", "RVALID", "RREADY"),
    ]
    stream = ["TDATA", "TKEEP", "TLAST", "TVALID", "TREADY"]

    def bus(name: str, kind: str, wire: str, vlnv: str, ports: list[str], prefix: str) -> str:
        maps = "".join(
            f'<PORTMAP LOGICAL="{port}" PHYSICAL="{prefix}_{port.lower()}"/>' for port in ports
        )
        return (
            f'<BUSINTERFACE BUSNAME="{wire}" NAME="{name}" TYPE="{kind}" '
            f'VLNV="xilinx.com:interface:{vlnv}:1.0"><PORTMAPS>{maps}</PORTMAPS></BUSINTERFACE>'
        )

    core = bus("S_AXI", "SLAVE", "gp0", "aximm", lite, "s_axi")
    core += bus("RECORDS", "INITIATOR", "records", "axis", stream, "m_axis_records")
    dma = bus("S_AXIS_S2MM", "TARGET", "records", "axis", stream, "s_axis_s2mm")

    def place(instance: str, at: int, size: int, name: str) -> str:
        return (
            f'<MEMRANGE BASEVALUE="{at:#x}" HIGHVALUE="{at + size:#x}" INSTANCE="{instance}" '
            f'SLAVEBUSINTERFACE="{name}"/>'
        )

    def module(instance: str, kind: str, vlnv: str, inside: str) -> str:
        return (
            f'<MODULE FULLNAME="/{instance}" INSTANCE="{instance}" MODTYPE="{kind}" '
            f'VLNV="{vlnv}">{inside}</MODULE>'
        )

    ports = (
        '<PORTS><PORT DIR="I" NAME="clk" SIGIS="clk"/>'
        '<PORT DIR="I" NAME="aresetn" POLARITY="ACTIVE_LOW" SIGIS="rst"/></PORTS>'
    )
    ranges = place("ohmcarlo_0", CORE_AT, CORE_SIZE, "S_AXI")
    ranges += place("axi_dma_0", DMA_AT, 0x10000, "S_AXI_LITE")
    return (
        "<EDKSYSTEM><MODULES>"
        + module(
            "ohmcarlo_0",
            TOP,
            "ohmcarlo:ip:ohmcarlo_axi4_lite:1.0",
            f"{ports}<BUSINTERFACES>{core}</BUSINTERFACES>",
        )
        + module(
            "axi_dma_0",
            "axi_dma",
            "xilinx.com:ip:axi_dma:7.1",
            f"<BUSINTERFACES>{dma}</BUSINTERFACES>",
        )
        + module(
            "ps7",
            "processing_system7",
            "xilinx.com:ip:processing_system7:5.5",
            f"<MEMORYMAP>{ranges}</MEMORYMAP>",
        )
        + "</MODULES></EDKSYSTEM>"
    )


SLICE = """
  reg held = 0;
  reg [{width}-1:0] address;
  wire taken;
  assign s_axi_awready = ~held;
  always @(posedge clk)
    if (~aresetn) held <= 0;
    else if (s_axi_awvalid & ~held) begin held <= 1; address <= s_axi_awaddr; end
    else if (taken) held <= 0;
"""
"""Holds the address of a write until its data arrive, as an interconnect between processor and core
does. MMIO of cocotbpynq gives the data only after the core has taken the address; AXI4-Lite lets a
core wait for both."""


def wrapped(core: IpCore, text: str) -> str:
    """The core behind ``SLICE``, in a module whose clock is called ``clk``, as cocotbpynq expects
    it."""
    links = {port.name: port.name for port in core.ports} | {
        "aclk": "clk",
        "s_axi_awvalid": "held",
        "s_axi_awaddr": "address",
        "s_axi_awready": "taken",
    }
    lines = []
    for port in core.ports:
        kind = "input" if port.flow.name == "In" else "output"
        name = "clk" if port.name == "aclk" else port.name
        lines.append(f"  {kind} [{port.width - 1}:0] {name}")
    width = next(port.width for port in core.ports if port.name == "s_axi_awaddr")
    connected = ", ".join(f".{inner}({outer})" for inner, outer in links.items())
    inner = text.replace(f"module {TOP}(", "module core(", 1)
    ports = ",\n".join(lines)
    body = SLICE.format(width=width)
    return f"{inner}\nmodule {TOP}(\n{ports}\n);{body}  core core({connected});\nendmodule\n"


# -- pytest ------------------------------------------------------------------------------------


def core() -> IpCore:
    return IpCore(CONFIG, "axi4-lite", clock_hz=CLOCK_HZ)


def text_of_core() -> str:
    return kept_verilog(core, CONFIG, "axi4-lite", CLOCK_HZ)


@pytest.mark.verify
@pytest.mark.parametrize("interrupts", [True, False])
def test_the_board_over_axi(interrupts: bool) -> None:
    case = {"interrupts": interrupts}
    run_bench("IpCore", __name__, case, testcase="over_axi", verilog_text=text_of_core())


@pytest.mark.verify
def test_a_policy_over_axi() -> None:
    """Episodes on the host give the log-likelihood of each proposal while the core waits."""
    case = {"interrupts": True, "task": CARTPOLE, "steps": POLICY_STEPS}
    run_bench("IpCore", __name__, case, testcase="over_axi", verilog_text=text_of_core())


@pytest.mark.verify
def test_other_uses_over_axi() -> None:
    run_bench("IpCore", __name__, testcase="other_uses", verilog_text=text_of_core())


@pytest.mark.verify
def test_a_spoiled_word_is_noticed() -> None:
    """One bit of one word on the bus, in the data memory, changes the trace."""
    case = {"interrupts": True, "spoil": SPOILED_WORD}
    with pytest.raises(BenchFailure, match=r"log_posterior|accepted|codes"):
        run_bench("IpCore", __name__, case, testcase="over_axi", verilog_text=text_of_core())


SPOILED_WORD = 3000


@pytest.mark.verify
@pytest.mark.parametrize("dma", [True, False])
def test_the_board_over_pynq(dma: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cocotbpynq")
    (tmp_path / "core.hwh").write_text(overlay_text())
    monkeypatch.setenv("HWH_LOCATION_DIR", str(tmp_path))
    text = wrapped(core(), text_of_core())
    run_bench("IpCore", __name__, {"dma": dma}, testcase="over_pynq", verilog_text=text)
