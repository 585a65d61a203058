"""Training jobs as C: the values of the image, what a compiler reads from them, bad use."""

from __future__ import annotations

import ctypes
import json
import re
import signal
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from driver_stub import WARNINGS, Image
from ohmcarlo.datasets import load
from ohmcarlo.errors import UsageError
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.regs.map import register_map
from ohmcarlo_rtl.driver import __main__ as command_line
from ohmcarlo_rtl.driver import first_run
from ohmcarlo_rtl.driver.core import exported_core
from ohmcarlo_rtl.driver.job import POINTS, Job, c_string, job_files, settings_of, training_job

pytestmark = pytest.mark.hdl

CORE = ["--rows", "64", "--pairs", "16", "--access-bits", "1", "--max-points", "256"]
CHAIN = ["--chains", "2", "--steps", "30"]


@pytest.fixture(scope="module")
def job() -> Job:
    return command_line.job_of(command_line.parser().parse_args(["toy2d", "unused", *CORE, *CHAIN]))


@pytest.fixture(scope="module")
def library(job: Job, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The job as a C compiler reads it, and the example compiled with it."""
    folder = tmp_path_factory.mktemp("job")
    command_line.write_files(job, folder)
    command = ["cc", *WARNINGS, "-DCORE_BASE=0x1000", "-fPIC", "-shared"]
    done = subprocess.run(
        [*command, "job.c", "main.c", "ohmcarlo_driver.c", "-o", "job.so"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(folder / "job.so"), mode=0x1)  # lazily: main.c needs a platform


def test_the_compiled_image_is_that_of_the_host(job: Job, library: ctypes.CDLL) -> None:
    layout = register_map(job.config, True, ip=True)
    image, compiled = job.image(), Image.in_dll(library, "job")
    assert compiled.map_hash == int(layout.hash[:8], 16)
    assert (compiled.points, compiled.emulator) == (len(job.points), True)
    there = {s.address: s.value for s in compiled.settings[: compiled.setting_count]}
    read = {
        f"{r.name}.{f.name}": there[r.address] >> f.low & ((1 << f.width) - 1)
        for r in layout.registers
        for f in r.fields
        if r.address in there
    }
    fields = {name: value for name, value in image.fields.items() if name != POINTS}
    assert {name: read[name] for name in fields} == fields
    for name, value in read.items():
        if name not in fields:  # as after a reset
            register, _, field = name.rpartition(".")
            (found,) = (f for f in layout[register].fields if f.name == field)
            assert value == found.reset, name
    windows = {w.address: w.words[: w.count] for w in compiled.windows[: compiled.window_count]}
    windows[layout.window("points").address] = compiled.point_words[: len(image.windows["points"])]
    expected = {n: w.tolist() for n, w in image.windows.items() if n != "order"}
    assert {layout.window(n).address: words for n, words in expected.items()} == windows
    assert image.windows["order"].tolist() == list(range(len(job.points))), "the driver's order"


def test_the_held_out_points(job: Job, library: ctypes.CDLL) -> None:
    count = len(job.test_points)
    labels = (ctypes.c_uint8 * count).in_dll(library, "job_test_labels")
    dataset = load("toy2d")
    _, test = dataset.split(0)
    assert list(labels) == dataset.y[test].tolist() and 0 < sum(labels) < count
    words = (ctypes.c_uint32 * (count * job.config.point_words)).in_dll(library, "job_test_words")
    second = np.array(list(words), np.uint32).reshape(count, -1)[:, 1].copy()
    inputs = second.view(np.int8).reshape(count, 4)[:, : job.points.features]
    assert np.array_equal(inputs, job.test_points.inputs)


def test_the_same_bytes(job: Job) -> None:
    assert job_files(job) == job_files(job)
    lines = [line for text in job_files(job).values() for line in text.splitlines()]
    assert max(map(len, lines)) <= 100


def test_names_in_c(job: Job) -> None:
    """A name from a file ends neither its string nor its comment."""
    assert c_string('a"\\\n??/µ') == '"a\\042\\134\\012\\077\\077/\\302\\265"'
    text = job_files(replace(job, name="a\\\nint x;", class_names=('"', "\\")))["job.c"]
    assert text.splitlines()[0].startswith("// Generated") and "\nint x;" not in text
    assert '{"\\042", "\\134"}' in text


def test_a_field_that_the_core_lacks(job: Job) -> None:
    image = job.image()
    image.fields["model.colour.value"] = 1
    with pytest.raises(UsageError, match=r"model\.colour\.value"):
        settings_of(image, register_map(job.config, True, ip=True))


@pytest.mark.parametrize(
    ("core", "error"),
    [
        (CoreConfig(Geometry(rows=64, pairs=16), max_points=64), "103 data points .* 64"),
        (CoreConfig(Geometry(rows=64, pairs=16), max_regions=1), "2 chains"),
        (CoreConfig(Geometry(rows=128, pairs=16)), "rows = 64"),
        (CoreConfig(Geometry(rows=64, pairs=16, dot_bits=8)), "DOT converter of 8 bits"),
    ],
)
def test_a_job_that_does_not_fit(job: Job, core: CoreConfig, error: str) -> None:
    options = command_line.parser().parse_args(["toy2d", "unused", *CORE, *CHAIN])
    made = command_line.train_of(options, job.config)
    with pytest.raises(UsageError, match=error):
        training_job(core, made)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A CSV file of the user; a second call renews the job and keeps main.c."""
    table = tmp_path / "mine.csv"
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > 0 else 'no'}" for a, b in rng.normal(size=(60, 2))]
    table.write_text("\n".join(["height,weight,ill", *rows]) + "\n")
    out = tmp_path / "out"
    arguments = [str(table), str(out), *CORE, "--label", "ill", "--steps", "50"]
    assert command_line.main(arguments) == 0
    assert "33 data points, 30 to predict, 50 steps" in capsys.readouterr().out
    (out / "main.c").write_text("mine")
    assert command_line.main([*arguments[:-1], "60"]) == 0
    assert (out / "main.c").read_text() == "mine"
    assert "JOB_STEPS 60u" in (out / "job.h").read_text()
    assert '{"no", "yes"}' in (out / "job.c").read_text()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["no-such-task", "OUT"], "no-such-task"),
        (["toy2d", "OUT", "--rows", "3"], "rows"),
        (["toy2d", "OUT", "--max-points", "100"], "power of two"),
        (["toy2d", "FILE"], "is not a folder"),
        (["toy2d", "OUT", "--core", "HERE"], "name the folder of an exported core"),
        (["toy2d", "OUT", "--core", "HERE", "--rows", "64"], "leave out --rows"),
    ],
)
def test_bad_use(
    tmp_path: Path, arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("a file")
    places = {name: str(tmp_path / name.lower()) for name in ("OUT", "FILE", "HERE")}
    assert command_line.main([places.get(a, a) for a in arguments]) == 2
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 1 and error in printed[0]
    assert not (tmp_path / "out").exists()


def export_of(folder: Path, config: CoreConfig, **changes: Any) -> Path:
    """A folder with the manifest of an exported core."""
    parameters = asdict(config)
    manifest = {
        "array": "emulator",
        "geometry": parameters.pop("geometry"),
        "controller": parameters,
        "register_map": register_map(config, True, ip=True).hash,
    }
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))
    return folder


def test_the_core_of_an_export(tmp_path: Path, job: Job) -> None:
    folder = export_of(tmp_path / "core", job.config)
    assert exported_core(folder) == job.config


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"array": "phy"}, "array phy, a job needs the emulated array"),
        ({"register_map": "12345678"}, "map 12345678, this version makes"),
        ({"geometry": {"rows": 64, "colour": 1}}, "is not that of"),
        ({"controller": {}}, "is not that of"),
    ],
)
def test_an_export_that_does_not_suit(
    tmp_path: Path, job: Job, changes: dict[str, Any], error: str
) -> None:
    with pytest.raises(UsageError, match=error):
        exported_core(export_of(tmp_path / "core", job.config, **changes))


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_manifest_that_is_broken(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UsageError, match=r"manifest\.json is no"):
        exported_core(tmp_path)


def test_an_advice_that_an_exported_core_can_follow(
    tmp_path: Path, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    core = export_of(tmp_path / "core", job.config)
    arguments = ["breast-cancer", str(tmp_path / "job"), "--core", str(core)]
    assert command_line.main(arguments) == 2
    printed = capsys.readouterr().err
    assert "--features 11" in printed and "`ohmcarlo export` makes another core" in printed
    assert command_line.main([*arguments, "--features", "11", "--steps", "10"]) == 2
    printed = capsys.readouterr().err
    assert "do not fit: the core has room for 256; use --max-points 512; the sizes are" in printed
    assert "`ohmcarlo export` makes another core" in printed
    larger = export_of(tmp_path / "larger", replace(job.config, max_points=512))
    arguments[-1] = str(larger)
    assert command_line.main([*arguments, "--features", "11", "--steps", "10"]) == 0


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("program", [command_line, first_run])
def test_ctrl_c(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    program: ModuleType,
) -> None:
    """One line, also where a library in C makes another error of the interrupt."""

    def interrupted(options: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise TypeError("not a subtype of type") from None

    monkeypatch.setattr(program, "job_of", interrupted)
    assert program.main(["toy2d", str(tmp_path / "out")]) == 130
    assert re.fullmatch(r"\S.*: interrupted\n", capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []
