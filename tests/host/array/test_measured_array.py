"""An array of real cells: parsing, drawing, halves, and the effect of a trim."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.array.characterize.evaluation import characterize
from ohmcarlo.array.characterize.recorded_pulses import after_reset_us, pulses_of
from ohmcarlo.array.measured import MeasuredArray
from ohmcarlo.array.sweep import Sweep, load_sweep
from ohmcarlo.datasets.fetch import find
from ohmcarlo.errors import UsageError
from ohmcarlo.measurements.reading import read_recording
from ohmcarlo.spec import CODE_LSB_US, Geometry
from published import SET_SWEEP

GEOMETRY = Geometry(rows=16, pairs=32)
ALL = np.arange(GEOMETRY.row_devices, dtype=np.int32)


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    return load_sweep(find("rram-set-sweep"))


def sweep_text(cells: int = 3, sweeps: int = 6, levels: int = 5, separator: str = "\t") -> str:
    """A small sweep: cell c, sweep s, level k gives 20 + 20 k + 2 c + s µS."""
    lines = []
    for c in range(cells):
        for s in range(sweeps):
            for k in range(levels):
                after = 1e6 / (20 + 20 * k + 2 * c + s)
                row = (c, 100, 2, 2 + 0.1 * k, 2e5, after)
                lines.append(separator.join(f"{v:.6f}" for v in row))
    return "\n".join(lines) + "\n"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.csv"
    path.write_text(sweep_text(), encoding="utf-8")
    return path


# -- the file --------------------------------------------------------------------------------


def test_tabs_and_spaces_read_alike(small: Path, tmp_path: Path):
    spaced = tmp_path / "spaced.csv"
    spaced.write_text("\n" + sweep_text(separator="   "), encoding="utf-8")
    a, b = load_sweep(small), load_sweep(spaced)
    assert np.array_equal(a.set_us, b.set_us)
    assert a.set_us.shape == (3, 5, 6)
    assert a.set_us[2, 4, 3] == pytest.approx(20 + 80 + 4 + 3, abs=1e-3)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 100 2 2.0 5e4", "lines with another number of cells"),
        ("0 100 2 2.1 5e4 high", "sweeps with a reading that cannot be used"),
        ("0 100 2 2.1 5e4 -3", "sweeps with a reading that cannot be used"),
        ("0 100 2 2.1 5e4 9.9e37", "sweeps with a reading that cannot be used"),
    ],
)
def test_a_bad_line_costs_its_sweep_and_is_listed(tmp_path: Path, line: str, reason: str):
    """Line 7 is the second voltage of the second sweep of cell 0."""
    lines = sweep_text(separator=" ").splitlines()
    lines[6] = line
    path = tmp_path / "bad.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    recording = read_recording(path)
    assert 7 in {n for left in recording.left_out if left.reason == reason for n in left.lines}
    sweep = Sweep.of(recording)
    assert sweep.counts.tolist() == [5, 6, 6]
    assert sweep.top.tolist() == [4, 4, 4]
    kept = [0, 2, 3, 4, 5]  # µS above the first sweep
    assert sweep.set_us[0, 0, :5] == pytest.approx([20 + s for s in kept], abs=1e-3)
    array = MeasuredArray(sweep, GEOMETRY, 1, half="all")
    codes = draws(array, 4095, 20)[:, array.cell[0] == 0]
    assert codes.min() >= 99  # no pulse draws the sweep that is not there


def test_useless_files_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot read"):
        load_sweep(tmp_path / "none.csv")
    path = tmp_path / "x.csv"
    path.write_bytes(b"\x01\x02\x03\x80" * 20)
    with pytest.raises(UsageError, match="not a text file"):
        load_sweep(path)
    path.write_text("\n\n")
    with pytest.raises(UsageError, match="is empty"):
        load_sweep(path)
    path.write_text(sweep_text(sweeps=2))
    with pytest.raises(UsageError, match="2 sweeps per cell are too few to draw from: at least 4"):
        load_sweep(path)
    path.write_text(sweep_text(levels=1))
    with pytest.raises(UsageError, match="pulses at one level only"):
        load_sweep(path)


def test_voltages_that_a_sweep_lacks_are_not_drawn_from(tmp_path: Path):
    lines = sweep_text(sweeps=6, levels=5).splitlines()
    del lines[29]  # cell 0, sweep 5, the highest voltage
    path = tmp_path / "short.csv"
    path.write_text("\n".join(lines))
    loaded = load_sweep(path)
    assert loaded.top.tolist() == [3, 4, 4]
    array = MeasuredArray(loaded, GEOMETRY, 1, half="all")
    codes = array.program(0, ALL, np.full(64, 4095, np.int32))
    level3 = array.cell[0] == 0
    assert codes[level3].max() * CODE_LSB_US <= 80 + 5
    assert codes[~level3].min() * CODE_LSB_US >= 100


def test_levels_beyond_one_that_a_sweep_lacks_are_not_drawn_from(tmp_path: Path):
    """Of two repeats of the first cell that are missing, the lower level counts."""
    lines = [f"{c},{50 + 30 * k},{50 + 30 * k + n}" for c in (0, 1) for n in range(4)
             for k in range(4)]  # fmt: skip
    del lines[2]  # cell 0, repeat 0, level 2
    path = tmp_path / "targets.csv"
    path.write_text("\n".join(["device,target_us,g_us", *lines]), encoding="utf-8")
    loaded = load_sweep(path)
    assert loaded.volts.tolist() == [50, 80, 110, 140] and loaded.top.tolist() == [1, 3]


def test_states_that_were_not_reset_are_no_states_after_reset(tmp_path: Path):
    """The state before each third pulse is the reading after the pulse before it."""
    lines = ["device,target_us,g_before (uS),g_us"]
    for n in range(12):
        before = 12 + 0.1 * (n - 1) if n % 3 == 2 else 5 + 0.1 * n
        lines += [f"{d},{(60, 90)[n % 2]},{before:.4g},{12 + 0.1 * n:.4g}" for d in range(2)]
    path = tmp_path / "pulses.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = after_reset_us(read_recording(path))
    assert found is not None
    wanted = [5 + 0.1 * n if n % 3 != 2 else np.nan for n in range(12)]
    assert found == pytest.approx(np.tile(wanted, (2, 1)).T, nan_ok=True)


@pytest.mark.stats
def test_the_spread_of_other_levels_is_that_of_the_repeats(tmp_path: Path):
    rng = np.random.default_rng(8)
    lines = ["device,target_us,g_us"]
    for device in range(20):
        for _ in range(20):
            lines += [f"{device},{t},{t + s * rng.standard_normal():.4f}" for t, s in TARGETS]
    path = tmp_path / "targets.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    array = MeasuredArray.from_sweep(path, GEOMETRY, 1)
    for target, sigma in TARGETS:
        assert array.sigma_us(np.array([target])) == pytest.approx([sigma], rel=0.1)
    assert array.sigma_us(np.array([90.0])) == pytest.approx([4.5], rel=0.1)
    word_line = MeasuredArray(load_sweep_text(tmp_path), GEOMETRY, 1)  # the control: its own law
    assert word_line.sigma_us(np.array([90.0])) == pytest.approx([21.15 - 0.085 * 90])


TARGETS = ((60.0, 3.0), (120.0, 6.0), (180.0, 9.0))


def load_sweep_text(folder: Path) -> Sweep:
    (folder / "sweep.csv").write_text(sweep_text(), encoding="utf-8")
    return load_sweep(folder / "sweep.csv")


def test_names_are_checked(small: Path):
    for wrong in ({"half": "third"}, {"split": "banana"}, {"between": "stairs"}):
        with pytest.raises(UsageError, match="is unknown: choose one of"):
            MeasuredArray.from_sweep(small, GEOMETRY, 1, **wrong)


def digest(*arrays: np.ndarray) -> str:
    seen = hashlib.sha256()
    for array in arrays:
        seen.update(np.ascontiguousarray(array).tobytes())
    return seen.hexdigest()[:16]


@pytest.mark.data("rram-set-sweep")
def test_the_recorded_sweep_keeps_its_codes(sweep: Sweep):
    """Digests from the reader of version 0.1.0, which knew this format only."""
    assert digest(sweep.volts) == "cd8bb41be33f837a"
    assert digest(sweep.set_us) == "7a76ee111e4b2c7f"
    assert digest(sweep.before_us) == "6e2ddbbc6bfe1d6e"
    assert digest(sweep.top) == "85fbd6d37c70a088"
    path = find("rram-set-sweep")
    for half, drawn, state in (
        ("calibration", "e9612b18046d4326", "bcbefb56e7568415"),
        ("operation", "6438159bcdd732cd", "b6d70c62e2bf5534"),
        ("all", "1453fd7b6f2f66d2", "45679d08605b3796"),
    ):
        array = MeasuredArray.from_sweep(path, Geometry(rows=16, pairs=32), 5, half=half)
        assert digest(array.dac_of_target()) == "52be299fdd0115a3"
        out = [
            array.program(row % 16, ALL, np.full(64, code, np.int32))
            for row, code in enumerate(range(0, 4096, 137))
        ]
        array.reset(3)
        assert (digest(*out), digest(array.state_dict()["codes"])) == (drawn, state)
    pulses = pulses_of(read_recording(path))
    assert digest(pulses.levels) == "d0e71df1d9095e3a"
    assert digest(pulses.level, pulses.g_us) == digest(*_as_before(sweep))


def _as_before(sweep: Sweep) -> tuple[np.ndarray, np.ndarray]:
    """Level and conductance of each pulse of a sweep at voltages that set, (pulses, cells)."""
    index = np.arange(len(sweep.volts))
    complete = index[None, :] <= sweep.top[:, None]
    means = np.where(complete, np.nan_to_num(sweep.set_us).mean(axis=2), np.nan)
    typical = np.array([np.median(m[np.isfinite(m)]) for m in means.T])
    used = np.flatnonzero((typical >= 44.0) & (complete.mean(axis=0) >= 0.5))
    made = np.isfinite(sweep.set_us)
    level = np.full((int(made.sum(axis=(1, 2)).max()), sweep.cells), -1)
    g_us = np.zeros(level.shape)
    for cell in range(sweep.cells):
        there = made[cell].T
        volt = np.nonzero(there)[1]
        inside = complete[cell, volt] & np.isin(volt, used)
        level[: len(volt), cell] = np.where(inside, np.searchsorted(used, volt), -1)
        g_us[: len(volt), cell] = sweep.set_us[cell].T[there]
    return level, g_us


# -- drawing ---------------------------------------------------------------------------------


def draws(array: MeasuredArray, dac: int, times: int) -> np.ndarray:
    """µS, (times, devices) of row 0."""
    codes = np.full(64, dac, np.int32)
    return np.array([array.program(0, ALL, codes) for _ in range(times)]) * CODE_LSB_US


def test_halves_share_cells_and_no_repeat(small: Path):
    halves = {h: MeasuredArray.from_sweep(small, GEOMETRY, 5, half=h)
              for h in ("calibration", "operation", "all")}  # fmt: skip
    first, second = halves["calibration"], halves["operation"]
    assert np.array_equal(first.cell, second.cell)
    assert np.array_equal(first.dac_of_target(), second.dac_of_target())
    level = 20 + 2 * first.cell[0]
    seen = {h: np.unique(np.rint(draws(a, 0, 50) - level)) for h, a in halves.items()}
    assert seen["calibration"].tolist() == [0, 2, 4]
    assert seen["operation"].tolist() == [1, 3, 5]
    assert seen["all"].tolist() == [0, 1, 2, 3, 4, 5]
    late = MeasuredArray.from_sweep(small, GEOMETRY, 5, half="operation", split="sequential")
    assert np.unique(np.rint(draws(late, 0, 50) - level)).tolist() == [3, 4, 5]


@pytest.mark.stats
def test_mixture_interpolates_the_mean(small: Path):
    dac = 4095 // 4 // 4  # a quarter of the way between the first two voltages, 20 µS apart

    def mean_rise(between: str) -> float:
        array = MeasuredArray.from_sweep(small, GEOMETRY, 5, half="all", between=between)
        return float((draws(array, dac, 400) - draws(array, 0, 400)).mean())

    assert mean_rise("mixture") == pytest.approx(5, abs=0.4)
    assert mean_rise("nearest") == pytest.approx(0, abs=0.4)


def test_dot_is_exact(small: Path):
    array = MeasuredArray.from_sweep(small, GEOMETRY, 5)
    draws(array, 2000, 1)
    codes = array.read(0, ALL).astype(np.int64)
    x = np.random.default_rng(0).integers(-128, 128, (40, 32)).astype(np.int8)
    assert array.exact_dot
    assert np.array_equal(array.dot(0, x), x.astype(np.int64) @ (codes[0::2] - codes[1::2]))


def test_checkpoint_continues_bit_for_bit(small: Path):
    def play(array: MeasuredArray) -> np.ndarray:
        array.reset(0)
        return np.concatenate([draws(array, 1500, 5).ravel(), array.read(1, ALL)])

    array = MeasuredArray.from_sweep(small, GEOMETRY, 5)
    play(array)
    state = array.state_dict()
    expected = play(array)
    fresh = MeasuredArray.from_sweep(small, GEOMETRY, 5)
    assert not np.array_equal(play(fresh), expected)
    fresh.load_state_dict(state)
    assert np.array_equal(play(fresh), expected)
    assert np.array_equal(fresh.ledger.wear, array.ledger.wear)
    with pytest.raises(UsageError, match="same sweep file, geometry and seed"):
        MeasuredArray.from_sweep(small, GEOMETRY, 6).load_state_dict(state)


# -- the real cells --------------------------------------------------------------------------


@pytest.mark.data("rram-set-sweep")
@pytest.mark.parametrize(("volts", "mean", "sigma", "d2d"), SET_SWEEP)
def test_the_sweep_is_the_one_in_the_references(
    sweep: Sweep, volts: float, mean: float, sigma: float, d2d: float
):
    assert (sweep.cells, sweep.sweeps) == (50, 20)
    g = sweep.set_us[:, int(np.argmin(np.abs(sweep.volts - volts)))]
    means, spreads = np.nanmean(g, axis=1), np.nanstd(g, axis=1, ddof=1)
    assert np.median(means) == pytest.approx(mean, abs=0.5)
    assert np.median(spreads) == pytest.approx(sigma, abs=0.2)
    corrected = np.sqrt(means.var(ddof=1) - (spreads**2).mean() / 20)
    assert corrected == pytest.approx(d2d, abs=0.9)


@pytest.mark.data("rram-set-sweep")
@pytest.mark.stats
def test_every_draw_is_a_real_repeat_of_that_cell(sweep: Sweep):
    array = MeasuredArray(sweep, GEOMETRY, 3, half="operation")
    table = np.rint(sweep.set_us / CODE_LSB_US)
    drawn = draws(array, int(array.dac_of_target()[115]), 20) / CODE_LSB_US
    for device in range(64):
        assert np.isin(drawn[:, device], table[array.cell[0, device], :, 1::2]).all()


@pytest.mark.data("rram-set-sweep")
@pytest.mark.stats
def test_trim_of_one_half_serves_the_other(sweep: Sweep):
    """Device-to-device spread on the half that the calibration did not use, with and without
    trim."""
    # the trim is a straight line per device, so it is tested below the saturation of the cells
    targets = (75.0, 95.0, 115.0, 135.0, 155.0)
    calibration = MeasuredArray(sweep, GEOMETRY, 3, half="calibration")
    learnt = characterize(calibration, targets_us=targets, cycles=20)
    left, before = (
        characterize(
            MeasuredArray(sweep, GEOMETRY, 3, half="operation"),
            targets_us=targets,
            cycles=20,
            trim=trim,
        )
        for trim in (learnt, None)
    )
    inner = slice(1, 4)
    assert np.all(before.d2d_us[inner] > 9)
    assert np.all(left.d2d_us[inner] < 7)
    assert abs(left.common_offset_rel) < 0.02


@pytest.mark.data("rram-set-sweep")
@pytest.mark.stats
def test_cells_drift_between_the_first_and_the_second_half(sweep: Sweep):
    """The medians of halves in time differ by several percent, those of alternating halves do
    not."""

    def offset(split: str) -> float:
        array = MeasuredArray(sweep, GEOMETRY, 3, half="operation", split=split)
        return characterize(array, cycles=20).common_offset_rel

    assert offset("sequential") < -0.04
    assert abs(offset("alternate")) < 0.03
