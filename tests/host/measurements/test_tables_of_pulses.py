"""Long and wide tables: units, conditions, reads, bad lines; the documented format and example."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.array.example import COMMENTS, example_recording
from ohmcarlo.array.sweep import Sweep
from ohmcarlo.errors import UsageError
from ohmcarlo.measurements.assembly import describe_left_out
from ohmcarlo.measurements.reading import FORMATS, LISTS, SHAPES, read_recording
from ohmcarlo.measurements.writing import as_text
from paths import TESTS
from written_measurements import conductances, recorded, refused

DEVICES, REPEATS, LEVELS = 5, 6, (50.0, 90.0, 130.0)
RNG = np.random.default_rng(22)
G = np.round(np.array(LEVELS) + RNG.normal(0, 4, (DEVICES, REPEATS, 3)), 3)
"""µS, (device, repeat, level)."""


def entries() -> list[tuple[int, int, int, float]]:
    return [(d, n, t, float(us)) for (d, n, t), us in np.ndenumerate(G)]


def table(header: str, row: Callable[[int, int, int, float], str]) -> str:
    return "\n".join([header, *(row(*entry) for entry in entries())]) + "\n"


UNITS: list[tuple[str, Callable[[int, int, int, float], str]]] = [
    ("device,target_us,g_us", lambda d, n, t, g: f"{d},{LEVELS[t]},{g}"),
    ("Device , Target (uS), G [µS]", lambda d, n, t, g: f"{d},{LEVELS[t]},{g}"),
    ("cell;g_target_ms;R_after (kΩ)", lambda d, n, t, g: f"{d};{LEVELS[t] / 1e3};{1e3 / g:.7g}"),
    ("dut\tR target [Ohm]\tR [MOhm]",
     lambda d, n, t, g: f"d{d}\t{1e6 / LEVELS[t]:.7g}\t{1 / g:.8g}"),
    ("address,V_WL (mV),I_read (nA),V_read (mV)",
     lambda d, n, t, g: f"{d}.000,{2000 + 100 * t},{g * 200:.6g},200"),
    ("row,col,Vg,conductance (S),comment",
     lambda d, n, t, g: f"0,{d},{2 + t / 10},{g * 1e-6:.7g},x"),
    ("id|amplitude [V]|Rf(Ω)|t_pulse (us)", lambda d, n, t, g: f"{d}|{1 + t}|{1e6 / g:.7g}|0.1"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "row"), UNITS, ids=[header for header, _ in UNITS])
def test_units_in_the_header(tmp_path: Path, header: str, row: Callable[..., str]):
    recording = recorded(tmp_path, table(header, row))
    assert recording.format == "long table"
    assert conductances(recording, DEVICES, REPEATS) == pytest.approx(G, rel=1e-5)
    if recording.unit == "µS":
        assert np.unique(recording.level) == pytest.approx(LEVELS)
    if "t_pulse" in header:
        assert recording.conditions["width_ns"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("scale", "unit"), [(1, "µS"), (1e-6, "S")], ids=["microsiemens", "siemens"]
)
def test_a_unit_that_is_not_named_is_assumed_and_stated(tmp_path: Path, scale: float, unit: str):
    recording = recorded(
        tmp_path, table("device,target_us,g", lambda d, n, t, g: f"{d},{LEVELS[t]},{g * scale:.8g}")
    )
    assert conductances(recording, DEVICES, REPEATS) == pytest.approx(G, rel=1e-5)
    assert f"g in {unit} (assumed)" in recording.recognised


def test_a_unit_that_is_not_known_is_refused(tmp_path: Path):
    text = table("device,target_us,g (a.u.)", lambda d, n, t, g: f"{d},{LEVELS[t]},{g}")
    assert "column 3: the unit 'a.u.' is not known; write one as in g (uS)" in refused(
        tmp_path, text
    )
    siemens = table("device,target_us,g_us", lambda d, n, t, g: f"{d},{LEVELS[t]},{g * 1e-6}")
    assert "Name the unit in the header, as in g (S)" in refused(tmp_path, siemens)
    milli = table("device,target_us,g", lambda d, n, t, g: f"{d},{LEVELS[t]},{g / 1e3}")
    assert "name the units of both in the header" in refused(tmp_path, milli)
    named = recorded(tmp_path, milli.replace(",g\n", ",g (mS)\n"))
    assert conductances(named, DEVICES, REPEATS) == pytest.approx(G, rel=1e-5)


@pytest.mark.parametrize("header", [
    "target (uS),d0,d1,d2,d3,d4", "V_WL (V),0,1,2,3,4",
    "V;" + ";".join(f"R{d} (kOhm)" for d in range(DEVICES)),
])  # fmt: skip
def test_a_column_for_each_device(tmp_path: Path, header: str):
    mark = ";" if ";" in header else ","
    lines = [header]
    for repeat in range(REPEATS):
        for t, level in enumerate(LEVELS):
            g = G[:, repeat, t]
            cells = 1e3 / g if "kOhm" in header else g
            lines.append(
                mark.join(f"{v:.7g}" for v in [level if "target" in header else 2 + t, *cells])
            )
    recording = recorded(tmp_path, "\n".join(lines) + "\n")
    assert recording.format == "wide table"
    assert conductances(recording, DEVICES, REPEATS) == pytest.approx(G, rel=1e-5)


@pytest.mark.parametrize("names", ["50,90,130", "50 uS,90 uS,130 uS", "2.0V,2.1V,2.2V"])
def test_a_column_for_each_level(tmp_path: Path, names: str):
    lines = [f"device,{names}"]
    lines += [
        f"d{d}," + ",".join(f"{v:g}" for v in G[d, n])
        for n in range(REPEATS)
        for d in range(DEVICES)
    ]
    recording = recorded(tmp_path, "\n".join(lines))
    assert recording.format == "wide table of levels"
    assert conductances(recording, DEVICES, REPEATS) == pytest.approx(G)
    assert recording.unit == ("V" if "V" in names else "µS")


def test_only_set_pulses_are_used(tmp_path: Path):
    text = table(
        "device,op,target_us,g_us", lambda d, n, t, g: f"{d},SET,{LEVELS[t]},{g}\n{d},reset,0,5"
    )
    recording = recorded(tmp_path, text)
    assert conductances(recording, DEVICES, REPEATS) == pytest.approx(G)
    assert "RESET pulses: 90 lines" in describe_left_out(recording)
    assert "holds no SET pulse" in refused(tmp_path, text.replace("SET", "READ"))


def test_the_polarity_that_sets_is_used(tmp_path: Path):
    for sign in (1, -1):
        text = table(
            "device,V,g_us",
            lambda d, n, t, g, s=sign: f"{d},{s * (1 + t)},{g}\n{d},{-s * (1 + t)},{60 - 15 * t}",
        )
        recording = recorded(tmp_path, text)
        assert conductances(recording, DEVICES, REPEATS) == pytest.approx(G)
        assert np.unique(recording.level) == pytest.approx([1, 2, 3])


def test_a_compliance_current_is_a_level(tmp_path: Path):
    text = table("device,Icc (uA),V (V),g_us", lambda d, n, t, g: f"{d},{LEVELS[t] / 2},1.5,{g}")
    recording = recorded(tmp_path, text)
    assert recording.compliance_v == pytest.approx(0.5, rel=0.02)
    assert np.unique(recording.level) == pytest.approx(LEVELS, rel=0.02)
    assert conductances(recording, DEVICES, REPEATS) == pytest.approx(G)


def test_measured_voltages_scatter_around_those_that_were_meant(tmp_path: Path):
    rng = np.random.default_rng(6)

    def row(d: int, n: int, t: int, g: float) -> str:
        return f"{d},{2 + 0.1 * t + rng.normal(0, 0.003):.5f},{g}"

    recording = recorded(tmp_path, table("device,V_WL (V),g_us", row))
    assert np.unique(recording.level) == pytest.approx([2, 2.1, 2.2], abs=0.002)
    assert conductances(recording, DEVICES, REPEATS) == pytest.approx(G)


def test_a_current_with_the_sign_of_a_source(tmp_path: Path):
    def row(d: int, n: int, t: int, g: float) -> str:
        return f"{d},{LEVELS[t]},{-g / 5},0.2"

    text = table("device,target_us,I (uA),V_read (V)", row)
    assert conductances(recorded(tmp_path, text), DEVICES, REPEATS) == pytest.approx(G, rel=1e-5)


@pytest.mark.stats
def test_repeated_reads_give_the_read_noise(tmp_path: Path):
    rng = np.random.default_rng(4)

    def row(d: int, n: int, t: int, g: float) -> str:
        reads = g * (1 + 0.02 * rng.standard_normal(6))
        return "\n".join(f"{d},{LEVELS[t]},{k},{us:.6g}" for k, us in enumerate(reads))

    recording = recorded(tmp_path, table("device,target_us,read,g_us", row))
    assert recording.read_noise_rel == pytest.approx(0.02, rel=0.15)
    assert len(recording) == G.size
    averaged = table("device,target_us,reads,g_us", lambda d, n, t, g: f"{d},{LEVELS[t]},8,{g}")
    assert recorded(tmp_path, averaged).read_noise_rel is None  # the control: a number of averages


@pytest.mark.parametrize("word", ["9.91e37", "inf", "nan", "", "-30", "oops"])
def test_a_bad_reading_costs_that_pulse(tmp_path: Path, word: str):
    def row(d: int, n: int, t: int, g: float) -> str:
        return f"{d},{LEVELS[t]},{word if (d, n, t) == (2, 1, 0) else g}"

    recording = recorded(tmp_path, table("device,target_us,g_us", row))
    assert len(recording) == G.size - 1
    assert recording.left_out[0].lines == (2 + (2 * REPEATS + 1) * 3,)
    assert Sweep.of(recording).cells >= DEVICES - 1


def test_other_columns_and_devices_can_be_chosen(tmp_path: Path):
    def row(d: int, n: int, t: int, g: float) -> str:
        return f"{d},{LEVELS[t]},{g},{'cold' if n < 3 else 'hot'},{25 if n < 3 else 85}"

    text = table("device,target_us,g_us,oven,temperature (C)", row)
    assert "temperature varies (temperature = 25C, 85C)" in refused(tmp_path, text)
    for where in ({"temperature": "85C"}, {"oven": "hot"}):
        assert len(recorded(tmp_path, text, **where)) == G.size / 2
    assert recorded(tmp_path, text, oven="hot", device="3").devices == ("3",)
    assert "the keys of" in refused(tmp_path, text, color="x")
    assert "oven" in refused(tmp_path, text, color="x")


def test_too_few_repeats_for_a_replay_are_refused_with_the_number(tmp_path: Path):
    text = "\n".join(
        table("device,target_us,g_us", lambda d, n, t, g: f"{d},{LEVELS[t]},{g}").split("\n")[:8]
    )
    with pytest.raises(UsageError, match="are too few to draw from: at least 4"):
        Sweep.of(recorded(tmp_path, text))


def test_small_negative_conductances_are_an_offset(tmp_path: Path):
    """-1 µS, 1 % of the others, is 0; the control, -5 µS, is left out."""
    lines = table("device,target_us,g_us", lambda d, n, t, g: f"{d},{LEVELS[t]},{g}").splitlines()
    lines[2], lines[9] = (
        ",".join([*lines[k].split(",")[:2], g]) for k, g in ((2, "-1"), (9, "-5"))
    )
    recording = recorded(tmp_path, "\n".join(lines))
    assert recording.after_us[recording.line == 3].tolist() == [0]
    assert [(left.reason, left.lines) for left in recording.left_out] == [
        ("negative conductance", (10,))
    ]


def test_a_recording_is_shared_and_cannot_be_changed(tmp_path: Path):
    text = table("device,target_us,g_us", lambda d, n, t, g: f"{d},{LEVELS[t]},{g}")
    first = recorded(tmp_path, text)
    assert read_recording(first.source) is first
    with pytest.raises(ValueError, match="read-only"):
        first.after_us[0] = 0.0


def test_a_newer_version_is_refused(tmp_path: Path):
    text = table("device,target_us,g_us", lambda d, n, t, g: f"{d},{LEVELS[t]},{g}")
    assert len(recorded(tmp_path, f"# ohmcarlo measurements 1\n{text}")) == G.size
    assert "version 2 of the format; this program reads version 1" in refused(
        tmp_path, f"# ohmcarlo measurements 2\n{text}"
    )


# -- the example, the writer and the page --------------------------------------------------------


def test_the_example_is_that_of_its_command():
    shipped = files("ohmcarlo.measurements").joinpath("example.csv").read_text(encoding="utf-8")
    assert shipped == as_text(example_recording(), COMMENTS)


def test_silent_devices_are_written(tmp_path: Path):
    shorted = table("device,target_us,g_us", lambda d, n, t, g: f"{d},{LEVELS[t]},{g if d else 0}")
    first = recorded(tmp_path, shorted)
    again = recorded(tmp_path, as_text(first))
    assert first.silent == again.silent == ("0",) and len(again) == G.size * 4 / 5


def test_what_is_written_is_read_again(tmp_path: Path):
    path = tmp_path / "example.csv"
    path.write_text(as_text(example_recording()), encoding="utf-8")
    first = read_recording(path)
    again = recorded(tmp_path, as_text(first))
    for name in ("devices", "swept", "unit", "conditions"):
        assert getattr(first, name) == getattr(again, name) == getattr(example_recording(), name)
    for name in ("device", "level", "cycle", "after_us", "before_us"):
        assert getattr(again, name) == pytest.approx(getattr(example_recording(), name), rel=1e-8)


PAGE = (TESTS.parent / "docs" / "measurements.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```csv\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("block", BLOCKS)
def test_examples_of_the_page_are_read(tmp_path: Path, block: str):
    recording = recorded(tmp_path, block)
    assert recording.format in PAGE
    assert not recording.left_out
    assert 45 < recording.after_us.mean() < 130


def test_the_page_names_every_format():
    names = [*(f.name for f in FORMATS), *(f.name for f in LISTS), *(name for name, _ in SHAPES)]
    assert len(BLOCKS) >= 4
    assert [name for name in names if name not in PAGE.replace("-", " ") and name not in PAGE] == []
