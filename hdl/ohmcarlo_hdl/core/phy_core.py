"""The controller with the interface of a physical array behind it."""

from __future__ import annotations

from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ohmcarlo.errors import UsageError

from ..array.phy.parts import MIN_GUARD
from ..array.phy.phy import Phy
from ..array.phy.pins import pins_signature
from ..config import CoreConfig
from ..lib.wires import forward
from .core import ControllerPorts, Core


class PhyCore(wiring.Component):
    """The controller of a board with a daughterboard: ``EmulatedCore`` with ``pins`` for an array.

    The register map also has the group ``rails``, quasi-static DAC codes; a change is sent before
    the next operation that uses the rail. ``config.phy`` is required.

    Raises UsageError if a physical array does not support the configuration.

    Attributes
    ----------
    bus, samples, step_records, predictions, raw_bits, off, busy, sample_pairs : ControllerPorts
    data_points, points_streamed : ControllerPorts
        As in ``ControllerPorts``.
    executing, fault, alarm, restart : ControllerPorts
        As in ``ControllerPorts``.
    pins : Out(pins_signature)
        Wires to the daughterboard.
    """

    def __init__(self, config: CoreConfig) -> None:
        if config.phy is None:
            raise UsageError("a physical array needs the clock of its interface: set config.phy")
        self.config = config
        self.phy = Phy(config, config.phy.clock_hz, config.phy.timing)
        super().__init__({**ControllerPorts(config).members, "pins": Out(pins_signature())})

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
            phy.voltages.eq(core.rails),
            self.busy.eq(core.busy | ~phy.idle),
        ]
        forward(m, self, core, without={"busy", "pins"})
        return m
