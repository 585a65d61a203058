"""The emulated array with one adder for its arithmetic and one for its dot products."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
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
    """``Emulator`` of devices that are all alike: no spread between devices, none stuck, no age.

    An operation is accepted when it is done: a SET takes some 600 clocks, a DOT and a RESET one
    for each device of the row. The row's inputs are on or off (``access_bits`` = 1), in one tile,
    and the converter has full resolution. Pulses are counted with PULSE_BITS bits. Key and tables
    are stable while the array is not ``idle``.

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

        # -- memories
        m.submodules.codes = codes = Memory(
            shape=unsigned(CODE_BITS),
            depth=config.geometry.rows << config.device_bits,
            init=[HRS_CODE] * (config.geometry.rows << config.device_bits),
        )
        code_write, code_read = codes.write_port(), codes.read_port()
        nodes = gauss_table().tolist()
        m.submodules.normals = normals = Memory(
            shape=unsigned(NORMAL_BITS - 1), depth=len(nodes), init=nodes
        )
        node = normals.read_port()
        m.submodules.tables = tables = Memory(
            shape=signed(NODE_BITS), depth=4 << SEGMENT_BITS, init=[]
        )
        table_write, table = tables.write_port(), tables.read_port()
        for number, load in enumerate((self.load_median, self.load_sigma)):
            with m.If(load.stb):
                m.d.comb += [
                    table_write.en.eq(1),
                    table_write.addr.eq(Cat(load.addr, Const(number, 1))),
                    table_write.data.eq(load.data),
                ]

        # -- the generator: pulse n takes word n
        m.submodules.threefry = threefry = SerialThreefry()
        word: Any = threefry.output.payload
        m.d.comb += [
            threefry.key0.eq(self.key0),
            threefry.key1.eq(self.key1),
            threefry.input.payload.counter0.eq(self.pulses),
        ]

        # -- a pulse
        product = Signal(Product)
        second = Signal()
        tail, shift = Signal(TAIL_BITS), Signal(range(TOP_SHIFT + 1))
        negative = Signal()
        low = Signal(signed(NODE_BITS))
        normal = Signal(NORMAL_BITS - 1)
        median = Signal(CODE_BITS + MEDIAN_FRAC)
        sigma = Signal(SIGMA_BITS)
        point = SIGMA_FRAC + GAUSS_FRAC
        m.submodules.multiplier = times = SerialMultiplier(NODE_BITS, NORMAL_BITS)
        m.d.comb += [
            node.addr.eq((shift << GAUSS_SUB_BITS) + tail[TOP_SHIFT:] + second),
            table.addr.eq(
                Mux(
                    product == Product.SIGMA,
                    Cat(second, median[MEDIAN_SEGMENT_SHIFT:], Const(1, 1)),
                    Cat(second, request.dac[SEGMENT_FRAC:], Const(0, 1)),
                )
            ),
        ]
        base = Signal(signed(NODE_BITS + 1))
        m.d.comb += base.eq(low)
        with m.Switch(product):
            with m.Case(Product.NORMAL):
                m.d.comb += [
                    times.a.eq(node.data - low),
                    times.b.eq(tail[TOP_SHIFT - GAUSS_INTERP_BITS : TOP_SHIFT]),
                    times.shift.eq(GAUSS_INTERP_BITS),
                ]
            with m.Case(Product.MEDIAN):
                m.d.comb += [
                    times.a.eq(table.data),
                    times.b.eq(request.dac[:SEGMENT_FRAC]),
                    times.shift.eq(SEGMENT_FRAC),
                ]
            with m.Case(Product.SIGMA):
                m.d.comb += [
                    times.a.eq(table.data),
                    times.b.eq(median[:MEDIAN_SEGMENT_SHIFT]),
                    times.shift.eq(MEDIAN_SEGMENT_SHIFT),
                ]
            with m.Case(Product.SPREAD):
                # the last bits are dropped after the sum; rounding down first changes nothing
                m.d.comb += [
                    times.a.eq(sigma),
                    times.b.eq(Mux(negative, -normal, normal)),
                    times.shift.eq(point - MEDIAN_FRAC),
                    base.eq(median),
                ]
        rounded = Signal(signed(NODE_BITS + NORMAL_BITS))
        drawn = Signal(signed(NODE_BITS + NORMAL_BITS))
        m.d.comb += [
            rounded.eq(times.rounded(base)),
            drawn.eq((times.value + median + (1 << (MEDIAN_FRAC - 1))) >> MEDIAN_FRAC),
        ]

        # -- the devices of a row, one after the other
        device = Signal(config.device_bits)
        last = 2 * config.geometry.pairs - 1
        reading = Signal(signed(config.reading_bits))
        summed = Signal()  # the code of the previous device is valid
        before = Signal(config.device_bits)
        sign = before[0] ^ request.top
        driven = Cat(*request.inputs).bit_select(before >> 1, 1)
        m.d.comb += [
            code_read.addr.eq(Cat(device, request.row)),
            code_write.addr.eq(Cat(device, request.row)),
            code_write.data.eq(Mux(request.op == Op.RESET, HRS_CODE, clip(drawn, 0, CODE_MAX))),
        ]
        m.d.sync += before.eq(device)
        with m.FSM(name="state") as fsm:
            m.d.comb += [
                second.eq(~fsm.ongoing("LOW")),
                self.idle.eq(fsm.ongoing("IDLE") & ~self.requests.valid),
            ]
            with m.State("IDLE"):
                m.d.sync += [device.eq(0), reading.eq(0), summed.eq(0)]
                with m.If(self.requests.valid & ~self.restart):
                    with m.Switch(request.op):
                        with m.Case(Op.RESET):
                            m.next = "RESET"
                        with m.Case(Op.SET):
                            m.d.sync += device.eq(request.device)
                            m.d.comb += threefry.input.valid.eq(1)
                            m.next = "WORD"
                        with m.Case(Op.READ):
                            m.d.sync += device.eq(request.device)
                            m.next = "READ"
                        with m.Case(Op.DOT):
                            m.next = "DOT"
                        with m.Default():
                            m.next = "DONE"
            with m.State("RESET"):
                m.d.comb += code_write.en.eq(1)
                m.d.sync += device.eq(device + 1)
                with m.If(device == last):
                    m.next = "DONE"
            with m.State("WORD"), m.If(threefry.output.valid):
                m.d.sync += [
                    tail.eq(word.word0),
                    negative.eq(word.word0[TAIL_BITS]),
                    shift.eq(TOP_SHIFT),
                    product.eq(Product.NORMAL),
                    self.pulses.eq(self.pulses + 1),
                ]
                m.next = "OCTAVE"
            with m.State("OCTAVE"):
                m.next = "LOW"
                with m.If((shift != 0) & ~tail[-1]):
                    m.d.sync += [shift.eq(shift - 1), tail.eq(tail << 1)]
                    m.next = "OCTAVE"
            with m.State("LOW"):
                m.next = "STEP"
            with m.State("STEP"):
                m.d.sync += low.eq(Mux(product == Product.NORMAL, node.data, table.data))
                m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += times.start.eq(1)
                m.next = "MULTIPLY"
            with m.State("MULTIPLY"), m.If(~times.busy):
                m.next = "LOW"
                with m.Switch(product):
                    with m.Case(Product.NORMAL):
                        m.d.sync += [normal.eq(rounded), product.eq(Product.MEDIAN)]
                    with m.Case(Product.MEDIAN):
                        top = ((CODE_MAX + 1) << MEDIAN_FRAC) - 1
                        m.d.sync += [median.eq(clip(rounded, 0, top)), product.eq(Product.SIGMA)]
                    with m.Case(Product.SIGMA):
                        m.d.sync += [sigma.eq(rounded), product.eq(Product.SPREAD)]
                        m.next = "BEGIN"
                    with m.Case(Product.SPREAD):
                        m.d.comb += code_write.en.eq(1)
                        m.next = "DONE"
            with m.State("READ"):
                m.next = "CODE"
            with m.State("CODE"):
                m.d.sync += reading.eq(code_read.data)
                m.next = "DONE"
            with m.State("DOT"):
                m.d.sync += [device.eq(device + 1), summed.eq(1)]
                with m.If(summed & driven):
                    code = Cat(sign, code_read.data ^ sign.replicate(CODE_BITS), sign).as_signed()
                    m.d.sync += reading.eq((Cat(sign, reading).as_signed() + code) >> 1)
                with m.If(summed & (before == last)):
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.requests.ready.eq(1)
                m.next = "IDLE"
                with m.If((request.op == Op.READ) | (request.op == Op.DOT)):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += self.responses.valid.eq(1)
                with m.If(self.responses.ready):
                    m.next = "IDLE"
        m.d.comb += self.responses.payload.value.eq(reading)
        with m.If(self.restart):
            m.d.sync += self.pulses.eq(self.first_pulse)
        return m
