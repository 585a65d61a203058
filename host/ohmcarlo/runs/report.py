"""The report of a complete run: its result and its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files import make_folder
from ..pictures.canvas import write_pictures
from .kind import ShownKind
from .kinds import read_complete


def write_report(
    path: Path, folder: Path | None = None
) -> tuple[ShownKind, dict[str, Any], list[Path]]:
    """Draw a run's pictures into ``folder`` (default: ``report`` in the run).

    Returns the run's kind and result and the pictures' paths. Raises UsageError when the run is
    not complete, OhmcarloError when a picture cannot be written.
    """
    kind, values = read_complete(path)
    figures = kind.figures(path, values)
    folder = path / "report" if folder is None else folder
    make_folder(folder, "--plots")
    return kind, values, write_pictures(folder, figures)
