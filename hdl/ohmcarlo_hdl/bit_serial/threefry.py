"""Threefry-2x32 with one adder and a rotation of one bit per clock."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring

from ohmcarlo.spec import THREEFRY_PARITY, THREEFRY_ROTATIONS, THREEFRY_ROUNDS

from ..array.threefry import ROUNDS_PER_KEY, ThreefryPorts

INJECTIONS = THREEFRY_ROUNDS // ROUNDS_PER_KEY + 1
"""Key additions, including the one at the start."""


class SerialThreefry(wiring.Component):
    """One counter at a time, in some 400 clocks; ``device`` must be 0.

    The words of both halves pass the same adder: a word of the key is added to one half, which then
    changes places with the other. After ``flush``, it stays busy for the rest of the dropped
    counter.

    Twin: ``ohmcarlo.array.threefry.threefry2x32``.

    Attributes
    ----------
    input, output, key0, key1, flush : ThreefryPorts
        As in ``ThreefryPorts``.
    """

    def __init__(self, tag_bits: int = 1) -> None:
        self.tag_bits = tag_bits
        super().__init__(ThreefryPorts(tag_bits))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        x0, x1 = Signal(32), Signal(32)
        tag = Signal(self.tag_bits)
        round_number = Signal(range(len(THREEFRY_ROTATIONS)))
        injection = Signal(range(INJECTIONS + 1))
        key_index = Signal(range(3))
        left = Signal(range(max(THREEFRY_ROTATIONS) + 1))
        forgotten = Signal()
        key, operand, total = Signal(32), Signal(32), Signal(32)
        with m.Switch(key_index):
            with m.Case(0):
                m.d.comb += key.eq(self.key0)
            with m.Case(1):
                m.d.comb += key.eq(self.key1)
            with m.Default():
                m.d.comb += key.eq(self.key0 ^ self.key1 ^ THREEFRY_PARITY)
        m.d.comb += [operand.eq(key), total.eq(x0 + operand)]
        turns = Signal.like(left)
        with m.Switch(round_number):
            for number, rotation in enumerate(THREEFRY_ROTATIONS):
                with m.Case(number):
                    m.d.comb += turns.eq(rotation)
        following = Mux(key_index == 2, 0, key_index + 1)
        item: Any = self.input.payload
        with m.FSM(name="state") as fsm:
            m.d.comb += self.input.ready.eq(fsm.ongoing("IDLE"))
            with m.State("IDLE"), m.If(self.input.valid):
                m.d.sync += [
                    Cat(x0, x1).eq(Cat(item.counter0, item.counter1)),
                    tag.eq(item.tag),
                    Cat(round_number, injection, key_index).eq(0),
                ]
                m.next = "FIRST KEY"
            with m.State("FIRST KEY"):
                m.d.sync += [Cat(x0, x1).eq(Cat(x1, total)), key_index.eq(following)]
                m.next = "INJECTION"
            with m.State("INJECTION"):
                m.d.comb += operand.eq(injection)
                m.d.sync += [x0.eq(total), injection.eq(injection + 1)]
                m.next = "SECOND KEY"
            with m.State("SECOND KEY"):
                # the next injection begins with the same word of the key
                m.d.sync += Cat(x0, x1).eq(Cat(x1, total))
                m.next = "MIX"
                with m.If(injection == INJECTIONS):
                    m.next = "WORDS"
            with m.State("MIX"):
                m.d.comb += operand.eq(x1)
                m.d.sync += [x0.eq(total), left.eq(turns)]
                m.next = "TURN"
            with m.State("TURN"):
                m.d.sync += [x1.eq(x1.rotate_left(1)), left.eq(left - 1)]
                with m.If(left == 1):
                    m.next = "XOR"
            with m.State("XOR"):
                m.d.sync += [x1.eq(x1 ^ x0), round_number.eq(round_number + 1)]
                m.next = "MIX"
                with m.If(round_number[:2] == ROUNDS_PER_KEY - 1):
                    m.next = "FIRST KEY"
            with m.State("WORDS"):
                m.d.comb += self.output.valid.eq(~(self.flush | forgotten))
                m.next = "IDLE"
        m.d.comb += [
            self.output.payload.word0.eq(x0),
            self.output.payload.word1.eq(x1),
            self.output.payload.tag.eq(tag),
        ]
        with m.If(self.input.ready):
            m.d.sync += forgotten.eq(0)
        with m.Elif(self.flush):
            m.d.sync += forgotten.eq(1)
        return m
