"""The list of a run, made on the golden model, in the place of the array of a Verilated controller.

The hardware gets the read-backs of the list. It asks for the operations of the list in the same
order, and its chain is that of the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cocotb
import pytest

from ohmcarlo.runs.chain_run import Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.pulses.listing import list_pulses
from ohmcarlo.runs.stored import read_trace
from ohmcarlo.runs.supervised.experiment import build_supervised
from ohmcarlo.runs.train import Outputs, train_run
from ohmcarlo.spec.link import Reason
from ohmcarlo_hdl.array.interface import Op
from ohmcarlo_hdl.core.core import Core
from verif.harness import (
    BenchFailure,
    Case,
    Clocked,
    case_parameters,
    run_bench,
    start_clock,
    stimuli,
)
from verif.harness.array_model import ArrayModel
from verif.harness.core import CoreDriver
from verif.harness.listed_array import ListedArray
from verif.test_core import config_of
from verif.test_core_service import SMALL

RUN = TrainConfig("toy2d", rows=64, pairs=16, chains=2, steps=25, whiten=True, seed=4)
"""50 steps in all, before the points are sorted."""


@cocotb.test()
async def asks_for_the_list(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    setup = build_supervised(RUN).setup
    config = config_of(case)
    listed = ListedArray(Path(case["list"]), config.geometry, setup.array.dac_of_target())
    driver = CoreDriver(dut, config, setup.registers, setup.points)
    model = ArrayModel(dut, config, listed, case["stall"], stimuli(2))
    await start_clock(dut)
    await driver.load(listed)
    Clocked(dut, model).start()
    assert await driver.start() == Reason.DONE
    assert await driver.run(RUN.steps) == Reason.DONE
    listed.finish()
    assert model.operations[Op.READ.value] == model.operations[Op.SET.value]
    expected, found = read_trace(Path(case["run"])), driver.trace()
    assert found.accepted.any()
    for name in ("accepted", "log_posterior", "chain"):
        assert (getattr(expected, name) == getattr(found, name)).all(), name
    retired = len(found.codes)
    for name in ("codes", "multiplicity", "sample_chain"):
        assert (getattr(expected, name)[:retired] == getattr(found, name)).all(), name


def simulate(path: Path, run: Path, stall: float = 0.0) -> None:
    case: Case = {"config": SMALL, "list": str(path), "run": str(run), "stall": stall}
    run_bench(lambda: Core(config_of(case)), __name__, case, testcase="asks_for_the_list")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lists") / "run"
    train_run(RUN, Outputs(path), Silence())
    list_pulses(path, path.with_name("list.csv"), Silence())
    return path


@pytest.mark.verify
def test_the_hardware_asks_for_the_operations_of_a_list(run: Path) -> None:
    simulate(run.with_name("list.csv"), run, stall=0.3)


@pytest.mark.verify
@pytest.mark.parametrize(("column", "value"), [("dac", "77"), ("code", "600")])
def test_another_list_is_noticed(run: Path, tmp_path: Path, column: str, value: Any) -> None:
    """A line with another code of the DAC, and one with another read-back of an accepted sample."""
    lines = run.with_name("list.csv").read_text().splitlines()
    head = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    names = lines[head].split(",")
    trace = read_trace(run)
    step = int(trace.accepted_by_chain()[0].argmax()) + 1
    at = next(
        i for i, line in enumerate(lines) if f",sample,0,{step},SET," in line and ",0,plus," in line
    )
    cells = lines[at].split(",")
    cells[names.index(column)] = value
    lines[at] = ",".join(cells)
    changed = tmp_path / "changed.csv"
    changed.write_text("\n".join(lines) + "\n")
    with pytest.raises(BenchFailure, match="the hardware asks for"):
        simulate(changed, run)
