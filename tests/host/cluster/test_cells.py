"""Cells, their names, and the files of their results."""

from __future__ import annotations

import errno
import io
import json
import math
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cluster_cells
from ohmcarlo.cluster import sources
from ohmcarlo.cluster.cells import BROKEN, REFUSED, Cell, Failure, Outcome, function_of, name_of
from ohmcarlo.cluster.encoding import DAMAGE, DOCUMENT, pack, unpack
from ohmcarlo.cluster.engine import open_cluster
from ohmcarlo.cluster.store import CellStore
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.progress import Silence, observed_by

SQUARE = name_of(cluster_cells.square)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=8,
)


class Said(Silence):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def cells(numbers: range, **arguments: Any) -> list[Cell]:
    return [Cell(SQUARE, {"x": x, **arguments}) for x in numbers]


def computed(work: list[Cell], folder: Path, **options: Any) -> list[Outcome | Failure]:
    with open_cluster(workers=1) as cluster:
        return list(cluster.run(work, CellStore(folder), **options))


def failed_in(folder: Path) -> list[str]:
    """Messages of the failures that a folder holds."""
    return [json.loads(path.read_text())["message"] for path in folder.glob("*.failed")]


# -- cells and files -------------------------------------------------------------------------------


def test_a_digest_depends_on_function_arguments_and_sources_alone() -> None:
    one = Cell("m:f", {"a": 1, "b": [2.5, None]})
    assert one.digest("s") == Cell("m:f", {"b": [2.5, None], "a": 1}).digest("s")
    others = [Cell("m:g", one.arguments), Cell("m:f", {"a": 2, "b": [2.5, None]})]
    assert len({one.digest("s"), one.digest("t"), *(o.digest("s") for o in others)}) == 4


@pytest.mark.parametrize(
    "arguments", [{"a": (1, 2)}, {"a": np.int64(1)}, {"a": math.nan}, {1: 2}, {"a": {1, 2}}]
)
def test_arguments_are_json(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="m:f"):
        Cell("m:f", arguments)


@pytest.mark.parametrize("name", ["no_such_module:f", "json:no_such_function", "json"])
def test_a_function_that_does_not_exist_is_bad_use(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        function_of(Cell(name, {}).function)


@given(VALUES)
def test_what_is_packed_comes_back_with_its_types(value: Any) -> None:
    back = unpack(pack({"value": value}))["value"]
    assert back == value and repr(back) == repr(value)


def test_arrays_and_numbers_that_json_lacks_come_back() -> None:
    given = {
        "a": np.arange(6, dtype=np.int16).reshape(2, 3),
        "f": np.asfortranarray(np.eye(2)),
        "s": np.float32(0.5),
        "$a": [math.inf, (np.int64(3), np.bool_(True))],
        "z": np.array(7.0),
    }
    back = unpack(pack(given))
    for name in "afz":
        np.testing.assert_array_equal(back[name], given[name])
        assert back[name].dtype == given[name].dtype  # type: ignore[attr-defined]
    assert back["s"] == 0.5 and back["$a"] == [math.inf, (3, True)]
    assert math.isnan(unpack(pack({"n": math.nan}))["n"])
    assert pack(given) == pack(given)  # equal values are equal files


@pytest.mark.parametrize("value", [{1, 2}, np.array([object()]), Path("x"), lambda: 0])
def test_what_is_no_data_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be stored"):
        pack({"value": value})


class Malicious:
    """Makes a file if it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def malicious_files(mark: Path, digest: str) -> dict[str, bytes]:
    """Files of a foreign folder that make the file ``mark`` where they are unpickled."""
    evil = np.array([Malicious(mark)], dtype=object)
    plain, packed, inside = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(plain, evil, allow_pickle=True)
    np.savez(packed, values=evil)
    with zipfile.ZipFile(inside, "w") as archive:
        document = {"digest": digest, "seconds": 1.0, "values": {"a": {"$array": 0}}}
        archive.writestr(DOCUMENT, json.dumps(document))
        archive.writestr("0.npy", plain.getvalue())
    return {
        "pickle": pickle.dumps({"values": Malicious(mark)}),
        "npy": plain.getvalue(),
        "npz": packed.getvalue(),
        "cell": inside.getvalue(),
    }


@pytest.mark.parametrize("kind", ["pickle", "npy", "npz", "cell"])
def test_a_foreign_folder_executes_no_code(kind: str, tmp_path: Path) -> None:
    """The control: the same bytes execute code where pickle is allowed."""
    mark, folder = tmp_path / "executed", tmp_path / "cells"
    (cell,) = cells(range(3, 4))
    digest = cell.digest(sources.sources_digest())
    content = malicious_files(mark, digest)[kind]
    folder.mkdir()
    (folder / f"{digest}.cell").write_bytes(content)
    (folder / f"{digest}.failed").write_bytes(content)
    said = Said()
    with observed_by(said):
        (found,) = computed([cell], folder)
    assert isinstance(found, Outcome) and found.values["square"] == 9
    assert "damaged: the cell is computed again" in said.lines[0]
    assert not mark.exists()
    np.load(io.BytesIO(malicious_files(mark, digest)["npy"]), allow_pickle=True)
    assert mark.exists()


def test_sources_are_programs_and_their_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results depend on the constants of presets, tables and compact models, too."""
    monkeypatch.setattr(sources, "PACKAGE", tmp_path)
    digest = sources.sources_digest.__wrapped__
    for name in ("a.py", "b.json", "c.csv", "d.va", "notes.txt"):
        (tmp_path / name).write_text("1")
    before = digest()
    for name in ("a.py", "b.json", "c.csv", "d.va"):
        (tmp_path / name).write_text("2")
        assert before != (before := digest())
    (tmp_path / "notes.txt").write_text("2")
    assert digest() == before


def test_a_failure_is_that_of_the_cell_whatever_its_file_says(tmp_path: Path) -> None:
    """The file names function and arguments for people."""
    (cell,) = cells(range(1))
    content = {"digest": "a1", "message": "m", "kind": BROKEN, "details": "", "function": "none"}
    (tmp_path / "a1.failed").write_text(json.dumps(content))
    found = CellStore(tmp_path).failure(cell, "a1")
    assert found is not None and found.cell is cell and found.message == "m"
    assert CellStore(tmp_path).failure(cell, "a2") is None


@pytest.mark.parametrize("change", ["short", "flipped", "empty", "another"])
def test_a_damaged_file_is_computed_again(change: str, tmp_path: Path) -> None:
    (cell, other) = cells(range(3, 5))
    first = computed([cell, other], tmp_path)
    path = tmp_path / f"{first[0].digest}.cell"
    content = path.read_bytes()
    place = content.index(b"square")
    path.write_bytes(
        {
            "short": content[:-40],
            "flipped": content[:place] + b"S" + content[place + 1 :],
            "empty": b"",
            "another": (tmp_path / f"{first[1].digest}.cell").read_bytes(),
        }[change]
    )
    said = Said()
    with observed_by(said):
        (again,) = computed([cell], tmp_path)
    assert isinstance(again, Outcome) and again.values["square"] == 9
    assert said.lines == [f"{path} is damaged: the cell is computed again"]
    assert CellStore(tmp_path).read(again.digest) is not None


def test_no_changed_byte_changes_a_result() -> None:
    given = {"array": np.arange(5.0), "text": "abc", "number": 0.25}
    content, noticed = pack(given), 0
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 0x10
        try:
            found = unpack(bytes(changed))
        except DAMAGE:
            noticed += 1
        else:  # a byte that holds no part of the values, such as a date
            assert str(found) == str(given), place
    assert noticed > 0.5 * len(content)


@pytest.mark.parametrize("method", [8, 12, 14, 99])
def test_other_compression_is_damage_and_no_other_error(method: int) -> None:
    """The methods of ZIP in a foreign file: deflate, bzip2, LZMA and an unknown one."""
    packed = bytearray(pack({"text": "abc" * 20}))
    assert unpack(bytes(packed))  # the control
    for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        packed[packed.index(mark) + place] = method
    with pytest.raises(DAMAGE):
        unpack(bytes(packed))


@given(st.binary(max_size=200))
def test_any_bytes_are_damage_and_no_other_error(content: bytes) -> None:
    with pytest.raises(DAMAGE):
        unpack(content)


# -- in this process -------------------------------------------------------------------------------


def test_cells_are_computed_once_and_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process needs no Dask."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    log = tmp_path / "log"
    work = cells(range(4), log=str(log))
    first = computed([*work, work[0]], tmp_path / "cells")
    again = computed(work, tmp_path / "cells")
    assert log.read_text().split() == ["0", "1", "2", "3"]
    for found in (first, again):
        assert [f.values["square"] for f in found if isinstance(f, Outcome)] == [0, 1, 4, 9]


def test_failures_are_one_line_and_are_retried_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = [Cell(f"cluster_cells:{name}", {"x": 33}) for name in ("refuse", "break_down")]
    refused, broken = computed(work, tmp_path)
    assert isinstance(refused, Failure) and isinstance(broken, Failure)
    assert refused.message == "33 features do not fit into 32 pairs: use fewer"
    assert broken.message == "ZeroDivisionError: first line 33 second line"
    assert (refused.kind, broken.kind) == (REFUSED, BROKEN)
    assert "break_down" in broken.details and not refused.details
    monkeypatch.setattr(cluster_cells, "refuse", cluster_cells.square)
    stored = computed(work, tmp_path)
    assert [f.message for f in stored if isinstance(f, Failure)] == [
        refused.message,
        broken.message,
    ]
    assert sorted(failed_in(tmp_path)) == sorted([refused.message, broken.message])
    retried = computed(work, tmp_path, retry_failed=True)
    assert isinstance(retried[0], Outcome) and isinstance(retried[1], Failure)
    assert failed_in(tmp_path) == [broken.message]


def test_a_cell_that_the_user_stopped_has_not_failed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        computed([Cell("cluster_cells:stop", {"x": 1})], tmp_path)
    assert failed_in(tmp_path) == []


def test_a_result_that_is_no_data_is_a_failure(tmp_path: Path) -> None:
    (found,) = computed([Cell("cluster_cells:store_nothing", {"x": 1})], tmp_path)
    assert isinstance(found, Failure) and found.message == "TypeError: set cannot be stored"


def test_a_full_disk_ends_the_work_and_keeps_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, left = Path.write_bytes, [2]

    def full(self: Path, data: bytes) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    log, folder = tmp_path / "log", tmp_path / "cells"
    work = cells(range(4), log=str(log))
    with pytest.raises(OhmcarloError, match=r"No space left on device: free some space"):
        computed(work, folder)
    assert len(list(folder.iterdir())) == 2  # no partial file
    monkeypatch.setattr(Path, "write_bytes", write)
    assert len(computed(work, folder)) == 4
    assert log.read_text().split() == ["0", "1", "2", "2", "3"]


def test_wrong_requests() -> None:
    with pytest.raises(UsageError, match="leave out --workers"):
        open_cluster(scheduler="tcp://head:8786", workers=2)
    with pytest.raises(UsageError, match="choose 1 or more"):
        open_cluster(workers=0)
