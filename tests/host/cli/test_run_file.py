"""Settings of a run in a file: a manifest and its TOML repeat the run; bad files are one line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.cli import app as cli
from ohmcarlo.cli import run_file
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.config_reading import RunFile, read_run_file
from ohmcarlo.runs.config_writing import config_text, meanings_of_settings
from ohmcarlo.runs.defaults import complete
from ohmcarlo.tasks import get_task

SMALL = ["--rows", "64", "--pairs", "8", "--chains", "2", "--steps", "120", "--no-whiten"]
NOTHING = {f.name: None for f in fields(TrainConfig)} | {
    "backend": "model", "array": "emulator", "kernel": "corrected", "seed": 0, "early_reject": True,
    "trim": True, "repeats": 1, "drop": (),
}  # fmt: skip
"""The options of ``train`` when none is typed."""
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(a) for a in arguments])
        return code, *capfd.readouterr()

    return run


def through_toml(config: TrainConfig, folder: Path, **typed: object) -> TrainConfig:
    """The configuration that a run has when its file is written and read again."""
    path = folder / "run.toml"
    path.write_text(config_text(config), encoding="utf-8")
    file = read_run_file(path)
    values = run_file.merged(file, NOTHING | typed, set(typed))
    return run_file.completed_run(file, values).config


def chosen(task: str, paper: bool = False, **options: object) -> TrainConfig:
    """The configuration that the command line makes of some options."""
    known = {name: value for name, value in NOTHING.items() if name != "task"}
    return complete(get_task(task), known | options, paper).config


MADE = {
    "adapting": chosen("breast-cancer"),
    "paper": chosen("breast-cancer", paper=True),
    "network": chosen("breast-cancer", hidden=4),
    "network of the paper": chosen("breast-cancer", paper=True, hidden=4),
    "whitened": chosen("ecg", whiten=True, rho=0.7),
    "several classes": chosen("iris"),
    "numbers": chosen("diabetes"),
    "policy": chosen("cartpole"),
    "widths": chosen("breast-cancer", sigma_p={"*": 0.5, "mean radius": 0.1 + 0.2}),
    "chosen width": replace(
        chosen("toy2d", sigma_p=0.5),
        sigma_p_choice={"sigma_p": 0.5, "candidates": [{"sigma_p": 0.5, "elpd": -1.5, "k": None}]},
    ),
    "one problem": replace(
        chosen("iris"), kind="supervised", multi_class="stick-breaking", problem=1
    ),
    "made in Python": TrainConfig("ecg", hidden=3, access_bits=4, gamma=31.4159265358979),
}


@pytest.mark.parametrize("name", MADE)
def test_a_written_file_is_the_same_configuration(name: str, tmp_path: Path) -> None:
    config = MADE[name]
    found = through_toml(config, tmp_path)
    if config.sigma_p_choice is not None:  # TOML has no null
        assert found.sigma_p_choice == {
            "sigma_p": 0.5, "candidates": [{"sigma_p": 0.5, "elpd": -1.5}]
        }  # fmt: skip
        found = replace(found, sigma_p_choice=config.sigma_p_choice)
    assert found == config


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run ``a`` of the file ``own.csv``."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    lines = [f"{v:.3f},{w:.3f},{int(v > w)}" for v, w in rng.normal(size=(60, 2))]
    (folder / "own.csv").write_text("\n".join(["f0,f1,label", *lines]))
    options = [*SMALL, "--seed", "5", "--out", str(folder / "a")]
    assert cli.main(["train", str(folder / "own.csv"), *options]) == 0
    return folder


def test_the_traces_of_a_run_its_manifest_and_its_toml_are_equal(call: Call, own: Path) -> None:
    a, b, c = (own / name for name in "abc")
    toml = own / "run.toml"
    assert call("train", "--config", a / "manifest.json", "--out", b)[0] == 0
    code, out, err = call("train", "--config", a, "--write-config", toml)
    assert (code, out) == (0, "") and str(toml) in err
    assert call("train", "--config", toml, "--out", c)[0] == 0
    configs = [json.loads((run / "manifest.json").read_text())["config"] for run in (a, b, c)]
    assert configs[0] == configs[1] == configs[2]
    traces = [dict(np.load(run / "trace.npz")) for run in (a, b, c)]
    for name, array in traces[0].items():
        assert np.array_equal(array, traces[1][name]), name
        assert np.array_equal(array, traces[2][name]), name


def test_an_option_replaces_an_entry_and_this_is_said(call: Call, own: Path) -> None:
    code, out, err = call("train", "--config", own / "a", "--seed", 6, "--write-config", "-")
    assert code == 0 and "the command line replaces seed = 6 (file: 5)" in err
    assert tomllib.loads(out)["seed"] == 6 and tomllib.loads(out)["steps"] == 120
    again = call("train", "--config", own / "a", "--seed", 5, "--write-config", "-")
    assert again[0] == 0 and again[2] == ""


def test_a_short_file_takes_the_defaults_of_the_task(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('task = "breast-cancer"\nseed = 7\nhidden = 2\n')
    file = read_run_file(path)
    values = run_file.merged(file, NOTHING, ())
    assert run_file.completed_run(file, values).config == chosen("breast-cancer", seed=7, hidden=2)


@pytest.mark.parametrize(
    "typed", [{"hidden": 2}, {"whiten": False}, {"kernel": "published"}, {"task": "iris"}]
)
def test_an_option_that_changes_the_model_chooses_again_what_follows(
    typed: dict[str, object], tmp_path: Path
) -> None:
    """A file of an adapting run with an option is not an adapting run of another model."""
    config = through_toml(chosen("toy2d", steps=500), tmp_path, **typed)
    wanted = chosen(str(typed.get("task", "toy2d")), steps=500, chains=4, **{
        k: v for k, v in typed.items() if k != "task"
    })  # fmt: skip
    assert config == wanted


def test_a_typed_number_of_steps_is_kept(tmp_path: Path) -> None:
    config = chosen("toy2d")
    assert config.more_steps
    assert not through_toml(config, tmp_path, steps=77).more_steps


def test_the_scores_of_a_prior_are_those_of_the_same_run(tmp_path: Path) -> None:
    config = MADE["chosen width"]
    assert through_toml(config, tmp_path, backend="rtl").sigma_p_choice is not None
    changed = through_toml(config, tmp_path, seed=4)
    assert changed.sigma_p_choice is None and changed.sigma_p == 0.5


def test_every_key_has_a_meaning_and_a_type() -> None:
    text = config_text(TrainConfig("toy2d"))
    meanings = meanings_of_settings()
    for field in fields(TrainConfig):
        assert meanings[field.name], field.name
        assert f"\n{field.name} = " in text or f"\n# {field.name} is not set\n" in text
    assert tomllib.loads(text)["steps"] == 2000
    assert "None" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('task = "toy2d"\n\nstesp = 5\n', ["line 3", "'stesp'", "did you mean steps"]),
        ('task = "toy2d"\nsteps = "many"\n', ["line 2", 'steps = "many"', "a whole number"]),
        ('task = "toy2d"\nsteps = 1.5\n', ["line 2", "1.5", "a whole number"]),
        ('task = "toy2d"\nsteps = true\n', ["line 2", "a whole number"]),
        ("task = 7\n", ["line 1", "text in quotes"]),
        ('task = "toy2d"\nwhiten = 1\n', ["line 2", "true or false"]),
        ('task = "toy2d"\nrho = "0.5"\n', ["line 2", "a number"]),
        ('task = "x.csv"\ndrop = "id"\n', ["line 2", "a list of strings"]),
        ('task = "x.csv"\n[sigma_p]\nage = "wide"\n', ["line 2", "table of numbers"]),
        ('task = "toy2d"\nkind = "classes"\n', ["line 2", "supervised, multiclass"]),
        ('task = "toy2d"\nkind = "regression"\n', ["line 2: kind = regression", "remove the line"]),
        ('task = "toy2d"\nsteps = 0\n', ["line 2: steps = 0", "choose 1"]),
        ('task = "toy2d"\nkernel = "corected"\n', ["line 2: kernel 'corected'", "corrected or"]),
        ('task = "toyd"\n', ["line 1: task 'toyd'", "did you mean toy2d"]),
        ("task = toy2d\n", ["line 1", "not TOML", "text in quotes"]),
        ("steps = 5\n", ["no task", 'task = "NAME"']),
        ('[config]\ntask = "toy2d"\n', ["line 1", "'config'", "unknown"]),
        ('{"task": "toy2d",\n "stesp": 1}', ["line 2", "did you mean steps"]),
        ('{"task": ', ["not JSON"]),
        ('{"format": 2, "config": {}}', ["manifest outside its run", "--write-config"]),
        ("[" * 5000, ["run.toml"]),
    ],
)
def test_a_bad_file_is_one_line(call: Call, text: str, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    code, out, err = call("train", "--config", path)
    assert (code, out, len(err.splitlines())) == (cli.BAD_USE, "", 1), err
    for word in words:
        assert word in err


def test_files_that_cannot_be_read_are_one_line(call: Call, tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'task = "\xff"\n')
    (tmp_path / "empty").mkdir()
    for name, word in (("latin.toml", "UTF-8"), ("none.toml", "No such file"), ("empty", "no run")):
        code, _, err = call("train", "--config", tmp_path / name)
        assert code == cli.BAD_USE and len(err.splitlines()) == 1 and word in err, err


def test_a_changed_file_is_said_and_an_edited_manifest_is_refused(call: Call, own: Path) -> None:
    data, manifest = own / "own.csv", own / "a" / "manifest.json"
    data.write_text(data.read_text() + "\n0.5,0.25,1\n")
    code, _, err = call("train", "--config", own / "a", "--write-config", own / "x.toml")
    assert code == 0 and "note: the data file" in err and "has changed" in err
    manifest.write_text(manifest.read_text().replace('"steps": 120', '"steps": 121'))
    code, _, err = call("train", "--config", own / "a")
    assert code == cli.FAILED and len(err.splitlines()) == 1 and "SHA-256" in err


def test_a_run_file_states_whether_it_is_complete() -> None:
    assert not RunFile(Path("a"), {"task": "toy2d"}).complete
    assert RunFile(Path("a"), TrainConfig("toy2d").to_dict()).complete
