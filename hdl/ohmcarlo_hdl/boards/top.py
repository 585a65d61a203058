"""The top of a board: clock, reset, serial link and lights around the design."""

from __future__ import annotations

from typing import Any, NamedTuple

from amaranth import Cat, ClockDomain, ClockSignal, Module, Signal
from amaranth.hdl import DomainRenamer
from amaranth.lib import io, wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import In, Out

from ohmcarlo.errors import UsageError

from .board import Board
from .daughterboard import connect_daughterboard
from .pll import PllSettings

BLINK_BITS = 26
"""Width of the counter whose highest bit blinks the light "alive", once or twice per second."""


class Payload(NamedTuple):
    """The design that is placed on a board.

    Attributes
    ----------
    design : component
        With ports ``rx`` and ``tx``, and clock domains ``sync`` and, perhaps, ``core``.
    busy, fault : value
        One bit each, for the lights.
    pins : interface or None
        Wires to a daughterboard (``pins_signature`` of array/phy/pins.py), if the design has any.
    """

    design: Any
    busy: Any
    fault: Any
    pins: Any = None


class Loopback(wiring.Component):
    """A design with the same pins that echoes the serial line, for tests of a board.

    Attributes
    ----------
    rx : In(1)
        Serial line from the host.
    tx : Out(1)
        The same line, one clock later.
    """

    def __init__(self) -> None:
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.sync += self.tx.eq(self.rx)
        return m


class BoardTop(wiring.Component):
    """A design on a board. Its clock domains ``sync`` and ``core`` are one clock.

    Until the PLL is locked, the design is in reset, or has no clock if the PLL is gated. It is in
    reset while the reset button is pressed. The light "alive" blinks; "busy" and "fault" are those
    of ``Payload``.

    Parameters
    ----------
    board : Board
    settings : PllSettings
        Of the clock.
    payload : Payload
    """

    def __init__(self, board: Board, settings: PllSettings, payload: Payload) -> None:
        self.board, self.settings, self.payload = board, settings, payload
        super().__init__({})

    def elaborate(self, platform: Any) -> Module:
        m, board = Module(), self.board
        self._clock(m, platform)
        design, busy, fault, pins = self.payload
        m.submodules.design = DomainRenamer({"core": "sync"})(design)
        uart = platform.request(*board.uart, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [design.rx.eq(rx.i), tx.o.eq(design.tx)]
        if pins is not None:
            if board.header is None:
                raise UsageError(f"{board.title} has no headers for a daughterboard")
            connect_daughterboard(m, platform, board.header, pins)
        blink = Signal(BLINK_BITS)
        m.d.sync += blink.eq(blink + 1)
        lights = {"alive": blink[-1], "busy": busy, "fault": fault}
        for name, value in lights.items():
            resource = getattr(board, name)
            if resource is not None:
                m.submodules[name] = light = io.Buffer("o", _light(platform, *resource))
                m.d.comb += light.o.eq(value)
        return m

    def _clock(self, m: Module, platform: Any) -> None:
        clock_in = platform.request(platform.default_clk, dir="-")
        input_hz = round(platform.default_clk_frequency)
        primitive = self.board.flow.primitive
        m.submodules.pll = pll = primitive(self.settings, clock_in, input_hz)
        reasons = [] if pll.GATED else [~pll.locked]
        if self.board.reset is not None:
            button_port = platform.request(*self.board.reset, dir="-")
            m.submodules.reset_button = button = io.Buffer("i", button_port)
            reasons.append(button.i)
        m.domains.sync = ClockDomain(reset_less=not reasons)
        m.d.comb += ClockSignal().eq(pll.clk)
        if reasons:
            held = Signal()
            m.d.comb += held.eq(Cat(reasons).any())
            m.submodules.reset = ResetSynchronizer(held)


def _light(platform: Any, name: str, number: int) -> Any:
    """The port of a light; ``name.part`` for one colour of several."""
    whole, _, part = name.partition(".")
    port = platform.request(whole, number, dir="-")
    return getattr(port, part) if part else port
