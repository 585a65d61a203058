"""Files of the user in the cells of a sweep."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.cluster.work import compute
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.sweeps import files
from ohmcarlo.sweeps.description import read_description
from ohmcarlo.sweeps.planning import plan

TEXT = '[base]\ntask = "mine.csv"\narray = "physics"\nsteps = 40\nrows = 32\n'
PRESET = 'preset.name = "mine.json"\npreset.d2d_rel = 0.05\n'


def cell_of(folder: Path, seed: int = 0):
    """The cell of a sweep file beside a table and a preset."""
    from ohmcarlo.array import get_preset

    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(30, 2)) + np.arange(30)[:, None] % 2
    lines = [f"{a:.3f},{b:.3f},{i % 2}" for i, (a, b) in enumerate(x)]
    (folder / "mine.csv").write_text("\n".join(["a,b,class", *lines]))
    get_preset("rram-1t1r").save(folder / "mine.json")
    (folder / "study.toml").write_text(TEXT + PRESET)
    (cell,) = plan(read_description(folder / "study.toml")).cells
    assert not cell.problem
    return cell


def test_a_cell_is_the_same_in_another_folder(tmp_path):
    first, second = cell_of(tmp_path / "a" / "b"), cell_of(tmp_path / "c")
    other = cell_of(tmp_path / "d", seed=1)
    assert first.work.digest("s") == second.work.digest("s") != other.work.digest("s")


def test_a_cell_needs_no_common_file_system(tmp_path):
    """It is computed after its files are gone: they are part of its arguments."""
    cell = cell_of(tmp_path / "a")
    for name in ("mine.csv", "mine.json"):
        (tmp_path / "a" / name).unlink()
    reply = compute(cell.work.function, cell.work.canonical, "d", _sources())
    assert reply.packed, reply.message


def test_errors_name_files_and_keys_as_the_sweep_file_does(tmp_path):
    """Not the copy of the file on a worker, nor options of the command line."""
    cell = cell_of(tmp_path / "a")
    arguments = {**cell.work.arguments}
    arguments["config"] = {**arguments["config"], "label": "nope"}
    reply = compute(cell.work.function, json.dumps(arguments), "d", _sources())
    assert reply.message == (
        "mine.csv has no column 'nope': its columns are a, b, class; label takes one of them"
    )
    assert files.bare_names("/somewhere/else.csv") == "/somewhere/else.csv"


def _sources() -> str:
    from ohmcarlo.cluster.sources import sources_digest

    return sources_digest()


def test_a_large_file_is_read_where_the_cell_is_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "CARRIED", 100)
    cell = cell_of(tmp_path / "a")
    data = tmp_path / "a" / "mine.csv"
    assert compute(cell.work.function, cell.work.canonical, "d", _sources()).packed
    data.write_text(data.read_text().replace("1\n", "0\n", 1))
    reply = compute(cell.work.function, cell.work.canonical, "d", _sources())
    assert not reply.packed and "has other content than when the sweep began" in reply.message
    data.unlink()
    reply = compute(cell.work.function, cell.work.canonical, "d", _sources())
    assert not reply.packed and "make the data file readable where the workers run" in reply.message
    assert "\n" not in reply.message


def test_a_damaged_content_is_refused(tmp_path):
    cell = cell_of(tmp_path / "a")
    (entry, *_) = cell.work.arguments["files"].values()
    with pytest.raises(OhmcarloError, match="damaged"):
        files._written(entry["name"], "0" * 64, entry["content"])
    with pytest.raises(OhmcarloError, match="is not the bare name of a file"):
        files._written("../outside.csv", entry["sha256"], entry["content"])


def test_a_temporary_file_that_was_removed_is_written_again(tmp_path):
    """A worker may run for longer than its system keeps temporary files. The control: a file that
    is there is not written again."""
    (entry, *_) = cell_of(tmp_path / "a").work.arguments["files"].values()
    given = entry["name"], entry["sha256"], entry["content"]
    path = files._written(*given)
    before = path.stat().st_ino, path.read_bytes()
    assert (files._written(*given).stat().st_ino, path.read_bytes()) == before
    shutil.rmtree(path.parent)
    assert files._written(*given).read_bytes() == before[1]
