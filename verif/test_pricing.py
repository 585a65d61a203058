"""Pricing: prior, Hastings term and stuck devices of any proposal, as the golden model has them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import cocotb
import numpy as np
import pytest

from ohmcarlo.golden import Machine, SamplerSettings
from ohmcarlo.golden.machine import Scale, State, build_machine, build_state
from ohmcarlo.golden.proposal import is_stuck, log_hastings, log_prior
from ohmcarlo.spec import ACC_MAX, CODE_MAX, DAC_MAX, STUCK_Z, Geometry, hastings_tables
from ohmcarlo_hdl.bit_serial.pricing import BitSerialPricing
from ohmcarlo_hdl.config import BitSerialConfig, CoreConfig
from ohmcarlo_hdl.core.hastings import LOG_SIGMA_BITS
from ohmcarlo_hdl.core.interface import PRICE, PROGRAMMED
from ohmcarlo_hdl.core.pricing import DEVICE_CLOCKS, Pricing
from verif.harness import (
    Clocked,
    Sink,
    Source,
    array_stimuli,
    case_parameters,
    load_window,
    run_bench,
    segment_words,
    start_clock,
    stimuli,
    unload_window,
)
from verif.harness.clocks import Transfers

CONFIGS = {
    "reference": CoreConfig(),
    "large": CoreConfig(Geometry(rows=64, pairs=24), max_group_rows=64),
    "bit-serial": BitSerialConfig(),
}
BIT_SERIAL_CLOCKS = 700
"""The longest time of a device in the bit-serial form, and of a price after the last one."""
STALLS = [(0.0, 0.0), (0.6, 0.0), (0.0, 0.9), (0.4, 0.6)]
DEFAULT = {
    "rho": 256,
    "mid": 1840,
    "lo": 480,
    "hi": 4000,
    "valid_lo": 20,
    "valid_hi": 1022,
    "hastings": 1,
    "weight_mantissa": 40000,
    "weight_shift": 10,
    "common_mantissa": 50000,
    "common_shift": 17,
}

Registers = dict[str, int]
Tables = tuple[np.ndarray, np.ndarray]


class Proposed(NamedTuple):
    """Codes of a proposal's devices before and after, and their centres; all (n,)."""

    old: np.ndarray
    new: np.ndarray
    centre: np.ndarray

    def items(self) -> list[dict[str, int]]:
        last = len(self.old) - 1
        return [
            {"old": old, "new": new, "centre": centre, "odd": i & 1, "last": int(i == last)}
            for i, (old, new, centre) in enumerate(zip(*map(np.ndarray.tolist, self), strict=True))
        ]


def all_tables(rng: np.random.Generator) -> list[Tables]:
    return [
        hastings_tables(lambda g: 0.05 * g),
        hastings_tables(lambda g: 0.3 + 0.02 * g),
        hastings_tables(lambda g: np.full_like(g, 0.0626)),  # 1/σ close to 4 a code
        (rng.integers(0, (1 << 22) + 1, 257), rng.integers(-(1 << 20), (1 << 20) + 1, 257)),
        # steps over the whole range, both ways
        (
            np.where(rng.random(257) < 0.5, 0, 1 << 22),
            np.where(rng.random(257) < 0.5, -(1 << 20), 1 << 20),
        ),
    ]


def machine(registers: Registers, tables: Tables) -> Machine:
    """The golden model's registers."""
    geometry = Geometry(rows=64, pairs=12)
    made = build_machine(SamplerSettings().registers(geometry, 4, lambda g: 0.05 * g))
    names = ("rho", "mid", "lo", "hi", "valid_lo", "valid_hi", "hastings")
    return made._replace(
        **{name: registers[name] for name in names},
        weight=Scale(registers["weight_mantissa"], registers["weight_shift"]),
        common=Scale(registers["common_mantissa"], registers["common_shift"]),
        inv_sigma=np.asarray(tables[0], np.int64),
        log_sigma=np.asarray(tables[1], np.int64),
    )


def expected(made: Machine, state: State, proposed: Proposed) -> dict[str, int]:
    """The golden model's price."""
    n = len(proposed.old)
    made = made._replace(
        centre=np.stack([proposed.centre] * 2),
        slot_row=np.zeros(n, np.int32),
        slot_device=np.arange(n, dtype=np.int32),
    )
    state = state._replace(codes=proposed.old[None], proposed=proposed.new)
    return {
        "prior": int(log_prior(made, proposed.new)),
        "hastings": int(log_hastings(made, state, 0, 0)) if made.hastings else 0,
        "stuck": int(is_stuck(made, state, 0, 0)),
    }


def proposals(rng: np.random.Generator, registers: Registers, most: int) -> Iterator[Proposed]:
    """Endless stimuli: small moves, any codes, and corner cases."""
    ends = np.array([0, CODE_MAX, registers["lo"] // 4, registers["hi"] // 4, 19, 20, 1022])
    for number in itertools.count():
        n = 2 * int(rng.integers(1, most + 1)) if number % 3 else 2
        old = rng.integers(0, CODE_MAX + 1, n)
        new = rng.integers(0, CODE_MAX + 1, n)
        centre = np.full(n, registers["mid"]) if number % 2 else rng.integers(0, DAC_MAX + 1, n)
        if number % 4 == 0:
            old = rng.integers(150, 900, n)
            new = old + rng.integers(-40, 41, n)
        elif number % 4 == 1:
            corner = rng.random((3, n)) < 0.5
            old = np.where(corner[0], rng.choice(ends, n), old)
            new = np.where(corner[1], rng.choice(ends, n), new)
            centre = np.where(corner[2], rng.choice([0, DAC_MAX], n), centre)
        elif number % 4 == 2:  # an invalid read-back, around the limit of being stuck
            old = rng.integers(0, 60, n)
            new = rng.integers(10, 40, n)
        yield Proposed(*(np.asarray(part, np.int32) for part in (old, new, centre)))


def all_registers(rng: random.Random) -> list[Registers]:
    batches = []
    for number, rho in enumerate([256, 205, 128, 26] * 3):
        lo, mid, hi = sorted(rng.sample(range(DAC_MAX + 1), 3))
        drawn = {} if number % 2 == 0 else {"mid": mid, "lo": lo, "hi": hi}
        scales = {
            "weight_mantissa": rng.randrange(1 << 16),
            "weight_shift": rng.randrange(30),
            "common_mantissa": rng.randrange(1 << 16),
            "common_shift": rng.randrange(34),
        }
        batches.append(DEFAULT | drawn | scales | {"rho": rho})
    corners: list[Registers] = [
        {"weight_mantissa": 65535, "weight_shift": 0},
        {"common_mantissa": 65535, "common_shift": 0, "weight_mantissa": 0},
        {"common_mantissa": 65535, "common_shift": 47, "weight_mantissa": 1, "weight_shift": 0},
        {"common_mantissa": 1, "common_shift": 1, "weight_mantissa": 65535, "weight_shift": 47},
        {"lo": 0, "hi": DAC_MAX, "valid_lo": 0, "valid_hi": CODE_MAX, "mid": DAC_MAX},
        {"lo": 0, "hi": DAC_MAX, "valid_lo": 500, "valid_hi": 500, "mid": 0},
        {"hastings": 0},
        {"weight_mantissa": 0, "common_mantissa": 0, "weight_shift": 0, "common_shift": 0},
    ]
    return batches + [DEFAULT | corner for corner in corners]


class Bench:
    """Streams, clocks and golden state of one simulation."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.bit_serial = CONFIGS[case_parameters()["config"]].bit_serial
        rng = stimuli(5)
        self.source = Source(dut, "devices", PROGRAMMED, rng=rng)
        self.sink = Sink(dut, "price", PRICE, rng=rng)
        self.clocked = Clocked(dut, self.source, self.sink)
        self.devices = Transfers(self.clocked, "devices")
        self.prices = Transfers(self.clocked, "price")
        geometry = Geometry(rows=64, pairs=12)
        self.state = build_state(SamplerSettings().registers(geometry, 4, lambda g: 0.05 * g))

    async def start(self) -> None:
        await start_clock(self.dut)
        self.clocked.start()

    async def load(self, tables: Tables) -> None:
        for name, nodes in zip(("inv_sigma", "log_sigma"), tables, strict=True):
            words = segment_words(nodes)
            await load_window(self.dut, f"load_{name}", words)
            if not self.bit_serial:  # a read disturbs no price after it
                found = await unload_window(self.dut, f"load_{name}", len(words))
                assert found == [word & 0xFFFFFFFF for word in words]

    async def check(
        self, registers: Registers, tables: Tables, work: list[Proposed]
    ) -> list[dict[str, int]]:
        """Prices ``work`` under ``registers`` and compares; returns the prices."""
        for name, value in registers.items():
            getattr(self.dut, name).value = value
        for part in (self.sink.items, self.devices.clocks, self.prices.clocks):
            part.clear()
        items = [item for proposed in work for item in proposed.items()]
        self.source.put(items)
        limit = (
            BIT_SERIAL_CLOCKS * (len(items) + len(work))
            if self.bit_serial
            else 50 * len(items) + 100
        )
        await self.clocked.until(lambda: len(self.sink.items) == len(work), limit, "the price")
        made = machine(registers, tables)
        for proposed, found in zip(work, self.sink.items, strict=True):
            right = expected(made, self.state, proposed)
            assert found == right, f"{registers}, {proposed}: {found}, not {right}"
        if not self.source.stall and not self.sink.stall and not self.bit_serial:
            ends = np.cumsum([len(proposed.old) for proposed in work]) - 1
            waits = np.array(self.prices.clocks) - np.array(self.devices.clocks)[ends]
            assert set(waits) == {Pricing.LATENCY}
            assert set(np.diff(self.devices.clocks)) == {DEVICE_CLOCKS}, "one in two clocks"
        return list(self.sink.items)


@cocotb.test()
async def follows_the_golden_model(dut) -> None:  # type: ignore[no-untyped-def]
    config = CONFIGS[case_parameters()["config"]]
    rng = array_stimuli(6)
    bench = Bench(dut)
    await bench.start()
    sets, registers = all_tables(rng), all_registers(stimuli(6))
    count = 2 if bench.bit_serial else 12
    seen: list[dict[str, int]] = []
    for tables, (source, sink) in zip(sets, itertools.cycle(STALLS)):
        await bench.load(tables)
        bench.source.stall, bench.sink.stall = source, sink
        for batch in registers:
            stream = proposals(rng, batch, min(config.max_features, 8))
            seen += await bench.check(batch, tables, list(itertools.islice(stream, count)))
    priors, terms = ({price[name] for price in seen} for name in ("prior", "hastings"))
    assert {price["stuck"] for price in seen} == {0, 1}
    assert -ACC_MAX - 1 in priors and len(priors) > 8 * count
    assert len(terms) > 8 * count


@cocotb.test()
async def prices_many_one_pair_proposals_without_a_gap(dut) -> None:  # type: ignore[no-untyped-def]
    """``check`` compares the clocks: a price every four clocks."""
    rng = array_stimuli(7)
    bench = Bench(dut)
    await bench.start()
    tables = hastings_tables(lambda g: 0.05 * g)
    await bench.load(tables)
    codes = rng.integers(150, 900, (2, 60, 2)).astype(np.int32)
    centres = rng.integers(1400, 2300, (60, 2)).astype(np.int32)
    work = [Proposed(*parts) for parts in zip(*codes, centres, strict=True)]
    await bench.check(DEFAULT, tables, work)


@cocotb.test()
async def waits_for_its_prices_to_be_taken(dut) -> None:  # type: ignore[no-untyped-def]
    """While no price is taken, devices stall, and nothing is lost."""
    bench = Bench(dut)
    await bench.start()
    tables = hastings_tables(lambda g: 0.05 * g)
    await bench.load(tables)
    bench.sink.stall = 1.0
    codes = array_stimuli(8).integers(150, 900, (2, 20, 2)).astype(np.int32)
    work = [Proposed(old, new, np.full(2, 1840, np.int32)) for old, new in zip(*codes, strict=True)]
    priced = cocotb.start_soon(bench.check(DEFAULT, tables, work))
    for _ in range(3):
        sent = bench.source.sent
        end = bench.clocked.cycle + (2 * BIT_SERIAL_CLOCKS if bench.bit_serial else 100)
        await bench.clocked.until(lambda: bench.clocked.cycle >= end, 2 * BIT_SERIAL_CLOCKS + 100)  # noqa: B023
    assert 0 < sent == bench.source.sent < 2 * len(work), "devices wait"
    bench.sink.stall = 0.5
    await priced


@cocotb.test()
async def counts_from_just_more_than_six_sigma(dut) -> None:  # type: ignore[no-untyped-def]
    """A device at its centre, σ of 4 codes everywhere: 24 codes away is not stuck, 25 are."""
    bench = Bench(dut)
    await bench.start()
    tables = (np.full(257, 1 << 18), np.zeros(257, np.int64))
    await bench.load(tables)
    registers = DEFAULT | {"valid_lo": 500, "valid_hi": 510, "mid": 2000}
    centre = np.full(2, 2000, np.int32)
    edge = 4 * STUCK_Z
    for away, stuck in ((edge, 0), (-edge, 0), (edge + 1, 1), (-edge - 1, 1), (5, 0)):
        for new in ([500 + away, 500], [500, 500 + away]):
            work = Proposed(np.full(2, 500, np.int32), np.array(new, np.int32), centre)
            found = await bench.check(registers, tables, [work])
            assert found[0]["stuck"] == stuck, (away, new)
    registers["valid_lo"], registers["valid_hi"] = 460, 540  # valid: never stuck
    work = Proposed(np.full(2, 500, np.int32), np.array([540, 460], np.int32), centre)
    assert not (await bench.check(registers, tables, [work]))[0]["stuck"]


@cocotb.test()
async def holds_the_sums_of_the_largest_proposal(dut) -> None:  # type: ignore[no-untyped-def]
    """Every device at the end of its range, both ways: no sum wraps."""
    config = CONFIGS[case_parameters()["config"]]
    devices = config.max_group_rows * 2 * config.max_features
    bench = Bench(dut)
    await bench.start()
    low, high = (np.full(devices, code, np.int32) for code in (0, CODE_MAX))
    each = np.where(np.arange(devices) % 2, low, high)
    # 1/σ is large, or log σ away from the rest, at a target of 0 only: one way counts, not both
    lowest, top = np.arange(257) == 0, (1 << (LOG_SIGMA_BITS - 1)) - 1
    flat, steep = np.zeros(257, np.int64), np.where(lowest, 1 << 22, 0)
    registers = DEFAULT | {"lo": 0, "hi": DAC_MAX, "weight_shift": 20, "common_shift": 29}
    for inv_sigma, sign in itertools.product((flat, steep), (1, -1)):
        tables = (inv_sigma, np.where(lowest, sign * top, -sign * top))
        await bench.load(tables)
        for old, new, mid in ((low, high, 0), (high, low, DAC_MAX), (low, each, DAC_MAX)):
            work = Proposed(old, new, np.full(devices, DAC_MAX, np.int32))
            found = (await bench.check(registers | {"mid": mid}, tables, [work]))[0]
            away = abs(found["hastings"])
            far = devices << 24 if inv_sigma[0] else 2 * devices * top
            assert new is each or away >= min(ACC_MAX, far)
            assert -ACC_MAX <= found["prior"] < 0, "not hidden by saturation"


@pytest.mark.parametrize("config", CONFIGS)
def test_pricing(config: str) -> None:
    block = BitSerialPricing if CONFIGS[config].bit_serial else Pricing
    run_bench(block(CONFIGS[config]), __name__, {"config": config})
