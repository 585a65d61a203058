"""EntropyUnit: harvest, health tests and -log u as in the golden model, and bad coins are
detected."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from ohmcarlo.array import EmulatedArray
from ohmcarlo.golden import SamplerSettings
from ohmcarlo.golden.entropy import begin_coin, harvest, minus_log_u, restart_tests
from ohmcarlo.golden.machine import (
    ALARM,
    ALARMS,
    CLEAN_WINDOWS,
    COIN_READY,
    RAW_BITS,
    build_machine,
    build_state,
)
from ohmcarlo.spec import (
    APT_WINDOW,
    CODE_BITS,
    COIN_BITS,
    FOLD_MAX,
    LN2,
    SYMBOL_BITS,
    Geometry,
    health_cutoffs,
)
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.entropy.health import APT_BITS, RCT_BITS, RCT_SYMBOL_BITS
from ohmcarlo_hdl.entropy.interface import CLEAN_WINDOWS_BITS, coin_code, raw_symbol
from ohmcarlo_hdl.entropy.neg_log import T_MAX, NegLog
from ohmcarlo_hdl.entropy.unit import EntropyUnit
from verif.harness import Clocked, Packer, Source, case_parameters, run_bench, start_clock, stimuli

CUTOFFS = health_cutoffs(SamplerSettings().min_entropy)
OFF = ((1 << RCT_BITS) - 1, (1 << RCT_SYMBOL_BITS) - 1, (1 << APT_BITS) - 1)
SYMBOL_MASK = (1 << SYMBOL_BITS) - 1


def configured(entropy_pairs: int) -> CoreConfig:
    return CoreConfig(Geometry(rows=64, pairs=16, entropy_pairs=entropy_pairs))


class Twin:
    """The golden state, advanced symbol by symbol; compared with the unit whenever it settles."""

    def __init__(self, dut: Any, config: CoreConfig) -> None:
        geometry = config.geometry
        registers = SamplerSettings().registers(geometry, 5, EmulatedArray(geometry, 1).sigma_us)
        self.dut, self.columns = dut, config.coin_devices
        self.machine, self.state = build_machine(registers), build_state(registers)
        self.codes, self.raw = Packer(coin_code(config)), Packer(raw_symbol(config))
        self.tapped = 0  # expected value of the tap, one clock after a symbol
        self.pending: list[tuple[int, int]] = []  # taken, and not yet given to the golden model
        self.idle = self.ready_for = self.compared = self.coins = 0
        self.cycle = self.first_take = self.last_take = self.settled_at = 0
        dut.begin.value = dut.restart.value = 0
        self.set_fold(1)

    def set_cutoffs(self, rct: int, symbol: int, apt: int) -> None:
        self.dut.rct_cutoff.value = rct
        self.dut.rct_symbol_cutoff.value = symbol
        self.dut.apt_cutoff.value = apt
        self.machine = self.machine._replace(
            rct_cutoff=rct, rct_symbol_cutoff=symbol, apt_cutoff=apt
        )

    def set_fold(self, fold: int) -> None:
        self.dut.fold.value = fold
        self.machine = self.machine._replace(fold=fold)

    def __getitem__(self, scalar: int) -> int:
        return int(self.state.scalars[scalar])

    def harvest(self) -> None:
        """``harvest`` of the pending symbols, on views of their columns."""
        s = self.state
        while self.pending:
            first = self.pending[0][0]
            count = 1
            while self.pending[count : count + 1] and self.pending[count][0] == first + count:
                count += 1
            some = slice(first, first + count)
            s.coin_codes[some] = [code for _, code in self.pending[:count]]
            part = s._replace(
                coin_codes=s.coin_codes[some],
                symbol_last=s.symbol_last[some],
                symbol_run=s.symbol_run[some],
            )
            harvest(self.machine, part)
            del self.pending[:count]

    def compare(self) -> None:
        self.harvest()
        dut = self.dut
        seen = {
            "alarm": int(dut.alarm.value),
            "alarms": int(dut.alarms.value),
            "raw_bits": int(dut.raw_bits.value),
            "clean_windows": int(dut.clean_windows.value),
            "ready": int(dut.ready.value),
        }
        assert seen == {
            "alarm": self[ALARM],
            "alarms": self[ALARMS],
            "raw_bits": self[RAW_BITS],
            "clean_windows": min(self[CLEAN_WINDOWS], (1 << CLEAN_WINDOWS_BITS) - 1),
            "ready": self[COIN_READY],
        }
        counts = int(dut.symbol_counts.value)
        for symbol, count in enumerate(self.state.symbol_counts):
            assert (counts >> (32 * symbol)) & 0xFFFFFFFF == count, f"count of symbol {symbol}"
        if int(dut.t_valid.value):
            assert seen["ready"], "t without a coin"
            assert int(dut.t.value) == min(minus_log_u(self.machine, self.state), T_MAX)
            self.coins += 1
        else:
            assert self.ready_for <= NegLog.LATENCY, "t comes too late"
        self.compared += 1

    def tick(self) -> None:
        dut = self.dut
        self.cycle += 1
        self.ready_for = self.ready_for + 1 if int(dut.ready.value) else 0
        settled = int(dut.settled.value)
        if settled:
            self.settled_at = self.settled_at or self.cycle
            if self.idle <= NegLog.LATENCY + 2:  # nothing changes afterwards
                self.compare()
        else:
            self.settled_at = 0
        raw = int(dut.raw.value)
        assert raw == self.tapped if self.tapped else not raw & 1, "the tap"
        self.tapped = 0
        begin, restart = int(dut.begin.value), int(dut.restart.value)
        valid, ready = int(dut.codes__valid.value), int(dut.codes__ready.value)
        assert ready or begin or restart, "a code must wait for nothing but a strobe"
        if valid or begin or restart:
            self.idle = 0
        else:
            self.idle += 1
            assert settled or self.idle <= EntropyUnit.LATENCY - 1, "settles too late"
        if begin or restart:
            self.harvest()
        if begin:
            begin_coin(self.state)
        if restart:
            restart_tests(self.state)
        if valid and ready:
            item = self.codes.unpack(int(dut.codes__payload.value))
            self.pending.append((item["column"], item["code"]))
            symbol = item["code"] & SYMBOL_MASK
            self.tapped = self.raw.pack({"valid": 1, "symbol": symbol, "column": item["column"]})
            self.first_take = self.first_take or self.cycle
            self.last_take = self.cycle


class Strobes:
    """Pulses ``begin`` and ``restart`` at random times."""

    def __init__(self, dut: Any, rng: random.Random) -> None:
        self.dut, self.rng, self.on = dut, rng, True

    def tick(self) -> None:
        begin = self.rng.random() < (0.1 if int(self.dut.ready.value) else 0.004)
        restart = self.rng.random() < (0.1 if int(self.dut.alarm.value) else 0.002)
        self.dut.begin.value = int(begin and self.on)
        self.dut.restart.value = int(restart and self.on)


# -- read-backs of entropy devices -------------------------------------------------------------
Codes = Iterator[int]


def good(rng: random.Random, columns: int) -> Codes:
    while True:
        yield rng.getrandbits(CODE_BITS)


def biased(rng: random.Random, columns: int, ones: float = 0.6) -> Codes:
    while True:
        bits = sum((rng.random() < ones) << i for i in range(SYMBOL_BITS))
        yield 456 + bits


def very_biased(rng: random.Random, columns: int) -> Codes:
    return biased(rng, columns, rng.choice([0.02, 0.1, 0.9, 0.98]))


def stuck(rng: random.Random, columns: int) -> Codes:
    code = rng.choice([0, (1 << CODE_BITS) - 1])
    while True:
        yield code


def frozen(rng: random.Random, columns: int) -> Codes:
    """Each column at a code of its own, whose bits look mixed."""
    while True:
        yield from (389 + 37 * column for column in range(columns))


def repetitive(rng: random.Random, columns: int) -> Codes:
    """Columns that mostly repeat themselves."""
    held = [rng.getrandbits(CODE_BITS) for _ in range(columns)]
    while True:
        for column in range(columns):
            if rng.random() < 0.3:
                held[column] = rng.getrandbits(CODE_BITS)
            yield held[column]


def sticky(rng: random.Random, columns: int) -> Codes:
    """Bits that mostly repeat the one before them."""
    bit = 0
    while True:
        code = rng.getrandbits(CODE_BITS) & ~SYMBOL_MASK
        for i in range(SYMBOL_BITS):
            bit ^= rng.random() < 0.15
            code |= bit << i
        yield code


def mostly_zero(rng: random.Random, columns: int) -> Codes:
    """Words of zeros, words with their first one anywhere."""
    while True:
        for _ in range(rng.randrange(40)):
            yield rng.getrandbits(CODE_BITS) & ~SYMBOL_MASK
        for _ in range(rng.randrange(1, 4)):
            yield rng.getrandbits(CODE_BITS)


KINDS = (good, biased, very_biased, stuck, frozen, repetitive, sticky, mostly_zero)


def some_cutoffs(rng: random.Random) -> tuple[int, int, int]:
    """Cut-offs for one active test or for all; they are low, so that alarms are frequent."""
    rct = rng.choice([0, 1, 2, 3, 4, 5, 8, 13, 32])
    symbol = rng.choice([2, 3, 4, 5, 12])
    apt = rng.choice([0, 1, 2, 3, 4, 5, 40, 300, 510, 530, 560, 616, APT_WINDOW])
    which = rng.randrange(5)
    if which == 4:
        return rng.choice([CUTOFFS, (rct, rng.choice([0, 1, symbol]), apt)])
    if which == 3:
        return rng.choice([OFF, (rct, symbol, apt)])
    cutoffs = list(OFF)
    cutoffs[which] = (rct, symbol, apt)[which]
    return cutoffs[0], cutoffs[1], cutoffs[2]


def with_columns(codes: Codes, columns: int) -> Iterator[dict[str, int]]:
    """Symbols in the order of harvest: column after column."""
    while True:
        for column in range(columns):
            yield {"code": next(codes), "column": column}


def with_any_columns(codes: Codes, columns: int, rng: random.Random) -> Iterator[dict[str, int]]:
    for code in codes:
        yield {"code": code, "column": rng.randrange(columns)}


@cocotb.test()
async def equals_golden(dut) -> None:  # type: ignore[no-untyped-def]
    case = case_parameters()
    rng = stimuli(case["seed"])
    config = configured(case["entropy_pairs"])
    columns = config.coin_devices
    twin = Twin(dut, config)
    source = Source(dut, "codes", coin_code(config), rng=rng)
    strobes = Strobes(dut, rng)
    twin.set_cutoffs(*CUTOFFS)
    await start_clock(dut)
    bench = Clocked(dut, twin, source, strobes).start()
    edge = RisingEdge(dut.clk)
    for _ in range(case["epochs"]):
        twin.set_cutoffs(*some_cutoffs(rng))
        twin.set_fold(rng.choice([1, 1, 1, 2, 3, FOLD_MAX]))
        source.stall = rng.choice(case["stalls"])
        for _ in range(rng.randrange(1, 6)):
            codes = rng.choice(KINDS)(rng, columns)
            if rng.random() < 0.2:
                items = with_any_columns(codes, columns, rng)
            else:
                items = with_columns(codes, columns)
            for _ in range(rng.randrange(1, 24)):  # rounds, and a pause between them
                source.put([next(items) for _ in range(columns)])
                await bench.until(lambda: source.done, 80 * columns, "the round")
                for _ in range(rng.choice([0, 1, 2, 3, 4, 12])):
                    await edge
        strobes.on = False
        await bench.until(lambda: twin.idle > EntropyUnit.LATENCY, 80, "the unit")
        strobes.on = True
    dut._log.info(f"{twin.compared} comparisons, {twin.coins} t, {twin[ALARMS]} alarms")
    assert twin[ALARMS] > case["epochs"] // 2
    assert twin.coins > 2 * case["epochs"]


@cocotb.test()
async def windows_in_every_phase(dut) -> None:  # type: ignore[no-untyped-def]
    """Windows of 1024 bits begin and end at any bit of a symbol: many in a row, no restart."""
    case = case_parameters()
    rng = stimuli(31)
    config = configured(case["entropy_pairs"])
    columns = config.coin_devices
    twin = Twin(dut, config)
    source = Source(dut, "codes", coin_code(config))
    twin.set_cutoffs(*OFF)
    await start_clock(dut)
    bench = Clocked(dut, twin, source).start()
    raised = 0
    for _ in range(case["runs"]):
        # counts that a window of good bits reaches once in a while, so the alarm is late in it
        twin.set_cutoffs(OFF[0], OFF[1], rng.randrange(525, 545))
        dut.restart.value = 1
        await RisingEdge(dut.clk)
        dut.restart.value = 0
        items = with_columns(good(rng, columns), columns)
        while twin[CLEAN_WINDOWS] < 7 and not twin[ALARM]:
            source.put([next(items) for _ in range(columns)])
            await bench.until(lambda: source.done, 3 * columns, "the round")
            for _ in range(EntropyUnit.LATENCY + 1):
                await RisingEdge(dut.clk)
        raised += twin[ALARM]
    assert case["runs"] // 5 < raised < case["runs"]


@cocotb.test()
async def one_symbol_a_clock(dut) -> None:  # type: ignore[no-untyped-def]
    """A round of codes enters clock by clock; its result is valid LATENCY clocks later."""
    config = configured(case_parameters()["entropy_pairs"])
    rng = stimuli(5)
    twin = Twin(dut, config)
    items = with_columns(good(rng, config.coin_devices), config.coin_devices)
    count = COIN_BITS // SYMBOL_BITS
    source = Source(dut, "codes", coin_code(config), [next(items) for _ in range(count)])
    twin.set_cutoffs(*CUTOFFS)
    await start_clock(dut)
    bench = Clocked(dut, twin, source).start()
    await bench.until(lambda: int(dut.t_valid.value) and twin.coins, 40, "t")
    assert twin.last_take - twin.first_take == count - 1
    assert twin.settled_at - twin.last_take == EntropyUnit.LATENCY
    assert twin.ready_for - 1 == NegLog.LATENCY, "clocks from ready to t_valid"


@cocotb.test()
async def bad_coins_alarm_in_time(dut) -> None:  # type: ignore[no-untyped-def]
    """Harvest as a controller does: rounds of all columns, begin when the coin is complete."""
    config = configured(case_parameters()["entropy_pairs"])
    columns, rng = config.coin_devices, stimuli(21)
    twin = Twin(dut, config)
    source = Source(dut, "codes", coin_code(config))
    rct, symbol, _ = CUTOFFS
    twin.set_cutoffs(*CUTOFFS)
    await start_clock(dut)
    bench = Clocked(dut, twin, source).start()

    async def strobe(name: str) -> None:
        port = getattr(dut, name)
        port.value = 1
        await RisingEdge(dut.clk)
        port.value = 0

    async def rounds(items: Iterator[dict[str, int]], limit: int) -> int:
        """Rounds until the alarm, ``limit`` if there was none."""
        for done in range(1, limit + 1):
            source.put([next(items) for _ in range(columns)])
            await bench.until(lambda: source.done, 3 * columns, "the round")
            await bench.until(lambda: int(dut.settled.value), 10, "the unit")
            if int(dut.ready.value):
                await strobe("begin")
            if int(dut.alarm.value):
                return done
        return limit

    per_round = columns * SYMBOL_BITS
    limits: dict[Callable[..., Codes], int] = {
        stuck: -(-rct // per_round),
        frozen: symbol,
        biased: 8 * -(-APT_WINDOW // per_round),
    }
    for fault, limit in limits.items():
        await strobe("restart")
        await rounds(with_columns(good(rng, columns), columns), 200)
        assert not int(dut.alarm.value), "an alarm on good bits"
        before = int(dut.alarms.value)
        taken = await rounds(with_columns(fault(rng, columns), columns), limit)
        assert int(dut.alarm.value), f"{fault.__name__}: no alarm in {taken} rounds"
        # it stays with any following symbols, and is counted once
        await rounds(with_columns(good(rng, columns), columns), 1)
        for _ in range(20):
            await rounds(with_columns(stuck(rng, columns), columns), 1)
        assert int(dut.alarm.value) and int(dut.alarms.value) == before + 1
        dut._log.info(f"{fault.__name__}: alarm after {taken} rounds of at most {limit}")


@cocotb.test()
async def counters_at_their_ends(dut) -> None:  # type: ignore[no-untyped-def]
    """The largest cut-offs raise the alarm, windows saturate, t takes its largest value."""
    config = configured(case_parameters()["entropy_pairs"])
    twin = Twin(dut, config)
    columns, edge = config.coin_devices, RisingEdge(dut.clk)
    zeros, ones = [0] * columns, [1] * columns
    mixed = [389 + 37 * column for column in range(columns)]
    twin.set_cutoffs(*OFF)
    await start_clock(dut)

    async def send(codes: list[int], rounds: int) -> None:
        twin.state.coin_codes[:] = codes
        payloads = [twin.codes.pack({"code": code, "column": c}) for c, code in enumerate(codes)]
        dut.codes__valid.value = 1
        for _ in range(rounds):
            for payload in payloads:
                dut.codes__payload.value = payload
                await edge
            harvest(twin.machine, twin.state)
        dut.codes__valid.value = 0
        for _ in range(2 + NegLog.LATENCY + EntropyUnit.LATENCY):
            await edge
        twin.ready_for = NegLog.LATENCY + 1 if int(dut.ready.value) else 0
        twin.compare()

    for codes in (zeros, mixed):  # a run of bits, a run of symbols
        dut.restart.value = 1
        await edge
        dut.restart.value = 0
        restart_tests(twin.state)
        for _ in range(1 + OFF[1] // 4):
            await send(codes, 4)
        assert twin[ALARM]
    dut.begin.value = 1
    await edge
    dut.begin.value = 0
    begin_coin(twin.state)
    coins = twin.coins
    rounds = -(-(APT_WINDOW * ((1 << CLEAN_WINDOWS_BITS) + 2)) // (columns * SYMBOL_BITS))
    assert rounds * columns * SYMBOL_BITS * LN2 > T_MAX
    await send(zeros, rounds)
    assert twin[CLEAN_WINDOWS] >= 1 << CLEAN_WINDOWS_BITS
    assert twin.coins == coins
    await send(ones, COIN_BITS // SYMBOL_BITS)
    assert twin.coins == coins + 1 and int(dut.t.value) == T_MAX


def run_unit(case: dict[str, Any], *testcases: str) -> None:
    unit = EntropyUnit(configured(case["entropy_pairs"]))
    run_bench(unit, __name__, case, testcase="|".join(testcases))


@pytest.mark.parametrize("entropy_pairs", [1, 4])
def test_equals_golden(entropy_pairs: int) -> None:
    case = {
        "entropy_pairs": entropy_pairs,
        "stalls": [0, 0, 0.4, 0.8],  # one of them in each epoch
        "seed": 1 + entropy_pairs,
        "epochs": 60 if entropy_pairs == 1 else 40,
    }
    run_unit(case, "equals_golden")


@pytest.mark.parametrize("entropy_pairs", [1, 4])
def test_promises(entropy_pairs: int) -> None:
    run_unit(
        {"entropy_pairs": entropy_pairs, "runs": 16 if entropy_pairs == 4 else 8},
        "windows_in_every_phase",
        "one_symbol_a_clock",
        "bad_coins_alarm_in_time",
        "counters_at_their_ends",
    )
