"""Documents as a PDF file with landscape pages, or as a folder with Markdown and pictures."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import atomic
from .canvas import new_canvas, new_figure, write_pictures
from .document import Document, Page, TextTable
from .style import GREY, plain_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (11.69, 8.27)  # A4, inches
LEFT, RIGHT, TOP, BOTTOM = 0.05, 0.95, 0.955, 0.05  # of the page
TEXT, SMALL, HEADING = 11.0, 9.5, 18.0  # points
CELL = 10.0  # of tables, points
BEGINNING = 0.12  # of a table that stays together
BELOW, PLAIN = 0.19, 0.1  # room below a panel with a legend, or without one
ROW_GAP = 0.004  # of the page
PALE = "#444444"
LINE = 1.42  # distance of lines, in sizes of the font
LETTER = 0.54  # mean width of a letter, in sizes of the font
PANEL_HEIGHT, PANEL_GAP, TABLE_GAP = 0.46, 0.075, 0.03  # of the page
MARKDOWN = "report.md"
POINT = 1 / 72  # inch


def write_pdf(path: Path, document: Document) -> None:
    """Write a PDF file with one landscape page for each page of the document.

    Raises UsageError without matplotlib, OhmcarloError when the file cannot be written.
    """
    figures = draw_pages(document)
    from matplotlib.backends.backend_pdf import PdfPages

    about = {"Title": document.title, "Creator": "ohmcarlo", "CreationDate": None}
    with atomic(path) as temporary, PdfPages(temporary, metadata=about) as pages:
        for figure in figures:
            pages.savefig(figure)


def draw_pages(document: Document) -> list[Figure]:
    """The pages of a document, in A4 landscape. A long table continues on a new page."""
    figures = []
    for page in document.pages:
        pen = _Pen(document, page)
        for sentence in page.sentences:
            pen.write(sentence, TEXT, bullet=True)
        if page.panels:
            pen.panels(page)
        for table in page.tables:
            pen.table(table)
        figures += pen.figures
    for number, figure in enumerate(figures, 1):
        figure.text(RIGHT, TOP, f"{number} / {len(figures)}", ha="right", va="top", fontsize=SMALL,
                    color=PALE)  # fmt: skip
    return figures


def write_folder(folder: Path, document: Document) -> None:
    """Write ``report.md`` and a PNG file for each panel into ``folder``, which exists."""
    figures = {}
    for page in document.pages:
        for panel in page.panels:
            figures[panel.name], ax = new_figure()
            panel.draw(ax)
            _legend(ax)
    write_pictures(folder, figures)
    with atomic(folder / MARKDOWN) as temporary:
        temporary.write_text(markdown(document), encoding="utf-8")


def markdown(document: Document) -> str:
    """A document as Markdown; panels are pictures beside it."""
    lines = [f"# {document.title}", "", document.subtitle, ""]
    for page in document.pages:
        lines += [f"## {page.title}", ""]
        lines += [f"- {sentence}" for sentence in page.sentences] + [""]
        for panel in page.panels:
            lines += [f"![{panel.name}]({panel.name}.png)", ""]
        for table in page.tables:
            lines += [*([f"**{table.title}**", ""] if table.title else []), *_rows(table), ""]
    return "\n".join(lines)


def _rows(table: TextTable) -> list[str]:
    header = table.header or ("",) * len(table.widths)
    rows = [header, ("---",) * len(header), *table.rows]
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]


# -- drawing -----------------------------------------------------------------------------------


def _legend(ax: Axes) -> bool:
    """A legend below axes with labels; whether there are any."""
    if found := bool(ax.get_legend_handles_labels()[0]):
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=8.5, frameon=False)
    return found


class _Pen:
    """Writes down a page from the top; ``y`` is where the next thing begins, fraction of the
    page."""

    def __init__(self, document: Document, page: Page) -> None:
        self.document, self.page = document, page
        self.figures: list[Figure] = []
        self._begin(page.title)

    def _begin(self, title: str) -> None:
        """An empty page."""
        self.figure, self.y = new_canvas(SIZE), TOP
        self.figure.set_layout_engine("none")
        self.figures.append(self.figure)
        self.write(title, HEADING, weight="bold")
        self.write(self.document.subtitle, SMALL, color=PALE)
        self._line(self.y)
        self.y -= 0.02

    def write(self, text: str, size: float, bullet: bool = False, **style: Any) -> None:
        """Lines of text over the width of the page."""
        indent = 0.012 if bullet else 0.0
        if bullet:
            self._put(LEFT, "•", size)
        for line in _wrapped(text, RIGHT - LEFT - indent, size):
            self._put(LEFT + indent, line, size, **style)
            self.y -= _height(size)
        self.y -= 0.25 * _height(size)

    def panels(self, page: Page) -> None:
        """The panels in one row, or in two for more than three."""
        columns = len(page.panels) if len(page.panels) <= 3 else -(-len(page.panels) // 2)
        rows = -(-len(page.panels) // columns)
        width = (RIGHT - LEFT - PANEL_GAP * (columns - 1) - 0.02) / columns
        room = self.y - BOTTOM - sum(_table_height(table) for table in page.tables)
        height = min(PANEL_HEIGHT, room / rows - BELOW)
        legends = False
        for place, panel in enumerate(page.panels):
            row, column = divmod(place, columns)
            left = LEFT + 0.02 + column * (width + PANEL_GAP) + panel.indent
            bottom = self.y - 0.035 - height - row * (height + BELOW)
            ax = self.figure.add_axes((left, bottom, width - panel.indent, height))
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(labelsize=SMALL)
            panel.draw(ax)
            ax.title.set_fontsize(10)
            for label in (ax.xaxis.label, ax.yaxis.label):
                label.set_fontsize(CELL)
            legends = _legend(ax) or legends
        self.y -= 0.035 + rows * (height + (BELOW if legends else PLAIN))

    def table(self, table: TextTable) -> None:
        """A table over the width of the page; cells are wrapped."""
        self.y -= TABLE_GAP / 2
        if self.y - min(_table_height(table), BEGINNING) < BOTTOM:
            self._begin(f"{self.page.title} (continued)")
        if table.title:
            self.write(table.title, TEXT, weight="bold")
        if table.header:
            self._row(_cells(table, table.header), table, weight="bold")
            self._line(self.y + 0.25 * _height(SMALL))
        for row in table.rows:
            cells = _cells(table, row)
            if self.y - _row_height(cells) < BOTTOM:
                self._begin(f"{self.page.title} (continued)")
            self._row(cells, table)
        self.y -= TABLE_GAP / 2

    def _row(self, cells: list[list[str]], table: TextTable, **style: Any) -> None:
        x = LEFT
        for lines, share in zip(cells, _shares(table), strict=True):
            y = self.y
            for line in lines:
                self.figure.text(x, y, plain_name(line), va="top", fontsize=CELL, **style)
                y -= _height(CELL)
            x += share
        self.y -= _row_height(cells)

    def _put(self, x: float, text: str, size: float, **style: Any) -> None:
        self.figure.text(x, self.y, plain_name(text), va="top", fontsize=size, **style)

    def _line(self, y: float) -> None:
        from matplotlib.lines import Line2D

        self.figure.add_artist(Line2D([LEFT, RIGHT], [y, y], color=GREY, lw=0.6))


def _shares(table: TextTable) -> list[float]:
    """Widths of the columns, fractions of the page."""
    total = sum(table.widths)
    return [(RIGHT - LEFT) * width / total for width in table.widths]


def _cells(table: TextTable, row: tuple[str, ...]) -> list[list[str]]:
    """The lines of each cell of a row."""
    shares = _shares(table)
    return [_wrapped(cell, share - 0.012, CELL) for cell, share in zip(row, shares, strict=True)]


def _row_height(cells: list[list[str]]) -> float:
    return max(len(lines) for lines in cells) * _height(CELL) + ROW_GAP


def _table_height(table: TextTable) -> float:
    """Of a whole table, fraction of the page."""
    rows = [row for row in (table.header, *table.rows) if row]
    title = 1.25 * _height(TEXT) if table.title else 0.0
    return TABLE_GAP + title + sum(_row_height(_cells(table, row)) for row in rows)


def _wrapped(text: str, width: float, size: float) -> list[str]:
    """Lines that fit into a ``width``, fraction of the page, at a font size in points."""
    letters = int(width * SIZE[0] / (size * POINT * LETTER))
    return textwrap.wrap(text, max(letters, 8)) or [""]


def _height(size: float) -> float:
    """Distance of lines at a font size in points, fraction of the page."""
    return size * POINT * LINE / SIZE[1]
