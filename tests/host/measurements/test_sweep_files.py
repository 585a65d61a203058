"""Six-column sweeps of a population that is known: conditions, directions, units, bad lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.array.sweep import Sweep
from ohmcarlo.errors import UsageError
from ohmcarlo.measurements.assembly import describe_left_out
from ohmcarlo.measurements.reading import read_recording
from ohmcarlo.measurements.recording import Recording
from written_measurements import refused_file

CELLS, SWEEPS, LEVELS = 6, 5, 7
VOLTS = 2.0 + 0.1 * np.arange(LEVELS)
RNG = np.random.default_rng(21)
RISE = np.linspace(25, 175, LEVELS)
G = RISE + RNG.normal(0, 4, (CELLS, SWEEPS, LEVELS))
"""µS after each pulse, (cell, sweep, voltage)."""
RESET_OHM = 150e3
Row = list[str]


def rows(
    *,
    width: float = 100,
    bit: float = 2.0,
    g: np.ndarray = G,
    swept: str = "word",
    hold: float = 3.0,
) -> list[Row]:
    """Lines of a sweep as lists of six cells."""
    out = []
    for (cell, _, level), us in np.ndenumerate(g):
        lines = (bit, VOLTS[level]) if swept == "word" else (VOLTS[level], hold)
        values = (1000 + cell, width, *lines, RESET_OHM, 1e6 / us)
        out.append([f"{value:.4f}" for value in values])
    return out


def at(cell: int, sweep: int, level: int) -> int:
    """Index of a pulse in ``rows``."""
    return (cell * SWEEPS + sweep) * LEVELS + level


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Writes lines into a file."""

    def write(lines: list[Row], mark: str = "\t", name: str = "sweep.tsv", top: str = "") -> Path:
        path = tmp_path / name
        path.write_text(top + "\n".join(mark.join(row) for row in lines) + "\n", encoding="utf-8")
        return path

    yield write


def conductances(recording: Recording) -> np.ndarray:
    """As ``G``; NaN where there is no pulse."""
    out = np.full(G.shape, np.nan)
    cell = np.array([int(name) - 1000 for name in recording.devices])[recording.device]
    level = np.rint((recording.level - VOLTS[0]) * 10).astype(int)
    out[cell, recording.cycle, level] = recording.after_us
    return out


# -- layouts and units -------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["\t", "   ", ",", "; "])
@pytest.mark.parametrize(
    "top",
    ["", "address{m}width{m}BLV{m}WLV{m}Ri{m}Rf\n", "# chip 3\n"],
    ids=["plain", "header", "#"],
)
def test_separators_and_headers(written: Callable[..., Path], mark: str, top: str):
    path = written(rows(), mark, "data", top.replace("{m}", mark))
    recording = read_recording(path)
    assert conductances(recording) == pytest.approx(G, rel=1e-3)
    assert recording.swept == "word line"
    assert recording.conditions == pytest.approx({"width_ns": 100, "bit_line_v": 2})
    assert recording.before_us == pytest.approx(1e6 / RESET_OHM)


@pytest.mark.parametrize(
    ("unit", "of_ohm", "word"),
    [
        ("kOhm", lambda ohm: ohm / 1e3, "kilo-ohm"),
        ("MOhm", lambda ohm: ohm / 1e6, "megaohm"),
        ("uS", lambda ohm: 1e6 / ohm, "microsiemens"),
        ("S", lambda ohm: 1 / ohm, "siemens"),
    ],
)
def test_another_unit_is_refused_and_the_advice_works(
    written: Callable[..., Path], unit: str, of_ohm: Callable[[float], float], word: str
):
    lines = rows()
    for row in lines:
        row[4:] = [f"{of_ohm(float(cell)):.8g}" for cell in row[4:]]
    message = refused_file(written(lines, ","))
    assert "ohm found" in message
    assert f"; {word}?" in message
    header = message.rpartition(": ")[2]
    assert f"({unit})" in header
    recording = read_recording(written(lines, ",", top=f"{header}\n"))
    assert conductances(recording) == pytest.approx(G, rel=1e-3)


def test_currents_are_refused_and_the_advice_works(written: Callable[..., Path]):
    lines = rows()
    for row in lines:
        row[4:] = [f"{0.2 / float(cell):.8g}" for cell in row[4:]]
    message = refused_file(written(lines, ","))
    assert "if it is a current, with I_read (A) as the last name, and --where vread=" in message
    header = message.rpartition(": ")[2].rpartition(",")[0] + ",I_read (A)\n"
    named = written(lines, ",", top=header)
    assert "I_read (A) is a current; add --where vread=0.1" in refused_file(named)
    assert conductances(read_recording(named, {"vread": "0.2"})) == pytest.approx(G, rel=1e-3)
    twice = conductances(read_recording(named, {"vread": "100 mV"}))
    assert twice == pytest.approx(2 * G, rel=1e-3)


def test_millivolts_are_refused(written: Callable[..., Path]):
    lines = rows()
    for row in lines:
        row[3] = f"{1000 * float(row[3]):.0f}"
    assert "column 4 is a voltage in V: 2000 V to 2600 V found; millivolts?" in refused_file(
        written(lines)
    )


# -- directions and conditions -------------------------------------------------------------------


@pytest.mark.parametrize("swept", ["word", "bit"])
def test_a_reset_sweep_is_refused_by_name(written: Callable[..., Path], swept: str):
    message = refused_file(written(rows(g=G[:, :, ::-1], swept=swept)))
    assert "a RESET sweep: the conductance falls" in message
    assert f"{swept} line rises from 2 to 2.6 V" in message
    assert conductances(read_recording(written(rows(swept=swept)))).shape == G.shape  # the control


def test_the_bit_line_can_be_swept(written: Callable[..., Path]):
    recording = read_recording(written(rows(swept="bit", hold=2.5)))
    assert recording.swept == "bit line"
    assert recording.conditions == pytest.approx({"width_ns": 100, "word_line_v": 2.5})
    assert conductances(recording) == pytest.approx(G, rel=1e-3)


def test_several_widths_are_listed_and_one_is_chosen(written: Callable[..., Path]):
    half = G * 0.8
    path = written(rows() + rows(width=200, g=half))
    message = refused_file(path)
    assert "pulse width varies (width = 100ns, 200ns)" in message
    advice = message.rpartition("--where ")[2]
    assert conductances(read_recording(f"{path},{advice}")) == pytest.approx(G, rel=1e-3)
    for key, value in (("width", "200ns"), ("PW", "0.2 us"), ("pulse_width", "200")):
        assert conductances(read_recording(path, {key: value})) == pytest.approx(half, rel=1e-3)


def test_several_held_lines_are_listed_and_one_is_chosen(written: Callable[..., Path]):
    path = written(rows(swept="bit", hold=2.3) + rows(swept="bit", hold=2.5, g=G + 10))
    message = refused_file(path)
    assert "several lines vary: bit line over 7 voltages at vwl = 2.3, 2.5" in message
    advice = message.rpartition("--where ")[2]
    assert conductances(read_recording(f"{path},{advice}")) == pytest.approx(G, rel=1e-3)
    other = conductances(read_recording(path, {"V_WL": "2.5V"}))
    assert other == pytest.approx(G + 10, rel=1e-3)


def test_lines_and_widths_are_chosen_in_one_step_or_two(written: Callable[..., Path]):
    path = written(
        rows(bit=2.0) + rows(bit=2.5) + rows(bit=2.0, width=200) + rows(bit=2.5, width=200, g=G + 9)
    )
    message = refused_file(path)
    assert "at vbl = 2, 2.5 and width = 100ns, 200ns" in message
    assert message.endswith("--where vbl=2,width=100ns")
    message = refused_file(path, vbl="2.5")
    assert message.endswith("--where vbl=2.5,width=100ns")
    advice = message.rpartition("--where ")[2].replace("100", "200")
    assert conductances(read_recording(f"{path},{advice}")) == pytest.approx(G + 9, rel=1e-3)


def test_unknown_conditions_list_those_of_the_file(written: Callable[..., Path]):
    path = written(rows() + rows(width=200))
    assert "the keys of" in refused_file(path, colour="red")
    assert "are vwl, vbl, width, device" in refused_file(path, colour="red")
    assert "it has width = 100ns, 200ns" in refused_file(path, width="50ns")
    assert "give a number with its unit, as in width=100ns" in refused_file(path, width="wide")


def test_resets_of_another_condition_are_left_out(written: Callable[..., Path]):
    recording = read_recording(written(rows() + rows(bit=2.5, width=200, g=G[:, :, ::-1])))
    assert conductances(recording) == pytest.approx(G, rel=1e-3)
    assert "RESET pulses: 210 lines" in describe_left_out(recording)


# -- bad lines, sweeps and cells -----------------------------------------------------------------


def left_out(recording: Recording) -> dict[str, set[int]]:
    out: dict[str, set[int]] = {}
    for left in recording.left_out:
        out.setdefault(left.reason.partition(" (")[0], set()).update(left.lines)
    return out


def test_a_sweep_that_ended_at_its_first_voltage(written: Callable[..., Path]):
    lines = rows()
    lines.insert(at(2, 3, 0), [*lines[at(2, 3, 0)][:4], "5000", "5000"])
    recording = read_recording(written(lines))
    assert left_out(recording) == {"sweeps that ended at their first voltage": {at(2, 3, 0) + 1}}
    assert f"1 line of device 1002 ({at(2, 3, 0) + 1})" in describe_left_out(recording)
    sweep = Sweep.of(recording)
    assert sweep.cells == CELLS
    assert sweep.counts.tolist() == [5, 5, 4, 5, 5, 5]  # its cell keeps those within the usual five


@pytest.mark.parametrize("word", ["9.9e37", "9.91E+37", "inf", "", "OVLD!", "-4000"])
def test_a_bad_reading_costs_its_sweep_only(written: Callable[..., Path], word: str):
    lines = rows()
    lines[at(1, 2, 3)][5] = word
    recording = read_recording(written(lines, ","))
    found = conductances(recording)
    expected = G.copy()
    expected[1, 2] = np.nan
    assert found == pytest.approx(expected, rel=1e-3, nan_ok=True)
    assert left_out(recording) == {
        "sweeps with a reading that cannot be used": {at(1, 2, k) + 1 for k in range(LEVELS)}
    }
    sweep = Sweep.of(recording)
    assert sweep.counts.tolist() == [5, 4, 5, 5, 5, 5]
    assert sweep.top.tolist() == [LEVELS - 1] * CELLS


def test_a_missing_line_costs_its_sweep_only(written: Callable[..., Path]):
    lines = rows()
    del lines[at(4, 1, 2)]
    recording = read_recording(written(lines))
    assert np.isnan(conductances(recording)[4, 1]).all()
    assert list(left_out(recording)) == ["sweeps that skip a voltage"]
    assert Sweep.of(recording).counts.tolist() == [5, 5, 5, 5, 4, 5]


def test_an_odd_voltage_costs_its_sweep_only(written: Callable[..., Path]):
    lines = rows()
    lines[at(0, 0, 4)][3] = "2.4370"
    recording = read_recording(written(lines))
    assert np.isnan(conductances(recording)[0, 0]).all()
    assert Sweep.of(recording).top.tolist() == [LEVELS - 1] * CELLS


def test_a_cell_with_fewer_sweeps_is_left_out(written: Callable[..., Path]):
    lines = rows()
    del lines[at(3, 2, 0) : at(4, 0, 0)]
    recording = read_recording(written(lines))
    assert list(left_out(recording)) == ["cells with fewer sweeps than most"]
    assert "1003" not in recording.devices
    assert Sweep.of(recording).cells == CELLS - 1


def test_filled_lines_at_the_end_are_left_out(written: Callable[..., Path]):
    """Some files repeat the last value of a sweep that ended, in lines after the sweeps."""
    lines = rows()
    fill = [[*lines[at(c, s, k)][:4], "6000", "6000"] for c in range(CELLS) for s in range(SWEEPS)
            for k in (5, 6)]  # fmt: skip
    ended = [row for k, row in enumerate(lines) if k % LEVELS < 5]
    recording = read_recording(written(ended + fill))
    assert conductances(recording)[:, :, :5] == pytest.approx(G[:, :, :5], rel=1e-3)
    assert left_out(recording)["sweeps that do not begin at the first voltage"] == {
        len(ended) + 1 + k for k in range(len(fill))
    }


def test_reset_sweeps_over_the_same_line_are_left_out(written: Callable[..., Path]):
    lines = []
    for cell, sweep in np.ndindex(CELLS, SWEEPS):
        up = rows()[at(cell, sweep, 0) : at(cell, sweep, 0) + LEVELS]
        lines += up + rows(g=G[:, :, ::-1])[at(cell, sweep, 0) : at(cell, sweep, 0) + LEVELS]
    recording = read_recording(written(lines))
    assert np.sort(recording.after_us) == pytest.approx(np.sort(G.ravel()), rel=1e-3)
    assert list(left_out(recording)) == ["RESET sweeps"]


def test_the_falling_half_of_a_sweep_is_left_out(written: Callable[..., Path]):
    lines = []
    for k, row in enumerate(rows()):
        lines.append(row)
        if k % LEVELS == LEVELS - 1:
            lines += [[*lines[-1 - j][:5], row[5]] for j in range(1, LEVELS)]
    recording = read_recording(written(lines))
    assert conductances(recording) == pytest.approx(G, rel=1e-3)
    assert list(left_out(recording)) == ["the falling half of sweeps"]


def test_lines_of_a_title_and_names_that_are_not_known(written: Callable[..., Path]):
    for top in ("Chip 3, run 7\noperator: N. N.\n", "a\tb\tc\td\te\tf\n"):
        recording = read_recording(written(rows(), top=top))
        assert conductances(recording) == pytest.approx(G, rel=1e-3)
    foreign = written(rows(), top="Zelle\tBreite\tBL\tWL\tR_vor\tR_nach\n")
    assert read_recording(foreign).format == "six-column sweep"  # not a wide table over the lines


def test_open_cells_are_silent(written: Callable[..., Path]):
    lines = rows()
    for row in lines[at(5, 0, 0) :]:
        row[4:] = ["9.9e37", "9.9e37"]
    for row in lines[at(0, 0, 0) : at(1, 0, 0)]:
        row[4:] = ["2e9", "2e9"]
    recording = read_recording(written(lines))
    assert recording.silent == ("1000", "1005")
    assert len(recording.devices) == CELLS - 2
    assert len(left_out(recording)["open cell"]) == 2 * SWEEPS * LEVELS


def test_voltages_at_which_most_readings_are_overloads(written: Callable[..., Path]):
    """Dropping whole sweeps would leave none: the voltage is left out in all of them."""
    lines = rows()
    for k, row in enumerate(lines):
        if k % LEVELS == 0 and k % 3:
            row[5] = "9.9e37"
    recording = read_recording(written(lines))
    assert np.isnan(conductances(recording)[:, :, 0]).all()
    assert conductances(recording)[:, :, 1:] == pytest.approx(G[:, :, 1:], rel=1e-3)


def test_too_many_bad_lines_are_refused_with_the_first(written: Callable[..., Path]):
    lines = rows()
    for k in range(2, len(lines), 4):
        lines[k][5] = "broken"
    message = refused_file(written(lines))
    assert "line 3, column 6: 'broken' is not a number" in message
    for k in range(2, len(lines), 4):
        lines[k].append("7")
    assert "line 3: 7 cells, but the table has 6 columns" in refused_file(written(lines))


def test_nothing_of_a_single_level_or_cell_per_pulse(written: Callable[..., Path]):
    one = [row for k, row in enumerate(rows()) if k % LEVELS == 2]
    assert "at one level only" in refused_file(written(one))
    many = [[str(k), *row[1:]] for k, row in enumerate(rows())]
    recording = read_recording(written(many))
    with pytest.raises(
        UsageError,
        match=r"1 (sweep per cell|repeat of a device at a level) is too few.*at least 4",
    ):
        Sweep.of(recording)
