"""The controller with a physical array's interface behind it."""

from __future__ import annotations

from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..array.phy import MIN_GUARD, Phy
from ..array.phy_dac import phy_voltages
from ..array.phy_parts import PhyTiming
from ..array.phy_pins import pins_signature
from ..config import CoreConfig
from .core import Core, outputs


class PhyCore(wiring.Component):
    """What runs on a board with a daughterboard: ``EmulatedCore`` with ``pins`` for the emulator.

    ``voltages``: DAC codes of the rails, quasi-static; a change is sent before the next operation
    that uses the rail. ``config``, ``clock_hz`` and ``timing`` as in ``Phy``, which refuses what a
    physical array cannot do.
    """

    def __init__(self, config: CoreConfig, clock_hz: int, timing: PhyTiming | None = None) -> None:
        self.config = config
        self.phy = Phy(config, clock_hz, timing)
        super().__init__(
            outputs(config) | {"voltages": In(phy_voltages()), "pins": Out(pins_signature())}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.core = core = Core(self.config, min_guard=MIN_GUARD)
        m.submodules.phy = phy = self.phy
        wiring.connect(m, core.requests, phy.requests)
        wiring.connect(m, phy.responses, core.responses)
        wiring.connect(m, phy.pins, wiring.flipped(self.pins))
        m.d.comb += [
            phy.lines.eq(core.lines),
            phy.hold.eq(core.hold),
            phy.restart.eq(core.restart),
            phy.voltages.eq(self.voltages),
        ]
        for name in outputs(self.config):
            inner, outer = getattr(core, name), getattr(self, name)
            if name == "bus":
                wiring.connect(m, wiring.flipped(outer), inner)
            elif name == "off":
                m.d.comb += inner.eq(outer)
            elif name == "busy":
                m.d.comb += outer.eq(inner | ~phy.idle)
            elif name in ("raw_bits", "sample_pairs"):
                m.d.comb += outer.eq(inner)
            else:
                wiring.connect(m, inner, wiring.flipped(outer))
        return m
