"""The verb ``sweep``: what it computes, keeps, refuses and repeats."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.cli import app as cli
from ohmcarlo.cli import sweeping
from ohmcarlo.runs.folder import take_lock
from ohmcarlo.runs.train import train
from ohmcarlo.sweeps.cell import kept_steps
from ohmcarlo.sweeps.description import read_description
from ohmcarlo.sweeps.planning import completed, plan

FILE = """\
seeds = 2
draws = 20

[base]
task = "toy2d"
rows = 64
chains = 2
steps = 60
whiten = true
rho = 0.8

[one_at_a_time]
preset.c2c_rel = [0.05, 0.04]
"""
WIDE = '\n[[cell]]\ntask = "breast-cancer"\nfeatures = 30\npairs = 32\nseeds = [0]\n'
"""31 inputs do not fit into 28 pairs. Only the data show how many there are."""
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Call:
    """Run the verb in this process and in an empty folder: exit code and both streams."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main(["sweep", "study.toml", "--workers", "1", *map(str, arguments)])
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take most of the time of a sweep of so few cells."""
    monkeypatch.setattr(sweeping, "_draw", lambda *_: None)


def states(folder: Path) -> dict[str, int]:
    """When each cell was written, by the name of its file."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "cells").glob("*.cell")}


def rows(folder: Path) -> list[dict]:
    import pyarrow.parquet as pq

    return pq.read_table(folder / "table.parquet").to_pylist()


@pytest.mark.usefixtures("no_pictures")
def test_a_sweep_is_computed_once_and_only_its_new_cells_later(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(FILE)
    assert call()[0] == 0
    first = states(tmp_path / "study")
    assert len(first) == len(rows(tmp_path / "study")) == 4
    assert call()[0] == 0
    assert states(tmp_path / "study") == first
    file.write_text(FILE.replace("0.04]", "0.03]") + WIDE)
    code, out, _ = call("--json", "summary.json")
    second = states(tmp_path / "study")
    assert len(second) == 6 and second.items() >= first.items()
    found = rows(tmp_path / "study")
    assert sorted(row["preset.c2c_rel"] for row in found) == [0.03, 0.03, 0.05, 0.05, 0.05]
    # the cell that cannot work is one line, and the rest is done
    assert code == 1
    assert [row["status"] for row in found].count("finished") == 4
    assert "31 inputs" in out and "28 inputs" in out
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["cells"] == {"total": 5, "finished": 4, "failed": 1, "missing": 0}
    assert "31 inputs" in summary["failures"][0]["message"]
    # it is tried again on demand only
    failed = next((tmp_path / "study" / "cells").glob("*.failed"))
    before = failed.stat().st_mtime_ns
    assert call()[0] == 1 and failed.stat().st_mtime_ns == before
    assert call("--retry-failed")[0] == 1 and failed.stat().st_mtime_ns > before


def test_a_cell_is_the_run_that_train_makes(call: Call, tmp_path: Path) -> None:
    """Bit for bit: the draws are steps of the chain of `ohmcarlo train` with the same settings, and
    the numbers those of its result. The control is another seed."""
    (tmp_path / "study.toml").write_text(FILE)
    assert call()[0] == 0
    options = ["--rows", "64", "--chains", "2", "--steps", "60", "--whiten", "--rho", "0.8"]
    options += ["--preset", "relative-5pct,c2c_rel=0.04", "--seed", "1"]
    outputs = ["--json", "run.json", "--trace", "run.npz"]
    assert cli.main(["train", "toy2d", *options, *outputs]) == 0
    values = json.loads((tmp_path / "run.json").read_text())
    row = rows(tmp_path / "study")[3]
    assert (row["preset.c2c_rel"], row["seed"]) == (0.04, 1)
    for name, there in (("accuracy", "accuracy"), ("ess_bulk", "ess_min"), ("rhat", "rhat_max")):
        assert row[name] == values[there]
    assert row["energy_joules"] == values["energy_joules"]

    import xarray

    cell = plan(read_description(tmp_path / "study.toml")).cells[3]
    chain = train(cell.config)
    with np.load(tmp_path / "run.npz") as trace:
        assert (trace["codes"] == chain.trace.codes).all()
    with xarray.open_dataset(tmp_path / "study" / "posteriors.nc", group="posterior") as found:
        kept = kept_steps(60, chain.burn_in, 20)
        stored = found["w"].sel(cell=row["digest"]).to_numpy()
        other = found["w"].sel(cell=rows(tmp_path / "study")[2]["digest"]).to_numpy()
        assert list(found["weight"].to_numpy()) == ["x1", "x2", "bias"]
        assert found["preset.c2c_rel"].to_numpy().tolist() == [0.05, 0.05, 0.04, 0.04]
    assert (stored == chain.draws[:, kept]).all()
    assert (other != chain.draws[:, kept]).any()
    assert [path.name for path in (tmp_path / "study" / "pictures").iterdir()] == ["c2c-rel.png"]


@pytest.mark.parametrize("task", ["breast-cancer", "cartpole", "wine"])
def test_a_setting_that_is_left_out_is_that_of_train(task: str, tmp_path: Path) -> None:
    path = tmp_path / "train.toml"
    assert cli.main(["train", task, "--write-config", str(path)]) == 0
    wanted = tomllib.loads(path.read_text())
    found = json.loads(json.dumps(completed({"task": task}).to_dict()))
    assert {name: found[name] for name in wanted} == wanted and wanted["steps"] != 2000


def test_a_dry_run_writes_nothing(call: Call, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(FILE)
    code, out, _ = call("--dry-run", "--json", "-")
    found = json.loads(out)
    assert code == 0
    assert found["cells"] == {"total": 4, "finished": 0, "failed": 0, "remaining": 4}
    assert 0 < found["cpu_seconds"] < 60 and found["bytes"] > 4 * 2 * 20 * 3 * 4
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_a_sweep_without_a_possible_cell_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(FILE.replace("toy2d", "toy3d"))
    code, out, err = call()
    assert code == 2 and not out
    assert "study.toml: no cell can be computed: task 'toy3d' is unknown" in err
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_results_are_written_names_the_command_that_goes_on(
    times: int, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once when all cells are finished; or in a cell, and again while its table is written."""
    (tmp_path / "study.toml").write_text(FILE)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ohmcarlo.sweeps.results.write_table", interrupted)
        if times == 2:
            patched.setattr("ohmcarlo.cluster.base.Cluster.run", interrupted)
        code, _, err = call()
    assert code == 130
    assert err.splitlines()[-1] == (
        "ohmcarlo: interrupted; finished cells are kept: `ohmcarlo sweep study.toml --workers 1` "
        "continues the work"
    )
    before = states(tmp_path / "study")
    assert len(before) == (4 if times == 1 else 0)
    assert call()[0] == 0
    assert states(tmp_path / "study").items() >= before.items()


def test_an_absent_scheduler_leaves_nothing(call: Call, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(FILE)
    arguments = ["study.toml", "--scheduler", "tcp://127.0.0.1:1"]
    assert cli.main(["sweep", *arguments]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


KINDS = """\
draws = 5
[base]
task = "toy2d"
steps = 40
[[cell]]
task = "iris"
[[cell]]
task = "numbers.csv"
[[cell]]
task = "letters.csv"
[[cell]]
hidden = 2
[[cell]]
task = "cartpole"
steps = 10
[[cell]]
array = "physics"
"""


@pytest.mark.verify
@pytest.mark.parametrize("workers", ["1", "2"])
def test_cells_of_every_kind_are_computed(workers: str, tmp_path: Path, call: Call) -> None:
    """In this process and on workers: several classes, numbers, a network, a policy, physics."""
    x = np.random.default_rng(0).normal(size=(90, 3))
    for name, labels in (("numbers", 3 * x[:, 0] + x[:, 1]), ("letters", x.argmax(axis=1))):
        lines = [
            f"{a:.3f},{b:.3f},{c:.3f},{label:.4f}" if name == "numbers"
            else f"{a:.3f},{b:.3f},{c:.3f},{'xyz'[label]}"
            for (a, b, c), label in zip(x, labels, strict=True)
        ]  # fmt: skip
        (tmp_path / f"{name}.csv").write_text("\n".join(["a,b,c,label", *lines]))
    (tmp_path / "study.toml").write_text(KINDS)
    assert cli.main(["sweep", "study.toml", "--workers", workers]) == 0
    found = {(row["task"], row["array"]): row for row in rows(tmp_path / "study")}
    assert all(row["status"] == "finished" for row in found.values())
    assert found["numbers.csv", "emulator"]["rmse"] > 0
    assert found["letters.csv", "emulator"]["accuracy"] > 0.4
    assert found["cartpole", "emulator"]["mean_return"] > 0


def test_a_folder_of_something_else_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(FILE)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "letters.txt").write_text("")
    code, _, err = call()
    assert code == 2 and "is not empty and holds no sweep" in err
    (tmp_path / "other").mkdir()
    note = {"format": 1, "file": "other.toml"}
    (tmp_path / "other" / "sweep.json").write_text(json.dumps(note))
    code, _, err = call("--out", "other")
    assert code == 2 and "holds the sweep of other.toml, not of study.toml" in err
    note = {"format": 0, "file": "study.toml"}
    (tmp_path / "other" / "sweep.json").write_text(json.dumps(note))
    code, _, err = call("--out", "other")
    assert code == 2 and "was not written by this version of ohmcarlo" in err
    (tmp_path / "mine").mkdir()
    assert take_lock(tmp_path / "mine") is not None
    code, _, err = call("--out", "mine")
    assert code == 1 and "another process is working in mine" in err


def test_a_folder_that_cannot_be_used_is_left_unlocked(call: Call, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(FILE)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "cells").symlink_to(tmp_path / "nowhere")
    code, _, err = call()
    assert code == 1 and "choose another --out" in err
    assert take_lock(tmp_path / "study") is not None
