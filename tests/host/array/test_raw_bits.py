"""Raw bits of the coin: bias, min-entropy and the number of symbols that are folded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.array import EmulatedArray
from ohmcarlo.array.characterize.evaluation import characterize
from ohmcarlo.array.raw_bits import RawBits, Recorded, law_raw_bits, measured_raw_bits
from ohmcarlo.errors import UsageError
from ohmcarlo.runs.arrays import open_array
from ohmcarlo.spec import CODE_LSB_US, Geometry


def drawn(sigma: float, devices: int = 2000, repeats: int = 20, seed: int = 1) -> np.ndarray:
    """Codes of devices with Normal conductances, σ in codes, (repeats, devices)."""
    rng = np.random.default_rng(seed)
    medians = rng.uniform(300, 700, devices)
    return np.rint(rng.normal(medians, sigma, (repeats, devices))).astype(np.int64)


def test_a_wide_spread_needs_no_fold() -> None:
    """σ of 5 % at 115 µS are 23 codes: the bias is exp(-2 π² σ²/64), which is below 1e-60."""
    raw = law_raw_bits(0.05 * 115)
    assert raw.bias < 1e-9 and raw.fold == 1 and raw.min_entropy == 0.98
    raw = measured_raw_bits(drawn(23))
    assert raw == RawBits(0.0, 0.98) and raw.fold == 1


def test_a_narrow_spread_has_the_bias_of_the_formula() -> None:
    """The parity of the top bit is a square wave with period 8 and first harmonic 4/π, which the
    spread damps by exp(-2 π² σ²/64)."""
    sigma = 2.3
    expected = 4 / np.pi * np.exp(-2 * np.pi**2 * sigma**2 / 64)
    raw = law_raw_bits(sigma * CODE_LSB_US)
    assert raw.bias == pytest.approx(expected, rel=0.01)
    assert raw.bias**raw.fold <= 2**-9 < raw.bias ** (raw.fold - 1)
    # over all positions of the median, a wave has 1/√2 of its amplitude
    seen = measured_raw_bits(drawn(sigma))
    assert seen.bias == pytest.approx(expected / np.sqrt(2), rel=0.1)


def test_few_distinct_codes_are_seen() -> None:
    """Devices that draw one of ten values: E (mean of ten signs)² = 1/10 for every parity."""
    values = drawn(23, repeats=10)
    pick = np.random.default_rng(2).integers(10, size=(20, values.shape[1]))
    raw = measured_raw_bits(np.take_along_axis(values, pick, axis=0))
    assert raw.bias == pytest.approx(np.sqrt(0.1), rel=0.1)
    assert 4 <= raw.fold <= 6 and raw.min_entropy < 0.6


def test_a_coin_that_cannot_be_fair_is_refused() -> None:
    with pytest.raises(UsageError, match=r"spread by 0\.4\d µS or more"):
        _ = law_raw_bits(0.3).fold
    with pytest.raises(UsageError, match="vary too little"):
        _ = measured_raw_bits(np.full((20, 64), 460)).fold


SMALL = Geometry(rows=16, pairs=8)


def recorded(path: Path, repeats: int, cells: int = 12, sigma_us: float = 12.0) -> str:
    """The name of a file of measurements with so many repeats at three targets."""
    rng = np.random.default_rng(repeats)
    lines = ["device,target_us,g_us"]
    for _ in range(repeats):
        for target in (60, 115, 170):
            g = target * (1 + 0.05 * np.linspace(-1, 1, cells)) + rng.normal(0, sigma_us, cells)
            lines += [f"{cell},{target},{value:.4f}" for cell, value in enumerate(g)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_few_recorded_repeats_name_their_number_and_the_advice_works(tmp_path: Path) -> None:
    """Six repeats of a cell leave three for the run: the squared bias is near 1/3."""
    few = recorded(tmp_path / "few.csv", 6)
    raw = open_array(f"measured:{few}", None, SMALL, 0).raw_bits(None)
    assert raw.bias == pytest.approx(np.sqrt(1 / 3), rel=0.15) and raw.to_dict()["fold"] is None
    with pytest.raises(UsageError, match=r"its 6 repeats .* record 20 repeats of each cell, or"):
        _ = raw.fold
    enough = recorded(tmp_path / "enough.csv", 20)
    for seed in range(3):
        assert open_array(f"measured:{enough}", None, SMALL, seed).raw_bits(None).fold > 1
    assert open_array("physics", few, SMALL, 0).raw_bits(None).fold == 1


def test_too_few_repeats_for_a_fit_are_not_sent_to_it(tmp_path: Path) -> None:
    four = recorded(tmp_path / "four.csv", 4)
    assert open_array(f"measured:{four}", None, SMALL, 0).raw_bits(None).problem.endswith("cell")


def test_recorded_cells_that_hardly_vary_are_not_sent_to_record_more(tmp_path: Path) -> None:
    exact = recorded(tmp_path / "exact.csv", 20, sigma_us=0.05)
    problem = open_array(f"measured:{exact}", None, SMALL, 0).raw_bits(None).problem
    assert "vary too little" in problem and "repeats" not in problem


@pytest.mark.stats
@pytest.mark.parametrize("cells", [1, 5, 20])
def test_the_repeats_that_are_advised_are_enough(cells: int) -> None:
    """Random symbols from pools of that size; the control has half as many repeats."""
    rng = np.random.default_rng(cells)
    needed = Recorded(cells, 4).needed

    def fair(repeats: int) -> float:
        found = []
        for _ in range(50):
            pool = rng.integers(8, size=(2, cells, repeats // 2))
            cell, draw = rng.integers(cells, size=200), rng.integers(repeats // 2, size=(500, 200))
            codes = np.concatenate([pool[level, cell, draw] for level in (0, 1)], axis=1)
            found.append(not measured_raw_bits(codes).problem)
        return float(np.mean(found))

    assert fair(needed) > 0.85 > 0.5 > fair(needed // 2)


def test_an_ideal_array_has_the_law_of_its_spread() -> None:
    narrow, usual = (open_array("emulator", None, Geometry(), 0, rel=r) for r in (0.005, 0.05))
    assert narrow.raw_bits(None).fold == 5 and usual.raw_bits(None).fold == 1


def test_characterize_measures_the_coin() -> None:
    g = Geometry(rows=16)
    coin = range(2 * g.max_features, g.row_devices)
    narrow = characterize(EmulatedArray(g, 1, rel=0.005), devices=coin).raw_bits
    wide = characterize(EmulatedArray(g, 1), devices=coin).raw_bits
    assert wide.fold == 1 and 4 <= narrow.fold <= 6
    assert 0.7 < narrow.min_entropy < wide.min_entropy == 0.98
