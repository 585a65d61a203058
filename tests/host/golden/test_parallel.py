"""Chains in threads: every bit is that of chains that take turns."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ohmcarlo.golden import (
    ENTROPY_ALARM,
    EXHAUSTED,
    RUNNING,
    Calibration,
    Controller,
    EntropyAlarm,
    log_posteriors,
    logits,
    parallel,
)
from ohmcarlo.golden import controller as golden_controller
from ohmcarlo.golden.machine import TURN
from ohmcarlo.golden.parallel import Chain, Parallel
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.threads import limit_threads, share_range
from problems import controller, same_trace, trace, wdbc_points, xor_points

CASES = 30
LONG_CASES = 600
OFTEN_ZERO = {"sigma_law_us": lambda g: 0 * g + 0.1}
"""Devices so even that two of them often give the same symbol, whose exclusive or is zero."""


@pytest.fixture(scope="module")
def wdbc() -> Points:
    return wdbc_points()


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Blocks of any size are worth the threads here. Counts blocks, their rounds and those that
    were made again."""
    found: Counter[str] = Counter()
    block, restore = Parallel._block, Chain.restore

    def note_block(self: Parallel, *arguments: Any) -> int:
        made = block(self, *arguments)
        found.update(blocks=1, rounds=made)
        return made

    def note_restore(self: Chain) -> None:
        found.update(restored=1)
        restore(self)

    monkeypatch.setattr(parallel, "LEAST_ROUNDS", 1)
    monkeypatch.setattr(parallel, "LEAST_WORK", 0)
    monkeypatch.setattr(Parallel, "_block", note_block)
    monkeypatch.setattr(Chain, "restore", note_restore)
    yield found
    limit_threads(None)


def random_calibration(rng: np.random.Generator, g: Geometry, middle: int) -> Calibration:
    shape = (g.rows, g.row_devices)
    return Calibration(
        trim_offset=rng.integers(-8, 9, shape).astype(np.int16),
        trim_gain=rng.integers(-3, 4, shape).astype(np.int8),
        centre=rng.integers(middle - 60, middle + 61, shape).astype(np.uint16),
        bad_rows=rng.random(g.rows) < 0.02,
    )


def random_case(rng: np.random.Generator, points: Points) -> tuple[Points, dict[str, Any]]:
    """A problem with 2 to 8 chains, and arguments of ``controller``."""
    regions = int(rng.integers(2, 9))
    case: dict[str, Any] = {
        "seed": int(rng.integers(1 << 40)),
        "kernel": str(rng.choice(["corrected", "published"])),
        "rho": float(rng.choice([1.0, 0.8])),
        "wide_every": int(rng.choice([0, 3, 7])),
        "fold": int(rng.choice([1, 2, 3])),
        "stream": bool(rng.random() < 0.8),
        "retries": int(rng.integers(1, 4)),
        "early_reject": bool(rng.random() < 0.5),
        "array": {"d2d_rel": float(rng.choice([0, 0.03])), "stuck": float(rng.choice([0, 0.01]))},
    }
    entropy_pairs = int(rng.integers(1, 5))
    if rng.random() < 0.25:
        points, case["hidden"] = xor_points(), 3
        geometry = Geometry(512, 16, entropy_pairs=entropy_pairs, row_group=4, regions=regions)
    else:
        rows = int(rng.choice([128, 250]))
        geometry = Geometry(rows, 24, entropy_pairs=entropy_pairs, regions=regions)
    case["geometry"] = geometry
    if rng.random() < 0.3:
        case |= {"fold": 2, "min_entropy": 0.1} | {"array": OFTEN_ZERO}
    if rng.random() < 0.4:
        case["calibration"] = random_calibration(rng, geometry, 1680)
    return points, case


def assert_same_state(one: Controller, other: Controller) -> None:
    """Registers, memories, devices and ledger, bit for bit."""
    a, b = one.state_dict(), other.state_dict()
    assert a.keys() == b.keys()
    differ = [name for name in a if not np.array_equal(a[name], b[name])]
    assert not differ


def started_again(made: Controller) -> str:
    try:
        made.start()
    except EntropyAlarm:
        return "alarm"
    return "started"


def compare(rng: np.random.Generator, in_turn: Controller, ahead: Controller, runs: int) -> Counter:
    """Run both some times, an alarm ends with a start; returns how often each status came."""
    found: Counter[int] = Counter()
    for _ in range(runs):
        steps, number = int(rng.integers(1, 150)), int(rng.integers(2, 5))
        traces = []
        for made, threads in ((in_turn, 1), (ahead, number)):
            limit_threads(threads)
            traces.append(trace(made, steps))
        assert same_trace(*traces)
        assert_same_state(in_turn, ahead)
        status = int(traces[0]["status"])
        found[status] += 1
        if status == ENTROPY_ALARM:
            assert started_again(in_turn) == started_again(ahead)
            assert_same_state(in_turn, ahead)
        if status == EXHAUSTED:
            break
    return found


def random_pair(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, points: Points
) -> tuple[Controller, Controller]:
    """One problem on two controllers, with health tests that fail often for some problems, and
    blocks of random size."""
    monkeypatch.setattr(parallel, "FIRST_ROUNDS", int(rng.integers(1, 40)))
    monkeypatch.setattr(parallel, "MOST_ROUNDS", int(rng.integers(1, 80)))
    points, case = random_case(rng, points)
    pair = controller(points, **case), controller(points, **case)
    if rng.random() < 0.3:
        cutoff = int(rng.integers(4, 7))
        for made in pair:
            made.machine = made.machine._replace(rct_symbol_cutoff=cutoff)
    return pair


def fuzz(cases: range, monkeypatch: pytest.MonkeyPatch, points: Points, runs: int) -> Counter[int]:
    """Compare random problems; returns how often each status came."""
    found: Counter[int] = Counter()
    for seed in cases:
        rng = np.random.default_rng(seed)
        found += compare(rng, *random_pair(rng, monkeypatch, points), runs)
    return found


def test_random_arrays(
    wdbc: Points, counted: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stuck, trimmed and bad rows, networks, wide steps, folds, zero words, alarms, full arrays."""
    found = fuzz(range(CASES), monkeypatch, wdbc, 4)
    assert min(found[s] for s in (RUNNING, ENTROPY_ALARM, EXHAUSTED)) >= 3
    assert counted["rounds"] > 20 * CASES and counted["restored"] > 20


@pytest.mark.verify
def test_many_random_arrays(wdbc: Points, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzz(range(CASES, LONG_CASES), monkeypatch, wdbc, 6)


def without_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chain, "restore", lambda chain: None)


def without_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    test = Parallel._test
    monkeypatch.setattr(Parallel, "_test", lambda self, rounds: (rounds, test(self, 0)[1]))


def chain_after_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Health tests of all steps of a chain, then of the next chain."""
    test = Parallel._test

    def wrong(self: Parallel, rounds: int) -> tuple[int, Any]:
        symbols, each = self._tests.symbols, parallel.symbols_of_a_step(self._of[0])
        own = symbols[:, : rounds * each].copy()
        turned = own.reshape(rounds, len(own), each).transpose(1, 0, 2)
        symbols[:, : rounds * each] = turned.reshape(own.shape)
        return test(self, rounds)

    monkeypatch.setattr(Parallel, "_test", wrong)


def without_pulses_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    pulses = parallel.pulses_of_a_step
    monkeypatch.setattr(parallel, "pulses_of_a_step", lambda m: pulses(m) + 1)


@pytest.mark.parametrize(
    "fault", [without_the_way_back, without_tests, chain_after_chain, without_pulses_of_others]
)
def test_a_fault_is_noticed(fault: Any, wdbc: Points, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the comparison."""
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        fuzz(range(CASES), monkeypatch, wdbc, 4)


@pytest.mark.parametrize("case", [{}, {"fold": 3}, {"geometry": Geometry(entropy_pairs=1)}])
def test_pulses_of_a_regular_step(case: dict[str, Any], wdbc: Points) -> None:
    """Those that an array counts."""
    made = controller(wdbc, **case)
    before = made.array.ledger.set
    made.run(50)
    assert made.array.ledger.set - before == 50 * parallel.pulses_of_a_step(made.machine)


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_a_stop_within_a_round(seed: int, wdbc: Points, counted: Counter[str]) -> None:
    """After an alarm, it is the turn of any chain. The chains take turns up to the first one."""
    pair = [controller(wdbc, Geometry(regions=5), seed=seed) for _ in range(2)]
    limit_threads(1)
    for made in pair:
        usual, made.machine = made.machine, made.machine._replace(rct_symbol_cutoff=5)
        assert made.run(5000)[1] == ENTROPY_ALARM
        assert made.state.scalars[TURN] != 0
        made.machine = usual
        made.start()
    in_turn = trace(pair[0], 100)
    limit_threads(2)
    assert same_trace(in_turn, trace(pair[1], 100))
    assert_same_state(*pair)
    assert counted["rounds"] == 99


def test_an_interrupted_block_leaves_no_trace(
    wdbc: Points, counted: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the thread of the caller while another thread makes steps."""
    pair = [controller(wdbc, Geometry(regions=4)) for _ in range(2)]
    limit_threads(2)
    for made in pair:
        made.run(60)
    advance, calls = Chain.advance, []

    def interrupted(self: Chain, *arguments: Any) -> bool:
        found = advance(self, *arguments)
        calls.append(None)
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Chain, "advance", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pair[0].run(200)
    assert calls and counted["restored"] == 4
    assert_same_state(*pair)
    limit_threads(1)
    last = trace(pair[1], 200)
    limit_threads(3)
    assert same_trace(trace(pair[0], 200), last)


def test_one_chain_takes_no_thread(wdbc: Points, counted: Counter[str]) -> None:
    for regions, number in ((1, 2), (4, 1)):
        limit_threads(number)
        controller(wdbc, Geometry(regions=regions)).run(200)
    assert not counted


def test_short_runs_take_no_thread(
    wdbc: Points, counted: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block is shorter, the more work a step is."""
    monkeypatch.setattr(parallel, "LEAST_WORK", 1_000_000)
    monkeypatch.setattr(parallel, "LEAST_ROUNDS", 4)
    made = controller(wdbc, Geometry(regions=4))
    least = parallel.least_rounds(made.machine, made.data)
    limit_threads(2)
    made.run(least - 1)
    assert not counted
    made.run(least)
    assert counted["rounds"] == least
    many = made.data._replace(labels=np.zeros(1_000_000, np.uint8))
    assert parallel.least_rounds(made.machine, many) == 4 < least


@pytest.mark.parametrize("network", [False, True])
def test_evaluations_in_threads(
    network: bool, wdbc: Points, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Predictions, log-posteriors and logits are those of one thread, for any number of samples."""
    points = xor_points() if network else wdbc
    more = {"geometry": Geometry(row_group=4), "hidden": 3} if network else {}
    made = controller(points, **more)
    found = trace(made, 400)
    monkeypatch.setattr(golden_controller, "LEAST_WORK", 1)
    shared = []
    monkeypatch.setattr(
        golden_controller,
        "share_range",
        lambda count, work, number: (shared.append(number), share_range(count, work, number)),
    )
    for samples in (1, 2, 7, 30):
        codes, counts = found["codes"][:samples], found["multiplicity"][:samples]
        results = []
        for number in (1, 4):
            limit_threads(number)
            sums, total = golden_controller.prediction_sums(made.registers, points, codes, counts)
            results.append(
                (sums, total, log_posteriors(made.registers, points, codes),
                 logits(made.registers, points, codes))
            )  # fmt: skip
        for one, other in zip(*results, strict=True):
            assert np.array_equal(one, other)
        assert np.array_equal(results[1][2], found["sample_log_posterior"][:samples])
    assert shared == [1] * 9 + [2] * 3 + [1] * 3 + [4] * 3 + [1] * 3 + [4] * 3
