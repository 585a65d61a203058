"""Row groups, tests of the coin, and the ledger of the golden model, in hand-made situations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

from ohmcarlo.array import EmulatedArray
from ohmcarlo.array.base import DOT, DOT_CODES, DOT_DEVICES
from ohmcarlo.golden import ENTROPY_ALARM, Calibration, Controller, SamplerSettings, terms
from ohmcarlo.golden.chain import count_dots, settle, threshold_of
from ohmcarlo.golden.entropy import begin_coin, harvest, minus_log_u
from ohmcarlo.golden.machine import (
    ALARM,
    ALARMS,
    COIN_READY,
    TURN,
    WORD,
    ZEROS_BEFORE,
    build_machine,
    build_state,
)
from ohmcarlo.golden.proposal import log_prior
from ohmcarlo.golden.rows import NO_GROUP, give_back, keep_retired, push_free, take_free
from ohmcarlo.spec import Geometry, Points
from problems import controller, quantised, trace, wdbc_points

NAT = 1 << 16
SMALL = Geometry(rows=16, pairs=12)


def parts(geometry: Geometry = SMALL, features: int = 3, **settings: Any) -> tuple[Any, Any]:
    """A machine and its power-up state, without an array."""
    registers = SamplerSettings(**settings).registers(geometry, features, lambda g: 0.05 * g)
    return build_machine(registers), build_state(registers)


def few_points(n: int = 12) -> Points:
    """Two clouds in the plane."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    x = rng.standard_normal((n, 2)) + (2.0 * y - 1)[:, None]
    return Points.of(quantised(x), y.astype(np.uint8))


# -- queue, ring, retirement -------------------------------------------------------------------


def test_the_queue_of_free_groups_is_first_in_first_out() -> None:
    """docs/design.md#rows: a rejected row group goes to the tail."""
    m, state = parts(Geometry(rows=16, pairs=12, regions=2), stream=False)
    taken = [take_free(m, state, 1) for _ in range(3)]
    assert taken == [8, 9, 10]
    give_back(m, state, 1, 9, False)
    assert [take_free(m, state, 1) for _ in range(5)] == [11, 12, 13, 14, 15]
    assert take_free(m, state, 1) == NO_GROUP, "the last free group must not be programmed again"
    push_free(m, state, 1, 8)
    assert take_free(m, state, 1) == 9
    assert [take_free(m, state, 0) for _ in range(2)] == [0, 1], "the other region's own queue"


def test_a_group_that_fails_three_times_in_a_row_is_retired() -> None:
    """docs/design.md#read-backs-out-of-range: one valid read-back clears the count."""
    m, state = parts(retries=3)
    for valid in (False, False, True, False, False):
        give_back(m, state, 0, 5, not valid)
        assert not state.bad[5]
    free = int(state.free_count[0])
    give_back(m, state, 0, 5, True)
    assert state.bad[5] and state.free_count[0] == free, "out of service, not in the queue"


def test_an_accepted_read_back_clears_the_count_too() -> None:
    m, state = parts(retries=3)
    give_back(m, state, 0, 5, True)
    give_back(m, state, 0, 5, True)
    settle(state, 0, 5)
    give_back(m, state, 0, 5, True)
    assert not state.bad[5]


def test_the_oldest_retired_sample_gives_its_rows_back() -> None:
    m, state = parts()
    current = [take_free(m, state, 0) for _ in range(12)]
    for group, multiplicity in zip(current, range(1, 13), strict=True):
        state.group[0], state.multiplicity[0] = group, multiplicity
        keep_retired(m, state, 0)
    assert state.held[:12].tolist() == list(range(1, 13))
    assert take_free(m, state, 0) == 12  # four are free: the queue is long enough
    assert take_free(m, state, 0) == 13  # three are free: group 0 becomes free
    assert take_free(m, state, 0) == 14
    assert state.held[:3].tolist() == [0, 0, 3] and state.retired_count[0] == 10
    assert [take_free(m, state, 0) for _ in range(3)] == [15, 0, 1]


def test_one_bad_row_takes_its_whole_group_out_of_service() -> None:
    bad = np.zeros(32, bool)
    bad[[8, 19]] = True  # the third row of group 2, the second of group 6
    geometry = Geometry(rows=32, pairs=12, row_group=3)
    registers = SamplerSettings(hidden=2).registers(
        geometry, 3, lambda g: 0.05 * g, Calibration(bad_rows=bad)
    )
    assert np.flatnonzero(build_state(registers).bad).tolist() == [2, 6]


# -- acceptance --------------------------------------------------------------------------------


@pytest.mark.parametrize(("short", "accepted"), [(0, True), (1, False)])
def test_a_sum_equal_to_the_threshold_is_accepted(short: int, accepted: bool) -> None:
    """docs/design.md#decision: sum >= L*. The log-likelihood from outside is L*, or one LSB
    less."""
    made: Controller

    def external(_: np.ndarray) -> int:
        if made.state.group[0] < 0:
            return 0
        t = minus_log_u(made.machine, made.state)
        return int(threshold_of(made.machine, made.state, 0, 0, t)[0]) - short

    array = EmulatedArray(SMALL, 5)
    registers = SamplerSettings().registers(SMALL, 2, array.sigma_us)
    made = Controller(registers, array, Points.of(np.zeros((0, 2), np.int8)), external)
    made.start()
    assert (trace(made, 20)["accepted"] == accepted).all()


@pytest.mark.parametrize(("short", "accepted"), [(0, True), (1, False)])
def test_the_compiled_loop_accepts_at_equality(short: int, accepted: bool) -> None:
    """Without points the sum is 0: the current log-likelihood is set so that L* is 0, or 1."""
    empty = Points.of(np.zeros((0, 2), np.int8))
    made, same = (controller(empty, geometry=SMALL) for _ in range(2))
    old = made.state.codes.copy()
    trace(made, 1)  # the controller keeps its proposal and its coin
    made.state.codes[:], made.state.prior[:] = old, same.state.prior
    made.state.loglik[0] = 0
    t = minus_log_u(made.machine, made.state)
    same.state.loglik[0] = short - threshold_of(made.machine, made.state, 0, 0, t)[0]
    assert trace(same, 1)["accepted"].tolist() == [accepted]


@pytest.mark.parametrize("slow", [None, True])
def test_the_current_sample_has_its_own_price(slow: bool | None) -> None:
    """From the first sample on, log-likelihood and prior belong to the codes."""
    points = few_points()
    made = controller(points, geometry=Geometry(rows=32, pairs=12, regions=2), slow=slow)
    changed = 0
    for _ in range(12):
        for region in range(2):
            codes = made.state.codes[region]
            assert made.state.prior[region] == log_prior(made.machine, codes)
            assert made.state.loglik[region] == terms(made.registers, points, codes).sum()
        before = made.state.codes.copy()
        t = trace(made, 2)
        assert t["log_posterior"][-2:].tolist() == (made.state.loglik + made.state.prior).tolist()
        changed += int(not np.array_equal(before, made.state.codes))
    assert changed > 3


# -- the coin ----------------------------------------------------------------------------------


def feed(m: Any, state: Any, bits: list[int]) -> int:
    """Harvest ``bits``, three per device; the number taken before the alarm, or all."""
    columns = len(state.coin_codes)
    for start in range(0, len(bits), 3 * columns):
        chunk = np.array(bits[start : start + 3 * columns]).reshape(columns, 3)
        state.coin_codes[:] = 480 + chunk @ [1, 2, 4]
        harvest(m, state)
        if state.scalars[ALARM]:
            return start
    return len(bits)


def one_pair() -> tuple[Any, Any]:
    """Two entropy devices with six bits per harvest, and a symbol test that never raises an
    alarm."""
    m, state = parts(Geometry(rows=16, pairs=12, entropy_pairs=1), min_entropy=1.0)
    return m._replace(rct_symbol_cutoff=10**6), state


@pytest.mark.parametrize("bit", [0, 1])
def test_repetition_count(bit: int) -> None:
    """SP 800-90B, 4.4.1, H = 1, α = 2^-40: C = 41. 40 equal bits pass, 41 do not."""
    other = 1 - bit
    for run, alarm in ((40, False), (41, True)):
        m, state = one_pair()
        bits = [other] * 5 + [bit] * run + [other]
        bits += [0, 1] * 3
        feed(m, state, bits[: len(bits) // 6 * 6])
        assert bool(state.scalars[ALARM]) == alarm


@pytest.mark.parametrize(("matches", "alarm"), [(599, False), (600, True)])
def test_adaptive_proportion(matches: int, alarm: bool) -> None:
    """SP 800-90B, 4.4.2: the first bit of the window is the one counted, itself included. A new
    window starts a new count with its own first bit."""
    m, state = one_pair()
    m = m._replace(apt_cutoff=600, rct_cutoff=10**6)
    rest = [1] * (matches - 1) + [0] * (1024 - matches)
    window = [1, *np.random.default_rng(0).permutation(rest).tolist()]
    second = [0] + [1] * 599 + [0] * 424
    feed(m, state, [*window, *second][: 2046 // 6 * 6])
    assert bool(state.scalars[ALARM]) == alarm


def test_an_alarm_is_latched_and_counted_once() -> None:
    m, state = one_pair()
    feed(m, state, [1] * 48)
    feed(m, state, [1] * 6)
    state.coin_codes[:] = [0b101, 0b010]
    harvest(m, state)
    assert state.scalars[ALARM] == 1 and state.scalars[ALARMS] == 1


def test_each_entropy_device_has_its_own_symbol_count() -> None:
    """H = 1: C = 1 + ⌈40 / 3⌉ = 15 equal symbols of one device raise the alarm, while the other one
    varies."""
    for rounds, alarm in ((14, False), (15, True)):
        m, state = parts(Geometry(rows=16, pairs=12, entropy_pairs=1), min_entropy=1.0)
        for i in range(rounds):
            state.coin_codes[:] = [480 + i % 8, 485]
            harvest(m, state)
        assert bool(state.scalars[ALARM]) == alarm


def test_the_coin_is_twenty_four_bits_and_no_more() -> None:
    """Six entropy pairs give 36 bits. The last 12 are tested, but belong neither to this coin nor
    to the next."""
    m, state = parts(Geometry(rows=16, pairs=12, entropy_pairs=6))
    codes = np.array([1, 2, 3, 4, 5, 6, 7, 0, 3, 6, 1, 5], np.int32)
    bits = "".join(str(int(c) >> i & 1) for c in codes for i in range(3))
    for _ in range(2):
        begin_coin(state)
        state.coin_codes[:] = codes
        harvest(m, state)
        assert state.scalars[COIN_READY] and state.scalars[WORD] == int(bits[:24], 2)


def test_zeros_belong_to_one_coin_only() -> None:
    """u = 2^-24 · 0.b24…: t rises by 24 ln 2. The next coin is not affected."""
    m, state = parts()
    word = np.array([5, 2, 7, 1, 0, 4, 3, 6], np.int32)
    begin_coin(state)
    for codes in (np.zeros(8, np.int32), word):
        state.coin_codes[:] = codes
        harvest(m, state)
    long = minus_log_u(m, state) / NAT
    begin_coin(state)
    assert not state.scalars[COIN_READY]
    harvest(m, state)
    assert state.scalars[ZEROS_BEFORE] == 0
    bits = [int(c) >> i & 1 for c in word for i in range(3)]
    u = sum(b * 2.0 ** -(i + 1) for i, b in enumerate(bits))
    assert minus_log_u(m, state) / NAT == pytest.approx(-np.log(u), abs=1e-3)
    assert long == pytest.approx(24 * np.log(2) - np.log(u), abs=1e-3)


@pytest.mark.parametrize("slow", [None, True])
def test_an_alarm_loses_neither_rows_nor_turn(slow: bool | None) -> None:
    """After an alarm and a start-up test, every row group still has its place. The region whose
    step was interrupted takes the next one."""
    geometry = Geometry(rows=48, pairs=12, regions=3)
    made = controller(few_points(), geometry=geometry, slow=slow)
    good = made.machine
    trace(made, 5)
    made.machine = good._replace(rct_cutoff=6)
    before = trace(made, 50)
    assert before["status"] == ENTROPY_ALARM
    state = made.state
    assert (state.free_count + state.retired_count + 1).tolist() == [16, 16, 16]
    made.machine = good
    state.scalars[TURN] = 1  # whichever region it was
    made.start()
    assert (state.free_count + state.retired_count + 1).tolist() == [16, 16, 16]
    assert trace(made, 1)["chain"].tolist() == [1, 2, 0]


# -- the ledger --------------------------------------------------------------------------------


def test_accesses_per_row() -> None:
    """8 / access_bits bit-planes times ⌈pairs / tile⌉ tiles."""
    for bits, tile, used, accesses in ((8, 0, 7, 1), (1, 0, 7, 8), (2, 3, 7, 12), (4, 7, 7, 2)):
        geometry = Geometry(rows=16, pairs=12, access_bits=bits, tile_pairs=tile)
        assert geometry.accesses_per_row(used) == accesses


def test_accesses_of_a_point() -> None:
    """Seven inputs in tiles of three, two bits at a time, 10 points: 10 · 4 · 3 accesses; every
    device is driven once a bit-plane."""
    m, _ = parts(Geometry(rows=16, pairs=12, access_bits=2, tile_pairs=3), features=7)
    counts = np.zeros(8, np.int64)
    codes = np.arange(14, dtype=np.int32)
    count_dots(m, counts, codes, 10)
    assert counts[[DOT, DOT_DEVICES, DOT_CODES]].tolist() == [120, 10 * 4 * 14, 10 * 4 * 91]
    assert counts.sum() == 120 + 560 + 3640


def test_accesses_of_a_network() -> None:
    """Two hidden rows of five inputs (three tiles of two), an output row of 2 + 1 (two tiles):
    8 accesses a point and plane, 10 + 10 + 6 devices."""
    geometry = Geometry(rows=15, pairs=12, row_group=3, access_bits=4, tile_pairs=2)
    m, _ = parts(geometry, features=5, hidden=2)
    counts = np.zeros(8, np.int64)
    codes = np.full(26, 100, np.int32)
    codes[-1] = 7
    count_dots(m, counts, codes, 3)
    assert counts[DOT] == 3 * 2 * (3 + 3 + 2)
    assert counts[DOT_DEVICES] == 3 * 2 * 26 and counts[DOT_CODES] == 3 * 2 * (2500 + 7)


def test_a_chain_enters_what_it_did() -> None:
    """SET, RESET, READ and DOT of a network: four pairs of coin, three rows of a group."""
    geometry = Geometry(rows=36, pairs=12, row_group=3)
    made = controller(few_points(), geometry=geometry, hidden=2)
    ledger = made.array.ledger
    before = ledger.counts.copy()
    t = trace(made, 40)
    used = 2 * (2 * 3 + 3)
    assert ledger.set - before[0] == 40 * (used + 8) == ledger.read - before[2]
    assert ledger.reset - before[1] == 40 * 3 * 24
    assert ledger.dot - before[DOT] == 3 * t["points"].sum()
    assert ledger.dot_devices - before[DOT_DEVICES] == used * t["points"].sum()


# -- prediction over the held samples ----------------------------------------------------------


@pytest.mark.parametrize("hidden", [0, 2])
def test_prediction_over_the_held_samples(hidden: int) -> None:
    """All samples of a short chain are still in the array, including the current one."""
    points = few_points()
    geometry = Geometry(rows=96, pairs=12, row_group=hidden + 1)
    made = controller(points, geometry=geometry, hidden=hidden)
    t = trace(made, 24)
    codes = np.concatenate([t["codes"], made.state.codes])
    multiplicity = np.concatenate([t["multiplicity"], made.state.multiplicity])
    assert multiplicity.sum() == 25 and 3 < len(codes) < 24
    x = points.inputs / 32.0
    p = []
    for w in made.registers.weights(codes.astype(np.uint16)):
        if hidden:
            sums = 32 * x @ w[: 3 * hidden].reshape(hidden, 3).T
            units = np.clip(np.floor(sums + 0.5), -127, 127)
            z = units / 32 @ w[3 * hidden : -1] + w[-1]
        else:
            z = x @ w
        p.append(special.expit(z))
    mean = np.average(p, axis=0, weights=multiplicity)
    variance = np.average((np.array(p) - mean) ** 2, axis=0, weights=multiplicity)
    found = made.predict(points)
    assert found[0] == pytest.approx(mean, abs=2e-3)
    assert found[1] == pytest.approx(variance, abs=2e-3)


def test_the_checkpoint_has_the_order_table() -> None:
    made, other = (controller(wdbc_points(3), geometry=SMALL) for _ in range(2))
    order = np.random.default_rng(0).permutation(len(made.points)).astype(np.int32)
    made.set_order(order)
    other.load_state_dict(made.state_dict())
    assert np.array_equal(other.data.order, order)
