"""A run can only be resumed with all the inputs that it began with."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array.presets import get_preset
from ohmcarlo.datasets import Encoder
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.golden import Calibration, SamplerSettings
from ohmcarlo.runs import digests, provenance, stored
from ohmcarlo.runs.chain_run import Interrupted, Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.digests import digest_of
from ohmcarlo.runs.supervised.predict import predict_file
from ohmcarlo.runs.train import Outputs, resume_run, train_run
from ohmcarlo.spec import Geometry

SMALL = TrainConfig("toy2d", steps=60, rows=32, pairs=8, seed=3)
RELATIVE = {"task": "data.csv", "array": "physics", "preset": "mine.json,read_noise_rel=0.01"}

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs signals")


class StopsEarly(Silence):
    """Presses Ctrl-C after the first block."""

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        signal.raise_signal(signal.SIGINT)


def begin(config: TrainConfig, folder: Path) -> None:
    with pytest.raises(Interrupted):
        train_run(config, Outputs(folder), StopsEarly())


def trace_of(folder: Path) -> dict[str, np.ndarray]:
    return stored.read_trace(folder).arrays()


def same(a: Path, b: Path) -> bool:
    one, other = trace_of(a), trace_of(b)
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def write_data(path: Path) -> None:
    rng = np.random.default_rng(0)
    table = np.c_[rng.normal(size=(40, 2)), np.arange(40) % 2]
    np.savetxt(path, table, delimiter=",", header="a,b,label", comments="")


def write_sweep(path: Path, factor: float = 1.0) -> None:
    """Three cells, 120 sweeps of five voltages; ``factor`` multiplies the resistances."""
    rng = np.random.default_rng(1)
    lines = []
    for cell in range(3):
        for _ in range(120):
            for level in range(5):
                us = 50 + 30 * level + rng.normal(0, 5)
                volts, after = 2.0 + 0.1 * level, factor * 1e6 / us
                lines.append(f"{cell}\t100\t2\t{volts:.1f}\t100000\t{after:.1f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_measurements(path: Path, factor: float = 1.0) -> None:
    """20 pulses of eight devices at five targets; ``factor`` multiplies the conductances."""
    rng = np.random.default_rng(2)
    targets = np.repeat(50.0 + 30 * np.arange(5), 8 * 20)
    table = np.c_[np.tile(np.arange(8), 100), targets, factor * rng.normal(targets, 5)]
    np.savetxt(path, table, delimiter=",", header="device,target_us,g_us", comments="")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a data file, a preset file and a sweep file."""
    write_data(tmp_path / "data.csv")
    get_preset("rram-1t1r").save(tmp_path / "mine.json")
    write_sweep(tmp_path / "sweep.tsv")
    write_measurements(tmp_path / "mine.csv")
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def changed(config: TrainConfig, **changes: Any) -> TrainConfig:
    return TrainConfig(**(config.to_dict() | changes))


# -- files of the user -----------------------------------------------------------------------------


def edit_preset(path: Path) -> None:
    values = json.loads(path.read_text(encoding="utf-8"))
    values["read_noise_rel"]["value"] *= 1.01
    path.write_text(json.dumps(values), encoding="utf-8")


SWEEP: dict[str, Any] = {"array": "measured:sweep.tsv", "trim": False}
PRESET: dict[str, Any] = {"preset": "mine.json"}
FITTED: dict[str, Any] = {"preset": "mine.csv"}
PHYSICS: dict[str, Any] = {"array": "physics", "preset": "mine.json", "trim": False}


@pytest.mark.parametrize(
    ("changes", "name", "edits"),
    [
        (SWEEP, "sweep.tsv", [lambda path: write_sweep(path, 2), Path.unlink]),
        (PRESET, "mine.json", [edit_preset, Path.unlink]),
        (FITTED, "mine.csv", [lambda path: write_measurements(path, 2), Path.unlink]),
        pytest.param(PHYSICS, "mine.json", [edit_preset], marks=pytest.mark.verify),
    ],
)
def test_an_edited_file_is_refused(
    changes: dict[str, Any], name: str, edits: list[Any], folder: Path
) -> None:
    begin(changed(SMALL, **changes), folder / "run")
    manifest = stored.read_manifest(folder / "run")
    (file,) = manifest["files"].values()
    assert file["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert len(manifest["inputs"]["data"]) == len(file["sha256"])
    for edit in edits:
        edit(folder / name)
        with pytest.raises(UsageError, match=rf"{name}.*put the (old )?file back"):
            resume_run(Outputs(folder / "run"), Silence())


@pytest.mark.verify
@pytest.mark.parametrize(
    ("changes", "name"), [(SWEEP, "sweep.tsv"), (PRESET, "mine.json"), (PHYSICS, "mine.json")]
)
def test_the_old_file_is_put_back(changes: dict[str, Any], name: str, folder: Path) -> None:
    """The control: an edit that is undone has no effect."""
    config = changed(SMALL, **changes)
    begin(config, folder / "run")
    before = (folder / name).read_bytes()
    (folder / name).unlink()
    (folder / name).write_bytes(before)
    resume_run(Outputs(folder / "run"), Silence())
    train_run(config, Outputs(folder / "whole"), Silence())
    assert same(folder / "run", folder / "whole")


def test_the_choice_of_columns_is_kept(folder: Path) -> None:
    """Resume and predict use the label, the features and the positive class that were chosen."""
    lines = (folder / "data.csv").read_text().splitlines()
    rows = [f"{7 * i % 41},{'BM'[i % 2]},{line}" for i, line in enumerate(lines[1:])]
    (folder / "data.csv").write_text("\n".join([f"id,State,{lines[0]}", *rows]))
    chosen = {"label": "state", "drop": ("id", "label"), "positive": "B"}
    config = changed(SMALL, task="data.csv", **chosen)
    begin(config, folder / "run")
    manifest = stored.read_manifest(folder / "run")
    assert manifest["data"]["positive"] == "B" and manifest["data"]["label"] == "State"
    assert manifest["data"]["left_out"] == ["id", "label"]
    assert TrainConfig.from_dict(manifest["config"]).columns == chosen
    resumed = resume_run(Outputs(folder / "run"), Silence())
    assert (
        "M = 0, B = 1 (positive), 40 rows, 2 features (without id, label)"
        in (resumed["data"]["recognised"])
    )
    whole = train_run(config, Outputs(folder / "whole"), Silence())
    assert same(folder / "run", folder / "whole") and whole["accuracy"] == resumed["accuracy"]
    usual = train_run(changed(config, positive=None), Outputs(folder / "usual"), Silence())
    assert not same(folder / "usual", folder / "whole"), "the control: M is positive by default"
    assert "B = 0, M = 1 (positive)" in usual["data"]["recognised"]
    found = predict_file(folder / "run", folder / "data.csv")
    assert found.class_names == ["M", "B"] and found.accuracy is not None
    assert found.data == "commas, label 'State', 40 rows, 2 features"


def test_other_data_are_refused_and_another_notation_is_not(folder: Path) -> None:
    begin(changed(SMALL, task="data.csv"), folder / "run")
    text = (folder / "data.csv").read_text()
    (folder / "data.csv").write_text(text.replace("a,b,label", "b,a,label"))
    with pytest.raises(UsageError, match=r"data.*have changed"):
        resume_run(Outputs(folder / "run"), Silence())
    (folder / "data.csv").write_text(text + "\n")
    resume_run(Outputs(folder / "run"), Silence())


def test_resumed_from_another_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = changed(SMALL, **RELATIVE, trim=False)
    begin(config, folder / "run")
    train_run(config, Outputs(folder / "whole"), Silence())
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    resume_run(Outputs(Path("../run")), Silence())
    assert same(folder / "run", folder / "whole")
    known = TrainConfig.from_dict(stored.read_manifest(folder / "run")["config"])
    assert known.preset == f"{folder}/mine.json,read_noise_rel=0.01"
    assert known.task == f"{folder}/data.csv"


# -- the manifest ----------------------------------------------------------------------------------


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to all numbers, texts, flags and nulls in a JSON value."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from leaves(inner, (*path, key))
    else:
        yield path


def edited(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool) or value is None:
        return not value
    return value + 1 if isinstance(value, int | float) else f"{value}0"


def test_every_field_of_the_manifest_is_protected(tmp_path: Path) -> None:
    begin(SMALL, tmp_path / "run")
    path = tmp_path / "run" / stored.MANIFEST
    original = path.read_text(encoding="utf-8")
    found = list(leaves(json.loads(original)))
    assert len(found) > 50
    for leaf in found:
        values = json.loads(original)
        inner = values
        for key in leaf[:-1]:
            inner = inner[key]
        inner[leaf[-1]] = edited(inner[leaf[-1]])
        path.write_text(json.dumps(values), encoding="utf-8")
        with pytest.raises(OhmcarloError, match=r"manifest\.json.*train again|run format"):
            stored.read_manifest(tmp_path / "run")
    path.write_text(json.dumps(json.loads(original)), encoding="utf-8")  # the control: same values
    resume_run(Outputs(tmp_path / "run"), Silence())


@pytest.mark.parametrize("changes", [{"seed": 4}, {"rho": 0.5}, {"steps": 90}, {"rows": 64}])
def test_an_edited_configuration_with_a_new_seal_has_other_inputs(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    """The digests of the inputs and the hash chain notice what the seal of the manifest does
    not."""
    begin(SMALL, tmp_path / "run")
    path = tmp_path / "run" / stored.MANIFEST
    values = json.loads(path.read_text(encoding="utf-8"))
    del values[digests.SEAL]
    values["config"] |= changes
    path.write_text(json.dumps(digests.sealed(values)), encoding="utf-8")
    with pytest.raises(OhmcarloError):
        resume_run(Outputs(tmp_path / "run"), Silence())


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "git_state", lambda: {"commit": "beef" * 10, "changed": True})
    begin(SMALL, tmp_path / "run")
    now = provenance.versions()
    monkeypatch.setattr(provenance, "versions", lambda: now | {"ohmcarlo": "99.0.0"})
    with pytest.raises(OhmcarloError, match=rf"resume it with {now['ohmcarlo']}"):
        resume_run(Outputs(tmp_path / "run"), Silence())
    said: list[str] = []
    observer = Silence()
    monkeypatch.setattr(observer, "say", said.append)
    monkeypatch.setattr(provenance, "versions", lambda: now | {"numpy": "99.0.0"})
    monkeypatch.setattr(provenance, "git_state", lambda: {"commit": "f00d" * 10, "changed": True})
    resume_run(Outputs(tmp_path / "run"), observer)
    notes = [line for line in said if line.startswith("note:")]
    assert len(notes) == 1
    assert "→ 99.0.0" in notes[0] and "commit beefbeefbeef → f00df00df00d" in notes[0]


def test_a_folder_of_an_older_version(tmp_path: Path) -> None:
    begin(SMALL, tmp_path / "run")
    old = '{"format": 1, "versions": {"ohmcarlo": "0.9.0"}, "config": {}}'
    (tmp_path / "run" / stored.MANIFEST).write_text(old)
    with pytest.raises(OhmcarloError, match=r"run format 1.*\(0\.9\.0\).*train again"):
        resume_run(Outputs(tmp_path / "run"), Silence())


# -- digests ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Old:
    number: int = 1


def test_a_digest_covers_every_field() -> None:
    new = make_dataclass("Old", [("number", int, 1), ("other", float, 0.5)], frozen=True)
    found = [digest_of(v) for v in (Old(), Old(2), new(), new(1, 0.25))]
    assert len(set(found)) == 4
    assert digest_of(Old()) == found[0]


def test_registers_count_with_their_tables() -> None:
    def registers(**calibration: Any) -> Any:
        geometry = Geometry(rows=32, pairs=8)
        return SamplerSettings().registers(
            geometry, 3, lambda g: 0.05 * g, Calibration(**calibration)
        )

    trim = np.zeros((32, 16), np.int16)
    other = trim.copy()
    other[7, 3] = 1
    found = {digest_of(registers(trim_offset=t)) for t in (None, trim, other)}
    assert len(found) == 3


def test_values_of_other_kinds_differ() -> None:
    values: list[Any] = [
        None, False, 0, "0", "", [], [[]], {}, [0], ["0"], np.zeros(1, np.int32), np.zeros(1),
        np.zeros(1, np.int64), np.zeros((1, 1), np.int64), np.zeros(2, np.int64), 1.0, -1.0, 2.0,
        10.0, 1e300, float("inf"), float("-inf"), float("nan"), {"a": 1}, {"b": 1}, ["ab"],
        ["a", "b"],
    ]  # fmt: skip
    assert len({digest_of(v) for v in values}) == len(values)
    with pytest.raises(TypeError, match="set"):
        digest_of({1})


def test_last_bits_of_floats() -> None:
    """They differ between processors, so that only an exact digest counts them."""
    x = np.array([0.1, -3.0, 1e-17])
    near = x * (1 + 1e-15) + [0, 0, 1e-17]
    assert digest_of(x) == digest_of(near)
    assert digest_of(x, exact=True) != digest_of(near, exact=True)
    assert digest_of(x) != digest_of(x * (1 + 1e-7))
    assert digest_of(1.0) == digest_of(1 - 1e-15) == digest_of(1 + 1e-15)


def test_an_encoder_counts_with_its_scale() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    found = {digest_of(Encoder.fit(x * factor, y)) for factor in (1, [1, 2])}
    assert len(found) == 2
