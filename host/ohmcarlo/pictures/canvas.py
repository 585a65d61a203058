"""Empty pictures, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..errors import UsageError
from ..files import atomic
from ..progress import tracked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def new_figure(tall: bool = False) -> tuple[Figure, Axes]:
    """An empty picture, twice as high if ``tall``."""
    figure = new_canvas((7.0, 8.8 if tall else 4.4))
    ax = figure.add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax


def drawn(
    drawings: Mapping[str, Callable[[Axes], None]], tall: Collection[str] = ()
) -> dict[str, Figure]:
    """A picture for each drawing, by name; those named in ``tall`` are twice as high."""
    figures = {}
    for name, draw in drawings.items():
        figures[name], ax = new_figure(tall=name in tall)
        draw(ax)
    return figures


def new_panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, NDArray[Any]]:
    """Panels of one picture, ``size`` in inches: the axes are (rows, columns)."""
    figure = new_canvas(size)
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def new_canvas(size: tuple[float, float]) -> Figure:
    """A picture without panels, ``size`` in inches; it needs neither a display nor pyplot.

    Raises UsageError, which names what to install, without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("pictures need matplotlib: pip install 'ohmcarlo[report]'") from error
    figure = Figure(figsize=size, dpi=140, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_pictures(folder: Path, pictures: Mapping[str, Figure]) -> list[Path]:
    """Write each figure as ``NAME.png`` into ``folder``, which exists; returns the paths."""
    paths = []
    for name, picture in tracked(pictures.items(), len(pictures), "drawing", "pictures"):
        path = folder / f"{name}.png"
        with atomic(path) as temporary:
            picture.savefig(temporary, format="png", metadata={"Software": "ohmcarlo"})
        paths.append(path)
    return paths
