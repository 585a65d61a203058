"""The report of a complete run: its result, its pictures, its HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files import make_folder
from ..pages.content import HtmlPage
from ..pages.render import write_page
from ..pictures.canvas import write_pictures
from .kind import ShownKind
from .kinds import read_complete


def write_report(
    path: Path, folder: Path | None = None
) -> tuple[ShownKind, dict[str, Any], list[Path]]:
    """Draw a run's pictures into ``folder`` (default: ``report`` in the run).

    Returns the run's kind and result and the pictures' paths.

    Raises
    ------
    UsageError
        When the run is not complete.
    OhmcarloError
        When a picture cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ohmcarlo.progress import Silence
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> from ohmcarlo.runs.outputs import Outputs
    >>> from ohmcarlo.runs.report import write_report
    >>> from ohmcarlo.runs.train import train_run
    >>> config = TrainConfig("toy2d", rows=16, pairs=8, steps=100)
    >>> _ = train_run(config, Outputs(folder=Path("first")), Silence())
    >>> kind, values, pictures = write_report(Path("first"))
    >>> (Path("first") / "report" / "boundary.png") in pictures
    True
    """
    kind, values = read_complete(path)
    figures = kind.figures(path, values)
    folder = path / "report" if folder is None else folder
    make_folder(folder, "--plots")
    return kind, values, write_pictures(folder, figures)


def read_page(path: Path) -> HtmlPage:
    """The HTML page of the complete run in ``path``.

    Raises UsageError when the run is not complete or the extra ``report`` is not installed,
    OhmcarloError when a file of the run is damaged.
    """
    kind, values = read_complete(path)
    return kind.page(path, values)


def write_html(path: Path, file: Path) -> tuple[ShownKind, dict[str, Any]]:
    """Write the HTML page of the complete run in ``path`` as ``file``, atomically.

    Returns the run's kind and result. Raises like ``read_page``, and OhmcarloError when the file
    cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ohmcarlo.progress import Silence
    >>> from ohmcarlo.runs.config import TrainConfig
    >>> from ohmcarlo.runs.outputs import Outputs
    >>> from ohmcarlo.runs.report import write_html
    >>> from ohmcarlo.runs.train import train_run
    >>> config = TrainConfig("toy2d", rows=16, pairs=8, steps=100)
    >>> _ = train_run(config, Outputs(folder=Path("first")), Silence())
    >>> kind, values = write_html(Path("first"), Path("first.html"))
    >>> Path("first.html").is_file()
    True
    """
    kind, values = read_complete(path)
    write_page(file, kind.page(path, values))
    return kind, values
