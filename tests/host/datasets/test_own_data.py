"""Files of users: choice of label, features and positive class. Every advice is followed."""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.datasets import Dataset, load
from ohmcarlo.errors import UsageError
from ohmcarlo.tasks import labelled_task

ROWS = 24
OPTION = re.compile(r"--(label|drop|positive) ('[^']*'|[^\s,;]+(?:,[^\s,;]+)*)")


def features(i: int) -> list[Any]:
    """Two features that neither count the rows nor identify them."""
    return [i * i % 23 + 0.5, 7 * i % 5]


def write(folder: Path, header: str, rows: Iterable[Sequence[Any]]) -> Path:
    path = folder / "d.csv"
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def made(folder: Path, header: str, more: Callable[[int], list[Any]]) -> Path:
    """A file whose rows begin with ``features``, and go on with ``more``."""
    return write(folder, header, ([*features(i), *more(i)] for i in range(ROWS)))


def notes(path: Path, **options: Any) -> tuple[Dataset, str]:
    """A data set and all that is said about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = load(path, **options)
    return found, " / ".join(str(warning.message) for warning in caught)


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        load(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message


def advised(message: str) -> dict[str, Any]:
    """The options of the command line that a message advises."""
    found: dict[str, Any] = {}
    for name, value in OPTION.findall(message):
        (word,) = shlex.split(value)
        found[name] = (*found.get("drop", ()), word) if name == "drop" else word
    return found


# -- which column is the label -------------------------------------------------------------------


def test_two_usual_names_need_a_choice(tmp_path: Path) -> None:
    path = made(tmp_path, "a,b,Class,target", lambda i: [i % 2, i // 2 % 2])
    message = refused(path)
    assert "line 1: Class and target are usual names" in message
    found, said = notes(path, **advised(message))
    assert found.label == "Class" and found.feature_names == ("a", "b") and not said
    other, said = notes(path, label="TARGET")
    assert other.label == "target" and other.feature_names == ("a", "b", "Class")
    assert "column Class has a usual name of a label" in said
    assert notes(path, label="TARGET", **advised(said))[0].feature_names == ("a", "b")


def test_a_label_that_is_not_there(tmp_path: Path) -> None:
    path = made(tmp_path, "a,b,diagnosis", lambda i: ["BM"[i % 2]])
    assert "has no column 'diagnose' (did you mean diagnosis?)" in refused(path, label="diagnose")
    assert load(path, label=" Diagnosis ").label == "diagnosis"
    assert "cannot be the label and be left out" in refused(path, label="a", drop=("a",))
    assert "no feature is left" in refused(path, drop=("a,b",))
    assert "has no column 'c'" in refused(path, drop=("a,c",))


def test_names_with_commas_and_blanks(tmp_path: Path) -> None:
    path = made(tmp_path, 'a,"b, c",mean radius,label', lambda i: [i % 7 + 0.5, i % 2])
    assert load(path, drop=("b, c", "MEAN radius")).feature_names == ("a",)
    assert load(path, drop=("a,mean radius",)).feature_names == ("b, c",)


def test_what_was_recognised_is_said(tmp_path: Path) -> None:
    """Excel in a country with a decimal comma, with an empty last column."""
    path = tmp_path / "d.csv"
    lines = [f"{i};{i * i % 23},5;{'MB'[i % 2]};" for i in range(ROWS)]
    path.write_text("sep=;\nid;radius;diagnosis;\n" + "\n".join(lines))
    found, _ = notes(path, drop=("id",))
    assert found.summary() == (
        "semicolons, decimal comma, left out 1 empty column at the end, label 'diagnosis': B = 0, "
        "M = 1 (positive), 24 rows, 1 feature (without id)"
    )
    assert found.origin()["positive"] == "M" and found.origin()["left_out"] == ["id"]
    assert found.x[:3, 0].tolist() == [0.5, 1.5, 4.5]


# -- classes -------------------------------------------------------------------------------------


def test_the_positive_class_is_chosen(tmp_path: Path) -> None:
    path = made(tmp_path, "a,b,diagnosis", lambda i: ["BM"[i % 2]])
    usual, other = load(path), load(path, positive="b")
    assert usual.class_names == ("B", "M") and other.class_names == ("M", "B")
    assert np.array_equal(other.y, 1 - usual.y)
    assert "B = 1 (positive)" in other.summary()
    assert load(path, positive="M").class_names == usual.class_names
    message = refused(path, positive="benign")
    assert "no class 'benign': 2 classes (B 12, M 12); --positive takes one of them" in message
    numbers = made(tmp_path, "a,b,y", lambda i: [i % 2])
    assert load(numbers, positive="0.0").class_names == ("1", "0")
    several = made(tmp_path, "a,b,y", lambda i: ["klm"[i % 3]])
    assert "leave out --positive" in refused(several, positive="k")
    values = made(tmp_path, "a,b,y", lambda i: [i + 0.25])
    assert "leave out --positive" in refused(values, positive="1", regression=True)


def test_classes_that_differ_by_case_are_listed(tmp_path: Path) -> None:
    path = made(tmp_path, "a,b,diagnosis", lambda i: ["m" if i % 8 == 0 else "MB"[i % 2]])
    message = refused(path)
    assert "3 classes (B 12, M 9, m 3); 'M' and 'm' differ only in their case" in message
    path.write_text(path.read_text().replace("m\n", "M\n"))
    assert load(path).class_names == ("B", "M")


def test_words_that_are_classes_in_a_label(tmp_path: Path) -> None:
    """UCI's credit approval has the classes + and -."""
    assert load(made(tmp_path, "a,b,c", lambda i: ["+-"[i % 2]])).class_names == ("+", "-")
    path = made(tmp_path, "a,b,c", lambda i: ["NA" if i == 4 else "xy"[i % 2]])
    assert "line 6, column 3 (c): no label; complete or remove the line" in refused(path)
    path.write_text("\n".join(x for x in path.read_text().splitlines() if "NA" not in x))
    assert len(load(path)) == ROWS - 1


# -- columns that are no features ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("", list(range(ROWS))),
        ("", [(5 * i + 3) % ROWS for i in range(ROWS)]),  # shuffled by a split
        ("", [f"case {i}" for i in range(ROWS)]),
        ("Unnamed: 0", list(range(1, ROWS + 1))),
        ("index", list(range(ROWS))),
    ],
)
def test_row_numbers_of_pandas_are_left_out(
    name: str, values: list[object], tmp_path: Path
) -> None:
    rows = [[values[i], *features(i), i // 12] for i in range(ROWS)]
    found, said = notes(write(tmp_path, f"{name},a,b,label", rows))
    assert found.feature_names == ("a", "b")
    assert "row numbers that pandas writes" in said and "index=False" in said
    assert not notes(write(tmp_path, "a,b,label", (row[1:] for row in rows)))[1]


def test_a_column_without_a_name_that_is_no_index(tmp_path: Path) -> None:
    rows = [[0.75 * i * i, *features(i), i % 2] for i in range(ROWS)]
    message = refused(write(tmp_path, ",a,b,label", rows))
    assert "line 1, column 1: the column has no name; give it one, or remove" in message
    found, said = notes(write(tmp_path, "c,a,b,label", rows))
    assert found.feature_names == ("c", "a", "b") and not said


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda i: i, "only counts the rows"),
        (lambda i: 842000 + 37 * i, "only counts the rows"),
        (lambda i: 0.1 * (ROWS - i), "only counts the rows"),
        (lambda i: 842302 + 7919 * i % 1009, "has another whole number in every row"),
        (lambda i: i % 2, "repeats the label"),
        (lambda i: 5 - 3 * (i % 2), "repeats the label"),
    ],
)
def test_what_looks_like_no_feature_is_said(
    value: Callable[[int], float], words: str, tmp_path: Path
) -> None:
    path = made(tmp_path, "a,b,patient id,label", lambda i: [value(i), "xy"[i % 2]])
    found, said = notes(path)
    assert found.feature_names == ("a", "b", "patient id")
    assert f"column patient id {words}" in said
    without, said = notes(path, **advised(said))
    assert without.feature_names == ("a", "b") and not said


def test_a_column_without_any_value_is_left_out(tmp_path: Path) -> None:
    """Kaggle's copy of WDBC has a last column "Unnamed: 32" of empty cells."""
    found, said = notes(made(tmp_path, "a,b,label,Unnamed: 32", lambda i: [i % 2, ""]))
    assert found.feature_names == ("a", "b")
    assert "left out, without any value: Unnamed: 32" in said


# -- cells ---------------------------------------------------------------------------------------


def test_true_and_false_are_numbers(tmp_path: Path) -> None:
    path = made(tmp_path, "a,b,smoker,label", lambda i: [["TRUE", "false"][i // 2 % 2], i % 2])
    assert load(path).x[:4, 2].tolist() == [1, 1, 0, 0]
    truth = made(tmp_path, "a,b,label", lambda i: [["False", "True"][i % 2]])
    assert load(truth).class_names == ("False", "True")


def test_text_features_are_listed_with_a_remedy(tmp_path: Path) -> None:
    colours = {"red": "1,0", "blue": "0,1", "green": "0,0"}
    path = made(tmp_path, "a,b,eye colour,label", lambda i: [[*colours][i % 3], i % 2])
    message = refused(path)
    assert "line 2, column 3 (eye colour): 'red' is not a number" in message
    assert "3 values of text: blue, green, red" in message and "get_dummies" in message
    options = advised(message)
    assert load(path, drop=options["drop"]).feature_names == ("a", "b")
    assert load(path, label=options["label"], drop=("label",)).class_names == tuple(sorted(colours))
    header, *lines = path.read_text().splitlines()
    encoded = [",".join(colours.get(cell, cell) for cell in line.split(",")) for line in lines]
    path.write_text("\n".join([header.replace("eye colour", "red,blue"), *encoded]))
    assert load(path).feature_names == ("a", "b", "red", "blue")


def test_text_that_names_the_rows(tmp_path: Path) -> None:
    path = made(tmp_path, "a,b,patient,label", lambda i: [f"P{i}", i % 2])
    message = refused(path)
    assert "24 values of text: P0, P1, P10" in message and "it names the rows: leave" in message
    assert load(path, **advised(message)).feature_names == ("a", "b")


@pytest.mark.parametrize("cell", ["{} mm", "${}", "2020-01-{:02d}"])
def test_numbers_with_units_are_not_to_be_encoded(tmp_path: Path, cell: str) -> None:
    path = made(tmp_path, "a,b,size,label", lambda i: [cell.format(i + 1), i % 2])
    message = refused(path)
    assert "write plain numbers, without units" in message and "get_dummies" not in message
    assert load(path, **advised(message)).feature_names == ("a", "b")


def test_a_slip_in_a_column_of_numbers(tmp_path: Path) -> None:
    path = made(tmp_path, "a,b,c,label", lambda i: ["7..5" if i == 9 else i % 7 + 0.5, i % 2])
    message = refused(path)
    assert "line 11, column 3 (c): '7..5' is not a number (1 such cell of 24)" in message
    assert load(path, **advised(message)).feature_names == ("a", "b")
    path.write_text(path.read_text().replace("7..5", "7.5"))
    assert load(path).x[9, 2] == 7.5


def test_percent_and_thousands_have_a_remedy(tmp_path: Path) -> None:
    path = made(tmp_path, "a,b,c,label", lambda i: [f"{i % 7 + 0.5} %", i % 2])
    assert "remove the % sign in the whole column" in refused(path)
    path.write_text(path.read_text().replace(" %", ""))
    assert load(path).x[2, 2] == 2.5
    thousands = made(tmp_path, "a,b,c,label", lambda i: [f'"{i % 7 + 1},250"', i % 2])
    assert "'1,250' has separators of thousands" in refused(thousands)
    thousands.write_text(re.sub(r'"(\d),250"', r"\g<1>250", thousands.read_text()))
    assert load(thousands).x[2, 2] == 3250


def test_missing_values_are_counted_with_a_remedy(tmp_path: Path) -> None:
    c, d = {3: "", 4: ""}, {2: "n.a.", 5: "9.91e37"}
    path = made(
        tmp_path, "a,b,c,d,label", lambda i: [c.get(i, i % 7 + 0.5), d.get(i, i % 3), i % 2]
    )
    message = refused(path)
    assert "line 4, column 4 (d): no value ('n.a.'), the first of 4 such cells in 2 " in message
    assert load(path, **advised(message)).feature_names == ("a", "b")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:3] + lines[7:]))
    assert len(load(path)) == ROWS - 4


# -- requests ------------------------------------------------------------------------------------


def test_a_task_has_its_own_columns() -> None:
    for columns in ({"label": "a"}, {"drop": ("a",)}, {"positive": "1"}):
        with pytest.raises(UsageError, match="--label, --drop and --positive are for files"):
            labelled_task("breast-cancer", **columns)


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """A run reads its file for its kind and for each problem: once, unless it changes."""
    path = made(tmp_path, "a,b,label", lambda i: [i % 2])
    first = load(path)
    assert load(path) is first
    path.write_text(path.read_text() + "1.5,2,1\n")
    assert len(load(path)) == ROWS + 1
