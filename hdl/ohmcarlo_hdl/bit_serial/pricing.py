"""The price of a proposal, with one bit-serial multiplier."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.hdl import ValueLike
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
        super().__init__(PricingPorts(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        device: Any = self.devices.payload
        price: Any = self.price.payload
        products = _Products(m, self)
        times, product = products.times, products.product
        with m.FSM(name="state") as fsm:
            m.d.comb += products.second.eq(~fsm.ongoing("LOW"))
            with m.State("IDLE"), m.If(self.devices.valid):
                m.d.sync += [product.eq(Product.MOVE), products.back.eq(0)]
                m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += times.start.eq(1)
                m.next = "MULTIPLY"
            with m.State("LOW"):
                m.next = "STEP"
            with m.State("STEP"):
                m.d.sync += [products.value.eq(products.read.data), product.eq(Product.TABLE)]
                m.next = "BEGIN"
            with m.State("MULTIPLY"), m.If(~times.busy):
                m.next = "BEGIN"
                with m.Switch(product):
                    products.hastings_cases(m, self)
                    products.prior_cases(m, self)
            with m.State("LOG"):
                m.d.sync += [
                    products.ratio.eq(products.ratio_after),
                    product.eq(Product.MOVE),
                    products.back.eq(1),
                ]
                m.next = "BEGIN"
                with m.If(products.back):
                    m.d.sync += product.eq(Product.DIFFERENCE)
                    with m.If(~device.odd):
                        m.d.sync += products.plus.eq(device.new)
                        m.d.comb += self.devices.ready.eq(1)
                        m.next = "IDLE"
            with m.State("PRICE"):
                m.d.comb += self.price.valid.eq(1)
                with m.If(self.price.ready):
                    m.d.sync += [products.ratio.eq(HALF), price.stuck.eq(0)]
                    m.next = "IDLE"
        ratio = saturate(products.ratio >> SQUARE_SHIFT, ACC_BITS)
        m.d.comb += [
            price.prior.eq(saturate(products.prior, ACC_BITS)),
            price.hastings.eq(Mux(self.hastings, ratio, 0)),
        ]
        return m


HALF = 1 << (SQUARE_SHIFT - 1)
"""Rounds the Hastings term; the sum begins with it."""


class _Products:
    """The multiplier, the tables, and the sums of a proposal."""

    def __init__(self, m: Module, block: BitSerialPricing) -> None:
        config = block.config
        pairs = config.max_group_rows * config.max_features
        sum_bits = bits_for(pairs * (2 * DAC_MAX) ** 2)
        squares_bits = bits_for(2 * pairs << (2 * Z_BITS - 2))
        logs_bits = bits_for(4 * pairs << (LOG_SIGMA_BITS - 1)) + SQUARE_SHIFT
        value_bits = INV_SIGMA_BITS + 1
        away_bits = DAC_BITS + 2
        m.submodules.multiplier = self.times = SerialMultiplier(
            max(sum_bits + 1, value_bits), max(away_bits, Z_BITS, COEF_BITS + 1)
        )
        self.product: Any = Signal(Product)
        self.back = Signal()  # the way back
        self.logs = Signal()  # log σ is looked up
        self.second = Signal()  # the step of a segment is read
        self.target = Signal(DAC_BITS)
        self.value = Signal(signed(value_bits))  # from a table, then the deviation
        self.plus = Signal(CODE_BITS)
        # sums of squares: the next one to be added to, and the other
        self.first_sum = Signal(sum_bits)
        self.second_sum = Signal(sum_bits)
        # squares and logs together
        self.ratio = Signal(signed(2 + max(squares_bits, logs_bits)), init=HALF)
        self.prior = Signal(signed(ACC_BITS + 3))
        self._tables(m, block)
        self._operands(m, block, away_bits)
        self._results(m, block.devices.payload)

    def _tables(self, m: Module, block: BitSerialPricing) -> None:
        """Tables of 1/σ and log σ, in one memory."""
        m.submodules.tables = tables = Memory(
            shape=signed(NODE_BITS), depth=4 << SEGMENT_INDEX_BITS, init=[]
        )
        write, read = tables.write_port(), tables.read_port()
        for number, load in enumerate((block.load_inv_sigma, block.load_log_sigma)):
            with m.If(load.stb):
                m.d.comb += [
                    write.en.eq(1),
                    write.addr.eq(Cat(load.addr, Const(number, 1))),
                    write.data.eq(load.data),
                ]
        m.d.comb += read.addr.eq(Cat(self.second, self.target[SEGMENT_FRAC:], self.logs))
        self.read = read

    def _operands(self, m: Module, block: BitSerialPricing, away_bits: int) -> None:
        """Factors of each product, and its shift (None: 0)."""
        device: Any = block.devices.payload
        back, plus, times = self.back, self.plus, self.times
        moved = Signal(signed(DAC_BITS + 1))
        missed = Signal(signed(DAC_BITS + 1))
        difference = Signal(signed(CODE_BITS + 1))
        common_mode = Signal(signed(away_bits))
        m.d.comb += [
            moved.eq((Mux(back, device.new, device.old) << TARGET_FRAC) - device.centre),
            missed.eq((Mux(back, device.old, device.new) << TARGET_FRAC) - self.target),
            difference.eq(plus - device.new),
            common_mode.eq(((plus + device.new) << TARGET_FRAC) - (block.mid << 1)),
        ]
        factors: dict[Any, tuple[ValueLike, ValueLike, ValueLike | None]] = {
            Product.MOVE: (moved, block.rho, RHO_FRAC),
            Product.TABLE: (self.read.data, self.target[:SEGMENT_FRAC], SEGMENT_FRAC),
            Product.DEVIATION: (self.value, missed, Z_SHIFT),
            Product.SQUARE: (self.value, self.value[:Z_BITS].as_signed(), None),
            Product.DIFFERENCE: (difference, difference, None),
            Product.COMMON_MODE: (common_mode, common_mode, None),
            Product.WEIGHT: (self.first_sum, block.weight_mantissa, block.weight_shift),
            Product.COMMON: (self.first_sum, block.common_mantissa, block.common_shift),
        }
        with m.Switch(self.product):
            for product, (a, b, shift) in factors.items():
                with m.Case(product):
                    m.d.comb += [times.a.eq(a), times.b.eq(b)]
                    if shift is not None:
                        m.d.comb += times.shift.eq(shift)

    def _results(self, m: Module, device: Any) -> None:
        """The product with its addend, and the ratio with its next term."""
        times, product, back, value = self.times, self.product, self.back, self.value
        # addend of a rounded product
        base = Signal.like(value)
        with m.Switch(product):
            with m.Case(Product.MOVE):
                m.d.comb += base.eq(device.centre)
            with m.Case(Product.TABLE):
                m.d.comb += base.eq(value)
        self.rounded = Signal(signed(ACC_BITS + 2))  # more bits only set ``beyond``
        m.d.comb += self.rounded.eq(times.rounded(base))
        term = Signal.like(self.ratio)
        m.d.comb += term.eq(Mux(product == Product.SQUARE, times.value, value << SQUARE_SHIFT))
        # one adder: terms of the way back are subtracted
        signed_term = Cat(back, term.as_unsigned() ^ back.replicate(len(term))).as_signed()
        self.ratio_after = (Cat(back, self.ratio).as_signed() + signed_term) >> 1
        beyond = times.value[ACC_BITS:].any()
        # 2**ACC_BITS saturates for any value of the other part
        self.part = Mux(beyond, 1 << ACC_BITS, self.rounded[: ACC_BITS + 1])

    def hastings_cases(self, m: Module, block: BitSerialPricing) -> None:
        """Results of the products of the Hastings term."""
        device: Any = block.devices.payload
        price: Any = block.price.payload
        value, limit = self.value, STUCK_Z << Z_FRAC
        with m.Case(Product.MOVE):
            m.d.sync += [
                self.target.eq(clip(self.rounded, block.lo, block.hi)),
                self.logs.eq(0),
            ]
            m.next = "LOW"
        with m.Case(Product.TABLE):
            m.d.sync += [value.eq(self.rounded), self.product.eq(Product.DEVIATION)]
            with m.If(self.logs):
                m.next = "LOG"
        with m.Case(Product.DEVIATION):
            m.d.sync += [
                value.eq(saturate(self.rounded, Z_BITS)),
                self.product.eq(Product.SQUARE),
            ]
        with m.Case(Product.SQUARE):
            m.d.sync += [self.ratio.eq(self.ratio_after), self.logs.eq(1)]
            invalid = (device.new < block.valid_lo) | (device.new > block.valid_hi)
            with m.If(~self.back & invalid & ((value > limit) | (value < -limit))):
                m.d.sync += price.stuck.eq(1)
            m.next = "LOW"

    def prior_cases(self, m: Module, block: BitSerialPricing) -> None:
        """Results of the products of the prior."""
        next_sum = self.first_sum + self.times.value
        with m.Case(Product.DIFFERENCE):
            m.d.sync += [
                self.first_sum.eq(self.second_sum),
                self.second_sum.eq(next_sum),
                self.product.eq(Product.COMMON_MODE),
            ]
        with m.Case(Product.COMMON_MODE):
            m.d.sync += [
                self.first_sum.eq(self.second_sum),
                self.second_sum.eq(next_sum),
                self.product.eq(Product.WEIGHT),
                self.prior.eq(0),
            ]
            m.d.comb += block.devices.ready.eq(1)
            with m.If(~block.devices.payload.last):
                m.next = "IDLE"
        with m.Case(Product.WEIGHT):
            m.d.sync += [
                self.prior.eq(self.prior - self.part),
                self.first_sum.eq(self.second_sum),
                self.second_sum.eq(0),
                self.product.eq(Product.COMMON),
            ]
        with m.Case(Product.COMMON):
            m.d.sync += [self.prior.eq(self.prior - self.part), self.first_sum.eq(0)]
            m.next = "PRICE"
