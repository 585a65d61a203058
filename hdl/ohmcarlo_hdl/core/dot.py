"""The accumulator: readings of accesses become dot products."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.spec import CODE_MAX

from ..array.interface import array_response
from ..config import CoreConfig
from ..lib.arith import shift_round
from ..lib.fifo import StreamFifo
from .interface import MAX_LOG_REPEATS, REPEAT_BITS


def access_tag(config: CoreConfig) -> data.StructLayout:
    """Tag of an access, kept until its reading arrives.

    ``first`` and ``last`` access of a dot product, the bit ``plane``, and whether the row is the
    ``output`` row (its dot product is a logit) or a hidden one.
    """
    return data.StructLayout(
        {
            "output": unsigned(1),
            "first": unsigned(1),
            "last": unsigned(1),
            "plane": unsigned(bits_for(config.planes - 1)),
        }
    )


def total_bits(config: CoreConfig) -> int:
    """Signed width that holds every accumulated dot product, the converter's rounding included."""
    g, bits = config.geometry, config.access_bits
    bound = 0
    for tile in range(config.tiles):
        pairs = min(config.tile_pairs, config.max_features - tile * config.tile_pairs)
        for plane in range(config.planes):
            top = 1 << (bits - 1) if plane == config.planes - 1 else (1 << bits) - 1
            reading = (top * CODE_MAX * pairs + ((1 << g.dot_shift) >> 1)) >> g.dot_shift
            bound += reading << (g.dot_shift + plane * bits)
    return max(1 + bits_for(bound), config.dot_bits)


class DotAccumulator(wiring.Component):
    """Adds up the readings of a dot product: ``total += reading << (dot_shift + plane bits)``.

    Tags wait here for their readings; up to ``DEPTH`` accesses may be under way. ``dot`` is valid
    for one clock, ``LATENCY`` clocks after its last reading was taken; nothing stalls it. If the
    configuration has ``repeats``, it is ``shift_round(total, log_repeats)``, a clock later.

    Twin: ``golden.likelihood.dot_access``.

    Attributes
    ----------
    note : In(1)
        An access is issued; only while ``room`` is high.
    tag : In(access_tag(config))
        Its tag.
    room : Out(1)
        Another access may be issued.
    readings : In(stream of array_response)
        Readings, in the order of the accesses.
    drop : In(1)
        Take readings and discard them.
    busy : Out(1)
        Readings are still to come.
    valid : Out(1)
        ``dot`` is complete.
    output : Out(1)
        It belongs to an output row.
    dot : Out(signed(width))
        Dot product.
    log_repeats : In(REPEAT_BITS)
        Only with ``repeats`` of the configuration.
    """

    LATENCY = 1
    DEPTH = 64

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        self.width = total_bits(config)
        repeats = {"log_repeats": In(REPEAT_BITS)} if config.repeats else {}
        super().__init__(
            repeats
            | {
                "note": In(1),
                "tag": In(access_tag(config)),
                "room": Out(1),
                "readings": In(stream.Signature(array_response(config))),
                "drop": In(1),
                "busy": Out(1),
                "valid": Out(1),
                "output": Out(1),
                "dot": Out(signed(self.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.tags = tags = StreamFifo(access_tag(config), self.DEPTH)
        tag = tags.output.payload
        m.d.comb += [
            tags.input.payload.eq(self.tag),
            tags.input.valid.eq(self.note),
            self.room.eq(tags.input.ready),
            self.readings.ready.eq(tags.output.valid),
            tags.output.ready.eq(self.readings.valid),
            self.busy.eq(tags.level != 0),
        ]
        valid, output, total = self.valid, self.output, self.dot
        if config.repeats:
            valid, output, total = self._averaged(m)
        part = Signal(signed(self.width))
        value = self.readings.payload.value
        shifts = [config.geometry.dot_shift + p * config.access_bits for p in range(config.planes)]
        if config.planes == 1:
            m.d.comb += part.eq(value << shifts[0])
        else:
            with m.Switch(tag.plane):
                for plane, shift in enumerate(shifts):
                    with m.Case(plane):
                        m.d.comb += part.eq(value << shift)
        taken = Signal()
        m.d.comb += taken.eq(self.readings.valid & self.readings.ready)
        m.d.sync += valid.eq(taken & tag.last & ~self.drop)
        with m.If(taken):
            m.d.sync += output.eq(tag.output)
            with m.If(tag.first):
                m.d.sync += total.eq(part)
            with m.Else():
                m.d.sync += total.eq(total + part)
        return m

    def _averaged(self, m: Module) -> tuple[Signal, Signal, Signal]:
        """``valid``, ``output`` and the sum of all repeats, a clock before the outputs."""
        valid, output = Signal(name="total_valid"), Signal(name="total_output")
        total = Signal(signed(self.width + MAX_LOG_REPEATS), name="total")
        m.d.sync += [self.valid.eq(valid & ~self.drop), self.output.eq(output)]
        with m.Switch(self.log_repeats):
            for log in range(MAX_LOG_REPEATS + 1):
                with m.Case(log):
                    m.d.sync += self.dot.eq(shift_round(total, log))
        return valid, output, total
