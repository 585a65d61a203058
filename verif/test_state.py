"""The whole state through the windows: a chain continues bit for bit in another controller.

Expected values come from the golden model: its state after the same steps, and its continuation.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
import pytest

from ohmcarlo.array.base import FORM, READ, RESET, SET
from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards.memory.image import TABLES
from ohmcarlo.boards.memory.state import COUNTERS, SAVED, State
from ohmcarlo.golden import Controller, terms
from ohmcarlo.golden.machine import (
    ALARM,
    CLEAN_WINDOWS,
    COIN_READY,
    FOLD_SEEN,
    FOLDED,
    RAW_BITS,
    WORD,
    WORD_BITS,
    ZEROS_BEFORE,
)
from ohmcarlo.spec.link import Reason
from problems import trace
from verif.harness import Case, case_parameters, start_clock, stimuli
from verif.harness.core import CoreDriver
from verif.harness.seeds import SEED
from verif.test_core import config_of, first_difference, golden_of, points_of, simulate
from verif.test_core_service import golden_start

SMALL = {
    "max_points": 512,
    "max_group_rows": 1,
    "max_regions": 1,
    "geometry": {"rows": 64, "pairs": 16, "access_bits": 8},
}
SCRATCH = ("proposed", "dac", "coin_dac", "coin_codes")
COIN = [WORD, WORD_BITS, ZEROS_BEFORE, COIN_READY, FOLDED, FOLD_SEEN]


def visible(made: Controller) -> State:
    """The golden state without fields that have no meaning between two steps, or saturate."""
    state = made.state_dict()
    for name in SCRATCH:
        state[f"controller.{name}"][:] = 0
    scalars = state["controller.scalars"]
    scalars[COIN] = 0
    scalars[CLEAN_WINDOWS] = min(scalars[CLEAN_WINDOWS], 255)
    for ring in ("free", "retired"):
        content = state[f"controller.{ring}"]
        for region in range(len(content)):
            used = np.zeros(content.shape[1], bool)
            for i in range(int(state[f"controller.{ring}_count"][region])):
                used[(int(state[f"controller.{ring}_head"][region]) + i) % len(used)] = True
            content[region, ~used] = 0
    return state


def check_state(found: State, made: Controller) -> None:
    """Compare field by field, including the entries of the ledger that the hardware counts."""
    wanted = visible(made)
    for name, value in wanted.items():
        if not name.startswith("array.ledger."):
            assert np.array_equal(found[name], value), (name, found[name], value)
    count = dict(zip(COUNTERS, found["board.counters"], strict=True))
    ledger = wanted["array.ledger.counts"]
    assert [count[n] for n in ("set", "read", "form")] == list(ledger[[SET, READ, FORM]])
    assert count["reset"] * made.registers.geometry.row_devices == ledger[RESET]


async def check_driver(driver: CoreDriver, made: Controller) -> None:
    """The hardware's state is the golden one; of the codes, some rows are compared."""
    codes = made.array.state.codes  # type: ignore[attr-defined]
    check_state(await driver.save(made.data.order, made.steps, codes), made)
    rows = range(1, len(codes), max(5, len(codes) // 16))
    assert np.array_equal(await driver.read_codes(rows), codes[list(rows)])


async def goes_on(driver: CoreDriver, expected: dict[str, np.ndarray], steps: int) -> None:
    """The hardware makes ``steps`` steps, equal to the expected ones."""
    driver.records.items.clear()
    driver.steps.items.clear()
    assert await driver.run(steps) == Reason.DONE
    found = driver.trace()
    assert len(found.accepted) == steps * driver.registers.geometry.regions
    n, m = len(found.accepted), len(found.codes)
    sizes = {name: (m if "sample" in name or name in ("codes", "multiplicity") else n)
             for name in expected if name != "status"}  # fmt: skip
    cut = {name: expected[name][:size] for name, size in sizes.items()}
    assert not (where := first_difference(cut, found)), where
    assert m == np.count_nonzero(cut["accepted"]) > 0


async def wreck(driver: CoreDriver, case: Case) -> None:
    """Another chain on another array: other registers, tables, queues, codes."""
    points = points_of(case)
    other = golden_of({"config": case.get("config", {}), "seed": 77} | {"features": 3}, points)
    kept = driver.registers, driver.emulator
    driver.registers, driver.emulator = other.registers, other.array
    await driver.command("reset_state")
    await driver.load()
    assert await driver.start() == Reason.DONE
    assert await driver.run(25) == Reason.DONE
    driver.registers, driver.emulator = kept


def driver_of(dut: Any, case: Case, made: Controller) -> CoreDriver:
    assert isinstance(made.array, EmulatedArray)
    return CoreDriver(dut, config_of(case), made.registers, made.points, made.array)


def sort_points(made: Controller, case: Case) -> None:
    if case.get("sorted"):
        worst = terms(made.registers, made.points, made.state.codes[0])
        made.set_order(np.argsort(worst, kind="stable").astype(np.int32))


@cocotb.test()
async def saved_on_hardware(dut) -> None:  # type: ignore[no-untyped-def]
    """Hardware → golden state; and hardware → the same hardware, with another chain between."""
    case = case_parameters()
    steps, more = case["steps"], case["more"]
    made = golden_of(case, points_of(case))
    driver = driver_of(dut, case, made)
    await start_clock(dut)
    await driver.load()
    sort_points(made, case)
    if case.get("sorted"):
        await driver.bus.load("order", made.data.order)
    assert await driver.start() == Reason.DONE
    await goes_on(driver, trace(made, steps), steps)
    saved = await driver.save(made.data.order, made.steps)
    check_state(saved, made)
    if case.get("hard") and not os.environ.get(SEED):  # the chain has met all events of its rows
        state = made.state
        assert state.bad.any() and state.failures.any() and state.retired_head.any()

    expected = trace(made, more)
    await goes_on(driver, expected, more // 2)  # reading changed nothing
    twin = golden_of(case, made.points)
    twin.load_state_dict(saved)
    again = trace(twin, more)
    assert all(np.array_equal(again[name], expected[name]) for name in expected)

    wear = saved["board.wear"]
    assert np.count_nonzero(wear) and wear.sum() >= steps
    await wreck(driver, case)
    words = await driver.restore(saved)
    for name in SAVED:
        assert list(words[name]) == await driver.bus.unload(name), name
    await goes_on(driver, expected, more)
    await check_driver(driver, made)


@cocotb.test()
async def saved_on_the_golden_model(dut) -> None:  # type: ignore[no-untyped-def]
    """Golden state → hardware that has just been switched on, and back."""
    case = case_parameters()
    made = golden_of(case, points_of(case))
    if case.get("unstarted"):
        array = EmulatedArray(made.registers.geometry, 5, **case.get("array", {}))
        made = Controller(made.registers, array, made.points)
    else:
        sort_points(made, case)
        trace(made, case["steps"])
    # upper words of values of two words
    made.array.state.counter[0] = (3 << 32) - 300  # type: ignore[attr-defined]
    made.state.scalars[RAW_BITS] += 5 << 32
    made.state.symbol_counts[:] += 3 << 30
    made.array.ledger.counts[SET] += 7 << 32
    driver = driver_of(dut, case, made)
    await start_clock(dut)
    await driver.bus.set("control.steps", case["more"] * made.registers.geometry.regions)
    await driver.restore(made.state_dict())
    if case.get("unstarted"):
        assert (await driver.status())["started"] == 0
        assert await driver.start() == Reason.DONE
        made.start()
        await goes_on(driver, trace(made, case["more"]), case["more"])
    else:
        await driver.command("run")  # right after the last word of the state
        assert await driver.finished("run") == Reason.DONE
        assert not (where := first_difference(trace(made, case["more"]), driver.trace())), where
    await check_driver(driver, made)
    assert made.array.state.counter[0] > 3 << 32  # type: ignore[attr-defined]


HARD = {
    "config": SMALL,
    "features": 12,
    "seed": (7 << 40) + 5,
    "settings": {"rho": 0.8, "retries": 2},
    "array": {"stuck": 0.02, "d2d_rel": 0.02},
    "steps": 220,
    "more": 60,
}
CASES: dict[str, Case] = {
    "hard": HARD,
    "calibrated": {
        "config": SMALL,
        "features": 12,
        "settings": {"rho": 0.8},
        "calibrated": True,
        "sorted": True,
        "steps": 30,
        "more": 40,
    },
    "three regions": {
        "chain": {"regions": 3},
        "features": 5,
        "settings": {"rho": 0.8, "wide_every": 7},
        "steps": 60,
        "more": 40,
    },
    "networks": {
        "chain": {"regions": 2, "row_group": 3},
        "data": "xor",
        "settings": {"hidden": 2, "sigma_p": 2.0},
        "array": {"stuck": 0.003, "d2d_rel": 0.01, "rel": 0.02},
        "steps": 70,
        "more": 40,
    },
}


QUICK = ("hard",)
"""Cases of ``make test``; the others are in ``make verify``."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in QUICK else pytest.mark.verify) for n in CASES],
)
def test_saved_on_hardware(name: str) -> None:
    """A simulation each: the golden array begins with other codes than a used one."""
    case = CASES[name] | {"hard": int(name == "hard")}
    simulate(case, module=__name__, test="saved_on_hardware")


@pytest.mark.parametrize("names", [["hard", "calibrated"], ["three regions", "networks"]])
def test_saved_on_the_golden_model(names: list[str]) -> None:
    cases = [CASES[name] | {"name": name} for name in names]
    simulate(*cases, module=__name__, test="saved_on_the_golden_model")


def test_a_chain_that_has_not_begun() -> None:
    """Queues are loaded, not initialised: the first sample takes the row of the golden model."""
    case = CASES["three regions"] | {"unstarted": 1}
    simulate(case, module=__name__, test="saved_on_the_golden_model")


# -- after an alarm ------------------------------------------------------------------------------


@cocotb.test()
async def after_an_alarm(dut) -> None:  # type: ignore[no-untyped-def]
    """The alarm is part of the state: no step is made before a start-up test."""
    case = case_parameters()
    points = points_of(case)
    registers = replace(golden_of(case, points).registers, rct_cutoff=12)
    for seed in range(40):
        made = Controller(registers, EmulatedArray(registers.geometry, seed), points)
        if golden_start(made) != Reason.DONE:
            continue
        trace(made, 2000)
        expected = visible(made)
        if golden_start(made) == Reason.DONE:
            break
    assert expected["controller.scalars"][ALARM] == 1
    made.load_state_dict(expected)
    driver = driver_of(dut, case, made)
    await start_clock(dut)
    await driver.restore(expected)
    await check_driver(driver, made)
    status = await driver.status()
    assert status["alarm"] and status["started"] and not status["busy"]
    assert await driver.run(5) == Reason.ENTROPY_ALARM
    assert not driver.steps.items
    assert golden_start(made) == Reason.DONE == await driver.start()
    await goes_on(driver, trace(made, 20), 20)


def test_after_an_alarm() -> None:
    simulate({"config": SMALL, "features": 5}, module=__name__, test="after_an_alarm")


# -- the windows themselves ----------------------------------------------------------------------


def bits_of(driver: CoreDriver) -> dict[str, list[int]]:
    """Bits that each word of a window has (ohmcarlo.rdl)."""
    g, c = driver.config.geometry, driver.config
    row, count = (1 << (g.rows - 1).bit_length()) - 1, (1 << g.rows.bit_length()) - 1
    full = 0xFFFFFFFF
    region = [row, count, row, count, 1 << 31 | row, full, full, full]
    coin = [0x01FF0003, 0x07FF07FF, 0xFF01, *[full] * 3, 0, 0, *[full] * 8]
    pairs = 1 << (g.pairs - 1).bit_length()
    return {
        "state_queues": [row | row << 16] * g.rows,
        "state_groups": [0xF] * g.rows,
        "state_held": [full] * g.rows,
        "state_wear": [full] * g.rows,
        "state_regions": region * c.max_regions,
        "state_samples": [0x03FF03FF] * (c.max_regions * c.max_group_rows * pairs),
        "state_coin": coin + [0xFF0F] * (2 * g.entropy_pairs),
        "state_counters": [full] * 18,
        "state_step": [0xFF0300 | (c.max_regions - 1 or 1)],
    }


@cocotb.test()
async def every_word(dut) -> None:  # type: ignore[no-untyped-def]
    """Each word of each window keeps its value while others are written."""
    case = case_parameters()
    rng = stimuli(9)
    made = golden_of(case, points_of(case))
    driver = driver_of(dut, case, made)
    bus, bits = driver.bus, bits_of(driver)
    await start_clock(dut)
    await driver.load()
    kept = {name: [rng.randrange(1 << 32) & b for b in masks] for name, masks in bits.items()}
    assert list(kept) == list(SAVED)
    for name in rng.sample(SAVED, len(SAVED)):
        found = driver.map.window(name)
        for index in rng.sample(range(found.words), found.words):
            garbage = rng.randrange(1 << 32) & ~bits[name][index]
            await bus.write(found.address + 4 * index, kept[name][index] | garbage)
    for name in rng.sample(SAVED, len(SAVED)):
        assert await bus.unload(name) == kept[name], name
    # a row query works again after the windows were read
    await bus.set("row.select", 3)
    await bus.unload("state_wear")
    for _ in range(3):
        await driver.edge
    assert (await bus.get("row.wear"))["value"] == kept["state_wear"][3]
    assert (await driver.status())["bus_error"] == 0
    # reset_state clears all of it
    await driver.command("reset_state")
    assert await driver.start() == Reason.DONE
    await goes_on(driver, trace(made, case["steps"]), case["steps"])


def test_every_word() -> None:
    case = {"chain": {"regions": 3}, "features": 3, "steps": 30}
    simulate(case, module=__name__, test="every_word")


@cocotb.test()
async def while_busy(dut) -> None:  # type: ignore[no-untyped-def]
    """Accesses while a command runs change neither the trace nor the state."""
    case = case_parameters()
    rng = stimuli(8)
    made = golden_of(case, points_of(case))
    driver = driver_of(dut, case, made)
    bus = driver.bus
    windows = [driver.map.window(name) for name in (*SAVED, "state_codes", *TABLES)]

    async def storm(accesses: int) -> None:
        for _ in range(accesses):
            window = rng.choice(windows)
            address = window.address + 4 * rng.randrange(window.words)
            bus.addr.value = address // 4
            kind = rng.randrange(3)
            readable = window.name != "state_codes"
            bus.w_stb.value, bus.r_stb.value = int(kind != 0), int(kind != 1 and readable)
            bus.w_data.value = rng.randrange(1 << 32)
            await driver.edge
        bus.w_stb.value = bus.r_stb.value = 0
        assert (await driver.status())["busy"]

    await start_clock(dut)
    await driver.load()
    await driver.command("start")
    await storm(3000)
    assert await driver.finished("start") == Reason.DONE
    # until all chains use recycled rows, each from another step on
    assert await driver.run(case["steps"]) == Reason.DONE
    short = 61
    for i in range(short):  # from the clock after the command on
        await bus.set("control.steps", 12 if i == 0 else 1)
        await driver.command("run")
        await storm(600 if i == 0 else 30)
        assert await driver.finished("run") == Reason.DONE
    expected = trace(made, case["steps"] + (12 + short - 1) // 3)
    found = driver.trace()
    assert not (where := first_difference(expected, found)), where
    assert (await driver.status())["bus_error"] == 0
    assert made.state.retired_head.all()
    await check_driver(driver, made)


def test_while_busy() -> None:
    """Three chains; short runs begin with different regions."""
    case = {
        "chain": {"regions": 3, "row_group": 3},
        "data": "xor",
        "settings": {"hidden": 2, "sigma_p": 2.0},
        "array": {"rel": 0.01},
        "steps": 60,
    }
    simulate(case, module=__name__, test="while_busy")
