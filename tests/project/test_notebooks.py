"""Notebooks: they run as scripts and as apps, with the numbers that their text leads to expect."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from notebook_cells import run_cells

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
SECONDS = 600
PRINTED = {
    "first_posterior": [
        r"40 samples: (8[5-9]|9\d)\.\d% of 285 held-out samples are right",
        r"verdict: settled, [\d,]+ samples of the weights",
        r"wrote first-posterior\.html: [1-4]\.\d MB",
    ],
    "your_csv": [
        r"wine\.csv: 130 rows, 6 columns",
        r"missing values: 3\n",
        r"leave out the rows: 127 rows, 6 columns remain",
        r"label 'grape': Barolo = 0, Grignolino =",
        r"settled: [\d,]+ effective samples",
        r"(?m)^ *1 +Barolo +0\.9\d+ .*False$",
        r"(?m)^ *4 .*True$",
        r"wrote your-csv\.html: [1-4]\.\d MB",
    ],
    "your_die": [
        r"3,840 SET pulses of 24 devices",
        r"verdict: carries chains that adapt",
        r"c2c_slope +0\.07\d+ ",
        r"your devices, modelled +8\d\.\d +\d+ settled",
        r"your devices, recorded +8\d\.\d +\d+ settled",
    ],
    "amaranth_to_waveform": [
        r"SET is high for 3 clocks",
        r"the row is stable from clock \d+, 2 clocks before",
        r"wrote sequencer\.v: \d{3} lines, module sequencer",
    ],
}
"""What each notebook prints: counts of its example files, settled runs, widths of its controls."""
FILES = {
    "first_posterior": {"first-posterior.html"},
    "your_csv": {"your-csv.html"},
    "your_die": set(),
    "amaranth_to_waveform": {"sequencer.vcd", "sequencer.v"},
}
marimo = pytest.mark.skipif(
    importlib.util.find_spec("marimo") is None, reason="needs the extra notebooks (marimo)"
)


def run_in(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``python WORDS`` in a folder, without a terminal."""
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def test_every_notebook_has_its_numbers() -> None:
    assert sorted(PRINTED) == sorted(FILES) == NAMES


def test_the_first_notebook_without_marimo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its cells but for those of the page, in this process. The weights are those of scikit-learn's
    logistic regression on the same samples, within half the spread of the posterior."""
    monkeypatch.chdir(tmp_path)
    values = run_cells(FOLDER / "first_posterior.py", without="page")
    printed = capsys.readouterr().out
    for pattern in PRINTED["first_posterior"][:-1]:  # without the line of the page
        assert re.search(pattern, printed), f"{pattern}\n{printed}"
    learnt, features, weights = values["learnt"], values["features"], values["weights"]
    inputs = StandardScaler().fit_transform(learnt[features])
    fitted = LogisticRegression(C=1.0).fit(inputs, learnt["diagnosis"] == "malignant")
    spread = (weights["97 %"] - weights["3 %"]) / 3.76  # of a normal posterior
    error = (weights["median"][features] - fitted.coef_[0]) / spread[features]
    assert np.abs(error).max() < 0.5


def test_cells_run_in_the_order_of_their_values(tmp_path: Path) -> None:
    """A cell that stands above those that it needs; a value that no cell gives."""
    text = (
        "import marimo\napp = marimo.App(width='full')\n"
        "@app.cell\ndef _(a, mo):\n    b = a + mo.ui.slider(1, 9, value=3).value\n    return (b,)\n"
        "@app.cell\ndef _():\n    import marimo as mo\n    a = 4\n    return a, mo\n"
    )
    notebook = tmp_path / "made_up.py"
    notebook.write_text(text)
    assert run_cells(notebook)["b"] == 7
    assert run_cells(notebook, without="b").keys() == {"a", "mo"}
    notebook.write_text(text.replace("def _(a, mo)", "def _(c, mo)"))
    with pytest.raises(ValueError, match="no cell gives c"):
        run_cells(notebook)


@pytest.mark.verify
@marimo
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_a_script(name: str, tmp_path: Path) -> None:
    done = run_in(tmp_path, str(FOLDER / f"{name}.py"))
    assert done.returncode == 0, done.stderr
    for pattern in PRINTED[name]:
        assert re.search(pattern, done.stdout), f"{pattern}\n{done.stdout}"
    assert {path.name for path in tmp_path.iterdir()} == FILES[name]
    assert done.stderr == ""


@pytest.mark.verify
@marimo
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_an_app(name: str, tmp_path: Path) -> None:
    """marimo runs every cell, and writes the page that the app shows. Its kernel keeps a session
    beside the notebook, hence the copy."""
    notebook = Path(shutil.copy(FOLDER / f"{name}.py", tmp_path))
    page = tmp_path / f"{name}.page.html"
    done = run_in(
        tmp_path, "-m", "marimo", "export", "html", notebook.name, "-o", page.name, "--no-sandbox"
    )
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert "text/html" in text
    assert "Traceback" not in text and "MarimoExceptionRaisedError" not in text


@pytest.mark.verify
@marimo
def test_notebooks_are_written_as_marimo_writes_them() -> None:
    """No warning of marimo's own check, and no output in a notebook."""
    files = [str(FOLDER / f"{name}.py") for name in NAMES]
    done = run_in(ROOT, "-m", "marimo", "check", "--strict", *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [p.name for p in FOLDER.iterdir() if p.suffix not in {".py", ".md"}] in (
        [],
        ["__marimo__"],
    )
