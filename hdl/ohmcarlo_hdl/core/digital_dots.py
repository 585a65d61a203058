"""Dot products from the codes read back, in place of accesses of the array."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import CODE_BITS

from ..array.dot import DotUnit
from ..array.emulator import codes_window
from ..array.flow import flow
from ..array.interface import Op, array_request, array_response
from ..config import CoreConfig
from ..lib.pipeline import CreditFifo
from .interface import kept_code


class DigitalDots(wiring.Component):
    """Answers DOT commands from a memory of codes, if ``enable`` is high; passes on the others.

    The memory keeps the read-backs of all samples in the array, so that predictions use it, too. A
    restart leaves it as it is. A DOT sees the codes that were ``kept`` before its command.

    Commands and results stay in order: a DOT waits until no reading of the array is owed, and
    readings wait until no digital result is under way. DOT commands are answered at one per clock,
    ``DotUnit.latency`` clocks after they were accepted, while results are taken. Their converter is
    that of the array. With ``enable`` low, both streams pass without delay.

    Twin: ``golden.likelihood.evaluate`` over the codes, and ``Controller.held_samples``.

    Attributes
    ----------
    enable : In(1)
        Dot products are digital; quasi-static.
    commands : In(stream of array_request)
        Commands of the controller.
    operations : Out(stream of array_request)
        Commands for the array.
    readings : In(stream of array_response)
        Readings of the array.
    results : Out(stream of array_response)
        Results, in the order of the commands.
    kept : In(flow of kept_code)
        A code to keep.
    load : In(codes_window)
        A pair of codes per word, as in the window ``state_codes``; only while nothing is under way.
    """

    SLOTS = 16
    """Digital results under way or waiting; more than the latency."""
    MAX_OWED = 511
    """More than the sequencer's readings that can be owed."""

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        super().__init__(
            {
                "enable": In(1),
                "commands": In(stream.Signature(array_request(config))),
                "operations": Out(stream.Signature(array_request(config))),
                "readings": In(stream.Signature(array_response(config))),
                "results": Out(stream.Signature(array_response(config))),
                "kept": In(flow(kept_code(config))),
                "load": In(codes_window(config)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.dot = dot = DotUnit(config)
        m.submodules.answers = answers = CreditFifo(array_response(config), self.SLOTS)
        command: Any = self.commands.payload

        # -- commands
        is_dot, is_read = command.op == Op.DOT, command.op == Op.READ
        digital, answered = Signal(), Signal()
        may_pass, may_start = Signal(), Signal()
        nothing_owed, none_flying = Signal(init=1), Signal(init=1)
        m.d.comb += [
            digital.eq(self.enable & is_dot),
            answered.eq(is_read | (is_dot & ~self.enable)),
            may_pass.eq(~digital),
            may_start.eq(digital & nothing_owed & answers.room),
            self.operations.payload.eq(self.commands.payload),
            self.operations.valid.eq(self.commands.valid & may_pass),
            self.commands.ready.eq((self.operations.ready & may_pass) | may_start),
        ]
        passes = self.operations.valid & self.operations.ready
        starts = self.commands.valid & may_start

        # -- results: digital ones under way are older than readings that are owed
        with m.If(none_flying):
            wiring.connect(m, wiring.flipped(self.readings), wiring.flipped(self.results))
        with m.Else():
            wiring.connect(m, answers.output, wiring.flipped(self.results))
        taken = self.results.valid & self.results.ready
        owed = Signal(range(self.MAX_OWED + 1))
        flying = Signal(range(self.SLOTS + 2))
        owed_next, flying_next = Signal.like(owed), Signal.like(flying)
        m.d.comb += [
            owed_next.eq(owed + (passes & answered) - (taken & none_flying)),
            flying_next.eq(flying + starts - (taken & ~none_flying)),
        ]
        m.d.sync += [
            owed.eq(owed_next),
            flying.eq(flying_next),
            nothing_owed.eq(owed_next == 0),
            none_flying.eq(flying_next == 0),
        ]

        # -- the codes
        row_devices = 2 * config.geometry.pairs
        m.submodules.codes = codes = Memory(
            shape=data.ArrayLayout(unsigned(CODE_BITS), row_devices),
            depth=config.geometry.rows,
            init=[],
        )
        write, fetch = codes.write_port(granularity=1), codes.read_port()
        kept: Any = self.kept.payload
        m.d.comb += [
            write.addr.eq(kept.row),
            fetch.addr.eq(command.row),
            dot.codes.eq(fetch.data),
            dot.start.eq(starts),
            dot.inputs.eq(command.inputs),
            dot.top.eq(command.top),
            dot.tile.eq(command.tile),
            answers.enter.eq(starts),
            answers.arrived.eq(dot.done),
            answers.payload.value.eq(dot.reading),
        ]
        for device in range(row_devices):
            m.d.comb += [
                write.data[device].eq(kept.code),
                write.en[device].eq(self.kept.valid & (kept.device == device)),
            ]
        self._load(m, write)
        return m

    def _load(self, m: Module, write: Any) -> None:
        pair_bits = self.config.device_bits - 1
        with m.If(self.load.stb):
            m.d.comb += [write.addr.eq(self.load.addr[pair_bits:]), write.en.eq(0)]
            for pair in range(self.config.geometry.pairs):
                for side in range(2):
                    device, low = 2 * pair + side, 16 * side
                    m.d.comb += write.data[device].eq(self.load.data[low : low + CODE_BITS])
                with m.If(self.load.addr[:pair_bits] == pair):
                    m.d.comb += Cat(write.en[2 * pair], write.en[2 * pair + 1]).eq(0b11)
