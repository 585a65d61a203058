"""Threefry-2x32 with 20 rounds (Salmon et al., SC 2011), one word pair per clock, or one at a time.

Twin: ``ohmcarlo.array.threefry.threefry2x32``.
"""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import DEVICE_KEY, THREEFRY_PARITY, THREEFRY_ROTATIONS, THREEFRY_ROUNDS

from .flow import flow

ROUNDS_PER_KEY = 4
STEPS = THREEFRY_ROUNDS + THREEFRY_ROUNDS // ROUNDS_PER_KEY + 1
"""Rounds and key additions, including the one at the start."""


def counter_word(tag_bits: int) -> data.StructLayout:
    """A 64-bit counter to be hashed.

    ``device`` = 1 selects the key key0 ^ DEVICE_KEY: properties of devices instead of noise of
    pulses. ``tag`` is output with the words.
    """
    return data.StructLayout(
        {
            "counter0": unsigned(32),
            "counter1": unsigned(32),
            "device": unsigned(1),
            "tag": unsigned(tag_bits),
        }
    )


def hashed_word(tag_bits: int) -> data.StructLayout:
    """The two words of a counter."""
    return data.StructLayout(
        {
            "word0": unsigned(32),
            "word1": unsigned(32),
            "device": unsigned(1),
            "tag": unsigned(tag_bits),
        }
    )


class ThreefryPorts(wiring.Signature):
    """Ports of a Threefry unit of any form.

    Attributes
    ----------
    input : In(stream of counter_word)
        Counters to be hashed.
    output : Out(flow of hashed_word)
        Their words; no back-pressure, the requester reserves space for every word.
    key0, key1 : In(32)
        Key; stable while a counter is inside.
    flush : In(1)
        Drop the counters inside.
    """

    def __init__(self, tag_bits: int) -> None:
        super().__init__(
            {
                "input": In(stream.Signature(counter_word(tag_bits))),
                "output": Out(flow(hashed_word(tag_bits))),
                "key0": In(32),
                "key1": In(32),
                "flush": In(1),
            }
        )


def key_words(key0: Value, key1: Value, device: Value) -> list[Value]:
    """The three words of the key schedule."""
    first = key0 ^ Mux(device, DEVICE_KEY, 0)
    return [first, key1, first ^ key1 ^ THREEFRY_PARITY]


class Threefry(wiring.Component):
    """One counter per clock; its words follow ``LATENCY`` clocks later.

    There is one stage per round and one per key addition, so that no two adders are in series.

    Attributes
    ----------
    input, output, key0, key1, flush : ThreefryPorts
        As in ``ThreefryPorts``.
    """

    LATENCY = STEPS

    def __init__(self, tag_bits: int = 1) -> None:
        self.tag_bits = tag_bits
        super().__init__(ThreefryPorts(tag_bits))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        item: Any = self.input.payload
        x0, x1, device, tag = item.counter0, item.counter1, item.device, item.tag
        valid = self.input.valid
        m.d.comb += self.input.ready.eq(1)
        for step in range(STEPS):
            injection, phase = divmod(step, ROUNDS_PER_KEY + 1)
            next0, next1 = Signal(32, name=f"x0_{step}"), Signal(32, name=f"x1_{step}")
            if phase == 0:
                keys = key_words(self.key0, self.key1, device)
                m.d.sync += [
                    next0.eq(x0 + keys[injection % 3]),
                    next1.eq(x1 + keys[(injection + 1) % 3] + injection),
                ]
            else:
                turn = THREEFRY_ROTATIONS[(step - injection - 1) % len(THREEFRY_ROTATIONS)]
                total = (x0 + x1)[:32]
                m.d.sync += [next0.eq(total), next1.eq(x1.rotate_left(turn) ^ total)]
            tags = Signal(1 + self.tag_bits, name=f"tag_{step}")
            stays = Signal(name=f"valid_{step}")
            m.d.sync += [tags.eq(Cat(device, tag)), stays.eq(valid & ~self.flush)]
            x0, x1, device, tag, valid = next0, next1, tags[0], tags[1:], stays
        m.d.comb += [
            self.output.valid.eq(valid),
            self.output.payload.word0.eq(x0),
            self.output.payload.word1.eq(x1),
            self.output.payload.device.eq(device),
            self.output.payload.tag.eq(tag),
        ]
        return m


class IterativeThreefry(wiring.Component):
    """One step per clock, one counter at a time; its words follow ``LATENCY`` clocks later.

    The next counter is accepted in the clock in which the words are output.

    Attributes
    ----------
    input, output, key0, key1, flush : ThreefryPorts
        As in ``ThreefryPorts``.
    """

    LATENCY = STEPS + 1

    def __init__(self, tag_bits: int = 1) -> None:
        self.tag_bits = tag_bits
        super().__init__(ThreefryPorts(tag_bits))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        x0, x1 = Signal(32), Signal(32)
        keys = [Signal(32, name=f"key_{i}") for i in range(3)]
        device, tag = Signal(), Signal(self.tag_bits)
        busy = Signal()
        phase = Signal(range(ROUNDS_PER_KEY + 1))
        injection = Signal(range(STEPS // ROUNDS_PER_KEY))
        half = len(THREEFRY_ROTATIONS) // 2
        turned = Signal(32)
        with m.Switch(phase):
            for i in range(half):
                even, odd = THREEFRY_ROTATIONS[i], THREEFRY_ROTATIONS[half + i]
                with m.Case(i + 1):
                    # injections are counted before their rounds, hence the exchange
                    turns = Mux(injection[0], x1.rotate_left(even), x1.rotate_left(odd))
                    m.d.comb += turned.eq(turns)
        last = (phase == 0) & (injection == THREEFRY_ROUNDS // ROUNDS_PER_KEY)
        total = (x0 + Mux(phase == 0, keys[0], x1))[:32]
        m.d.sync += self.output.valid.eq(0)
        with m.If(busy):
            m.d.sync += x0.eq(total)
            with m.If(phase == 0):
                m.d.sync += [
                    x1.eq(x1 + keys[1] + injection),
                    Cat(keys).eq(Cat(keys[1], keys[2], keys[0])),
                    injection.eq(injection + 1),
                ]
            with m.Else():
                m.d.sync += x1.eq(turned ^ total)
            m.d.sync += phase.eq(Mux(phase == ROUNDS_PER_KEY, 0, phase + 1))
            m.d.sync += [busy.eq(~last), self.output.valid.eq(last)]
        item: Any = self.input.payload
        m.d.comb += self.input.ready.eq(~busy)
        with m.If(self.input.valid & ~busy):
            m.d.sync += [
                x0.eq(item.counter0),
                x1.eq(item.counter1),
                Cat(keys).eq(Cat(key_words(self.key0, self.key1, item.device))),
                device.eq(item.device),
                tag.eq(item.tag),
                phase.eq(0),
                injection.eq(0),
                busy.eq(1),
            ]
        with m.If(self.flush):
            m.d.sync += [busy.eq(0), self.output.valid.eq(0)]
        m.d.comb += [
            self.output.payload.word0.eq(x0),
            self.output.payload.word1.eq(x1),
            self.output.payload.device.eq(device),
            self.output.payload.tag.eq(tag),
        ]
        return m
