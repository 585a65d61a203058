"""NegLog: -log u, to the bit, for words with any number of zeros ahead."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from ohmcarlo.array import EmulatedArray
from ohmcarlo.golden import SamplerSettings
from ohmcarlo.golden.entropy import minus_log_u
from ohmcarlo.golden.machine import WORD, ZEROS_BEFORE, build_machine, build_state
from ohmcarlo.spec import (
    COIN_BITS,
    LN2,
    NEG_LOG_SEGMENT_BITS,
    SYMBOL_BITS,
    Geometry,
)
from ohmcarlo_hdl.entropy.neg_log import T_MAX, NegLog
from verif.harness import run_bench, start_clock, stimuli

MANTISSA_BITS = COIN_BITS - 1
SEGMENT = 1 << (MANTISSA_BITS - NEG_LOG_SEGMENT_BITS)


def corner_words() -> list[int]:
    """Every single bit, all ones below it, every node of the table and its neighbours."""
    words = [1 << bit for bit in range(COIN_BITS)] + [(2 << bit) - 1 for bit in range(COIN_BITS)]
    for node in range(0, (1 << MANTISSA_BITS) + 1, SEGMENT):
        words += [(1 << MANTISSA_BITS) + node + off for off in (-1, 0, 1)]
    return [w for w in words if 0 < w < 1 << COIN_BITS]


@cocotb.test()
async def equals_golden(dut) -> None:  # type: ignore[no-untyped-def]
    rng = stimuli(11)
    geometry = Geometry()
    registers = SamplerSettings().registers(geometry, 5, EmulatedArray(geometry, 1).sigma_us)
    machine, state = build_machine(registers), build_state(registers)
    words = [(w, 0) for w in corner_words()]
    for _ in range(3000):
        word = rng.getrandbits(COIN_BITS) >> rng.choice([0, 0, rng.randrange(COIN_BITS)])
        words.append((max(word, 1), COIN_BITS * rng.choice([0, 0, 0, 1, 2, rng.randrange(3000)])))
    highest = T_MAX // LN2  # zeros that just do not saturate
    words += [(rng.getrandbits(COIN_BITS) | 1, highest + k) for k in range(-25, 26)]
    await start_clock(dut)
    edge = RisingEdge(dut.clk)
    saturated = 0
    for word, zeros_before in words:
        zeros = COIN_BITS - word.bit_length()
        dut.word.value = word
        dut.before.value = min((zeros_before + zeros) * LN2, T_MAX)
        for _ in range(NegLog.LATENCY + 1):
            await edge
        state.scalars[WORD], state.scalars[ZEROS_BEFORE] = word, zeros_before
        expected = min(minus_log_u(machine, state), T_MAX)
        assert int(dut.t.value) == expected, (word, zeros_before)
        saturated += expected == T_MAX
    assert saturated > 10


def test_neg_log() -> None:
    run_bench(NegLog, __name__)


def test_a_word_is_a_whole_number_of_symbols() -> None:
    assert COIN_BITS % SYMBOL_BITS == 0
