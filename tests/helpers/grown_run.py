"""A run that a test can look at while it grows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ohmcarlo.runs.config import TrainConfig

BLOCK = 50  # steps between two checkpoints
CONFIG = TrainConfig(
    "toy2d", steps=600, chains=2, rows=64, pairs=16, seed=3, whiten=True, adapt=True
)


@dataclass(frozen=True)
class Grown:
    """Folders of one run: ``early`` and ``late`` while it sampled, ``complete``."""

    early: Path
    late: Path
    complete: Path
