"""FIFO and register stages: items are delivered in order, and no offer is withdrawn."""

from __future__ import annotations

import cocotb
import pytest

from ohmcarlo_hdl.lib.fifo import AlternatingRegister, ReadyRegister, StreamFifo, StreamRegister
from verif.harness import Clocked, Sink, Source, case_parameters, run_bench, start_clock, stimuli

WIDTH, DEPTH, ITEMS = 13, 5, 400


@cocotb.test()
async def keeps_order(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    rng = stimuli(7)
    items = [rng.randrange(1 << WIDTH) for _ in range(ITEMS)]
    source = Source(dut, "input", WIDTH, items, case["source"], rng)
    sink = Sink(dut, "output", WIDTH, case["sink"], rng)
    await start_clock(dut)
    bench = Clocked(dut, source, sink).start()
    await bench.until(lambda: len(sink.items) == ITEMS, 20 * ITEMS, "the FIFO")
    assert sink.items == items
    if not case["source"] and not case["sink"]:
        assert bench.cycle <= ITEMS + 6, "one item per clock"


STALLS = [
    {"source": source, "sink": sink} for source, sink in [(0, 0), (0.6, 0), (0, 0.6), (0.5, 0.5)]
]


def test_fifo() -> None:
    run_bench(StreamFifo(WIDTH, DEPTH), __name__, STALLS)


@pytest.mark.parametrize("kind", [StreamRegister, AlternatingRegister])
def test_register(kind: type) -> None:
    run_bench(kind(WIDTH), __name__, STALLS)


def test_ready_register() -> None:
    run_bench(ReadyRegister(WIDTH), __name__, STALLS)
