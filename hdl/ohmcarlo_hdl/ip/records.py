"""From the records of a controller to the ring or to an AXI4-Stream."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..buses.axi4_stream import Axi4Stream, StreamTransmitter, packet_word
from ..config import CoreConfig
from ..core.interface import PREDICTION, RECORD_WORD, step_record
from ..lib.fifo import StreamRegister
from ..lib.window import Access
from ..soc.records import WORD_BITS, RecordMerger
from ..soc.rings import COUNT_BITS, ReceiveRing
from .interrupts import CommandEnd
from .packets import KIND_BITS, Packets


class RecordPath(wiring.Component):
    """Merges the records of a controller and delivers them; finds the end of a command.

    Options take effect between commands. After a fault, the controller may still offer records of
    the step under way: a record that begins after the end of its command is discarded.

    Parameters
    ----------
    config : CoreConfig
    items : int
        Words of the ring, a power of two.
    streams : bool
        Whether records can leave as an AXI4-Stream.

    Attributes
    ----------
    step_records : In(stream of step_record)
        Results of steps.
    samples : In(stream of RECORD_WORD)
        Words of sample records.
    predictions : In(stream of PREDICTION)
        Sums of data points.
    sample_pairs : In(range(max_sample_pairs + 1))
        Device pairs of a sample.
    executing : In(1)
        A command is executed, or is given in this clock.
    restart : In(1)
        Rest of the records under way will not come; the inputs are not valid in the next clock.
    to_stream : In(1)
        Records leave through ``axis``. 0: through the ring.
    whole_command : In(1)
        A packet is all records of a command. 0: one record.
    received : Out(COUNT_BITS)
        Words put into the ring.
    taken : In(COUNT_BITS)
        Words that software has read.
    window : In(Access)
        The ring.
    axis : Out(Axi4Stream)
        Packets, with the kind of the record as ``tdest``; only with ``streams``.
    active : Out(1)
        A command has not ended.
    ended : Out(1)
        A command has ended; high for one clock.
    """

    def __init__(self, config: CoreConfig, items: int, streams: bool) -> None:
        self.config, self.items, self.streams = config, items, streams
        ports: dict[str, Any] = {
            "step_records": In(stream.Signature(step_record(config))),
            "samples": In(stream.Signature(RECORD_WORD)),
            "predictions": In(stream.Signature(PREDICTION)),
            "sample_pairs": In(range(config.max_sample_pairs + 1)),
            "executing": In(1),
            "restart": In(1),
            "to_stream": In(1),
            "whole_command": In(1),
            "received": Out(COUNT_BITS),
            "taken": In(COUNT_BITS),
            "window": In(Access(bits_for(items - 1))),
            "active": Out(1),
            "ended": Out(1),
        }
        if streams:
            ports["axis"] = Out(Axi4Stream(KIND_BITS))
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.merger = merger = ResetInserter(self.restart)(RecordMerger(self.config))
        m.submodules.packets = packets = Packets()
        m.submodules.words = words = StreamRegister(packet_word(KIND_BITS))
        m.submodules.ring = ring = ReceiveRing(WORD_BITS, self.items)
        m.submodules.command_end = end = CommandEnd()
        for source, sink in (
            (wiring.flipped(self.step_records), merger.steps),
            (wiring.flipped(self.samples), merger.samples),
            (wiring.flipped(self.predictions), merger.predictions),
            (packets.packets, words.input),
            (wiring.flipped(self.window), ring.window),
        ):
            wiring.connect(m, source, sink)
        to_stream, whole = Signal(), Signal()
        with m.If(~end.active):
            m.d.sync += [
                to_stream.eq(self.to_stream & self.streams),
                whole.eq(self.whole_command),
            ]
        offered = self.step_records.valid | self.samples.valid | self.predictions.valid
        # ``over``: the last command has ended, and all records that were offered by then are out
        over, was_over, discards, discarding = Signal(), Signal(init=1), Signal(), Signal()
        m.d.comb += [
            over.eq(~self.executing & (was_over | (~offered & merger.between))),
            discards.eq(Mux(merger.between, was_over & ~self.executing, discarding)),
        ]
        m.d.sync += [was_over.eq(over), discarding.eq(discards)]
        m.d.comb += [
            merger.sample_pairs.eq(self.sample_pairs),
            packets.words.valid.eq(merger.words.valid & ~discards),
            packets.words.payload.word.eq(merger.words.payload),
            packets.words.payload.last.eq(merger.last),
            packets.words.payload.dest.eq(merger.kind),
            merger.words.ready.eq(packets.words.ready | discards),
            packets.whole_command.eq(whole),
            packets.restart.eq(self.restart),
            packets.ended.eq(over),
        ]
        out = words.output
        m.d.comb += [
            ring.input.payload.eq(out.payload.word),
            ring.input.valid.eq(out.valid & ~to_stream),
            ring.taken.eq(self.taken),
            self.received.eq(ring.received),
            out.ready.eq(ring.input.ready),
        ]
        pending = ~over | ~packets.empty | out.valid
        if self.streams:
            m.submodules.transmitter = transmitter = StreamTransmitter(KIND_BITS)
            wiring.connect(m, transmitter.axis, wiring.flipped(self.axis))
            m.d.comb += [
                transmitter.words.payload.eq(out.payload),
                transmitter.words.valid.eq(out.valid & to_stream),
                out.ready.eq(Mux(to_stream, transmitter.words.ready, ring.input.ready)),
            ]
            pending |= transmitter.axis.tvalid
        m.d.comb += [
            end.executing.eq(self.executing),
            end.pending.eq(pending),
            self.active.eq(end.active),
            self.ended.eq(end.ended),
        ]
        return m
