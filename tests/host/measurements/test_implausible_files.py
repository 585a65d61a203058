"""Whole files at fault: other units, swapped columns, copied lines, levels in random order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.array.characterize.fit import fit_file
from ohmcarlo.array.sweep import load_sweep
from ohmcarlo.errors import UsageError
from ohmcarlo.measurements.assembly import describe_left_out
from ohmcarlo.measurements.reading import read_recording
from written_measurements import refused_file

CELLS, SWEEPS = 6, 5
VOLTS = 2.0 + 0.1 * np.arange(7)
RNG = np.random.default_rng(3)
Row = tuple[float, ...]


def pulses() -> list[Row]:
    """A six-column sweep whose pulses start from the state of the pulse before."""
    out: list[Row] = []
    for cell in range(CELLS):
        for _ in range(SWEEPS):
            before = RNG.uniform(150e3, 250e3)
            for volts in VOLTS:
                after = 1e6 / (25 + 250 * (volts - 2) + RNG.normal(0, 4))
                out.append((1450 + cell, 100, 2.0, volts, before, after))
                before = after
    return out


PULSES = pulses()


def write(path: Path, rows: list[Row], top: str = "") -> Path:
    lines = [",".join(f"{value:.8g}" for value in row) for row in rows]
    path.write_text(top + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def same_as_written(path: Path) -> None:
    """The file reads as the sweep without a fault does."""
    read = read_recording(path)
    assert len(read) == len(PULSES) and read.conditions["width_ns"] == pytest.approx(100)
    assert read.after_us == pytest.approx([1e6 / row[5] for row in PULSES], rel=1e-6)
    assert np.unique(read.level) == pytest.approx(VOLTS)


@pytest.mark.parametrize(
    ("columns", "factor", "found"),
    [
        ((1,), 1e-9, "column 2 is a pulse width in ns: 1e-07 ns to 1e-07 ns found; seconds?"),
        ((1,), 1e-3, "column 2 is a pulse width in ns: 0.1 ns to 0.1 ns found; microseconds?"),
        ((3,), 1e3, "column 4 is a voltage in V: 2000 V to 2600 V found; millivolts?"),
        ((2, 3), 1e3, "column 3 is a voltage in V: 2000 V to 2000 V found; millivolts?"),
    ],
)
def test_other_units_of_a_sweep_are_refused_and_the_advice_works(
    tmp_path: Path, columns: tuple[int, ...], factor: float, found: str
) -> None:
    rows = [tuple(v * factor if i in columns else v for i, v in enumerate(row)) for row in PULSES]
    message = refused_file(write(tmp_path / "sweep.csv", rows))
    assert found in message
    header = message.rpartition("in a first line: ")[2]
    same_as_written(write(tmp_path / "named.csv", rows, f"{header}\n"))


def test_a_pulse_width_of_zero_is_none(tmp_path: Path) -> None:
    rows = [(*row[:1], 0.0, *row[2:]) for row in PULSES]
    assert "give the width" in refused_file(write(tmp_path / "sweep.csv", rows))


@pytest.mark.parametrize(
    ("header", "scale", "found"),
    [
        ("device,width (ns),V_BL (V),V_WL (V),Ri (ohm),Rf (ohm)", (1e-9, 1), "as in width (s)"),
        ("device,width (ns),V_BL (V),V_WL,Ri (ohm),Rf (ohm)", (1, 1e3), "as in V_WL (mV)"),
    ],
)
def test_other_units_of_a_table_are_refused_and_the_advice_works(
    tmp_path: Path, header: str, scale: tuple[float, float], found: str
) -> None:
    rows = [(a, w * scale[0], b, v * scale[1], r, s) for a, w, b, v, r, s in PULSES]
    message = refused_file(write(tmp_path / "table.csv", rows, f"{header}\n"))
    assert message.endswith(found)
    named = found.removeprefix("as in ")
    old = next(name for name in header.split(",") if name.split(" ")[0] == named.split(" ")[0])
    same_as_written(write(tmp_path / "named.csv", rows, header.replace(old, named) + "\n"))


def test_normalised_conductances_are_refused_unless_their_unit_is_named(tmp_path: Path) -> None:
    rows: list[Row] = [
        (cell, target, target * RNG.normal(1, 0.05))
        for _ in range(8) for cell in range(6) for target in (0.2, 0.5, 0.9)
    ]  # fmt: skip
    assert "they may be normalised, or in mS" in refused_file(
        write(tmp_path / "n.csv", rows, "device,target,g\n")
    )
    named = read_recording(write(tmp_path / "ms.csv", rows, "device,target (mS),g (mS)\n"))
    assert np.unique(named.level) == pytest.approx([200, 500, 900])


def test_swapped_states_are_refused_and_the_advice_works(tmp_path: Path) -> None:
    swapped = [(*row[:4], row[5], row[4]) for row in PULSES]
    assert "are swapped, or the lines are in reversed order: exchange" in refused_file(
        write(tmp_path / "swapped.csv", swapped)
    )
    same_as_written(write(tmp_path / "right.csv", PULSES))
    assert "in reversed order" in refused_file(write(tmp_path / "reversed.csv", PULSES[::-1]))


@pytest.mark.parametrize(
    "copied",
    [
        lambda rows: [row for row in rows for _ in (0, 1)],
        lambda rows: rows + rows,
        lambda rows: rows + rows[-40:],
        lambda rows: rows + rows[:40],
    ],
    ids=["every line twice", "pasted twice", "the end pasted again", "the start pasted again"],
)
def test_copies_of_lines_are_left_out_and_counted(
    tmp_path: Path, copied: Callable[[list[Row]], list[Row]]
) -> None:
    rows = copied(PULSES)
    path = write(tmp_path / "sweep.csv", rows)
    same_as_written(path)
    left = describe_left_out(read_recording(path))
    assert f"copies of other lines: {len(rows) - len(PULSES)} lines" in left


def test_equal_repeats_are_no_copies(tmp_path: Path) -> None:
    """Values in steps of 5 µS repeat by chance; verified devices repeat exactly."""
    rows: list[Row] = [
        (cell, target, 5 * round(RNG.normal(target, 8) / 5))
        for _ in range(12) for cell in range(6) for target in (60, 115, 170)
    ]  # fmt: skip
    read = read_recording(write(tmp_path / "round.csv", rows, "device,target_us,g_us\n"))
    assert len(read) == len(rows)
    exact = [(cell, target, target + cell) for cell, target, _ in rows]
    path = write(tmp_path / "exact.csv", exact, "device,target_us,g_us\n")
    assert len(read_recording(path)) == len(exact)
    with pytest.raises(UsageError, match="repeat"):
        fit_file(path)


def test_a_sweep_in_random_order_keeps_its_voltages(tmp_path: Path) -> None:
    """Exact voltages are no scatter about fewer ones; the control has a scatter."""
    order = np.random.default_rng(5).permutation(len(PULSES))
    mixed = load_sweep(write(tmp_path / "mixed.csv", [PULSES[i] for i in order]))
    assert mixed.volts == pytest.approx(VOLTS)
    assert np.sort(mixed.set_us, axis=None) == pytest.approx(
        np.sort([1e6 / row[5] for row in PULSES]), rel=1e-6
    )
    scattered = [(*row[:3], row[3] + RNG.normal(0, 5e-4), *row[4:]) for row in PULSES]
    path = write(tmp_path / "scattered.csv", [scattered[i] for i in order])
    assert load_sweep(path).volts == pytest.approx(VOLTS, abs=1e-3)


def test_measured_targets_are_named_as_the_reason(tmp_path: Path) -> None:
    rows: list[Row] = [
        (cell, RNG.normal(target, 0.3), RNG.normal(target, 8))
        for _ in range(8) for cell in range(6) for target in (60, 115, 170)
    ]  # fmt: skip
    path = write(tmp_path / "targets.csv", rows, "device,target_us,g_us\n")
    for use in (fit_file, load_sweep):
        with pytest.raises(UsageError, match="give the target that was programmed"):
            use(path)
    rounded = [(cell, 5 * round(target / 5), g) for cell, target, g in rows]
    assert len(fit_file(write(path, rounded, "device,target_us,g_us\n"))[1].levels) == 3


def test_resets_between_the_pulses_are_not_advised(tmp_path: Path) -> None:
    """A RESET at one voltage after every SET: the advice chooses the SET pulses."""
    rows: list[Row] = []
    for row in PULSES:
        rows += [row, (row[0], 100, 0.0, 4.0, row[5], 2e5)]
    path = write(tmp_path / "both.csv", rows)
    advice = refused_file(path).rpartition("--where ")[2]
    key, _, value = advice.partition("=")
    assert (key, value) == ("vbl", "2")
    assert len(read_recording(path, {key: value})) == len(PULSES)


def test_siemens_after_the_name_and_numbers_of_pulses(tmp_path: Path) -> None:
    """``g_S`` is a conductance in siemens, no gate voltage; ``pulse`` counts, no voltage."""
    rows = [(row[0], row[3], k, 1 / row[5]) for k, row in enumerate(PULSES)]
    read = read_recording(write(tmp_path / "s.csv", rows, "device,V_WL (V),pulse,g_S\n"))
    assert read.after_us == pytest.approx([1e6 / row[5] for row in PULSES], rel=1e-6)
    assert read.swept == "word line" and not read.conditions
    rows = [(row[0], row[3], row[5]) for row in PULSES]
    volts = read_recording(write(tmp_path / "v.csv", rows, "device,pulse (V),R (ohm)\n"))
    assert np.unique(volts.level) == pytest.approx(VOLTS)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_single_device_with_states_after_reset(tmp_path: Path) -> None:
    """The state after RESET comes from the devices that have one, in every replicate."""
    rows = [(*row[:4], row[4] if row[0] == 1450 or row[4] < 1e5 else np.nan, row[5])
            for row in PULSES]  # fmt: skip
    found = fit_file(write(tmp_path / "sweep.csv", rows))[1].constants["hrs_median_us"]
    assert found.value == pytest.approx(1e6 / 200e3, rel=0.3)
    assert found.low is None or (found.high is not None and found.low <= found.value <= found.high)
