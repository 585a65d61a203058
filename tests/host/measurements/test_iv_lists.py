"""I-V lists of instruments, made by tests/helpers/iv_lists from a known population."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from iv_lists import (
    Cycle,
    Population,
    buffer_2450,
    butterflies,
    butterfly,
    clarius,
    easyexpert,
    kickstart,
    pairs_2600,
    plain_list,
    readings_2400,
    side_by_side,
    single_file_export,
)
from ohmcarlo.array.characterize.estimates import Origin
from ohmcarlo.array.characterize.fit import fit_file
from ohmcarlo.errors import UsageError
from ohmcarlo.measurements.reading import read_recording
from ohmcarlo.measurements.recording import Recording
from written_measurements import recorded, refused

SMALL = Population(devices=3, cycles=2, levels_us=(60.0, 110.0))
CYCLES = butterflies(SMALL)
AFTER = np.array([cycle.after_us for cycle in CYCLES])
BEFORE = np.array([cycle.before_us for cycle in CYCLES])


def in_folder(
    folder: Path, write: Callable[[Sequence[Cycle]], str], cycles: Sequence[Cycle] = CYCLES
) -> Path:
    """A file for every device."""
    for d in sorted({cycle.device for cycle in cycles}):
        text = write([cycle for cycle in cycles if cycle.device == d])
        (folder / f"cell{d}.txt").write_text(text, encoding="utf-8")
    return folder


def changed(k: int, cycle: Cycle) -> list[Cycle]:
    """All cycles, of which number ``k`` is another one."""
    return [cycle if n == k else other for n, other in enumerate(CYCLES)]


def reasons(recording: Recording) -> dict[str, list[str]]:
    """Devices by the reason why something of them was left out."""
    out: dict[str, list[str]] = {}
    for left in recording.left_out:
        out.setdefault(left.reason, []).append(left.device)
    return out


@pytest.mark.parametrize("write", [easyexpert, plain_list])
def test_a_file_of_all_devices_gives_the_conductances(
    tmp_path: Path, write: Callable[[Sequence[Cycle]], str]
) -> None:
    recording = recorded(tmp_path, write(CYCLES))
    assert recording.after_us == pytest.approx(AFTER, rel=1e-4)
    assert recording.before_us == pytest.approx(BEFORE, rel=1e-4)
    assert len(recording.devices) == 3 and recording.left_out == ()
    # limits of 30 and 55 µA; current over conductance is 0.5 V by construction
    assert np.unique(recording.level) == pytest.approx([60.0, 110.0], rel=0.05)
    assert recording.swept == "target" and recording.unit == "µS"
    assert recording.compliance_v == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize(
    "write", [clarius, kickstart, buffer_2450, readings_2400, pairs_2600, side_by_side]
)
def test_a_folder_has_a_file_for_each_device(
    tmp_path: Path, write: Callable[[Sequence[Cycle]], str]
) -> None:
    recording = read_recording(in_folder(tmp_path, write))
    assert recording.devices == ("cell0", "cell1", "cell2")
    assert recording.after_us == pytest.approx(AFTER, rel=1e-4)
    assert np.unique(recording.level) == pytest.approx([60.0, 110.0], rel=0.05)


def test_a_table_below_settings(tmp_path: Path) -> None:
    recording = read_recording(in_folder(tmp_path, single_file_export))
    assert recording.swept == "word line" and np.unique(recording.level).tolist() == [1.0, 1.2]
    assert recording.after_us == pytest.approx(AFTER, rel=1e-4)


def test_a_folder_with_a_file_for_each_sweep_is_read_in_the_order_of_time(tmp_path: Path) -> None:
    blocks = easyexpert(CYCLES).split("SetupTitle, ")[1:]
    for k, block in enumerate(blocks):
        text = re.sub(r"(RecordTime, ).*", rf"\g<1>3/11/2024 10:00:{k:02d}", block)
        name = f"{block[:3]} [{k * 7 % 24}].csv"
        (tmp_path / name).write_text(f"SetupTitle, {text}", encoding="utf-8")
    recording = read_recording(tmp_path)
    assert recording.devices == ("D00", "D01", "D02")
    assert recording.after_us == pytest.approx(AFTER, rel=1e-4)
    turned = "".join(f"SetupTitle, {block}" for block in reversed(blocks))
    assert recorded(tmp_path, turned).after_us == pytest.approx(AFTER, rel=1e-4)


def test_a_gate_voltage_is_the_level(tmp_path: Path) -> None:
    recording = recorded(tmp_path, easyexpert(CYCLES, gate=True, compliance=False))
    assert recording.swept == "word line" and recording.unit == "V"
    assert np.unique(recording.level) == pytest.approx([1.0, 1.2])


def test_a_gate_voltage_in_the_settings_is_the_level(tmp_path: Path) -> None:
    blocks = easyexpert(CYCLES, compliance=False).split("SetupTitle, ")[1:]
    gates = [c.gate_v for c in CYCLES for _ in ("SET", "RESET")]
    text = "".join(
        f"SetupTitle, {block}".replace(
            "MetaData", f"TestParameter, Measurement.Bias.Source, 0, {gate:g}\nMetaData", 1
        )
        for block, gate in zip(blocks, gates, strict=True)
    )
    recording = recorded(tmp_path, text)
    assert recording.swept == "word line" and np.unique(recording.level).tolist() == [1.0, 1.2]
    assert recording.after_us == pytest.approx(AFTER, rel=1e-4)


def test_a_secondary_sweep_of_the_gate_is_the_level(tmp_path: Path) -> None:
    head = (
        "SetupTitle, SET\nTestParameter, Channel.VName, VTE, VG\n"
        "TestParameter, Channel.IName, ITE, IG\nTestParameter, Channel.Func, VAR1, VAR2\n"
        "TestParameter, Measurement.Secondary.Start, 1.0\n"
        "TestParameter, Measurement.Secondary.Count, 2\n"
        "TestParameter, Measurement.Secondary.Step, 0.2\nMetaData, TestRecord.TestTarget, D1\n"
        "DataName, VTE, ITE\n"
    )
    pairs = [(a, b) for a, b in zip(CYCLES[:2], CYCLES[2:4], strict=True)]  # two levels
    text = "".join(
        head + "".join(f"DataValue, {v:g}, {i:.6G}\n" for c in pair
                       for v, i in zip(c.volts, c.amps, strict=True))
        for pair in pairs
    )  # fmt: skip
    recording = recorded(tmp_path, text)
    assert recording.level == pytest.approx([1.0, 1.2] * 2)
    assert recording.after_us == pytest.approx(AFTER[[0, 2, 1, 3]], rel=1e-4)


def test_the_order_of_sweeps_does_not_mix_devices_and_cycles(tmp_path: Path) -> None:
    recording = recorded(tmp_path, plain_list(CYCLES[::-1]))
    assert recording.after_us == pytest.approx(AFTER[::-1], rel=1e-4)
    assert recording.devices == ("d2", "d1", "d0")
    assert recording.cycle.tolist() == [0, 1] * 6


@pytest.mark.parametrize(("turn", "name"), [(-1.0, "reversed"), (0.0, "without a sign")])
def test_the_sign_of_the_current(tmp_path: Path, turn: float, name: str) -> None:
    cycles = [replace(c, amps=turn * c.amps if turn else np.abs(c.amps)) for c in CYCLES]
    recording = recorded(tmp_path, plain_list(cycles))
    assert recording.after_us == pytest.approx(AFTER, rel=1e-4), name


def test_devices_that_set_at_negative_voltages(tmp_path: Path) -> None:
    turned = [replace(c, volts=-c.volts, amps=-c.amps) for c in CYCLES]
    recording = recorded(tmp_path, plain_list(turned))
    assert recording.after_us == pytest.approx(AFTER, rel=1e-4) and recording.left_out == ()


def test_the_read_voltage_can_be_named(tmp_path: Path) -> None:
    # an ohmic device has the same conductance there; above the current is limited
    recording = recorded(tmp_path, plain_list(CYCLES), vread="0.2")
    assert recording.after_us == pytest.approx(AFTER, rel=1e-4)
    assert "conductance at 0.2 V" in recording.recognised
    assert "give a voltage above 0" in refused(tmp_path, plain_list(CYCLES), vread="zero")


def test_a_sweep_that_does_not_return_is_read_at_the_next_one(tmp_path: Path) -> None:
    # the rising half of the negative side begins in the state that the SET left
    cut = [
        replace(c, volts=np.delete(c.volts, slice(31, 60)), amps=np.delete(c.amps, slice(31, 60)))
        for c in CYCLES
    ]
    assert recorded(tmp_path, plain_list(cut)).after_us == pytest.approx(AFTER, rel=1e-4)


@pytest.mark.verify
@pytest.mark.stats
def test_a_fit_recovers_the_population_from_a_list(tmp_path: Path) -> None:
    truth = Population(devices=30, cycles=12, levels_us=(60, 100, 140), c2c_rel=0.1, seed=3)
    path = tmp_path / "list.csv"
    path.write_text(plain_list(butterflies(truth)), encoding="utf-8")
    preset, found = fit_file(path)
    levels = [found.mean_us[t] for t in range(3)]
    assert all(e.covers(g) for e, g in zip(levels, truth.levels_us, strict=True))
    sigma = found.sigma_us
    assert all(e.covers(0.1 * g) for e, g in zip(sigma, truth.levels_us, strict=True))
    assert not any(e.covers(0.15 * g) for e, g in zip(sigma, truth.levels_us, strict=True))
    assert found.constants["d2d_rel"].covers(0.05) and found.constants["hrs_median_us"].covers(4.0)
    assert preset.compliance_v.value == pytest.approx(0.5, rel=0.05)
    assert found.constants["compliance_v"].origin is Origin.RANGE


def test_a_single_level_is_refused_with_what_was_read(tmp_path: Path) -> None:
    text = refused(tmp_path, easyexpert([c for c in CYCLES if c.level == 0]))
    assert "6 SETs of 3 devices at a single compliance current, 30 µA" in text
    after = AFTER[[c.level == 0 for c in CYCLES]]
    assert f"LRS {np.median(after):.3g} (" in text and "HRS" in text and "SET at" in text
    assert "At least 3 levels, 5 devices and 5 SETs" in text


def test_one_compliance_of_a_list_over_the_gate_can_be_chosen(tmp_path: Path) -> None:
    limits = (30e-6, 55e-6)
    text = easyexpert([replace(c, limit_a=limits[n % 2]) for n, c in enumerate(CYCLES)], gate=True)
    message = refused(tmp_path, text)
    assert "icc = 30uA, 55uA" in message and "--where icc=30uA" in message
    recording = recorded(tmp_path, text, icc="55uA")
    assert recording.swept == "word line" and len(recording) == 6
    assert recording.conditions == {"compliance_ua": pytest.approx(55.0)}


def test_one_gate_voltage_of_a_list_over_the_compliance_can_be_chosen(tmp_path: Path) -> None:
    text = easyexpert([replace(c, gate_v=1.0 + 0.1 * (n % 2)) for n, c in enumerate(CYCLES)],
                      gate=True)  # fmt: skip
    recording = recorded(tmp_path, text, vwl="1.1")
    assert recording.swept == "target" and len(recording) == 6
    assert "it has 1, 1.1 V" in refused(tmp_path, text, vwl="2")


def test_a_bad_cell_costs_its_point(tmp_path: Path) -> None:
    lines = plain_list(CYCLES).splitlines()
    lines[10] = lines[10].replace(lines[10].split(",")[3], "9.9e37")
    lines[40] = lines[40].replace(lines[40].split(",")[3], "OVFL")
    recording = recorded(tmp_path, "\n".join(lines))
    assert recording.after_us == pytest.approx(AFTER, rel=1e-4)
    left = {left.reason: left.lines for left in recording.left_out}
    assert left == {"overload or missing value": (11, 41)}


def _aborted(cycle: Cycle) -> Cycle:
    return replace(cycle, volts=cycle.volts[:25], amps=cycle.amps[:25])


def _negative(cycle: Cycle) -> Cycle:
    falling = (np.arange(len(cycle.volts)) > 30) & (np.abs(cycle.volts - 0.1) < 0.06)
    return replace(cycle, amps=np.where(falling, -1e-7, cycle.amps))


def _limited(cycle: Cycle) -> Cycle:
    falling = (np.arange(len(cycle.volts)) > 20) & (cycle.volts > 0)
    return replace(cycle, amps=np.where(falling, cycle.limit_a, cycle.amps))


def _not_reset(cycle: Cycle) -> Cycle:
    volts, amps = butterfly(0.9 * cycle.after_us, cycle.after_us, cycle.limit_a, 1.0)
    return replace(cycle, volts=volts, amps=np.where(volts > 0, np.minimum(amps, 1), amps))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_aborted, "the sweep does not return to the read voltage"),
        (_negative, "negative current at the read voltage"),
        (_limited, "the current is limited at the read voltage"),
        (_not_reset, "the cell had not been reset"),
    ],
)
def test_a_bad_sweep_costs_that_sweep(
    tmp_path: Path, spoil: Callable[[Cycle], Cycle], reason: str
) -> None:
    last = len(CYCLES) - 1  # without a sweep after it
    recording = recorded(tmp_path, plain_list(changed(last, spoil(CYCLES[last]))))
    assert reasons(recording) == {reason: ["d2"]}
    assert recording.after_us == pytest.approx(AFTER[:-1], rel=1e-4)


def test_the_first_sweep_of_a_new_device_is_its_forming(tmp_path: Path) -> None:
    volts, amps = butterfly(0.01, 150.0, 55e-6, 2.5, 3.0)
    forming = replace(CYCLES[0], volts=volts, amps=amps)
    recording = recorded(tmp_path, plain_list([forming, *CYCLES]))
    assert reasons(recording) == {"forming": ["d0"]}
    assert recording.after_us == pytest.approx(AFTER, rel=1e-4)


def test_devices_that_do_not_switch_are_silent(tmp_path: Path) -> None:
    stuck = [
        replace(c, volts=v, amps=1e-6 * v) if c.device == 1 else c
        for c in CYCLES
        for v in [c.volts]
    ]
    recording = recorded(tmp_path, plain_list(stuck))
    assert recording.silent == ("d1",) and recording.devices == ("d0", "d2")
    assert reasons(recording) == {"the device does not switch": ["d1"]}


def test_a_device_with_swapped_leads_is_left_out(tmp_path: Path) -> None:
    mixed = [replace(c, volts=-c.volts, amps=-c.amps) if c.device == 1 else c for c in CYCLES]
    recording = recorded(tmp_path, plain_list(mixed))
    assert recording.devices == ("d0", "d2") and recording.silent == ("d1",)
    assert reasons(recording) == {"the device sets at the other polarity": ["d1"]}


def _negative_side(cycle: Cycle) -> Cycle:
    return replace(cycle, volts=cycle.volts[60:], amps=cycle.amps[60:])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (plain_list([_negative_side(c) for c in CYCLES]), "a RESET list"),
        (plain_list([replace(c, amps=1e-5 * c.volts) for c in CYCLES]), "do not switch"),
        (plain_list([replace(c, volts=c.volts[:31], amps=c.amps[:31]) for c in CYCLES[::4]]),
         "on its way up and down"),
        (plain_list(CYCLES).replace("I (uA)", "I"), "name the unit in the header, as in i (uA)"),
        (easyexpert(CYCLES).replace("DataName, VTE, ITE", "DataName, VTE, CTE"),
         "no current among the data VTE, CTE"),
        (easyexpert(CYCLES[:1]).replace("DataValue, 0.1,", "DataValue, low,"),
         "'low' is not a number"),
    ],
)  # fmt: skip
def test_lists_without_a_set_are_refused(tmp_path: Path, text: str, words: str) -> None:
    assert words in refused(tmp_path, text)


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("device,target_us,g_us\n0,50,50\n")
    (tmp_path / "b.csv").write_text("device,target_us,g_us\n1,50,50\n")
    with pytest.raises(UsageError, match="is a folder with 2 files"):
        read_recording(tmp_path)


def test_a_table_of_pulses_is_no_list(tmp_path: Path) -> None:
    lines = ["device,v_wl (V),i (uA),v_read (V)"]
    lines += [
        f"{d},{1 + v / 10},{(10 + 2 * v + d) / 10},0.1"
        for d in range(3) for _ in range(4) for v in range(10)
    ]  # fmt: skip
    recording = recorded(tmp_path, "\n".join(lines))
    assert recording.swept == "word line"
    assert recording.after_us[0] == pytest.approx(10.0)  # 1 µA at 0.1 V
