"""The layout of a delimited text: separator, comment lines, header line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .cells import MISSING, TRUTH, number

BLANK = " "
"""Separator of columns that any number of blanks and tabs separate."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes", BLANK: "blanks"}
"""Separators and their names; the first of two that suit a file equally well is taken."""
MARKS = tuple(mark for mark in SEPARATORS if mark != BLANK)
"""Separators that are characters of their own."""
NOTHING = " \t\f\v\x1a\xa0\ufeff" + "".join(SEPARATORS)
"""A line of these characters alone is blank."""
COMMENTS = ("#", "%", "//", "!")
EXCEL_ERROR = re.compile(r"#(n/?a|null!|value!|div/0!|num!|ref!|name\?)\s*([,;\t| ]|$)", re.I)
SAMPLE = 50  # lines that the separator is recognised from
TABS_GO_FIRST = 0.1  # score by which blanks must suit a file better than tabs
LEAST_SHARE = 0.5  # of the lines, which have the usual number of columns
FIRST_DIFFERS = 0.5  # the weight of a separator that the first line does not have as often
SEP_LINE = re.compile(r'\s*"?sep=(?P<mark>\\t|.)"?[,;\s]*', re.I)
QUOTED = re.compile(r'(?<![^,;\t| \n])"((?:[^"]|"")*)"')


@dataclass(frozen=True)
class Lines:
    """The lines of a file without comments.

    Attributes
    ----------
    separator : str
        A key of SEPARATORS.
    kept : list of str
        Lines that are neither blank nor a comment.
    numbers : list of int
        Their numbers in the file, from 1; exact where no quoted cell has a line end.
    comments : tuple of (int, str)
        Comment lines, with their numbers.
    """

    separator: str
    kept: list[str]
    numbers: list[int]
    comments: tuple[tuple[int, str], ...]


def lines_of(lines: Sequence[str], first_line: int = 1) -> Lines:
    """Recognise the separator and the comments of the lines from ``first_line`` on."""
    kept: list[str] = []
    numbers: list[int] = []
    comments: list[tuple[int, str]] = []
    separator = None
    for i, line in enumerate(lines[first_line - 1 :], first_line):
        if not line.strip(NOTHING):
            continue
        if _is_comment(line):
            comments.append((i, line))
            continue
        if not kept and (found := SEP_LINE.fullmatch(line)):
            separator = "\t" if found["mark"] == "\\t" else found["mark"]
            continue
        kept.append(line)
        numbers.append(i)
    if separator not in SEPARATORS:
        separator = separator_of(kept)
    return Lines(separator, kept, numbers, tuple(comments))


def _is_comment(line: str) -> bool:
    text = line.lstrip()
    return text.startswith(COMMENTS) and not EXCEL_ERROR.match(text)


def separator_of(lines: Sequence[str]) -> str:
    """The separator that most lines have equally often, between numbers if there are any.

    >>> separator_of(["a;b", "1,5;2", "1,7;3"])
    ';'
    """
    text = "\n".join(lines[:SAMPLE])
    if '"' in text:  # separators in quotes do not count
        text = QUOTED.sub(lambda found: _placeholder(found[1]), text)
    sample = text.split("\n")
    scores = {separator: _score(sample, separator) for separator in SEPARATORS}
    best = max(scores, key=lambda separator: scores[separator])
    if best == BLANK and scores["\t"] > scores[BLANK] - TABS_GO_FIRST:
        return "\t"  # blanks skip empty cells
    return best if scores[best] else ","


def _placeholder(cell: str) -> str:
    return "0" if number(cell) is not None or number(cell, True) is not None else "x"


def _score(sample: Sequence[str], separator: str) -> float:
    """How well a separator suits some lines, from 0 (not at all) to 2."""
    rows = [cells_of(line, separator) for line in sample]
    counts = Counter(len(row) for row in rows if len(row) > 1)
    if not counts:
        return 0.0
    width, usual = counts.most_common(1)[0]
    share = usual / len(rows)
    if share < LEAST_SHARE:
        return 0.0
    cells = [cell for row in rows if len(row) == width for cell in row if cell.strip()]
    comma = separator != ","
    numeric = sum(number(cell, comma) is not None for cell in cells) / max(len(cells), 1)
    first = 1.0 if len(rows[0]) == width else FIRST_DIFFERS
    return share * (1 + numeric) * first


def cells_of(line: str, separator: str) -> list[str]:
    """The cells of a line without quotes."""
    return line.split() if separator == BLANK else line.split(separator)


def is_header(first: Sequence[str], below: Sequence[Sequence[str]], comma: bool) -> bool:
    """Whether a line names the columns.

    ``below`` are some of the lines after it. A header has no number, or has text above a column of
    numbers.
    """
    filled = [(i, cell.strip()) for i, cell in enumerate(first) if cell.strip()]
    if not filled:
        return False
    text = [i for i, cell in filled if not _is_value(cell, comma)]
    if len(text) == len(filled):
        return True
    for i in text:
        column = [row[i].strip() for row in below if i < len(row)]
        if any(number(cell, comma) is not None for cell in column) and all(
            _is_value(cell, comma) for cell in column
        ):
            return True
    return False


def header_in_comment(comment: str, width: int, separator: str) -> list[str] | None:
    """The names in a comment line that has as many cells as the table; None if it has others."""
    text = comment.strip().lstrip("#%/!")
    marks = [separator, *MARKS]
    for mark in marks:
        cells = [cell.strip().strip('"') for cell in cells_of(text.strip(BLANK), mark)]
        if len(cells) == width > 1 and not any(number(cell) is not None for cell in cells):
            return cells
    return None


def _is_value(cell: str, comma: bool) -> bool:
    """Whether a cell belongs into a column of numbers."""
    low = cell.lower()
    return low in MISSING or low in TRUTH or number(cell, comma) is not None
