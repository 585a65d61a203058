"""Bridges from AXI4-Lite, APB4 and Wishbone B4 with a register bank each, against a model.

The stimuli have random gaps and back-pressure, addresses and data in any order, unknown and odd
addresses, partial byte strobes, withdrawn requests, and resets at any time.
"""

from __future__ import annotations

from typing import Any

import cocotb
import pytest

from verif.buses.lanes import Lanes
from verif.buses.managers import MANAGERS, ApbManager, AxiManager, Manager, WishboneManager
from verif.harness import Clocked, case_parameters, run_bench, start_clock, stimuli

CLOCKS = 60
"""More than a transaction takes on average, at the slowest pace."""
LONG = 20_000
"""Transactions from which every situation must have occurred."""
ANSWERS = {f"{what} {how}" for what in ("write", "read") for how in ("succeeds", "fails")}
SITUATIONS: dict[type[Manager], set[str]] = {
    AxiManager: {"aw first", "w first", "write and read wait", "b blocked", "r blocked"},
    ApbManager: {"at once"},
    WishboneManager: {"at once", "withdrawn"},
}


async def transact(dut: Any, *kinds: type[Manager]) -> None:
    """Transactions on some buses at the same time."""
    count = case_parameters()["transactions"]
    managers = [kind(dut, count, stimuli(5 + place)) for place, kind in enumerate(kinds)]
    await start_clock(dut)
    bench = Clocked(dut, *managers).start()
    await bench.until(lambda: all(m.finished for m in managers), CLOCKS * count + 5000)
    for manager in managers:
        name, done, clocks, seen = manager.name, manager.done, manager.clock, manager.seen
        dut._log.info("%s: %d in %d clocks; %s", name, done, clocks, dict(seen))
        expected = ANSWERS | {"counts"}
        if count >= LONG:
            expected |= SITUATIONS[type(manager)] | {"reset while busy", "reset while idle"}
        assert expected <= {name for name, times in manager.seen.items() if times}, manager.seen


@cocotb.test()
async def all_buses(dut) -> None:  # type: ignore[no-untyped-def]
    await transact(dut, *MANAGERS)


@cocotb.test()
async def axi4_lite(dut) -> None:  # type: ignore[no-untyped-def]
    await transact(dut, AxiManager)


@cocotb.test()
async def apb4(dut) -> None:  # type: ignore[no-untyped-def]
    await transact(dut, ApbManager)


@cocotb.test()
async def wishbone(dut) -> None:  # type: ignore[no-untyped-def]
    await transact(dut, WishboneManager)


def test_buses() -> None:
    run_bench(Lanes, __name__, {"transactions": 300}, testcase="all_buses")


@pytest.mark.verify
def test_buses_at_length() -> None:
    run_bench(Lanes, __name__, {"transactions": 100_000}, testcase="all_buses")
