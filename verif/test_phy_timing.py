"""Phy with the times of its datasheets: frames bit by bit, omitted frames, hold, wrong settings.

The board's limits are the datasheets' figures (verif/daughterboard/limits.py), not the Phy's.
"""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from amaranth.back import verilog
from cocotb.triggers import RisingEdge, Timer
from cocotb.utils import get_sim_time

from ohmcarlo.errors import UsageError
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.array.interface import Op
from ohmcarlo_hdl.array.phy.parts import PhyTiming, clocks, half_period
from ohmcarlo_hdl.array.phy.phy import Phy
from ohmcarlo_hdl.config import REFERENCE, CoreConfig
from ohmcarlo_rtl.controller.lint import lint
from ohmcarlo_rtl.controller.tidy import tidy
from verif.daughterboard import Limits, Wired
from verif.daughterboard.driven import DrivenPhy
from verif.harness import run_bench
from verif.test_phy import CONFIGS, RAIL_CODES, VOLTAGES, Bench

CONFIG = CONFIGS["whole"]
CLOCK_HZ, PERIOD_NS = 40_000_000, 25
# Clocks of a read pulse at 40 MHz: 1000 ns of front end and some more
WIDTHS = {"read": 44, "dot": 44, "set": 4, "reset": 8}
START = [0x0700_0000, 0x0800_0001]  # software reset; reference on


async def begun(dut: Any, period_ns: int = PERIOD_NS, **options: Any) -> Bench:
    return await Bench(dut, CONFIG, Limits(), period_ns, **options).start(**WIDTHS)


@cocotb.test()
async def frames(dut) -> None:  # type: ignore[no-untyped-def]
    """The frames of each operation; unchanged values are not sent."""
    bench = await begun(dut)
    board = bench.board

    async def sent(*items: dict[str, Any]) -> tuple[list[str], int, int]:
        """Frames of the DAC, latches of the address and of the inputs."""
        before = len(board.frames), board.seen["address latch"], board.seen["inputs latch"]
        await bench.run(list(items))
        words = [f"{word:08x}" for word in board.frames[before[0] :]]
        return words, *(board.seen[n] - b for n, b in zip(
            ("address latch", "inputs latch"), before[1:], strict=True))  # fmt: skip

    def dot(row: int, bits: int, top: int = 0) -> dict[str, Any]:
        inputs = [bits >> i & 1 for i in range(CONFIG.tile_pairs)]
        return bench.request(Op.DOT, row, inputs=inputs, top=top)

    reset = bench.request(Op.RESET, 2)
    program = bench.request(Op.SET, 2, device=21, dac=0xABC)
    read = bench.request(Op.READ, 2, device=21)
    select = bench.request(Op.SELECT, 9)
    # channel B: gate of RESET, F: source line; A: the request's code, E: bit line of SET
    start = [f"{w:08x}" for w in START]
    assert await sent(reset) == ([*start, "031bb800", "0359c400"], 1, 0)
    assert await sent(program) == (["030abc00", "03480000"], 1, 0)
    assert board.lines["address"] == 2 | 21 << 4  # row, device, tile: QA of the first on
    # C: gate of reads, G: read voltage, H: virtual ground
    assert await sent(read) == (["032fff00", "0360a000", "03740000"], 0, 0)
    assert await sent(program, read, program, read) == ([], 0, 0)
    assert await sent(program | {"dac": 1}, read, select, read) == (["03000100"], 0, 0)
    assert await sent(dot(2, 0b101)) == ([], 0, 1)
    assert board.lines["inputs"] == 0b101
    assert await sent(dot(2, 0b101), dot(2, 0b101)) == ([], 0, 0)
    assert await sent(dot(2, 0b101, top=1), dot(2, 0b10)) == ([], 0, 2)
    assert await sent(dot(3, 0b10)) == ([], 1, 0)
    assert await sent(reset) == ([], 1, 0)
    # a changed rail is sent before the next operation that uses it
    dut.voltages.value = VOLTAGES.pack(RAIL_CODES | {"bit_line_set": 0x123})
    assert await sent(read, program) == (["030abc00", "03412300"], 0, 0)


@cocotb.test()
async def holds(dut) -> None:  # type: ignore[no-untyped-def]
    """Hold at any time: off in the next clocks, no answer stays owed, and operation resumes."""
    bench = await begun(dut)
    board = bench.board
    items = [
        bench.request(Op.SET, 1, device=3, dac=3000),
        bench.request(Op.READ, 1, device=3),
        bench.request(Op.DOT, 1, inputs=[1] * CONFIG.tile_pairs),
    ]
    await bench.run([bench.request(Op.RESET, 1), *items])
    for ns in (10, 300, 700, 1100, 1300, 2100, 3900, 5200, 12_000, 13_300, 15_000):
        bench.source.put(items)
        await Timer(ns * 3 // 2, "ns")
        await RisingEdge(dut.clk)
        dut.off.value = 1
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        assert int(dut.watched.value) & 0b11_1111 == 0b10_0000, ns  # no pulse, and held off
        await Timer(9000, "ns")
        assert int(dut.watched.value) & 0b11_1111 == 0b10_0000 and int(dut.fault.value)
        dut.off.value = 0
        bench.source.drop()
        await RisingEdge(dut.clk)
        assert int(dut.idle.value)
        dut.clear.value = 1
        await RisingEdge(dut.clk)
        dut.clear.value = 0
        for _ in range(3):
            await RisingEdge(dut.clk)
        assert not int(dut.fault.value) and not int(dut.watched.value) & 0b10_0000
        # pulses before the cut changed the array, not the twin
        bench.twin.load_state_dict(bench.array.state_dict())
        bench.twin._programmed[:] = bench.array._programmed
        bench.sink.items.clear()
        latches = board.seen["address latch"], board.seen["dac frame"]
        await bench.run(items[1:])
        # the earlier outputs are unknown
        assert board.seen["address latch"] == latches[0] + 1
        assert board.seen["dac frame"] == latches[1] + 3
    assert not board.faults


@cocotb.test()
async def powers_up(dut) -> None:  # type: ignore[no-untyped-def]
    """The array is held off until the converter is set up; no request is taken before."""
    bench = await begun(dut)
    began = get_sim_time("ns")
    bench.source.put([bench.request(Op.RESET, 1)])
    while int(dut.watched.value) >> 5 & 1:
        assert not int(dut.watched.value) & 0b1_1111
        await RisingEdge(dut.clk)
    assert bench.board.frames == START
    assert get_sim_time("ns") - began >= 3000 + 2 * 32 * 50 + 2000


@cocotb.test()
async def too_fast_a_clock(dut) -> None:  # type: ignore[no-untyped-def]
    """The same hardware with five times its clock frequency."""
    bench = await begun(dut, 5, strict=False)
    bench.source.put([bench.request(Op.RESET, 1), bench.request(Op.READ, 1)])
    await Timer(12_000, "ns")
    said = " ".join(bench.board.faults)
    for what in ("clock of dac is too fast", "SYNC of the DAC is high for too short"):
        assert what in said
    for what in (
        "before rail B settled",
        "clock of address is too fast",
        "read before its conversion",
    ):
        assert what in said


def hardware() -> Wired:
    timing = PhyTiming(power_up_ns=3000, reference_ns=2000)
    return Wired(DrivenPhy(Phy(CONFIG, CLOCK_HZ, timing)))


def test_times_of_the_datasheets() -> None:
    run_bench(hardware, __name__, testcase="frames|holds|powers_up|too_fast_a_clock")


@pytest.mark.parametrize(
    ("ns", "hz", "whole", "half"),
    # 80 ns at 100 MHz are 8 clocks, at 99 MHz 7.92, at 101 MHz 8.08, at 1 MHz less than one
    [(80, 100_000_000, 8, 4), (80, 99_000_000, 8, 4), (80, 101_000_000, 9, 5), (80, 10**6, 1, 1),
     (15, 66_000_000, 1, 1), (15, 200_000_000, 3, 2), (20, 48_000_000, 1, 1)],
)  # fmt: skip
def test_nanoseconds_to_clocks(ns: int, hz: int, whole: int, half: int) -> None:
    assert clocks(ns, hz) == whole
    assert half_period(ns, hz) == half


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"dac_sclk_ns": 19}, "dac_sclk_ns = 19: choose at least 20 ns"),  # DAC7568 t2
        ({"dac_select_high_ns": 79}, "choose at least 80 ns"),  # DAC7568 t4
        ({"chain_sclk_ns": 15}, "choose at least 20 ns"),
        ({"adc_sclk_ns": 14}, "choose at least 15 ns"),  # ADS8860, 66.6 MHz
        ({"adc_convert_ns": 700}, "choose at least 710 ns"),  # ADS8860 tconv
        ({"front_end_ns": 250}, "choose at least 290 ns"),  # ADS8860 tACQ
        ({"adc_sclk_ns": 15}, "takes a sample every 1000 ns"),
        ({"line_settle_ns": 0}, "choose at least 1 ns"),
        ({"power_up_ns": 2 * 10**9}, "choose at most"),
    ],
)
def test_times_that_no_part_bears(wrong: dict[str, int], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        PhyTiming(**wrong)


def config_of(**geometry: int) -> CoreConfig:
    shape = {"rows": 64, "pairs": 32, "access_bits": 1} | geometry
    return CoreConfig(Geometry(**shape), max_group_rows=1)


@pytest.mark.parametrize(
    ("config", "clock_hz", "says"),
    [
        (REFERENCE, 10**8, "access_bits = 8: the line drivers .* choose access_bits = 1"),
        (config_of(pairs=64), 10**8, "choose tile_pairs = 32 or fewer, or dot_bits = 16"),
        (config_of(dot_bits=18), 10**8, "dot_bits = 18: the ADS8860 has 16 bits"),
        (config_of(), 999, "clock_hz = 999: choose"),
    ],
)
def test_what_no_physical_array_can_do(config: CoreConfig, clock_hz: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Phy(config, clock_hz)


def test_what_it_can_do() -> None:
    """The linter reports no warning."""
    for config in (config_of(), config_of(pairs=64, tile_pairs=32),
                   config_of(pairs=64, dot_bits=16, dot_shift=1)):  # fmt: skip
        text = tidy(verilog.convert(Phy(config, 10**8), name="top", emit_src=False))
        assert not lint(text, "top")
