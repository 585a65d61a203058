"""Parts of the likelihood pipe on their own, over corner cases that whole runs rarely reach."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from ohmcarlo.golden.likelihood import activation, logit_of, sigmoid_of, term_of
from ohmcarlo.golden.machine import Scale
from ohmcarlo.spec import (
    LOGIT_FRAC,
    LOGIT_MAX,
    LOGSIG_END,
    LOGSIG_KNEE,
    PROB_FRAC,
    shift_round,
    sigmoid_table,
    softplus_table,
)
from ohmcarlo_hdl.core.fetch import CONTEXT
from ohmcarlo_hdl.core.interface import PREDICTION, PREDICTION_BITS
from ohmcarlo_hdl.core.logit import LogitScaler
from ohmcarlo_hdl.core.prediction import WEIGHTED, PredictionSums
from ohmcarlo_hdl.core.term import TermUnit
from verif.harness import Clocked, Packer, Sink, Source, run_bench, start_clock, stimuli
from verif.harness.clocks import Transfers

DOT_BITS = 25


def signed(value: Any, bits: int) -> int:
    raw = int(value)
    return raw - (1 << bits) if raw >> (bits - 1) else raw


class Lane:
    """Sends one item per clock into a free-running block, with gaps; records results and clocks."""

    def __init__(self, dut: Any, rng: random.Random, inputs: list[str], outputs: dict[str, int]):
        self.dut, self.rng = dut, rng
        self.inputs, self.outputs = inputs, outputs
        self.items: list[dict[str, int]] = []
        self.entered: list[int] = []
        self.results: list[tuple[int, str, dict[str, int]]] = []
        self.cycle = 0
        dut.valid.value = 0

    def tick(self) -> None:
        self.cycle += 1
        dut = self.dut
        for flag, names in self.valids().items():
            if int(getattr(dut, flag).value):
                got = {n: signed(getattr(dut, n).value, self.outputs[n]) for n in names}
                self.results.append((self.cycle, flag, got))
        go = bool(self.items) and self.rng.random() < 0.8
        dut.valid.value = int(go)
        if go:
            item = self.items.pop(0)
            self.entered.append(self.cycle + 1)
            for name in self.inputs:
                width = len(getattr(dut, name))
                getattr(dut, name).value = item[name] & ((1 << width) - 1)

    def valids(self) -> dict[str, list[str]]:
        raise NotImplementedError


class ScalerLane(Lane):
    contexts: list[dict[str, int]]

    def valids(self) -> dict[str, list[str]]:
        return {"z_valid": ["z", "magnitude", "label", "last"], "activation_valid": ["activation"]}

    def tick(self) -> None:
        if int(self.dut.take.value):
            self.contexts.pop(0)
        super().tick()
        self.dut.context.value = Packer(CONTEXT).pack(self.contexts[0]) if self.contexts else 0


@cocotb.test()
async def scales(dut) -> None:  # type: ignore[no-untyped-def]
    rng = stimuli(21)
    widths = {"z": 18, "magnitude": 19, "label": 3, "last": 2, "activation": 8}
    lane = ScalerLane(dut, rng, ["dot", "output"], widths)
    lane.contexts = []
    dut.mantissa.value = dut.shift.value = 0
    await start_clock(dut)
    bench = Clocked(dut, lane).start()
    top = 1 << (DOT_BITS - 1)
    corners = [0, 1, -1, 2, -2, top - 1, -top, top // 2]
    for shift in range(48):
        mantissa = rng.choice((1, 1 << 15, (1 << 16) - 1, rng.randrange(1 << 16)))
        scale = Scale(mantissa, shift)
        dut.mantissa.value, dut.shift.value = mantissa, shift
        near = [
            rng.randrange(-1 << 20, 1 << 20) * (1 << shift) // max(mantissa, 1) >> k
            for k in range(12)
        ]  # logits and activations around their limits
        wide = [rng.randrange(-top, top) >> rng.randrange(DOT_BITS) for _ in range(10)]
        dots = [d for d in corners + near + wide if -top <= d < top]
        items = [{"dot": d, "output": rng.getrandbits(1)} for d in dots + dots]
        contexts = [
            {
                "offset": rng.choice((-(1 << 15), (1 << 15) - 1, rng.randrange(-999, 999))),
                "label": rng.randrange(3),
                "last": rng.getrandbits(1),
            }
            for item in items
            if item["output"]
        ]
        expected: list[tuple[str, dict[str, int]]] = []
        waiting = iter(contexts)
        for item in items:
            if item["output"]:
                context = next(waiting)
                z = int(logit_of(item["dot"], context["offset"], scale))
                side = {"label": context["label"], "last": context["last"]}
                expected.append(("z_valid", {"z": z, "magnitude": abs(z), **side}))
            else:
                value = int(activation(item["dot"], scale))
                expected.append(("activation_valid", {"activation": value}))
        lane.contexts = list(contexts)
        lane.entered.clear()
        lane.results.clear()
        lane.items = list(items)
        count = len(items)
        await bench.until(lambda n=count: len(lane.results) == n, 1000, "the scaler")
        assert [r[1:] for r in lane.results] == expected, f"shift {shift}, mantissa {mantissa}"
        assert {r[0] - e for r, e in zip(lane.results, lane.entered, strict=True)} == {
            LogitScaler.LATENCY
        }


class TermLane(Lane):
    def valids(self) -> dict[str, list[str]]:
        return {"result_valid": ["result", "result_last"]}


def logits(rng: random.Random) -> list[int]:
    """Every edge of a segment and its neighbours, the range's ends, and anything in between."""
    edges = [i << (LOGIT_FRAC - 4) for i in range(LOGSIG_KNEE << 4)]
    edges += [i << (LOGIT_FRAC - 1) for i in range(LOGSIG_KNEE << 1, (LOGSIG_END << 1) + 1)]
    near = {s * (e + d) for e in edges for d in (-1, 0, 1) for s in (-1, 1)}
    near |= {LOGIT_MAX, LOGIT_MAX - 1, -LOGIT_MAX, -LOGIT_MAX - 1}
    near |= {rng.randrange(-LOGIT_MAX - 1, LOGIT_MAX + 1) for _ in range(400)}
    near |= {rng.randrange(-LOGSIG_END << LOGIT_FRAC, LOGSIG_END << LOGIT_FRAC) for _ in range(800)}
    return sorted(near)


@cocotb.test()
async def turns_logits_into_terms(dut) -> None:  # type: ignore[no-untyped-def]
    rng = stimuli(22)
    softplus, sigmoid = softplus_table(), sigmoid_table()
    inputs = ["z", "magnitude", "label", "last"]
    lane = TermLane(dut, rng, inputs, {"result": 28, "result_last": 2})
    dut.predict.value = 0
    await start_clock(dut)
    bench = Clocked(dut, lane).start()
    for predict in (0, 1):
        dut.predict.value = predict
        labels = (0, 1, 2) if not predict else (0,)
        items = [
            {"z": z, "magnitude": abs(z), "label": label, "last": rng.getrandbits(1)}
            for z in logits(rng)
            for label in labels
        ]
        rng.shuffle(items)
        lane.items, lane.entered, lane.results = list(items), [], []
        count = len(items)
        await bench.until(lambda n=count: len(lane.results) == n, 50_000, "the terms")
        for (clock, _, got), entered, item in zip(lane.results, lane.entered, items, strict=True):
            if predict:
                wanted = int(sigmoid_of(sigmoid, item["z"]))
            else:
                wanted = int(term_of(softplus, item["label"], item["z"]))
            assert got == {"result": wanted, "result_last": item["last"]}, item
            assert clock - entered == TermUnit.LATENCY


@cocotb.test()
async def sums_predictions(dut) -> None:  # type: ignore[no-untyped-def]
    rng = stimuli(23)
    source = Source(dut, "probabilities", WEIGHTED, (), 0, rng)
    sink = Sink(dut, "predictions", PREDICTION, 0, rng)
    await start_clock(dut)
    bench = Clocked(dut, source, sink)
    moved, given = Transfers(bench, "probabilities"), Transfers(bench, "predictions")
    bench.parts = [moved, given, source, sink]
    bench.start()
    for source.stall, sink.stall, closing in ((0, 0, 1), (0, 0, 0.3), (0.3, 0.8, 0.6), (0.6, 0, 1)):
        items = [
            {
                "p": rng.choice((0, 1, 1 << PROB_FRAC, rng.randrange(1 << PROB_FRAC))),
                "multiplicity": rng.choice((1, (1 << 32) - 1, rng.randrange(1 << 32))),
                "last": int(rng.random() < closing or i == 199),
            }
            for i in range(200)
        ]
        expected, total, square = [], 0, 0
        for item in items:
            total += item["multiplicity"] * item["p"]
            square += item["multiplicity"] * shift_round(item["p"] ** 2, PROB_FRAC)
            if item["last"]:
                wrap = 1 << PREDICTION_BITS
                expected.append({"sum": total % wrap, "square": square % wrap})
                total = square = 0
        sink.items.clear()
        moved.clocks.clear()
        given.clocks.clear()
        source.put(items)
        count = len(expected)
        await bench.until(lambda n=count: len(sink.items) == n, 5000, "the sums")
        assert sink.items == expected
        if not source.stall and not sink.stall:
            assert moved.clocks[-1] - moved.clocks[0] == len(items) - 1, "one per clock"
            assert given.clocks[-1] - moved.clocks[-1] == PredictionSums.LATENCY
        for _ in range(3):
            await bench.until(lambda now=bench.cycle: bench.cycle > now, 5)
        assert not int(dut.busy.value)


def test_scaler() -> None:
    run_bench(LogitScaler(DOT_BITS), __name__, testcase="scales")


def test_terms() -> None:
    run_bench(TermUnit(), __name__, testcase="turns_logits_into_terms")


def test_sums() -> None:
    run_bench(PredictionSums(), __name__, testcase="sums_predictions")
