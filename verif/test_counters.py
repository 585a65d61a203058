"""Counters: every operation, step, sample and point is counted once."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.counters import COUNTED, OPERATIONS, Counters
from verif.harness import run_bench, start_clock, stimuli

CONFIG = CoreConfig()
INPUTS = ("busy", "request", "op", "step", "valid", "accepted", "evaluated")


@cocotb.test()
async def counts(dut) -> None:  # type: ignore[no-untyped-def]
    rng = stimuli(6)
    for name in INPUTS:
        getattr(dut, name).value = 0
    await start_clock(dut)
    edge = RisingEdge(dut.clk)
    await edge
    expected = dict.fromkeys(COUNTED, 0)
    before = {"request": 0, "op": 0}
    for _ in range(600):
        seen = {name: rng.randrange(2) for name in INPUTS}
        seen["op"], seen["evaluated"] = rng.randrange(8), rng.randint(0, CONFIG.max_points)
        for name, value in seen.items():
            getattr(dut, name).value = value
        await edge
        # the value before this edge is the count of the earlier clocks
        assert {name: int(getattr(dut, name).value) for name in COUNTED} == expected
        expected["clocks"] += seen["busy"]
        for name, op in OPERATIONS.items():
            expected[name] += before["request"] and before["op"] == op.value
        before = seen
        if seen["step"]:
            expected["invalid"] += not seen["valid"]
            expected["samples"] += seen["accepted"]
            expected["points"] += seen["evaluated"]
    assert min(expected.values()) > 20


def test_counters() -> None:
    run_bench(Counters(CONFIG), __name__)
