"""A run that a test can look at while it grows: copies of its folder at several steps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grown_run import BLOCK, CONFIG, Grown
from ohmcarlo.progress import Silence
from ohmcarlo.runs import chain_run, live_notes
from ohmcarlo.runs.outputs import Outputs
from ohmcarlo.runs.train import train_run
from ohmcarlo.watch import view


class Copying(Silence):
    """Copies a run folder after some of its steps."""

    def __init__(self, folder: Path, at: dict[int, Path]) -> None:
        self.folder, self.at = folder, dict(at)

    def advance(self, steps: int, acceptance: float | None = None) -> None:
        for after in [s for s in self.at if s <= steps]:
            shutil.copytree(self.folder, self.at.pop(after))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look reads all chunks, also on a computer with other work."""
    monkeypatch.setattr(view, "READING_S", 600.0)


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    base = tmp_path_factory.mktemp("grown")
    found = Grown(base / "early", base / "late", base / "complete")
    usual = chain_run.MAX_BLOCK, live_notes.EVERY_S
    chain_run.MAX_BLOCK, live_notes.EVERY_S = BLOCK, 0.0
    try:
        copying = Copying(found.complete, {2 * BLOCK: found.early, 500: found.late})
        train_run(CONFIG, Outputs(found.complete, checkpoint_seconds=0.0), copying)
    finally:
        chain_run.MAX_BLOCK, live_notes.EVERY_S = usual
    return found
