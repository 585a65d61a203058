"""The whole core for other designs, on its native bus: commands, interrupts, faults, its page.

The golden traces of ``test_core`` run through it, too.
"""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge, with_timeout

from ohmcarlo.boards.records.decode import Records
from ohmcarlo.golden.likelihood import predict_sums
from ohmcarlo.spec import Points
from ohmcarlo.spec.link import Reason
from ohmcarlo_hdl.ip import core
from ohmcarlo_hdl.ip.ports import NATIVE
from ohmcarlo_hdl.regs.bus import Bus
from problems import trace
from verif.harness import (
    BenchFailure,
    Case,
    case_parameters,
    run_bench,
    start_clock,
    stimuli,
)
from verif.harness.ip import ALL_BYTES, IpDriver
from verif.mutants.source import mutant
from verif.test_core import (
    SMALL,
    config_of,
    first_difference,
    golden_of,
    points_of,
    verilog_for_ip,
)

CONFIG: Case = {
    "max_points": 512,
    "max_group_rows": 1,
    "max_regions": 1,
    "geometry": SMALL | {"access_bits": 1},
}
POINTS = 24
IRQ_LIMIT_NS = 10_000_000
"""An interrupt that a test waits for comes much earlier."""


def few_points(case: Case) -> Points:
    points = points_of(case)
    offsets = None if points.offsets is None else points.offsets[:POINTS]
    return Points(points.inputs[:POINTS], points.labels[:POINTS], offsets)


async def driver_of(dut: Any, way: str) -> tuple[Any, IpDriver]:
    """Golden controller and software of a core after its reset."""
    case = case_parameters()
    points = few_points(case)
    made = golden_of(case, points)
    driver = IpDriver(dut, config_of(case), made.registers, points, made.array, way=way)
    await start_clock(dut)
    return made, driver


async def ended_once(driver: IpDriver, command: str) -> None:
    """Give a command; its end is told once, with the interrupt, and stays told until it is cleared.

    Nothing more is told, and no word comes afterwards.
    """
    bus, dut = driver.bus, driver.dut
    assert not int(dut.irq.value), f"{command}: the interrupt is high before"
    await driver.command(command)
    await driver.finished(command)
    await driver.settle()
    words = len(driver.words)
    for _ in range(60):
        await driver.edge
        assert not int(dut.irq.value), f"{command}: told twice"
    assert not int(dut.busy.value)
    assert (await bus.get("interrupt.cause"))["run_ended"] == 0
    await driver.take()
    assert len(driver.words) == words, f"{command}: a word after the end"


@cocotb.test()
async def commands(dut) -> None:  # type: ignore[no-untyped-def]
    """Every command, refused or not, ends once; its records make one packet."""
    case = case_parameters()
    way = case["way"]
    made, driver = await driver_of(dut, way)
    await driver.load()
    bus = driver.bus
    await bus.set("records.options", to_stream=int(way == "stream"), whole_command=1)
    packets = 0
    for command in ("run", "flush", "predict"):  # refused, because no chain was started
        await ended_once(driver, command)
    await ended_once(driver, "start")
    assert not driver.words
    await bus.set("control.steps", case["steps"])
    expected = trace(made, case["steps"])
    await ended_once(driver, "run")
    packets += 1
    expected["log_posterior"] = np.where(expected["accepted"], expected["log_posterior"], 0)
    assert not (where := first_difference(expected, driver.trace())), where
    before = len(driver.words)
    await ended_once(driver, "predict")
    packets += 1
    golden = np.zeros((len(driver.points), 2), np.int64)
    found = Records(np.array(driver.words[before:], np.uint32)).predictions()
    _, multiplicity, codes = made.held_samples()
    predict_sums(made.machine, made.data, codes, multiplicity, golden)
    assert np.array_equal(found, golden)
    await ended_once(driver, "flush")
    packets += 1
    await bus.set("raw.command", op=4)
    await ended_once(driver, "raw")
    if way == "stream":
        assert len(driver.stream.packets()) == packets
    assert (await driver.status())["bus_error"] == 0


@cocotb.test()
async def faults(dut) -> None:  # type: ignore[no-untyped-def]
    """An emergency stop, reset_state and a reset in the course of a run; then the golden trace."""
    case = case_parameters()
    way, rng = case["way"], stimuli(case["seed"])
    made, driver = await driver_of(dut, way)
    bus, edge = driver.bus, driver.edge

    async def recover() -> None:
        """reset_state alone: a reading that the array still owes has no effect."""
        await driver.command("reset_state")
        await driver.until(lambda s: s["emulator_idle"], "the emulator")
        await bus.set("interrupt.clear", run_ended=1, fault=1)
        await driver.settle()
        assert not await causes(driver) - {"record_waiting"}

    async def running() -> None:
        """A chain that is somewhere in a long run."""
        await driver.load()
        await bus.set("interrupt.enable", run_ended=1, fault=1)
        reason = await driver.start()
        assert reason == Reason.DONE, str(await driver.status())
        await bus.set("control.steps", 100_000)
        await driver.command("run")
        for _ in range(3000 + rng.randrange(3000)):
            await edge

    # the emergency stop: a fault, and the end of the run
    await running()
    assert not int(dut.irq.value)
    dut.off.value = 1
    await edge
    dut.off.value = 0
    await until_irq(driver)
    for _ in range(200):
        await edge
    await driver.take()
    for _ in range(200):
        await edge
    assert await causes(driver) & {"run_ended", "fault"} == {"run_ended", "fault"}
    await driver.take()
    words = len(driver.words)
    for _ in range(1500):  # the step that the fault cut may take its decision yet
        await edge
    await driver.take()
    assert len(driver.words) == words, "a word after the end"
    assert int(dut.irq.value)
    await bus.set("interrupt.clear", run_ended=1)
    await driver.settle()
    assert int(dut.irq.value), "the fault is not cleared"
    await bus.set("interrupt.clear", fault=1)
    await driver.settle()
    assert not int(dut.irq.value), "a fault that lasts is told once"
    Records(np.array(driver.words, np.uint32))  # raises if a record is incomplete
    await driver.command("run")  # refused
    await driver.settle()
    assert await causes(driver) & {"run_ended"}, "a command that a fault refuses ends at once"
    await recover()
    # reset_state in the course of a run, while the output stalls
    await running()
    dut.m_axis_records_tready.value = 0
    for _ in range(2000):
        await edge
    await driver.command("reset_state")
    dut.m_axis_records_tready.value = 1
    while "run_ended" not in await causes(driver):  # behind the records of a ring that may be full
        await driver.take()
    assert int(dut.irq.value)
    await driver.take()
    await recover()
    if way == "stream":
        driver.stream.packets()  # the last packet is closed
    # a reset in the course of a run
    await running()
    dut.rst.value = 1
    for _ in range(3):
        await edge
    assert not int(dut.m_axis_records_tvalid.value) and not int(dut.irq.value)
    dut.rst.value = 0
    driver.ring.clear()
    driver.stream.items.clear()
    await edge
    assert not int(dut.irq.value)
    # and then everything as if nothing had happened
    await driver.load()
    assert await driver.start() == Reason.DONE
    assert await driver.run(case["steps"]) == Reason.DONE
    expected = trace(made, case["steps"])
    expected["log_posterior"] = np.where(expected["accepted"], expected["log_posterior"], 0)
    assert not (where := first_difference(expected, driver.trace())), where


async def until_irq(driver: IpDriver) -> None:
    if not int(driver.dut.irq.value):
        await with_timeout(RisingEdge(driver.dut.irq), IRQ_LIMIT_NS, "ns")
    await driver.edge


async def causes(driver: IpDriver) -> set[str]:
    return {name for name, value in (await driver.bus.get("interrupt.cause")).items() if value}


@cocotb.test()
async def page(dut) -> None:  # type: ignore[no-untyped-def]
    """The page of the core: constants, errors, causes of data and of the coin, the threshold."""
    case = case_parameters()
    _, driver = await driver_of(dut, "ring")
    bus, edge = driver.bus, driver.edge
    await driver.load()
    assert (await bus.get("ip.magic"))["value"] == 0x4F484D49
    assert (await bus.get("ip.map_hash"))["value"] == int(driver.map.hash[:8], 16)
    assert (await bus.get("ip.bus"))["value"] == 0
    assert (await bus.get("ip.streams"))["value"] == 1
    assert (await bus.get("id.magic"))["value"] == 0x4F484D43

    async def error_of(address: int) -> int:
        """The error of a read."""
        bus.addr.value, bus.r_stb.value = address // 4, 1
        await edge
        bus.r_stb.value = 0
        for _ in range(Bus.LATENCY - 1):
            await edge
            assert not int(bus.error.value)
        await edge
        return int(bus.error.value)

    # an error on the page is none of the controller's, and the other way round
    assert await error_of(0x83C) and not await error_of(0x800)
    assert (await driver.status())["bus_error"] == 0
    assert await error_of(0x03C)
    assert (await driver.status())["bus_error"] == 1
    await driver.command("clear_fault")
    # an incomplete word, and a part of a point
    await bus.set("interrupt.enable", data_error=1)
    await driver.data.send([1], keep=ALL_BYTES >> 1)
    await until_irq(driver)
    state = await bus.get("data_in.state")
    assert state["incomplete"] and state["wrong_length"] and state["words"] == 1
    await bus.set("interrupt.clear", data_error=1)
    await driver.settle()
    assert not int(dut.irq.value)
    state = await bus.get("data_in.state")
    assert not state["incomplete"] and not state["wrong_length"]
    # the highest threshold: the interrupt comes with a full ring, which stalls the chain
    ring = driver.map.window("records_ring").words
    await bus.set("interrupt.enable", run_ended=1)
    assert await driver.start() == Reason.DONE
    await bus.set("interrupt.threshold", ring)
    await bus.set("interrupt.enable", record_waiting=1)
    await bus.set("control.steps", 100_000)
    await driver.command("run")
    await until_irq(driver)
    for _ in range(2):  # at once, and after the chain could have added words
        assert (await bus.get("records.received"))["value"] == ring
        for _ in range(500):
            await edge
    await bus.set("records.taken", ring)
    await driver.settle()
    assert not int(dut.irq.value)
    await driver.command("reset_state")
    await driver.until(lambda s: s["emulator_idle"], "the emulator")
    # an alarm of the coin
    await bus.set("interrupt.enable", alarm=1)
    await bus.set("entropy.rct_cutoff", 2)
    await bus.set("control.steps", case["steps"])
    await driver.command("start")
    await until_irq(driver)
    assert "alarm" in await causes(driver)


WAYS = ("ring", "stream")


def case_of(**more: Any) -> Case:
    return {"config": CONFIG, "features": 12, "steps": 60, "seed": 4} | more


def simulate(cases: list[Case]) -> None:
    text = verilog_for_ip(config_of(cases[0]))
    run_bench("IpCore", __name__, cases, verilog_text=text)


def test_ip() -> None:
    simulate([case_of(way="stream", tests="commands"), case_of(name="page", tests="page")])


@pytest.mark.verify
def test_ip_through_the_ring() -> None:
    simulate([case_of(way="ring", tests="commands")])


@pytest.mark.verify
@pytest.mark.parametrize("seed", range(3))
def test_faults(seed: int) -> None:
    """Each way of the records; the moments of the faults differ between the seeds."""
    simulate([case_of(way=way, name=way, seed=seed, tests="faults") for way in WAYS])


PLANTED: dict[str, tuple[dict[str, str], Case]] = {
    "a fault is told as long as it lasts": (
        {"rises = levels & ~before": "rises = levels"},
        {"way": "ring", "tests": "faults"},
    ),
    "accesses of the page reach the controller": (
        {"core.bus.r_stb.eq(host.r_stb & ~on_page)": "core.bus.r_stb.eq(host.r_stb)"},
        {"tests": "page"},
    ),
}


@pytest.mark.verify
@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bug(bug: str) -> None:
    changes, case = PLANTED[bug]
    broken = mutant(core, changes)
    with pytest.raises(BenchFailure):
        run_bench(
            lambda: broken.IpCore(config_of({"config": CONFIG}), NATIVE),
            __name__,
            case_of(**case),
            testcase=case["tests"],
        )
