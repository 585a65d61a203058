"""The coin: good bits pass, bad ones raise the alarm within the window of the cut-off."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ohmcarlo.array import EmulatedArray
from ohmcarlo.errors import UsageError
from ohmcarlo.golden import ENTROPY_ALARM, Controller, EntropyAlarm, SamplerSettings
from ohmcarlo.golden.entropy import begin_coin, harvest
from ohmcarlo.golden.machine import ALARM, CLEAN_WINDOWS, COIN_READY, WORD, ZEROS_BEFORE
from ohmcarlo.spec import APT_WINDOW, COIN_BITS, Geometry, health_cutoffs
from problems import SlowArray, controller, trace, wdbc_points


def test_cutoffs_follow_the_standard() -> None:
    """SP 800-90B 4.4.1: C = 1 + ⌈-log₂ α / H⌉, α = 2^-40; 4.4.2: 1 + critbinom(W, 2^-H, 1 - α),
    α = 2^-30."""
    rct, symbol, apt = health_cutoffs(1.0)
    assert (rct, symbol) == (41, 15)
    # the counted bit is the first of the window: W - 1 further trials, at most 2^-30 beyond the
    # cut-off
    assert stats.binom.sf(apt - 2, APT_WINDOW - 1, 0.5) <= 2.0**-30
    assert stats.binom.sf(apt - 3, APT_WINDOW - 1, 0.5) > 2.0**-30


class FaultyCoin(SlowArray):
    """Entropy devices that fail from the ``after``-th harvest on."""

    def __init__(self, fault: str, after: int, geometry: Geometry, seed: int) -> None:
        super().__init__(EmulatedArray(geometry, seed))
        self.fault, self.after, self.harvests = fault, after, 0
        self.rng = np.random.default_rng(seed)

    def program(self, row, devices, dac):  # type: ignore[no-untyped-def]
        codes = self.inner.program(row, devices, dac)
        if devices[0] < 2 * self.geometry.max_features:
            return codes
        self.harvests += 1
        if self.harvests <= self.after:
            return codes
        if self.fault == "stuck":
            return np.full_like(codes, 1023)
        if self.fault == "frozen":  # each column at its own code with mixed bits
            return (389 + 37 * np.arange(len(codes))).astype(np.int32)
        if self.fault == "biased":
            bits = self.rng.random((len(codes), 3)) < 0.6
            return (456 + bits @ [1, 2, 4]).astype(np.int32)
        return codes


def faulty(fault: str, after: int, seed: int = 1) -> Controller:
    """A controller that drives a FaultyCoin operation by operation."""
    points = wdbc_points(4)
    array = FaultyCoin(fault, after, Geometry(rows=64, pairs=16), seed)
    registers = SamplerSettings().registers(array.geometry, 5, array.sigma_us)
    return Controller(registers, array, points)


@pytest.mark.parametrize(("fault", "harvests"), [("stuck", 2), ("frozen", 16), ("biased", 8 * 43)])
def test_alarm_comes_in_time_and_nothing_is_accepted_after(fault: str, harvests: int) -> None:
    after = 200
    made = faulty(fault, after)
    made.start()
    t = trace(made, 3000)
    assert t["status"] == ENTROPY_ALARM
    assert made.array.harvests - after <= harvests
    before = made.state.codes.copy(), made.state.scalars.copy()
    again = trace(made, 100)
    assert again["status"] == ENTROPY_ALARM and len(again["accepted"]) == 0
    assert np.array_equal(made.state.codes, before[0])
    with pytest.raises(EntropyAlarm, match="characterize"):
        for _ in range(10):
            made.start()


@pytest.mark.parametrize("fault", ["stuck", "frozen"])
def test_start_up_refuses_a_dead_coin(fault: str) -> None:
    with pytest.raises(EntropyAlarm):
        faulty(fault, 0).start()


def test_good_coins_run_on() -> None:
    made = faulty("none", 0)
    made.start()
    assert made.state.scalars[CLEAN_WINDOWS] >= 2
    assert trace(made, 3000)["status"] == 0


def test_no_false_alarm_in_many_windows() -> None:
    """The tests run over 2,000 windows of the emulated coin (the calculated rate is 2^-30)."""
    made = controller(wdbc_points(4), geometry=Geometry(rows=64, pairs=9))
    trace(made, 2000 * APT_WINDOW // 24)
    assert made.state.scalars[CLEAN_WINDOWS] > 1990
    assert made.entropy()["alarms"] == 0


def test_symbols_are_uniform() -> None:
    made = controller(wdbc_points(4), geometry=Geometry(rows=64, pairs=9))
    trace(made, 50_000)
    counts = made.entropy()["symbol_counts"]
    assert counts.sum() >= 50_000 * 8
    assert stats.chisquare(counts).pvalue > 1e-4
    control = counts + np.array([0, 0, 0, 0, 0, 0, 0, counts[7] // 33])  # 3 % on one symbol
    assert stats.chisquare(control).pvalue < 1e-4


def test_the_coin_is_the_low_bits_in_order() -> None:
    made = controller(wdbc_points(4))
    begin_coin(made.state)
    codes = np.array([0b001, 0b110, 0b1111000, 3, 5, 7, 2, 1], np.int32)
    made.state.coin_codes[:] = codes
    harvest(made.machine, made.state)
    bits = [(int(c) >> i) & 1 for c in codes for i in range(3)]
    assert made.state.scalars[COIN_READY]
    assert made.state.scalars[WORD] == int("".join(map(str, bits)), 2)


def test_a_folded_coin_is_the_xor_of_successive_devices() -> None:
    """Five devices a symbol, over the rounds of programming: the tests still see every raw bit."""
    made = controller(wdbc_points(4), fold=5)
    counted = made.entropy()["raw_bits"]
    begin_coin(made.state)
    codes = np.random.default_rng(1).integers(400, 520, 40)
    for n in range(5):
        assert not made.state.scalars[COIN_READY]
        made.state.coin_codes[:] = codes[8 * n :][:8]
        harvest(made.machine, made.state)
    symbols = np.bitwise_xor.reduce(codes.reshape(8, 5) % 8, axis=1)
    bits = [(int(s) >> i) & 1 for s in symbols for i in range(3)]
    assert made.state.scalars[COIN_READY]
    assert made.state.scalars[WORD] == int("".join(map(str, bits)), 2)
    assert made.entropy()["raw_bits"] == counted + 3 * 40


def test_an_all_zero_word_asks_for_more() -> None:
    made = controller(wdbc_points(4))
    begin_coin(made.state)
    made.state.coin_codes[:] = 8 * np.arange(40, 48)
    harvest(made.machine, made.state)
    assert not made.state.scalars[COIN_READY] and not made.state.scalars[ALARM]
    assert made.state.scalars[ZEROS_BEFORE] == COIN_BITS
    made.state.coin_codes[:] = 8 * np.arange(40, 48) + 1
    harvest(made.machine, made.state)
    assert made.state.scalars[COIN_READY]


def test_few_entropy_pairs_are_programmed_more_often() -> None:
    cases = ((1, 1, 4), (2, 1, 2), (4, 1, 1), (6, 1, 1), (4, 5, 5), (6, 5, 4), (1, 2, 8))
    for pairs, fold, rounds in cases:
        g = Geometry(entropy_pairs=pairs)
        assert g.coin_rounds(fold) == rounds
        made = controller(wdbc_points(4), geometry=g, fold=fold)
        before = made.array.ledger.set
        trace(made, 100)
        per_step = (made.array.ledger.set - before) / 100
        assert per_step == 2 * 5 + 2 * pairs * rounds


@pytest.mark.parametrize("slow", [None, True])
def test_rows_with_a_stuck_entropy_device_give_no_coin(slow: bool | None) -> None:
    """A stuck device fixes three bits of the coin of its row. The rotation of the rows hides it
    from the health tests."""
    points = wdbc_points(4)
    made = controller(points, geometry=Geometry(rows=64, pairs=16), seed=3, slow=slow)
    emulator = getattr(made.array, "inner", made.array)
    coin = made.machine.coin_devices
    emulator.state.stuck[5, coin[0]] = 0
    emulator.state.stuck[40, coin[3]] = 1023
    t = trace(made, 1000)
    assert made.bad_rows() == [5, 40]
    assert (~t["valid"]).sum() == 2 * made.machine.retries
    assert not t["accepted"][~t["valid"]].any()


def test_settings_beyond_the_registers_are_refused() -> None:
    for settings in ({"tau_us": 1e-3}, {"gamma_us": 1e-5}, {"sigma_p": 1e9}):
        with pytest.raises(UsageError, match=f"{next(iter(settings))} = .* outside"):
            controller(wdbc_points(4), **settings)
    with pytest.raises(UsageError, match="spread by less"):
        controller(wdbc_points(4), array={"rel": 0.002})
