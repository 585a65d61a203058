"""Rails: channels of the DAC, with a frame for each channel that changes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..interface import Op
from .parts import DAC, PhyTiming, clocks, half_period
from .shift import Shifter


class Channel(IntEnum):
    """Channels of the DAC, A to H. Each operation has its own rails, so that a new operation
    changes no channel."""

    GATE_PROGRAM = 0
    """Gate in SET and FORM: compliance; the request's code."""
    GATE_RESET = 1
    GATE_READ = 2
    """Gate in READ and DOT."""
    BIT_LINE_FORM = 3
    BIT_LINE_SET = 4
    SOURCE_LINE_RESET = 5
    BIT_LINE_READ = 6
    """Read voltage above the virtual ground; the board mirrors it below for g⁻ and signs."""
    VIRTUAL_GROUND = 7


USED: Mapping[Any, tuple[Channel, ...]] = {
    Op.FORM: (Channel.GATE_PROGRAM, Channel.BIT_LINE_FORM),
    Op.RESET: (Channel.GATE_RESET, Channel.SOURCE_LINE_RESET),
    Op.SET: (Channel.GATE_PROGRAM, Channel.BIT_LINE_SET),
    Op.READ: (Channel.GATE_READ, Channel.BIT_LINE_READ, Channel.VIRTUAL_GROUND),
    Op.DOT: (Channel.GATE_READ, Channel.BIT_LINE_READ, Channel.VIRTUAL_GROUND),
}
"""Channels that an operation's pulse connects to the array."""

COMMAND_WRITE, COMMAND_RESET, COMMAND_REFERENCE = 0b0011, 0b0111, 0b1000
"""Write a channel and update it; software reset; set up the internal reference (DB0: on)."""


def phy_voltages() -> data.StructLayout:
    """Quasi-static DAC codes of all rails but the programming gate's, by channel."""
    names = [channel.name.lower() for channel in Channel if channel != Channel.GATE_PROGRAM]
    return data.StructLayout(dict.fromkeys(names, unsigned(DAC.code_bits)))


class Rails(wiring.Component):
    """Keeps channels of the DAC at ``codes``.

    After ``power_up_ns`` the DAC is reset and its reference switched on. From then on, while ``go``
    is high, a frame is sent for each channel that is needed and has another code. Other channels
    keep their codes.

    Attributes
    ----------
    codes : In(data.ArrayLayout(DAC.code_bits, DAC.channels))
        Code of each channel.
    need : In(DAC.channels)
        Channels that the operation uses.
    go : In(1)
        A frame may start.
    forget : In(1)
        All codes are unknown from now on.
    settled : Out(1)
        All needed channels have been at their codes for the settling time.
    up : Out(1)
        The DAC is set up.
    busy : Out(1)
        A frame is being sent, or the DAC is not set up.
    sclk : Out(1)
        SCLK of the DAC.
    din : Out(1)
        DIN of the DAC.
    sync_n : Out(1)
        SYNC of the DAC.
    """

    def __init__(self, timing: PhyTiming, clock_hz: int) -> None:
        self.settle = clocks(timing.dac_settle_ns, clock_hz)
        self.power_up = clocks(timing.power_up_ns, clock_hz)
        self.reference = clocks(timing.reference_ns, clock_hz)
        self.shifter = Shifter(
            DAC.frame_bits,
            half_period(timing.dac_sclk_ns, clock_hz),
            clocks(timing.dac_select_high_ns, clock_hz),
            falling=True,
        )
        super().__init__(
            {
                "codes": In(data.ArrayLayout(DAC.code_bits, DAC.channels)),
                "need": In(DAC.channels),
                "go": In(1),
                "forget": In(1),
                "settled": Out(1),
                "up": Out(1),
                "busy": Out(1),
                "sclk": Out(1),
                "din": Out(1),
                "sync_n": Out(1, init=1),
            }
        )
        # The state is on the object for the proofs.
        self.known = Signal(DAC.channels)
        self.sending = Signal(DAC.channels)
        longest = max(self.settle, self.power_up, self.reference)
        self.wait = Signal(bits_for(longest), init=self.power_up)
        self.sent = Signal(data.ArrayLayout(DAC.code_bits, DAC.channels))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.shifter = shifter = self.shifter
        known, wait = self.known, self.wait
        differs = Signal(DAC.channels)
        chosen = Signal(range(DAC.channels))
        code = Signal(DAC.code_bits)
        for i in range(DAC.channels):
            same = known[i] & (self.sent[i] == self.codes[i])
            m.d.comb += differs[i].eq(self.need[i] & ~same)
        for i in reversed(range(DAC.channels)):
            with m.If(differs[i]):
                m.d.comb += [chosen.eq(i), code.eq(self.codes[i])]

        begins = Signal(2)  # set-up frames that were sent
        starts, start = Signal(), Signal()
        sending = self.sending
        tail = DAC.frame_bits - 12 - DAC.code_bits
        m.d.comb += [
            starts.eq(~self.up & (begins != 2) & (wait == 0) & ~shifter.busy),
            start.eq(self.up & self.go & differs.any() & ~shifter.busy),
            shifter.start.eq(starts | start),
            self.settled.eq(self.up & ~differs.any() & ~shifter.busy & (wait == 0)),
            self.busy.eq(shifter.busy | ~self.up),
            self.sclk.eq(shifter.clock),
            self.din.eq(shifter.data),
            self.sync_n.eq(~shifter.frame),
        ]
        with m.If(self.up):
            m.d.comb += shifter.word.eq(
                Cat(Const(0, tail), code, chosen, Const(0, 1), Const(COMMAND_WRITE, 8))
            )
        with m.Elif(begins == 0):
            m.d.comb += shifter.word.eq(COMMAND_RESET << 24)
        with m.Else():
            m.d.comb += shifter.word.eq(COMMAND_REFERENCE << 24 | 1)

        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(starts):
            m.d.sync += begins.eq(begins + 1)
        with m.If(~self.up & (begins == 2) & (wait == 0) & ~shifter.busy):
            m.d.sync += self.up.eq(1)
        with m.If(start):
            for i in range(DAC.channels):
                with m.If(chosen == i):
                    m.d.sync += [self.sent[i].eq(code), known[i].eq(0), sending.eq(1 << i)]
        with m.If(shifter.done):
            m.d.sync += [
                known.eq(known | sending),
                sending.eq(0),
                wait.eq(Mux(self.up, self.settle, self.reference)),
            ]
        with m.If(self.forget):
            m.d.sync += [known.eq(0), sending.eq(0)]
        return m
