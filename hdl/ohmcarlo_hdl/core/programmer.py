"""Programmer and result router: from targets to operations of the array, and back to codes."""

from __future__ import annotations

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import CODE_BITS, DAC_BITS

from ..array.interface import Op, array_request, array_response, request_of
from ..config import CoreConfig
from ..lib.arith import shift_round
from ..lib.fifo import StreamFifo, StreamRegister
from .interface import MAX_LOG_REPEATS, REPEAT_BITS, Kind, device_target


class Reader(enum.Enum, shape=unsigned(2)):  # type: ignore[call-arg]
    """Destination of a reading."""

    SAMPLE = 0
    COIN = 1
    LIKELIHOOD = 2
    RAW = 3


def tag(config: CoreConfig) -> data.StructLayout:
    """Tag of a READ or DOT, kept until its reading arrives."""
    return data.StructLayout(
        {
            "reader": Reader,
            "row": unsigned(config.row_bits),
            "device": unsigned(config.device_bits),
            "old": unsigned(CODE_BITS),
            "centre": unsigned(DAC_BITS),
            "last": unsigned(1),
        }
    )


def program(config: CoreConfig) -> data.StructLayout:
    """Programmer → arbiter: a command, and the tag that a READ leaves."""
    return data.StructLayout({"request": array_request(config), "tag": tag(config)})


def read_back(config: CoreConfig) -> data.StructLayout:
    """Router → step controller: a device of the sample or of the coin, read back."""
    return data.StructLayout({"tag": tag(config), "code": unsigned(CODE_BITS)})


class Programmer(wiring.Component):
    """Turns targets into RESET, SET + READ and SELECT: two clocks per device, one per row.

    If the configuration has ``repeats``, every READ is commanded ``2**log_repeats`` times.

    Entropy devices, and the RESET before them, wait for ``allow_coin``; devices of the sample, and
    the RESETs among them, wait for ``allow_sample``. A SELECT needs no permission. The ``last``
    device of either kind ends its permission: no further device follows until the permission was
    low for a clock.

    Attributes
    ----------
    targets : In(stream of device_target)
        Devices and rows to be programmed.
    commands : Out(stream of program)
        Commands with their tags, to the arbiter.
    allow_coin : In(1)
        The coin may be programmed.
    allow_sample : In(1)
        The sample may be programmed.
    discard : In(1)
        Drop targets, but no command that is offered.
    coin_done, sample_done : Out(1)
        The READ of the last device is transferred in this clock.
    log_repeats : In(REPEAT_BITS)
        Only with ``repeats`` of the configuration.
    """

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(
            repeats_of(config)
            | {
                "targets": In(stream.Signature(device_target(config))),
                "commands": Out(stream.Signature(program(config))),
                "allow_coin": In(1),
                "allow_sample": In(1),
                "discard": In(1),
                "coin_done": Out(1),
                "sample_done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        target = self.targets.payload
        exhausted = Signal()  # the last device of this permission was transferred
        reading = Signal()  # SET is done, READ is next

        with m.If(~self.allow_coin & ~self.allow_sample):
            m.d.sync += exhausted.eq(0)

        is_device, allowed = Signal(), Signal()
        with m.Switch(target.kind):
            with m.Case(Kind.SELECT):
                m.d.comb += allowed.eq(1)
            with m.Case(Kind.RESET):
                m.d.comb += allowed.eq((self.allow_coin | self.allow_sample) & ~exhausted)
            with m.Case(Kind.COIN):
                m.d.comb += [is_device.eq(1), allowed.eq(self.allow_coin & ~exhausted)]
            with m.Default():
                m.d.comb += [is_device.eq(1), allowed.eq(self.allow_sample & ~exhausted)]

        is_set = is_device & ~reading
        op = Signal(3)
        with m.Switch(target.kind):
            with m.Case(Kind.SELECT):
                m.d.comb += op.eq(Op.SELECT)
            with m.Case(Kind.RESET):
                m.d.comb += op.eq(Op.RESET)
            with m.Default():
                m.d.comb += op.eq(Mux(reading, Op.READ, Op.SET))
        m.d.comb += Value.cast(self.commands.payload.request).eq(
            request_of(
                self.config,
                op=op,
                row=target.row,
                device=Mux(is_device, target.device, 0),
                dac=Mux(is_set, target.dac, 0),
            )
        )

        is_coin = target.kind == Kind.COIN
        left = self.commands.payload.tag
        m.d.comb += [
            left.reader.eq(Mux(is_coin, Reader.COIN, Reader.SAMPLE)),
            left.row.eq(target.row),
            left.device.eq(target.device),
            left.old.eq(target.code),
            left.centre.eq(target.centre),
            left.last.eq(target.last),
        ]

        offered = Signal()
        reads = self.commands.valid & self.commands.ready & is_device & reading
        last_read = counted_repeats(m, self, reads)
        m.d.comb += self.commands.valid.eq(
            self.targets.valid & allowed & ~(self.discard & ~reading & ~offered)
        )
        taken = self.commands.valid & self.commands.ready
        m.d.sync += offered.eq(self.commands.valid & ~self.commands.ready)
        with m.If(taken):
            with m.If(is_device & ~reading):
                m.d.sync += reading.eq(1)
            with m.Elif(is_device & ~last_read):
                pass
            with m.Else():
                m.d.comb += self.targets.ready.eq(1)
                m.d.sync += reading.eq(0)
                with m.If(is_device):
                    m.d.comb += [
                        self.coin_done.eq(target.last & is_coin),
                        self.sample_done.eq(target.last & ~is_coin),
                    ]
                    with m.If(target.last):
                        m.d.sync += exhausted.eq(1)
        with m.Elif(self.discard & self.targets.valid & ~reading & ~offered):
            m.d.comb += self.targets.ready.eq(1)
        return m


class ResultRouter(wiring.Component):
    """Routes every reading to its destination: readings arrive in the order of their ``tags``.

    If the configuration has ``repeats``, ``2**log_repeats`` readings of a device of the sample or
    of the coin become one code, ``shift_round(sum, log_repeats)``.

    An output that is not taken stalls the readings behind it.

    Parameters
    ----------
    config : CoreConfig
    depth : int
        Readings that may be under way.

    Attributes
    ----------
    tags : In(stream of tag)
        Tags of READ and DOT.
    results : In(stream of array_response)
        Their readings.
    read_backs : Out(stream of read_back)
        Codes of programmed devices, with their tags.
    readings : Out(stream of array_response)
        Readings of the likelihood.
    raw : Out(stream of array_response)
        Readings of raw operations.
    empty : Out(1)
        No reading is under way.
    log_repeats : In(REPEAT_BITS)
        Only with ``repeats`` of the configuration.
    """

    def __init__(self, config: CoreConfig, depth: int = 64) -> None:
        self.config = config
        self.depth = depth
        super().__init__(
            repeats_of(config)
            | {
                "tags": In(stream.Signature(tag(config))),
                "results": In(stream.Signature(array_response(config))),
                "read_backs": Out(stream.Signature(read_back(config))),
                "readings": Out(stream.Signature(array_response(config))),
                "raw": Out(stream.Signature(array_response(config))),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.waiting = waiting = StreamFifo(tag(self.config), self.depth)
        head = waiting.output
        if not self.config.bit_serial:  # whether a reading is taken is computed late
            m.submodules.next = following = StreamRegister(tag(self.config))
            wiring.connect(m, head, following.input)
            head = following.output
        # Offers of READs and DOTs depend on this signal, so it should be early. For a power of two,
        # it is a bit of a register.
        inside = Signal(range(self.depth + 1))
        m.d.comb += [
            waiting.input.valid.eq(self.tags.valid & self.tags.ready),
            waiting.input.payload.eq(self.tags.payload),
        ]
        m.d.sync += inside.eq(inside + waiting.input.valid - (head.valid & head.ready))
        m.d.comb += self.tags.ready.eq(inside < self.depth)
        m.d.comb += [
            self.empty.eq(inside == 0),
            self.read_backs.payload.tag.eq(head.payload),
            self.readings.payload.eq(self.results.payload),
            self.raw.payload.eq(self.results.payload),
        ]
        averages = Signal()  # the reading is one of a programmed device
        self._average(m, averages)
        with m.If(head.valid & self.results.valid), m.Switch(head.payload.reader):
            with m.Case(Reader.LIKELIHOOD):
                taker = self.readings
                m.d.comb += [taker.valid.eq(1), self.results.ready.eq(taker.ready)]
            with m.Case(Reader.RAW):
                taker = self.raw
                m.d.comb += [taker.valid.eq(1), self.results.ready.eq(taker.ready)]
            with m.Default():
                m.d.comb += averages.eq(1)
        m.d.comb += head.ready.eq(self.results.valid & self.results.ready)
        return m

    def _average(self, m: Module, averages: Signal) -> None:
        """Readings of a programmed device become its code."""
        back, value = self.read_backs, self.results.payload.value
        if not self.config.repeats:
            m.d.comb += back.payload.code.eq(value)
            with m.If(averages):
                m.d.comb += [back.valid.eq(1), self.results.ready.eq(back.ready)]
            return
        earlier = Signal(CODE_BITS + MAX_LOG_REPEATS)
        total = (earlier + value)[: len(earlier)]
        last = counted_repeats(m, self, averages & self.results.ready)
        with m.Switch(self.log_repeats):
            for log in range(MAX_LOG_REPEATS + 1):
                with m.Case(log):
                    m.d.comb += back.payload.code.eq(shift_round(total, log))
        with m.If(averages):
            m.d.comb += [
                back.valid.eq(last),
                self.results.ready.eq(back.ready | ~last),
            ]
            with m.If(self.results.ready):
                m.d.sync += earlier.eq(Mux(last, 0, total))


def repeats_of(config: CoreConfig) -> dict[str, wiring.Member]:
    """The port of the number of repeats, if the configuration has them."""
    return {"log_repeats": In(REPEAT_BITS)} if config.repeats else {}


def counted_repeats(m: Module, block: Any, counts: Value) -> Value:
    """Whether the item of this clock is the last of its repeats; ``counts``: it is transferred."""
    if not block.config.repeats:
        return Const(1)
    done, final = Signal(MAX_LOG_REPEATS), Signal(MAX_LOG_REPEATS)
    m.d.sync += final.eq((1 << block.log_repeats) - 1)
    last = done == final
    with m.If(counts):
        m.d.sync += done.eq(Mux(last, 0, done + 1))
    return last
