"""Targets and DAC codes, with one bit-serial multiplier."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from ohmcarlo.errors import UsageError
from ohmcarlo.spec import (
    CODE_BITS,
    DAC_BITS,
    DAC_MAX,
    RHO_FRAC,
    SEGMENT_FRAC,
    SEGMENTS,
    TARGET_FRAC,
)

from ..config import CoreConfig
from ..core.interface import Kind, ProposalPorts, device_order
from ..core.proposal import DAC_NODE_BITS
from ..lib.arith import clip
from ..lib.multiplier import SerialMultiplier


class BitSerialProposal(wiring.Component):
    """``Proposal`` with one adder for both products: an order in some 50 clocks.

    An order is taken together with its target. Devices have no calibration of their own.

    Attributes
    ----------
    orders, targets, rho, mid, lo, hi : ProposalPorts
    trim_enable, centre_enable, load_dac : ProposalPorts
        As in ``ProposalPorts``.
    """

    def __init__(self, config: CoreConfig) -> None:
        if config.device_calibration:
            raise UsageError("a bit-serial proposal has no trims: set device_calibration = False")
        self.config = config
        super().__init__(ProposalPorts(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.multiplier = times = SerialMultiplier(DAC_NODE_BITS, RHO_FRAC + 2)
        m.submodules.table = table = Memory(
            shape=signed(DAC_NODE_BITS), depth=2 * SEGMENTS, init=[]
        )
        write, read = table.write_port(), table.read_port()
        m.d.comb += [
            write.en.eq(self.load_dac.stb),
            write.addr.eq(self.load_dac.addr),
            write.data.eq(self.load_dac.data),
        ]
        order: Any = self.orders.payload
        out: Any = self.targets.payload
        looks_up, second = Signal(), Signal()
        target = Signal(DAC_BITS)
        low = Signal(signed(DAC_NODE_BITS))
        is_device = Signal()
        away = (order.code << TARGET_FRAC) - self.mid
        m.d.comb += [
            is_device.eq((order.kind != Kind.RESET) & (order.kind != Kind.SELECT)),
            read.addr.eq(Cat(second, target[SEGMENT_FRAC:])),
            times.a.eq(Mux(looks_up, read.data, away)),
            times.b.eq(Mux(looks_up, target[:SEGMENT_FRAC], self.rho)),
            times.shift.eq(Mux(looks_up, SEGMENT_FRAC, RHO_FRAC)),
        ]
        rounded = Signal(signed(DAC_BITS + RHO_FRAC + CODE_BITS))
        m.d.comb += rounded.eq(
            times.rounded(Mux(looks_up, low, Cat(self.mid, Const(0, 1)).as_signed()))
        )
        with m.FSM(name="state") as fsm:
            m.d.comb += second.eq(~fsm.ongoing("LOW"))
            with m.State("IDLE"), m.If(self.orders.valid):
                m.d.sync += [looks_up.eq(0), target.eq(self.mid)]
                with m.If(~is_device):
                    m.next = "OFFER"
                with m.Elif(order.kind == Kind.WALK):
                    m.next = "BEGIN"
                with m.Else():
                    m.next = "LOW"
            with m.State("LOW"):
                m.d.sync += looks_up.eq(1)
                m.next = "STEP"
            with m.State("STEP"):
                m.d.sync += low.eq(read.data)
                m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += times.start.eq(1)
                m.next = "MULTIPLY"
            with m.State("MULTIPLY"), m.If(~times.busy):
                m.next = "OFFER"
                with m.If(~looks_up):
                    m.d.sync += target.eq(clip(rounded, self.lo, self.hi))
                    m.next = "LOW"
            with m.State("OFFER"):
                m.d.comb += [self.targets.valid.eq(1), self.orders.ready.eq(self.targets.ready)]
                with m.If(self.targets.ready):
                    m.next = "IDLE"
        m.d.comb += [
            out.dac.eq(Mux(is_device, clip(rounded, 0, DAC_MAX), 0)),
            out.centre.eq(Mux(is_device, self.mid, 0)),
        ]
        for name, _ in device_order(self.config):
            m.d.comb += out[name].eq(order[name])
        return m
