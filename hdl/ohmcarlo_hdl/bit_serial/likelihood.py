"""The likelihood of a sample, one access at a time, with one bit-serial multiplier."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import enum, wiring
from amaranth.lib.memory import Memory

from ohmcarlo.errors import UsageError
from ohmcarlo.spec import (
    COEF_BITS,
    LABEL_POSITIVE,
    LABEL_QUADRATIC,
    LOGIT_BITS,
    LOGIT_FRAC,
    LOGIT_MAX,
    LOGLIK_FRAC,
    LOGSIG_COARSE_SHIFT,
    LOGSIG_END,
    LOGSIG_FINE_SEGMENTS,
    LOGSIG_FINE_SHIFT,
    LOGSIG_KNEE,
    LOGSIG_SEGMENTS,
    OFFSET_FRAC,
    softplus_table,
)

from ..array.interface import Op
from ..config import CoreConfig
from ..core.dot import total_bits
from ..core.fetch import INPUT_BITS, LABEL_BITS, OFFSET_BITS, WORD_INPUTS
from ..core.interface import TERM_BITS, LikelihoodPorts
from ..core.term import bit_of
from ..lib.multiplier import SerialMultiplier


class Product(enum.Enum, shape=unsigned(2)):  # type: ignore[call-arg]
    """Operation of the multiplier."""

    LOGIT = 0
    """Dot product, times its coefficient."""
    TABLE = 1
    """Step of a segment of the log-sigmoid, times the fraction."""
    SQUARE = 2
    """Square of the logit of a quadratic point."""


class BitSerialLikelihood(wiring.Component):
    """``Likelihood`` without a pipe: an access begins when the one before it was answered.

    Logistic regression only (``max_group_rows`` = 1), all inputs in one tile, and no predictions:
    jobs with ``predict`` are not allowed.

    Attributes
    ----------
    jobs, requests, readings, terms, predictions, stop, idle : LikelihoodPorts
    points, features, hidden, logit_mantissa, logit_shift, load_points, load_order : LikelihoodPorts
        As in ``LikelihoodPorts``.
    """

    def __init__(self, config: CoreConfig) -> None:
        if config.max_group_rows > 1 or config.tiles > 1:
            raise UsageError(
                "a bit-serial likelihood has neither hidden rows nor tiles: set max_group_rows = 1 "
                "and tile_pairs = 0"
            )
        self.config = config
        super().__init__(LikelihoodPorts(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        word_bits = (config.point_words - 1).bit_length()
        input_words = -(-config.max_features // WORD_INPUTS)
        bits, planes = config.access_bits, config.planes

        # -- memories: as loaded, a word at a time
        m.submodules.order = order = Memory(
            shape=unsigned(config.point_bits), depth=config.max_points, init=[]
        )
        m.submodules.words = words = Memory(
            shape=unsigned(32), depth=config.max_points << word_bits, init=[]
        )
        for memory, load in ((order, self.load_order), (words, self.load_points)):
            write = memory.write_port()
            m.d.comb += [
                write.en.eq(load.stb),
                write.addr.eq(load.addr),
                write.data.eq(load.data),
            ]
        position = Signal(config.point_bits)
        order_read, word_read = order.read_port(), words.read_port()
        word = Signal(word_bits)
        m.d.comb += [
            order_read.addr.eq(position),
            word_read.addr.eq(Cat(word, order_read.data)),
        ]
        nodes = softplus_table().tolist()
        node_bits = max(nodes).bit_length()
        m.submodules.softplus = table = Memory(
            shape=unsigned(node_bits), depth=len(nodes), init=nodes
        )
        node = table.read_port()

        # -- registers
        row = Signal(config.row_bits)
        offset, label = Signal(signed(OFFSET_BITS)), Signal(LABEL_BITS)
        plane = Signal(range(max(planes, 2)))
        dot = Signal(signed(max(total_bits(config), config.reading_bits + 1)))
        z = Signal(signed(LOGIT_BITS))
        low = Signal(node_bits)
        stopped = Signal()
        product = Signal(Product)

        # -- arithmetic
        dot_bits = len(dot) + config.geometry.dot_shift
        m.submodules.multiplier = times = SerialMultiplier(
            max(dot_bits, LOGIT_BITS), max(LOGIT_BITS, COEF_BITS + 1)
        )
        magnitude = Signal(LOGIT_BITS)
        knee, end = bit_of(LOGSIG_KNEE), bit_of(LOGSIG_END)
        fine, coarse = LOGSIG_FINE_SHIFT, LOGSIG_COARSE_SHIFT
        index = Signal(range(LOGSIG_SEGMENTS))
        fraction = Signal(coarse)
        second = Signal()
        m.d.comb += [magnitude.eq(Mux(z < 0, -z, z)), node.addr.eq(index + second)]
        with m.If(magnitude[knee]):
            m.d.comb += [
                index.eq(LOGSIG_FINE_SEGMENTS + magnitude[coarse:knee]),
                fraction.eq(magnitude[:coarse]),
            ]
        with m.Else():
            m.d.comb += [
                index.eq(magnitude[fine:knee]),
                fraction.eq(magnitude[:fine] << (coarse - fine)),
            ]
        with m.Switch(product):
            with m.Case(Product.LOGIT):
                m.d.comb += [
                    times.a.eq(dot << config.geometry.dot_shift),
                    times.b.eq(self.logit_mantissa),
                    times.shift.eq(self.logit_shift),
                ]
            with m.Case(Product.TABLE):
                m.d.comb += [
                    times.a.eq(node.data - low),
                    times.b.eq(fraction),
                    times.shift.eq(coarse),
                ]
            with m.Default():
                m.d.comb += [
                    times.a.eq(z),
                    times.b.eq(z),
                    times.shift.eq(2 * LOGIT_FRAC + 1 - LOGLIK_FRAC),
                ]
        # a value beyond twice the range of a logit saturates with any offset
        kept = LOGIT_BITS + 2
        beyond = Signal()
        base = Signal(signed(LOGIT_BITS + 1))
        rounded = Signal(signed(TERM_BITS))
        m.d.comb += [
            beyond.eq(times.value[kept - 1 :].any() & ~times.value[kept - 1 :].all()),
            base.eq(
                Mux(
                    product == Product.LOGIT,
                    offset << (LOGIT_FRAC - OFFSET_FRAC),
                    Mux(product == Product.TABLE, low, 0),
                )
            ),
            rounded.eq(times.rounded(base)),
        ]
        logit = rounded[: kept + 1].as_signed()
        negative = Mux(beyond, times.value[-1], logit[-1])
        inside = ~beyond & (logit[LOGIT_BITS - 1 :].all() | ~logit[LOGIT_BITS - 1 :].any())
        wrong_side = (z >= 0) != (label == LABEL_POSITIVE)
        quadratic = label == LABEL_QUADRATIC
        linear = Mux(wrong_side & ~quadratic, magnitude << (LOGLIK_FRAC - LOGIT_FRAC), 0)
        curved = Mux(magnitude[end:].any() & ~quadratic, 0, rounded)
        m.d.comb += [
            self.terms.payload.term.eq(-(linear + curved)),
            self.terms.payload.last.eq(position + 1 >= self.points),
        ]

        # -- the order of things
        request: Any = self.requests.payload
        m.d.comb += [
            request.op.eq(Op.DOT),
            request.row.eq(row),
            request.top.eq(plane == planes - 1),
        ]
        with m.FSM(name="state") as fsm:
            m.d.comb += [
                self.idle.eq(fsm.ongoing("IDLE")),
                second.eq(~fsm.ongoing("LOW")),
            ]
            with m.State("IDLE"):
                m.d.comb += self.jobs.ready.eq(~self.stop)
                m.d.sync += [position.eq(0), stopped.eq(0)]
                with m.If(self.jobs.valid & self.jobs.ready):
                    m.d.sync += row.eq(self.jobs.payload.row)
                    m.next = "ORDER"
            with m.State("ORDER"):
                m.d.sync += [word.eq(0), plane.eq(0), dot.eq(0)]
                m.next = "POINT"
            with m.State("POINT"):
                m.d.sync += word.eq(1)
                m.next = "CONTEXT"
            with m.State("CONTEXT"):
                m.d.sync += [
                    offset.eq(word_read.data),
                    label.eq(word_read.data[OFFSET_BITS:]),
                    word.eq(2),
                ]
                m.next = "INPUTS 0"
            for i in range(input_words):
                # the word arrives whose address was there in the clock before
                with m.State(f"INPUTS {i}"):
                    m.d.sync += word.eq(i + 3)
                    for j in range(WORD_INPUTS * i, min(WORD_INPUTS * i + 4, config.max_features)):
                        byte = word_read.data.word_select(j % WORD_INPUTS, INPUT_BITS)
                        m.d.sync += request.inputs[j].eq(byte.word_select(plane, bits))
                    if i + 1 < input_words:
                        m.next = f"INPUTS {i + 1}"
                    else:
                        m.next = "REQUEST"
                        with m.If(stopped | self.stop):
                            m.next = "IDLE"
            with m.State("REQUEST"):
                m.d.comb += self.requests.valid.eq(1)
                m.d.sync += word.eq(1)
                with m.If(self.requests.ready):
                    m.next = "READING"
            with m.State("READING"):
                m.d.comb += self.readings.ready.eq(1)
                with m.If(self.readings.valid):
                    value = self.readings.payload.value << ((planes - 1) * bits)
                    m.d.sync += [
                        dot.eq((dot >> bits) + value),
                        plane.eq(plane + 1),
                        product.eq(Product.LOGIT),
                        word.eq(2),
                    ]
                    m.next = "INPUTS 0"
                    with m.If(plane == planes - 1):
                        m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += times.start.eq(1)
                m.next = "MULTIPLY"
            with m.State("MULTIPLY"), m.If(~times.busy):
                m.next = "TERM"
                with m.If(product == Product.LOGIT):
                    limit = Mux(negative, -LOGIT_MAX - 1, LOGIT_MAX)
                    m.d.sync += z.eq(Mux(inside, logit, limit))
                    m.next = "LOW"
                    with m.If(quadratic):
                        m.d.sync += product.eq(Product.SQUARE)
                        m.next = "BEGIN"
            with m.State("LOW"):
                m.next = "NODE"
            with m.State("NODE"):
                m.d.sync += [low.eq(node.data), product.eq(Product.TABLE)]
                m.next = "BEGIN"
            with m.State("TERM"):
                m.d.comb += self.terms.valid.eq(~stopped)
                with m.If(stopped):
                    m.next = "IDLE"
                with m.Elif(self.terms.ready):
                    m.d.sync += position.eq(position + 1)
                    m.next = "ORDER"
                    with m.If(self.terms.payload.last):
                        m.next = "IDLE"
        with m.If(self.stop & ~self.idle):
            m.d.sync += stopped.eq(1)
        return m
