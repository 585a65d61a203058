"""LUTs and flip-flops of the bridges and the interrupt: measured, limited, and tabulated."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo_rtl.pages import buses

pytestmark = [pytest.mark.hdl, pytest.mark.verify]  # synthesis, a minute


def test_the_table_is_up_to_date() -> None:
    """The committed counts are those of the hardware."""
    assert buses.measured() == buses.read_results()


def test_each_bus_is_within_the_limit() -> None:
    assert len(buses.read_results()) == 7
    assert not buses.too_large(buses.read_results())


def test_a_bus_beyond_the_limit_is_reported() -> None:
    results = buses.read_results()
    luts = buses.MOST_LUTS - results[buses.INTERRUPT]["ecp5"]["luts"]
    results["apb4"]["ecp5"]["luts"] = luts
    assert not buses.too_large(results)
    results["apb4"]["ecp5"]["luts"] += 1
    assert buses.too_large(results) == [f"apb4, ecp5: {buses.MOST_LUTS + 1} LUTs"]


class Known(wiring.Component):
    """Eight ANDs of four inputs, each with a register."""

    def __init__(self) -> None:
        super().__init__({"inputs": In(32), "outputs": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.sync += self.outputs.eq(Cat(self.inputs[4 * i :][:4].all() for i in range(8)))
        return m


@pytest.mark.parametrize("family", buses.FAMILIES)
def test_counts_of_a_known_block(family: str) -> None:
    assert buses.measure(Known(), family) == {"luts": 8, "flip_flops": 8}
