"""The proposal: target and DAC code of each device."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory

from ohmcarlo.spec import (
    DAC_BITS,
    DAC_MAX,
    SEGMENT_FRAC,
    SEGMENTS,
    TARGET_FRAC,
    TRIM_GAIN_BITS,
    TRIM_GAIN_FRAC,
    TRIM_OFFSET_BITS,
)

from ..config import CoreConfig
from ..lib.arith import clip
from ..lib.pipeline import CreditFifo, delayed
from ..lib.table import SegmentTable
from .interface import Kind, ProposalPorts, device_order, device_target
from .target import Target

DAC_NODE_BITS = DAC_BITS + 2
"""Signed width of a node of the DAC table, 0 to 2**DAC_BITS, and of the step between two."""

DEVICE_CALIBRATION = data.StructLayout(
    {
        "offset": signed(TRIM_OFFSET_BITS),
        "gain": signed(TRIM_GAIN_BITS),
        "centre": unsigned(DAC_BITS),
    }
)
"""One device's word of the calibration window: trim (codes; LSB 2**-TRIM_GAIN_FRAC) and centre."""


class Proposal(wiring.Component):
    """From an order to the DAC code of its device: target, the device's trim, the common table.

    One order per clock, in order; a target is offered ``LATENCY`` clocks after its order was taken.
    Orders without a device (RESET, SELECT) pass in their turn, with ``dac`` and ``centre`` 0.
    Registers and tables must not change while orders are inside.

    ``mid`` is the common centre, and the pivot of the trims. ``load_calibration`` has a word of
    ``DEVICE_CALIBRATION`` for each device, at ``row * 2**config.device_bits + device``;
    ``load_dac`` has the nodes of the DAC table, as in ``SegmentTable``.

    Twin: ``ohmcarlo.golden.proposal.propose`` and ``propose_coin``.

    Attributes
    ----------
    orders, targets, rho, mid, lo, hi : ProposalPorts
    trim_enable, centre_enable, load_dac, load_calibration : ProposalPorts
        As in ``ProposalPorts``.
    """

    LATENCY = 2 + Target.LATENCY + 2 + SegmentTable.LATENCY

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(ProposalPorts(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        layout = device_target(self.config)
        m.submodules.landing = landing = CreditFifo(layout, 1 << self.LATENCY.bit_length())
        wiring.connect(m, landing.output, wiring.flipped(self.targets))
        enter = self.orders.valid & self.orders.ready
        m.d.comb += [self.orders.ready.eq(landing.room), landing.enter.eq(enter)]
        # Names count clocks since the order was taken. The memory is large, and its block RAMs are
        # far apart, so a register follows it.
        order_1 = delayed(m, self.orders.payload, 1, "order")
        order_2 = delayed(m, order_1, 1, "order_next")
        offset_2, gain_2, own_centre_2 = self._calibration(m)

        # 3 to 5: the target; the select of the centre is ready when the memory answers
        sample_1 = (order_1.kind == Kind.WALK) | (order_1.kind == Kind.COLD)
        device_1 = sample_1 | (order_1.kind == Kind.COIN)
        device_2 = delayed(m, device_1, 1, "device")
        own_2 = delayed(m, sample_1 & self.centre_enable, 1, "own")
        common_2 = delayed(m, Mux(device_1, self.mid, 0), 1, "common")
        centre_2 = Signal(DAC_BITS)
        m.d.comb += centre_2.eq(Mux(own_2, own_centre_2, common_2))
        m.submodules.target = target = Target()
        m.d.comb += [
            target.code.eq(order_2.code),
            target.centre.eq(centre_2),
            target.walk.eq(order_2.kind == Kind.WALK),
            target.rho.eq(self.rho),
            target.lo.eq(self.lo),
            target.hi.eq(self.hi),
        ]
        trim = Mux(self.trim_enable, Cat(offset_2, gain_2), 0)
        trim_5 = delayed(m, trim, target.LATENCY, "trim")
        offset_5 = trim_5[:TRIM_OFFSET_BITS].as_signed()
        gain_6 = delayed(m, trim_5[TRIM_OFFSET_BITS:], 1, "gain").as_signed()

        # 6, 7: the trim
        spread_6 = Signal(signed(DAC_BITS + 1), reset_less=True)
        base_6 = Signal(signed(max(DAC_BITS, TRIM_OFFSET_BITS + TARGET_FRAC) + 2), reset_less=True)
        turned_7 = Signal(signed(DAC_BITS + 1 + TRIM_GAIN_BITS), reset_less=True)
        base_7 = delayed(m, base_6, 1, "base")
        m.d.sync += [
            spread_6.eq(target.target - self.mid),
            base_6.eq(target.target + (offset_5 << TARGET_FRAC)),
            turned_7.eq(spread_6 * gain_6),
        ]
        half = Const(1 << (TRIM_GAIN_FRAC - 1), TRIM_GAIN_FRAC)
        trimmed_7 = (Cat(half, base_7).as_signed() + turned_7) >> TRIM_GAIN_FRAC

        # the table
        m.submodules.dac = dac = SegmentTable(
            SEGMENTS, SEGMENT_FRAC, DAC_NODE_BITS, DAC_NODE_BITS, readable=True
        )
        wiring.connect(m, dac.load, wiring.flipped(self.load_dac))
        m.d.comb += Cat(dac.fraction, dac.index).eq(clip(trimmed_7, 0, DAC_MAX))

        later = self.LATENCY - 2
        order = delayed(m, order_2, later, "order_late")
        programs = delayed(m, device_2, later, "device_late")
        m.d.comb += [
            landing.arrived.eq(delayed(m, enter, self.LATENCY, "valid", reset=True)),
            landing.payload.dac.eq(Mux(programs, clip(dac.value, 0, DAC_MAX), 0)),
            landing.payload.centre.eq(delayed(m, centre_2, later, "centre")),
        ]
        for name, _ in device_order(self.config):
            m.d.comb += landing.payload[name].eq(order[name])
        return m

    def _calibration(self, m: Module) -> tuple[Any, Any, Any]:
        """Offset, gain and centre of the device on offer, two clocks later."""
        if not self.config.device_calibration:
            return Const(0, signed(TRIM_OFFSET_BITS)), Const(0, signed(TRIM_GAIN_BITS)), self.mid
        order, load = self.orders.payload, self.load_calibration
        m.submodules.calibration = memory = Memory(
            shape=DEVICE_CALIBRATION,
            depth=self.config.geometry.rows << self.config.device_bits,
            init=[],
        )
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.addr.eq(load.addr),
            write.data.eq(load.data),
            write.en.eq(load.stb),
            read.addr.eq(Cat(order.device, order.row)),
        ]
        held = Signal(DEVICE_CALIBRATION, reset_less=True)
        m.d.sync += held.eq(read.data)
        return held.offset, held.gain, held.centre
