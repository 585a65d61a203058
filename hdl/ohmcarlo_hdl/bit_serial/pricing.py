"""The price of a proposal, with one bit-serial multiplier."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import enum, wiring
from amaranth.lib.memory import Memory
from amaranth.utils import bits_for

from ohmcarlo.spec import (
    CODE_BITS,
    COEF_BITS,
    DAC_BITS,
    DAC_MAX,
    RHO_FRAC,
    SEGMENT_FRAC,
    STUCK_Z,
    TARGET_FRAC,
    Z_FRAC,
)

from ..config import CoreConfig
from ..core.hastings import (
    INV_SIGMA_BITS,
    LOG_SIGMA_BITS,
    SEGMENT_INDEX_BITS,
    SQUARE_SHIFT,
    Z_BITS,
    Z_SHIFT,
)
from ..core.interface import ACC_BITS, PricingPorts
from ..lib.arith import clip, saturate
from ..lib.multiplier import SerialMultiplier

NODE_BITS = max(INV_SIGMA_BITS, LOG_SIGMA_BITS + 1)
"""Signed width of the tables' words: a node, or the step from one to the next."""


class Product(enum.Enum, shape=unsigned(3)):  # type: ignore[call-arg]
    """Operation of the multiplier."""

    MOVE = 0
    """Distance from the centre, times rho: the target."""
    TABLE = 1
    """Step of a table's segment, times the fraction."""
    DEVIATION = 2
    """Distance from the target, times 1/σ."""
    SQUARE = 3
    """The deviation's square."""
    DIFFERENCE = 4
    """Square of the difference of a pair's codes."""
    COMMON_MODE = 5
    """Square of the common mode of a pair's codes."""
    WEIGHT = 6
    """Sum of the differences' squares, times its coefficient."""
    COMMON = 7
    """Sum of the common modes' squares, times its coefficient."""


class BitSerialPricing(wiring.Component):
    """``Pricing`` with one adder for every product: a device in a few hundred clocks.

    A device is taken when its sums are complete. The price follows the last device, and must be
    taken before the next device is processed.

    Attributes
    ----------
    devices, price, rho, mid, lo, hi, valid_lo, valid_hi, hastings : PricingPorts
    weight_mantissa, weight_shift, common_mantissa, common_shift : PricingPorts
    load_inv_sigma, load_log_sigma : PricingPorts
        As in ``PricingPorts``.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(PricingPorts())

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        pairs = self.config.max_group_rows * self.config.max_features
        sum_bits = bits_for(pairs * (2 * DAC_MAX) ** 2)
        squares_bits = bits_for(2 * pairs << (2 * Z_BITS - 2))
        logs_bits = bits_for(4 * pairs << (LOG_SIGMA_BITS - 1)) + SQUARE_SHIFT
        value_bits = INV_SIGMA_BITS + 1
        away_bits = DAC_BITS + 2

        m.submodules.multiplier = times = SerialMultiplier(
            max(sum_bits + 1, value_bits), max(away_bits, Z_BITS, COEF_BITS + 1)
        )
        m.submodules.tables = tables = Memory(
            shape=signed(NODE_BITS), depth=4 << SEGMENT_INDEX_BITS, init=[]
        )
        write, read = tables.write_port(), tables.read_port()
        for number, load in enumerate((self.load_inv_sigma, self.load_log_sigma)):
            with m.If(load.stb):
                m.d.comb += [
                    write.en.eq(1),
                    write.addr.eq(Cat(load.addr, Const(number, 1))),
                    write.data.eq(load.data),
                ]

        device: Any = self.devices.payload
        price: Any = self.price.payload
        product = Signal(Product)
        back, logs, second = Signal(), Signal(), Signal()  # the way back, log σ, a segment's step
        target = Signal(DAC_BITS)
        value = Signal(signed(value_bits))  # from a table, then the deviation
        plus = Signal(CODE_BITS)
        # sums of squares: the next one to be added to, and the other
        first_sum, second_sum = Signal(sum_bits), Signal(sum_bits)
        # squares and logs together; the half that rounds them is there from the beginning
        half = 1 << (SQUARE_SHIFT - 1)
        ratio = Signal(signed(2 + max(squares_bits, logs_bits)), init=half)
        prior = Signal(signed(ACC_BITS + 3))

        moved = Signal(signed(DAC_BITS + 1))
        missed = Signal(signed(DAC_BITS + 1))
        difference = Signal(signed(CODE_BITS + 1))
        common_mode = Signal(signed(away_bits))
        m.d.comb += [
            moved.eq((Mux(back, device.new, device.old) << TARGET_FRAC) - device.centre),
            missed.eq((Mux(back, device.old, device.new) << TARGET_FRAC) - target),
            difference.eq(plus - device.new),
            common_mode.eq(((plus + device.new) << TARGET_FRAC) - (self.mid << 1)),
            read.addr.eq(Cat(second, target[SEGMENT_FRAC:], logs)),
        ]
        with m.Switch(product):
            with m.Case(Product.MOVE):
                m.d.comb += [times.a.eq(moved), times.b.eq(self.rho), times.shift.eq(RHO_FRAC)]
            with m.Case(Product.TABLE):
                m.d.comb += [
                    times.a.eq(read.data),
                    times.b.eq(target[:SEGMENT_FRAC]),
                    times.shift.eq(SEGMENT_FRAC),
                ]
            with m.Case(Product.DEVIATION):
                m.d.comb += [times.a.eq(value), times.b.eq(missed), times.shift.eq(Z_SHIFT)]
            with m.Case(Product.SQUARE):
                m.d.comb += [times.a.eq(value), times.b.eq(value[:Z_BITS].as_signed())]
            with m.Case(Product.DIFFERENCE):
                m.d.comb += [times.a.eq(difference), times.b.eq(difference)]
            with m.Case(Product.COMMON_MODE):
                m.d.comb += [times.a.eq(common_mode), times.b.eq(common_mode)]
            with m.Case(Product.WEIGHT):
                m.d.comb += [
                    times.a.eq(first_sum),
                    times.b.eq(self.weight_mantissa),
                    times.shift.eq(self.weight_shift),
                ]
            with m.Case(Product.COMMON):
                m.d.comb += [
                    times.a.eq(first_sum),
                    times.b.eq(self.common_mantissa),
                    times.shift.eq(self.common_shift),
                ]

        # what is added to a rounded product
        base = Signal(signed(value_bits))
        with m.Switch(product):
            with m.Case(Product.MOVE):
                m.d.comb += base.eq(device.centre)
            with m.Case(Product.TABLE):
                m.d.comb += base.eq(value)
        rounded = Signal(signed(ACC_BITS + 2))  # more bits only mean ``beyond``
        m.d.comb += rounded.eq(times.rounded(base))

        term = Signal.like(ratio)
        m.d.comb += term.eq(Mux(product == Product.SQUARE, times.value, value << SQUARE_SHIFT))
        # one adder: the way back is taken off
        taken_off = term.as_unsigned() ^ back.replicate(len(term))
        ratio_after = (Cat(back, ratio).as_signed() + Cat(back, taken_off).as_signed()) >> 1
        beyond = times.value[ACC_BITS:].any()
        # 2**ACC_BITS saturates for any value of the other part
        part = Mux(beyond, 1 << ACC_BITS, rounded[: ACC_BITS + 1])
        limit = STUCK_Z << Z_FRAC
        invalid = (device.new < self.valid_lo) | (device.new > self.valid_hi)

        with m.FSM(name="state") as fsm:
            m.d.comb += second.eq(~fsm.ongoing("LOW"))
            with m.State("IDLE"), m.If(self.devices.valid):
                m.d.sync += [product.eq(Product.MOVE), back.eq(0)]
                m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += times.start.eq(1)
                m.next = "MULTIPLY"
            with m.State("LOW"):
                m.next = "STEP"
            with m.State("STEP"):
                m.d.sync += [value.eq(read.data), product.eq(Product.TABLE)]
                m.next = "BEGIN"
            with m.State("MULTIPLY"), m.If(~times.busy):
                m.next = "BEGIN"
                with m.Switch(product):
                    with m.Case(Product.MOVE):
                        m.d.sync += [target.eq(clip(rounded, self.lo, self.hi)), logs.eq(0)]
                        m.next = "LOW"
                    with m.Case(Product.TABLE):
                        m.d.sync += [value.eq(rounded), product.eq(Product.DEVIATION)]
                        with m.If(logs):
                            m.next = "LOG"
                    with m.Case(Product.DEVIATION):
                        m.d.sync += [
                            value.eq(saturate(rounded, Z_BITS)),
                            product.eq(Product.SQUARE),
                        ]
                    with m.Case(Product.SQUARE):
                        m.d.sync += [ratio.eq(ratio_after), logs.eq(1)]
                        with m.If(~back & invalid & ((value > limit) | (value < -limit))):
                            m.d.sync += price.stuck.eq(1)
                        m.next = "LOW"
                    with m.Case(Product.DIFFERENCE):
                        m.d.sync += [
                            first_sum.eq(second_sum),
                            second_sum.eq(first_sum + times.value),
                            product.eq(Product.COMMON_MODE),
                        ]
                    with m.Case(Product.COMMON_MODE):
                        m.d.sync += [
                            first_sum.eq(second_sum),
                            second_sum.eq(first_sum + times.value),
                            product.eq(Product.WEIGHT),
                            prior.eq(0),
                        ]
                        m.d.comb += self.devices.ready.eq(1)
                        with m.If(~device.last):
                            m.next = "IDLE"
                    with m.Case(Product.WEIGHT):
                        m.d.sync += [
                            prior.eq(prior - part),
                            first_sum.eq(second_sum),
                            second_sum.eq(0),
                            product.eq(Product.COMMON),
                        ]
                    with m.Case(Product.COMMON):
                        m.d.sync += [prior.eq(prior - part), first_sum.eq(0)]
                        m.next = "PRICE"
            with m.State("LOG"):
                m.d.sync += [ratio.eq(ratio_after), product.eq(Product.MOVE), back.eq(1)]
                m.next = "BEGIN"
                with m.If(back):
                    m.d.sync += product.eq(Product.DIFFERENCE)
                    with m.If(~device.odd):
                        m.d.sync += plus.eq(device.new)
                        m.d.comb += self.devices.ready.eq(1)
                        m.next = "IDLE"
            with m.State("PRICE"):
                m.d.comb += self.price.valid.eq(1)
                with m.If(self.price.ready):
                    m.d.sync += [ratio.eq(half), price.stuck.eq(0)]
                    m.next = "IDLE"
        m.d.comb += [
            price.prior.eq(saturate(prior, ACC_BITS)),
            price.hastings.eq(Mux(self.hastings, saturate(ratio >> SQUARE_SHIFT, ACC_BITS), 0)),
        ]
        return m
