"""Noise of pulses and properties of devices, from one Threefry unit."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import D2D_FRAC, GAUSS_FRAC, STUCK_BITS

from ..lib.arith import saturate, shift_round
from ..lib.pipeline import delayed
from .flow import flow
from .gauss import NORMAL_BITS, Gauss
from .pulse import OFFSET_BITS
from .threefry import IterativeThreefry, Threefry, counter_word

PROPERTIES = data.StructLayout(
    {"offset": signed(OFFSET_BITS), "stuck": unsigned(1), "high": unsigned(1)}
)
"""A device: its relative offset (LSB 2**-D2D_FRAC), whether it is stuck, and at which end."""

FOUND = data.StructLayout({"properties": PROPERTIES, "bank": unsigned(1)})


class Generator(wiring.Component):
    """Counters in; normals and properties of devices out, in order, as soon as they are ready.

    An offset is exact up to ``d2d_rel`` = 0.3; beyond that it saturates.

    Twin of a device: ``ohmcarlo.array.emulated.emulator_device``.

    Attributes
    ----------
    input : In(stream of counter_word)
        Counters; ``tag`` of a device is its bank.
    normal : Out(flow of a signed normal)
        Normals of the pulses; no back-pressure.
    found : Out(flow of FOUND)
        Properties of devices; no back-pressure.
    key0, key1 : In(32)
        Key of the generator.
    d2d_rel : In(D2D_FRAC + 1)
        Relative device-to-device spread, LSB 2**-D2D_FRAC.
    stuck_level : In(STUCK_BITS + 1)
        Fraction of stuck devices, LSB 2**-STUCK_BITS.
    restart : In(1)
        Drop all counters and results inside.
    """

    def __init__(self, fast: bool = True) -> None:
        self.fast = fast
        super().__init__(
            {
                "input": In(stream.Signature(counter_word(1))),
                "normal": Out(flow(signed(NORMAL_BITS))),
                "found": Out(flow(FOUND)),
                "key0": In(32),
                "key1": In(32),
                "d2d_rel": In(D2D_FRAC + 1),
                "stuck_level": In(STUCK_BITS + 1),
                "restart": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.threefry = threefry = Threefry() if self.fast else IterativeThreefry()
        m.submodules.gauss = gauss = Gauss()
        wiring.connect(m, wiring.flipped(self.input), threefry.input)
        words: Any = threefry.output.payload
        m.d.comb += [
            threefry.key0.eq(self.key0),
            threefry.key1.eq(self.key1),
            threefry.flush.eq(self.restart),
            gauss.word.eq(words.word0),
        ]
        stuck = words.word1[STUCK_BITS:] < self.stuck_level
        beside = delayed(
            m, Cat(words.device, words.tag, stuck, words.word1[0]), Gauss.LATENCY, "beside"
        )
        valid = threefry.output.valid
        for stage in range(Gauss.LATENCY):
            later = Signal(name=f"valid_{stage}")
            m.d.sync += later.eq(valid & ~self.restart)
            valid = later
        m.d.comb += [
            self.normal.valid.eq(valid & ~beside[0]),
            self.normal.payload.eq(gauss.normal),
        ]
        product = Signal(signed(D2D_FRAC + 1 + NORMAL_BITS + 1))
        found: Any = self.found.payload
        first = Signal()
        m.d.sync += [
            product.eq(self.d2d_rel * gauss.normal),
            first.eq(valid & beside[0] & ~self.restart),
            self.found.valid.eq(first & ~self.restart),
            found.properties.offset.eq(saturate(shift_round(product, GAUSS_FRAC), OFFSET_BITS)),
            Cat(found.bank, found.properties.stuck, found.properties.high).eq(
                delayed(m, beside[1:], 1, "found")
            ),
        ]
        return m


class NormalQueue(wiring.Component):
    """Prepared normals, at most ``DEPTH``, for the pulses since ``restart``.

    Attributes
    ----------
    ask : Out(stream of counter_word)
        Counters of the next pulses.
    made : In(flow of a signed normal)
        Their normals.
    available : Out(1)
        A normal can be claimed.
    claim : In(1)
        The pulse that begins takes the next normal; only while ``available``.
    pop : In(1)
        The pulse needs its normal now; in the order of the claims.
    normal : Out(signed(NORMAL_BITS))
        That normal, one clock after ``pop``.
    restart : In(1)
        Drop all normals; the next pulse has number ``first``.
    first : In(64)
        Number of the next pulse after ``restart``.
    """

    # enough for a pulse every other clock while the devices of a row are hashed
    DEPTH = 64

    def __init__(self) -> None:
        super().__init__(
            {
                "ask": Out(stream.Signature(counter_word(1))),
                "made": In(flow(signed(NORMAL_BITS))),
                "available": Out(1),
                "claim": In(1),
                "pop": In(1),
                "normal": Out(signed(NORMAL_BITS)),
                "restart": In(1),
                "first": In(64),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = normals = Memory(shape=signed(NORMAL_BITS), depth=self.DEPTH, init=[])
        write, read = normals.write_port(), normals.read_port()
        asked = Signal(64)
        room = Signal(range(self.DEPTH + 1), init=self.DEPTH)
        unclaimed = Signal(range(self.DEPTH + 1))
        head, tail = Signal(range(self.DEPTH)), Signal(range(self.DEPTH))
        ask: Any = self.ask.payload
        m.d.comb += [
            self.ask.valid.eq(room != 0),
            ask.counter0.eq(asked[:32]),
            ask.counter1.eq(asked[32:]),
            write.addr.eq(tail),
            write.data.eq(self.made.payload),
            write.en.eq(self.made.valid),
            read.addr.eq(head),
            self.normal.eq(read.data),
            self.available.eq(unclaimed != 0),
        ]
        asking = self.ask.valid & self.ask.ready
        m.d.sync += [
            asked.eq(asked + asking),
            room.eq(room - asking + self.pop),
            unclaimed.eq(unclaimed + self.made.valid - self.claim),
            tail.eq(tail + self.made.valid),
            head.eq(head + self.pop),
        ]
        with m.If(self.restart):
            m.d.sync += [
                asked.eq(self.first),
                room.eq(self.DEPTH),
                unclaimed.eq(0),
                head.eq(0),
                tail.eq(0),
            ]
        return m
