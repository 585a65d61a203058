"""From a file to a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..readable import count
from .cells import THOUSANDS, WITH_COMMA, WITH_POINT
from .content import Text, read_text
from .layout import SAMPLE, SEPARATORS, Lines, header_in_comment, is_header, lines_of
from .rows import Rows, rows_of
from .table import REFUSE, IntArray, Table

LEAVE_OUT = "leave out"
MOST = 0.8  # of the lines; the header is wrong if so many differ from it


def read_table(
    path: str | Path,
    *,
    header: bool | None = None,
    first_line: int = 1,
    odd_lines: str = REFUSE,
) -> Table:
    """Read a delimited text.

    Parameters
    ----------
    path : path
        ``content.read_text`` has the compressions and encodings, ``layout.SEPARATORS`` the
        separators, ``layout.COMMENTS`` how a comment line begins.
    header : bool, optional
        Whether the first line names the columns; by default it does unless it has numbers above
        numbers. The last comment line can name the columns, too, as ``numpy.savetxt`` writes it.
    first_line : int
        The table begins at this line, counted from 1.
    odd_lines : {"refuse", "leave out"}
        What to do with a line that has another number of cells. ``Table.odd_lines`` lists them.

    Raises
    ------
    UsageError
        One line with file, line and remedy, for a file that is no table.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ohmcarlo.tables.reading import read_table
    >>> _ = Path("pulses.csv").write_text("target_us;g_us\\n45,0;43,5\\n65,0;66,25\\n")
    >>> table = read_table("pulses.csv")
    >>> table.numbers(["target_us", "g_us"])
    array([[45.  , 43.5 ],
           [65.  , 66.25]])
    """
    return parse_table(
        read_text(Path(path)), header=header, first_line=first_line, odd_lines=odd_lines
    )


def parse_table(
    text: Text, *, header: bool | None = None, first_line: int = 1, odd_lines: str = REFUSE
) -> Table:
    """As ``read_table`` for a text that was read."""
    lines = text.lines
    found = lines_of(lines, first_line)
    rows = rows_of(text.path, lines, found)
    if not len(rows):
        raise UsageError(f"{text.path} is empty: give a table with a header and a line for a row")
    comma = has_decimal_comma(rows)
    names, header_line, rows = _header(rows, found, comma, header)
    shape = _shape(text.path, names, header_line, rows, odd_lines)
    return Table(
        path=text.path,
        header=tuple(names[: shape.width]),
        header_line=header_line,
        rows=shape.rows,
        width=shape.width,
        decimal_comma=comma,
        comments=found.comments,
        odd_lines=shape.odd,
        recognised=(*text.recognised, *_phrases(found, comma, shape, bool(names))),
    )


def has_decimal_comma(rows: Rows) -> bool:
    """Whether a comma separates the decimals: some numbers have one, and none has a point.

    Numbers such as 1,234 alone do not decide, except between semicolons, which programs write where
    the comma separates decimals.
    """
    doubtful = rows.separator != ";"
    for cell in rows.cells_with(","):
        if WITH_COMMA.fullmatch(cell) and not (doubtful and THOUSANDS.fullmatch(cell)):
            return not any(WITH_POINT.fullmatch(cell) for cell in rows.cells_with("."))
    return False


def _header(
    rows: Rows, found: Lines, comma: bool, header: bool | None
) -> tuple[list[str], int, Rows]:
    """The names of the columns, their line, and the rows below."""
    first = rows[0]
    if header is None:
        header = is_header(first, [rows[i] for i in range(1, min(len(rows), SAMPLE))], comma)
        above = [(line, text) for line, text in found.comments if line < rows.numbers[0]]
        if not header and above:
            line, comment = above[-1]
            names = header_in_comment(comment, len(first), found.separator)
            if names:
                return names, line, rows
    if not header:
        return [], 0, rows
    return [cell.strip() for cell in first], int(rows.numbers[0]), rows.chosen(range(1, len(rows)))


@dataclass(frozen=True, eq=False)
class _Shape:
    """The rows that a table keeps, its width, the columns and the lines that it leaves out."""

    rows: Rows
    width: int
    empty: int
    odd: tuple[tuple[int, int], ...]


def _shape(path: Path, names: list[str], header_line: int, rows: Rows, odd_lines: str) -> _Shape:
    widths = rows.widths()
    usual = Counter(widths.tolist()).most_common(1)[0][0] if len(rows) else 0
    widest = len(names) or usual
    width = widest
    while width > 1 and (not names or not names[width - 1]) and _is_empty(rows, width - 1):
        width -= 1
    long = [
        row
        for row in np.flatnonzero(widths > width).tolist()
        if any(map(str.strip, rows[row][width:]))
    ]
    bad = np.zeros(len(rows), bool)
    bad[long] = True
    bad |= widths < width
    odd = tuple((int(rows.numbers[i]), int(widths[i])) for i in np.flatnonzero(bad))
    if odd and odd_lines == REFUSE:
        raise _odd_error(path, names, header_line, widths, odd[0], width)
    empty = int(max(widest, int(widths.max(initial=0)))) - width
    return _Shape(rows.chosen(np.flatnonzero(~bad)) if odd else rows, width, empty, odd)


def _is_empty(rows: Rows, column: int) -> bool:
    """Whether no row has anything in a column."""
    return not any(cell.strip() for row in rows for cell in row[column : column + 1])


def _odd_error(
    path: Path,
    names: list[str],
    header_line: int,
    widths: IntArray,
    first: tuple[int, int],
    width: int,
) -> UsageError:
    line, cells = first
    where = f"{path}, line {line}: {count(cells, 'column')}"
    if not names:
        return UsageError(f"{where}, but most lines have {width}; complete or remove the line")
    where += f", but the header in line {header_line} has {width}"
    same = len(widths) > 1 and (widths == cells).mean() > MOST
    if same and cells == width + 1:
        return UsageError(
            f"{where}; if the first column holds the row names of R, write the file with "
            "row.names = FALSE, otherwise complete the header"
        )
    if same:
        return UsageError(
            f"{where}, unlike the lines below; if line {header_line} is a title, remove it or "
            "begin it with #, otherwise complete the header"
        )
    return UsageError(f"{where}; complete or remove the line")


def _phrases(found: Lines, comma: bool, shape: _Shape, named: bool) -> list[str]:
    """What was recognised beside compression and encoding."""
    phrases = [SEPARATORS[found.separator]] if shape.width > 1 else []
    if comma:
        phrases.append("decimal comma")
    if found.comments:
        phrases.append(count(len(found.comments), "comment line"))
    if not named:
        phrases.append("no header")
    if shape.empty:
        phrases.append(f"left out {count(shape.empty, 'empty column')} at the end")
    return phrases
