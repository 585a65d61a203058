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
from ..core.interface import TERM_BITS, LikelihoodPorts
from ..core.point_stream import INPUT_BITS, LABEL_BITS, OFFSET_BITS, WORD_INPUTS
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
    """``Likelihood`` without a pipe: an access begins after the response to the one before.

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
        data = _Data(m, self)
        point = _Point(m, self)
        request: Any = self.requests.payload
        m.d.comb += [
            request.op.eq(Op.DOT),
            request.row.eq(data.row),
            request.top.eq(point.plane == self.config.planes - 1),
            self.terms.payload.term.eq(point.term),
            self.terms.payload.last.eq(data.position + 1 >= self.points),
        ]
        stopped = Signal()
        with m.FSM(name="state") as fsm:
            m.d.comb += [
                self.idle.eq(fsm.ongoing("IDLE")),
                point.second.eq(~fsm.ongoing("LOW")),
            ]
            with m.State("IDLE"):
                m.d.comb += self.jobs.ready.eq(~self.stop)
                m.d.sync += [data.position.eq(0), stopped.eq(0)]
                with m.If(self.jobs.valid & self.jobs.ready):
                    m.d.sync += data.row.eq(self.jobs.payload.row)
                    m.next = "ORDER"
            self._fetch(m, data, point, stopped)
            self._access(m, data, point)
            self._evaluate(m, point)
            with m.State("TERM"):
                m.d.comb += self.terms.valid.eq(~stopped)
                with m.If(stopped):
                    m.next = "IDLE"
                with m.Elif(self.terms.ready):
                    m.d.sync += data.position.eq(data.position + 1)
                    m.next = "ORDER"
                    with m.If(self.terms.payload.last):
                        m.next = "IDLE"
        with m.If(self.stop & ~self.idle):
            m.d.sync += stopped.eq(1)
        return m

    def _fetch(self, m: Module, data: _Data, point: _Point, stopped: Signal) -> None:
        """The words of a point are read; each plane of inputs becomes a request."""
        config, request = self.config, self.requests.payload
        input_words = -(-config.max_features // WORD_INPUTS)
        with m.State("ORDER"):
            m.d.sync += [data.word.eq(0), point.plane.eq(0), point.dot.eq(0)]
            m.next = "POINT"
        with m.State("POINT"):
            m.d.sync += data.word.eq(1)
            m.next = "CONTEXT"
        with m.State("CONTEXT"):
            m.d.sync += [
                point.offset.eq(data.read.data),
                point.label.eq(data.read.data[OFFSET_BITS:]),
                data.word.eq(2),
            ]
            m.next = "INPUTS 0"
        for i in range(input_words):
            # the word arrives one clock after its address
            with m.State(f"INPUTS {i}"):
                m.d.sync += data.word.eq(i + 3)
                for j in range(WORD_INPUTS * i, min(WORD_INPUTS * i + 4, config.max_features)):
                    byte = data.read.data.word_select(j % WORD_INPUTS, INPUT_BITS)
                    plane = byte.word_select(point.plane, config.access_bits)
                    m.d.sync += request.inputs[j].eq(plane)
                if i + 1 < input_words:
                    m.next = f"INPUTS {i + 1}"
                else:
                    m.next = "REQUEST"
                    with m.If(stopped | self.stop):
                        m.next = "IDLE"

    def _access(self, m: Module, data: _Data, point: _Point) -> None:
        """A plane is read from the array and added to the dot product."""
        bits, planes = self.config.access_bits, self.config.planes
        with m.State("REQUEST"):
            m.d.comb += self.requests.valid.eq(1)
            m.d.sync += data.word.eq(1)
            with m.If(self.requests.ready):
                m.next = "READING"
        with m.State("READING"):
            m.d.comb += self.readings.ready.eq(1)
            with m.If(self.readings.valid):
                value = self.readings.payload.value << ((planes - 1) * bits)
                m.d.sync += [
                    point.dot.eq((point.dot >> bits) + value),
                    point.plane.eq(point.plane + 1),
                    point.product.eq(Product.LOGIT),
                    data.word.eq(2),
                ]
                m.next = "INPUTS 0"
                with m.If(point.plane == planes - 1):
                    m.next = "BEGIN"

    def _evaluate(self, m: Module, point: _Point) -> None:
        """The dot product becomes a logit, and the logit a term."""
        with m.State("BEGIN"):
            m.d.comb += point.times.start.eq(1)
            m.next = "MULTIPLY"
        with m.State("MULTIPLY"), m.If(~point.times.busy):
            m.next = "TERM"
            with m.If(point.product == Product.LOGIT):
                m.d.sync += point.z.eq(point.logit)
                m.next = "LOW"
                with m.If(point.quadratic):
                    m.d.sync += point.product.eq(Product.SQUARE)
                    m.next = "BEGIN"
        with m.State("LOW"):
            m.next = "NODE"
        with m.State("NODE"):
            m.d.sync += [point.low.eq(point.node.data), point.product.eq(Product.TABLE)]
            m.next = "BEGIN"


class _Data:
    """Order table and data memory, as loaded: one word at a time; and the position in both."""

    def __init__(self, m: Module, block: BitSerialLikelihood) -> None:
        config = block.config
        word_bits = (config.point_words - 1).bit_length()
        m.submodules.order = order = Memory(
            shape=unsigned(config.point_bits), depth=config.max_points, init=[]
        )
        m.submodules.words = words = Memory(
            shape=unsigned(32), depth=config.max_points << word_bits, init=[]
        )
        for memory, load in ((order, block.load_order), (words, block.load_points)):
            write = memory.write_port()
            m.d.comb += [
                write.en.eq(load.stb),
                write.addr.eq(load.addr),
                write.data.eq(load.data),
            ]
        self.row = Signal(config.row_bits)
        self.position = Signal(config.point_bits)
        self.word = Signal(word_bits)
        order_read, word_read = order.read_port(), words.read_port()
        m.d.comb += [
            order_read.addr.eq(self.position),
            word_read.addr.eq(Cat(self.word, order_read.data)),
        ]
        self.read = word_read


class _Point:
    """Registers of the point at work, and the arithmetic with one multiplier and one table."""

    def __init__(self, m: Module, block: BitSerialLikelihood) -> None:
        config = block.config
        self.offset = Signal(signed(OFFSET_BITS))
        self.label = Signal(LABEL_BITS)
        self.plane = Signal(range(max(config.planes, 2)))
        self.dot = Signal(signed(max(total_bits(config), config.reading_bits + 1)))
        self.z = Signal(signed(LOGIT_BITS))
        self.product: Any = Signal(Product)
        self.second = Signal()  # the second node of a segment is read
        self._magnitude = Signal(LOGIT_BITS, name="magnitude")
        m.d.comb += self._magnitude.eq(Mux(self.z < 0, -self.z, self.z))
        self.quadratic = self.label == LABEL_QUADRATIC
        dot_bits = len(self.dot) + config.geometry.dot_shift
        m.submodules.multiplier = self.times = SerialMultiplier(
            max(dot_bits, LOGIT_BITS), max(LOGIT_BITS, COEF_BITS + 1)
        )
        fraction = self._table(m)
        self._operands(m, block, fraction)
        self._results(m)

    def _table(self, m: Module) -> Signal:
        """The table of the log-sigmoid; returns the fraction within the segment."""
        nodes = softplus_table().tolist()
        node_bits = max(nodes).bit_length()
        m.submodules.softplus = table = Memory(
            shape=unsigned(node_bits), depth=len(nodes), init=nodes
        )
        node = table.read_port()
        self.node = node
        self.low = Signal(node_bits)
        knee = bit_of(LOGSIG_KNEE)
        fine, coarse = LOGSIG_FINE_SHIFT, LOGSIG_COARSE_SHIFT
        index = Signal(range(LOGSIG_SEGMENTS))
        fraction = Signal(coarse)
        m.d.comb += node.addr.eq(index + self.second)
        with m.If(self._magnitude[knee]):
            m.d.comb += [
                index.eq(LOGSIG_FINE_SEGMENTS + self._magnitude[coarse:knee]),
                fraction.eq(self._magnitude[:coarse]),
            ]
        with m.Else():
            m.d.comb += [
                index.eq(self._magnitude[fine:knee]),
                fraction.eq(self._magnitude[:fine] << (coarse - fine)),
            ]
        return fraction

    def _operands(self, m: Module, block: BitSerialLikelihood, fraction: Signal) -> None:
        times = self.times
        with m.Switch(self.product):
            with m.Case(Product.LOGIT):
                m.d.comb += [
                    times.a.eq(self.dot << block.config.geometry.dot_shift),
                    times.b.eq(block.logit_mantissa),
                    times.shift.eq(block.logit_shift),
                ]
            with m.Case(Product.TABLE):
                m.d.comb += [
                    times.a.eq(self.node.data - self.low),
                    times.b.eq(fraction),
                    times.shift.eq(LOGSIG_COARSE_SHIFT),
                ]
            with m.Default():
                m.d.comb += [
                    times.a.eq(self.z),
                    times.b.eq(self.z),
                    times.shift.eq(2 * LOGIT_FRAC + 1 - LOGLIK_FRAC),
                ]

    def _results(self, m: Module) -> None:
        """The saturated ``logit`` after the product LOGIT, the ``term`` after the others."""
        value, magnitude = self.times.value, self._magnitude
        # a value beyond twice the range of a logit saturates with any offset
        kept = LOGIT_BITS + 2
        beyond = Signal()
        base = Signal(signed(LOGIT_BITS + 1))
        rounded = Signal(signed(TERM_BITS))
        m.d.comb += [
            beyond.eq(value[kept - 1 :].any() & ~value[kept - 1 :].all()),
            base.eq(
                Mux(
                    self.product == Product.LOGIT,
                    self.offset << (LOGIT_FRAC - OFFSET_FRAC),
                    Mux(self.product == Product.TABLE, self.low, 0),
                )
            ),
            rounded.eq(self.times.rounded(base)),
        ]
        logit = rounded[: kept + 1].as_signed()
        negative = Mux(beyond, value[-1], logit[-1])
        inside = ~beyond & (logit[LOGIT_BITS - 1 :].all() | ~logit[LOGIT_BITS - 1 :].any())
        self.logit = Mux(inside, logit, Mux(negative, -LOGIT_MAX - 1, LOGIT_MAX))
        wrong_side = (self.z >= 0) != (self.label == LABEL_POSITIVE)
        linear = Mux(wrong_side & ~self.quadratic, magnitude << (LOGLIK_FRAC - LOGIT_FRAC), 0)
        end = bit_of(LOGSIG_END)
        curved = Mux(magnitude[end:].any() & ~self.quadratic, 0, rounded)
        self.term = -(linear + curved)
