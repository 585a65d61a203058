"""Gauss: the inverse normal CDF over corner words and random ones, one per clock."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from ohmcarlo.spec import GAUSS_SUB_BITS, gauss, gauss_table
from ohmcarlo_hdl.array.gauss import Gauss
from verif.harness import run_bench, start_clock, stimuli

RANDOM = 4000


def corner_words() -> list[int]:
    """Both ends, and both sides of every octave and of segments next to its edges."""
    tails = {0, 1, 2, 31, 32, 33, 63, 64, 65, (1 << 31) - 1, (1 << 31) - 2}
    for octave in range(GAUSS_SUB_BITS, 31):
        for edge in (1 << octave, (1 << octave) + (1 << max(octave - GAUSS_SUB_BITS, 0))):
            tails |= {edge - 2, edge - 1, edge, edge + 1, edge + 2}
    tails = {t for t in tails if 0 <= t < 1 << 31}
    return sorted(tails | {t | 1 << 31 for t in tails})


@cocotb.test()
async def equals_the_table(dut) -> None:  # type: ignore[no-untyped-def]
    rng = stimuli(11)
    words = corner_words()
    words += [rng.getrandbits(32) for _ in range(RANDOM)]
    words += [rng.getrandbits(rng.randrange(1, 32)) | rng.getrandbits(1) << 31 for _ in range(1000)]
    rng.shuffle(words)
    nodes = gauss_table()
    await start_clock(dut)
    found = []
    for word in words + [0] * (Gauss.LATENCY + 1):
        dut.word.value = word
        await RisingEdge(dut.clk)
        found.append(dut.normal.value.to_signed())
    # an edge samples the values of one clock before it
    found = found[Gauss.LATENCY :][: len(words)]
    assert found == [gauss(nodes, w) for w in words]


def test_gauss() -> None:
    run_bench(Gauss(), __name__)
