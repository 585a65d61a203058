"""The parts that all logic of the step controller shares."""

from __future__ import annotations

from dataclasses import dataclass

from .blocks import Blocks
from .current import CurrentSamples
from .progress import Progress
from .turn import Turn


@dataclass(frozen=True)
class Parts:
    """Submodules and registers of the step controller.

    Attributes
    ----------
    blocks : Blocks
        Submodules.
    turn : Turn
        The present region.
    current : CurrentSamples
        Registers of the current samples.
    progress : Progress
        Registers of the progress of a run.
    """

    blocks: Blocks
    turn: Turn
    current: CurrentSamples
    progress: Progress
