"""The whole controller beyond its chains: another array, a failing coin, faults, host requests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
import pytest

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.errors import UsageError
from ohmcarlo.golden import ENTROPY_ALARM, Controller, EntropyAlarm, SamplerSettings
from ohmcarlo.golden.likelihood import predict_sums
from ohmcarlo.spec import LOGLIK_FRAC, Geometry
from ohmcarlo.spec.link import FaultCause, Reason
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.core import Core
from ohmcarlo_hdl.core.interface import PREDICTION
from problems import trace
from verif.harness import Case, Clocked, case_parameters, run_bench, start_clock, stimuli
from verif.harness.array_model import ArrayModel, FaultyArray
from verif.harness.core import CoreDriver, RecordSink
from verif.harness.seeds import seed_of
from verif.test_core import config_of, first_difference, golden_of, points_of, simulate

SMALL = {
    "max_points": 512,
    "max_group_rows": 4,
    "max_regions": 2,
    "geometry": {"rows": 64, "pairs": 16},
}


async def loaded(dut: Any, case: Case, **options: Any) -> tuple[Any, CoreDriver]:
    """The golden controller of a case, and hardware with the same content."""
    points = points_of(case)
    made = golden_of(case, points)
    driver = CoreDriver(dut, config_of(case), made.registers, points, made.array)
    await start_clock(dut)
    await driver.load(**options)
    return made, driver


# -- another array behind the streams ----------------------------------------------------------


def coin_pair(case: Case) -> tuple[Controller, FaultyArray]:
    """A golden controller over a faulty array, and a second array that behaves identically."""
    geometry = Geometry(**case["config"]["geometry"])
    arrays = [
        FaultyArray(EmulatedArray(geometry, 3), case["fault"], case["after"]) for _ in range(2)
    ]
    points = points_of(case)
    registers = SamplerSettings(**case["settings"]).registers(
        geometry, points.features, arrays[0].sigma_us
    )
    return Controller(registers, arrays[0], points), arrays[1]


@cocotb.test()
async def python_array(dut) -> None:  # type: ignore[no-untyped-def]
    """Equal to the golden trace over the same array; an alarm comes at the same step."""
    case = case_parameters()
    made, array = coin_pair(case)
    config = config_of(case)
    driver = CoreDriver(dut, config, made.registers, made.points)
    model = ArrayModel(dut, config, array, case["stall"], stimuli(2))
    await start_clock(dut)
    await driver.load(array)
    bench = Clocked(dut, model).start()
    if case["fault"] and not case["after"]:
        assert golden_start(made) == Reason.ENTROPY_ALARM
        assert await driver.start() == Reason.ENTROPY_ALARM
        assert (await driver.status())["started"] == 0
        return
    made.start()
    expected = trace(made, case["steps"])
    assert await driver.start() == Reason.DONE
    reason = await driver.run(case["steps"])
    found = driver.trace()
    assert not (where := first_difference(expected, found)), where
    bench.task.cancel()
    assert model.array.harvests == made.array.harvests
    if not case["fault"]:
        assert reason == Reason.DONE and found.accepted.any()
        return
    assert reason == Reason.ENTROPY_ALARM and int(expected["status"]) == ENTROPY_ALARM
    assert model.array.harvests - case["after"] <= case["harvests"]
    # the chain is stopped in a safe state: no operation, no step, until a start-up test passes
    bench.start()
    operations = dict(model.operations)
    assert await driver.run(50) == Reason.ENTROPY_ALARM
    assert model.operations == operations
    assert len(driver.trace().accepted) == len(found.accepted) < case["steps"]
    status = await driver.status()
    assert status["alarm"] and status["started"] and not status["busy"]
    alarms = (await driver.bus.get("entropy.alarms"))["value"]
    assert alarms == 1
    assert await driver.start() == golden_start(made)


def golden_start(made: Controller) -> Reason:
    try:
        made.start()
    except EntropyAlarm:
        return Reason.ENTROPY_ALARM
    return Reason.DONE


def python_array_case(
    fault: str, after: int, steps: int, harvests: int, stall: float, name: str
) -> Case:
    case = {"config": SMALL, "features": 5, "settings": {"rho": 0.8}, "fault": fault, "name": name}
    return case | {"after": after, "steps": steps, "harvests": harvests, "stall": stall}


def over_python_array(*cases: Case) -> None:
    run_bench(lambda: Core(config_of(cases[0])), __name__, cases, testcase="python_array")


def test_python_array_behind_the_streams() -> None:
    choices = [(0.0, "without stalls"), (0.4, "stalled")]
    over_python_array(*(python_array_case("", 0, 60, 0, stall, name) for stall, name in choices))


def test_alarm_comes_in_time_and_nothing_is_accepted_after() -> None:
    # a repetition count over 42 bits, one over 15 symbols of a column, a window of 1,024 bits
    choices = [("stuck", 2), ("frozen", 16), ("biased", 8 * 43)]
    over_python_array(
        *(python_array_case(fault, 120, 600, harvests, 0.0, fault) for fault, harvests in choices)
    )


def test_start_up_refuses_a_bad_coin() -> None:
    over_python_array(*(python_array_case(f, 0, 0, 0, 0.0, f) for f in ("stuck", "frozen")))


# -- requests of a host between runs -----------------------------------------------------------


@cocotb.test()
async def predictions(dut) -> None:  # type: ignore[no-untyped-def]
    """Sums over every held sample, the current ones among them, for every data point."""
    case = case_parameters()
    made, driver = await loaded(dut, case)
    sums = RecordSink(dut, "predictions", PREDICTION, 0.2, stimuli(4))
    assert await driver.start() == Reason.DONE
    assert await driver.run(case["steps"]) == Reason.DONE
    expected = trace(made, case["steps"])
    assert not (where := first_difference(expected, driver.trace())), where
    turn = (await driver.bus.get("status.turn"))["value"]
    await driver.command("predict")
    await driver.finished("predict")
    for _ in range(2000):
        await driver.edge
    _, multiplicity, codes = made.held_samples()
    golden = np.zeros((len(made.points), 2), np.int64)
    predict_sums(made.machine, made.data, codes, multiplicity, golden)
    found = [sums.packer.unpack(bits) for bits in sums.items]
    assert [(f["sum"], f["square"]) for f in found] == [tuple(map(int, g)) for g in golden]
    assert (await driver.bus.get("status.turn"))["value"] == turn


def test_predictions() -> None:
    def case(hidden: int) -> Case:
        chain = {"regions": 2, "row_group": hidden + 1}
        settings = {"hidden": hidden, "sigma_p": 2.0}
        name = f"{hidden} hidden"
        return {"chain": chain, "features": 5, "steps": 40, "settings": settings, "name": name}

    simulate(case(0), case(2), module=__name__, test="predictions")


def loglik_of(codes: np.ndarray) -> int:
    """A log-likelihood that pins the first pair: -((k⁺ - k⁻ - 100) / 40)² / 2."""
    difference = int(codes[0]) - int(codes[1]) - 100
    return -((difference * difference << LOGLIK_FRAC) // 3200)


@cocotb.test()
async def external_likelihood(dut) -> None:  # type: ignore[no-untyped-def]
    """The host receives each proposal and supplies its log-likelihood."""
    case = case_parameters()
    points = points_of(case)
    plain = golden_of(case, points)
    array = EmulatedArray(plain.registers.geometry, 1)
    made = Controller(plain.registers, array, points, loglik_of)
    made.start()
    expected = trace(made, case["steps"])
    driver = CoreDriver(dut, config_of(case), made.registers, points, array)
    await start_clock(dut)
    await driver.load(external=True)

    async def served(what: str) -> None:
        while True:
            status = await driver.until(lambda s: s["waiting_external"] or not s["busy"], what)
            if not status["busy"]:
                return
            await driver.drain()
            shown = driver.trace()
            assert shown.flags[-1] == 2
            await driver.bus.set("control.external_loglik", loglik_of(shown.codes[-1]))
            await driver.command("external")

    await driver.command("start")
    await served("start")
    await driver.bus.set("control.steps", case["steps"])
    await driver.command("run")
    await served("run")
    await driver.drain()
    found = driver.trace()
    retired = found.flags == 0
    for name in ("codes", "multiplicity", "sample_chain", "sample_log_posterior"):
        setattr(found, name, getattr(found, name)[retired])
    assert not (where := first_difference(expected, found)), where
    assert found.accepted.any() and not found.accepted.all()
    assert (await driver.counters())["dot"] == 0


def test_external_likelihood() -> None:
    case = {"features": 3, "steps": 60}
    simulate(case, module=__name__, test="external_likelihood")


@cocotb.test()
async def raw_operations(dut) -> None:  # type: ignore[no-untyped-def]
    """RESET, SET and READ outside a chain, as in bring-up; then halt, faults and a new start."""
    case = case_parameters()
    made, driver = await loaded(dut, case)
    bus = driver.bus
    twin = EmulatedArray(made.registers.geometry, seed_of(case.get("seed", 1)))

    async def raw(op: int, row: int, device: int = 0, dac: int = 0) -> int:
        await bus.set("raw.command", op=op, row=row, device=device)
        await bus.set("raw.dac", dac)
        await driver.command("raw")
        await driver.until(lambda s: s["raw_valid"] and not s["busy"], "raw operation")
        return (await bus.get("raw.result"))["value"]

    await raw(2, 5)
    twin.reset(5)
    for device, dac in ((0, 900), (1, 2400), (31, 1840)):
        await raw(3, 5, device, dac)
        one = np.array([device], np.int32)
        assert await raw(4, 5, device) == twin.program(5, one, np.array([dac], np.int32))[0]
    assert await raw(4, 6, 3) == 8  # never SET: high-resistance state

    # a halted run continues from its last step; the prepared coin is dropped
    await driver.command("emulator_restart")
    await driver.until(lambda s: s["emulator_idle"], "the emulator's restart")
    assert await driver.start() == Reason.DONE
    await bus.set("control.steps", 10_000)
    await driver.command("run")
    for _ in range(5000):
        await driver.edge
    await driver.command("halt")
    assert await driver.finished("halt") == Reason.DONE
    done = (await bus.get("status.steps_done"))["value"]
    assert 5 < done < 100
    assert await driver.run(case["steps"]) == Reason.DONE
    expected = trace(made, done + case["steps"])
    assert not (where := first_difference(expected, driver.trace())), where

    # an emergency stop during a run: everything is off, and nothing runs until the core is reset
    await bus.set("control.steps", 10_000)
    await driver.command("run")
    for _ in range(1000):
        await driver.edge
    await driver.command("off")
    status = await driver.until(lambda s: not s["busy"], "the emergency stop")
    assert status["fault"] and Reason(status["reason"]) == Reason.FAULT
    before = await driver.counters()
    await driver.command("clear_fault")
    assert await driver.run(10) == Reason.FAULT
    after = await driver.counters()
    assert all(before[name] == after[name] for name in ("set", "reset", "read", "dot"))
    wear = await wear_of(driver, made.registers.geometry.rows)

    await driver.command("reset_state")
    await driver.command("clear_fault")
    await driver.command("emulator_restart")
    await driver.until(lambda s: s["emulator_idle"], "the emulator's restart")
    status = await driver.status()
    assert not status["fault"] and not status["started"] and not status["bus_error"]
    driver.records.items.clear()
    driver.steps.items.clear()
    assert await driver.start() == Reason.DONE
    assert await driver.run(case["steps"]) == Reason.DONE
    again = golden_of(case, made.points)
    assert not (where := first_difference(trace(again, case["steps"]), driver.trace())), where
    assert await wear_of(driver, made.registers.geometry.rows) > wear


async def wear_of(driver: CoreDriver, rows: int) -> int:
    """Row groups taken since power-up: a reset of the core does not repair an array."""
    total = 0
    for row in range(rows):
        await driver.bus.set("row.select", row)
        for _ in range(3):
            await driver.edge
        total += (await driver.bus.get("row.wear"))["value"]
    return total


def test_raw_operations_halt_faults_and_a_new_start() -> None:
    case = {"features": 5, "steps": 40}
    simulate(case, module=__name__, test="raw_operations")


@cocotb.test()
async def false_alarm(dut) -> None:  # type: ignore[no-untyped-def]
    """A cut-off that is too low ends the run at the same step as in the golden model."""
    case = case_parameters()
    points = points_of(case)
    plain = golden_of(case, points)
    registers = replace(plain.registers, rct_cutoff=12)
    for seed in range(20):
        array = EmulatedArray(registers.geometry, seed)
        made = Controller(registers, array, points)
        if golden_start(made) == Reason.DONE:
            break
    expected = trace(made, case["steps"])
    assert int(expected["status"]) == ENTROPY_ALARM and len(expected["accepted"]) > 20
    driver = CoreDriver(dut, config_of(case), registers, points, array)
    await start_clock(dut)
    await driver.load()
    assert await driver.start() == Reason.DONE
    assert await driver.run(case["steps"]) == Reason.ENTROPY_ALARM
    assert not (where := first_difference(expected, driver.trace())), where
    again = golden_start(made)
    assert await driver.start() == again
    if again == Reason.DONE:  # the chain continues from its sample
        steps = len(expected["accepted"])
        more = trace(made, 20)
        await driver.run(20)
        assert np.array_equal(driver.trace().accepted[steps:], more["accepted"])


def test_an_alarm_in_mid_run() -> None:
    case = {"features": 5, "steps": 2000, "chain": {"regions": 4}}
    simulate(case, module=__name__, test="false_alarm")


@cocotb.test()
async def pulses_and_watchdog(dut) -> None:  # type: ignore[no-untyped-def]
    """Pulse widths and guard times cost clocks and change no decision; the watchdog acts."""
    case = case_parameters()
    made, driver = await loaded(dut, case)
    expected, bus = trace(made, case["steps"]), driver.bus
    for i, name in enumerate(("form", "reset", "set", "read", "dot")):
        await bus.set(f"sequencer.{name}", width=2 + i, guard_before=i % 3, guard_after=1 + i % 2)
    await bus.set("sequencer.watchdog", 1000)
    await bus.set("model.group_rows", 1)
    assert await driver.start() == Reason.DONE
    assert await driver.run(case["steps"]) == Reason.DONE
    assert not (where := first_difference(expected, driver.trace())), where

    readable = [r for r in driver.map.registers if r.readable]
    words = {r.name: await bus.read(r.address) for r in readable}
    assert words["id.magic"] == 0x4F484D43 and words["id.rows"] == 256
    assert words["model.features"] == made.registers.features
    assert (
        words["status.steps_done"]
        == case["steps"]
        == words["counters.samples.lo"] + sum(~expected["accepted"])
    )
    assert (await driver.status())["bus_error"] == 0

    async def fault_of(provoke: Any) -> int:
        await provoke()
        status = await driver.until(lambda s: s["fault"] and not s["busy"], "a fault")
        assert Reason(status["reason"]) == Reason.FAULT
        for _ in range(100):
            await driver.edge
        await bus.set("sequencer.watchdog", 0)
        await driver.command("reset_state")
        await driver.edge
        assert (await driver.status())["fault"] == 0
        return status["fault_cause"]

    async def unknown_operation() -> None:
        await bus.set("raw.command", op=7)
        await driver.command("raw")

    async def late_answer() -> None:
        await bus.set("sequencer.watchdog", 4)
        await bus.set("raw.command", op=4, row=3, device=1)
        await driver.command("raw")

    async def array_not_ready() -> None:
        # the emulator needs time to hash the devices of a row that was not announced
        await bus.set("emulator.d2d_rel", 1000)
        await driver.command("emulator_restart")
        await bus.set("sequencer.watchdog", 4)
        for device in (2, 3, 4):  # two requests can wait
            await bus.set("raw.command", op=3, row=9, device=device)
            await driver.command("raw")
            for _ in range(8):
                await driver.edge

    causes = [await fault_of(p) for p in (unknown_operation, late_answer, array_not_ready)]
    assert [FaultCause(cause) for cause in causes] == [
        FaultCause.UNKNOWN_OPERATION,
        FaultCause.RESPONSE_TIMEOUT,
        FaultCause.REQUEST_TIMEOUT,
    ]


def test_pulse_timing_and_watchdog() -> None:
    case = {"features": 5, "steps": 25}
    simulate(case, module=__name__, test="pulses_and_watchdog")


def test_configurations_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="max_points = 100: choose a power of two"):
        CoreConfig(max_points=100)
    with pytest.raises(UsageError, match="the array has 8 rows"):
        CoreConfig(geometry=Geometry(rows=8), max_group_rows=16)
