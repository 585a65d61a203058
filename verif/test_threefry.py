"""Threefry: Random123's known answers, the host's twin, one counter per clock."""

from __future__ import annotations

import cocotb
import pytest

from ohmcarlo.array.threefry import MASK, threefry2x32
from ohmcarlo.selftest.chain import KNOWN_ANSWERS
from ohmcarlo.spec import DEVICE_KEY
from ohmcarlo_hdl.array.threefry import IterativeThreefry, Threefry, counter_word, hashed_word
from verif.harness import Clocked, Packer, Source, case_parameters, run_bench, start_clock, stimuli

KINDS = {"pipelined": Threefry, "iterative": IterativeThreefry}
TAG_BITS = 5
OUT = Packer(hashed_word(TAG_BITS))


class Answers:
    """Records the words and the clocks of their arrival."""

    def __init__(self, dut) -> None:  # type: ignore[no-untyped-def]
        self.valid, self.payload = dut.output__valid, dut.output__payload
        self.items: list[dict[str, int]] = []
        self.clocks: list[int] = []
        self.clock = 0

    def tick(self) -> None:
        self.clock += 1
        if int(self.valid.value):
            self.items.append(OUT.unpack(int(self.payload.value)))
            self.clocks.append(self.clock)


def expected(key: tuple[int, int], item: dict[str, int]) -> dict[str, int]:
    key0 = key[0] ^ (DEVICE_KEY if item["device"] else 0)
    word0, word1 = threefry2x32(key0, key[1], item["counter0"], item["counter1"])
    return {"word0": word0, "word1": word1, "device": item["device"], "tag": item["tag"]}


@cocotb.test()
async def answers(dut) -> None:  # type: ignore[no-untyped-def]
    kind = KINDS[case_parameters()["kind"]]
    rng = stimuli(5)
    source = Source(dut, "input", counter_word(TAG_BITS))
    sink = Answers(dut)
    dut.flush.value = 0
    await start_clock(dut)
    bench = Clocked(dut, source, sink).start()

    async def ask(key: tuple[int, int], items: list[dict[str, int]]) -> list[dict[str, int]]:
        dut.key0.value, dut.key1.value = key
        sink.items.clear(), sink.clocks.clear()
        source.put(items)
        await bench.until(lambda: len(sink.items) == len(items), 2000 + 60 * len(items))
        return sink.items[:]

    for counter, key, words in KNOWN_ANSWERS:
        item = {"counter0": counter[0], "counter1": counter[1], "device": 0, "tag": 3}
        assert await ask(key, [item]) == [
            {"word0": words[0], "word1": words[1], "device": 0, "tag": 3}
        ]
    for _ in range(6):
        key = rng.getrandbits(32), rng.getrandbits(32)
        source.stall = rng.choice([0.0, 0.5])
        items = [
            {
                "counter0": rng.choice([rng.getrandbits(32), 0, MASK]),
                "counter1": rng.choice([rng.getrandbits(32), 0, MASK]),
                "device": rng.getrandbits(1),
                "tag": rng.getrandbits(TAG_BITS),
            }
            for _ in range(60)
        ]
        assert await ask(key, items) == [expected(key, i) for i in items]

    source.stall = 0.0
    assert await ask(key, items) == [expected(key, i) for i in items]
    gaps = {b - a for a, b in zip(sink.clocks, sink.clocks[1:], strict=False)}
    assert gaps == ({1} if kind is Threefry else {kind.LATENCY})

    # the latency, from the clock in which the counter is taken
    await ask(key, items[:1])
    began = sink.clock
    source.put(items[:1])
    await bench.until(lambda: source.done, 100)
    taken = sink.clock
    await bench.until(lambda: len(sink.items) == 2, 100)
    assert began < taken and sink.clocks[-1] - taken == kind.LATENCY


@cocotb.test()
async def flush_forgets(dut) -> None:  # type: ignore[no-untyped-def]
    """No counter from before a flush is answered; every later counter is."""
    rng = stimuli(6)
    source = Source(dut, "input", counter_word(TAG_BITS))
    sink = Answers(dut)
    dut.flush.value, dut.key0.value, dut.key1.value = 0, 7, 9
    await start_clock(dut)
    bench = Clocked(dut, source, sink).start()
    for wait in (0, 1, 3, 17, 25, 26, 27, 28):
        before, after = (
            {
                "counter0": rng.getrandbits(32),
                "counter1": rng.getrandbits(32),
                "device": 0,
                "tag": rng.getrandbits(TAG_BITS),
            }
            for _ in range(2)
        )
        sink.items.clear()
        source.put([before])
        await bench.until(lambda: source.done, 100)
        for _ in range(wait):
            await cocotb.triggers.RisingEdge(dut.clk)
        dut.flush.value = 1
        await cocotb.triggers.RisingEdge(dut.clk)
        dut.flush.value = 0
        await cocotb.triggers.RisingEdge(dut.clk)
        sink.items.clear()  # words that arrived during the flush
        source.put([after])
        for _ in range(80):
            await cocotb.triggers.RisingEdge(dut.clk)
        assert sink.items == [expected((7, 9), after)], wait


@pytest.mark.parametrize("kind", list(KINDS))
def test_threefry(kind: str) -> None:
    run_bench(KINDS[kind](TAG_BITS), __name__, {"kind": kind})
