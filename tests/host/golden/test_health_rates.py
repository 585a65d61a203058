"""Error rates of the health tests: false alarms on good bits, and the detection of bad ones.

The rates are calculated for independent bits and counted in the golden model. SP 800-90B sets the
cut-offs by the rate of false alarms per *position*: bits for the repetition count, symbols for the
count over symbols, windows for the adaptive proportion. A window holds 1024 bits, so the first two
need a smaller rate.
"""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from ohmcarlo.array import EmulatedArray
from ohmcarlo.array.threefry import threefry2x32
from ohmcarlo.golden import SamplerSettings
from ohmcarlo.golden.entropy import harvest, restart_tests
from ohmcarlo.golden.machine import (
    ALARM,
    ALARMS,
    RAW_BITS,
    Machine,
    State,
    build_machine,
    build_state,
)
from ohmcarlo.jit import compiled
from ohmcarlo.spec import ALPHA_LOG2, APT_WINDOW, SYMBOL_BITS, Geometry, health_cutoffs

CUTOFFS = health_cutoffs(SamplerSettings().min_entropy)
OFF = (1 << 9) - 1, (1 << 8) - 1, (1 << 11) - 1  # the largest value of the registers
WORD_SYMBOLS = 32 // SYMBOL_BITS
HALF = 1 << 7


def per_window(rct: int, symbol: int, apt: int) -> NDArray[np.float64]:
    """Expected false alarms of the three tests in a window of good bits.

    A run reaches ``c`` at a given bit if ``c - 1`` bits repeat and the one before them did not:
    2**-c, exact in the long run; likewise over the symbols of a column. The expectation bounds the
    probability (union bound), and at these rates equals it. The adaptive proportion is a binomial
    tail over the APT_WINDOW - 1 bits after the one counted, and so is exact.
    """
    symbols = 1 << SYMBOL_BITS
    return np.array(
        [
            APT_WINDOW * 2.0**-rct,
            APT_WINDOW / SYMBOL_BITS * (symbols - 1.0) * float(symbols) ** -symbol,
            stats.binom.sf(apt - 2, APT_WINDOW - 1, 0.5),
        ]
    )


def run_within(bits: int, length: int) -> float:
    """Probability that ``bits`` fair bits hold a run of ``length`` equal ones, exactly.

    ``first[n]``: the first such run ends at bit n. Its bits follow a change of the bit, and no
    such run ended before that.
    """
    first = np.zeros(bits + 1)
    first[length] = 2.0 ** (1 - length)
    for n in range(length + 1, bits + 1):
        first[n] = 2.0**-length * (1 - first[: n - length + 1].sum())
    return first.sum()


@compiled
def _alarms(m: Machine, state: State, windows: int, seed: int, ones: int) -> int:
    """Alarms in ``windows`` windows of bits that are one with probability ones / 256.

    Threefry with key ``seed`` gives the bits; every alarm restarts the tests.
    """
    s, codes = state.scalars, state.coin_codes
    word, left, counter = 0, 0, 0
    while s[RAW_BITS] < windows * APT_WINDOW:
        for column in range(len(codes)):
            code = 0
            if ones == HALF:
                if left == 0:
                    word, _ = threefry2x32(seed, 0, counter, 0)
                    left, counter = WORD_SYMBOLS, counter + 1
                code, word, left = word & ((1 << SYMBOL_BITS) - 1), word >> SYMBOL_BITS, left - 1
            else:
                word, _ = threefry2x32(seed, 1, counter, 0)
                counter += 1
                for i in range(SYMBOL_BITS):
                    code |= int(((word >> (8 * i)) & 255) < ones) << i
            codes[column] = code
        harvest(m, state)
        if s[ALARM]:
            restart_tests(state)
    return s[ALARMS]


def alarms(cutoffs: tuple[int, int, int], windows: int, seed: int = 1, ones: int = HALF) -> int:
    """The golden model's alarms under ``cutoffs`` (see ``_alarms``)."""
    geometry = Geometry(rows=64, pairs=16)
    registers = SamplerSettings().registers(geometry, 5, EmulatedArray(geometry, 1).sigma_us)
    rct, symbol, apt = cutoffs
    machine = build_machine(registers)._replace(
        rct_cutoff=rct, rct_symbol_cutoff=symbol, apt_cutoff=apt
    )
    return _alarms(machine, build_state(registers), windows, seed, ones)


def only(test: int, cutoff: int) -> tuple[int, int, int]:
    """Cut-offs that leave one of the three tests in force."""
    cutoffs = list(OFF)
    cutoffs[test] = cutoff
    return cutoffs[0], cutoffs[1], cutoffs[2]


def test_false_alarms_come_less_than_once_in_two_to_the_thirty_windows() -> None:
    """All three tests together: 2^-31.4 per window of good bits."""
    rates = per_window(*CUTOFFS)
    assert [log2(rate) for rate in rates] == pytest.approx((-32.0, -33.8, -34.2), abs=0.05)
    assert rates.sum() < 2.0**-ALPHA_LOG2
    # the control: cut-offs for 2^-30 per bit and per symbol are not sufficient
    assert per_window(32, 12, CUTOFFS[2]).sum() > 2.0**-ALPHA_LOG2


def test_the_rate_of_runs_is_that_of_the_exact_recursion() -> None:
    assert run_within(4, 3) == 6 / 16  # 000x, 1000 and their complements
    for length in (16, CUTOFFS[0]):
        # a window at the start of the test has no earlier run
        exact = run_within(APT_WINDOW, length)
        assert exact == pytest.approx(per_window(length, 1, 1)[0], rel=0.04)


@pytest.mark.stats
@pytest.mark.parametrize(("test", "cutoff"), [(0, 18), (1, 6), (2, 558)])
def test_cutoffs_too_low_err_as_often_as_calculated(test: int, cutoff: int) -> None:
    """The control of the test below, and a check of the calculation."""
    windows = 40_000
    expected = windows * per_window(*only(test, cutoff))[test]
    assert expected > 50
    counted = alarms(only(test, cutoff), windows)
    assert stats.poisson.cdf(counted, expected) > 1e-4
    assert stats.poisson.sf(counted - 1, expected) > 1e-4


@pytest.mark.stats
@pytest.mark.slow
def test_no_false_alarm_in_a_million_windows() -> None:
    """10^9 bits; the calculated number of alarms is 3.6e-4."""
    assert alarms(CUTOFFS, 1_000_000) == 0


def biased_window(ones: float) -> float:
    """Probability that the adaptive proportion detects a bias in one window."""
    tail = stats.binom.sf(CUTOFFS[2] - 2, APT_WINDOW - 1, [ones, 1 - ones])
    return float(tail @ [ones, 1 - ones])


@pytest.mark.stats
def test_a_bias_is_seen() -> None:
    """p = 0.6 is detected with probability 0.29 in a window, so 93 % within 8 windows and 99.9 %
    within 21; p = 0.7 with 0.7."""
    assert biased_window(0.6) == pytest.approx(0.29, abs=0.005)
    assert 1 - (1 - biased_window(0.6)) ** 8 == pytest.approx(0.935, abs=0.005)
    assert 1 - (1 - biased_window(0.6)) ** 21 > 0.999
    assert biased_window(0.7) == pytest.approx(0.7, abs=0.001)
    windows = 2000
    ones = round(0.6 * 256)
    expected = windows * biased_window(ones / 256)
    # an alarm restarts the window early, so a few more fit in
    counted = alarms(CUTOFFS, windows, ones=ones)
    assert expected - 4 * expected**0.5 < counted < 1.05 * expected + 4 * expected**0.5
