"""The wires to an array's daughterboard as a resource of a platform (``array/phy/pins.py``)."""

from __future__ import annotations

from typing import Any

from amaranth import Module
from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth.lib import io

from ..array.phy.pins import HEADERS, PINS

NAME = "phy"
"""Name of the resource; its number is 0."""


def daughterboard(header: str) -> Resource:
    """The resource for a board whose headers are wired as ``HEADERS[header]``; 3.3 V."""
    places = HEADERS[header]
    parts = [
        Subsignal(pin.name, Pins(places[pin.name], dir=pin.direction, assert_width=pin.width))
        for pin in PINS
    ]
    return Resource(NAME, 0, *parts, Attrs(IO_TYPE="LVCMOS33"))


def connect_daughterboard(m: Module, platform: Any, header: str, pins: Any) -> None:
    """Connect ``pins`` (``pins_signature``) with the headers."""
    platform.add_resources([daughterboard(header)])
    ports = platform.request(NAME, 0, dir="-")
    for pin in PINS:
        m.submodules[f"{NAME}_{pin.name}"] = buffer = io.Buffer(
            pin.direction, getattr(ports, pin.name)
        )
        wire = getattr(pins, pin.name)
        m.d.comb += buffer.o.eq(wire) if pin.direction == "o" else wire.eq(buffer.i)
