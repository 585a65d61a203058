"""Acceptance: the threshold, the running sum and where it stops, against the arithmetic of spec."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from ohmcarlo.spec import ACC_MAX, saturate
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.core.acceptance import Acceptance, Mode, decision
from ohmcarlo_hdl.core.interface import PRICE, TERM, TERM_BITS
from verif.harness import Clocked, Sink, Source, case_parameters, run_bench, start_clock

CONFIG = CoreConfig()
PROPOSALS = 150


def proposal(rng: random.Random) -> dict[str, Any]:
    """A random proposal; thresholds lie where some sums stop early, some late, some never."""
    size = rng.choice([1 << 12, 1 << 18, TERM_BITS])
    terms = [
        -rng.randrange(1 << 12 if size == TERM_BITS else size) for _ in range(1 + rng.randrange(30))
    ]
    if rng.random() < 0.1:
        terms = [-(1 << (TERM_BITS - 1))] * 25  # saturates
    total, far = sum(terms), rng.random() < 0.2
    limit = ACC_MAX if far else 1 + abs(total) // 2
    prior, new_prior, hastings = (rng.randint(-limit, limit) for _ in range(3))
    t = rng.randrange(1 << 20)
    # the current log-likelihood that puts L* close to the sum, or anywhere
    loglik = total + rng.randint(-limit, limit) // 4 - prior + new_prior + hastings + t
    return {
        "mode": rng.choices([Mode.STEP, Mode.FIRST, Mode.INVALID], [8, 1, 1])[0],
        "loglik": saturate(loglik, ACC_MAX),
        "prior": prior,
        "t": t,
        "price": {"prior": new_prior, "hastings": hastings, "stuck": rng.randrange(2)},
        "terms": terms,
        "early": rng.randrange(2),
        "empty": int(rng.random() < 0.1),
        "external": int(rng.random() < 0.1),
        "external_loglik": rng.randint(-ACC_MAX - 1, ACC_MAX),
    }


def expected(p: dict[str, Any]) -> dict[str, int]:
    """DESIGN, 2.3 to 2.5, in Python integers."""
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
    accepted = int(first or total >= threshold)
    found = {"accepted": accepted, "stuck": new["stuck"], "points": points}
    return found | ({"loglik": total, "prior": new["prior"]} if accepted else {})


@cocotb.test()
async def decides(dut) -> None:  # type: ignore[no-untyped-def]
    stall = case_parameters()["stall"]
    rng = random.Random(11)
    price = Source(dut, "price", PRICE, (), stall, rng)
    terms = Source(dut, "terms", TERM, (), stall, rng)
    sink = Sink(dut, "decision", decision(CONFIG), stall, rng)
    dut.start.value = dut.t_valid.value = 0
    await start_clock(dut)
    bench = Clocked(dut, price, terms, sink).start()
    edge = RisingEdge(dut.clk)
    counted = {0: 0, 1: 0}
    early_stops = 0
    for _ in range(PROPOSALS):
        p = proposal(rng)
        for name in ("loglik", "prior", "t", "empty", "external", "external_loglik"):
            getattr(dut, name).value = p[name] & 0xFFFFFFFF if name in ("t",) else p[name]
        dut.mode.value = p["mode"].value
        dut.early_reject.value = p["early"]
        dut.t_valid.value = int(rng.random() < 0.5)
        dut.start.value = 1
        await edge
        dut.start.value = 0
        dut.mode.value, dut.empty.value, dut.external.value = 3, 0, 0  # taken at the strobe
        last = len(p["terms"]) - 1
        terms.put([{"term": v, "last": int(i == last)} for i, v in enumerate(p["terms"])])
        price.put([p["price"]])
        for _ in range(rng.randrange(3)):
            await edge
        dut.t_valid.value = 1
        await bench.until(lambda: sink.items, 3000, "a decision")
        # whoever makes terms drops the rest
        terms.pending.clear()
        terms._offering = False
        terms.valid.value = 0
        found, wanted = sink.items.pop(), expected(p)
        assert {name: found[name] for name in wanted} == wanted, p
        counted[wanted["accepted"]] += 1
        early_stops += 0 < wanted["points"] <= last
        await edge
    assert min(counted.values()) > PROPOSALS // 8 and early_stops > PROPOSALS // 10


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_acceptance(stall: float) -> None:
    run_bench(Acceptance(CONFIG), __name__, {"stall": stall})
