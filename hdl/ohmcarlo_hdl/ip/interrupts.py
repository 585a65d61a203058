"""Causes of the interrupt, and the end of a command as one of them."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

LATCHED = ("run_ended", "fault", "alarm", "data_error")
"""Causes that stay until software clears them, as in the register ``interrupt.clear``."""
WAITING = "record_waiting"
"""The cause that follows the ring."""
CAUSES = (LATCHED[0], WAITING, *LATCHED[1:])
"""All causes, in the order of ``interrupt.enable`` and ``interrupt.cause``."""


def flags(names: tuple[str, ...]) -> data.StructLayout:
    """One bit for each of ``names``."""
    return data.StructLayout(dict.fromkeys(names, unsigned(1)))


class CommandEnd(wiring.Component):
    """Finds the end of a command: the controller has executed it, and its records are out.

    A command that is given before the end of the one before shares its end.

    Attributes
    ----------
    executing : In(1)
        A command is executed, or is given in this clock.
    pending : In(1)
        A record, or a part of one, has not reached the ring or the stream yet.
    active : Out(1)
        A command has not ended.
    ended : Out(1)
        The command has ended; high for one clock.
    """

    def __init__(self) -> None:
        super().__init__({"executing": In(1), "pending": In(1), "active": Out(1), "ended": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        begun = Signal()
        m.d.comb += [
            self.active.eq(begun | self.executing),
            self.ended.eq(begun & ~self.executing & ~self.pending),
        ]
        with m.If(self.executing):
            m.d.sync += begun.eq(1)
        with m.Elif(self.ended):
            m.d.sync += begun.eq(0)
        return m


class Interrupts(wiring.Component):
    """Cause bits, and the interrupt line as a register.

    A latched cause is set by its event and cleared by its bit of ``clear``. An event in the clock
    of its clear is kept. ``irq`` shows the effect of an access to the registers, and of the ring,
    within ``Bus.LATENCY`` clocks of its strobe, before a bus answers the access.

    Attributes
    ----------
    events : In(flags(LATCHED))
        Each bit is high for one clock per event.
    waiting : In(1)
        Enough words are in the ring.
    enable : In(flags(CAUSES))
        Causes that raise the line.
    clear : In(flags(LATCHED))
        Causes to clear.
    cause : Out(flags(CAUSES))
        Causes that are set.
    irq : Out(1)
        An enabled cause was set in the clock before.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "events": In(flags(LATCHED)),
                "waiting": In(1),
                "enable": In(flags(CAUSES)),
                "clear": In(flags(LATCHED)),
                "cause": Out(flags(CAUSES)),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name in LATCHED:
            m.d.sync += self.cause[name].eq(
                self.events[name] | (self.cause[name] & ~self.clear[name])
            )
        m.d.sync += [
            self.cause[WAITING].eq(self.waiting),
            self.irq.eq((self.cause.as_value() & self.enable.as_value()).any()),
        ]
        return m
