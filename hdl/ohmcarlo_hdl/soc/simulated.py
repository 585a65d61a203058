"""The tops of the simulated boards."""

from __future__ import annotations

from typing import Any

from amaranth import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .bit_serial import BitSerialBoard
from .soc import Soc


class SimulatedBoard(wiring.Component):
    """``Soc`` with its two clocks as ports, for a simulator. Power-up is its only reset.

    Its inputs are the clocks and ``rx``, which is registered. So the simulator evaluates the logic
    once per clock, after the edges, and logic of the controller depends on its own clock only.

    Attributes
    ----------
    clk : In(1)
        Clock of the processor.
    core_clk : In(1)
        Clock of the controller.
    rx : In(1)
        Serial line from the host.
    tx : Out(1)
        Serial line to the host.
    trap, idle, core_wanted : Out(1)
        As in ``Soc``.
    """

    def __init__(self, soc: Soc) -> None:
        self.soc = soc
        super().__init__(
            {
                "clk": In(1),
                "core_clk": In(1),
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "trap": Out(1),
                "idle": Out(1),
                "core_wanted": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.soc = soc = self.soc
        m.domains.sync = sync = ClockDomain(reset_less=True)
        m.domains.core = core = ClockDomain(reset_less=True)
        m.d.comb += [
            sync.clk.eq(self.clk),
            core.clk.eq(self.core_clk),
            soc.rx.eq(self.rx),
            self.tx.eq(soc.tx),
            self.trap.eq(soc.trap),
            self.idle.eq(soc.idle),
            self.core_wanted.eq(soc.core_wanted),
        ]
        return m


class SimulatedSmallBoard(wiring.Component):
    """``BitSerialBoard`` with its clock as a port, for a simulator. Power-up is its only reset.

    Attributes
    ----------
    clk : In(1)
        Clock.
    rx : In(1)
        Serial line from the host.
    tx : Out(1)
        Serial line to the host.
    idle : Out(1)
        No command is executed: the board only waits for bytes.
    """

    def __init__(self, board: BitSerialBoard) -> None:
        self.board = board
        super().__init__({"clk": In(1), "rx": In(1, init=1), "tx": Out(1, init=1), "idle": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.board = board = self.board
        m.domains.sync = sync = ClockDomain(reset_less=True)
        m.d.comb += [
            sync.clk.eq(self.clk),
            board.rx.eq(self.rx),
            self.tx.eq(board.tx),
            self.idle.eq(~board.busy),
        ]
        return m
