"""The emulated array with one adder for its arithmetic and one for its dot products."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ohmcarlo.errors import UsageError
from ohmcarlo.spec import (
    CODE_BITS,
    CODE_MAX,
    GAUSS_FRAC,
    GAUSS_INTERP_BITS,
    GAUSS_SUB_BITS,
    HRS_CODE,
    MEDIAN_FRAC,
    MEDIAN_SEGMENT_SHIFT,
    SEGMENT_BITS,
    SEGMENT_FRAC,
    SIGMA_FRAC,
    gauss_table,
)

from ..array.gauss import NORMAL_BITS, TAIL_BITS, TOP_SHIFT
from ..array.interface import Op, array_request, array_response
from ..array.pulse import MEDIAN_BITS, SIGMA_BITS, SIGMA_STEP_BITS
from ..config import CoreConfig
from ..lib.arith import clip
from ..lib.multiplier import SerialMultiplier
from ..lib.window import Window
from .threefry import SerialThreefry

PULSE_BITS = 32
"""Width of the number of a SET pulse."""
NODE_BITS = max(MEDIAN_BITS, SIGMA_BITS, SIGMA_STEP_BITS) + 1


class Product(enum.Enum, shape=unsigned(2)):  # type: ignore[call-arg]
    """Operation of the multiplier, in the order of a pulse."""

    NORMAL = 0
    """Step of a segment of the normal's table, times the fraction."""
    MEDIAN = 1
    """The same of the median's table."""
    SIGMA = 2
    """The same of the spread's."""
    SPREAD = 3
    """The spread, times the normal."""


class BitSerialEmulator(wiring.Component):
    """``Emulator`` of uniform devices: no spread between devices, no stuck devices, no ageing.

    An operation is accepted at its end: a SET takes some 600 clocks, a DOT and a RESET take one
    clock for each device of the row. The row's inputs are on or off (``access_bits`` = 1), in one
    tile, and the converter has full resolution. Pulses are counted with PULSE_BITS bits. Key and
    tables are stable while the array is not ``idle``.

    Twin: ``ohmcarlo.array.EmulatedArray``.

    Attributes
    ----------
    requests : In(stream of array_request)
        Operations.
    responses : Out(stream of array_response)
        Readings, in the order of the requests.
    load_median, load_sigma : In(Window)
        Nodes of the tables of median and spread.
    key0, key1 : In(32)
        Key of the generator.
    first_pulse : In(PULSE_BITS)
        Number of the next SET pulse after ``restart``.
    restart : In(1)
        Set the pulse counter.
    pulses : Out(PULSE_BITS)
        Number of the next SET pulse.
    idle : Out(1)
        No operation is in progress.
    """

    def __init__(self, config: CoreConfig) -> None:
        geometry = config.geometry
        if config.access_bits != 1 or config.tiles > 1 or geometry.dot_bits:
            raise UsageError(
                "a bit-serial emulator has inputs of one bit, one tile and a full converter: set "
                "access_bits = 1, tile_pairs = 0 and dot_bits = 0"
            )
        self.config = config
        super().__init__(
            {
                "requests": In(stream.Signature(array_request(config))),
                "responses": Out(stream.Signature(array_response(config))),
                "load_median": In(Window(1 + SEGMENT_BITS)),
                "load_sigma": In(Window(1 + SEGMENT_BITS)),
                "key0": In(32),
                "key1": In(32),
                "first_pulse": In(PULSE_BITS),
                "restart": In(1),
                "pulses": Out(PULSE_BITS),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        request: Any = self.requests.payload
        m.submodules.codes = codes = Memory(
            shape=unsigned(CODE_BITS),
            depth=config.geometry.rows << config.device_bits,
            init=[HRS_CODE] * (config.geometry.rows << config.device_bits),
        )
        code_write, code_read = codes.write_port(), codes.read_port()
        pulse = _Pulse(m, self)
        row = _Row(config, request)
        address = Cat(row.device, request.row)
        is_reset = request.op == Op.RESET
        m.d.comb += [
            code_read.addr.eq(address),
            code_write.addr.eq(address),
            code_write.data.eq(Mux(is_reset, HRS_CODE, clip(pulse.drawn, 0, CODE_MAX))),
            self.responses.payload.value.eq(row.reading),
        ]
        m.d.sync += row.before.eq(row.device)
        with m.FSM(name="state") as fsm:
            m.d.comb += [
                pulse.second.eq(~fsm.ongoing("LOW")),
                self.idle.eq(fsm.ongoing("IDLE") & ~self.requests.valid),
            ]
            self._begin(m, pulse, row)
            with m.State("RESET"):
                m.d.comb += code_write.en.eq(1)
                m.d.sync += row.device.eq(row.device + 1)
                with m.If(row.device == row.last):
                    m.next = "DONE"
            pulse.states(m, code_write)
            row.states(m, code_read.data)
            with m.State("DONE"):
                m.d.comb += self.requests.ready.eq(1)
                m.next = "IDLE"
                with m.If((request.op == Op.READ) | (request.op == Op.DOT)):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += self.responses.valid.eq(1)
                with m.If(self.responses.ready):
                    m.next = "IDLE"
        with m.If(self.restart):
            m.d.sync += self.pulses.eq(self.first_pulse)
        return m

    def _begin(self, m: Module, pulse: _Pulse, row: _Row) -> None:
        """An operation begins."""
        request: Any = self.requests.payload
        with m.State("IDLE"):
            m.d.sync += [row.device.eq(0), row.reading.eq(0), row.summed.eq(0)]
            with m.If(self.requests.valid & ~self.restart), m.Switch(request.op):
                with m.Case(Op.RESET):
                    m.next = "RESET"
                with m.Case(Op.SET):
                    m.d.sync += row.device.eq(request.device)
                    m.d.comb += pulse.threefry.input.valid.eq(1)
                    m.next = "WORD"
                with m.Case(Op.READ):
                    m.d.sync += row.device.eq(request.device)
                    m.next = "READ"
                with m.Case(Op.DOT):
                    m.next = "DOT"
                with m.Default():
                    m.next = "DONE"


class _Row:
    """The devices of a row, one after the other: READ and DOT."""

    def __init__(self, config: CoreConfig, request: Any) -> None:
        self.device = Signal(config.device_bits)
        self.last = 2 * config.geometry.pairs - 1
        self.reading = Signal(signed(config.reading_bits))
        self.summed = Signal()  # the code of the previous device is valid
        self.before = Signal(config.device_bits)
        self._sign = self.before[0] ^ request.top
        self._driven = Cat(*request.inputs).bit_select(self.before >> 1, 1)

    def states(self, m: Module, held: Value) -> None:
        """States that read ``held``, the code of the device of the clock before."""
        sign, reading = self._sign, self.reading
        with m.State("READ"):
            m.next = "CODE"
        with m.State("CODE"):
            m.d.sync += reading.eq(held)
            m.next = "DONE"
        with m.State("DOT"):
            m.d.sync += [self.device.eq(self.device + 1), self.summed.eq(1)]
            with m.If(self.summed & self._driven):
                code = Cat(sign, held ^ sign.replicate(CODE_BITS), sign).as_signed()
                m.d.sync += reading.eq((Cat(sign, reading).as_signed() + code) >> 1)
            with m.If(self.summed & (self.before == self.last)):
                m.next = "DONE"


class _Pulse:
    """A SET: the normal, the median, the spread and the code, one product after the other."""

    def __init__(self, m: Module, block: BitSerialEmulator) -> None:
        self._block = block
        # pulse n takes word n of the generator
        m.submodules.threefry = threefry = SerialThreefry()
        self.threefry = threefry
        m.d.comb += [
            threefry.key0.eq(block.key0),
            threefry.key1.eq(block.key1),
            threefry.input.payload.counter0.eq(block.pulses),
        ]
        self.product: Any = Signal(Product)
        self.second = Signal()  # the second node of a segment is read
        self.tail = Signal(TAIL_BITS)
        self.shift = Signal(range(TOP_SHIFT + 1))
        self.negative = Signal()
        self.low = Signal(signed(NODE_BITS))
        self.normal = Signal(NORMAL_BITS - 1)
        self.median = Signal(CODE_BITS + MEDIAN_FRAC)
        self.sigma = Signal(SIGMA_BITS)
        self._tables(m, block.requests.payload.dac)
        m.submodules.multiplier = self.times = SerialMultiplier(NODE_BITS, NORMAL_BITS)
        self._multiply(m, block.requests.payload.dac)

    def _tables(self, m: Module, dac: Value) -> None:
        """The normal's table is a ROM; those of median and spread are loaded."""
        nodes = gauss_table().tolist()
        m.submodules.normals = normals = Memory(
            shape=unsigned(NORMAL_BITS - 1), depth=len(nodes), init=nodes
        )
        node = normals.read_port()
        m.submodules.tables = tables = Memory(
            shape=signed(NODE_BITS), depth=4 << SEGMENT_BITS, init=[]
        )
        table_write, table = tables.write_port(), tables.read_port()
        for number, load in enumerate((self._block.load_median, self._block.load_sigma)):
            with m.If(load.stb):
                m.d.comb += [
                    table_write.en.eq(1),
                    table_write.addr.eq(Cat(load.addr, Const(number, 1))),
                    table_write.data.eq(load.data),
                ]
        octave = self.shift << GAUSS_SUB_BITS
        m.d.comb += [
            node.addr.eq(octave + self.tail[TOP_SHIFT:] + self.second),
            table.addr.eq(
                Mux(
                    self.product == Product.SIGMA,
                    Cat(self.second, self.median[MEDIAN_SEGMENT_SHIFT:], Const(1, 1)),
                    Cat(self.second, dac[SEGMENT_FRAC:], Const(0, 1)),
                )
            ),
        ]
        self._node, self._table = node, table

    def _multiply(self, m: Module, dac: Value) -> None:
        """Operands of the products, and their results ``rounded`` and ``drawn``."""
        times, median = self.times, self.median
        base = Signal(signed(NODE_BITS + 1))
        m.d.comb += base.eq(self.low)
        with m.Switch(self.product):
            with m.Case(Product.NORMAL):
                m.d.comb += [
                    times.a.eq(self._node.data - self.low),
                    times.b.eq(self.tail[TOP_SHIFT - GAUSS_INTERP_BITS : TOP_SHIFT]),
                    times.shift.eq(GAUSS_INTERP_BITS),
                ]
            with m.Case(Product.MEDIAN):
                m.d.comb += [
                    times.a.eq(self._table.data),
                    times.b.eq(dac[:SEGMENT_FRAC]),
                    times.shift.eq(SEGMENT_FRAC),
                ]
            with m.Case(Product.SIGMA):
                m.d.comb += [
                    times.a.eq(self._table.data),
                    times.b.eq(median[:MEDIAN_SEGMENT_SHIFT]),
                    times.shift.eq(MEDIAN_SEGMENT_SHIFT),
                ]
            with m.Case(Product.SPREAD):
                # the last bits are dropped after the sum; rounding first gives no other result
                m.d.comb += [
                    times.a.eq(self.sigma),
                    times.b.eq(Mux(self.negative, -self.normal, self.normal)),
                    times.shift.eq(SIGMA_FRAC + GAUSS_FRAC - MEDIAN_FRAC),
                    base.eq(median),
                ]
        self.rounded = Signal(signed(NODE_BITS + NORMAL_BITS))
        self.drawn = Signal(signed(NODE_BITS + NORMAL_BITS))
        half = 1 << (MEDIAN_FRAC - 1)
        m.d.comb += [
            self.rounded.eq(times.rounded(base)),
            self.drawn.eq((times.value + median + half) >> MEDIAN_FRAC),
        ]

    def states(self, m: Module, write: Any) -> None:
        """States of a SET; ``write`` is enabled with the code."""
        word: Any = self.threefry.output.payload
        product, pulses = self.product, self._block.pulses
        with m.State("WORD"), m.If(self.threefry.output.valid):
            m.d.sync += [
                self.tail.eq(word.word0),
                self.negative.eq(word.word0[TAIL_BITS]),
                self.shift.eq(TOP_SHIFT),
                product.eq(Product.NORMAL),
                pulses.eq(pulses + 1),
            ]
            m.next = "OCTAVE"
        with m.State("OCTAVE"):
            m.next = "LOW"
            with m.If((self.shift != 0) & ~self.tail[-1]):
                m.d.sync += [self.shift.eq(self.shift - 1), self.tail.eq(self.tail << 1)]
                m.next = "OCTAVE"
        with m.State("LOW"):
            m.next = "STEP"
        with m.State("STEP"):
            is_normal = product == Product.NORMAL
            m.d.sync += self.low.eq(Mux(is_normal, self._node.data, self._table.data))
            m.next = "BEGIN"
        with m.State("BEGIN"):
            m.d.comb += self.times.start.eq(1)
            m.next = "MULTIPLY"
        with m.State("MULTIPLY"), m.If(~self.times.busy):
            m.next = "LOW"
            with m.Switch(product):
                with m.Case(Product.NORMAL):
                    m.d.sync += [self.normal.eq(self.rounded), product.eq(Product.MEDIAN)]
                with m.Case(Product.MEDIAN):
                    top = ((CODE_MAX + 1) << MEDIAN_FRAC) - 1
                    m.d.sync += [
                        self.median.eq(clip(self.rounded, 0, top)),
                        product.eq(Product.SIGMA),
                    ]
                with m.Case(Product.SIGMA):
                    m.d.sync += [self.sigma.eq(self.rounded), product.eq(Product.SPREAD)]
                    m.next = "BEGIN"
                with m.Case(Product.SPREAD):
                    m.d.comb += write.en.eq(1)
                    m.next = "DONE"
