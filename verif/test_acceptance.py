"""Acceptance: threshold, running sum and its stopping point, against golden.likelihood."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from ohmcarlo.golden.likelihood import NEVER, sum_of_logits, term_of
from ohmcarlo.spec import ACC_MAX, LABEL_QUADRATIC, LOGIT_MAX, saturate, softplus_table
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.acceptance import Acceptance
from ohmcarlo_hdl.core.interface import PRICE, T_BITS, TERM, TERM_BITS, Mode, decision
from verif.harness import Clocked, Sink, Source, case_parameters, run_bench, start_clock, stimuli

CONFIG = CoreConfig()
PROPOSALS = 150
SOFTPLUS = softplus_table()


def proposal(rng: random.Random) -> dict[str, Any]:
    """A random proposal; thresholds lie where some sums stop early, some late, some never."""
    size = rng.choice([1 << 12, 1 << 18, TERM_BITS])
    terms = [
        -rng.randrange(1 << 12 if size == TERM_BITS else size) for _ in range(1 + rng.randrange(30))
    ]
    logits, labels = [], []
    if rng.random() < 0.1:
        terms = [-(1 << (TERM_BITS - 1))] * 25  # saturates
    elif rng.random() < 0.3:
        limit = rng.choice([1 << 8, LOGIT_MAX])
        logits = [rng.randint(-limit, limit) for _ in terms]
        labels = [rng.randrange(LABEL_QUADRATIC + 1) for _ in terms]
        terms = [int(term_of(SOFTPLUS, label, z)) for label, z in zip(labels, logits, strict=True)]
    total, far = sum(terms), rng.random() < 0.2
    limit = ACC_MAX if far else 1 + abs(total) // 2
    prior, new_prior, hastings = (rng.randint(-limit, limit) for _ in range(3))
    t = rng.randrange(1 << 20)
    # the current log-likelihood that puts L* close to the sum or anywhere, or at a partial sum
    threshold = total + rng.randint(-limit, limit) // 4
    if rng.random() < 0.5:
        threshold = sum(terms[: rng.randint(1, len(terms))]) + rng.choice((-1, 0, 0, 1))
    loglik = threshold - prior + new_prior + hastings + t
    return {
        "mode": rng.choices([Mode.STEP, Mode.FIRST, Mode.INVALID], [8, 1, 1])[0],
        "loglik": saturate(loglik, ACC_MAX),
        "prior": prior,
        "t": t,
        "price": {"prior": new_prior, "hastings": hastings, "stuck": rng.randrange(2)},
        "terms": terms,
        "logits": logits,
        "labels": labels,
        "early": rng.randrange(2),
        "empty": int(rng.random() < 0.1),
        "external": int(rng.random() < 0.1),
        "external_loglik": rng.randint(-ACC_MAX - 1, ACC_MAX),
    }


def expected(p: dict[str, Any]) -> dict[str, int]:
    """docs/design.md#decision in Python integers."""
    new = p["price"]
    if p["mode"] == Mode.INVALID:
        return {"accepted": 0, "stuck": new["stuck"], "points": 0}
    threshold = p["loglik"] + p["prior"] - new["prior"] - new["hastings"] - p["t"]
    first = p["mode"] == Mode.FIRST
    total, points = (p["external_loglik"], 0) if p["external"] else (0, 0)
    if not p["external"] and not p["empty"]:
        for term in p["terms"]:
            total, points = saturate(total + term, ACC_MAX), points + 1
            if p["early"] and not first and total < threshold:
                break
        if p["logits"]:
            stop = threshold if p["early"] and not first else NEVER
            twin = sum_of_logits(
                np.array(p["logits"]), np.array(p["labels"]), np.arange(len(p["labels"])),
                SOFTPLUS, stop,
            )  # fmt: skip
            assert (total, points) == twin
    accepted = int(first or total >= threshold)
    found = {"accepted": accepted, "stuck": new["stuck"], "points": points}
    return found | ({"loglik": total, "prior": new["prior"]} if accepted else {})


class Watch:
    """Checks ``stop`` while a decision is offered; records the clock of the last term."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.cycle = self.last_term = self.offered = 0

    def tick(self) -> None:
        self.cycle += 1
        valid = int(self.dut.decision__valid.value)
        assert int(self.dut.stop.value) == valid
        if valid and not self.offered:
            self.offered = self.cycle
        if int(self.dut.terms__valid.value) and int(self.dut.terms__ready.value):
            self.last_term = self.cycle


@cocotb.test()
async def decides(dut) -> None:  # type: ignore[no-untyped-def]
    stall = case_parameters()["stall"]
    rng = stimuli(11)
    price = Source(dut, "price", PRICE, (), stall, rng)
    terms = Source(dut, "terms", TERM, (), stall, rng)
    sink = Sink(dut, "decision", decision(CONFIG), stall, rng)
    dut.start.value = dut.t_valid.value = 0
    await start_clock(dut)
    watch = Watch(dut)
    bench = Clocked(dut, watch, price, terms, sink).start()
    edge = RisingEdge(dut.clk)
    counted = {0: 0, 1: 0}
    early_stops = 0
    for _ in range(PROPOSALS):
        p = proposal(rng)
        for name in ("loglik", "prior", "empty", "external", "external_loglik"):
            getattr(dut, name).value = p[name]
        dut.mode.value = p["mode"].value
        dut.early_reject.value = p["early"]
        t_early = rng.random() < 0.5
        dut.t_valid.value = int(t_early)
        dut.t.value = p["t"] if t_early else rng.randrange(1 << T_BITS)  # any before it is valid
        dut.start.value = 1
        await edge
        dut.start.value = 0
        dut.mode.value, dut.empty.value, dut.external.value = 3, 0, 0  # sampled at the strobe
        last = len(p["terms"]) - 1
        terms.put([{"term": v, "last": int(i == last)} for i, v in enumerate(p["terms"])])
        if rng.random() < 0.2:
            sent = terms.sent
            for _ in range(6):
                await edge
            assert terms.sent == sent, "terms wait for the threshold"
        price.put([p["price"]])
        for _ in range(rng.randrange(3)):
            await edge
        dut.t_valid.value, dut.t.value = 1, p["t"]
        await bench.until(lambda: sink.items, 3000, "a decision")
        # the source of the terms drops the rest
        terms.drop()
        found, wanted = sink.items.pop(), expected(p)
        assert {name: found[name] for name in wanted} == wanted, p
        summed = p["mode"] != Mode.INVALID and not p["external"] and not p["empty"]
        if summed and wanted["points"] == len(p["terms"]):
            assert watch.offered == watch.last_term + Acceptance.LATENCY
        watch.offered = 0
        counted[wanted["accepted"]] += 1
        early_stops += 0 < wanted["points"] <= last
        await edge
    assert min(counted.values()) > PROPOSALS // 8 and early_stops > PROPOSALS // 10


def test_acceptance() -> None:
    run_bench(Acceptance(CONFIG), __name__, [{"stall": stall} for stall in (0.0, 0.5)])
