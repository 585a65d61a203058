# amaranth: UnusedElaboratable=no
"""A core whose controller has no logic: buses and registers are real, its Verilog is short."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

from amaranth import Module
from amaranth.lib import wiring

from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.array.phy.parts import PhyConfig
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.ip.core import IpCore
from ohmcarlo_hdl.ip.ports import PHY
from ohmcarlo_rtl.export.design import Design
from ohmcarlo_rtl.export.request import ExportRequest

CLOCK_HZ = 50_000_000
CONFIG = CoreConfig(
    Geometry(rows=16, pairs=4, entropy_pairs=1, access_bits=1),
    max_points=16,
    max_group_rows=1,
    max_regions=1,
    device_calibration=False,
)


class Hollow(wiring.Component):
    """The ports of another component, and nothing behind them."""

    def __init__(self, other: wiring.Component) -> None:
        super().__init__(other.signature)

    def elaborate(self, platform: Any) -> Module:
        return Module()


class LightCore(IpCore):
    """A core with a hollow controller."""

    def controller(self) -> Any:
        real = super().controller()
        real._MustUse__used = True  # only its ports are
        return Hollow(real)


class LightDesign(Design):
    """The export of a light core."""

    @cached_property
    def core(self) -> IpCore:
        request = self.request
        return LightCore(
            request.config, request.bus, request.array, request.streams, request.clock_hz
        )


def light_request(bus: str, array: str) -> ExportRequest:
    """A small array behind a bus."""
    config = replace(CONFIG, phy=PhyConfig(CLOCK_HZ)) if array == PHY else CONFIG
    return ExportRequest(config, bus, array, True, CLOCK_HZ)
