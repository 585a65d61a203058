"""Data points beyond the data memory: the whole controller, over a stream that repeats a pass.

The source pauses at random. Every decision, log-posterior, code and multiplicity must be that of
the golden model with the same points in memory.
"""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
import pytest

from ohmcarlo.spec import Points
from ohmcarlo.spec.link import FaultCause, Reason
from problems import controller, quantised, trace
from verif.harness import Case, case_parameters, start_clock, stimuli
from verif.harness.core import CoreDriver
from verif.harness.point_source import PassSource, pass_of
from verif.test_core import (
    check_samples_and_rows,
    config_of,
    first_difference,
    simulate,
)

CONFIG: Case = {
    "geometry": {"rows": 64, "pairs": 8, "entropy_pairs": 2},
    "max_points": 16,
    "max_streamed_points": 128,
    "max_group_rows": 4,
    "max_regions": 2,
    "device_calibration": False,
}
FEATURES = 5


def clouds(n: int) -> Points:
    """``n`` points of two clouds that overlap."""
    rng = np.random.default_rng(7)
    y = rng.integers(0, 2, n)
    x = rng.standard_normal((n, FEATURES - 1)) + 0.7 * (2 * y[:, None] - 1)
    return Points.of(quantised(x), y.astype(np.uint8))


def made_of(case: Case, points: Points) -> Any:
    """The golden controller of a case, started."""
    geometry = config_of(case).geometry
    with_chain = type(geometry)(**(case["config"]["geometry"] | case.get("chain", {})))
    return controller(points, with_chain, 11, None, {"rel": 0.02}, **case.get("settings", {}))


async def prepared(dut: Any, case: Case) -> tuple[Any, CoreDriver, PassSource]:
    """Golden controller, host and source of a case; the chain is started."""
    config, points = config_of(case), clouds(case["points"])
    made = made_of(case, points)
    driver = CoreDriver(dut, config, made.registers, points, made.array)
    words = pass_of(points, config.geometry, config.max_points) or [{"word": 0, "last": 1}]
    dut.data_points__valid.value = 0
    await start_clock(dut)
    source = PassSource(dut, "data_points", words, case.get("stall", 0.0), stimuli(9))
    await driver.load()
    assert await driver.start() == Reason.DONE
    return made, driver, source


@cocotb.test()
async def equals_the_model_with_all_points(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    made, driver, source = await prepared(dut, case)
    before = source.passes
    expected = trace(made, case["steps"])
    assert await driver.run(case["steps"]) == Reason.DONE
    found = driver.trace()
    assert not (where := first_difference(expected, found)), where
    assert 0 < found.accepted.sum() < len(found.accepted)
    streamed = case["points"] > driver.config.max_points
    assert (found.points > driver.config.max_points).any() == streamed
    # a run ends between two passes
    assert (source.passes > before) == streamed and source.number % len(source.words) == 0
    if made.registers.early_reject and case["points"] > driver.config.max_points + 1:
        ended = (found.points > driver.config.max_points) & (found.points < case["points"])
        assert ended.any()  # within a pass, the rest of which was dropped
    assert source.passes <= len(found.accepted) + made.registers.geometry.regions
    await check_samples_and_rows(driver, made)
    # predictions are of points in the memory
    await driver.command("predict")
    assert (await driver.status())["busy"] != streamed


@cocotb.test()
async def finds_a_lost_word(dut) -> None:  # type: ignore[no-untyped-def]
    """A pass that lacks a word, the last one included, is a fault; then the chain starts anew."""
    case = case_parameters()
    made, driver, source = await prepared(dut, case)
    source.lose = {source.number + len(source.words) + case["lost"]}
    assert await driver.run(case["steps"]) == Reason.FAULT
    assert (await driver.status())["fault_cause"] == FaultCause.WRONG_POINTS
    # the rest of a pass is dropped, and the chain is that of a fresh start
    await driver.command("reset_state")
    driver.steps.items.clear()
    driver.records.items.clear()
    await driver.load()
    assert await driver.start() == Reason.DONE
    expected = trace(made, case["steps"])
    assert await driver.run(case["steps"]) == Reason.DONE
    assert not (where := first_difference(expected, driver.trace())), where


BASE: Case = {"config": CONFIG, "points": 61, "steps": 60, "stall": 0.3}
SEVERAL: Case = {"chain": {"regions": 2, "row_group": 3}, "settings": {"hidden": 2, "sigma_p": 2.0}}
SAME = "equals_the_model_with_all_points"


LOST = "finds_a_lost_word"


@pytest.mark.verify
def test_streamed_points() -> None:
    """With early rejection, and with networks in two regions; a lost word is a fault."""
    simulate(
        BASE | {"name": "early", "tests": SAME},
        BASE | SEVERAL | {"name": "networks", "tests": SAME, "steps": 20},
        BASE | {"name": "lost", "tests": LOST, "lost": 8, "steps": 10},
        module=__name__,
        test="",
    )


@pytest.mark.verify
def test_long_chains_over_streamed_points() -> None:
    full = {"early_reject": False}
    simulate(
        *(
            BASE
            | case
            | {"name": f"{name}, {how}", "tests": SAME, "stall": stall, "settings": settings}
            for name, case in (
                ("all but one", {"points": 127, "steps": 100}),
                ("as many as the memory", {"points": 16, "steps": 30}),
                ("one point more than the memory", {"points": 17, "steps": 100}),
                ("all", {"points": 128, "steps": 60}),
                ("networks", SEVERAL | {"steps": 60}),
            )
            for how, stall, early in (
                ("calm", 0.0, {}),
                ("stalled", 0.3, {}),
                ("slow", 0.9, {}),
                ("full", 0.3, full),
            )
            for settings in (case.get("settings", {}) | early,)
        ),
        *(
            BASE | {"name": f"lost {lost}", "tests": LOST, "lost": lost, "steps": 30}
            for lost in (0, 3, 4, -1)
        ),
        module=__name__,
        test="",
    )
