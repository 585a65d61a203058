"""The content of an HTML page, without any layout: a headline, then sections of sentences, facts,
charts and tables.

Kinds of runs, characterizations and self-tests build an ``HtmlPage``; ``render`` writes it as one
file, and the live view sends its parts to a browser again as they change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Rows = list[tuple[str, str]]
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
REPLACEMENT = "\ufffd"  # Unicode's sign for a character that cannot be shown
NAME = re.compile(r"[a-z][a-z0-9-]*")
"""Names of charts and sections: they are identifiers in the page."""
CHOSEN = "chosen"
"""Parameter of a drawing: numbers of the highlighted series; empty: all."""
BEGIN, END = "begin", "end"
"""Parameters of a drawing: the shown part of the horizontal axis."""


def clean(text: str) -> str:
    """The text with a visible sign in place of what HTML cannot contain.

    >>> clean("a\\x00b")
    'a\ufffdb'
    """
    return CONTROLS.sub(REPLACEMENT, text)


class Tone(StrEnum):
    """How a headline is coloured. Its label always says the same in words."""

    GOOD = "good"
    CAUTION = "caution"
    BAD = "bad"
    RUNNING = "running"


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes
    ----------
    header : tuple of str
    rows : tuple of tuple of str
        Each as long as the header. Cells that are numbers are aligned to the right.
    caption : str
    folded : str
        What a reader selects to open the table ("Diagnostics of all weights"); empty: the table is
        open. Print shows it in any case.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    folded: str = ""


@dataclass(frozen=True)
class LegendEntry:
    """One series of a chart in its legend. The legend is part of the page, not of the drawing, so
    that a keyboard reaches it.

    Attributes
    ----------
    label : str
    colour : str
        One of ``pictures.style``, ``#rrggbb``.
    dash : tuple of int
        Lengths of strokes and gaps, pixels; empty: a solid line.
    """

    label: str
    colour: str
    dash: tuple[int, ...] = ()


@dataclass(frozen=True)
class Chart:
    """One interactive drawing with its equivalent in words and numbers.

    Attributes
    ----------
    name : str
        Identifier, unique in its page: small letters, digits, hyphens.
    title : str
        States what is seen ("Weights with 94 % intervals").
    description : str
        The text alternative: one to three sentences with the finding and its numbers.
    spec : dict
        Vega-Lite, without title, width, height and colours of text; the page adds these. Data are
        inline.
    table : Table or None
        The numbers that the drawing shows, for readers who cannot see it. None if they are too
        many (say more than 200 rows); then the description summarises them.
    height : int
        Pixels.
    legend : tuple of LegendEntry
        Series, in the order of their numbers. If the drawing has the parameter ``CHOSEN``, a
        reader can highlight some of them: the page sets it to their numbers. If it has the
        parameters ``BEGIN`` and ``END``, a reader can show a part of the horizontal axis.
    """

    name: str
    title: str
    description: str
    spec: Mapping[str, Any]
    table: Table | None = None
    height: int = 280
    legend: tuple[LegendEntry, ...] = ()

    @property
    def zooms(self) -> bool:
        """Whether a reader can show a part of the horizontal axis."""
        return BEGIN in {parameter["name"] for parameter in self.spec.get("params", ())}


@dataclass(frozen=True)
class Picture:
    """A finished drawing, shown where no chart is drawn from data.

    Attributes
    ----------
    name : str
        Identifier, unique in its page: small letters, digits, hyphens.
    title : str
    description : str
        The text alternative: one to three sentences with the finding.
    png : bytes
        Content of a PNG file, on a white ground.
    """

    name: str
    title: str
    description: str
    png: bytes


@dataclass(frozen=True)
class Section:
    """A part of a page under one heading.

    Attributes
    ----------
    name : str
        Identifier, unique in its page, the target of links.
    title : str
    sentences : tuple of str
        Paragraphs before the rest.
    facts : list of (str, str)
        Names and values.
    charts : tuple of Chart
    pictures : tuple of Picture
        Shown after the charts.
    tables : tuple of Table
    code : str
        Commands to copy; empty: none.
    folded : bool
        Whether the section is closed until its reader opens it.
    """

    name: str
    title: str
    sentences: tuple[str, ...] = ()
    facts: Rows = field(default_factory=list)
    charts: tuple[Chart, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    code: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Headline:
    """The result in plain words, the first thing that a reader sees.

    Attributes
    ----------
    tone : Tone
    label : str
        The verdict in one to three words ("settled", "do not trust").
    sentences : tuple of str
        The answer first, then how far it can be trusted and what to do next.
    """

    tone: Tone
    label: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class HtmlPage:
    """A page.

    Attributes
    ----------
    title : str
        Of the window and the first heading.
    subtitle : str
        One line below it.
    headline : Headline
    sections : tuple of Section

    Raises
    ------
    ValueError
        If two sections, charts or pictures have one name, or a name is not an identifier.
    """

    title: str
    subtitle: str
    headline: Headline
    sections: tuple[Section, ...]

    def __post_init__(self) -> None:
        names = [section.name for section in self.sections]
        names += [chart.name for chart in self.charts()]
        names += [picture.name for section in self.sections for picture in section.pictures]
        for name in names:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a name of small letters, digits and hyphens")
            if names.count(name) > 1:
                raise ValueError(f"the page has two parts with the name {name}")

    def charts(self) -> Iterator[Chart]:
        """The charts of all sections, in their order."""
        for section in self.sections:
            yield from section.charts
