"""The content of a report: pages of sentences, tables and panels, without any layout.

``pages`` draws a document as a PDF file or as a folder with Markdown and pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Panel:
    """One drawing.

    Attributes
    ----------
    name : str
        Of its file.
    draw : callable
        Draws into empty axes.
    indent : float
        Room for long labels on the left, as a fraction of the page.
    """

    name: str
    draw: Callable[[Axes], None]
    indent: float = 0.0


@dataclass(frozen=True)
class TextTable:
    """A table of text.

    Attributes
    ----------
    header : tuple of str
        Empty: none.
    rows : tuple of tuple of str
    widths : tuple of int
        Relative widths of the columns.
    title : str
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]
    title: str = ""


@dataclass(frozen=True)
class Page:
    """One page: a title, sentences, then panels and tables."""

    title: str
    sentences: tuple[str, ...] = ()
    panels: tuple[Panel, ...] = ()
    tables: tuple[TextTable, ...] = ()


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes
    ----------
    title : str
    subtitle : str
        One line under the title of every page.
    pages : tuple of Page
    """

    title: str
    subtitle: str
    pages: tuple[Page, ...]
