"""Bit flips in the simulated controller: the bench of ``verif.flips``, and what must be noticed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ClockCycles, RisingEdge, SimTimeoutError, with_timeout
from cocotb.utils import get_sim_time

from ohmcarlo.boards.integrity import (
    BoardUpset,
    check_fields,
    check_log_posteriors,
    check_multiplicities,
    check_window,
)
from ohmcarlo.boards.memory.image import TABLES, controller_image, emulator_image
from ohmcarlo.golden import Controller
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.spec.link import Reason
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.core import EmulatedCore
from problems import controller, trace
from verif.flips import (
    MASKED,
    REPORTED,
    RESULTS,
    SILENT,
    Flip,
    Register,
    draw,
    simulate,
    with_flips,
)
from verif.harness import case_parameters, start_clock
from verif.harness.core import CoreDriver, CoreTrace
from verif.harness.points import wdbc_half
from verif.harness.verilog import kept_verilog
from verif.test_core import first_difference

SHAPE = {"rows": 64, "pairs": 16}
REGIONS, STEPS, POINTS, FEATURES = 2, 20, 100, 7
CONFIG = CoreConfig(geometry=Geometry(**SHAPE), max_points=128, max_group_rows=1, max_regions=2)
TRACE = ("accepted", "chain", "log_posterior", "codes", "multiplicity", "sample_chain")
"""The arrays of a trace that are compared."""
CLOCK_NS = 10
PATIENCE = 3
"""A run that takes so many times as long as one without a flip hangs, which the host reports."""


def points() -> Points:
    """A part of WDBC."""
    whole = wdbc_half()
    kept = [*range(FEATURES - 1), whole.features - 1]
    inputs = np.ascontiguousarray(whole.inputs[:POINTS, kept])
    return Points(inputs, whole.labels[:POINTS], whole.offsets[:POINTS])


def golden() -> Controller:
    """A started golden controller."""
    geometry = Geometry(**SHAPE, regions=REGIONS)
    return controller(points(), geometry, 5, rho=0.8, gamma_us=12.0)


def instrumented() -> tuple[str, list[Register]]:
    return with_flips(kept_verilog(lambda: EmulatedCore(CONFIG), "flips", CONFIG))


class Session:
    """Software that runs one chain after the other, each with a flip."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.made, fresh = golden(), golden()
        self.expected = trace(self.made, STEPS)
        self.registers = fresh.registers
        self.driver = CoreDriver(dut, CONFIG, fresh.registers, points(), fresh.array)
        image = controller_image(fresh.registers, points(), fresh.array, CONFIG.geometry)
        self.fields = image.fields | emulator_image(fresh.array, 0).fields
        self.tables = {name: image.windows[name] for name in TABLES}
        self.clocks = 0
        """Clocks of start and run without a flip."""

    async def prepare(self) -> None:
        """Reset, and load everything."""
        self.driver.records.items.clear()
        self.driver.steps.items.clear()
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 2)
        self.dut.rst.value = 0
        await self.driver.load()

    async def flip(self, number: int, bit: int, moment: float) -> None:
        await ClockCycles(self.dut.clk, 1 + int(moment * self.clocks))
        self.dut.flip_id.value, self.dut.flip_bit.value = number, bit
        await RisingEdge(self.dut.clk)
        self.dut.flip_id.value = 0

    async def chain(self) -> tuple[CoreTrace, CoreTrace]:
        """Start and run; the trace before and after the current samples are streamed."""
        assert await self.driver.start() == Reason.DONE, "start"
        assert await self.driver.run(STEPS) == Reason.DONE, "run"
        before = self.driver.trace()
        await self.driver.flush()
        return before, self.driver.trace()

    async def check(self, before: CoreTrace, whole: CoreTrace) -> None:
        """The checks of ``SerialBoard``: AssertionError or BoardUpset."""
        assert len(before.accepted) == STEPS * REGIONS, "steps"
        check_log_posteriors(self.registers, points(), whole.codes, whole.sample_log_posterior)
        stays = check_multiplicities(
            np.ones(REGIONS, np.int64),
            before.accepted,
            before.chain,
            before.multiplicity,
            before.sample_chain,
        )
        assert np.array_equal(stays, whole.multiplicity[len(before.codes) :]), "multiplicity"
        found = {}
        for name in self.fields:
            register, field = name.rsplit(".", 1)
            found[name] = (await self.driver.bus.get(register))[field]
        check_fields(self.fields, found)
        for name, words in self.tables.items():
            check_window(name, words, np.array(await self.driver.bus.unload(name), np.uint32))

    async def tables_are_compared(self, chain: tuple[CoreTrace, CoreTrace]) -> None:
        """A wrong word of a table is reported, and the right one is not."""
        for name, words in self.tables.items():
            at = self.driver.map.window(name).address
            await self.driver.bus.write(at, int(words[0]) ^ 1)
            with pytest.raises(BoardUpset, match=name):
                await self.check(*chain)
            await self.driver.bus.write(at, int(words[0]))
        await self.check(*chain)

    def difference(self, before: CoreTrace, whole: CoreTrace) -> str:
        """The first difference from the golden trace; empty if there is none.

        A rejected proposal may have stopped at another point: the chain is the same.
        """
        current = whole.codes[len(before.codes) :]
        found = first_difference({name: self.expected[name] for name in TRACE}, before)
        return found or ("" if np.array_equal(current, self.made.state.codes) else "current")

    async def outcome(self, number: int, bit: int, moment: float) -> dict[str, str]:
        await self.prepare()
        upset = cocotb.start_soon(self.flip(number, bit, moment))
        try:
            chain = await with_timeout(self.chain(), PATIENCE * self.clocks * CLOCK_NS, "ns")
            different = self.difference(*chain)
            try:
                await self.check(*chain)
            except (BoardUpset, AssertionError) as error:
                return {"outcome": REPORTED, "why": str(error), "difference": different}
            return {"outcome": SILENT if different else MASKED, "difference": different}
        except (AssertionError, SimTimeoutError, ValueError) as error:
            return {"outcome": REPORTED, "why": f"{type(error).__name__}: {error}"}
        finally:
            upset.cancel()


@cocotb.test()
async def flips(dut) -> None:  # type: ignore[no-untyped-def]
    """Append the outcome of each flip to the file that the environment names."""
    case = case_parameters()
    dut.flip_id.value = dut.flip_bit.value = 0
    await start_clock(dut)
    session = Session(dut)
    await session.prepare()
    began = get_sim_time("ns")
    chain = await session.chain()
    session.clocks = int((get_sim_time("ns") - began) / CLOCK_NS)
    assert not session.difference(*chain)
    await session.check(*chain)
    await session.tables_are_compared(chain)
    with Path(os.environ[RESULTS]).open("a", encoding="ascii") as file:
        for number, bit, moment in case["flips"]:
            file.write(json.dumps(await session.outcome(number, bit, moment)) + "\n")
            file.flush()


EVIDENT = {
    ("dut.core.registers", "proposal_rho"): 2,
    ("dut.core.registers", "model_points"): 3,
    ("dut.core.registers", "emulator_d2d_rel"): 3,
}
"""Settings, with a bit each. A flip of it changes the chain, and must be reported."""


@pytest.mark.verify
def test_flips() -> None:
    """Flips of settings are reported; of random flips, few are silent."""
    verilog, registers = instrumented()
    by_name = {(r.module, r.name): r for r in registers}
    evident = [Flip(by_name[name], bit, 0.3) for name, bit in EVIDENT.items()]
    results = simulate(verilog, [*evident, *draw(registers, 60, 7)])
    assert [r["outcome"] for r in results[: len(evident)]] == [REPORTED] * len(evident)
    assert sum(r["outcome"] == SILENT for r in results) <= 2
    assert sum(r["outcome"] == MASKED for r in results) > 30
    assert sum(r["outcome"] == REPORTED for r in results) > len(evident), "none of the random ones"


def test_instrumented_registers() -> None:
    """Every register of the controller has a number; those of the array have none."""
    _, registers = instrumented()
    assert [r.number for r in registers] == list(range(1, len(registers) + 1))
    names = {(r.module, r.name) for r in registers}
    assert names >= EVIDENT.keys()
    assert not any(module.startswith("dut.emulator") for module, _ in names)
