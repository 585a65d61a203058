"""The comparison with other samplers: rates, tables, and equal posteriors."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.bench.bench_samplers import Comparison, reached_hz, share_compilation
from tests.bench.samplers import tables
from tests.bench.samplers.array_sampler import BoardClock, Part, Work, serial_seconds
from tests.bench.samplers.measuring import Rates, Row, Run, Seconds, Sizes, measured
from tests.bench.samplers.problems import Problem, wdbc
from tests.bench.samplers.tables import Result, losses, number, rates_table, ratios_table

from ohmcarlo.errors import OhmcarloError
from ohmcarlo.spec.link import BAUD

CHAINS, DRAWS, WEIGHTS = 4, 5000, 3
EXTRA = ("numpyro", "blackjax", "nutpie")


def autoregressive(phi: float, seed: int = 1) -> np.ndarray:
    """Draws whose correlation over k steps is phi^k: N (1 - phi) / (1 + phi) effective samples."""
    noise = np.random.default_rng(seed).standard_normal((CHAINS, DRAWS, WEIGHTS))
    out = noise.copy()
    for i in range(1, DRAWS):
        out[:, i] = phi * out[:, i - 1] + np.sqrt(1 - phi**2) * noise[:, i]
    return out


class FakeSampler:
    """Draws with known effective samples, in a known time."""

    def __init__(self, name: str, phi: float, sampling: float, adaptation: float = 1.0) -> None:
        self.name, self.configuration = name, "fake"
        self.phi, self.sampling, self.adaptation = phi, sampling, adaptation

    def compile(self) -> None: ...

    def run(self, seed: int) -> Run:
        wall = 2.0
        return Run(
            autoregressive(self.phi, seed),
            Seconds(self.adaptation, self.adaptation * wall),
            Seconds(self.sampling, self.sampling * wall),
        )


@pytest.mark.stats
def test_effective_samples_per_second_of_a_fake_sampler() -> None:
    """20,000 draws: so many effective samples if independent, a third with phi = 0.5. Over eight
    seeds, ArviZ finds 0.91 to 1.04 times as many for the worst and the median of three weights."""
    for phi, expected in ((0.0, 20_000), (0.5, 20_000 / 3)):
        found = measured(FakeSampler("fake", phi, 4.0).run(1), compilation=15.0)
        assert found.bulk == pytest.approx(expected / 4, rel=0.12)
        assert found.bulk <= found.bulk_median
        assert found.bulk_all == pytest.approx(found.bulk * 4 / 5)
        assert found.bulk_first == pytest.approx(found.bulk * 4 / 20)
        assert found.bulk_wall == pytest.approx(found.bulk / 2)
        assert found.rhat < 1.01 and found.worst == min(found.bulk, found.tail)
    with pytest.raises(AssertionError):  # the control: a sampler that repeats its draws
        draws = np.repeat(autoregressive(0.0)[:, : DRAWS // 4], 4, axis=1)
        assert Sizes.of(draws).bulk == pytest.approx(20_000, rel=0.12)


def test_chains_that_differ_are_marked_and_not_chosen() -> None:
    draws = autoregressive(0.0)
    draws[0] += 1.0
    found = measured(Run(draws, Seconds(1, 1), Seconds(1, 1)))
    assert found.rhat > 1.01 and found.worst == 0
    table = rates_table(Result("data", 100, (Row("fake", "fake", (found,)),)))
    assert table.splitlines()[-1].endswith(f"{found.rhat:.4f} \\* |")


def rates(bulk: float, rhat: float = 1.001) -> Rates:
    return Rates(bulk, 2 * bulk, bulk / 2, bulk / 4, bulk / 8, bulk, 0.5, 1.0, rhat)


def result() -> Result:
    """The array has twice, thrice and half the rate of NumPyro in three rounds."""
    array = Row(tables.GOLDEN, "as `train`", tuple(rates(b) for b in (20_000, 30_000, 5_000)))
    nuts = Row(tables.NUMPYRO, "dense", (rates(10_000), rates(10_000), rates(10_000)))
    fast = Row(tables.HMC, "dense", (rates(80_000), rates(80_000), rates(80_000)))
    return Result("WDBC", 284, (array, nuts, fast))


def test_tables() -> None:
    found = result()
    lines = rates_table(found).splitlines()
    assert len({line.count("|") for line in lines}) == 1 and len(lines) == 5
    assert lines[2].startswith(
        "| golden model, defaults | as `train` | 20,000 | 12,500 to 25,000 | 40,000 | 10,000 "
    )
    table = ratios_table([found], "bulk").splitlines()
    assert table[2] == "| WDBC | 284 | golden model, defaults | 2 | – | – | 0.25 |"
    assert len(table) == 3  # rows that were not measured are left out
    assert losses([found], "bulk") == [
        "- WDBC: golden model, defaults is behind BlackJAX HMC (4 ×)."
    ]
    assert tables.goals([found]) == [
        "- golden model, defaults: goal of 4 × NumPyro NUTS missed (0 of 1 problems; 2 to 2 ×)."
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(12_345.0, "12,300"), (1_234_567.0, "1,230,000"), (56.78, "56.8")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_the_best_configuration_is_measured_and_all_take_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samplers = {
        "fast": [FakeSampler("fast", 0.5, 1.0), FakeSampler("fast", 0.0, 1.0)],
        "slow": [FakeSampler("slow", 0.0, 9.0)],
    }
    monkeypatch.setattr("tests.bench.bench_samplers.contenders", lambda *_: samplers)
    monkeypatch.setattr(tables, "OTHERS", ("fast", "slow"))
    turns: list[str] = []
    comparison = Comparison(_problem(), hz=None, more=False)
    best = comparison.prepare()
    assert best["fast"] is samplers["fast"][1]
    for sampler in best.values():
        monkeypatch.setattr(
            sampler, "run", lambda seed, s=sampler: turns.append(s.name) or FakeSampler.run(s, seed)
        )
    for number_ in range(2):
        comparison.round(best, number_)
    assert turns == ["fast", "slow", "slow", "fast"]
    found = comparison.result(best)
    assert [len(row.rounds) for row in found.rows] == [2, 2]
    assert found.ratio("fast", "slow", "bulk") == pytest.approx(9)


def test_one_golden_model_is_compiled_for_all_problems() -> None:
    comparisons = [Comparison(_problem(), hz=None, more=False) for _ in range(2)]
    for comparison, cost in zip(comparisons, (3.0, 0.1), strict=True):
        comparison.compiled = {tables.GOLDEN: cost, tables.FAST_GOLDEN: 0.1, tables.NUMPYRO: 9.0}
    share_compilation(comparisons)
    wanted = {tables.GOLDEN: 3.0, tables.FAST_GOLDEN: 3.0, tables.NUMPYRO: 9.0}
    assert [comparison.compiled for comparison in comparisons] == [wanted, wanted]


def _problem() -> Problem:
    return Problem("fake", "fake", np.zeros((10, 2)), np.zeros(10, np.int64))


def _work(accepted: int = 40) -> Work:
    """100 steps with 20,000 points in 1 s, after 50 steps with 5,000 points in 2 s."""
    stream: Any = SimpleNamespace(accepted=np.arange(100) < accepted)
    part = Part(50, 5_000, Seconds(2, 2), 0)
    return Work(part, Part(100, 20_000, Seconds(1, 1), 0), stream, np.zeros(1), 32)


def test_the_time_of_the_board() -> None:
    clock = BoardClock(stage_overhead=100, overhead=120, hz=80e6)
    assert clock.sampling(_work()).cpu == pytest.approx((100 * 120 + 20_000) / 80e6)
    # the model takes 0.5 s for 50 steps, so that the host takes 1.5 s of the adaptation
    assert clock.adaptation(_work()).cpu == pytest.approx(1.5 + (50 * 100 + 5_000) / 80e6)


def test_the_time_of_the_serial_line() -> None:
    """A step is a word of 4 bytes; an accepted one has 2 more, and a sample of 5 words and a word
    for each of 16 pairs (firmware/PROTOCOL.md). A byte is 10 bits."""
    words = 100 + 40 * (2 + 5 + 16)
    assert serial_seconds(_work()).cpu == pytest.approx(words * 4 * 10 / BAUD)


def test_the_clock_of_the_board_comes_from_the_table_of_builds() -> None:
    page = "| Radiona ULX3S 85F | 256 × 32 | 8 | 80 MHz | 81.5 MHz | 27,926 (33%) |"
    assert reached_hz(page) == 81.5e6
    with pytest.raises(OhmcarloError, match="has no row"):
        reached_hz("no table")


@pytest.mark.verify
@pytest.mark.stats
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in EXTRA),
    reason="needs the extra samplers, which `make bench` installs",
)
def test_all_samplers_draw_from_one_posterior() -> None:
    """Means and spreads on WDBC, against NumPyro's NUTS. The Monte Carlo error of a mean is below
    0.02 sd, that of a spread below 2 %. The inputs of the array have 8 bits. The control is a
    posterior with another prior."""
    from tests.bench.bench_samplers import contenders
    from tests.bench.samplers import jax_samplers

    jax_samplers.import_jax(False)
    problem = wdbc()
    found = {}
    for name, samplers in contenders(problem, more=False).items():
        for sampler in samplers[:1]:
            sampler.compile()
            found[name] = _moments(sampler.run(7).draws)
    other = jax_samplers.numpyro_nuts(replace(problem, sigma_p=1.3), dense=True)
    other.compile()
    mean, sd = found[tables.NUMPYRO]
    for name, (its_mean, its_sd) in found.items():
        assert _agrees((its_mean, its_sd), (mean, sd)), name
    assert not _agrees(_moments(other.run(7).draws), (mean, sd))


def _moments(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = draws.reshape(-1, draws.shape[-1]).astype(np.float64)
    return flat.mean(axis=0), flat.std(axis=0)


def _agrees(found: tuple[np.ndarray, np.ndarray], wanted: tuple[np.ndarray, np.ndarray]) -> bool:
    shift = np.abs(found[0] - wanted[0]) / wanted[1]
    return bool(shift.max() < 0.08 and np.abs(found[1] / wanted[1] - 1).max() < 0.06)
