"""Data isolation: only tests that carry the mark ``data`` see the data sets that cannot ship.

All other tests find a folder of decoys behind ``OHMCARLO_DATA``. The package searches that folder
first and rejects a decoy, in this process and in every process that a test starts. The test then
fails with the path of the decoy, which names the missing mark.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from ohmcarlo.datasets import ecg
from ohmcarlo.datasets.ecg import beat_table
from ohmcarlo.datasets.fetch import DATA_VARIABLE, SOURCES, cache_folder, find
from ohmcarlo.errors import UsageError

DECOYS = "this-test-lacks-the-mark-data"
REAL = pytest.StashKey[str | None]()


def pytest_configure(config: pytest.Config) -> None:
    """Put the decoys in place of the data. A worker of xdist gets the real folder's name."""
    worker = getattr(config, "workerinput", {})
    config.stash[REAL] = worker.get("data", os.environ.get(DATA_VARIABLE))
    folder = tempfile.TemporaryDirectory(prefix="ohmcarlo-")
    config.add_cleanup(folder.cleanup)
    config.add_cleanup(lambda: expose(config.stash[REAL]))
    expose(str(decoys(Path(folder.name))))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Called for every worker of xdist before it starts."""
    node.workerinput["data"] = node.config.stash[REAL]  # type: ignore[attr-defined]


def decoys(folder: Path) -> Path:
    """Make empty files with the names of the real ones."""
    base = folder / DECOYS
    for source in SOURCES.values():
        (base / source.folder).mkdir(parents=True)
        for file in source.digests:
            (base / source.folder / file).touch()
    return base


def expose(folder: str | None) -> None:
    if folder is None:
        os.environ.pop(DATA_VARIABLE, None)
    else:
        os.environ[DATA_VARIABLE] = folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Fixtures of every scope, the test and its child processes use the same folder."""
    decoys = os.environ[DATA_VARIABLE]
    if item.get_closest_marker("data"):
        expose(item.config.stash[REAL])
    else:  # hide the table of the beats that an earlier run or test has kept
        ecg.cache_folder = lambda: Path(decoys)
        ecg.beat_table = beat_table.__wrapped__
    try:
        return (yield)
    finally:
        expose(decoys)
        ecg.cache_folder = cache_folder
        ecg.beat_table = beat_table


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """``@pytest.mark.data("mitdb")``: skip the test on a machine without that data set."""
    for mark in item.iter_markers("data"):
        if not mark.args:
            pytest.fail("the mark data names its data sets: @pytest.mark.data('mitdb')")
        for name in mark.args:
            if missing := why_missing(name):
                pytest.skip(missing)


@cache
def why_missing(name: str) -> str | None:
    """None if the data set is on this machine, otherwise the command that fetches it."""
    try:
        find(name)
    except UsageError as error:
        return str(error)
    return None
