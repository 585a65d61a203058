"""The files that a run writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..files import check_file


@dataclass(frozen=True)
class Outputs:
    """Paths of the files of a run; None: not written.

    Attributes
    ----------
    folder : Path or None
        Run folder.
    trace, json : Path or None
        Files beside it.
    checkpoint_seconds : float
        Time between checkpoints; the chain does not depend on it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ohmcarlo.runs.outputs import Outputs
    >>> files = Outputs(folder=Path("first"), json=Path("first.json"))
    >>> files.trace is None
    True
    """

    folder: Path | None = None
    trace: Path | None = None
    json: Path | None = None
    checkpoint_seconds: float = 2.0

    def check(self) -> None:
        """Raise an error for a file that could not be written, before any work is done."""
        for path in (self.trace, self.json):
            if path is not None:
                check_file(path)
