"""``train toy2d`` with the controller on a Phy and a daughterboard with a physical array behind it.

Data, registers, trims and bad rows are those of ``ohmcarlo train toy2d --array physics`` on a small
array. The array is a ``KeyedArray``: physics with all effects of its preset. The hardware makes
more accesses than the golden model, and in other batches; the read noise is therefore a hash of the
access and of the programming before it. Decisions, codes and log-posteriors are equal.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.triggers import Timer

from ohmcarlo.golden import Controller, Registers, terms
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.supervised.experiment import SupervisedExperiment, build_supervised
from ohmcarlo.spec import Geometry
from ohmcarlo.spec.link import Reason
from ohmcarlo_hdl.array import sequencer
from ohmcarlo_hdl.array.phy.parts import PhyConfig, PhyTiming
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core import core
from ohmcarlo_hdl.core.phy_core import PhyCore
from problems import trace
from verif.daughterboard import Daughterboard, KeyedArray, Limits, Wired
from verif.harness import Case, case_parameters, run_bench, start_clock
from verif.harness.core import CoreDriver
from verif.harness.verilog import verilog_of
from verif.mutants.source import mutant
from verif.test_core import first_difference
from verif.test_phy import RAIL_CODES, SHORT

TRAIN = TrainConfig(task="toy2d", array="physics", rows=64, pairs=16, seed=0)
GEOMETRY = Geometry(rows=64, pairs=16, access_bits=1)
CONFIG = CoreConfig(
    GEOMETRY,
    max_points=128,
    max_group_rows=1,
    max_regions=1,
    digital_dots=True,
    phy=PhyConfig(100_000_000, PhyTiming(**SHORT)),
)
LIMITS = Limits(dac_settle_ns=300, line_settle_ns=100, front_end_ns=300, guard_ns=60)
PULSE = {"reset": 20, "set": 10, "read": 34, "dot": 34}
GUARDS = {"guard_before": 2, "guard_after": 6}


@cache
def experiment() -> SupervisedExperiment:
    """The preparation of ``ohmcarlo train``, including the characterisation of the array."""
    return build_supervised(TRAIN)


def registers() -> Registers:
    """Its registers, for line drivers that are on or off."""
    digital = case_parameters().get("digital", False)
    return replace(experiment().setup.registers, geometry=GEOMETRY, digital=digital)


def array() -> KeyedArray:
    return KeyedArray(GEOMETRY, "rram-1t1r", TRAIN.seed)


async def brought_up(dut: Any, **options: Any) -> tuple[CoreDriver, Daughterboard]:
    """Start clock and board; load registers and tables."""
    points, under_probes = experiment().setup.points, array()
    dut.off.value = 0
    driver = CoreDriver(dut, CONFIG, registers(), points)
    await start_clock(dut)
    board = Daughterboard(dut, CONFIG, under_probes, LIMITS, **options)
    await driver.load(under_probes)
    for rail, code in RAIL_CODES.items():
        await driver.bus.set(f"rails.{rail}", code)
    for name, width in PULSE.items():
        await driver.bus.set(f"sequencer.{name}", width=width, **GUARDS)
    await driver.bus.set("sequencer.watchdog", 1 << 20)
    return driver, board


@cocotb.test()
async def trains(dut) -> None:  # type: ignore[no-untyped-def]
    """Equal to the golden model over the same array; the board reports no fault."""
    first, steps = (case_parameters()[name] for name in ("first", "steps"))
    points = experiment().setup.points
    golden = Controller(registers(), array(), points)
    golden.start()
    before = trace(golden, first)
    worst = terms(registers(), points, golden.state.codes[0])
    order = np.argsort(worst, kind="stable").astype(np.int32)  # as training does during burn-in
    golden.set_order(order)
    after = trace(golden, steps - first)
    expected = {k: np.concatenate([before[k], after[k]]) for k in after if np.ndim(after[k])}

    driver, board = await brought_up(dut)
    assert await driver.start() == Reason.DONE
    assert await driver.run(first) == Reason.DONE
    await driver.bus.load("order", order)
    assert await driver.run(steps - first) == Reason.DONE
    found = driver.trace()
    assert not (where := first_difference(expected, found)), where
    assert 2 < found.accepted.sum() < steps - 2
    assert not board.faults and not board.task.done()

    counted, ledger = await driver.counters(), golden.array.ledger
    assert counted["set"] == board.seen["set"] == board.array.ledger.set == ledger.set
    assert (board.array.ledger.wear == ledger.wear).all()
    assert counted["dot"] == board.seen["dot"]
    assert counted["dot"] == 0 if registers().digital else counted["dot"] > ledger.dot
    assert board.seen["sample"] == board.seen["read"] + board.seen["dot"]
    # unchanged values are not sent again: a frame for a SET at most, and three times two rails
    assert board.seen["dac frame"] <= board.seen["set"] + 2 + 7
    assert board.seen["inputs latch"] <= board.seen["dot"]
    assert board.seen["address latch"] <= board.seen["set"] + board.seen["reset"] + steps


def wired() -> Wired:
    return Wired(PhyCore(CONFIG))


def simulate(text: str, case: Case, testcase: str) -> None:
    run_bench("PhyCore", __name__, case, testcase=testcase, verilog_text=text)


@pytest.mark.verify  # test_phy_top.py trains in ``make test``
@pytest.mark.parametrize(("first", "steps"), [(3, 9), (4, 16)])
def test_train_toy2d(first: int, steps: int) -> None:
    simulate(verilog_of(wired()), {"first": first, "steps": steps}, "trains")


@pytest.mark.verify
def test_train_toy2d_with_digital_dot_products() -> None:
    """Read noise of 1 %: the chain follows from the codes, and no DOT reaches the pins."""
    simulate(verilog_of(wired()), {"first": 4, "steps": 30, "digital": True}, "trains")


# -- planted faults ------------------------------------------------------------------------------
# All faults are in the sequencer of one netlist. A bit of the watchdog register that this bench
# does not use otherwise enables each of them: (bit, register values, message of the board).
FAULTS: dict[str, tuple[int, dict[str, dict[str, int]], str]] = {
    "none": (20, {}, ""),
    "no guard times": (21, {}, "within the guard time of the last one"),
    "no longest width": (22, {"set": {"width": 5000} | GUARDS}, "set is too long: 50000 ns"),
    "RESET comes with SET": (23, {}, "pulses overlap: reset and set"),
}
CHANGES = {
    "Mux(setting > limit, limit, setting)": (
        "Mux((setting > limit) & ~self.settings.watchdog[22], limit, setting)"
    ),
    'self._of_kind(kind, "guard_before")': (
        'Mux(self.settings.watchdog[21], 0, self._of_kind(kind, "guard_before"))'
    ),
    'self._of_kind(kind, "guard_after")': (
        'Mux(self.settings.watchdog[21], 0, self._of_kind(kind, "guard_after"))'
    ),
    "enables.eq(self.kind)": (
        "enables.eq(self.kind | ((self.kind[2] & self.settings.watchdog[23]) << 1))"
    ),
}


@cocotb.test()
async def shouts(dut) -> None:  # type: ignore[no-untyped-def]
    """One fault after the other, each after a reset."""
    for name, (bit, settings, says) in FAULTS.items():
        driver, board = await brought_up(dut, strict=False)
        for pulse, fields in settings.items():
            await driver.bus.set(f"sequencer.{pulse}", **fields)
        await driver.bus.set("sequencer.watchdog", 1 << bit)
        await driver.command("start")
        for _ in range(100):
            await Timer(2000, "ns")
            if board.faults:
                break
        board.task.cancel()
        if says:
            assert any(says in fault for fault in board.faults), (name, board.faults[:5])
        else:
            assert not board.faults and board.seen["set"] > 50, (name, board.faults, board.seen)


def test_planted_faults_make_it_shout(monkeypatch: Any) -> None:
    monkeypatch.setattr(core, "Sequencer", mutant(sequencer, CHANGES).Sequencer)
    simulate(verilog_of(wired()), {}, "shouts")
