"""Delimited text: what is recognised, what is refused, and with which line."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmcarlo.errors import UsageError
from ohmcarlo.tables import LEAVE_OUT, Table, plain, read_table
from ohmcarlo.tables import content as content_module


def write(folder: Path, content: str | bytes, name: str = "d.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


PLAIN = "a,b,label\n1.5,2,0\n-3e2,0.25,1\n"
VALUES = [[1.5, 2.0], [-300.0, 0.25]]


def zipped(*names: str, content: str = PLAIN, level: int | None = None) -> bytes:
    stream = io.BytesIO()
    kind = zipfile.ZIP_STORED if level is None else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(stream, "w", kind, compresslevel=level) as archive:
        for name in names:
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "phrases"),
    [
        pytest.param(PLAIN, ["commas"], id="plain"),
        pytest.param(PLAIN.rstrip("\n"), ["commas"], id="no final line end"),
        pytest.param(PLAIN.replace("\n", "\r\n"), ["commas"], id="CRLF"),
        pytest.param(PLAIN.replace("\n", "\r"), ["commas"], id="CR"),
        pytest.param(b"\xef\xbb\xbf" + PLAIN.encode(), ["commas"], id="UTF-8 with mark"),
        pytest.param(PLAIN.encode("utf-16"), ["UTF-16", "commas"], id="UTF-16"),
        pytest.param(PLAIN.encode("utf-16-be"), ["UTF-16", "commas"], id="UTF-16 BE, no mark"),
        pytest.param(PLAIN.encode("utf-16-le"), ["UTF-16", "commas"], id="UTF-16 LE, no mark"),
        pytest.param(PLAIN.encode("utf-32"), ["UTF-32", "commas"], id="UTF-32"),
        pytest.param(gzip.compress(PLAIN.encode()), ["gzip", "commas"], id="gzip"),
        pytest.param(bz2.compress(PLAIN.encode()), ["bzip2", "commas"], id="bzip2"),
        pytest.param(lzma.compress(PLAIN.encode()), ["xz", "commas"], id="xz"),
        pytest.param(zipped("d.csv", "__MACOSX/._d.csv"), ["zip", "commas"], id="zip"),
        pytest.param(
            gzip.compress(PLAIN.encode("utf-16")), ["gzip", "UTF-16", "commas"], id="both"
        ),
        pytest.param(PLAIN.replace(",", ";"), ["semicolons"], id="semicolons"),
        pytest.param(PLAIN.replace(",", "\t"), ["tabs"], id="tabs"),
        pytest.param(PLAIN.replace(",", "|"), ["pipes"], id="pipes"),
        pytest.param(PLAIN.replace(",", "   "), ["blanks"], id="blanks"),
        pytest.param("a b\tlabel\n1.5 2\t0\n-3e2  0.25\t1\n", ["blanks"], id="blanks and tabs"),
        pytest.param("sep=;\n" + PLAIN.replace(",", ";"), ["semicolons"], id="sep"),
        pytest.param('"sep=|"\n' + PLAIN.replace(",", "|"), ["pipes"], id="quoted sep"),
        pytest.param(
            PLAIN.replace(",", ";").replace(".", ","), ["semicolons", "decimal comma"], id="comma"
        ),
        pytest.param(
            'a,b,label\n"1,5",2,0\n-3e2,"0,25",1\n', ["commas", "decimal comma"], id="quoted comma"
        ),
        pytest.param("a, B ,label\n 1.5, 2,0\n-3e2,\t0.25 ,1\n", ["commas"], id="blanks around"),
        pytest.param('"a","b","label"\n"1.5","2",0\n-3e2,0.25,1\n', ["commas"], id="quotes"),
        pytest.param(
            "# one\n% two\n// three\n! four\n" + PLAIN, ["commas", "4 comment lines"], id="comments"
        ),
        pytest.param("# a,b,label\n" + PLAIN[10:], ["commas", "1 comment line"], id="savetxt"),
        pytest.param(
            PLAIN.replace("\n", ",,\n"), ["commas", "left out 2 empty columns at the end"], id=",,"
        ),
        pytest.param(
            "a,b,label\n1.5,2,0,\n-3e2,0.25,1,\n",
            ["commas", "left out 1 empty column at the end"],
            id="longer lines",
        ),
        pytest.param("a,b,label\n1.5,2,0\n−3e2,0.25,1\n", ["commas"], id="minus sign"),
        pytest.param(PLAIN + "\x1a", ["commas"], id="end mark of DOS"),
    ],
)
def test_what_is_recognised(content: str | bytes, phrases: Sequence[str], tmp_path: Path) -> None:
    table = read_table(write(tmp_path, content))
    assert [name.lower() for name in table.header] == ["a", "b", "label"]
    assert table.numbers(["A", "b"]).tolist() == VALUES
    assert table.column("Label") == ["0", "1"]
    assert table.recognised == tuple(phrases)


@pytest.mark.parametrize(
    ("text", "header", "row"),
    [
        ("a,b,c\n" + "1.5 %,2,x\n" * 20, ("a", "b", "c"), ["1.5 %", "2", "x"]),
        ("a;b;c\n1.100,5;0;x\n1.200,5;1;y\n", ("a", "b", "c"), ["1.100,5", "0", "x"]),
        ("a\tb, c\n1\tx, y\n2\tz\n", ("a", "b, c"), ["1", "x, y"]),
        ('"a;x";"b,y"\n1;2\n', ("a;x", "b,y"), ["1", "2"]),
        ("g (us)\n1\n2\n", ("g (us)",), ["1"]),
        ("8,39 0,325 0\n8,5 0,1 1\n", (), ["8,39", "0,325", "0"]),
        ("8,39;0,325;0\n8,5;0,1;1\n", (), ["8,39", "0,325", "0"]),
        ("1, 2, 3\n4, 5, 6\n", (), ["1", "2", "3"]),
    ],
)
def test_other_marks_in_cells_separate_nothing(
    text: str, header: tuple[str, ...], row: list[str], tmp_path: Path
) -> None:
    table = read_table(write(tmp_path, text))
    assert table.header == header
    assert [table.cell(0, column) for column in range(table.width)] == row


def test_line_numbers_count_everything(tmp_path: Path) -> None:
    """Comment lines, blank lines and line ends in quotes count; none of them is a row."""
    text = '# first\n\na,b\n1,2\n\n,,\n# middle\n"3\n\n# no comment\n",4\n5,"6"\n'
    table = read_table(write(tmp_path, text))
    assert table.lines.tolist() == [4, 8, 12]
    assert table.cell(1, "a") == "3\n\n# no comment"
    assert str(table.error(2, "b", "wrong")).endswith("d.csv, line 12, column 2 (b): wrong")
    without = read_table(write(tmp_path, "# first\n\na,b\n1,2\n\n,,\n# middle\n3,4\n"))
    assert without.lines.tolist() == [4, 8]


CELLS = st.floats(-1e9, 1e9, allow_subnormal=False)
WORDS = st.text(st.characters(codec="cp1252", categories=("L", "N", "P", "Zs")), max_size=6)
LAYOUTS = [(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), ("|", ",")]


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, WORDS), min_size=2, max_size=5),
    layout=st.sampled_from(LAYOUTS),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    gaps=st.lists(st.sampled_from(["", "# no row", "  "]), max_size=3),
)
def test_any_table_is_read_as_it_was_written(
    rows: list[tuple[float, float, str]],
    layout: tuple[str, str],
    encoding: str,
    end: str,
    quoting: Any,
    gaps: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    separator, point = layout
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator="\n", quoting=quoting)
    writer.writerow(["x (µS)", "y", "note"])
    for x, y, note in rows:
        writer.writerow([f"{x:.6e}".replace(".", point), f"{y:.4f}".replace(".", point), note])
    header, *lines = stream.getvalue().splitlines()
    text = end.join([header, *gaps, *lines])
    path = write(tmp_path_factory.mktemp("any"), text.encode(encoding))
    table = read_table(path)
    assert table.header == ("x (µS)", "y", "note")
    expected = [[float(f"{x:.6e}"), float(f"{y:.4f}")] for x, y, _ in rows]
    assert table.numbers(["X", "Y"]).tolist() == expected
    assert table.column("note") == [note.strip() for _, _, note in rows]
    assert table.lines.tolist() == [i + 2 + len(gaps) for i in range(len(rows))]


def test_a_header_is_told_from_numbers(tmp_path: Path) -> None:
    for text in ("1 2 3\n4 5 6\n", "nan,2\n3,4\n", "0,0,sick\n1,2,well\n"):
        assert read_table(write(tmp_path, text)).header == (), text
    wide = read_table(write(tmp_path, "V,1,2\n0.1,5,6\n0.2,7,8\n"))
    assert wide.header == ("V", "1", "2") and wide.lines.tolist() == [2, 3]
    assert read_table(write(tmp_path, "x,y\nred,blue\n")).header == ("x", "y")
    assert read_table(write(tmp_path, "x,y\nred,blue\n"), header=False).header == ()


def test_names_are_found_in_any_spelling(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "Word-Line Voltage (V),G [µS],g_us,Device\n1,2,3,4\n"))
    assert table.find("word_line_voltage") == 0
    assert table.find("nothing", "G us") == 2
    assert table.find("DEVICE ") == 3 and table.find("cell") is None
    assert plain("(V)") == "(v)"
    with pytest.raises(UsageError, match="has no column 'cell': its columns are Word-Line"):
        table.numbers(["cell"])


def missing_values(folder: Path) -> Table:
    return read_table(
        write(
            folder, "a,b\n1,\n#N/A,2\n9.9e37,true\n-9.91000006E+37,FALSE\n1.99999E+101,inf\n5,6\n"
        )
    )


def test_missing_cells_and_overloads_are_nan(tmp_path: Path) -> None:
    found = missing_values(tmp_path).numbers(["a", "b"], "nan")
    nan = np.nan
    expected = [[1, nan], [nan, 2], [nan, 1], [nan, 0], [nan, nan], [5, 6]]
    assert np.array_equal(found, expected, equal_nan=True)


def test_missing_cells_are_counted_where_they_are_refused(tmp_path: Path) -> None:
    table = missing_values(tmp_path)
    with pytest.raises(UsageError, match=r"line 2, column 2 \(b\): no value, the first of 6 such"):
        table.numbers(["a", "b"])
    with pytest.raises(UsageError, match=r"line 3, column 1 \(a\): no value \('#N/A'\).*; so$"):
        table.numbers(["a"], advice="so")
    overload = read_table(write(tmp_path, "a\n1\n9.91e37\n"))
    with pytest.raises(UsageError, match=r"line 3.*'9\.91e37' is the overload of an instrument"):
        overload.numbers(["a"])


def test_thousands_are_not_guessed(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, 'a,b\n"1,234",1\n"12,500",2\n'))
    with pytest.raises(UsageError, match=r"line 2, column 1 \(a\): '1,234' has separators"):
        table.numbers(["a"])
    both = read_table(write(tmp_path, "a;b\n1,5;2.5\n"))
    with pytest.raises(UsageError, match="'1,5' has a decimal comma; write it with a point"):
        both.numbers(["a", "b"])


def test_a_line_of_another_length(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n3\n4,5,6\n7,8,\n")
    with pytest.raises(
        UsageError, match="line 3: 1 column, but the header in line 1 has 2; complete"
    ):
        read_table(path)
    table = read_table(path, odd_lines=LEAVE_OUT)
    assert table.odd_lines == ((3, 1), (4, 3))
    assert table.numbers([0, 1]).tolist() == [[1, 2], [7, 8]]


def test_a_header_of_another_length(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"row names of R, write the file with row\.names = FALSE"):
        read_table(write(tmp_path, "a b\nr1 1 2\nr2 3 4\n"))
    title = "Results of May\n\na,b,c\n1,2,3\n4,5,6\n"
    with pytest.raises(UsageError, match="line 1 is a title, remove it or begin it with #"):
        read_table(write(tmp_path, title))
    for advised in (title.partition("\n")[2], f"# {title}"):
        assert read_table(write(tmp_path, advised)).header == ("a", "b", "c")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\n , \n# a comment\n", "is empty", id="no row"),
        pytest.param(b"a,b\n1,2\0\n", "not a text file; line 2 has a NUL byte", id="NUL"),
        pytest.param(bytes(range(256)) * 9, "not a text file", id="binary"),
        pytest.param(b"a,b\n\x01\x02\x03\n", "not a text file", id="control characters"),
        pytest.param(zipped("a.csv", "b.csv"), r"2 files \(a\.csv, b\.csv\): unpack", id="zip"),
        pytest.param(zipped("xl/workbook.xml", "x.xml"), r"Excel workbook \(xlsx\)", id="xlsx"),
        pytest.param(zipped("a.npy", "b.npy"), r"\(npz\)", id="npz"),
        pytest.param(b"PK\x03\x04and no more", "damaged zip file", id="damaged zip"),
        pytest.param(gzip.compress(b"a,b\n1,2\n")[:-5], "damaged gzip file", id="cut gzip"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"Excel workbook \(xls\)", id="xls"),
        pytest.param(b"PAR1\x15\x04", "Parquet", id="parquet"),
        pytest.param(b"\x93NUMPY\x01\x00", "numpy.savetxt", id="npy"),
        pytest.param(b"%PDF-1.7\n", "PDF", id="pdf"),
        pytest.param(b"\x89HDF\r\n\x1a\n", "HDF5", id="hdf5"),
        pytest.param(b"<!DOCTYPE html>\n<p>", "web page", id="html"),
        pytest.param(b'{"a": [1]}', "JSON", id="json"),
        pytest.param(b'{"a": 1}\n{"a": 2}\n', "JSON", id="json lines"),
        pytest.param(b"% Weka\n@RELATION x\n@data\n1,2\n", "ARFF.*up to @data", id="arff"),
        pytest.param(b"+1 1:0.5 7:2\n-1 2:1\n", "load_svmlight_file", id="libsvm"),
        pytest.param(b"\x28\xb5\x2f\xfd\x00", "zstd -d", id="zstd"),
        pytest.param(b'a,b\n1,2\n"3,4\n5,6\n', "line 3: the quotes do not match", id="open quote"),
    ],
)
def test_what_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    with pytest.raises(UsageError, match=words) as caught:
        read_table(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message


def test_a_parquet_file_is_a_table(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    columns = {"a": [1.5, None], "b": ["x, y", 'z"'], "label": [True, False]}
    parquet.write_table(pa.table(columns), tmp_path / "d.parquet")
    table = read_table(tmp_path / "d.parquet")
    assert table.header == ("a", "b", "label") and table.column("b") == ["x, y", 'z"']
    assert table.numbers(["a", "label"], missing="nan")[0].tolist() == [1.5, 1.0]
    assert table.recognised[0] == "Parquet"
    parquet.write_table(pa.table({"a": [[1, 2]]}), tmp_path / "nested.parquet")
    with pytest.raises(UsageError, match="without a plain table"):
        read_table(tmp_path / "nested.parquet")


def test_an_array_of_numpy_is_converted_as_advised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("d.npy", np.c_[VALUES, [0, 1]])
    with pytest.raises(UsageError) as caught:
        read_table("d.npy")
    exec(str(caught.value).rpartition(": ")[2], {"numpy": np})
    table = read_table("table.csv")
    assert table.header == ("a", "b", "label") and table.numbers(["a", "b"]).tolist() == VALUES


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN, "Data.csv")
    with pytest.raises(UsageError, match=r"No such file or directory \(did you mean .*Data\.csv"):
        read_table(tmp_path / "dta.csv")
    with pytest.raises(UsageError, match=r"No such file or directory$"):
        read_table(tmp_path / "nothing.txt")
    with pytest.raises(UsageError, match=r"Is a directory; give a file in it, as Data\.csv"):
        read_table(path.parent)


def test_latin_1(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "Größe,I (µA)\n1,2\n".encode("latin-1")))
    assert table.header == ("Größe", "I (µA)")
    assert table.recognised[0] == "Windows-1252 (Latin-1)"


# -- size --------------------------------------------------------------------------------------

LIMIT = 1000
LONG = PLAIN + "0,0,0\n" * LIMIT


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(LONG.encode(), id="text"),
        pytest.param(gzip.compress(LONG.encode()), id="gzip"),
        pytest.param(bz2.compress(LONG.encode()), id="bzip2"),
        pytest.param(lzma.compress(LONG.encode()), id="xz"),
        pytest.param(zipped("d.csv", content=LONG, level=9), id="zip"),
        pytest.param(zipped("xl/workbook.xml", content=LONG, level=9), id="xlsx"),
        pytest.param(zipped("xl/a.xml", "mimetype", content=LONG, level=9), id="workbook"),
    ],
)
def test_what_unpacks_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
):
    path = write(tmp_path, content)
    if b"xl/" not in content:
        assert len(read_table(path)) == LIMIT + 2  # the control: it is a table
    monkeypatch.setattr(content_module, "LARGEST", LIMIT)
    with pytest.raises(UsageError, match=f"^{re.escape(str(path))} holds more than"):
        read_table(path)


def test_many_equal_values_of_parquet_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    pa = pytest.importorskip("pyarrow")
    path = tmp_path / "d.parquet"
    parquet.write_table(pa.table({"a": [0.5] * 10_000, "b": [1.0] * 10_000}), path)
    limit = path.stat().st_size
    assert limit < 10_000 and len(read_table(path)) == 10_000  # the control
    monkeypatch.setattr(content_module, "LARGEST", limit)
    with pytest.raises(UsageError, match="holds more than"):
        read_table(path)


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path):
    path = tmp_path / "d.csv"
    with path.open("wb") as file:
        file.truncate(content_module.LARGEST + 1)  # a hole: it takes no room
    with pytest.raises(UsageError, match="holds more than 2 GiB"):
        read_table(path)
