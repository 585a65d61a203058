"""The isolation of the data (data_isolation.py): a test without the mark ``data`` finds no data."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ohmcarlo.datasets import load
from ohmcarlo.datasets.fetch import SOURCES, find
from ohmcarlo.errors import OhmcarloError

MARK_IS_MISSING = "this-test-lacks-the-mark-data"


@pytest.mark.parametrize("name", SOURCES)
def test_the_data_are_out_of_sight(name: str) -> None:
    with pytest.raises(OhmcarloError, match=MARK_IS_MISSING):
        find(name)


@pytest.mark.parametrize("name", ["breast-cancer-original", "ecg"])
def test_also_where_a_table_is_kept(name: str) -> None:
    """``ecg`` keeps a table of the beats in the cache of the user."""
    with pytest.raises(OhmcarloError, match=MARK_IS_MISSING):
        load(name)


def test_in_other_processes_too() -> None:
    code = "from ohmcarlo.datasets.fetch import find; find('mitdb')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode and MARK_IS_MISSING in done.stderr
