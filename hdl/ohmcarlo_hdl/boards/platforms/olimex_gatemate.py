"""Pins of the Olimex GateMateA1-EVB: those that this project needs, from its schematic."""

from __future__ import annotations

from typing import ClassVar

from amaranth.build import Attrs, Clock, Connector, Pins, Resource
from amaranth_boards.resources import ButtonResources, LEDResources, UARTResource

from .gatemate import GateMatePlatform


class OlimexGateMatePlatform(GateMatePlatform):
    """A CCGM1A1 in a BGA320. The serial line goes to the RP2040, which is the USB bridge."""

    device = "CCGM1A1"
    default_clk = "clk10"
    resources: ClassVar = [
        Resource("clk10", 0, Pins("IO_SB_A8", dir="i"), Clock(10e6), Attrs(SCHMITT_TRIGGER="true")),
        UARTResource(0, rx="IO_SA_A6", tx="IO_SA_B6"),
        *LEDResources(pins="IO_SB_B6", invert=True),
        *ButtonResources(pins="IO_SB_B7", invert=True, attrs=Attrs(SCHMITT_TRIGGER="true")),
    ]
    connectors: ClassVar[list[Connector]] = []
