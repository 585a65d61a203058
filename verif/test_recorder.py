"""Recorder: a sample's record, word for word."""

from __future__ import annotations

import cocotb
from cocotb.triggers import RisingEdge

from ohmcarlo_hdl.core.interface import RECORD_WORD
from verif.harness import Clocked, Sink, case_parameters, run_bench, start_clock, stimuli
from verif.test_orders import Player, SampleBench

RECORDS = 80
MASK = (1 << 32) - 1


class Records(Player):
    strobes = ("start", "current", "proposal", "multiplicity", "loglik", "prior")

    def begin(self) -> list[dict[str, int]]:
        dut, rng = self.dut, self.rng
        current, proposal = rng.randrange(2), rng.randrange(2)
        multiplicity = rng.randrange(1 << 32)
        loglik, prior = (rng.choice((-1, 1)) * rng.randrange(1 << 31) for _ in range(2))
        dut.current.value, dut.proposal.value = current, proposal
        dut.multiplicity.value, dut.loglik.value, dut.prior.value = multiplicity, loglik, prior
        dut.start.value = 1
        words = [self.at[0] | current << 8 | proposal << 9, multiplicity, loglik, prior]
        codes = [self.codes[(*self.at, *slot)] for slot in self.slots]
        words += [g | h << 16 for g, h in zip(codes[::2], codes[1::2], strict=True)]
        record = [{"word": word & MASK, "last": 0} for word in words]
        record[-1]["last"] = 1
        return record


@cocotb.test()
async def records(dut) -> None:  # type: ignore[no-untyped-def]
    stall = case_parameters()["stall"]
    rng = stimuli(4)
    dut.coin.value = dut.sample.value = 0
    sink = Sink(dut, "record", RECORD_WORD, stall, rng)
    player = Records(dut, sink, rng, RECORDS)
    await start_clock(dut)
    bench = Clocked(dut, sink, player).start()
    await bench.until(lambda: player.done, 30_000, "recording")
    for found, wanted in zip(sink.items, player.expected, strict=True):
        assert found == wanted
    if not stall:
        assert all(clocks == count for count, clocks in player.spans), "one word per clock"
    for _ in range(4):
        await RisingEdge(dut.clk)
    assert not int(dut.recording.value) and len(sink.items) == len(player.expected)


def test_recorder() -> None:
    run_bench(SampleBench(), __name__, [{"stall": stall} for stall in (0.0, 0.5)])
