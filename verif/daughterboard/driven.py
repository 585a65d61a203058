"""A Phy behind its sequencer, as in ``core.phy_core``, for benches and proofs."""

from __future__ import annotations

from typing import Any

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo_hdl.array.interface import array_request, array_response
from ohmcarlo_hdl.array.phy.dac import phy_voltages
from ohmcarlo_hdl.array.phy.parts import MIN_GUARD
from ohmcarlo_hdl.array.phy.phy import Phy
from ohmcarlo_hdl.array.phy.pins import pins_signature
from ohmcarlo_hdl.array.sequencer import Sequencer, sequencer_settings


class DrivenPhy(wiring.Component):
    """Sequencer and Phy in series; ``off``, ``clear`` and settings belong to the sequencer."""

    def __init__(self, phy: Phy, sequencer: Any = None) -> None:
        self.phy = phy
        self.sequencer = sequencer or Sequencer(phy.config, min_guard=MIN_GUARD)
        super().__init__(
            {
                "commands": In(stream.Signature(array_request(phy.config))),
                "results": Out(stream.Signature(array_response(phy.config))),
                "settings": In(sequencer_settings()),
                "voltages": In(phy_voltages()),
                "off": In(1),
                "clear": In(1),
                "fault": Out(1),
                "idle": Out(1),
                "pins": Out(pins_signature()),
            }
        )

    def inner(self, platform: Any) -> Any:
        """The sequencer as submodule; a proof elaborates it first to use its signals."""
        return self.sequencer

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        sequencer = self.sequencer
        m.submodules.sequencer = self.inner(platform)
        m.submodules.phy = phy = self.phy
        wiring.connect(m, wiring.flipped(self.commands), sequencer.commands)
        wiring.connect(m, sequencer.results, wiring.flipped(self.results))
        wiring.connect(m, sequencer.requests, phy.requests)
        wiring.connect(m, phy.responses, sequencer.responses)
        wiring.connect(m, phy.pins, wiring.flipped(self.pins))
        m.d.comb += [
            sequencer.settings.eq(self.settings),
            sequencer.off.eq(self.off),
            sequencer.clear.eq(self.clear),
            phy.lines.eq(sequencer.lines),
            phy.hold.eq(self.off | sequencer.fault),
            phy.voltages.eq(self.voltages),
            self.fault.eq(sequencer.fault),
            self.idle.eq(sequencer.idle & phy.idle),
        ]
        return m
