"""Pins of the Sipeed Tang Nano 20K: those that this project needs, from its schematic (v1.2)."""

from __future__ import annotations

from typing import ClassVar

from amaranth.build import Attrs, Clock, Connector, Pins, Resource
from amaranth.vendor import GowinPlatform
from amaranth_boards.resources import ButtonResources, LEDResources, UARTResource

IO = {"IO_TYPE": "LVCMOS33"}


class TangNano20kPlatform(GowinPlatform):
    """A GW2AR-18C in a QN88 package. The serial line goes to the BL616, which is the USB bridge.

    The buttons connect their pins with 3.3 V.
    """

    part = "GW2AR-LV18QN88C8/I7"
    family = "GW2AR-18C"
    default_clk = "clk27"
    resources: ClassVar = [
        Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), Attrs(**IO)),
        UARTResource(0, rx="70", tx="69", attrs=Attrs(**IO, PULL_MODE="UP")),
        *LEDResources(pins="15 16 17 18 19 20", invert=True, attrs=Attrs(**IO)),
        *ButtonResources(pins="88 87", attrs=Attrs(**IO, PULL_MODE="DOWN")),
    ]
    connectors: ClassVar[list[Connector]] = []
