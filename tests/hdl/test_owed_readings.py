"""``OwedReadings``: a restarted controller gets no reading that was requested before."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from ohmcarlo_hdl.array.interface import Op
from ohmcarlo_hdl.array.owed import OwedReadings
from ohmcarlo_hdl.config import COMPACT

CLOCKS = 1500
OPS = {Op.READ: True, Op.DOT: True, Op.SET: False, Op.SELECT: False}
"""Operations, and whether they are answered (``array/interface.py``)."""


def code(op: Any) -> int:
    return int(op.value)


def lives(seed: int) -> list[tuple[list[int], list[int]]]:
    """For each time between two restarts: the readings that were requested, and those received.

    A reading is the number of its request. Requests, answers, stalls and restarts are random.
    """
    owed, rng = OwedReadings(COMPACT), random.Random(seed)
    found: list[tuple[list[int], list[int]]] = [([], [])]
    queue: list[int] = []  # what the array owes

    async def clocks(ctx: Any) -> None:
        number, op = 0, Op.READ
        for _ in range(CLOCKS):
            ctx.set(owed.requests.payload.op, code(op))
            ctx.set(owed.requests.valid, rng.random() < 0.5)
            ctx.set(owed.array_requests.ready, rng.random() < 0.7 and len(queue) < 20)
            ctx.set(owed.array_responses.valid, bool(queue) and rng.random() < 0.3)
            ctx.set(owed.array_responses.payload.value, queue[0] if queue else 0)
            ctx.set(owed.responses.ready, rng.random() < 0.7)
            restart = rng.random() < 0.05
            ctx.set(owed.restart, restart)
            requested, received = found[-1]
            if ctx.get(owed.responses.valid) and ctx.get(owed.responses.ready):
                received.append(ctx.get(owed.responses.payload.value))
            answered = ctx.get(owed.array_responses.valid) and ctx.get(owed.array_responses.ready)
            taken = ctx.get(owed.array_requests.valid) and ctx.get(owed.array_requests.ready)
            await ctx.tick()
            if answered:
                queue.pop(0)
            if taken:
                if OPS[op]:
                    number += 1
                    queue.append(number)
                    requested.append(number)
                op = rng.choice(list(OPS))
            if restart:
                found.append(([], []))

    simulator = Simulator(owed)
    simulator.add_clock(1e-6)
    simulator.add_testbench(clocks)
    simulator.run()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_readings_belong_to_requests_since_the_restart(seed: int) -> None:
    found = lives(seed)
    assert sum(len(received) for _, received in found) > CLOCKS / 20
    assert sum(len(requested) > len(received) for requested, received in found) > 5, "none was owed"
    for requested, received in found:
        assert received == requested[: len(received)]
