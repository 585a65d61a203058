"""Constants of the IP core are those of the register description."""

from __future__ import annotations

from ohmcarlo_hdl.config import COMPACT
from ohmcarlo_hdl.ip.ports import BUSES
from ohmcarlo_hdl.regs.map import compile_rdl


def test_codes_of_the_buses() -> None:
    field = compile_rdl(COMPACT, ip=True).find_by_path("ip.bus.value")
    described = {member.name: member.value for member in field.get_property("encode")}
    assert {name.replace("-", "_"): kind.code for name, kind in BUSES.items()} == described
