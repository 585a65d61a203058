"""The verdict on an array, and the effective samples, pulses and energy that it lets expect."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array.characterize.characterization import Characterization
from ohmcarlo.array.characterize.estimates import Pulses
from ohmcarlo.array.characterize.population import Population
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.posterior_error import PosteriorError
from ohmcarlo.runs.arrays import open_array, recorded_cells
from ohmcarlo.runs.chain_run import Silence
from ohmcarlo.runs.characterize import Reference
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.dies.expectation import FACTOR, Expectation, Range, Rows, Wear, expect
from ohmcarlo.runs.dies.judgement import (
    Carried,
    DieVerdict,
    Endurance,
    Evidence,
    Standing,
    judge_die,
    kernels_of,
)
from ohmcarlo.runs.train import train
from ohmcarlo.spec import Geometry

ERROR = PosteriorError("devices", 0.05, 0.03, 1.01)
ROWS = Rows(inputs=16, good=64, chains=4, most_inputs=16)
WEAR = Wear(trim=140.0, adaptation=10.0, sampling=150.0, most=500.0)
WIDE = Geometry(rows=256, pairs=32)


@lru_cache
def found() -> Characterization:
    """Properties of a small array whose devices differ."""
    opened = open_array("physics", None, Geometry(rows=16, pairs=8, entropy_pairs=2), 3)
    return opened.characterize()


def alike(**changes: Any) -> Characterization:
    """The same array, with devices that hit their targets."""
    return replace(found(), common_offset_rel=0.001, d2d_rel=0.01, **changes)


def evidence(**changes: Any) -> Evidence:
    known: dict[str, Any] = {
        "untrimmed": found(),
        "trimmed": found(),
        "rows": ROWS,
        "expectation": None,
        "failure": "",
        "endurance": Endurance(1e6, False, WEAR),
        "usual": ERROR,
        "usual_untrimmed": replace(ERROR, spread=1.24),
    }
    return Evidence(**(known | changes))


def verdict(**changes: Any) -> DieVerdict:
    return judge_die(evidence(**changes))


def test_devices_that_hit_their_targets_carry_every_kernel() -> None:
    for untrimmed, word in ((alike(), "trimmed or not"), (found(), "trim it")):
        judged = verdict(untrimmed=untrimmed, trimmed=alike())
        assert judged.standing is Standing.EVERY
        assert "any kernel" in judged.advice and word in judged.advice
        assert judged.limits == ()


def test_devices_that_differ_carry_chains_that_adapt() -> None:
    judged = verdict()
    assert judged.standing is Standing.ADAPTED
    assert "trim it" in judged.advice and "adapt" in judged.advice
    carried = [kernel.carried for kernel in judged.kernels]
    assert carried == [Carried.NO, Carried.NO, Carried.NO, Carried.YES]
    assert "0.3%" in judged.kernels[0].reason and "±10%" in judged.kernels[2].reason


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": Rows(16, 5, 0, 5)}, ["5 of 16 rows", "--features 4"]),
        ({"rows": Rows(16, 1, 0, 0)}, ["1 of 16 rows", "--rows"]),
        ({"rows": Rows(1, 16, 4, 0)}, ["the bias only", "--pairs"]),
        ({"usual": replace(ERROR, mean_sd=0.4)}, ["posterior", "0.400 posterior sd"]),
        ({"usual": replace(ERROR, spread=1.3)}, ["posterior", "+30%"]),
        ({"failure": "no proposal was accepted"}, ["reference run", "no proposal was accepted"]),
        ({"endurance": Endurance(400.0, True, WEAR)}, ["500 SET pulses", "endurance"]),
        ({"untrimmed": "no coin"}, ["coin"]),
    ],
)
def test_arrays_that_carry_nothing_are_refused(changes: dict[str, Any], words: list[str]) -> None:
    if changes.get("untrimmed") == "no coin":
        changes = {"untrimmed": replace(found(), raw_bias=0.98)}
    judged = verdict(**changes)
    assert judged.standing is Standing.UNUSABLE
    assert judged.advice.startswith("not usable because")
    assert all(word in judged.advice for word in words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": Rows(16, 20, 2, 10)}, ["--chains 2", "--features 9"]),
        ({"usual": replace(ERROR, mean_sd=0.15)}, ["not called settled", "0.150", "--steps"]),
        ({"endurance": Endurance(3000.0, True, WEAR)}, ["6 default runs", "endurance"]),
    ],
)
def test_limits_are_named(changes: dict[str, Any], words: list[str]) -> None:
    judged = verdict(**changes)
    assert judged.standing is Standing.LIMITED
    assert all(word in judged.limits[0] for word in words)
    if "usual" in changes:
        assert judged.kernels[-1].carried is Carried.LIMITED
        assert judged.kernels[-1].of_limit == pytest.approx(1.5)


def test_rows_with_dead_devices_are_counted_by_hand() -> None:
    dead = np.zeros((256, 64), np.bool_)
    assert Rows.of(dead, WIDE) == Rows(16, 256, 4, 16)
    dead[:, 40] = True  # neither a weight of 16 inputs nor the coin
    assert Rows.of(dead, WIDE).good == 256
    dead[64:, 63] = True  # the coin: one chain has enough rows, two do not
    assert Rows.of(dead, WIDE) == Rows(16, 64, 1, 0)
    dead[64:, 63] = False
    dead[:, 20] = True  # the eleventh input
    assert Rows.of(dead, WIDE) == Rows(16, 0, 0, 10)


@pytest.mark.parametrize(("rows", "chains"), [(6, 1), (8, 1), (16, 2), (100, 4), (2, 0)])
def test_small_arrays_have_fewer_chains(rows: int, chains: int) -> None:
    geometry = Geometry(rows=max(rows, 4), pairs=8)
    assert Rows.of(np.zeros((rows, 16), np.bool_), geometry).chains == chains


def test_population_of_pulses_by_hand() -> None:
    g = np.array([[50.0, 60.0], [54.0, 60.0], [50.0, 70.0], [54.0, 70.0]])
    level = np.array([[0, 0], [0, 0], [1, 1], [1, 1]])
    level[3, 1] = -1
    seen = Population.of_pulses(Pulses(np.array([1.0, 2.0]), level, g), np.array([2.0, np.nan]), 1)
    assert seen.devices == 3
    assert seen.mean_us[0].tolist() == [52.0, 60.0]
    assert np.isnan(seen.mean_us[1, 1])
    assert seen.sigma_us[:, 0] == pytest.approx([8**0.5, 8**0.5])
    assert seen.hrs_us.tolist() == [2.0]
    assert seen.window == pytest.approx(56 / 2)


def test_spread_of_sigma_beyond_chance() -> None:
    """Two kinds of devices whose σ differ by a factor of 2, and alike devices as control."""
    rng = np.random.default_rng(5)
    level = np.repeat(np.arange(4), 50)[:, None] * np.ones((1, 40), int)
    levels = np.array([50.0, 80.0, 110.0, 140.0])
    for factor, wide in ((2.0, True), (1.0, False)):
        sigma = np.where(np.arange(40) < 20, 5.0, 5.0 * factor)
        g = levels[level] + rng.normal(0, 1, level.shape) * sigma
        seen = Population.of_pulses(Pulses(levels, level, g))
        ratio = seen.sigma_ratio
        assert bool(ratio[20:].mean() / ratio[:20].mean() > 1.9) is wide
        assert bool(ratio.std() / ratio.mean() > 3 * seen.chance) is wide


@pytest.mark.parametrize(
    ("reference", "word"),
    [(Reference(steps=50), "--steps 50"), (Reference(endurance=0.5), "--endurance")],
)
def test_numbers_out_of_range_are_refused(reference: Reference, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        reference.check()


def expected_of(array: str, seed: int, rows: Rows) -> Expectation:
    config = TrainConfig("breast-cancer", array=array, seed=seed, steps=1000)
    return expect(config, rows, array == "emulator", Silence())


def reached(array: str, seed: int, **options: Any) -> tuple[float, float, float]:
    """Effective samples per 1,000 steps and per 10⁶ pulses, and energy of one, of a run with the
    default settings; trim not counted."""
    config = TrainConfig(
        "breast-cancer", array=array, seed=seed, chains=4,
        **({"whiten": True, "adapt": True, "steps": 10_000} | options),
    )  # fmt: skip
    v = train(config).values
    return (
        v["ess_min_per_1000_steps"],
        1e6 * v["ess_min"] / v["pulses"]["set"],
        v["energy_joules"] / v["ess_min"],
    )


@pytest.mark.stats
def test_expectation_against_a_run_on_the_emulator() -> None:
    """The control is a random walk, which has a fiftieth of the effective samples."""
    expected = expected_of("emulator", 0, Rows(16, 256, 4, 16))
    found = reached("emulator", 1)
    ranges = (
        expected.ess_per_1000_steps,
        expected.ess_per_million_pulses,
        expected.energy_per_ess_j,
    )
    assert all(a.covers(b) for a, b in zip(ranges, found, strict=True))
    assert 1 / FACTOR < expected.energy_per_ess_j.value / found[2] < FACTOR
    walk = reached("emulator", 1, whiten=False, adapt=False, steps=2000)
    assert not any(a.covers(b) for a, b in zip(ranges, walk, strict=True))


@pytest.mark.stats
@pytest.mark.verify
@pytest.mark.parametrize(
    "array", ["physics", pytest.param("cells", marks=pytest.mark.data("rram-set-sweep"))]
)
def test_expectation_against_runs_on_devices_that_differ(array: str) -> None:
    """A run on each array, and the emulator's as the control."""
    name = recorded_cells() if array == "cells" else array
    expected = expected_of(name, 1, Rows(16, 200, 4, 16)).ess_per_1000_steps
    assert expected.covers(reached(name, 2)[0])
    assert not expected.covers(reached("emulator", 2)[0])


def test_the_kernel_of_the_reference_run_is_named() -> None:
    one = Range(1.0, 0.5, 2.0)
    expectation = Expectation(
        "breast-cancer", 16, 4, 1000, 0.7, 0.5, 1.02, one, one, one, (ERROR,), 40_000, 42_560,
        WEAR,
    )  # fmt: skip
    kernels = kernels_of(evidence(expectation=expectation))
    assert "rho 0.7" in kernels[-1].name
    assert verdict(expectation=expectation).standing is Standing.LIMITED  # 40 effective samples
    settled = replace(expectation, ess_per_1000_steps=Range(50.0, 30.0, 70.0))
    assert verdict(expectation=settled).standing is Standing.ADAPTED


@pytest.mark.verify
def test_fewer_features_make_a_die_with_dead_devices_usable() -> None:
    """The advice of the verdict on the preset ``stress``; the control are all its inputs, for which
    too few rows work."""
    opened = open_array("physics", "stress", WIDE, 0)
    rows = Rows.of(opened.characterize().dead, WIDE)
    assert rows.chains == 0 and rows.most_inputs > 1
    config = TrainConfig("breast-cancer", array="physics", preset="stress", steps=100)
    fewer = replace(rows, inputs=rows.most_inputs, chains=4)
    found = expect(config, fewer, False, Silence())
    assert found.weights == rows.most_inputs and found.chains == 4
    with pytest.raises(OhmcarloError, match="row"):
        expect(config, replace(rows, chains=4), False, Silence())
