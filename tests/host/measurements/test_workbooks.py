"""Workbooks: Clarius writes a sheet for every run, the last one first."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from iv_lists import Cycle, Population, butterflies
from ohmcarlo.errors import UsageError
from ohmcarlo.measurements.reading import read_recording
from ohmcarlo.tables import read_table
from workbooks import workbook

CYCLES = butterflies(Population(devices=2, cycles=3, levels_us=(60.0, 110.0)))
SETTINGS = [["Test Name", "set"], ["Compliance", 1e-4]]


def run(cycle: Cycle) -> list[list[str | float]]:
    pairs = zip(cycle.volts.tolist(), cycle.amps.tolist(), strict=True)
    return [["Time", "AI", "AV"], *([0.1 * k, i, v] for k, (v, i) in enumerate(pairs))]


def clarius_workbook(device: int) -> bytes:
    own = [cycle for cycle in CYCLES if cycle.device == device]
    runs = {f"Run{n}": run(cycle) for n, cycle in enumerate(own, 1)}
    return workbook({**dict(reversed(runs.items())), "Calc": [[""]], "Settings": SETTINGS})


def test_the_runs_of_a_folder_of_workbooks(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine")
    for d in range(2):
        (tmp_path / f"cell{d}.xlsx").write_bytes(clarius_workbook(d))
    recording = read_recording(tmp_path)
    assert recording.devices == ("cell0", "cell1")
    assert recording.after_us == pytest.approx([cycle.after_us for cycle in CYCLES], rel=1e-9)
    assert recording.before_us == pytest.approx([cycle.before_us for cycle in CYCLES], rel=1e-9)


def test_a_workbook_with_one_sheet_is_a_table(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine")
    path = tmp_path / "table.xlsx"
    rows = [["device", "target_us", "g_us"], ["a", 50, 48.5], ["b", 100.0, 97.25]]
    path.write_bytes(workbook({"Data": rows}))
    table = read_table(path)
    assert table.header == ("device", "target_us", "g_us") and table.recognised[0] == "sheet Data"
    assert table.column(1) == ["50", "100"] and table.numbers(["g_us"])[:, 0].tolist() == [
        48.5,
        97.25,
    ]
    path.write_bytes(workbook({"Data": rows, "More": rows}))
    with pytest.raises(UsageError, match=r"workbook with 2 sheets \(sheet Data, sheet More\)"):
        read_table(path)
    with pytest.raises(UsageError, match=r"2 sheets .* and no I-V lists: save the sheet"):
        read_recording(path)


def test_a_workbook_needs_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    (tmp_path / "a.xlsx").write_bytes(clarius_workbook(0))
    with pytest.raises(UsageError, match=r"save the sheet as CSV .* 'ohmcarlo\[excel\]'"):
        read_recording(tmp_path / "a.xlsx")
