"""The board: processor, memory, registers, link and controller, under a small test firmware.

Every test runs with a free-running, a gated and a randomly gated clock of the controller. The host
observes no difference.
"""

from __future__ import annotations

import gc
import zlib
from pathlib import Path
from typing import Any

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from ohmcarlo.errors import UsageError
from ohmcarlo.spec import Geometry
from ohmcarlo.spec.link import FaultCause
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.soc.cpu import picorv32_verilog
from ohmcarlo_hdl.soc.memory_map import RAM_BYTES
from ohmcarlo_hdl.soc.simulated import SimulatedBoard
from ohmcarlo_hdl.soc.soc import Soc
from ohmcarlo_rtl.firmware.image import link_program
from ohmcarlo_rtl.verilated.profile import c_words, load_script
from verif.harness import case_parameters, run_bench, stimuli
from verif.harness.streams import PERIOD_NS
from verif.harness.verilog import verilog_of
from verif.test_records import split
from verif.test_uart import frame

CONFIG = CoreConfig(
    Geometry(rows=16, pairs=8),
    max_points=16,
    max_group_rows=1,
    max_regions=1,
    device_calibration=False,
)
DIVISOR = 3
CLOCK_HZ, DESIGN_HASH = 12_345_678, 0xC0FFEE01
RING_BYTES = 4096
WATCHDOG_CLOCKS = 8_000
MASK = (1 << 32) - 1
# boards that are refused
pytestmark = pytest.mark.filterwarnings("ignore:.*created but never used")
FIRMWARE = Path(__file__).parent / "firmware" / "soc.c"


GATED = """
module dut(clk, force_core, core_runs, rx, tx, trap, idle, core_wanted);
  input clk, force_core, rx;
  output core_runs, tx, trap, idle, core_wanted;
  reg gate = 0;
  wire core_clk = clk & gate;
  assign core_runs = gate;
  always @(negedge clk) gate <= core_wanted | force_core;
  board board(.clk(clk), .core_clk(core_clk), .rx(rx), .tx(tx), .trap(trap), .idle(idle),
    .core_wanted(core_wanted));
endmodule
"""
"""The board behind a clock gate, as an FPGA's: the controller is clocked if the board wants it, or
if a test forces it."""


class Host:
    """Communicates with the board over its line, one level per clock, and monitors its pins.

    ``when``: "always", "wanted" or "random": when the controller gets its clock.
    """

    def __init__(self, dut: Any, when: str) -> None:
        self.dut, self.when = dut, when
        self.rng = stimuli(3)
        self.clocks = self.core_clocks = 0
        self.line: list[int] = []  # levels to come, a clock each
        self.bytes = bytearray()
        self.sampling = 0  # clocks since the start bit of the incoming byte
        self.bits = 0
        self.sending = 0  # clocks that the line to the board has been in use
        self.owed = False
        self.level = 1  # of the line to the board
        self.fall = FallingEdge(dut.clk)
        dut.rx.value, dut.force_core.value = 1, int(when == "always")

    def start(self) -> None:
        """Start the clock, which stops at the end of a cocotb test."""
        Clock(self.dut.clk, PERIOD_NS, "ns", impl="gpi").start(start_high=False)

    async def clock(self) -> None:
        """Wait for the next falling edge, where all changes of the rising edge are settled."""
        dut = self.dut
        level = self.line.pop(0) if self.line else 1
        if level != self.level:
            dut.rx.value = self.level = level
        if self.when == "random":
            dut.force_core.value = int(self.rng.random() < 0.3)
        await self.fall
        self.clocks += 1
        self.core_clocks += int(dut.core_runs.value)
        self._sample(int(dut.tx.value))
        self.sending = self.sending + 1 if self.line else 0
        if int(dut.idle.value):
            # two clocks from the line to the receiver, one more to the pins
            assert self.sending < 4 and not self.sampling, "idle while bytes are on the line"
            assert not self.owed or self.line, "idle while an answer is outstanding"

    def _sample(self, level: int) -> None:
        if not self.sampling:
            self.sampling = int(not level)
            self.bits = 0
            return
        self.sampling += 1
        bit, phase = divmod(self.sampling - 1, DIVISOR)
        if phase == DIVISOR // 2:
            self.bits |= level << bit
            if bit == 9:
                assert level, "a stop bit"
                self.bytes.append(self.bits >> 1 & 0xFF)
                self.sampling = 0

    def send(self, data: bytes) -> None:
        for byte in data:
            self.line += [bit for bit in frame(byte) for _ in range(DIVISOR)]

    async def words(self, count: int, limit: int = 200_000) -> list[int]:
        """The next words from the board."""
        end = self.clocks + limit
        self.owed = True
        while len(self.bytes) < 4 * count:
            assert self.clocks < end, f"{len(self.bytes)} bytes of {4 * count}"
            assert not int(self.dut.trap.value)
            await self.clock()
        self.owed = False
        data, self.bytes = self.bytes[: 4 * count], self.bytes[4 * count :]
        return [int.from_bytes(data[i : i + 4], "little") for i in range(0, 4 * count, 4)]

    async def settle(self) -> None:
        """Wait until the board reports that it is idle; it sends nothing more then."""
        end = self.clocks + 3_000
        while not int(self.dut.idle.value):
            assert self.clocks < end, "never idle"
            await self.clock()
        assert not self.bytes


_hosts: list[Host] = []


def begin(dut: Any) -> Host:
    """The host of this simulation: the board is switched on once, for all its tests."""
    if not _hosts:
        _hosts.append(Host(dut, case_parameters()["when"]))
    _hosts[0].start()
    return _hosts[0]


@cocotb.test()
async def memory(dut) -> None:  # type: ignore[no-untyped-def]
    """Bytes, half words and words in memory, signed and not; all of it that the program leaves."""
    host = begin(dut)
    host.send(b"m")
    total = 0
    for i in range(64):
        total = (total * 31 + i * 2654435761) & MASK
    wanted = [0x1122AA44, 0xBEEFAA44, 0x12EF8001, 0xFFFFFFEF, 0xEF, 0xFFFF8001, 0x8001, total]
    assert await host.words(8) == wanted
    await host.settle()
    if host.when == "wanted":
        assert host.core_clocks < 100, "the controller runs without need"


@cocotb.test()
async def registers(dut) -> None:  # type: ignore[no-untyped-def]
    """Only whole words reach the registers, and unused addresses read 0."""
    host = begin(dut)
    host.send(b"r")
    found = await host.words(18)
    assert found[:4] == [int.from_bytes(b"OHMC", "big"), CONFIG.geometry.rows, 5, 3]
    assert found[4:6] == [5, DIVISOR], "a write of less than a word"
    assert found[6:11] == [int.from_bytes(b"OHMB", "big"), CLOCK_HZ, RAM_BYTES, 1, DESIGN_HASH]
    assert found[11:] == [0x5EED5EED, 0, 0, 0, 0, 0, 0]
    await host.settle()


@cocotb.test()
async def checksum_and_timer(dut) -> None:  # type: ignore[no-untyped-def]
    host = begin(dut)
    for seed in range(2):
        data = stimuli(seed).randbytes(20)
        host.send(b"c" + data)
        assert await host.words(1) == [zlib.crc32(data)]
    host.send(b"t")
    before = host.clocks
    upper, first, difference = await host.words(3)
    assert upper == 0 and before <= first <= before + 400
    # the firmware waited until eight bytes were sent
    assert 8 * 10 * DIVISOR <= difference <= host.clocks - before
    host.send(b"?")
    assert await host.words(1) == [0xBAD00BAD]
    await host.settle()


@cocotb.test()
async def flood(dut) -> None:  # type: ignore[no-untyped-def]
    """More bytes than the ring holds: the first ones are kept, the others are counted."""
    host = begin(dut)
    data = stimuli(6).randbytes(RING_BYTES + 5)
    host.send(bytes([ord("f"), 31]) + data)  # 31 × 4096 clocks: longer than the bytes take
    inside, lost, total = await host.words(3, 600_000)
    # the ring was full, except for the bytes that software had taken
    assert (inside, lost) == (RING_BYTES, 5)
    wanted = 0
    for byte in data[:RING_BYTES]:
        wanted = (wanted * 31 + byte) & MASK
    assert total == wanted
    await host.settle()


STEPS = 60


@cocotb.test()
async def chain(dut) -> None:  # type: ignore[no-untyped-def]
    """Records of a chain reach the host, and follow the register map."""
    host = begin(dut)
    host.send(bytes([ord("g"), STEPS]))
    words: list[int] = []
    while not words or words[-1] != MASK:
        words += await host.words(1, 400_000)
    assert words[-2] >> 6 == 4, "all requested steps are made"
    found = split(words[:-2])
    steps, samples = found[1], found[2]
    assert not found[3]
    assert len(steps) == STEPS
    accepted = [len(step) == 3 for step in steps]
    assert 0 < sum(accepted) < STEPS
    features = CONFIG.max_features
    assert all(sample[0] == 0x2000_0000 | 4 + features for sample in samples)
    # every sample but the last, current one was retired when the next was accepted
    assert len(samples) == sum(accepted) + 1
    assert [sample[1] >> 8 & 1 for sample in samples] == [0] * sum(accepted) + [1]
    assert sum(sample[2] for sample in samples) == STEPS + 1
    # an accepted step reports log-likelihood and log-prior of the sample that it begins
    begun = [step[1:] for step, was in zip(steps, accepted, strict=True) if was]
    assert [sample[3:5] for sample in samples[1:]] == begun
    await host.settle()
    if host.when == "wanted":
        assert host.core_clocks < host.clocks
    Path(case_parameters()["words"]).write_text(repr(words))


@cocotb.test()
async def watchdog(dut) -> None:  # type: ignore[no-untyped-def]
    """A program that loops while a chain runs: the array is switched off in time, and the processor
    is restarted. A processor that waits for the host is not."""
    host = begin(dut)
    host.send(b"w")
    assert (await host.words(4))[:3] == [0, 0, 0], "restarts, busy, fault"
    host.send(b"l")
    assert await host.words(1, 400_000) == [1], "the chain runs"
    for _ in range(WATCHDOG_CLOCKS - 2000):
        await host.clock()
    assert int(dut.core_wanted.value), "too early"
    for _ in range(2000 + 400):
        await host.clock()
    assert not int(dut.core_wanted.value), "the controller still runs"
    for _ in range(2 * WATCHDOG_CLOCKS):
        await host.clock()
    host.send(b"w")
    assert await host.words(4) == [1, 0, 1, FaultCause.OFF]


@cocotb.test()
async def trap(dut) -> None:  # type: ignore[no-untyped-def]
    """An illegal instruction is reported on a pin, and ends the chain at once."""
    host = begin(dut)
    host.send(b"x")
    assert await host.words(1, 400_000) == [1], "the chain runs"
    end = host.clocks + 1000
    while not int(dut.trap.value):
        assert int(dut.core_wanted.value)
        assert host.clocks < end
        await host.clock()
    for _ in range(200):
        await host.clock()
    for _ in range(2000):
        await host.clock()
        assert int(dut.trap.value) and not int(dut.core_wanted.value), "the controller still runs"
        assert not int(dut.idle.value)


def soc(config: CoreConfig = CONFIG, firmware: bytes = b"\x6f\0\0\0", **changes: int) -> Soc:
    told = {"clock_hz": CLOCK_HZ, "uart_divisor": DIVISOR, "design_hash": DESIGN_HASH} | changes
    return Soc(config, firmware, simulated=True, watchdog_clocks=WATCHDOG_CLOCKS, **told)


@pytest.fixture(scope="module")
def board() -> str:
    """Verilog of a small board with the firmware of these tests."""
    text = FIRMWARE.read_text().replace("\n@\n", f"\n{c_words(load_script(CONFIG))}\n")
    board = SimulatedBoard(soc(firmware=link_program(CONFIG, text).image))
    return verilog_of(board, "board") + picorv32_verilog() + GATED


WHEN = ("wanted", "always", "random")


def test_soc(board: str, tmp_path: Path) -> None:
    """The same words of a chain, with any gating of the controller's clock."""
    tests = "memory|registers|checksum_and_timer|chain|trap"
    found = set()
    for when in WHEN:
        case = {"when": when, "words": str(tmp_path / when)}
        more = "|flood|watchdog" if when == "wanted" else ""
        run_bench("soc", __name__, case, testcase=tests + more, verilog_text=board)
        found.add((tmp_path / when).read_text())
    assert len(found) == 1


def test_refuses_nonsense() -> None:
    too_large = f"{RAM_BYTES + 4} bytes and the memory {RAM_BYTES}: make one smaller"
    with pytest.raises(UsageError, match=too_large):
        soc(firmware=bytes(RAM_BYTES + 4))
    for divisor in (1, 1 << 16):
        with pytest.raises(UsageError, match=f"uart_divisor = {divisor}: choose 2 to 65535"):
            soc(uart_divisor=divisor)
    gc.collect()  # collect the refused boards while their warnings are ignored
