"""Bus reads of constant registers whose fields are inputs."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth import Module, Signal
from amaranth.sim import Simulator

from ohmcarlo_hdl.config import COMPACT
from ohmcarlo_hdl.regs.bank import RegisterBank
from ohmcarlo_hdl.regs.bus import Bus
from ohmcarlo_hdl.regs.map import register_map

FIELD = "id.features.emulator"


@pytest.mark.parametrize("present", [0, 1])
def test_a_field_that_is_an_input(present: int) -> None:
    """A read of ``id.features`` returns the input in its field and leaves the other fields
    unchanged."""
    layout = register_map(COMPACT)
    value = Signal(init=present)
    bank = RegisterBank(layout, {FIELD: value})
    register = layout["id.features"]
    others = sum(f.reset << f.low for f in register.fields if f.name != "emulator")
    (field,) = (f for f in register.fields if f.name == "emulator")

    async def read(context: Any) -> None:
        context.set(bank.bus.addr, register.address // 4)
        context.set(bank.bus.r_stb, 1)
        await context.tick()
        context.set(bank.bus.r_stb, 0)
        for _ in range(Bus.LATENCY - 1):
            await context.tick()
        assert context.get(bank.bus.r_data) == others | present << field.low

    top = Module()
    top.submodules.bank = bank
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(read)
    simulator.run()


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_only_constants_can_be_inputs() -> None:
    with pytest.raises(ValueError, match=r"model\.points\.value is no field of a constant"):
        RegisterBank(register_map(COMPACT), {"model.points.value": Signal()})
    with pytest.raises(ValueError, match=r"id\.features\.colour is no field of a constant"):
        RegisterBank(register_map(COMPACT), {"id.features.colour": Signal()})
