"""Data sets: the published counts, and every kind of invalid file."""

from __future__ import annotations

import errno
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.datasets import load, load_csv, split_half
from ohmcarlo.datasets.csvfile import as_csv
from ohmcarlo.datasets.fetch import DATA_VARIABLE, SOURCES, cache_folder, fetch, find
from ohmcarlo.datasets.label_column import known_classes, labels_of_run
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.runs.predictions import open_points
from ohmcarlo.tables import read_table
from ohmcarlo.tasks import POLICY, TASKS, get_task

# -- known by name -----------------------------------------------------------------------------


def test_wdbc() -> None:
    """Counts as UCI publishes them: 569 × 30, 212 malignant, 357 benign."""
    data = load("breast-cancer")
    assert data.x.shape == (569, 30) and data.x.dtype == np.float64
    assert data.class_names == ("benign", "malignant")
    assert np.bincount(data.y).tolist() == [357, 212]
    # wdbc.data: the first case, 842302, is M with a mean radius of 17.99
    assert data.y[0] == 1 and data.x[0, 0] == 17.99
    assert len(data.feature_names) == 30 and data.feature_names[0] == "mean radius"
    assert len(data) == 569


@pytest.mark.data("breast-cancer-original")
def test_wbc_original() -> None:
    """breast-cancer-wisconsin.names: 699 rows, 16 with bare nuclei missing; of the complete 683,
    444 are benign and 239 malignant; the first row is 1000025,5,1,1,1,2,1,3,1,1,2."""
    data = load("breast-cancer-original")
    assert data.x.shape == (683, 9)
    assert np.bincount(data.y).tolist() == [444, 239]
    assert data.x.min() == 1 and data.x.max() == 10
    assert data.feature_names[5] == "bare nuclei"
    assert data.x[0].tolist() == [5, 1, 1, 1, 2, 1, 3, 1, 1] and data.y[0] == 0


def test_toy2d_is_balanced_overlapping_and_has_a_gap() -> None:
    data, again = load("toy2d"), load("toy2d")
    assert data.x.shape == (200, 2) and np.bincount(data.y).tolist() == [100, 100]
    assert np.array_equal(data.x, again.x)
    along = data.x @ [0.8, -0.6]
    assert np.abs(along).min() > 0.7, "the middle is empty"
    across = data.x @ [0.6, 0.8]
    assert 0.75 < ((across > 0) == (data.y == 1)).mean() < 0.95


def test_unknown_name_is_guessed() -> None:
    with pytest.raises(UsageError, match="did you mean breast-cancer"):
        load("brest-cancer")


def test_halves() -> None:
    """Each half has equal shares of the classes. An odd number makes the held-out half larger."""
    y = load("breast-cancer").y
    train, test = split_half(y, 0)
    assert len(train) == 284 and len(test) == 285
    assert np.array_equal(np.sort(np.r_[train, test]), np.arange(569))
    assert np.bincount(y[train]).tolist() == [178, 106]
    assert (np.diff(train) > 0).all()
    assert not np.array_equal(train, split_half(y, 1)[0])
    with pytest.raises(UsageError, match="at least two points"):
        split_half(np.array([0, 0, 0, 1]), 0)


# -- CSV files ---------------------------------------------------------------------------------

GOOD = [f"{i},{(7 * i) % 5},{'sick' if i % 3 == 0 else 'healthy'}" for i in range(12)]


def write(folder: Path, lines: list[str], name: str = "d.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_good_file(tmp_path: Path) -> None:
    data = load(str(write(tmp_path, ["a, b ,what", *GOOD, "", "  "])))
    assert data.name == "d"
    assert data.feature_names == ("a", "b")
    assert data.class_names == ("healthy", "sick")
    assert data.x[:3].tolist() == [[0, 0], [1, 2], [2, 4]]
    assert data.y[:4].tolist() == [1, 0, 0, 1]


def test_blanks_quotes_bom_and_windows_lines(tmp_path: Path) -> None:
    body = '"a","b, c",label\r\n' + "".join(f' {i}.5 ,"{i * i}", {i % 2}\r\n' for i in range(8))
    path = tmp_path / "d.csv"
    path.write_bytes(b"\xef\xbb\xbf" + body.encode())
    data = load(path)
    assert data.feature_names == ("a", "b, c")
    assert data.x[3].tolist() == [3.5, 9.0]
    assert data.class_names == ("0", "1")


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (("0", "1"), ("0", "1")),
        (("1", "-1"), ("-1", "1")),
        (("10", "9"), ("9", "10")),  # by value, not as text
        (("yes", "no"), ("no", "yes")),
        (("M", "B"), ("B", "M")),
        (("positive", "negative"), ("negative", "positive")),
        (("1", "0.0"), ("0.0", "1")),
        (("2", "b"), ("2", "b")),
    ],
)
def test_which_class_is_positive(
    cells: tuple[str, str], classes: tuple[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path, ["a,b", *(f"{i},{cells[i % 2]}" for i in range(8))])
    data = load_csv(path)
    assert data.class_names == classes
    assert data.y[0] == classes.index(cells[0])


@pytest.mark.parametrize(
    ("header", "label"),
    [
        ("label,b,c", "label"),
        ("a,Class,c", "Class"),
        ("TARGET,b,z", "TARGET"),
        ("a,Diagnosis,z", "Diagnosis"),
        ("y,b,c", "y"),
        ("a,b,c", "c"),
    ],
)
def test_which_column_is_the_label(header: str, label: str, tmp_path: Path) -> None:
    path = write(tmp_path, [header, *(f"{i % 2},{i // 2 % 2},{i // 4 % 2}" for i in range(16))])
    data = load(path)
    assert data.feature_names == tuple(n for n in header.split(",") if n != label)
    assert label in data.description
    assert load(path, label=header.split(",")[1]).feature_names == tuple(header.split(",")[::2])


def changed(line: int, text: str) -> list[str]:
    """The good file with one line (as in the message, from 1) replaced."""
    lines = ["a,b,label", *GOOD]
    lines[line - 1] = text
    return lines


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        pytest.param([], ["is empty", "header"], id="empty"),
        pytest.param(["", "  ", ",,"], ["is empty"], id="blank lines only"),
        pytest.param(["a,b,label"], ["no data"], id="header only"),
        pytest.param(changed(4, "1,2"), ["line 4", "2 columns", "3"], id="short row"),
        pytest.param(changed(4, "1,2,3,sick"), ["line 4", "4 columns"], id="long row"),
        pytest.param(changed(4, "1,wet,sick"), ["line 4", "column 2", "(b)", "'wet'"], id="text"),
        pytest.param(changed(4, "1_0,2,sick"), ["line 4", "'1_0'", "number"], id="underscore"),
        pytest.param(changed(4, "0x1,2,sick"), ["'0x1'"], id="hexadecimal"),
        pytest.param(
            changed(4, '"1,5",2.5,sick'),
            ["line 4", "'1,5' has a decimal comma; write it with a point"],
            id="decimal comma and point",
        ),
        pytest.param(changed(4, "1,NaN,sick"), ["line 4", "(b)", "'NaN'", "fill"], id="nan"),
        pytest.param(changed(4, "1,?,sick"), ["line 4", "'?'", "remove the line"], id="mark"),
        pytest.param(changed(4, "1,,sick"), ["line 4", "(b)", "no value"], id="empty cell"),
        pytest.param(changed(4, "1,inf,sick"), ["line 4", "finite"], id="inf"),
        pytest.param(changed(4, "1,-1e300,sick"), ["line 4", "size"], id="huge"),
        pytest.param(changed(4, "1,2,"), ["line 4", "(label)", "no label"], id="no label"),
        pytest.param(changed(4, "1,2,dead"), ["1 of class 'dead'", "2 of each"], id="third class"),
        pytest.param(
            ["a,b,label", *(f"{i},{i * i},sick" for i in range(12))],
            ["label column 'label'", "'sick'", "two classes"],
            id="one class",
        ),
        pytest.param(["a,a,label", *GOOD], ["line 1", "column 2", "'a'"], id="same name twice"),
        pytest.param(["a,,label", *GOOD], ["line 1", "column 2", "no name"], id="nameless"),
        pytest.param(GOOD, ["line 1", "'0'", "names"], id="no header"),
        pytest.param(["label", *("01" * 8)], ["one column"], id="no features"),
        pytest.param(["a,b,label", *GOOD[:6]], ["too few rows", "8"], id="too few rows"),
        pytest.param(
            ["a,label", *(f"{i},{int(i == 3)}" for i in range(20))],
            ["too few rows", "2 of each"],
            id="too few of a class",
        ),
        pytest.param(
            ["a,label", *(f"5,{i % 2}" for i in range(20))],
            ["nothing to learn"],
            id="constant features only",
        ),
        pytest.param(changed(4, '1,"2,sick'), ["line", "quotes"], id="open quote"),
    ],
)
def test_what_is_refused(lines: list[str], words: list[str], tmp_path: Path) -> None:
    path = write(tmp_path, lines)
    with pytest.raises(UsageError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "content", [b"a,label\n1,0\x00\n", bytes(range(256)) * 9], ids=["zero byte", "binary"]
)
def test_no_text(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"not a text file.*: save the table as CSV in UTF-8"):
        load(path)


def test_exported_points_are_read_again(tmp_path: Path) -> None:
    data = load("breast-cancer")
    renamed = replace(data, feature_names=("a, b", *data.feature_names[1:]))
    _, rows = data.split(0)
    path = tmp_path / "d.csv"
    path.write_bytes(as_csv(renamed, rows))
    again = load(path)
    assert again.feature_names == renamed.feature_names
    assert again.class_names == data.class_names
    assert np.array_equal(again.x, data.x[rows]) and np.array_equal(again.y, data.y[rows])


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*none\.csv: No such file"):
        load(tmp_path / "none.csv")
    with pytest.raises(UsageError, match=r"cannot read .*: Is a directory"):
        load(tmp_path)
    with pytest.raises(UsageError, match="has no column 'nothing': its columns are a, b, label"):
        load(write(tmp_path, ["a,b,label", *GOOD]), label="nothing")


def test_a_constant_feature_is_announced(tmp_path: Path) -> None:
    path = write(tmp_path, ["a,b,same,label", *(f"{i},{-i},5,{i % 2}" for i in range(10))])
    with pytest.warns(UserWarning, match="left out, the same in every row: same"):
        data = load(path)
    assert data.feature_names == ("a", "b", "same"), "predict still finds the columns of the file"


# -- files that cannot ship --------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hide all data of this machine: empty folders for OHMCARLO_DATA and for the cache."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    monkeypatch.setattr("ohmcarlo.datasets.fetch.cache_folder", lambda: tmp_path / "cache")
    return tmp_path


def download(monkeypatch: pytest.MonkeyPatch, content: bytes | Exception) -> list[str]:
    """Make every download return ``content``; returns the requested addresses."""
    import pooch

    asked = []

    def give(self: object, url: str, output_file: str, *_: object, **__: object) -> None:
        asked.append(url)
        if isinstance(content, Exception):
            raise content
        Path(output_file).write_bytes(content)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", give)
    return asked


def test_not_here(nowhere: Path) -> None:
    with pytest.raises(UsageError, match="ohmcarlo data fetch breast-cancer-original"):
        load("breast-cancer-original")


def test_offline(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    download(monkeypatch, requests.ConnectionError("no route"))
    with pytest.raises(OhmcarloError, match=f"cannot download .*{DATA_VARIABLE}") as caught:
        fetch("breast-cancer-original")
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)


def test_wrong_file_downloaded(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    download(monkeypatch, b"<html>moved</html>")
    with pytest.raises(OhmcarloError, match="is not the published file"):
        fetch("breast-cancer-original")
    assert not [p for p in nowhere.rglob("*") if p.is_file()], "nothing is left behind"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left"),
        (PermissionError("no right to write"), "permission denied"),
    ],
)
def test_cache_cannot_be_written(
    error: OSError, words: str, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download(monkeypatch, error)
    with pytest.raises(OhmcarloError, match=f"cannot write .*{words}"):
        fetch("breast-cancer-original")


def test_a_file_where_the_cache_should_be(nowhere: Path) -> None:
    (nowhere / "cache").write_text("")
    with pytest.raises(OhmcarloError, match="cannot write"):
        fetch("breast-cancer-original")


def test_damaged_file_is_not_used(nowhere: Path) -> None:
    file = nowhere / "data" / "wbc-original" / "breast-cancer-wisconsin.data"
    file.parent.mkdir(parents=True)
    file.write_text("1,2,3")
    with pytest.raises(OhmcarloError, match="not the published file"):
        find("breast-cancer-original")


def test_fetched_once(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest of "abc" is the example of FIPS 180-2, B.1."""
    content = b"abc"
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    source = replace(SOURCES["rram-set-sweep"], digests={"s": digest})
    monkeypatch.setitem(SOURCES, "rram-set-sweep", source)
    asked = download(monkeypatch, content)
    path = fetch("rram-set-sweep")
    assert path.read_bytes() == content
    assert fetch("rram-set-sweep") == find("rram-set-sweep") == path
    assert asked == [source.url + "s"]


def test_unknown_data() -> None:
    with pytest.raises(UsageError, match="did you mean mitdb"):
        fetch("mitbd")


def test_mitdb_is_listed_completely() -> None:
    """48 records of three files each."""
    digests = SOURCES["mitdb"].digests
    assert len(digests) == 144
    assert len({name.split(".")[0] for name in digests}) == 48
    assert all(len(bytes.fromhex(d)) == 32 for d in digests.values())


def wanting(name: str, data: str) -> Any:
    """A case ``name`` that needs the data set ``data``, if that data set cannot ship."""
    return pytest.param(name, marks=[pytest.mark.data(data)] if data in SOURCES else [])


@pytest.mark.parametrize("name", [wanting(name, name) for name in SOURCES])
def test_data_of_this_machine(name: str) -> None:
    named = os.environ.get(DATA_VARIABLE)
    source = SOURCES[name]
    assert find(name) in [source.path(Path(b)) for b in (named, cache_folder()) if b is not None]


# -- tasks -------------------------------------------------------------------------------------


DATA_OF = {"ecg": "mitdb", "ecg-aami": "mitdb"}


@pytest.mark.parametrize("name", [wanting(name, DATA_OF.get(name, name)) for name in TASKS])
def test_tasks_describe_their_data(name: str) -> None:
    task = get_task(name)
    assert task.name == name and task.description
    if task.kind == POLICY:
        return  # there are no data
    if name in ("ecg", "ecg-aami"):
        pytest.importorskip("wfdb", reason="wfdb is not installed (ohmcarlo[reproduce])")
    assert load(task.dataset).x.shape[1] == task.all_features


def test_features_that_fit() -> None:
    task = get_task("breast-cancer")
    assert task.features_for(28) == 15  # 32 pairs, 4 of them for the coin
    assert task.features_for(30) == 15
    assert task.features_for(31) is None  # all 30 and the bias
    assert get_task("x.csv").features_for(4) is None


def test_task_of_a_csv_file(tmp_path: Path) -> None:
    path = write(tmp_path, ["a,b,label", *GOOD], "table.txt")
    assert get_task(str(path)).dataset == str(path)
    assert get_task("later.csv").dataset == "later.csv"


def test_unknown_task() -> None:
    with pytest.raises(UsageError, match="did you mean breast-cancer") as caught:
        get_task("breast_cancer")
    assert "toy2d" in str(caught.value) and "CSV" in str(caught.value)


MEASURED = [
    f"{i * i % 23 + 0.5},{(7 * i) % 5},{'sick' if i % 3 == 0 else 'well'}" for i in range(24)
]
"""No feature counts the rows or identifies them."""


def test_nothing_is_said_on_good_files(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(write(tmp_path, ["a,b,label", *MEASURED]))


def test_a_table_of_known_classes(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, ["a,y", "1,0.0", "2, 1", "3,maybe"]))
    assert known_classes(table, 1, ["0", "1"]) == [0, 1, None]
    assert known_classes(table, 1, ["maybe", "no"]) == [None, None, 0]
    assert labels_of_run(table, None, [0]) == 1
    assert labels_of_run(table, "A", []) == 0
    assert np.array_equal(table.numbers([0]), [[1.0], [2.0], [3.0]])


def test_only_what_is_needed_must_be_in_order(tmp_path: Path) -> None:
    """A table from another program may have an unnamed index column and other columns."""
    path = write(tmp_path, [",a,b,b,c7", "0,1,2,3,4", "1,x,2,3,4"])
    with pytest.raises(UsageError, match=r"line 3, column 2 \(a\): 'x' is not a number"):
        open_points(path, ["a"], None)
    assert open_points(path, ["C7"], None).x.tolist() == [[4.0], [4.0]]
    with pytest.raises(UsageError, match="second column is called 'b'"):
        open_points(path, ["c7", "b"], None)
    with pytest.raises(UsageError, match=r"no column 'c' \(1 of the 2"):
        open_points(path, ["c7", "c"], None)
    with pytest.raises(UsageError, match=r"line 1: put the names of the columns into line 1"):
        open_points(write(tmp_path, ["1,2", "3,4"]), ["a"], None)


def test_one_column_is_enough_where_no_label_is_needed(tmp_path: Path) -> None:
    path = write(tmp_path, ["a", "1"])
    assert open_points(path, ["a"], None).x.tolist() == [[1.0]]
    with pytest.raises(UsageError, match="one column only"):
        load(path)
