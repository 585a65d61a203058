"""Files of measurements on the command line: any suffix, conditions, cheap refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.array.characterize.fit import fit_file, fit_preset
from ohmcarlo.array.presets import get_preset
from ohmcarlo.cli import app as cli
from ohmcarlo.errors import UsageError
from ohmcarlo.runs import characterize
from ohmcarlo.runs.arrays import device_preset, open_array
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.spec import Geometry

SIZE = ("--rows", "16", "--pairs", "8", "--steps", "0")
LEVELS = np.linspace(40, 175, 8)


def sweep_text(*widths: int, scale: float = 1.0, falling: bool = False, sweeps: int = 6) -> str:
    """Sweeps of six cells; the conductance at a width is that of 100 ns times width / 100."""
    rng = np.random.default_rng(3)
    lines = []
    for width in widths:
        for cell in range(6):
            for _ in range(sweeps):
                for k, us in enumerate(LEVELS[::-1] if falling else LEVELS):
                    after = scale * 1e8 / width / (us + rng.normal(0, 4))
                    lines.append(f"{cell} {width} 2.0 {2 + k / 10:.1f} {2e5 * scale} {after:.6g}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(a) for a in arguments])
        return code, *capfd.readouterr()

    return run


Call = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("name", ["data.txt", "DATA.CSV", "data"])
def test_a_preset_is_fitted_to_a_file_with_any_suffix(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_text(sweep_text(100), encoding="utf-8")
    fitted = device_preset(str(path))
    assert fitted.set_law(2.3) == pytest.approx(LEVELS[3], rel=0.05)
    assert TrainConfig("toy2d", array="physics", preset=str(path)).files() != {}


@pytest.mark.verify
def test_a_file_without_a_suffix_goes_through_characterize(call: Call, tmp_path: Path, monkeypatch):
    (tmp_path / "data").write_text(sweep_text(100, 200), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code, out, err = call(
        "characterize", "--fit", "data", "--where", "pw=200ns", *SIZE, "--json", "-"
    )
    assert code == 0, err
    assert "288 pulses of 6 devices; six-column sweep" in err
    values = json.loads(out)
    assert values["recording"]["conditions"] == {"width_ns": 200.0, "bit_line_v": 2.0}


def test_a_replay_has_no_intervals_and_no_memory(call: Call, tmp_path: Path):
    """Its 256 devices are copies of 6 cells. The fit of the same file is the control."""
    path = tmp_path / "sweep.tsv"
    path.write_text(sweep_text(100, sweeps=8), encoding="utf-8")
    size = (*SIZE, "--json", "-")
    code, out, err = call("characterize", "--array", f"measured:{path}", *size)
    assert code == 0, err
    replay = json.loads(out)["fit"]
    assert {e["low"] for e in replay["constants"].values()} == {None}
    assert not {"slow_share", "memory", "read_noise_rel"} & replay["constants"].keys()
    assert any("copies of 6 recorded cells" in note for note in replay["notes"])
    fitted = fit_file(path)[1].constants
    assert fitted["slow_share"].low is not None and fitted["c2c_slope"].low is not None


def test_fit_and_replay_take_the_same_conditions(tmp_path: Path):
    path = tmp_path / "sweep.tsv"
    path.write_text(sweep_text(100, 200), encoding="utf-8")
    geometry = Geometry(rows=16, pairs=8)
    for width, factor in ((100, 1.0), (200, 2.0)):
        where = {"width": f"{width}ns"}
        assert fit_preset(path, where=where).set_law(2.2) == pytest.approx(
            factor * LEVELS[2], rel=0.05
        )
        array = open_array(f"measured:{path},width={width}ns", None, geometry, 1).array
        codes = array.program(0, np.arange(8, dtype=np.int32), np.full(8, 1170, np.int32))
        assert codes.mean() / 4 == pytest.approx(factor * LEVELS[2], rel=0.08)
    for opened in (
        lambda: fit_preset(path),
        lambda: open_array(f"measured:{path}", None, geometry, 1),
    ):
        with pytest.raises(UsageError, match="choose one value, as with --where width=100ns"):
            opened()


def test_names_of_a_run_keep_conditions_and_become_absolute(tmp_path: Path, monkeypatch):
    (tmp_path / "sweep.tsv").write_text(sweep_text(100, 200), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    located = TrainConfig("toy2d", array="measured:sweep.tsv,width=200ns").located()
    assert located.array == f"measured:{tmp_path}/sweep.tsv,width=200ns"
    config = TrainConfig("toy2d", array="physics", preset="sweep.tsv,width=200ns,wire_ohm=1")
    assert config.located().preset == f"{tmp_path}/sweep.tsv,width=200ns,wire_ohm=1"
    assert device_preset(str(config.located().preset)).wire_ohm.value == 1


@pytest.mark.parametrize("option", ["--fit", "--array"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (sweep_text(100, scale=1e-3), "kilo-ohm?"),
        (sweep_text(100, falling=True), "a RESET sweep"),
        (sweep_text(100, 200), "--where width=100ns"),
        ("a,b\n1,2\n", "the header lacks device, target_us, g_us"),
    ],
    ids=["unit", "RESET", "widths", "other"],
)
def test_a_bad_file_is_refused_before_an_array_is_measured(
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    text: str,
    words: str,
):
    def never(*_: object) -> None:
        raise AssertionError("a measurement, which takes seconds, has begun")

    monkeypatch.setattr(characterize, "examine", never)
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    code, out, err = call("characterize", option, f"measured:{path}" if "array" in option else path)
    assert (code, out, len(err.splitlines())) == (cli.BAD_USE, "", 1)
    assert words in err


@pytest.mark.verify
def test_a_run_states_what_it_read(call: Call, tmp_path: Path):
    path = tmp_path / "sweep.tsv"
    text = sweep_text(100, 200, sweeps=24).splitlines()
    text[5] = text[5].replace("100 2.0", "100 2.0 odd")
    path.write_text("\n".join(text), encoding="utf-8")
    code, out, err = call(
        "train", "toy2d", "--array", f"measured:{path}", "--where", "width=100ns", "--rows", "32",
        "--pairs", "16", "--chains", "1", "--steps", "20", "--no-trim", "--no-adapt",
        "--no-whiten", "--json", "-",
    )  # fmt: skip
    assert code == 0, err
    values = json.loads(out)
    assert values["array"] == f"measured:{path},width=100ns"
    assert values["recording"]["conditions"]["width_ns"] == 100
    assert values["recording"]["left_out"][0]["lines"] == [6]
    assert "left out: lines with another number of cells: 1 line (6)" in err


def test_a_preset_is_not_fitted(call: Call, tmp_path: Path):
    get_preset("rram-1t1r").save(tmp_path / "mine.json")
    code, _, err = call("characterize", "--fit", tmp_path / "mine.json")
    assert code == cli.BAD_USE
    advice = err.partition("use ")[2].split()
    assert advice == ["--array", "physics", "--preset", str(tmp_path / "mine.json")]
    assert device_preset(advice[-1]) == get_preset("rram-1t1r")


@pytest.mark.parametrize(
    "other",
    [("--array", "measured:other.csv"), ("--preset", "rram-1t1r"), ("--array", "physics:1e6")],
)
def test_a_fit_leaves_no_choice_of_array(call: Call, tmp_path: Path, other: tuple[str, str]):
    path = tmp_path / "sweep.csv"
    path.write_text(sweep_text(100), encoding="utf-8")
    code, _, err = call("characterize", "--fit", path, *other)
    assert code == cli.BAD_USE
    assert f"leave out {' '.join(other)}, or leave out --fit" in err


def test_where_needs_measurements(call: Call):
    code, _, err = call("characterize", "--array", "physics", "--where", "vbl=2")
    assert code == cli.BAD_USE
    assert "--where chooses among measurements: use it with --fit FILE" in err
    code, _, err = call("train", "toy2d", "--array", "measured:x.csv", "--where", "vbl")
    assert code == cli.BAD_USE
    assert "write key=value, as in vbl=2.0,width=100ns" in err


def test_the_example_is_written_and_converted(call: Call, tmp_path: Path):
    code, _, err = call("data", "example", tmp_path / "mine.csv")
    assert code == 0, err
    code, printed, _ = call("data", "example")
    assert printed == (tmp_path / "mine.csv").read_text(encoding="utf-8")
    code, out, _ = call(
        "data", "convert", tmp_path / "mine.csv", tmp_path / "again.csv", "--where", "device=cell3",
        "--json", "-",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["devices"] == 1
    again = (tmp_path / "again.csv").read_text(encoding="utf-8").splitlines()
    lines = [line for line in printed.splitlines() if line.startswith("cell3,")]
    assert [line for line in again if line.startswith("cell3,")] == lines
