"""The controller with a physical array's interface behind it."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ohmcarlo.errors import UsageError

from ..array.phy.dac import phy_voltages
from ..array.phy.parts import MIN_GUARD
from ..array.phy.phy import Phy
from ..array.phy.pins import pins_signature
from ..config import CoreConfig
from .core import Core, outputs


class _RailedCore(Core):
    """``Core`` whose bank's registers of the rails can be seen from outside, at ``voltages``."""

    def __init__(self, config: CoreConfig) -> None:
        super().__init__(config, min_guard=MIN_GUARD)
        self.voltages = Signal(phy_voltages())

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        bank = m.submodules.registers
        for name in phy_voltages().members:
            m.d.comb += self.voltages[name].eq(getattr(bank, f"rails_{name}"))
        return m


class PhyCore(wiring.Component):
    """What runs on a board with a daughterboard: ``EmulatedCore`` with ``pins`` for the emulator.

    The register map has the group ``rails`` besides: quasi-static DAC codes; a change is sent
    before the next operation that uses the rail. ``config.phy`` must be given; ``Phy`` refuses what
    a physical array cannot do.
    """

    def __init__(self, config: CoreConfig) -> None:
        if config.phy is None:
            raise UsageError("a physical array needs the clock of its interface: set config.phy")
        self.config = config
        self.phy = Phy(config, config.phy.clock_hz, config.phy.timing)
        super().__init__(outputs(config) | {"pins": Out(pins_signature())})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.core = core = _RailedCore(self.config)
        m.submodules.phy = phy = self.phy
        wiring.connect(m, core.requests, phy.requests)
        wiring.connect(m, phy.responses, core.responses)
        wiring.connect(m, phy.pins, wiring.flipped(self.pins))
        m.d.comb += [
            phy.lines.eq(core.lines),
            phy.hold.eq(core.hold),
            phy.restart.eq(core.restart),
            phy.voltages.eq(core.voltages),
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
