"""Codes of the current and the proposed samples, and their records."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import CODE_BITS

from ..config import CoreConfig
from .interface import ACC_BITS, MULTIPLICITY_BITS, RECORD_WORD

PAIR_CODES = data.ArrayLayout(unsigned(CODE_BITS), 2)
HEADER_WORDS = 4


def sample_pairs(features: Value, hidden: Value) -> Value:
    """Device pairs of a sample: ``features`` of every row, H + 1 of an output row."""
    return Mux(hidden == 0, features, hidden * (features + 1) + 1)


def place(config: CoreConfig) -> data.StructLayout:
    """Address of a pair of codes: each region has two banks, its current sample and a proposal."""
    return data.StructLayout(
        {
            "pair": unsigned(config.device_bits - 1),
            "group_row": unsigned(config.group_row_bits),
            "bank": unsigned(1),
            "region": unsigned(config.region_bits),
        }
    )


class SampleMemory(wiring.Component):
    """Codes of all samples: one write port (a code) and two read ports (a pair of codes).

    Attributes
    ----------
    write : In(1)
        Write a code.
    write_place : In(place(config))
        Its pair.
    write_odd : In(1)
        It is the g⁻ of the pair.
    write_code : In(CODE_BITS)
        The code.
    load : In(1)
        Write a pair of codes; it has priority over ``write``.
    load_place : In(place(config))
        The pair.
    load_codes : In(PAIR_CODES)
        Its codes.
    order_read, record_read : In(1)
        Read a pair of codes.
    order_place, record_place : In(place(config))
        The pair.
    order_codes, record_codes : Out(PAIR_CODES)
        Its codes, one clock later.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(
            {
                "write": In(1),
                "write_place": In(place(config)),
                "write_odd": In(1),
                "write_code": In(CODE_BITS),
                "load": In(1),
                "load_place": In(place(config)),
                "load_codes": In(PAIR_CODES),
                "order_read": In(1),
                "order_place": In(place(config)),
                "order_codes": Out(PAIR_CODES),
                "record_read": In(1),
                "record_place": In(place(config)),
                "record_codes": Out(PAIR_CODES),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth = 1 << place(self.config).size
        # a memory for each side of the pairs: no write of half a word
        for side in range(2):
            memory = Memory(shape=unsigned(CODE_BITS), depth=depth, init=[])
            m.submodules["plus" if side == 0 else "minus"] = memory
            write = memory.write_port()
            m.d.comb += [
                write.en.eq(self.write & (self.write_odd == side)),
                write.addr.eq(self.write_place),
                write.data.eq(self.write_code),
            ]
            with m.If(self.load):
                m.d.comb += [
                    write.en.eq(1),
                    write.addr.eq(self.load_place),
                    write.data.eq(self.load_codes[side]),
                ]
            for enable, at, codes in (
                (self.order_read, self.order_place, self.order_codes),
                (self.record_read, self.record_place, self.record_codes),
            ):
                read = memory.read_port()
                m.d.comb += [
                    read.en.eq(enable),
                    read.addr.eq(at),
                    codes[side].eq(read.data),
                ]
        return m


class SlotWalk(wiring.Component):
    """Counts through the pairs of a sample: ``features`` of every row, H + 1 of an output row.

    Attributes
    ----------
    features : In(range(max_features + 1))
        Inputs of a point, the bias among them.
    hidden : In(range(max_group_rows))
        Hidden units H; 0: logistic regression.
    clear : In(1)
        Begin with the first pair.
    step : In(1)
        Move on to the next pair.
    group_row : Out(group_row_bits)
        Row within the group.
    pair : Out(device_bits - 1)
        Pair within the row.
    row_end : Out(1)
        The pair is the last one of its row.
    end : Out(1)
        The pair is the last one of the sample.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(
            {
                "features": In(range(config.max_features + 1)),
                "hidden": In(range(config.max_group_rows)),
                "clear": In(1),
                "step": In(1),
                "group_row": Out(config.group_row_bits),
                "pair": Out(config.device_bits - 1),
                "row_end": Out(1),
                "end": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        length = Signal(range(max(self.config.max_features, self.config.max_group_rows) + 1))
        final = Signal()
        m.d.comb += [
            final.eq(self.group_row == self.hidden),
            length.eq(self.features),
            self.row_end.eq(self.pair + 1 == length),
            self.end.eq(self.row_end & final),
        ]
        with m.If(final & (self.hidden != 0)):
            m.d.comb += length.eq(self.hidden + 1)
        with m.If(self.step):
            m.d.sync += self.pair.eq(self.pair + 1)
            with m.If(self.row_end):
                m.d.sync += [self.pair.eq(0), self.group_row.eq(self.group_row + 1)]
        with m.If(self.clear):
            m.d.sync += [self.pair.eq(0), self.group_row.eq(0)]
        return m


class ReaderPorts(wiring.Signature):
    """Ports of a block that reads the codes of a sample, pair after pair.

    Attributes
    ----------
    features : In(range(max_features + 1))
        Inputs of a point, the bias among them.
    hidden : In(range(max_group_rows))
        Hidden units; 0: logistic regression.
    read : Out(1)
        Read the codes at ``place``.
    place : Out(place(config))
        Place of a pair in the sample memory.
    codes : In(PAIR_CODES)
        Its codes, one clock later.
    """

    def __init__(self, config: CoreConfig) -> None:
        super().__init__(
            {
                "features": In(range(config.max_features + 1)),
                "hidden": In(range(config.max_group_rows)),
                "read": Out(1),
                "place": Out(place(config)),
                "codes": In(PAIR_CODES),
            }
        )


def read_along(m: Module, block: Any, walk: SlotWalk, region: Value, bank: Value) -> None:
    """Read the codes of the pairs that ``walk`` visits, through the ports of ``block``."""
    m.d.comb += [
        walk.features.eq(block.features),
        walk.hidden.eq(block.hidden),
        block.read.eq(walk.step),
        block.place.region.eq(region),
        block.place.bank.eq(bank),
        block.place.group_row.eq(walk.group_row),
        block.place.pair.eq(walk.pair),
    ]


class Recorder(wiring.Component):
    """Streams a sample as a record of 32-bit words.

    | word | content |
    |---|---|
    | 0 | region [7:0]; bit 8: a current sample (``flush``), not a retired one; bit 9: a proposal that waits for its log-likelihood (external mode) |
    | 1 | multiplicity |
    | 2 | log-likelihood, signed, LSB 2**-LOGLIK_FRAC |
    | 3 | log-prior, likewise |
    | 4 … | a pair each, row after row: g⁺ in [9:0], g⁻ in [25:16] |

    ``start`` samples everything but the codes. They are read from the sample memory until ``busy``
    falls: that bank must not be written until then.

    Attributes
    ----------
    features, hidden, read, place, codes : ReaderPorts
        As in ``ReaderPorts``.
    start : In(1)
        Begin a record; only while ``busy`` is low.
    region : In(region_bits)
        Region of the sample.
    bank : In(1)
        Its bank.
    current : In(1)
        It is a current sample.
    proposal : In(1)
        It is a proposal.
    multiplicity : In(MULTIPLICITY_BITS)
        Its multiplicity.
    loglik, prior : In(signed(ACC_BITS))
        Its log-likelihood and log-prior.
    busy : Out(1)
        A record is being streamed.
    record : Out(stream of RECORD_WORD)
        Words of the record.
    """  # noqa: E501

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(
            {
                **ReaderPorts(config).members,
                "start": In(1),
                "region": In(config.region_bits),
                "bank": In(1),
                "current": In(1),
                "proposal": In(1),
                "multiplicity": In(MULTIPLICITY_BITS),
                "loglik": In(signed(ACC_BITS)),
                "prior": In(signed(ACC_BITS)),
                "busy": Out(1),
                "record": Out(stream.Signature(RECORD_WORD)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.walk = walk = SlotWalk(self.config)
        header = Signal(data.ArrayLayout(unsigned(32), HEADER_WORDS))
        index = Signal(range(HEADER_WORDS))
        region = Signal(self.config.region_bits)
        bank = Signal()
        out = self.record
        read_along(m, self, walk, region, bank)
        last = Signal()  # of the pair that is offered
        with m.FSM(name="state") as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"):
                m.d.comb += walk.clear.eq(1)
                with m.If(self.start):
                    m.d.sync += [
                        header[0].eq(self.region | (self.current << 8) | (self.proposal << 9)),
                        header[1].eq(self.multiplicity),
                        header[2].eq(self.loglik),
                        header[3].eq(self.prior),
                        region.eq(self.region),
                        bank.eq(self.bank),
                        index.eq(0),
                    ]
                    m.next = "HEADER"
            with m.State("HEADER"):
                m.d.comb += [out.valid.eq(1), out.payload.word.eq(header[index])]
                with m.If(out.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == HEADER_WORDS - 1):
                        m.d.comb += walk.step.eq(1)
                        m.d.sync += last.eq(walk.end)
                        m.next = "PAIRS"
            with m.State("PAIRS"):
                m.d.comb += [
                    out.valid.eq(1),
                    out.payload.word[:CODE_BITS].eq(self.codes[0]),
                    out.payload.word[16 : 16 + CODE_BITS].eq(self.codes[1]),
                    out.payload.last.eq(last),
                ]
                with m.If(out.ready):
                    m.d.comb += walk.step.eq(1)
                    m.d.sync += last.eq(walk.end)
                    with m.If(last):
                        m.next = "IDLE"
        return m
