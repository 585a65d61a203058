"""Data sets whose labels are numbers: published counts, and the rule for CSV files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ohmcarlo.datasets import load, load_csv
from ohmcarlo.datasets.csvfile import as_csv
from ohmcarlo.errors import UsageError

ROWS = 30


def write(folder: Path, labels: list[object]) -> Path:
    path = folder / "d.csv"
    rows = [f"{i},{label}" for i, label in enumerate(labels)]
    path.write_text("\n".join(["a,label", *rows]) + "\n")
    return path


def test_diabetes() -> None:
    """442 × 10, targets from 25 to 346 with the mean 152.1 (scikit-learn's description)."""
    data = load("diabetes")
    assert data.x.shape == (442, 10) and data.numeric and data.y.dtype == np.float64
    assert (data.y.min(), data.y.max()) == (25, 346)
    assert data.y.mean() == pytest.approx(152.1, abs=0.05)
    assert data.feature_names[:3] == ("age", "sex", "bmi")


def test_made_data_have_the_known_linear_fit() -> None:
    """A linear model explains 41 % of kin8nm (DELVE) and 72 % of friedman1 without end; the
    numbers of the made sets are those of their formula."""
    from sklearn.linear_model import LinearRegression

    for name, share in {"robot-arm": 0.41, "friedman1": 0.72}.items():
        data = load(name)
        fitted = LinearRegression().fit(data.x, data.y)
        assert fitted.score(data.x, data.y) == pytest.approx(share, abs=0.03)
    x, y = load("friedman1").x, load("friedman1").y
    exact = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    assert np.std(y - exact - 10 * x[:, 3] - 5 * x[:, 4]) == pytest.approx(1, abs=0.06)


def test_halves_of_numbers() -> None:
    data = load("diabetes")
    train, test = data.split(0)
    assert len(train) == len(test) == 221
    assert np.array_equal(np.sort(np.r_[train, test]), np.arange(442))
    assert not np.array_equal(train, data.split(1)[0])


@pytest.mark.parametrize(
    ("labels", "numeric"),
    [
        pytest.param([i + 0.5 for i in range(ROWS)], True, id="many, not whole"),
        pytest.param([i % 2 + 0.5 for i in range(ROWS)], False, id="two values"),
        pytest.param([f"c{i % 2}" for i in range(ROWS)], False, id="text"),
    ],
)
def test_numbers_or_classes(labels: list[object], numeric: bool, tmp_path: Path) -> None:
    data = load_csv(write(tmp_path, labels))
    assert data.numeric == numeric
    if numeric:
        assert data.y.tolist() == labels and data.class_names == ()


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(list(range(ROWS)), id="many whole numbers"),
        pytest.param([i % 5 + 0.5 for i in range(ROWS)], id="few numbers"),
    ],
)
def test_an_ambiguous_label_is_refused(labels: list[object], tmp_path: Path) -> None:
    path = write(tmp_path, labels)
    with pytest.raises(UsageError, match=r"label column 'label'.*--regression"):
        load_csv(path)
    assert load_csv(path, regression=True).y.tolist() == labels


def test_labels_that_are_no_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, [*range(ROWS), "high"])
    with pytest.raises(UsageError, match=r"line 32, column 2 \(label\): 'high' is not a number"):
        load_csv(path, regression=True)
    with pytest.raises(UsageError, match="the same in every row"):
        load_csv(write(tmp_path, [7.0] * ROWS), regression=True)
    with pytest.raises(UsageError, match="too few rows"):
        load_csv(write(tmp_path, [1.5, 2.5, 3.5]), regression=True)


def test_export_keeps_the_numbers(tmp_path: Path) -> None:
    data = load("robot-arm")
    path = tmp_path / "d.csv"
    path.write_bytes(as_csv(data, np.arange(100)))
    again = load_csv(path)
    assert np.array_equal(again.y, data.y[:100]) and np.array_equal(again.x, data.x[:100])
