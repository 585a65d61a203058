"""The daughterboard model: legal stimuli pass, and every illegal stimulus raises an assertion."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import cocotb
import numpy as np
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

from ohmcarlo.array.presets import get_preset
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.array.phy.pins import PINS, pins_signature
from ohmcarlo_hdl.config import CoreConfig
from verif.daughterboard import Daughterboard, KeyedArray, Limits, Wired
from verif.harness import run_bench

CONFIG = CoreConfig(Geometry(rows=16, pairs=12, entropy_pairs=2, access_bits=1), max_group_rows=1)
OUTPUTS = [pin.name for pin in PINS if pin.direction == "o"]
LIMITS = Limits(
    dac_settle_ns=500, line_settle_ns=200, front_end_ns=300, guard_ns=40, chain_level_ns=20,
    dac_level_ns=20, adc_level_ns=20, quiet_ns=40,
    longest_ns=dict.fromkeys(("form", "reset", "set", "read", "dot"), 2000),
)  # fmt: skip
HALF = 20  # ns, of every serial clock


class Puppet(wiring.Component):
    """Pins that a test drives: bit i of ``wires`` is the i-th output of the table."""

    def __init__(self) -> None:
        super().__init__({"wires": In(len(OUTPUTS)), "dout": Out(1), "pins": Out(pins_signature())})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for i, name in enumerate(OUTPUTS):
            m.d.comb += getattr(self.pins, name).eq(self.wires[i])
        m.d.comb += self.dout.eq(self.pins.adc_dout)
        return m


class Hand:
    """Drives the wires as a Phy does."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.levels = 0
        self.edge = RisingEdge(dut.clk)
        self.set(hold_off=1, dac_sync_n=1)

    def set(self, **levels: int) -> None:
        for name, level in levels.items():
            bit = 1 << OUTPUTS.index(name)
            self.levels = self.levels | bit if level else self.levels & ~bit
        self.dut.wires.value = self.levels

    async def wait(self, ns: int) -> None:
        await Timer(ns, "ns")

    async def pulse(self, name: str, ns: int) -> None:
        self.set(**{f"pulse_{name}": 1})
        await self.wait(ns)
        self.set(**{f"pulse_{name}": 0})

    async def dac(self, word: int, bits: int = 32, half: int = HALF, rest: int = 100) -> None:
        self.set(dac_sync_n=0)
        await self.wait(half)
        for i in reversed(range(bits)):
            self.set(dac_sclk=1, dac_din=word >> i & 1)
            await self.wait(half)
            self.set(dac_sclk=0)
            await self.wait(half)
        self.set(dac_sync_n=1)
        await self.wait(rest)

    async def chain(self, name: str, word: int, bits: int, half: int = HALF, late: int = 0) -> None:
        for i in reversed(range(bits)):
            self.set(**{f"{name}_clock": 0} | ({} if late else {f"{name}_data": word >> i & 1}))
            await self.wait(half)
            self.set(**{f"{name}_clock": 1, f"{name}_data": word >> i & 1})
            await self.wait(half)
        self.set(**{f"{name}_clock": 0})
        await self.wait(HALF)
        self.set(**{f"{name}_latch": 1})
        await self.wait(20)
        self.set(**{f"{name}_latch": 0})
        await self.wait(20)

    async def sample(self, convert: int = 800) -> None:
        self.set(adc_convst=1)
        await self.wait(convert)
        self.set(adc_convst=0)
        await self.wait(HALF)

    async def bits(self, n: int = 16, half: int = HALF) -> int:
        value = 0
        for _ in range(n):
            self.set(adc_sclk=1)
            await self.wait(half)
            value = value << 1 | int(self.dut.dout.value)
            self.set(adc_sclk=0)
            await self.wait(half)
        return value

    async def legal(self) -> None:
        """Set rails and lines and let them settle; row 3, device 5, one input."""
        await self.dac(0x0700_0000)
        await self.dac(0x0800_0001)
        for channel in range(8):
            await self.dac(0x0300_0000 | channel << 20 | 0x800 << 8)
        self.set(hold_off=0)
        await self.chain("address", 3 | 5 << 4, 16)
        await self.chain("inputs", 1, 16)
        await self.wait(600)

    async def read(self, name: str = "read") -> int:
        self.set(**{f"pulse_{name}": 1})
        await self.wait(350)
        await self.sample()
        self.set(**{f"pulse_{name}": 0})
        value = await self.bits()
        await self.wait(300)
        return value


async def together(hand: Hand) -> None:
    hand.set(pulse_set=1, pulse_reset=1)


async def overlapping(hand: Hand) -> None:
    hand.set(pulse_set=1)
    await hand.wait(50)
    hand.set(pulse_dot=1)


async def close(hand: Hand) -> None:
    await hand.pulse("set", 100)
    await hand.wait(30)
    await hand.pulse("set", 100)


async def moves_in(hand: Hand, what: Awaitable[None]) -> None:
    hand.set(pulse_set=1)
    await what


async def moves_after(hand: Hand) -> None:
    for i in range(16):
        hand.set(inputs_clock=0)
        await hand.wait(HALF)
        hand.set(inputs_clock=1)
        await hand.wait(HALF)
        if i == 14:
            hand.set(pulse_set=1)
    hand.set(pulse_set=0)
    await hand.wait(HALF)
    hand.set(inputs_latch=1)


async def unsettled_rail(hand: Hand) -> None:
    await hand.dac(0x0300_0000)
    await hand.wait(300)
    await hand.pulse("set", 100)


async def unsettled_lines(hand: Hand) -> None:
    await hand.chain("address", 7, 16)
    await hand.wait(100)
    await hand.pulse("set", 100)


async def unsettled_release(hand: Hand) -> None:
    hand.set(hold_off=1)
    await hand.wait(1000)
    hand.set(hold_off=0)
    await hand.wait(100)
    await hand.pulse("set", 100)


async def held_off(hand: Hand) -> None:
    hand.set(hold_off=1)
    await hand.wait(100)
    await hand.pulse("read", 100)


async def outside(hand: Hand) -> None:
    await hand.pulse("read", 400)
    await hand.wait(10)
    await hand.sample()


async def in_a_set(hand: Hand) -> None:
    hand.set(pulse_set=1)
    await hand.wait(400)
    await hand.sample()


async def early(hand: Hand) -> None:
    hand.set(pulse_read=1)
    await hand.wait(250)
    await hand.sample()


async def read_early(hand: Hand) -> None:
    hand.set(pulse_read=1)
    await hand.wait(350)
    await hand.sample(700)


async def again(hand: Hand, bits: int = 16, half: int = HALF, rest: int = 500) -> None:
    hand.set(pulse_read=1)
    await hand.wait(350)
    await hand.sample()
    await hand.bits(bits, half)
    await hand.wait(rest)
    hand.set(adc_convst=1)


async def tight_sync(hand: Hand) -> None:
    await hand.dac(0x0300_0000, rest=60)
    hand.set(dac_sync_n=0)


async def no_reference(hand: Hand) -> None:
    await hand.dac(0x0800_0000)
    await hand.wait(1000)
    await hand.pulse("set", 100)


async def reset_dac(hand: Hand) -> None:
    await hand.dac(0x0700_0000)
    await hand.wait(1000)
    await hand.pulse("reset", 100)


# Stimulus, and message of the board model.
WRONG: dict[str, tuple[Callable[[Hand], Awaitable[None]], str]] = {
    "SET and RESET": (together, "pulses overlap: reset and set"),
    "one after the other, overlapping": (overlapping, "pulses overlap: set and dot"),
    "too long": (lambda h: h.pulse("set", 2010), "set is too long: 2010 ns"),
    "too short": (lambda h: h.pulse("reset", 5), "reset is too short: 5 ns"),
    "two in a row": (close, "within the guard time of the last one"),
    "address in a pulse": (lambda h: moves_in(h, h.chain("address", 1, 16)), "address lines moves"),
    "inputs in a pulse": (lambda h: moves_in(h, h.chain("inputs", 1, 16)), "inputs lines moves"),
    "rail in a pulse": (lambda h: moves_in(h, h.dac(0x0310_0000)), "rail B moves during a pulse"),
    "inputs after a pulse": (moves_after, "inputs lines moves within a pulse's guard time"),
    "rail not settled": (unsettled_rail, "set before rail A settled"),
    "lines not settled": (unsettled_lines, "set before the address lines settled"),
    "just let go": (unsettled_release, "set before the address lines settled"),
    "held off": (held_off, "a pulse while the array is held off"),
    "sample after the pulse": (outside, "samples outside a read pulse"),
    "sample in a SET": (in_a_set, "samples outside a read pulse"),
    "sample too early": (early, "samples 250 ns after a pulse began"),
    "converter read too early": (read_early, "read before its conversion is over"),
    "15 bits of the converter": (lambda h: again(h, bits=15), "15 bits of the ADC were read"),
    "converter's clock": (lambda h: again(h, half=10, rest=900), "clock of adc is too fast: 10 ns"),
    "no acquisition": (lambda h: again(h, bits=4, rest=10), "no time to acquire"),
    "no quiet time": (lambda h: again(h, rest=10), "samples 30 ns after its last bit"),
    "31 bits for the DAC": (lambda h: h.dac(0, bits=31), "a frame of the DAC has 31 bits"),
    "DAC's clock": (lambda h: h.dac(0x0300_0000, half=10), "clock of dac is too fast: 10 ns"),
    "frames without a rest": (tight_sync, "SYNC of the DAC is high for too short"),
    "a command that is none": (lambda h: h.dac(0x0900_0000), "the DAC has no command 09000000"),
    "a prefix": (lambda h: h.dac(0x1300_0000), "begins with 0001"),
    "17 bits for 16 lines": (lambda h: h.chain("inputs", 0, 17), "17 bits for the 16 inputs lines"),
    "8 bits for 16 lines": (lambda h: h.chain("address", 0, 8), "8 bits for the 16 address lines"),
    "chain's clock": (lambda h: h.chain("address", 0, 16, half=10), "clock of address is too fast"),
    "bits that move": (lambda h: h.chain("inputs", 0x5555, 16, late=1), "a bit of inputs moves"),
    "reference off": (no_reference, "set: rail A was never set"),
    "rails after a reset": (reset_dac, "reset: rail B was never set"),
}


@cocotb.test()
async def hands(dut) -> None:  # type: ignore[no-untyped-def]
    dut.rst.value = 0
    Clock(dut.clk, 10, "ns", impl="gpi").start(start_high=False)
    for name, (wrong, says) in {"": (lambda h: h.wait(10), ""), **WRONG}.items():
        dut.wires.value = 1 << OUTPUTS.index("hold_off") | 1 << OUTPUTS.index("dac_sync_n")
        dut.rst.value = 1
        await Timer(2000, "ns")
        dut.rst.value = 0
        await RisingEdge(dut.clk)
        await Timer(4, "ns")  # between two edges of the receivers' clock
        hand = Hand(dut)
        await hand.wait(100)
        array = KeyedArray(CONFIG.geometry, "relative-5pct", 1)
        board = Daughterboard(dut, CONFIG, array, LIMITS, strict=False)
        await hand.legal()
        await hand.pulse("reset", 100)
        await hand.wait(100)
        await hand.pulse("set", 100)
        await hand.wait(100)
        code = await hand.read() - (1 << 15)
        assert array.ledger.set == 1 and array.ledger.reset == 24
        assert 380 < code < 640 and code == round(4 * array.conductance_us(3)[5])
        assert await hand.read("dot") - (1 << 15) == 0  # pair 0 is in its high-resistance state
        assert not board.faults, (name, board.faults)
        await wrong(hand)
        await hand.wait(100)
        board.task.cancel()
        assert not says or any(says in fault for fault in board.faults), (name, board.faults)
        # violation, time and wires
        assert all(" ns, with " in fault for fault in board.faults)


def test_every_check_fires() -> None:
    run_bench(Wired(Puppet()), __name__, testcase="hands")


def test_lines_with_resistance_are_those_of_the_model() -> None:
    """READ by READ and access by access, as the hardware makes them."""
    geometry = Geometry(rows=8, pairs=8, entropy_pairs=2, access_bits=1)
    preset = get_preset("rram-1t1r").with_values(wire_ohm=5.0, read_noise_rel=0.0, relax_us=0.0)
    array = KeyedArray(geometry, preset, 4)
    array.reset(3)
    codes = array.program(3, np.arange(16, dtype=np.int32), np.full(16, 1500, np.int32))
    assert [array.sense(3, device) for device in range(16)] == codes.tolist()
    ideal = KeyedArray(geometry, preset.with_values(wire_ohm=0.0), 4)
    ideal._g[:] = array._g
    for lines in np.random.default_rng(0).integers(0, 2, (4, 8)):
        lines[6:] = 0  # no inputs
        planes = [array.access(3, 0, -lines if bit == 7 else lines) << bit for bit in range(8)]
        inputs = -lines[None, :6].astype(np.int8)
        assert sum(planes) == array.dot(3, inputs)[0]
        assert abs(sum(planes) - ideal.dot(3, inputs)[0]) > 2  # the lines are seen
