"""Imports of each command: commands that need no sampler start without the libraries of one."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from ohmcarlo.imports import without_collection

HEAVY = ("numba", "scipy.stats", "scipy.special", "sklearn", "arviz", "xarray", "matplotlib")
CSV_ERRORS = {
    "empty.csv": "",
    "ragged.csv": "a,b,label\n1,2\n",
    "three-classes.csv": "a,label\n1,x\n2,y\n3,z\n",
    "too-few-rows.csv": "a,label\n1,0\n2,1\n",
}


def run(folder: Path, *arguments: str) -> tuple[int, set[str], str]:
    """Exit code, the heavy modules that were imported, and standard error of one command."""
    code = (
        "import sys\n"
        "from ohmcarlo.cli.app import main\n"
        "code = main(sys.argv[1:])\n"
        f"print('imported', *(set({HEAVY}) & sys.modules.keys()), sep='\\n')\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    imported = done.stdout.rpartition("imported\n")[2].split()
    return done.returncode, set(imported), done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"], ["tasks"]])
def test_texts_need_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    assert run(tmp_path, *arguments) == (0, set(), "")


@pytest.mark.parametrize("name", [*CSV_ERRORS, "missing.csv", "no-task"])
def test_errors_in_the_data_need_nothing_heavy(name: str, tmp_path: Path) -> None:
    if name in CSV_ERRORS:
        (tmp_path / name).write_text(CSV_ERRORS[name])
    code, imported, error = run(tmp_path, "train", name)
    assert (code, imported) == (2, set())
    assert name in error


def test_the_check_sees_what_is_imported(tmp_path: Path) -> None:
    """The control: a split of data needs scikit-learn."""
    code, imported, _ = run(tmp_path, "data", "export", "toy2d", "points.csv")
    assert code == 0
    assert "sklearn" in imported


def test_arviz_compiles_nothing() -> None:
    """ArviZ takes NumPy's variance; Numba stays available to everything else. ArviZ 1.x has no flag
    for it."""
    code = (
        "import sys, ohmcarlo.diagnostics as d\n"
        "az = d.arviz()\n"
        "flagged = az.__version__.startswith('0')\n"
        "assert not (flagged and az.utils.Numba.numba_flag)\n"
        "assert 'numba' not in sys.modules\n"
        "import numba\n"
        "assert not (flagged and d.arviz().utils.Numba.numba_flag is not False)\n"
        "assert sys.modules['numba'] is numba"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_collection_is_off_inside_only() -> None:
    assert gc.isenabled()
    with pytest.raises(ImportError), without_collection():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()
    gc.disable()
    try:
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
