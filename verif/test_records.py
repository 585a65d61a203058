"""Record stream: the words of the register map, without an interrupted or lost record."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.interface import PREDICTION, RECORD_WORD, step_record
from ohmcarlo_hdl.soc.records import RecordMerger
from verif.harness import Clocked, Sink, Source, case_parameters, run_bench, start_clock, stimuli

CONFIG = CoreConfig(Geometry(rows=64, pairs=16), max_points=1 << 16, max_regions=64)
STEPS, SAMPLES, PREDICTIONS = 150, 40, 60
MASK = (1 << 32) - 1

Record = list[int]


def step_of(rng: random.Random) -> dict[str, int]:
    return {
        "accepted": rng.randrange(2),
        "valid": rng.randrange(2),
        "region": rng.randrange(64),
        "points": rng.choice((0, 1 << 16, rng.randrange(1 << 16))),
        "loglik": rng.randrange(-(1 << 31), 1 << 31),
        "prior": rng.randrange(-(1 << 31), 1 << 31),
    }


# The tables of the register map, group "records", read by hand
def step_words(step: dict[str, int]) -> Record:
    first = 0x1000_0000 | step["points"] | step["region"] << 17
    first |= step["accepted"] << 23 | step["valid"] << 24
    values = [step["loglik"] & MASK, step["prior"] & MASK] if step["accepted"] else []
    return [first, *values]


def prediction_words(prediction: dict[str, int]) -> Record:
    total, square = prediction["sum"], prediction["square"]
    return [0x3000_0000, total & MASK, total >> 32, square & MASK, square >> 32]


def split(words: list[int]) -> dict[int, list[Record]]:
    """Records by kind, as software decodes the stream."""
    found: dict[int, list[Record]] = {1: [], 2: [], 3: []}
    at = 0
    while at < len(words):
        first = words[at]
        kind = first >> 28
        length = {1: 2 * (first >> 23 & 1), 2: first & 0xFFFFFF, 3: 4}[kind]
        assert at + length < len(words), "the last record is whole"
        found[kind].append(words[at : at + 1 + length])
        at += 1 + length
    return found


@cocotb.test()
async def merges(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    rng = stimuli(case["seed"])
    pairs = case["pairs"]
    steps = [step_of(rng) for _ in range(STEPS)]
    samples = [[rng.randrange(1 << 32) for _ in range(4 + pairs)] for _ in range(SAMPLES)]
    predictions = [
        {"sum": rng.randrange(1 << 64), "square": rng.randrange(1 << 64)}
        for _ in range(PREDICTIONS)
    ]
    words = [
        {"word": word, "last": int(i == len(sample) - 1)}
        for sample in samples
        for i, word in enumerate(sample)
    ]
    dut.sample_pairs.value = pairs
    # steps come in bursts, so that other records are sent in between
    sources = [
        Source(dut, "steps", step_record(CONFIG), steps, case["steps"], rng),
        Source(dut, "samples", RECORD_WORD, words, case["stall"], rng),
        Source(dut, "predictions", PREDICTION, predictions, case["stall"], rng),
    ]
    sink = Sink(dut, "words", 32, case["sink"], rng)
    await start_clock(dut)
    bench = Clocked(dut, *sources, sink).start()
    total = sum(len(step_words(s)) for s in steps) + SAMPLES * (5 + pairs) + 5 * PREDICTIONS
    await bench.until(lambda: len(sink.items) == total, 40 * total, "merging")
    end = bench.cycle + 20
    await bench.until(lambda: bench.cycle >= end, 40)
    assert len(sink.items) == total
    if not (case["stall"] or case["sink"] or case["steps"]):
        assert bench.cycle <= total + 30, "one word per clock"
    found = split(sink.items)
    assert found[1] == [step_words(s) for s in steps]
    assert found[2] == [[0x2000_0000 | 4 + pairs, *sample] for sample in samples]
    assert found[3] == [prediction_words(p) for p in predictions]


@cocotb.test()
async def order(dut) -> None:  # type: ignore[no-untyped-def]
    """Of records that wait together, the step goes first and the prediction last."""
    rng = stimuli(2)
    step = step_of(rng) | {"accepted": 1}
    dut.sample_pairs.value = 1
    words = [{"word": w, "last": int(w == 5)} for w in (1, 2, 3, 4, 5)]
    parts: list[Any] = [
        Source(dut, "steps", step_record(CONFIG), [step, step]),
        Source(dut, "samples", RECORD_WORD, words),
        Source(dut, "predictions", PREDICTION, [{"sum": 7, "square": 8}]),
        Sink(dut, "words", 32),
    ]
    await start_clock(dut)
    bench = Clocked(dut, *parts).start()
    await bench.until(lambda: len(parts[-1].items) == 17, 100, "merging")
    kinds = [0x2000_0005, 1, 2, 3, 4, 5, *prediction_words({"sum": 7, "square": 8})]
    assert parts[-1].items == [*step_words(step), *step_words(step), *kinds]


def test_records() -> None:
    choices = [(0.0, 0.0, 0.0, 12), (0.7, 0.3, 0.5, 1), (0.9, 0.0, 0.0, 103), (0.5, 0.8, 0.3, 12)]
    names = ("steps", "stall", "sink", "pairs")
    cases = [dict(zip(names, values, strict=True)) | {"seed": 11} for values in choices]
    run_bench(RecordMerger(CONFIG), __name__, cases, testcase="merges")


def test_order() -> None:
    run_bench(RecordMerger(CONFIG), __name__, {"seed": 1}, testcase="order")
