"""The page of reproduced figures: our numbers beside the published ones, charts, pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from .. import __version__
from ..pages.content import Headline, HtmlPage, Picture, Section, Tone
from ..pages.content import Table as PageTable
from ..readable import count
from .base import Figure, Goal
from .catalogue import ENTRIES
from .chart import charts_of
from .output import shown, verdict

PAPER = "Dalgaty et al., Nature Electronics 4, 151 (2021), doi 10.1038/s41928-020-00523-3"
BESIDE = "The tables compare our numbers with the published ones."
NO_NUMBER = "There is no published number for this figure."
HEADER = ("quantity", "ours", "published", "goal")


def page_of(
    figures: Mapping[str, Figure], out: Path, command: str, seeds: int, made: date | None = None
) -> HtmlPage:
    """The page of ``figures``, whose pictures are in ``out``/NAME.

    ``command`` is the line that made them; ``made``: the day, None: today.
    """
    goals = [row for figure in figures.values() for row in _goals(figure)]
    names = ", ".join(figures)
    return HtmlPage(
        title=f"Figures of the paper: {names}",
        subtitle=f"{count(seeds, 'seed')} · made on {made or date.today()} · {PAPER}",
        headline=_headline(goals, any(map(_published, figures.values()))),
        sections=(
            *(part for name, figure in figures.items() for part in _parts(name, figure, out)),
            Section(
                "repeat",
                "How to repeat this",
                sentences=(
                    "The same command gives the same numbers on the same version. An interrupted "
                    "run continues.",
                ),
                facts=[("version", f"ohmcarlo {__version__}"), ("results", str(out))],
                code=command,
            ),
        ),
    )


def _goals(figure: Figure) -> list[Goal]:
    """The rows that have a goal."""
    return [row for table in figure.tables for row in table.rows if row.met is not None]


def _published(figure: Figure) -> bool:
    """Whether a row of its tables has a published value."""
    return any(row.published for table in figure.tables for row in table.rows)


def _headline(goals: list[Goal], published: bool) -> Headline:
    missed = [row for row in goals if not row.met]
    if not goals:
        text = f"These figures have no goals. {BESIDE if published else NO_NUMBER}"
        return Headline(Tone.GOOD, "reproduced", (text,))
    text = f"{len(goals) - len(missed)} of {count(len(goals), 'goal')} are met."
    if not missed:
        return Headline(Tone.GOOD, "goals met", (text,))
    lines = [
        f"Goal not met: {row.quantity} is {shown(row)}; the goal is {row.wanted}." for row in missed
    ]
    return Headline(Tone.CAUTION, "goals missed", (text, *lines[:5]))


def _parts(name: str, figure: Figure, out: Path) -> Iterator[Section]:
    """The claim with the picture, then a section for each table, then the notes."""
    entry = ENTRIES.get(name)
    claim = entry.claim if entry is not None else ""
    description = entry.description if entry is not None else figure.title
    yield Section(
        f"figure-{name}",
        f"{name}: {figure.title}",
        sentences=(
            f"{description[:1].upper()}{description[1:]}.",
            f"The paper states: {claim}" if claim else BESIDE if _published(figure) else NO_NUMBER,
        ),
        pictures=tuple(_pictures(name, figure, out / name)),
    )
    for place, table in enumerate(figure.tables):
        rows = tuple((r.quantity, shown(r), r.published, verdict(r)) for r in table.rows)
        yield Section(
            f"{name}-table-{place}",
            f"{name}: {table.title}",
            charts=tuple(charts_of(f"{name}-chart-{place}", table)),
            tables=(PageTable(HEADER, rows),),
        )
    if figure.notes:
        yield Section(f"{name}-notes", f"{name}: notes", sentences=tuple(figure.notes))


def _pictures(name: str, figure: Figure, folder: Path) -> Iterator[Picture]:
    """The pictures that were written, with a text alternative each."""
    for picture in figure.pictures:
        file = folder / f"{picture}.png"
        part = picture.replace("-", " ").replace("_", " ")
        yield Picture(
            f"{name}-picture-{picture.lower().replace('_', '-')}",
            f"Picture: {part}",
            f"{figure.title}: {part}. The tables below have its numbers.",
            file.read_bytes(),
        )
